"""Makes a command job of a recorded step, with the inputs that the step had, so that it can be run again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from creditml.errors import CreditMLError, NotFound, near_miss
from creditml.expressions import Reference, parse_command
from creditml.history.recorded import recorded_plan
from creditml.model import Data, Job, JobInput, JobOutput, Literal
from creditml.plan import Given, Plan, PlannedStep
from creditml.references import output_uri
from creditml.statuses import COMPLETED
from creditml.workspace.data import is_url

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.model import Command
    from creditml.plan import Produced
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord

AGAIN = "creditml.again"
"""A property of such a job. Its value `JOB/STEP` names the recorded step."""


def step_job(workspace: Workspace, job: str, path: str, code: Path | None = None) -> Job:
    """A command job that repeats a step of a recorded job.

    Its inputs are the recorded literals, the outputs that earlier steps wrote in the recorded job, and the data that
    the recorded job was given. Its outputs are written to the default paths and are not registered.

    Args:
        workspace: The workspace that holds the recorded job.
        job: The name of the recorded job.
        path: The path of the step; empty if the job is a command job.
        code: A folder to use instead of the recorded code.

    Raises:
        NotFound: There is no such job or step, or its data or code isn't on this machine. The message says how to get
            them.
    """
    root = workspace.jobs.get(job)
    planned = recorded_plan(root)
    step = planned.steps.get(path)
    if step is None:
        known = f"Its steps: {', '.join(planned.steps)}." if planned.steps.keys() != {""} else "It is a command job."
        message = f"The job '{job}' has no step '{path}'.{near_miss(path, planned.steps)} {known}"
        raise NotFound(message)
    found = _Inputs(workspace, root, planned, step)
    inputs = {name: value for name in step.inputs if (value := found.value(name)) is not None}
    outputs = {name: JobOutput(type=output.type, mode=output.mode) for name, output in step.outputs.items()}
    where = f"{job}/{path}" if path else job
    node = step.node._replace(
        name="",
        component=_component(workspace, root, step, inputs, code),
        inputs=inputs,
        outputs=outputs,
        resources=dict(step.resources) or None,
        compute=step.node.compute or planned.job.settings.default_compute or planned.job.root.compute or "local",
        display_name=step.node.display_name or path or root.display_name,
        properties={**step.node.properties, AGAIN: where},
    )
    return Job(node, experiment_name=root.experiment_name)


def _component(
    workspace: Workspace, root: JobRecord, step: PlannedStep, inputs: dict[str, JobInput], code: Path | None
) -> Command:
    """The step's component, with only the inputs that have values: a command job can't have optional inputs."""
    component = step.component
    if code is not None:
        component = component._replace(code=os.path.abspath(code), additional_includes=())
    elif component.code and not workspace.content.code_folder(component.code).is_dir():
        message = (
            f"The code of the step '{step.path}' is not on this machine: {component.code}. {_mend(root, step.path)} "
            "Or give another folder with --code FOLDER."
        )
        raise NotFound(message)
    declared = {
        name: spec._replace(optional=False, default=None) for name, spec in component.inputs.items() if name in inputs
    }
    return component._replace(
        name=None, version=None, inputs=declared, command=without_missing(component.command, inputs)
    )


def without_missing(command: str, given: dict[str, JobInput]) -> str:
    """The command with its optional blocks resolved: blocks without a value are removed, others lose their brackets."""
    pieces: list[str] = []
    for part in parse_command(command):
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, Reference):
            pieces.append(part.text if part.kind != "inputs" or part.name in given else "")
        elif all(isinstance(p, str) or p.kind != "inputs" or p.name in given for p in part.parts):
            pieces += [p if isinstance(p, str) else p.text for p in part.parts]
    return "".join(pieces)


class _Inputs:
    """Finds the values of a recorded step's inputs on this machine."""

    def __init__(self, workspace: Workspace, root: JobRecord, planned: Plan, step: PlannedStep) -> None:
        self._workspace, self._root, self._plan, self._step = workspace, root, planned, step
        self._runs = {record.path: record for record in workspace.jobs.steps(root.name)}

    def value(self, name: str) -> JobInput | None:
        """The value of an input; None for an optional input whose step did not complete."""
        bound = self._step.inputs[name]
        if not isinstance(bound, Given):
            return self._produced(name, bound)
        if isinstance(bound.value, Literal):
            return bound.value
        self._see(name, bound.value.path, bound.value.type)
        return bound.value

    def _produced(self, name: str, bound: Produced) -> JobInput | None:
        spec = self._step.component.inputs[name]
        run = self._runs.get(bound.step)
        if spec.optional and (run is None or run.status != COMPLETED):
            return None
        if run is None:
            message = (
                f"The input '{name}' is written by the step '{bound.step}', which did not run in '{self._root.name}'. "
                f"{self._mend}"
            )
            raise NotFound(message)
        kind = self._plan.steps[bound.step].outputs[bound.output].type or "uri_folder"
        rest = bound.suffix.strip("/")
        path = output_uri(run.name, bound.output, rest)
        self._see(name, path, kind)
        return Data(path, kind, bound.mode or spec.mode)

    def _see(self, name: str, path: str, kind: str) -> None:
        """Check that data is on this machine.

        Raises:
            NotFound: It isn't.
        """
        data = self._workspace.data
        try:
            if not is_url(data.source(path, kind)):
                data.locate(path, kind)
        except CreditMLError as error:
            said = str(error).rstrip(".")
            message = f"The data of the input '{name}' is not on this machine: {said}. {self._mend}"
            raise NotFound(message) from None

    @property
    def _mend(self) -> str:
        return _mend(self._root, self._step.path)


def _mend(root: JobRecord, path: str) -> str:
    """A sentence that says how to get data or code that is not on this machine."""
    where = f"{root.name}/{path}" if path else root.name
    if root.elsewhere:
        return f"Copy it from Azure ML: creditml pull {where} --inputs"
    return "Run the whole job again."
