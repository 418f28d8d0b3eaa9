"""A step's data: inputs are put where the step finds them, and outputs where they are kept when it has ended."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from creditml.engine.seen_data import is_real
from creditml.engine.step_view import DATA_FOLDER, INPUT_PREFIX
from creditml.engine.upload import as_uploaded
from creditml.errors import OutputMissing
from creditml.expressions import placeholders
from creditml.logs import ARTIFACTS, OUTPUTS
from creditml.model import Data
from creditml.plan import Produced
from creditml.seams.launcher import Mount
from creditml.statuses import COMPLETED
from creditml.workspace.content import copy_tree
from creditml.workspace.data import DEFAULT_ARTIFACTS, is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from creditml.engine.seen_data import SeenData
    from creditml.model import JobOutput
    from creditml.plan import Plan, PlannedStep
    from creditml.seams.executor import StepState
    from creditml.workspace import Workspace
    from creditml.workspace.data import DataPaths

_DOWNLOADS = ("download", "eval_download")
_MANY = 64  # files: to flush more of them one by one takes longer than to flush all disks


class Supply(NamedTuple):
    """The data of an input: a file or folder of this machine, or a URL."""

    path: str
    type: str
    mode: str | None

    @property
    def remote(self) -> bool:
        """Whether it has to be downloaded."""
        return is_url(self.path)

    @property
    def slow(self) -> bool:
        """Whether staging it may take long."""
        return self.remote or self.mode in _DOWNLOADS


class Inputs(NamedTuple):
    """Staged inputs.

    Attributes:
        seen: Where the step sees each one.
        mounts: What has to be mounted.
        before: The files of each source as they were before the step, to be compared afterwards.
        workspace: The workspace's folder, which is not compared if it lies in a source.
    """

    seen: dict[str, str]
    mounts: tuple[Mount, ...]
    before: dict[str, dict[str, tuple[int, int, int]]]
    workspace: str = ""


class Target(NamedTuple):
    """Where an output is written, and where it is kept in the end.

    `written` is relative to the data folder, or absolute if the job gives the output a place (`path`): it is `fixed`.
    """

    written: str
    final: str
    type: str
    fixed: bool

    @property
    def folder(self) -> str:
        """The folder into which the step writes."""
        return os.path.dirname(self.written) if self.type == "uri_file" else self.written


def find_inputs(
    step: PlannedStep,
    plan: Plan,
    data: DataPaths,
    outputs: Mapping[tuple[str, str], str],
    states: Mapping[str, StepState],
) -> dict[str, Supply]:
    """Where the data of a step's inputs is.

    Args:
        step: the step.
        plan: its job's.
        data: the workspace's.
        outputs: where the outputs of earlier steps are, by step and name.
        states: how those steps ended.

    Raises:
        OutputMissing: the step that should have written it did not.
        CreditMLError: there is no such data.
    """
    supplies = {}
    for name, bound in step.inputs.items():
        spec = step.component.inputs[name]
        if isinstance(bound, Produced):
            if spec.optional and states[bound.step].status != COMPLETED:
                continue
            place = outputs.get((bound.step, bound.output))
            if place is None or not os.path.lexists(place + bound.suffix):
                message = (
                    f"The input '{name}' is the output '{bound.output}' of the step '{bound.step}', "
                    "which did not write it."
                )
                raise OutputMissing(message)
            kind = plan.steps[bound.step].outputs[bound.output].type or "uri_folder"
            supplies[name] = Supply(place + bound.suffix, kind, bound.mode or spec.mode)
        elif isinstance(bound.value, Data):
            path = data.source(bound.value.path, bound.value.type)
            supplies[name] = Supply(path, bound.value.type, bound.value.mode or spec.mode)
    return supplies


def stage_inputs(
    supplies: dict[str, Supply], root: Path, see: str, workspace: str, *, isolated: bool = False
) -> Inputs:
    """Prepare the data inputs of a step.

    A mounted input is the source itself, read-only; a downloaded one is the step's own copy; `direct` is a URI.

    Args:
        supplies: what each input gets.
        root: the step's folder.
        see: the same as the step sees it.
        workspace: the workspace's folder, which changes all the time and may lie in an input.
        isolated: whether the step sees only what is mounted for it, so that the URI must be that of the mount.

    Raises:
        OutputMissing: the step that should have written it did not.
    """
    seen: dict[str, str] = {}
    mounts: list[Mount] = []
    before: dict[str, dict[str, tuple[int, int, int]]] = {}
    for name, supply in supplies.items():
        if not os.path.lexists(supply.path):
            message = f"The input '{name}' has no data: {supply.path} does not exist."
            raise OutputMissing(message)
        target = _target(name, supply, root)
        if supply.mode == "direct" and not isolated:
            seen[name] = Path(supply.path).as_uri()
            before[supply.path] = fingerprint(supply.path, workspace)
        else:
            place = f"{see}/{target}"
            seen[name] = Path(place).as_uri() if supply.mode == "direct" else place
            if supply.mode in _DOWNLOADS:
                copy_tree(supply.path, root / target)
            else:
                mounts.append(Mount(supply.path, target))
                before[supply.path] = fingerprint(supply.path, workspace)
    return Inputs(seen, tuple(mounts), before, workspace)


def _target(name: str, supply: Supply, root: Path) -> str:
    """The path of an input in the root. A root may have kept an empty file there, onto which a file can be mounted."""
    target = f"{DATA_FOLDER}/{INPUT_PREFIX}{name}"
    file = os.path.basename(supply.path) if os.path.isfile(supply.path) else ""
    place = os.path.join(root, target)
    if os.path.isdir(place):
        for other in os.listdir(place):
            if other != file or supply.mode in _DOWNLOADS:
                os.unlink(os.path.join(place, other))
    return f"{target}/{file}" if file else target


def link_again(mounts: tuple[Mount, ...], root: Path) -> None:
    """Replace mount points by links to the inputs, since an output may contain links that lead through them."""
    for mount in mounts:
        place = str(root / mount.target)
        if not os.path.islink(place):
            with suppress(OSError):  # the step has written there, so that no link can take its place
                os.rmdir(place) if os.path.isdir(place) else os.unlink(place)
                os.symlink(mount.source, place)


def changed(inputs: Inputs) -> Iterator[str]:
    """The files of inputs that have changed since they were staged."""
    for path, before in inputs.before.items():
        after = fingerprint(path, inputs.workspace)
        for file in sorted({*before, *after}):
            if before.get(file) != after.get(file):
                yield file


def fingerprint(path: str, but: str) -> dict[str, tuple[int, int, int]]:
    """Size, time of change and inode of every file below a path, without those below the path `but`."""
    if not os.path.isdir(path):
        return {path: _stat(path)}
    found = {}
    todo = [path]
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.path == but:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                        found[entry.path] = (0, 0, entry.inode())
                    else:
                        found[entry.path] = _stat(entry.path)
        except OSError:
            found[folder] = (-1, -1, -1)
    return found


def targets(step: PlannedStep, workspace: Workspace, folder: Path, run_id: str, datastore: str) -> dict[str, Target]:
    """Where each output of a step is written, and where it is kept in the end.

    An output named `artifacts` or `default` is the run's artifact folder. An output with a place of its own (`path`)
    finds there what was there before, as checkpoints need it; any other starts empty and is kept when it is complete.
    """
    found = {}
    for name, output in step.outputs.items():
        kind = output.type or "uri_folder"
        if name in DEFAULT_ARTIFACTS and not output.path:
            found[name] = Target(name, str(folder / ARTIFACTS), kind, fixed=False)
        elif output.path:
            place = workspace.data.source(placeholders(output.path, run_id, name, datastore), kind)
            found[name] = Target(place, place, kind, fixed=True)
        elif kind == "uri_file":
            found[name] = Target(name, f"{folder}/{OUTPUTS}/{name}/{name}", kind, fixed=False)
        else:
            found[name] = Target(name, f"{folder}/{OUTPUTS}/{name}", kind, fixed=False)
    return found


def make_outputs(found: dict[str, Target], outputs: dict[str, JobOutput], root: Path, see: str) -> dict[str, str]:
    """Make the folders that outputs are written to; returns the path of each as the step sees it."""
    seen = {}
    for name, target in found.items():
        if target.folder:
            os.makedirs(os.path.join(root, DATA_FOLDER, target.folder), exist_ok=True)
        path = target.written if target.fixed else f"{see}/{DATA_FOLDER}/{target.written}"
        if outputs[name].mode == "direct":
            seen[name] = Path(path).as_uri()
        else:
            seen[name] = _without_quotes(target, name, root, see) if target.fixed else path
    return seen


def _without_quotes(target: Target, name: str, root: Path, see: str) -> str:
    """A path to an output's own place that bash takes without quotes, as it takes all paths on Azure ML."""
    from shlex import quote  # 1 ms, and few outputs have a place of their own

    if quote(target.written) == target.written:
        return target.written
    folder, last = os.path.split(target.written)
    link = f"{os.path.dirname(DATA_FOLDER)}/OUTPUT_{name}"
    os.symlink(folder, root / link)
    return f"{see}/{link}/{last}"


