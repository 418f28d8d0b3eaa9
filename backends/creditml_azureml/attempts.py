"""Notes of submissions, so that a submission that was cut off is continued and no job is submitted twice.

A job's name is written down before the job is sent, under a digest of what is submitted to which workspace:

    <workspace>/azureml/<digest>-<name>.json     a submission whose outcome isn't known

The process that submits holds a lock on its note. A note that nobody holds belongs to a submission that was cut off:
the next submission of the same job, with the same code and data, to the same workspace continues it under that name.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml import locks
from creditml.errors import AuthenticationFailed, BackendUnavailable
from creditml.graph import walk
from creditml.model import Data
from creditml.names import job_name
from creditml.nodes.specs import job_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.model import Job, Node

_FOLDER = "azureml"
_FORGOTTEN = 24 * 3600.0  # seconds after which an equal job is a new submission


class Attempt:
    """A submission: the job's name, and whether it continues an earlier one (`resumed`) that was cut off.

    `sent` says that the job may have arrived, so that the note must stay whatever happens.
    """

    def __init__(self, name: str, *, resumed: bool) -> None:
        self.name, self.resumed, self.sent = name, resumed, False


class Interrupted(KeyboardInterrupt):
    """The user has interrupted the submission (Ctrl-C) when the job may have arrived already."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"It isn't known whether the job '{name}' has reached Azure ML. To find out: `creditml job show -n {name} "
            f"--backend azureml`. To end it: `creditml job cancel -n {name} --backend azureml`. The same command again "
            "continues the submission."
        )


@contextmanager
def attempt(root: Path, target: str, job: Job) -> Iterator[Attempt]:
    """A context for one submission, with a note on disk.

    The note is removed at the end, unless the connection was lost, the sign-in has expired, the process was ended, or
    the job may have arrived when something else went wrong.

    Args:
        root: the folder of the local workspace.
        target: the id of the workspace in Azure.
        job: the job, with its code as snapshots, so that a job with other code is another one.
    """
    folder = root / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    digest = _digest(target, job)
    note, name = next(_cut_off(folder, digest), (None, ""))
    resumed = note is not None
    if note is None:
        name = job.name or job_name()
        note = _write(folder, digest, name)
    keep = False
    made = Attempt(name, resumed=resumed)
    try:
        yield made
    except BaseException as error:
        keep = made.sent or isinstance(error, BackendUnavailable | AuthenticationFailed | KeyboardInterrupt)
        raise
    finally:
        if not keep:
            (folder / f"{digest}-{name}.json").unlink(missing_ok=True)
        os.close(note)


def _cut_off(folder: Path, digest: str) -> Iterator[tuple[int, str]]:
    for file in sorted(folder.glob(f"{digest}-*.json")):
        note = locks.take(file, create=False)
        if note is None:  # another process submits the job now, or has done so meanwhile
            continue
        try:
            noted = json.loads(os.read(note, 4096))
        except (OSError, ValueError):  # the process was ended while it wrote the note
            os.close(note)
            continue
        if time.time() - noted["at"] > _FORGOTTEN or not file.exists():
            file.unlink(missing_ok=True)
            os.close(note)
            continue
        yield note, noted["name"]
        return


def _write(folder: Path, digest: str, name: str) -> int:
    file = folder / f"{digest}-{name}.json"
    note = locks.wait_for(file)
    os.write(note, json.dumps({"name": name, "at": time.time()}).encode())
    os.fsync(note)
    return note


def _digest(target: str, job: Job) -> str:
    said = json.dumps([target.lower(), job_dict(job), list(_data(job.root))], sort_keys=True, default=str)
    return sha256(said.encode()).hexdigest()[:32]


def _data(root: Node) -> Iterator[Any]:
    """The local files of a job's inputs, with sizes and times, so that changed data makes another job."""
    for visit in walk(root):
        for value in visit.node.inputs.values():
            if isinstance(value, Data) and os.path.isabs(value.path):
                for file in sorted([Path(value.path), *Path(value.path).rglob("*")]):
                    found = file.lstat()
                    yield str(file), found.st_size, found.st_mtime_ns
