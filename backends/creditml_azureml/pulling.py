"""A job of the cloud, brought into the local workspace: graph, code, environments, statuses, logs, and data on demand.

What is brought is whole or not there, and recorded after that; pulling again goes on where it was cut off.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from creditml.entry_points import AZURE
from creditml.errors import BackendError, Conflict, CreditMLError, NotFound, near_miss
from creditml.history.recorded import recorded_plan
from creditml.model import MODEL_TYPES, Data
from creditml.plan import Given, Plan, Produced, plan
from creditml.references import is_named, parse_datastore, reference
from creditml.statuses import COMPLETED, TERMINAL
from creditml.submission.submit import new_record
from creditml.workspace.data import is_url
from creditml.workspace.records import PAGE, TARGET
from creditml_azureml.download import fetch_artifacts, fetch_data, fetch_output
from creditml_azureml.metrics import metrics_of
from creditml_azureml.reading import CloudResolver, environment_spec, job_of
from creditml_azureml.record import Recorded, see_free
from creditml_azureml.steps import steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord
    from creditml_azureml.cloud import Cloud
    from creditml_azureml.runs import Run


def pull(
    cloud: Cloud,
    workspace: Workspace,
    name: str,
    step: str = "",
    *,
    inputs: bool = False,
    tell: Callable[[str], None] = lambda _line: None,
) -> JobRecord:
    """Bring a job here, and return its record; one that is here already is brought up to date.

    Args:
        cloud: where it ran.
        workspace: where it is put.
        name: its name.
        step: the path of a step; logs and data of that alone are brought.
        inputs: bring what the step, or every step, was given: outputs of earlier steps, data assets.
        tell: hears what is done.

    Raises:
        NotFound: there is no such job or step.
        Conflict: another job of that name ran here.
    """
    see_free(workspace, name, cloud.target)
    run = cloud.run(name)
    assets = CloudResolver(cloud, workspace)
    job = job_of(cloud, name, workspace, assets)
    planned = plan(job)
    if step and step not in planned.steps:
        message = f"The job '{name}' has no step '{step}'.{near_miss(step, planned.steps)}"
        raise NotFound(message)
    workspace.create()
    root = new_record(job, name, AZURE)
    page = str(cloud.job(name)["services"]["Studio"]["endpoint"] or "")
    home = {PAGE: page, TARGET: cloud.target.id}
    root = root._replace(created_at=run.started_at or root.created_at, properties={**root.properties, **home})
    runs = {"": run, **(dict(steps_of(cloud, name, planned)) if root.type == "pipeline" else {})}
    puller = _Puller(cloud, workspace, planned, root, runs, tell)
    _environments(cloud, workspace, assets)
    puller.logs(step)
    puller.record()  # when what it names is here
    puller.metrics()
    if inputs:
        puller.inputs([step] if step else list(planned.steps))
    return workspace.jobs.get(name)


class _Puller:
    """Brings one job; `runs` are its runs by the path of their nodes, its own under an empty one."""

    def __init__(
        self,
        cloud: Cloud,
        workspace: Workspace,
        planned: Plan,
        root: JobRecord,
        runs: Mapping[str, Run],
        tell: Callable[[str], None],
    ) -> None:
        self._cloud, self._workspace, self._plan, self._tell = cloud, workspace, planned, tell
        self._root, self._runs = root, runs

    def logs(self, step: str) -> None:
        """Logs and other artifacts of what has ended."""
        for path, run in self._runs.items():
            if run.status in TERMINAL and (not step or path in ("", step)):
                place = self._workspace.jobs.folder(self._root._replace(path=path)) / "artifacts"
                self._tell(f"logs of {path or self._root.name}")
                with suppress(NotFound):  # what never began has none
                    fetch_artifacts(self._cloud, run.name, place)

    def record(self) -> None:
        """Write down how everything stands, at once."""
        with self._workspace.transaction():
            try:
                known = self._workspace.jobs.get(self._root.name)
            except NotFound:
                self._workspace.jobs.add(self._root)
            else:
                if not self._has_code(known):
                    self._workspace.jobs.transit(known.name, spec=self._root.spec)
            recorded = Recorded(self._workspace, self._root)
            for path, run in self._runs.items():
                step = self._plan.steps.get(path)
                recorded.put(path, run, step.node if step else self._plan.pipelines.get(path))

    def _has_code(self, record: JobRecord) -> bool:
        """Whether all code is here that a record names; that of a job that was submitted here may be the cloud's."""
        codes = {step.component.code for step in recorded_plan(record).steps.values()}
        return all(self._workspace.content.code_folder(code).is_dir() for code in codes if code)

    def metrics(self) -> None:
        """Metrics that were logged; without them the rest is of use, too."""
        names = [run.name for run in self._runs.values()]
        try:
            found = metrics_of(self._cloud, names)
        except CreditMLError as error:
            self._tell(f"warning: metrics aren't brought: {error}")
            return
        for name, metrics in found.items():
            results = {**self._workspace.jobs.get(name).results, "metrics": dict(metrics)}
            self._workspace.jobs.transit(name, results=results)

    def inputs(self, paths: list[str]) -> None:
        """What steps were given."""
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
        """An output of an earlier step, where it would lie had that one run here."""
        run = self._runs.get(bound.step)
        if run is None or run.status not in TERMINAL:
            message = f"The step '{bound.step}' has not ended in Azure ML; what it writes can't be brought yet."
            raise NotFound(message)
        record = self._workspace.jobs.get(run.name)
        known = record.results.get("outputs") or {}
        if bound.output in known and Path(known[bound.output]).exists():
            return
        place = self._workspace.jobs.folder(record) / "outputs" / bound.output
        self._tell(f"output {bound.step}.{bound.output}")
        if not place.exists():
            fetch_output(self._cloud, run.name, bound.output, place)
        kind = self._plan.steps[bound.step].outputs[bound.output].type
        files = list(place.iterdir())
        final = files[0] if kind == "uri_file" and len(files) == 1 else place
        results = {**record.results, "outputs": {**known, bound.output: str(final)}}
        self._workspace.jobs.transit(record.name, results=results)

    def _data(self, bound: Given) -> None:
        """Data that the job was given: to the place that its path names here."""
        value = bound.value
        assert isinstance(value, Data)  # noqa: S101  whoever calls has looked
        path = value.path
        if is_named(path):
            path = self._asset(value)
        if parse_datastore(path) is None:
            return  # a public URL: whoever needs it downloads it
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
        """Register an asset here as it is there, and return where its data lies."""
        model = value.type in MODEL_TYPES
        kind = "model" if model else "data"
        name, version, path = self._cloud.data_path(value.path, model=model)
        spec = {"name": name, "version": version, "type": value.type, "path": path}
        try:
            self._workspace.assets.create(kind, name, version, spec)
        except Conflict:
            self._tell(f"{reference(name, version)} is registered here with other data, which is left as it is")
        return path


def _environments(cloud: Cloud, workspace: Workspace, assets: CloudResolver) -> None:
    """Environments with a name that the job's steps run in: registered here, if they aren't."""
    for asset in assets.environments.values():
        if asset.registry or not asset.version:
            continue
        try:
            workspace.assets.get("environment", asset.name, asset.version)
        except NotFound:
            with suppress(BackendError, NotFound):  # curated ones aren't everybody's to ask for
                spec = environment_spec(cloud.environment_body(asset))
                workspace.assets.create("environment", asset.name, asset.version, {"name": asset.name, **spec})
