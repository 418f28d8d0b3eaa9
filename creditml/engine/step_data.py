"""The code and data of one step: put into the root that it runs in, and taken from there when it has ended."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from creditml.engine.seen_data import SeenData, is_real
from creditml.engine.stage import (
    Inputs,
    Supply,
    Target,
    changed,
    find_inputs,
    left_outputs,
    link_again,
    make_outputs,
    stage_inputs,
    take_outputs,
    targets,
    tidy_outputs,
)
from creditml.engine.step_view import DATA_FOLDER, INPUT_PREFIX, WORKING_FOLDER, Values
from creditml.engine.upload import MANY, as_uploaded, is_much
from creditml.logs import ARTIFACTS, KEPT_FOLDERS
from creditml.model import Literal, asset_kind
from creditml.plan import Given
from creditml.references import DEFAULT_DATASTORE, output_uri, resource_name
from creditml.workspace.content import copy_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from creditml.engine.context import Context
    from creditml.engine.root import Root
    from creditml.plan import PlannedStep
    from creditml.seams.launcher import Mount


class StepData:
    """What lies in a step's root, from the moment in which it takes one."""

    def __init__(self, context: Context, step: PlannedStep, run_id: str, folder: Path) -> None:
        """`folder` is where the step's outputs and artifacts are kept in the end."""
        self._context, self._step, self._run_id, self._folder = context, step, run_id, folder
        code = step.component.code
        self.code = context.workspace.content.code_folder(code) if code else None
        """The snapshot of the step's code."""
        self.see = ""
        """The root as the step sees it."""
        self._held: Root | None = None
        self._supplies: dict[str, Supply] = {}
        self._inputs = Inputs({}, (), {})
        self._targets: dict[str, Target] = {}
        self._outputs: dict[str, str] | None = None  # where the step sees each
        self._isolated = context.launcher.isolated
        self._left: dict[str, str] = {}  # what an isolated step left, self-contained

    # -- before the command starts

    def move_in(self, code: Path | None = None) -> None:
        """Take a root, with that code in it.

        Raises:
            OSError: it can't be made.
        """
        folders = (name for name, output in self._step.outputs.items() if output.type != "uri_file")
        places = {*folders, *(INPUT_PREFIX + name for name in self._step.inputs)}
        self._held = self._context.roots.take(code, places)
        self.see = self._context.launcher.see(str(self.path))

    def move_out(self) -> bool:
        """Give the root back, since the step doesn't run in it; False if there is none."""
        if self._held is None:
            return False
        self._context.roots.give_back(self._held)
        self._held, self._outputs = None, None
        return True

    def leave(self) -> None:
        """Leave the root to other steps, since this one has ended well."""
        self._context.roots.leave(self._root)

    def make_outputs(self) -> None:
        """Make the places that outputs are written to, unless they are there.

        Raises:
            CreditMLError: an output names a place that nobody knows.
            OSError: a place can't be made.
        """
        if self._outputs is None:
            job, step = self._context.plan.job, self._step
            datastore = resource_name(job.settings.default_datastore or DEFAULT_DATASTORE)
            self._targets = targets(step, self._context.workspace, self._folder, self._run_id, datastore)
            self._outputs = make_outputs(self._targets, dict(step.outputs), self.path, self.see)

    def find(self) -> None:
        """Find the data of the inputs.

        Raises:
            OutputMissing: the step that should have written it did not.
            CreditMLError: there is no such data.
        """
        context = self._context
        data = context.workspace.data
        self._supplies = find_inputs(self._step, context.plan, data, context.outputs, context.states)

    def is_slow(self, *, code: bool) -> bool:
        """Whether `stage` may hold up other steps; `code` says whether code is to be copied, too."""
        places = [supply.path for supply in self._supplies.values() if not supply.slow]
        if code and self.code:
            places.append(str(self.code))
        return any(supply.slow for supply in self._supplies.values()) or is_much(places)

    def stage(self, fetch: Callable[[str], Path], *, code: bool) -> None:
        """Put the data of the inputs in place, and the code if that isn't there already.

        Args:
            fetch: downloads what a URL names, and returns where it is.
            code: whether to copy the code.

        Raises:
            CreditMLError: data can't be had.
            OSError: something can't be copied.
        """
        if code and self.code:
            self._root.put(self.code)
        supplies = {
            name: supply._replace(path=str(fetch(supply.path))) if supply.remote else supply
            for name, supply in self._supplies.items()
        }
        workspace = str(self._context.workspace.root)
        self._inputs = stage_inputs(supplies, self.path, self.see, workspace, isolated=self._isolated)

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """What the step reads."""
        return self._inputs.mounts

    @property
    def writable(self) -> tuple[str, ...]:
        """The folders of outputs that have a place of their own."""
        return tuple(target.folder for target in self._targets.values() if target.fixed)

    def values(self) -> Values:
        """The inputs and outputs as texts for the command."""
        literals = {
            name: bound.value.value
            for name, bound in self._step.inputs.items()
            if isinstance(bound, Given) and isinstance(bound.value, Literal)
        }
        return Values(literals, self._inputs.seen, self._outputs or {})

    def command_starts(self) -> None:
        """The command is about to be started."""
        self._root.command_starts()

    # -- after it has ended

    def artifacts(self) -> Sequence[str] | None:
        """The folders for artifacts in which the step has left something; None if that can't be seen from outside."""
        try:
            return self._root.artifacts()
        except OSError:  # closed to its owner
            return None

    def is_much(self, artifacts: Sequence[str]) -> bool:
        """Whether taking what the step wrote may hold up other steps."""
        if sum(map(len, self._inputs.before.values())) > MANY:
            return True
        root = self.path
        written = [os.path.join(root, DATA_FOLDER, target.written) for target in self._targets.values()]
        return is_much([*written, *(os.path.join(root, WORKING_FOLDER, name) for name in artifacts)])

    def link_again(self) -> None:
        """Have links to inputs lead to them where the step can't see them mounted any more.

        Links of an isolated step are never followed by this machine.
        """
        if not self._isolated:
            link_again(self._inputs.mounts, self.path)

    def changed(self) -> list[str]:
        """The files of inputs that the step has changed."""
        return list(changed(self._inputs))

    def keep_artifacts(self, artifacts: Sequence[str] | None, tell: Callable[[str], None]) -> None:
        """Keep what is in `./outputs` and `./logs` as artifacts of the run.

        Args:
            artifacts: the names of the two folders that aren't empty; None if that isn't known.
            tell: called with a line about each link that leads nowhere, which is dropped.

        Raises:
            OSError: something can't be kept.
        """
        seen = self._own_data()
        if seen is not None and not is_real(self.path, f"{WORKING_FOLDER}/any"):
            tell("creditml: the artifacts are not kept: the step has put a link in place of its working folder")
            return
        for name in KEPT_FOLDERS if artifacts is None else artifacts:
            source = os.path.join(self.path, WORKING_FOLDER, name)
            if os.path.isdir(source) and not os.path.islink(source) and os.listdir(source):
                for left_out in as_uploaded(source, seen):
                    tell(f"creditml: the artifacts are kept without a link that leads nowhere: {name}/{left_out}")
                target = self._folder / ARTIFACTS / name
                if target.exists():
                    copy_tree(source, target)
                else:
                    os.rename(source, target)

    def take_outputs(self, tell: Callable[[str], None]) -> dict[str, str]:
        """Put the outputs where they are kept; see `creditml.engine.stage.take_outputs`."""
        return take_outputs(self._targets, self.path, tell, self._own_data())

    def tidy_left(self, tell: Callable[[str], None]) -> None:
        """Make what an isolated step that failed has left self-contained, since it can be downloaded."""
        if self._isolated:
            with suppress(OSError):  # what can't be made so is not offered
                self._left = tidy_outputs(self._targets, self.path, tell, self._own_data())

    def register(self, taken: Mapping[str, str]) -> None:
        """Register the outputs that the job gives a name to as assets; `taken` says where those are that were written.

        Raises:
            Conflict: that version exists.
        """
        for name, output in self._step.outputs.items():
            if output.name and name in taken:
                kind = asset_kind(output.type)
                spec = {
                    "name": output.name,
                    "type": output.type,
                    "path": output_uri(self._run_id, name),
                    "properties": {"job_name": self._run_id},
                }
                self._context.workspace.assets.create(kind, output.name, output.version, spec)

    def left(self) -> dict[str, str]:
        """Where the step has written outputs that are not kept."""
        if self._isolated:
            return {name: place for name, place in self._left.items() if os.path.lexists(place)}
        return left_outputs(self._targets, self.path)

    def _own_data(self) -> SeenData | None:
        """What the links of an isolated step may lead to; None for a step that is not isolated."""
        if not self._isolated:
            return None
        root = str(self.path)
        mounts = {os.path.normpath(os.path.join(self.see, mount.target)): mount.source for mount in self._inputs.mounts}
        fixed = {os.path.abspath(place): place for place in self.writable}
        return SeenData({self.see: root, **fixed, **mounts})

    @property
    def path(self) -> Path:
        """The folder that the step runs in."""
        return self._root.path

    @property
    def _root(self) -> Root:
        assert self._held is not None  # noqa: S101  it has moved in
        return self._held
