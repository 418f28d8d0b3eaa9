"""Which workspace in Azure is meant: what is nearest to the command counts, name by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from creditml.errors import BackendError
from creditml_azureml.target import Target, find_target

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = {
    "subscription_id": "AZURE_SUBSCRIPTION_ID",
    "resource_group": "AZURE_RESOURCE_GROUP",
    "workspace_name": "AZURE_ML_WORKSPACE",
}
KEYS = tuple(VARIABLES)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, deep in a project; no variable is set."""
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    deep = tmp_path / "project/deep"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    return deep


def named(source: str) -> dict[str, str]:
    return {key: f"{source}-{key}" for key in KEYS}


def config(folder: Path, source: str, *keys: str) -> None:
    folder.mkdir(exist_ok=True)
    values = {key: value for key, value in named(source).items() if not keys or key in keys}
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")


def sources(target: Target) -> list[str]:
    """Where each of the names is from."""
    return [name.partition("-")[0] for name in target]


@pytest.mark.parametrize(
    ("given", "variables", "found"),
    [
        (KEYS, KEYS, ["flag"] * 3),
        ((), KEYS, ["variable"] * 3),
        ((), (), ["config"] * 3),
        (KEYS[:1], KEYS[:2], ["flag", "variable", "config"]),
        (KEYS[2:], KEYS[1:], ["config", "variable", "flag"]),
    ],
)
def test_flags_come_before_variables_and_these_before_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], variables: tuple[str, ...], found: list[str]
) -> None:
    config(folder, "config")
    for key in variables:
        monkeypatch.setenv(VARIABLES[key], f"variable-{key}")

    assert sources(find_target({key: f"flag-{key}" for key in given})) == found


def test_what_is_empty_counts_for_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(folder, "config")
    for name in VARIABLES.values():
        monkeypatch.setenv(name, "")

    assert sources(find_target(dict.fromkeys(KEYS, ""))) == ["config"] * 3


def test_the_nearest_file_counts_alone(folder: Path) -> None:
    config(folder.parent, "far")
    config(folder / ".azureml", "hidden")
    assert sources(find_target({})) == ["hidden"] * 3
    config(folder, "near")
    assert sources(find_target({})) == ["near"] * 3

    config(folder, "near", "subscription_id", "resource_group")
    with pytest.raises(BackendError, match=r"project/deep/config\.json has no workspace_name"):
        find_target({})


def test_without_any_it_is_said_how_to_name_one() -> None:
    with pytest.raises(BackendError, match=r"there is no config\.json here or above.*--workspace-name.*AZURE_ML_"):
        find_target({})


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "3"])
def test_a_file_that_is_none_is_named(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8")

    with pytest.raises(BackendError, match=r"config\.json"):
        find_target({})
