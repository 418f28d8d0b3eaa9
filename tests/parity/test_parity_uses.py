"""What parity says of the corpus: every field is known, and what runs here is not called refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from creditml.errors import SpecError
from creditml.parity import uses
from creditml.workspace import Workspace

CORPUS = Path(__file__).parents[1] / "corpus"
VALID = sorted([*(CORPUS / "valid").glob("*/pipeline.yml"), *(CORPUS / "valid").glob("*/job.yml")])
INVALID = sorted([*(CORPUS / "invalid").glob("*.yml"), *(CORPUS / "invalid").glob("*/pipeline.yml")])


@pytest.mark.parametrize("file", VALID, ids=[file.parent.name for file in VALID])
def test_each_field_of_a_job_that_runs_here_has_a_fate_that_lets_it(file: Path, tmp_path: Path) -> None:
    found = uses(file, (), Workspace(tmp_path))

    assert found
    assert [use.path for use in found if use.fate.word == "refused"] == []
    assert all(use.place.line > 0 for use in found)


@pytest.mark.parametrize("file", INVALID, ids=[str(file.relative_to(CORPUS / "invalid")) for file in INVALID])
def test_a_job_with_mistakes_is_told_as_far_as_it_can_be_read(file: Path, tmp_path: Path) -> None:
    try:
        found = uses(file, (), Workspace(tmp_path))
    except SpecError:
        return  # no YAML, or no text

    assert all(use.fate.word for use in found)
