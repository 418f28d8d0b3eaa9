"""The genuine SDK on the local workspace: what it asks for, it gets, and its errors are those that Azure gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azure.ai.ml import MLClient

pytestmark = [pytest.mark.takes(30), pytest.mark.filterwarnings("ignore")]
ENVIRONMENT = "azureml:python:1"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "copy.sh").write_text('cat "$1" > "$2/copy.txt"; echo copied\n')
    return folder


@pytest.fixture
def make_pipeline(source: Path, tmp_path: Path) -> Callable[..., Any]:
    """A function that makes a pipeline of one or two steps, each of which copies a file."""
    from azure.ai.ml import Input, Output, command, dsl

    data = tmp_path / "words.txt"
    data.write_text("words\n")

    def make(then: str = "true", path: str = str(data), **settings: Any) -> Any:
        copy = command(
            name="copy",
            code=str(source),
            command=f"bash copy.sh ${{{{inputs.data}}}} ${{{{outputs.out}}}}; {then}",
            inputs={"data": Input(type="uri_file"), "n": Input(type="integer", default=3)},
            outputs={"out": Output(type="uri_folder")},
            environment=ENVIRONMENT,
        )

        @dsl.pipeline(**{"compute": "serverless", **settings})
        def copying(words):  # noqa: ANN001, ANN202  the SDK reads annotations
            first = copy(data=words)
            return {"copied": first.outputs.out}

        return copying(words=Input(type="uri_file", path=path))

    return make


class TestJobs:
    """Submitted, streamed, listed, downloaded, cancelled, archived."""

    def test_a_pipeline_from_submission_to_download(
        self, ml: MLClient, make_pipeline: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        job = ml.jobs.create_or_update(make_pipeline(description="copies"), experiment_name="copying", tags={"a": "b"})
        assert (job.type, job.experiment_name, job.tags["a"]) == ("pipeline", "copying", "b")
        assert job.studio_url.startswith("http://127.0.0.1:")

        ml.jobs.stream(job.name)
        shown = capsys.readouterr().out
        assert f"RunId: {job.name}" in shown
        assert "Execution Summary" in shown

        ended = ml.jobs.get(job.name)
        assert ended.status == "Completed"
        assert ended.description == "copies"
        assert set(ended.outputs) == {"default", "copied"}
        (child,) = ml.jobs.list(parent_job_name=job.name)
        assert (child.display_name, child.status) == ("first", "Completed")

        ml.jobs.download(job.name, download_path=tmp_path / "all", all=True)
        assert (tmp_path / "all/named-outputs/copied/copy.txt").read_text() == "words\n"
        assert "Completing" in (tmp_path / "all/artifacts/logs/azureml/executionlogs.txt").read_text()
        ml.jobs.download(job.name, download_path=tmp_path / "one", output_name="copied")
        assert [path.name for path in tmp_path.glob("one/**/*") if path.is_file()] == ["copy.txt"]
        ml.jobs.download(child.name, download_path=tmp_path / "child", all=True)
        assert (tmp_path / "child/artifacts/user_logs/std_log.txt").read_text() == "copied\n"
        assert (tmp_path / "child/named-outputs/out/copy.txt").read_text() == "words\n"

    def test_a_failed_job_raises_what_azures_does_with_the_last_lines(
        self, ml: MLClient, make_pipeline: Callable[..., Any]
    ) -> None:
        from azure.ai.ml.exceptions import JobException

        job = ml.jobs.create_or_update(make_pipeline("echo the last words; exit 3"))
        with pytest.raises(JobException, match="the last words") as failure:
            ml.jobs.stream(job.name)
        assert "status code 3" in str(failure.value)
        assert ml.jobs.get(job.name).status == "Failed"

    def test_a_command_job(self, ml: MLClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        from azure.ai.ml import command

        job = ml.jobs.create_or_update(
            command(
                command="echo $GREETING ${{inputs.who}} > ${{outputs.out}}/said.txt; echo done",
                inputs={"who": "world"},
                outputs={"out": {"type": "uri_folder"}},
                environment_variables={"GREETING": "hello"},
                environment=ENVIRONMENT,
                timeout=60,
            )
        )
        ml.jobs.stream(job.name)
        assert "done" in capsys.readouterr().out or ml.jobs.get(job.name).status == "Completed"
        ml.jobs.download(job.name, download_path=tmp_path, all=True)
        assert (tmp_path / "named-outputs/out/said.txt").read_text() == "hello world\n"
        assert (tmp_path / "artifacts/user_logs/std_log.txt").read_text() == "done\n"
        again = ml.jobs.get(job.name)
        assert again.limits.timeout == 60
        assert again.environment_variables == {"GREETING": "hello"}

    def test_cancel(self, ml: MLClient, make_pipeline: Callable[..., Any]) -> None:
        job = ml.jobs.create_or_update(make_pipeline("sleep 600"))
        ml.jobs.begin_cancel(job.name).result()
        assert ml.jobs.get(job.name).status == "Canceled"

    def test_a_job_that_waits_for_others_is_queued(
        self, ml: MLClient, make_pipeline: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "creditml.yml").write_text("max_jobs: 1\n")
        monkeypatch.chdir(tmp_path)
        gate = tmp_path / "gate"
        first, second, third = (
            ml.jobs.create_or_update(make_pipeline(f"while ! test -e {gate}; do sleep 0.1; done")) for _ in range(3)
        )
        assert (second.status, ml.jobs.get(third.name).status) == ("Queued", "Queued")
        ml.jobs.begin_cancel(second.name).result()
        assert ml.jobs.get(second.name).status == "Canceled"
        gate.touch()
        for job in (first, third):
            ml.jobs.stream(job.name)
            assert ml.jobs.get(job.name).status == "Completed"

    def test_archive_restore_and_update(self, ml: MLClient, make_pipeline: Callable[..., Any]) -> None:
        job = ml.jobs.create_or_update(make_pipeline())
        ml.jobs.stream(job.name)
        ml.jobs.archive(job.name)
        assert job.name not in [other.name for other in ml.jobs.list()]
        ml.jobs.restore(job.name)
        assert job.name in [other.name for other in ml.jobs.list()]
        changed = ml.jobs.update(job.name, display_name="other", tags={"x": "y"}, description="more")
        assert (changed.display_name, changed.tags["x"], changed.description) == ("other", "y", "more")

    def test_a_child_is_not_streamed(self, ml: MLClient, make_pipeline: Callable[..., Any]) -> None:
        from azure.ai.ml.exceptions import PipelineChildJobError

        job = ml.jobs.create_or_update(make_pipeline())
        ml.jobs.stream(job.name)
        (child,) = ml.jobs.list(parent_job_name=job.name)
        with pytest.raises(PipelineChildJobError):
            ml.jobs.stream(child.name)

    def test_many_jobs_are_listed_page_by_page(self, ml: MLClient, home: Path) -> None:
        from creditml.workspace import Workspace
        from creditml.workspace.records import JobRecord, now

        workspace = Workspace(home)
        names = {f"old_job_{number}" for number in range(120)}
        with workspace.transaction():
            for name in names:
                spec = {"type": "command", "command": "true", "environment": ENVIRONMENT}
                workspace.jobs.add(JobRecord(name, "command", name, "old", "Completed", now(), spec=spec))
        workspace.close()
        assert names <= {job.name for job in ml.jobs.list()}

    def test_what_nobody_knows_is_not_found(self, ml: MLClient) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        with pytest.raises(ResourceNotFoundError, match="There is no job named 'nosuch'"):
            ml.jobs.get("nosuch")

    def test_a_job_that_is_wrong_is_refused_with_all_problems(self, ml: MLClient) -> None:
        from azure.ai.ml import Input, command, dsl
        from azure.core.exceptions import HttpResponseError

        step = command(
            name="s", command="echo ${{inputs.data}}", inputs={"data": Input(type="uri_file")}, environment=ENVIRONMENT
        )

        @dsl.pipeline(compute="serverless")
        def wrong(a, b):  # noqa: ANN001, ANN202  the SDK reads annotations
            step(data=a)
            step(data=b)

        missing = [Input(type="uri_file", path=f"azureml:nosuch{number}:1") for number in (1, 2)]
        with pytest.raises(HttpResponseError, match="nosuch1"):
            ml.jobs.create_or_update(wrong(*missing))


class TestAssets:
    """Names, versions, labels, immutability."""

    def test_data(self, ml: MLClient, tmp_path: Path) -> None:
        from azure.ai.ml.entities import Data
        from azure.core.exceptions import ResourceNotFoundError

        (tmp_path / "a.csv").write_text("1\n")
        with pytest.raises(ResourceNotFoundError, match="creditml data create"):
            ml.data.get("table", "1")
        first = ml.data.create_or_update(Data(name="table", path=str(tmp_path / "a.csv"), type="uri_file"))
        assert first.version == "1"
        assert first.path.endswith("/a.csv")
        (tmp_path / "a.csv").write_text("2\n")
        second = ml.data.create_or_update(Data(name="table", path=str(tmp_path / "a.csv"), type="uri_file"))
        assert second.version == "2"
        assert ml.data.get("table", label="latest").version == "2"
        assert [version.version for version in ml.data.list("table")] == ["2", "1"]
        assert "table" in [data.name for data in ml.data.list()]
        with pytest.raises(Exception, match="cannot be updated"):
            ml.data.create_or_update(Data(name="table", version="1", path=str(tmp_path / "a.csv"), type="uri_file"))
        ml.data.archive("table", version="2")
        assert [version.version for version in ml.data.list("table")] == ["1"]
        ml.data.restore("table", version="2")
        ml.data.archive("table")
        assert "table" not in [data.name for data in ml.data.list()]

    def test_environments(self, ml: MLClient) -> None:
        from azure.ai.ml.entities import Environment
        from azure.core.exceptions import HttpResponseError

        def environment(version: str, python: str) -> Any:
            conda = {"dependencies": [f"python={python}"]}
            return Environment(name="env", version=version, image="python:3.12", conda_file=conda)

        ml.environments.create_or_update(environment("1", "3.12"))
        ml.environments.create_or_update(environment("1", "3.12"))
        with pytest.raises(HttpResponseError, match="immutable"):
            ml.environments.create_or_update(environment("1", "3.11"))
        found = ml.environments.get("env", version="1")
        assert found.conda_file == {"dependencies": ["python=3.12"]}
        assert found.image == "python:3.12"
        unversioned = Environment(name="env", image="python:3.12", conda_file={"dependencies": ["python=3.10"]})
        assert ml.environments.create_or_update(unversioned).version == "2"

    def test_components(self, ml: MLClient, source: Path) -> None:
        from azure.ai.ml import Input, command

        def component() -> Any:
            return command(
                name="listing",
                display_name="Lists",
                code=str(source),
                command="ls ${{inputs.n}}",
                inputs={"n": Input(type="integer", default=3, min=1), "o": Input(type="string", optional=True)},
                environment=ENVIRONMENT,
                is_deterministic=False,
            ).component

        first = ml.components.create_or_update(component())
        assert first.version == "1"
        (source / "more.txt").write_text("more")
        assert ml.components.create_or_update(component()).version == "2"
        found = ml.components.get("listing")
        assert (found.version, found.display_name, found.is_deterministic) == ("2", "Lists", False)
        assert found.inputs["n"].default == 3
        assert found.inputs["o"].optional is True
        assert [version.version for version in ml.components.list(name="listing")] == ["2", "1"]

    def test_a_registered_component_is_named_in_the_job(self, ml: MLClient) -> None:
        from azure.ai.ml import Input, command, dsl

        step = ml.components.create_or_update(
            command(
                name="named", command="echo ${{inputs.n}}", inputs={"n": Input(type="integer")}, environment=ENVIRONMENT
            ).component
        )

        @dsl.pipeline(compute="serverless")
        def one():  # noqa: ANN202  the SDK reads annotations
            step(n=1)

        job = ml.jobs.create_or_update(one())
        assert ml.jobs.get(job.name).jobs["named"].component == "named:1"
        ml.jobs.stream(job.name)

    def test_models(self, ml: MLClient, tmp_path: Path) -> None:
        from azure.ai.ml.entities import Model

        (tmp_path / "model").mkdir()
        (tmp_path / "model/weights.bin").write_bytes(bytes(range(256)))
        made = ml.models.create_or_update(Model(name="weights", path=str(tmp_path / "model"), type="custom_model"))
        assert made.version == "1"
        assert "weights" in [model.name for model in ml.models.list()]
        ml.models.download("weights", "1", download_path=str(tmp_path / "got"))
        (file,) = (path for path in (tmp_path / "got").rglob("*") if path.is_file())
        assert file.read_bytes() == bytes(range(256))

    @pytest.mark.parametrize("form", ["a job's output", "a datastore's path", "an asset"])
    def test_an_output_of_a_job_is_an_input_of_the_next(
        self, ml: MLClient, make_pipeline: Callable[..., Any], tmp_path: Path, form: str
    ) -> None:
        from azure.ai.ml.entities import Data

        job = ml.jobs.create_or_update(make_pipeline())
        ml.jobs.stream(job.name)
        path = f"azureml://jobs/{job.name}/outputs/copied/paths/copy.txt"
        if form == "a datastore's path":
            path = f"azureml://datastores/workspaceblobstore/paths/azureml/{job.name}/copied/copy.txt"
        elif form == "an asset":
            path = ml.data.create_or_update(Data(name="copied", path=path, type="uri_file")).id
        again = ml.jobs.create_or_update(make_pipeline(path=path))
        ml.jobs.stream(again.name)
        ml.jobs.download(again.name, download_path=tmp_path, output_name="copied")
        assert (tmp_path / "named-outputs/copied/copy.txt").read_text() == "words\n"

    def test_a_large_file_comes_in_blocks_and_goes_out_in_ranges(
        self, ml: MLClient, home: Path, tmp_path: Path
    ) -> None:
        from azure.ai.ml.entities import Model

        content = b"0123456789abcdef" * (70 << 16)  # 70 MiB: more than the SDK sends at once
        (tmp_path / "large.bin").write_bytes(content)
        ml.models.create_or_update(Model(name="large", version="1", path=str(tmp_path / "large.bin")))
        ml.models.download("large", "1", download_path=str(tmp_path / "got"))
        (file,) = (path for path in (tmp_path / "got").rglob("*") if path.is_file())
        assert file.read_bytes() == content
        left = [path for path in (home / "service/blocks").rglob("*") if path.is_file()]
        assert left == []


class TestSurroundings:
    """The workspace, computes, datastores."""

    def test_the_workspace(self, ml: MLClient) -> None:
        found = ml.workspaces.get(ml.workspace_name)
        assert found.name == ml.workspace_name
        assert found.mlflow_tracking_uri.startswith("http://127.0.0.1:")
        assert [workspace.name for workspace in ml.workspaces.list()] == [ml.workspace_name]

    def test_computes(self, ml: MLClient) -> None:
        from azure.ai.ml.entities import AmlCompute

        assert ml.compute.get("gpu-cluster").provisioning_state == "Succeeded"
        made = ml.compute.begin_create_or_update(AmlCompute(name="mine", size="STANDARD_D2_V2")).result()
        assert made.name == "mine"
        assert "mine" in [compute.name for compute in ml.compute.list()]

    def test_datastores(self, ml: MLClient) -> None:
        from azure.ai.ml.entities import AzureBlobDatastore

        assert ml.datastores.get_default().name == "workspaceblobstore"
        ml.datastores.create_or_update(AzureBlobDatastore(name="other", account_name="a", container_name="c"))
        names = [store.name for store in ml.datastores.list()]
        assert {"workspaceblobstore", "workspaceartifactstore", "other"} <= set(names)
        secrets = ml.datastores.get("workspaceblobstore", include_secrets=True)
        assert secrets.credentials.account_key

    def test_what_is_not_served_says_so(self, ml: MLClient) -> None:
        from azure.core.exceptions import HttpResponseError

        with pytest.raises(HttpResponseError, match="does not serve online endpoints") as refusal:
            list(ml.online_endpoints.list())
        assert refusal.value.status_code == 501
        assert json.loads(refusal.value.response.text())["error"]["code"] == "NotImplemented"
