"""What the workspace in Azure lacks of what a job names: asked once, and told where it is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from checked import ENVIRONMENT, STEP, pipeline, problems

from creditml.errors import AuthenticationFailed
from creditml.nodes.specs import read_job
from creditml.workspace import Workspace
from creditml_azureml.cloud import Cloud
from creditml_azureml.online_checks import online_problems
from creditml_azureml.target import Target, find_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from project import Json, Project

    from creditml.errors import Problem

WORKSPACE = "the workspace 'credit' (resource group 'team') in Azure"
MISSING: Json = {
    "environment": (
        pipeline({**STEP, "environment": "azureml:anny:1"}),
        f"There is no environment anny:1 in {WORKSPACE}. Did you mean 'any'?",
        "jobs.a.environment",
    ),
    "version of an environment": (
        pipeline({**STEP, "environment": "azureml:any:7"}),
        "Did you mean 'any:1'?",
        "jobs.a.environment",
    ),
    "data": (
        pipeline({**STEP, "inputs": {"x": {"path": "azureml:nothing:1"}}}),
        "There is no data asset nothing:1",
        "jobs.a.inputs.x.path",
    ),
    "label of data": (
        pipeline({**STEP, "inputs": {"x": {"path": "azureml:nothing@latest"}}}),
        "There is no data asset nothing@latest",
        "jobs.a.inputs.x.path",
    ),
    "datastore": (
        pipeline({**STEP, "inputs": {"x": {"path": "azureml://datastores/workspaceblobstor/paths/x"}}}),
        f"There is no datastore 'workspaceblobstor' in {WORKSPACE}. Did you mean 'workspaceblobstore'?",
        "jobs.a.inputs.x.path",
    ),
    "job": (
        pipeline({**STEP, "inputs": {"x": {"path": "azureml://jobs/gone/outputs/y/paths/"}}}),
        "There is no job 'gone'",
        "jobs.a.inputs.x.path",
    ),
}

OWN = "subscriptions/11111111-2222-3333-4444-555555555555/resourcegroups/team/workspaces/credit"
OWN_ID = Target("11111111-2222-3333-4444-555555555555", "team", "credit").id
MISSING |= {
    "environment by its id": (
        pipeline({**STEP, "environment": f"azureml:{OWN_ID}/environments/anny/versions/1"}),
        "There is no environment",
        "jobs.a.environment",
    ),
    "environment by its id in another case": (
        pipeline({**STEP, "environment": f"azureml:{OWN_ID.replace('/team/', '/Team/')}/environments/anny/versions/1"}),
        "There is no environment",
        "jobs.a.environment",
    ),
    "datastore in the long form": (
        pipeline({**STEP, "inputs": {"x": {"path": f"azureml://{OWN}/datastores/workspaceblobstor/paths/x"}}}),
        f"There is no datastore 'workspaceblobstor' in {WORKSPACE}. Did you mean 'workspaceblobstore'?",
        "jobs.a.inputs.x.path",
    ),
    "job in the long form": (
        pipeline({**STEP, "inputs": {"x": {"path": f"azureml://{OWN}/jobs/gone/outputs/y/paths/"}}}),
        "There is no job 'gone'",
        "jobs.a.inputs.x.path",
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_azure_lacks_is_an_error_with_a_near_miss(folder: Project, case: str) -> None:
    job, said, path = MISSING[case]

    (problem,) = problems(folder, job)

    assert said in problem.message
    assert (problem.warning, problem.path) == (False, path)
    assert problem.place is not None


@pytest.mark.parametrize(("version", "found"), [("1", 0), ("2", 1)])
def test_a_registry_is_asked_too(azure: Project, folder: Project, version: str, found: int) -> None:
    azure.write("shared.yml", {"name": "shared", "version": "1", **ENVIRONMENT})
    azure.creditml("environment", "create", "-f", "shared.yml", "--registry-name", "team")
    reference = f"azureml://registries/team/environments/shared/versions/{version}"

    told = problems(folder, pipeline({**STEP, "environment": reference}))

    assert [problem.path for problem in told] == ["jobs.a.environment"] * found
    assert all("no environment shared:2 in the registry 'team'" in problem.message for problem in told)


def test_what_azure_has_is_no_problem(folder: Project) -> None:
    step = {**STEP, "environment": "azureml:any@latest", "compute": "azureml:cpu-cluster"}
    step["inputs"] = {"x": {"path": "azureml://datastores/workspaceblobstore/paths/x"}}

    assert problems(folder, pipeline(step, settings={"default_datastore": "azureml:workspaceblobstore"})) == ()


@pytest.mark.parametrize("place", ["datastores/workspaceblobstor/paths/x", "jobs/gone/outputs/y/paths/x"])
def test_another_workspace_of_azure_is_not_asked(folder: Project, place: str) -> None:
    other = OWN.replace("/credit", "/other")

    assert problems(folder, pipeline({**STEP, "inputs": {"x": {"path": f"azureml://{other}/{place}"}}})) == ()
    environment = f"azureml:{OWN_ID.replace('/credit', '/other')}/environments/anny/versions/1"
    assert problems(folder, pipeline({**STEP, "environment": environment})) == ()


def test_what_is_registered_here_will_be_there(folder: Project) -> None:
    folder.write("mine.yml", {"name": "mine", "version": "3", **ENVIRONMENT})
    folder.creditml("environment", "create", "-f", "mine.yml")

    assert problems(folder, pipeline({**STEP, "environment": "azureml:mine:3"})) == ()


class Counted:
    """The SDK's client with one of its operations answered by something else, since our service never answers so."""

    def __init__(self, client: Json, **answers: Callable[..., Json]) -> None:
        self._client, self._answers = client, answers
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Json:
        return self if name in self._answers else getattr(self._client, name)

    def get(self, name: str, **more: str) -> Json:
        self.asked.append(name)
        (answer,) = self._answers.values()
        return answer(name, **more)

    def list_sizes(self) -> list[Json]:
        return []

    def list_usage(self) -> list[Json]:
        return []

    def list(self) -> list[str]:
        return ["gpu-cluster"]


