"""A network that is cut, really: no job twice, no half of a file under its name, and the next call goes on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from creditml.errors import BackendUnavailable
from creditml.model import Command
from creditml.testing.executors import ended, node, pipeline
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azure_side import Served
    from cutting import Wire

    from creditml.model import Job

pytestmark = pytest.mark.usefixtures("hasty")
MANY = 5 << 20


@pytest.fixture
def executor(wire: Wire, signed_in: Path) -> AzureMLExecutor:  # noqa: ARG001  it is on the way
    return AzureMLExecutor(Workspace(signed_in / "home"))


def coded(folder: Path, command: str = "true") -> Job:
    """A job whose code is new to everybody."""
    folder.mkdir()
    (folder / "main.py").write_text(os.urandom(8).hex())
    step = node("only", command)
    assert isinstance(step.component, Command)
    return pipeline(step._replace(component=step.component._replace(code=str(folder))))


def counting(azure: Served) -> Callable[[], int]:
    """How many jobs Azure has got since now."""

    def count() -> int:
        workspace = Workspace(azure.workspace)
        try:
            return len(workspace.jobs.entries())
        finally:
            workspace.close()

    before = count()
    return lambda: count() - before


def codes(azure: Served) -> int:
    return len(list((azure.workspace / "content").rglob("*")))


def test_cut_before_the_job_is_sent_nothing_is_there_and_the_next_call_submits_it(
    executor: AzureMLExecutor, azure: Served, wire: Wire, tmp_path: Path
) -> None:
    job, jobs, before = coded(tmp_path / "code"), counting(azure), codes(azure)
    wire.cut_when(lambda: codes(azure) > before)

    with pytest.raises(BackendUnavailable, match=r"[Rr]un the same command again"):
        executor.submit(job)
    assert wire.is_cut
    assert jobs() == 0
    wire.mend()

    assert ended(executor, executor.submit(job)).status == "Completed"
    assert jobs() == 1


def test_cut_so_that_only_the_answer_is_lost_the_next_call_takes_the_job_up(
    executor: AzureMLExecutor, azure: Served, wire: Wire, tmp_path: Path
) -> None:
    job, jobs = coded(tmp_path / "code"), counting(azure)
    wire.cut_when(lambda: jobs() > 0)

    with pytest.raises(BackendUnavailable, match=r"isn't known whether the job .* reached") as raised:
        executor.submit(job)
    assert wire.is_cut
    wire.mend()
    name = executor.submit(job)

    assert name in str(raised.value)
    assert ended(executor, name).status == "Completed"
    assert jobs() == 1
    assert executor.submit(job) != name  # that one is known to have arrived, so this is another run
    assert jobs() == 2


def test_a_cut_while_asking_is_an_error_with_advice_and_the_job_goes_on(executor: AzureMLExecutor, wire: Wire) -> None:
    name = executor.submit(pipeline(node("only", "true")))
    wire.cut()

    with pytest.raises(BackendUnavailable, match="Run the same command again"):
        executor.poll(name)
    wire.mend()

    assert ended(executor, name).status == "Completed"


@pytest.mark.parametrize("existing", [False, True])
def test_a_download_that_is_cut_leaves_no_file_and_goes_on(
    executor: AzureMLExecutor,
    wire: Wire,
    tmp_path: Path,
    existing: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    """The first file is whole when the second is cut; it isn't brought again, nor the first half of the second."""
    write = f"cd ${{{{outputs.out}}}}; head -c {MANY} /dev/urandom > a.bin; head -c {3 * MANY} /dev/zero > b.bin"
    name = executor.submit(pipeline(node("only", write)))
    assert ended(executor, name).status == "Completed"
    to = tmp_path / "fetched"
    if existing:
        to.mkdir()
        (to / "mine.txt").write_text("mine")
    wire.cut_after(3 * MANY)

    with pytest.raises(BackendUnavailable, match="Run the same command again"):
        executor.fetch(name, "only", "out", to)
    assert [file.name for file in to.glob("*")] == (["mine.txt"] if existing else [])
    wire.mend()
    before = wire.received
    executor.fetch(name, "only", "out", to)

    assert wire.received - before < 3 * MANY
    assert (to / "a.bin").stat().st_size == MANY
    assert (to / "b.bin").read_bytes() == bytes(3 * MANY)
    assert sorted(file.name for file in to.iterdir()) == ["a.bin", "b.bin"] + (["mine.txt"] if existing else [])
    assert not list(tmp_path.glob(".fetched*"))
