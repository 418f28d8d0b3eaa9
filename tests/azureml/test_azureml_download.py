"""Outputs and logs of the cloud's jobs arrive whole, at their places and nowhere else."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta, timezone
from functools import partial
from hashlib import md5
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from creditml.errors import BackendError, Conflict, CreditMLError, NotFound
from creditml.model import Command, ComponentOutput
from creditml.testing.executors import ended, node, pipeline, running
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor
from creditml_azureml.cloud_data import StoredBlobs
from creditml_azureml.download import fetch_artifacts, fetch_output
from creditml_azureml.runs import CloudRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from creditml_azureml.cloud import Cloud

CHANGED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture
def executor(signed_in: Path) -> AzureMLExecutor:
    return AzureMLExecutor(Workspace(signed_in / "home"))


def test_logs_and_outputs_of_any_form_are_fetched(executor: AzureMLExecutor, tmp_path: Path) -> None:
    step = node("only", "echo said; echo 1,2 > ${{outputs.out}}; mkdir ${{outputs.none}}/empty")
    assert isinstance(step.component, Command)
    outputs = {"out": ComponentOutput("uri_file"), "none": ComponentOutput("uri_folder")}
    name = executor.submit(pipeline(step._replace(component=step.component._replace(outputs=outputs))))
    assert ended(executor, name).status == "Completed"
    run = executor.poll(name).nodes[0].run_id

    (file,) = executor.fetch(name, "only", "out", tmp_path / "file").iterdir()
    assert file.read_text() == "1,2\n"
    assert list(executor.fetch(name, "only", "none", tmp_path / "empty").iterdir()) == []
    logs = fetch_artifacts(executor.cloud, run, tmp_path / "logs")
    assert "said" in (logs / "user_logs" / "std_log.txt").read_text()
    with pytest.raises(NotFound, match="has no output 'other'"):
        executor.fetch(name, "only", "other", tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.glob(".*partial"))


def test_a_job_that_runs_has_nothing_to_fetch_yet(executor: AzureMLExecutor, tmp_path: Path) -> None:
    name = executor.submit(pipeline(node("slow", "sleep 60")))
    running(executor, name, "slow")

    with pytest.raises(BackendError, match=r"This job is in state Running\. Download is allowed only in states"):
        executor.fetch(name, None, "out", tmp_path / "out")
    executor.cancel(name)


class Container:
    """As much of a container of azure.storage as is used."""

    def __init__(self, files: Mapping[str, bytes], sums: Mapping[str, bytes]) -> None:
        self.files, self.sums, self.asked = files, sums, list[str]()

    def list_blobs(self, name_starts_with: str, include: list[str]) -> Iterator[Any]:
        assert include == ["metadata"]
        for name, content in self.files.items():
            if name.startswith(name_starts_with):
                settings = SimpleNamespace(content_md5=self.sums.get(name, md5(content).digest()))
                told = {"etag": "1", "last_modified": CHANGED, "metadata": None, "content_settings": settings}
                yield SimpleNamespace(name=name, size=len(content), **told)

    def get_blob_client(self, name: str) -> SimpleNamespace:
        self.asked.append(name)
        content = self.files[name]
        chunks = lambda start: SimpleNamespace(chunks=lambda: iter([content[start:]]))  # noqa: E731  a line of a double
        return SimpleNamespace(download_blob=lambda offset, **_: chunks(offset))


class Storage:
    """A cloud whose job is what these tests need."""

    def __init__(
        self, files: Mapping[str, bytes], sums: Mapping[str, bytes] | None = None, reused: str = "", kind: str = "blob"
    ) -> None:
        self.container, self.reused, self.kind = Container(files, sums or {}), reused, kind
        self.target = SimpleNamespace(id="target")

    @property
    def jobs(self) -> Self:
        return self

    @property
    def data(self) -> Self:
        return self

    def get_run(self, name: str) -> CloudRun:
        properties = {"azureml.isreused": "true", "azureml.reusedrunid": self.reused}
        return CloudRun(name, "Completed", properties=properties if self.reused and name != self.reused else {})

    def output_uri(self, job: str, _output: str) -> str:
        return f"{job}/out"

    def find(self, uri: str) -> StoredBlobs | None:
        return StoredBlobs(self.container, uri) if self.kind == "blob" else None

    def copy(self, uri: str, to: Path) -> None:
        for name, content in self.container.files.items():
            file = to / name.removeprefix(f"{uri}/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def fetch(storage: Storage, to: Path) -> dict[str, bytes]:
    fetch_output(cast("Cloud", storage), "job", "out", to)
    return {file.relative_to(to).as_posix(): file.read_bytes() for file in to.rglob("*") if file.is_file()}


@pytest.mark.parametrize("kind", ["blob", "adls"])
def test_of_what_has_the_same_beginning_only_the_output_is_fetched(tmp_path: Path, kind: str) -> None:
    files = {"job/out/a/b.txt": b"1", "job/out/c.txt": b"2"}
    others = {"job/out2/x.txt": b"3"} if kind == "blob" else {}

    assert fetch(Storage(files | others, kind=kind), tmp_path / "to") == {"a/b.txt": b"1", "c.txt": b"2"}


@pytest.mark.parametrize("name", ["job/out/../../escaped.txt", "job/out/a/../../../../escaped.txt"])
def test_no_file_is_written_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(CreditMLError, match="would lie outside"):
        fetch(Storage({"job/out/good.txt": b"1", name: b"2"}), tmp_path / "deep" / "to")

    assert not list(tmp_path.rglob("escaped.txt"))
    assert not (tmp_path / "deep" / "to").exists()


def test_what_arrives_otherwise_than_it_was_sent_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="did not arrive whole"):
        fetch(Storage({"job/out/a.txt": b"1"}, {"job/out/a.txt": md5(b"2").digest()}), tmp_path / "to")

    assert not (tmp_path / "to").exists()
    assert fetch(Storage({"job/out/a.txt": b"1"}), tmp_path / "to") == {"a.txt": b"1"}


def test_whole_files_are_not_fetched_again(tmp_path: Path) -> None:
    files = {"job/out/a.txt": b"1", "job/out/b.txt": b"2"}
    with pytest.raises(BackendError):
        fetch(Storage(files, {"job/out/b.txt": md5(b"other").digest()}), tmp_path / "to")
    storage = Storage(files)

    assert fetch(storage, tmp_path / "to") == {"a.txt": b"1", "b.txt": b"2"}
    assert storage.container.asked == ["job/out/b.txt"]


@pytest.mark.parametrize("change", ["content", "time", "size"])
def test_a_file_that_was_changed_there_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Between two calls, of which the first was cut off when it had that file already."""
    files = {"job/out/a.txt": b"before", "job/out/b.txt": b"2"}
    with pytest.raises(BackendError):
        fetch(Storage(files, {"job/out/b.txt": md5(b"other").digest()}), tmp_path / "to")
    now = b"before and after" if change == "size" else b"before" if change == "time" else b"after!"
    if change != "size":
        monkeypatch.setattr(sys.modules[__name__], "CHANGED", CHANGED + timedelta(seconds=1))
    storage = Storage({**files, "job/out/a.txt": now})

    assert fetch(storage, tmp_path / "to") == {"a.txt": now, "b.txt": b"2"}
    assert storage.container.asked == ["job/out/a.txt", "job/out/b.txt"]


