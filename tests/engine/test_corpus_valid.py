"""Every valid job of the corpus runs here to the end that is expected of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from project import Project

CORPUS = Path(__file__).parents[1] / "corpus" / "valid"
CASES = sorted(path.name for path in CORPUS.iterdir() if (path / "expected.json").exists())


class Case(Project):
    """A copy of a case, with a workspace of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.home = folder / "home"
        super().__init__(
            Path(shutil.copytree(CORPUS / name, folder / "case", symlinks=True)), CREDITML_HOME=str(self.home)
        )
        self.expected: dict[str, Any] = json.loads((self.folder / "expected.json").read_text(encoding="utf-8"))
        (self.folder / "expected.json").unlink()
        for path, text in self.expected.get("make", {}).items():
            self.write(path, text.encode())

    def register(self) -> None:
        """Register the assets that the case needs."""
        for asset in self.expected.get("register", ()):
            self.creditml(asset["kind"], "create", "-f", asset["file"])


def place_of(recorded: dict[str, str], wanted: str) -> Path:
    """Where `<output>` or `<output>/<file>` lies."""
    name, _, rest = wanted.partition("/")
    place = Path(recorded[name])
    return place / rest if rest else place


@pytest.mark.parametrize("name", CASES)
def test_the_job_ends_as_expected(name: str, tmp_path: Path) -> None:
    case = Case(name, tmp_path)
    case.register()
    overrides = [word for key, value in case.expected.get("set", {}).items() for word in ("--set", f"{key}={value}")]

    run = case.creditml("run", case.expected["file"], *overrides, code=None)

    (job,) = case.json("job", "list")
    shown = case.json("job", "show", "-n", job["name"])
    assert job["status"] == case.expected["status"], run.out + run.err
    assert run.code == (0 if job["status"] == "Completed" else 1)
    for wanted, text in case.expected["outputs"].items():
        assert place_of(shown["results"]["outputs"], wanted).read_text(encoding="utf-8") == text, wanted
    for path, step in case.expected["steps"].items():
        check_step(case, job["name"], path, step, run.out)
    for asset in case.expected.get("assets", ()):
        check_asset(case, asset)


def check_step(case: Case, job: str, path: str, expected: dict[str, Any], output: str) -> None:
    """A step's status, outputs and log."""
    steps = {record.get("node", ""): record["name"] for record in descendants(case, job)} | {"": job}
    if expected["status"] == "NotRun":
        assert path not in steps, output
        return
    shown = case.json("job", "show", "-n", steps[path])
    assert shown["status"] == expected["status"], output
    for wanted, text in expected.get("outputs", {}).items():
        assert place_of(shown["results"]["outputs"], wanted).read_text(encoding="utf-8") == text
    if "log" in expected:
        folder = case.home / "jobs" / job / ("steps/" + path if path else "")
        lines = (folder / "artifacts" / "user_logs" / "std_log.txt").read_text(encoding="utf-8").splitlines()
        assert set(expected["log"]) <= set(lines)


def descendants(case: Case, job: str) -> list[dict[str, Any]]:
    """All children of a job, at any depth."""
    found = []
    for record in case.json("job", "list", "-p", job):
        found += [record, *(descendants(case, record["name"]) if record["type"] == "pipeline" else [])]
    return found


def check_asset(case: Case, expected: dict[str, str]) -> None:
    """An asset that the run registered."""
    kind = "model" if expected["type"].endswith("_model") else "data"
    shown = case.json(kind, "show", "-n", expected["name"], "-v", expected["version"])
    assert shown["type"] == expected["type"]
