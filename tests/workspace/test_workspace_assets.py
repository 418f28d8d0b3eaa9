"""Assets as the workspace keeps them: versions, references, several writers at once."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from creditml.errors import Conflict, CreditMLError, NotFound
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from creditml.workspace.assets import Assets

WRITER = """
import sys
from pathlib import Path
from creditml.errors import Conflict
from creditml.workspace import Workspace

assets = Workspace(Path(sys.argv[1])).assets
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    try:
        print(assets.create("data", "d", sys.argv[4] or None, {"path": f"{sys.argv[2]}{number}"}).version)
    except Conflict as conflict:
        print("conflict", conflict)
"""


@pytest.fixture
def assets(tmp_path: Path) -> Iterator[Assets]:
    """The assets of a new workspace."""
    with closing(Workspace(tmp_path / "home")) as workspace:
        yield workspace.assets


def write_at_once(root: Path, times: int, version: str = "") -> list[list[str]]:
    """What two processes say that create versions of the same name at the same time."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(root)]
    writers = [
        subprocess.Popen([*command, who, str(times), version], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for who in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    said = [writer.communicate(timeout=60)[0].splitlines() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    return said


@pytest.mark.parametrize("attempt", range(4))
def test_two_processes_can_begin_a_workspace_at_once(tmp_path: Path, attempt: int) -> None:
    one, other = write_at_once(tmp_path / f"home{attempt}", 1)

    assert sorted(one + other) == ["1", "2"]


def test_two_processes_never_get_the_same_version(tmp_path: Path) -> None:
    Workspace(tmp_path / "home").database.connection.close()

    one, other = write_at_once(tmp_path / "home", 40)

    assert sorted(map(int, one + other)) == list(range(1, 81))
    with closing(Workspace(tmp_path / "home")) as workspace:
        assert [asset.version for asset in workspace.assets.entries("data", "d")] == [str(n) for n in range(80, 0, -1)]


def test_of_two_processes_one_gets_a_given_version(tmp_path: Path) -> None:
    Workspace(tmp_path / "home").database.connection.close()

    one, other = write_at_once(tmp_path / "home", 1, version="initial")

    assert sorted(["initial" in one, "initial" in other]) == [False, True]
    assert any("immutable" in line for line in one + other)


@given(
    name=st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,30}", fullmatch=True),
    version=st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,20}", fullmatch=True),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_created_can_be_named(assets: Assets, name: str, version: str) -> None:
    created = assets.create("data", name, version, {"path": f"{name}/{version}"})

    assert assets.resolve("data", created.id) == created
    assert assets.resolve("data", f"azureml:{name}@latest").name == name


@given(versions=st.lists(st.sampled_from([None, None, "1", "2", "7", "007", "v1", "1.0", str(2**70)]), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_next_version_is_always_new_and_latest_is_the_last_created(
    tmp_path: Path, versions: list[str | None]
) -> None:
    with closing(Workspace(tmp_path / str(len(list(tmp_path.iterdir()))))) as workspace:
        created: list[str] = []
        for number, version in enumerate(versions):
            if version in created:
                with pytest.raises(Conflict):
                    workspace.assets.create("data", "d", version, {"path": str(number)})
                continue
            made = workspace.assets.create("data", "d", version, {"path": str(number)}).version
            assert made not in created
            created.append(made)

            assert workspace.assets.get("data", "d", None, "latest").version == made


def test_the_next_version_is_above_all_numbers_that_there_were(assets: Assets) -> None:
    made = [assets.create("data", "d", version, {"path": str(version)}).version for version in ("7", "2", None, "5")]

    assert made == ["7", "2", "8", "5"]
    assert assets.next_version("data", "d") == "9"
    assert assets.next_version("data", "new") == "1"


def test_what_was_created_in_the_same_moment_is_in_order(assets: Assets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    for version in ("3", "1", "2"):
        assets.create("data", "d", version, {"path": version})

    assert [asset.version for asset in assets.entries("data", "d")] == ["2", "1", "3"]
    assert assets.get("data", "d", None, "latest").version == "2"


@pytest.mark.parametrize(
    ("first", "second", "differs"),
    [
        ({"path": "x", "type": "uri_file"}, {"path": "x"}, "type"),
        ({"path": "x"}, {"path": "x", "type": "uri_file"}, "type"),
        ({"path": "x"}, {"path": "y"}, "path"),
        ({"path": "x", "type": "a", "other": 1}, {"path": "x", "type": "b"}, "other, type"),
    ],
)
def test_a_version_is_as_it_was_made(
    assets: Assets, first: dict[str, object], second: dict[str, object], differs: str
) -> None:
    assets.create("data", "d", "1", first)

    assert assets.same("data", "d", "1", first)
    assert not assets.same("data", "d", "1", second)
    with pytest.raises(Conflict, match=rf"differs in {differs} \("):
        assets.create("data", "d", "1", second)
    assert assets.get("data", "d", "1").spec == first


def test_its_description_and_tags_may_change_and_stay_if_nothing_is_said_of_them(assets: Assets) -> None:
    assets.create("data", "d", "1", {"path": "x", "description": "old", "tags": {"a": "1"}})

    assets.create("data", "d", "1", {"path": "x", "description": "new"})

    assert assets.get("data", "d", "1").spec == {"path": "x", "description": "new", "tags": {"a": "1"}}
    assert [asset.version for asset in assets.entries("data", "d")] == ["1"]


def test_latest_is_the_last_created_that_is_not_archived(assets: Assets) -> None:
    for version in ("1", "3", "2"):
        assets.create("data", "d", version, {"path": version})

    latest = []
    for version in ("2", "3", "1"):
        latest.append(assets.get("data", "d", None, "latest").version)
        assets.archive("data", "d", version, archived=True)

    assert latest == ["2", "3", "1"]
    assert assets.get("data", "d", "3").archived  # by its version it is still there
    with pytest.raises(NotFound, match="All versions of the data asset 'd' are archived; `creditml data restore -n d`"):
        assets.get("data", "d")
    assets.archive("data", "d", "3", archived=False)
    assert assets.resolve("data", "azureml:d@latest").version == "3"


def test_kinds_do_not_meet(assets: Assets) -> None:
    assets.create("data", "x", None, {"path": "data"})
    assets.create("model", "x", None, {"path": "model"})

    assert assets.get("data", "x").spec["path"] == "data"
    assert assets.get("model", "x").version == "1"
    with pytest.raises(NotFound):
        assets.get("component", "x")


def test_a_conflict_says_what_differs_and_what_to_do(assets: Assets) -> None:
    assets.create("data", "d", "4", {"path": "here", "type": "uri_file", "description": "old"})

    with pytest.raises(Conflict) as conflict:
        assets.create("data", "d", "4", {"path": "there", "type": "uri_file", "description": "new"})

    told = str(conflict.value)
    assert "Asset paths cannot be updated" in told
    assert "'here'" in told
    assert "'there'" in told
    assert "for example 5" in told
    assert assets.get("data", "d", "4").spec["description"] == "old"


@pytest.mark.parametrize("text", ["azureml:d:1", "azureml:d@latest", "azureml:d@production", "nonsense"])
def test_a_reference_to_nothing_is_told(assets: Assets, text: str) -> None:
    with pytest.raises(CreditMLError) as error:
        assets.resolve("data", text)

    assert "d" in str(error.value)
    assert (
        "`creditml data create" in str(error.value)
        or "azureml:<name>" in str(error.value)
        or "label" in str(error.value)
    )
