"""A job of Azure ML, pulled into the local workspace: graph, code, environments, statuses, logs, and data on demand.

Each part is either here as a whole or not at all, and is recorded when it is here; a second pull continues where the
first one was cut off.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from creditml.entry_points import AZURE
from creditml.errors import BackendError, Conflict, CreditMLError, NotFound, near_miss
from creditml.history.recorded import recorded_plan
from creditml.model import Data, asset_kind
from creditml.nodes.table import node_type
from creditml.plan import Given, Plan, Produced, plan
from creditml.references import is_named, parse_datastore, reference
from creditml.statuses import COMPLETED, TERMINAL
from creditml.submission.submit import new_record
from creditml.workspace.data import is_url
from creditml.workspace.records import PAGE, TARGET
from creditml_azureml.bringing import Bringing
from creditml_azureml.download import fetch_data
from creditml_azureml.reading import CloudResolver, environment_spec, read_cloud_job
from creditml_azureml.record import Recorder, refuse_taken_name
from creditml_azureml.steps import steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord
    from creditml_azureml.cloud import Cloud
    from creditml_azureml.runs import CloudRun


def pull(
    cloud: Cloud,
    workspace: Workspace,
    name: str,
    step: str = "",
    *,
    inputs: bool = False,
    tell: Callable[[str], None] = lambda _line: None,
) -> JobRecord:
    """Pull a job, and return its record; one that is here already is brought up to date.

    Args:
        cloud: where the job ran.
        workspace: the local workspace.
        name: the job's name.
        step: the path of a step; only its logs and data are brought.
        inputs: bring the inputs of the step, or of every step, too: outputs of earlier steps, data assets.
        tell: takes a line of text for each thing that is brought.

    Raises:
        NotFound: there is no such job or step.
        Conflict: another job of that name ran here.
    """
    refuse_taken_name(workspace, name, cloud.target)
    run = cloud.jobs.get_run(name)
    assets = CloudResolver(cloud, workspace)
    job = read_cloud_job(cloud, name, workspace, assets)
    planned = plan(job)
    if step and step not in planned.steps:
        message = f"The job '{name}' has no step '{step}'.{near_miss(step, planned.steps)}"
        raise NotFound(message)
    workspace.create()
    root = new_record(job, name, AZURE)
    home = {PAGE: cloud.jobs.page(name), TARGET: cloud.target.id}
    root = root._replace(created_at=run.started_at or root.created_at, properties={**root.properties, **home})
    runs = {"": run, **(dict(steps_of(cloud, name, planned)) if node_type(root.type).graph else {})}
    puller = _Puller(cloud, workspace, planned, root, runs, tell)
    _environments(cloud, workspace, assets)
    puller.logs(step)
    puller.record()  # now that everything that the record names is here
    puller.metrics()
    if inputs:
        puller.inputs([step] if step else list(planned.steps))
    return workspace.jobs.get(name)


class _Puller:
    """Brings one job; `runs` are its runs by the paths of their nodes, the job's own under an empty path."""

    def __init__(
        self,
        cloud: Cloud,
        workspace: Workspace,
        planned: Plan,
        root: JobRecord,
        runs: Mapping[str, CloudRun],
        tell: Callable[[str], None],
    ) -> None:
        self._cloud, self._workspace, self._plan, self._tell = cloud, workspace, planned, tell
        self._root, self._runs = root, runs
        self._bringing = Bringing(cloud, workspace)

    def logs(self, step: str) -> None:
        """Bring logs and other artifacts of the runs that have ended."""
        for path, run in self._runs.items():
            if run.status in TERMINAL and (not step or path in ("", step)):
                self._tell(f"logs of {path or self._root.name}")
                with suppress(NotFound):  # a run that never began has none
                    self._bringing.artifacts(run.name, self._root._replace(path=path))

    def record(self) -> None:
        """Record how the job and its steps stand, in one transaction."""
        with self._workspace.transaction():
            try:
                known = self._workspace.jobs.get(self._root.name)
            except NotFound:
                self._workspace.jobs.add(self._root)
            else:
                if not self._has_code(known):
                    self._workspace.jobs.transit(known.name, spec=self._root.spec)
            recorder = Recorder(self._workspace, self._root)
            for path, run in self._runs.items():
                step = self._plan.steps.get(path)
                recorder.put(path, run, step.node if step else self._plan.pipelines.get(path))

    def _has_code(self, record: JobRecord) -> bool:
        """Whether the workspace has all code that a record names; a job submitted from here may name code in Azure."""
        codes = {step.component.code for step in recorded_plan(record).steps.values()}
        return all(self._workspace.content.code_folder(code).is_dir() for code in codes if code)

    def metrics(self) -> None:
        """Bring the metrics that steps have logged; a failure is a warning, since the rest is of use without them."""
        try:
            self._bringing.metrics([run.name for run in self._runs.values()])
        except CreditMLError as error:
            self._tell(f"warning: the metrics couldn't be brought here: {error}")

    def inputs(self, paths: list[str]) -> None:
        """Bring the inputs of steps."""
        done: set[tuple[str, str]] = set()
        for path in paths:
            step = self._plan.steps[path]
            for name, bound in step.inputs.items():
                spec = step.component.inputs[name]
                if isinstance(bound, Produced):
                    key = (bound.step, bound.output)
                    ended = bound.step in self._runs and self._runs[bound.step].status == COMPLETED
                    if key not in done and (ended or not spec.optional):
                        self._output(bound)
                    done.add(key)
                elif isinstance(bound.value, Data) and (AZURE, bound.value.path) not in done:
                    done.add((AZURE, bound.value.path))
                    self._data(bound)

    def _output(self, bound: Produced) -> None:
        """Bring an output of an earlier step to the place where it would lie if that step had run here."""
        run = self._runs.get(bound.step)
        if run is None or run.status not in TERMINAL:
            message = f"The step '{bound.step}' has not ended in Azure ML; what it writes can't be brought yet."
            raise NotFound(message)
        record = self._workspace.jobs.get(run.name)
        known = record.results.get("outputs") or {}
        if bound.output in known and Path(known[bound.output]).exists():
            return
        self._tell(f"output {bound.step}.{bound.output}")
        self._bringing.output(record, bound.output, self._plan.steps[bound.step].outputs[bound.output].type)

    def _data(self, bound: Given) -> None:
        """Bring data that the job was given to the place that its path names on this machine."""
        value = bound.value
        assert isinstance(value, Data)  # noqa: S101  the caller has looked
        path = value.path
        if is_named(path):
            path = self._asset(value)
        if parse_datastore(path) is None:
            return  # a public URL: steps that need it download it
        place = Path(self._workspace.data.source(path))
        if place.exists() or is_url(str(place)):
            return
        self._tell(f"data {path}")
        if value.type != "uri_file":
            fetch_data(self._cloud, path, place)
            return
        folder = fetch_data(self._cloud, path, place.with_name(f".{place.name}.folder"))
        (folder / place.name).rename(place)
        shutil.rmtree(folder)

    def _asset(self, value: Data) -> str:
        """Register an asset in the local workspace as it is in Azure, and return the URI of its data."""
        kind = asset_kind(value.type)
        name, version, path = self._cloud.assets.data_location(kind, value.path)
        spec = {"name": name, "version": version, "type": value.type, "path": path}
        try:
            self._workspace.assets.create(kind, name, version, spec)
        except Conflict:
            self._tell(f"{reference(name, version)} is registered here with other data, which is left as it is")
        return path


def _environments(cloud: Cloud, workspace: Workspace, assets: CloudResolver) -> None:
    """Register the named environments of the job's steps in the local workspace, unless it has them."""
    for asset in assets.environments.values():
        if asset.registry or not asset.version:
            continue
        try:
            workspace.assets.get("environment", asset.name, asset.version)
        except NotFound:
            with suppress(BackendError, NotFound):  # not everybody may read curated ones
                spec = environment_spec(cloud.assets.environment_body(asset))
                workspace.assets.create("environment", asset.name, asset.version, {"name": asset.name, **spec})
