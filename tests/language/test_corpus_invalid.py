"""Every mistake of the corpus is found, where it is and as severe as Azure ML takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from creditml.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = Path(__file__).parents[1] / "corpus" / "invalid"


def cases() -> Iterator[tuple[str, Path, Path]]:
    """Name, job and expectation of each case."""
    for path in sorted(CORPUS.iterdir()):
        if path.is_dir() and (path / "expected.json").exists():
            yield path.name, path / "pipeline.yml", path / "expected.json"
        elif path.name.endswith(".expected.json"):
            stem = path.name.removesuffix(".expected.json")
            yield stem, CORPUS / f"{stem}.yml", path


def found_problems(job: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    """What `creditml job validate` says of a file."""
    code = main(["job", "validate", "-f", str(job), "-o", "json"])
    return code, json.loads(capsys.readouterr().out)["problems"]


@pytest.mark.parametrize(("name", "job", "expectation"), list(cases()), ids=[name for name, _, _ in cases()])
def test_the_mistake_is_found_in_its_place(
    name: str,  # noqa: ARG001  the test's id
    job: Path,
    expectation: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CREDITML_HOME", str(tmp_path / "home"))
    expected = json.loads(expectation.read_text(encoding="utf-8"))

    code, problems = found_problems(job, capsys)

    assert code == (1 if expected["verdict"] == "error" else 0), problems
    places = [(*str(p["location"]).rsplit(":", 2), p["severity"]) for p in problems]
    for problem in expected["problems"]:
        file, line = str(job.parent / problem["file"]), str(problem["line"])
        # the expectation names the key; a message may stand at the key or at its value
        columns = [
            int(column)
            for *place, column, severity in places
            if place == [file, line] and severity == expected["verdict"]
        ]
        assert any(column >= problem["column"] for column in columns), (problem, problems)