def asked_of(folder: Project, job: Json, **answers: Callable[..., Json]) -> tuple[list[Problem], list[str]]:
    folder.write("job.yml", job)
    reading = read_job("job.yml")
    assert reading.job
    target = find_target({})
    client: Any = Counted(Cloud(target).client, **answers)
    return online_problems(reading.job, Workspace(folder.folder / "home"), Cloud(target, client)), client.asked


def test_each_thing_is_asked_once_and_told_wherever_it_is_named(folder: Project) -> None:
    from azure.core.exceptions import ResourceNotFoundError

    def gone(name: str) -> Json:
        raise ResourceNotFoundError(name)

    step = {**STEP, "compute": "azureml:gpu-clustr"}
    found, asked = asked_of(folder, pipeline(jobs={"a": step, "b": step}), compute=gone)

    assert asked == ["gpu-clustr"]
    assert [problem.path for problem in found] == ["jobs.a.compute", "jobs.b.compute"]
    assert "Did you mean 'gpu-cluster'?" in found[0].message


def test_a_compute_that_is_too_small_or_not_ready_is_told(folder: Project) -> None:
    from azure.ai.ml.entities import AmlCompute

    step = {**STEP, "compute": "azureml:gpu", "resources": {"instance_count": 9}}
    made = AmlCompute(name="gpu", max_instances=4, provisioning_state="Creating")
    found, _ = asked_of(folder, pipeline(step), compute=lambda _name: made)

    assert [problem.warning for problem in found] == [True, False]
    assert "is Creating" in found[0].message
    assert "at most 4 instances, and 9 are asked for" in found[1].message
    assert found[1].path == "jobs.a.resources.instance_count"


@pytest.mark.parametrize(("count", "told"), [(2, 0), (3, 1)])
def test_a_quota_that_can_t_be_enough_is_told(
    folder: Project, count: int, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.ai.ml.entities import AmlCompute, Usage, UsageName, VmSize

    step = {**STEP, "resources": {"instance_count": count}}
    made = AmlCompute(name="gpu", size="Standard_DS3_v2", max_instances=9, provisioning_state="Succeeded")
    sizes = [VmSize(name="STANDARD_DS3_V2", family="standardDSv2Family", v_cp_us=4)]
    usages = [Usage(limit=8, current_value=8, name=UsageName(value="standardDSv2Family"))]
    monkeypatch.setattr(Counted, "list_sizes", lambda _self: sizes)
    monkeypatch.setattr(Counted, "list_usage", lambda _self: usages)
    job = pipeline(step, settings={"default_compute": "azureml:gpu"})
    found, _ = asked_of(folder, job, compute=lambda _name: made)

    assert [problem.warning for problem in found] == [True] * told
    assert all("needs 12 cores of the family standardDSv2Family" in problem.message for problem in found)


def test_a_curated_environment_that_is_gone_is_a_warning(folder: Project) -> None:
    step = {**STEP, "environment": "azureml:AzureML-sklearn-1.0-ubuntu20.04-py38-cpu:1"}

    (problem,) = problems(folder, pipeline(step))

    assert problem.warning
    assert "There is no environment AzureML-sklearn" in problem.message


@pytest.mark.parametrize("operation", ["workspaces", "compute", "environments"])
def test_what_somebody_may_not_see_is_told_as_such(folder: Project, operation: str) -> None:
    from azure.core.exceptions import HttpResponseError

    class Response:
        status_code, reason = 403, "Forbidden"

        def text(self) -> str:
            return ""

    def forbidden(_name: str, **_more: str) -> Json:
        raise HttpResponseError(response=Response())

    job = pipeline({**STEP, "environment": "azureml:any:1", "compute": "azureml:gpu"})
    found, _ = asked_of(folder, job, **{operation: forbidden})

    assert "403" in found[0].message
    assert "role" in found[0].message


def test_a_workspace_that_is_not_reached_is_an_error_of_the_connection(folder: Project) -> None:
    folder.write("job.yml", pipeline())
    reading = read_job("job.yml")
    assert reading.job

    class Nobody:
        def get_token(self, *_scopes: str, **_more: str) -> Json:
            from azure.core.exceptions import ClientAuthenticationError

            raise ClientAuthenticationError("nobody is signed in")

    from azure.ai.ml import MLClient

    target = Target("11111111-2222-3333-4444-555555555555", "team", "credit")
    client = MLClient(Nobody(), *target)  # type: ignore[arg-type]

    with pytest.raises(AuthenticationFailed):
        online_problems(reading.job, Workspace(folder.folder / "home"), Cloud(target, client))