def take_outputs(
    found: dict[str, Target], root: Path, tell: Callable[[str], None], seen: SeenData | None = None
) -> dict[str, str]:
    """Put complete outputs where they are kept; returns where. They count once they are flushed and recorded.

    An output that was not written is left out. Links become copies of what they lead to, as in an upload.

    Args:
        found: the outputs.
        root: the step's folder.
        tell: called with a line about each link that leads nowhere, which is dropped.
        seen: the data of an isolated step; see `as_uploaded`.
    """
    taken = {}
    for name, source in tidy_outputs(found, root, tell, seen).items():
        target = found[name]
        if name in DEFAULT_ARTIFACTS and not target.fixed:
            copy_tree(source, target.final)  # logs and MLflow's artifacts are there already
        elif not target.fixed:
            if os.path.lexists(target.final):
                _discard(Path(target.final))
            os.makedirs(os.path.dirname(target.final), exist_ok=True)
            os.rename(source, target.final)
        taken[name] = target.final
    return taken


def tidy_outputs(
    found: dict[str, Target], root: Path, tell: Callable[[str], None], seen: SeenData | None = None
) -> dict[str, str]:
    """Make outputs self-contained where the step wrote them; returns where those are that are there."""
    there = {}
    for name, target in found.items():
        source = os.path.join(root, DATA_FOLDER, target.written)
        if not os.path.lexists(source):
            continue
        if seen is not None and not target.fixed and not is_real(root, f"{DATA_FOLDER}/{target.written}"):
            tell(f"creditml: the output '{name}' is not kept: the step has put a link in place of a folder above it")
            continue
        for left_out in as_uploaded(source, seen):
            tell(f"creditml: the output '{name}' is kept without {_what(seen)}: {left_out}")
        if os.path.lexists(source):
            there[name] = source
    return there