def test_of_a_reused_job_the_originals_output_is_fetched(tmp_path: Path) -> None:
    assert fetch(Storage({"first/out/a.txt": b"1"}, reused="first"), tmp_path / "to") == {"a.txt": b"1"}


def test_two_calls_at_once_do_not_mix(tmp_path: Path) -> None:
    """The second one is told of the first, which goes on."""
    storage = Storage({"job/out/a.txt": b"1"})

    class Slow(Storage):
        def find(self, uri: str) -> StoredBlobs | None:
            with pytest.raises(Conflict, match="Another process downloads this"):
                fetch(storage, tmp_path / "to")
            return super().find(uri)

    assert fetch(Slow({"job/out/a.txt": b"1"}), tmp_path / "to") == {"a.txt": b"1"}
    assert fetch(storage, tmp_path / "to") == {"a.txt": b"1"}


def test_a_file_has_a_name_of_its_own_only_when_it_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the next call, which goes by names and sizes, doesn't take what was lost with the power for whole."""
    flush, names = os.fsync, {name: getattr(os, name) for name in ("rename", "replace")}
    flushed: set[tuple[int, int]] = set()

    def fsync(descriptor: int) -> None:
        flush(descriptor)
        flushed.add((os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size))

    def give(name: str, source: Path, target: Path) -> None:
        if os.path.isfile(source):
            assert (os.stat(source).st_ino, os.stat(source).st_size) in flushed
        names[name](source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    for name in names:
        monkeypatch.setattr(os, name, partial(give, name))
    files = {f"job/out/{place}": bytes(100) for place in ("a.bin", "b/c.bin")}

    assert fetch(Storage(files), tmp_path / "to") == {"a.bin": bytes(100), "b/c.bin": bytes(100)}
    assert len(flushed) == len(files)
