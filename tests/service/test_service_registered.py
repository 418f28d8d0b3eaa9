"""What is registered through the service is got from it whole: registered again, it is the same version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from creditml.cli import main

if TYPE_CHECKING:
    from sides import Sides

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("file", ["say.yml", "inner.yml", "full.yml"])
def test_a_component_that_is_got_can_be_registered_again(
    file: str, jobs: Path, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.ai.ml import load_component

    monkeypatch.chdir(jobs)
    components = sides.client.components
    sent = load_component(jobs / file, params_override=[{"name": f"again_{file[:-4]}"}, {"version": "7"}])

    made = components.create_or_update(sent)
    kept = sides.theirs.assets.get("component", made.name, "7").spec
    got = components.get(made.name, "7")
    components.create_or_update(got)

    again = sides.theirs.assets.get("component", made.name, "7").spec
    for spec in (kept, again):
        spec.pop("properties", None)  # where the SDK keeps a hash of its own
    assert again == kept
    for key in ("display_name", "description", "tags", "type"):
        assert getattr(got, key) == getattr(sent, key)
    assert told(got.inputs) == told(sent.inputs)
    assert told(got.outputs) == told(sent.outputs)
    assert list(getattr(got, "jobs", ())) == list(getattr(sent, "jobs", ()))


@pytest.mark.parametrize("file", ["environment.yml", "served.yml", "built.yml"])
def test_an_environment_that_is_got_can_be_registered_again(
    file: str, jobs: Path, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.ai.ml import load_environment

    monkeypatch.chdir(jobs)
    environments = sides.client.environments
    sent = load_environment(jobs / file, params_override=[{"name": f"again_{file[:-4]}"}, {"version": "7"}])

    made = environments.create_or_update(sent)
    kept = sides.theirs.assets.get("environment", made.name, "7").spec
    got = environments.get(made.name, "7")
    environments.create_or_update(got)

    assert sides.theirs.assets.get("environment", made.name, "7").spec == kept
    for key in ("image", "conda_file", "description", "tags", "inference_config"):
        assert getattr(got, key) == getattr(sent, key)


@pytest.mark.parametrize(
    ("kind", "file"),
    [("data", "words.yml"), ("environment", "served.yml"), ("component", "copy.yml")],
)
def test_what_the_command_line_has_registered_the_sdk_may_register_again(
    kind: str, file: str, jobs: Path, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    import azure.ai.ml

    monkeypatch.chdir(jobs)
    monkeypatch.setenv("CREDITML_HOME", str(sides.theirs.root))
    assert main([kind, "create", "-f", file]) == 0
    entity = getattr(azure.ai.ml, f"load_{kind}")(
        file, params_override=[{"version": "3" if kind == "environment" else "1"}]
    )

    getattr(sides.client, entity_operations(kind)).create_or_update(entity)

    assert sides.theirs.assets.get(kind, entity.name, entity.version)


@pytest.mark.parametrize("first", ["command line", "sdk"])
def test_a_build_context_is_the_same_by_either_door(
    first: str, jobs: Path, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.ai.ml import load_environment

    name = f"context_by_{first.replace(' ', '_')}"
    monkeypatch.chdir(jobs)
    monkeypatch.setenv("CREDITML_HOME", str(sides.theirs.root))

    def by_command_line() -> None:
        assert main(["environment", "create", "-f", "built.yml", "-n", name, "-v", "1"]) == 0

    def by_sdk() -> None:
        given: list[dict[str, Any]] = [{"name": name}, {"version": "1"}]
        sides.client.environments.create_or_update(load_environment("built.yml", params_override=given))

    doors = [by_command_line, by_sdk] if first == "command line" else [by_sdk, by_command_line]
    doors[0]()
    kept = sides.theirs.assets.get("environment", name, "1").spec
    (jobs / "context").rename(jobs / "moved")
    try:
        assert (Path(kept["build"]["path"]) / "Dockerfile").is_file()  # what is registered stays what it was
    finally:
        (jobs / "moved").rename(jobs / "context")
    doors[1]()

    assert sides.theirs.assets.get("environment", name, "1").spec == kept


def entity_operations(kind: str) -> str:
    return kind if kind == "data" else f"{kind}s"


def told(ports: Any) -> dict[str, dict[str, Any]]:
    return {
        name: {key: value for key, value in dict(port).items() if value is not None} for name, port in ports.items()
    }