def _what(seen: SeenData | None) -> str:
    """What is left out of an upload, in words."""
    return "a link that leads nowhere" if seen is None else "what is not data of the step's own"


def left_outputs(found: dict[str, Target], root: Path) -> dict[str, str]:
    """Where the outputs of a step are that failed: where it wrote them."""
    places = {name: root / DATA_FOLDER / target.written for name, target in found.items()}
    return {name: str(place) for name, place in places.items() if place.exists()}


def flush_outputs(places: Mapping[str, str]) -> None:
    """Make sure that outputs and the folders that they were moved to have reached the disk."""
    for place in map(Path, places.values()):
        if os.path.lexists(place):
            _flush(place)
            _flush_folder(place.parent)  # cheap, since the flush of the file has written the file system's journal


def _flush(path: Path) -> None:
    """Make sure that a file, or all files below a folder, have reached the disk."""
    if path.is_symlink() or not path.is_dir():
        _fsync(path)
        return
    files = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    if len(files) > _MANY:
        os.sync()
        return
    for file in files:
        _fsync(file)
    for folder, _, _ in os.walk(path):
        _flush_folder(Path(folder))


def _fsync(path: str | Path) -> None:
    if not os.path.isfile(path):
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _stat(path: str) -> tuple[int, int, int]:
    try:
        info = os.stat(path)
    except OSError:
        return (-1, -1, -1)
    return (info.st_size, info.st_mtime_ns, info.st_ino)
