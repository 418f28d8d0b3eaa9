"""Pipelines in Python; a YAML file beside this one says the same as each of them."""

from pathlib import Path
from typing import Any

from azure.ai.ml import (
    Input,
    ManagedIdentityConfiguration,
    MpiDistribution,
    Output,
    PyTorchDistribution,
    TensorFlowDistribution,
    UserIdentityConfiguration,
    command,
    load_component,
)
from azure.ai.ml.constants import InputOutputModes
from azure.ai.ml.dsl import pipeline
from azure.ai.ml.dsl._group_decorator import group
from azure.ai.ml.entities import Environment, PipelineJob, QueueSettings

HERE = Path(__file__).parent


def builders(_client: Any) -> PipelineJob:
    prepare = command(
        display_name="Prepare",
        command="cp -r ${{inputs.folder}}/. ${{outputs.out}} "
        "&& echo ${{inputs.count}} ${{inputs.rate}} ${{inputs.strict}} ${{inputs.label}}",
        environment=Environment(image="python:3.11", conda_file={"dependencies": ["python"]}),
        code=str(HERE / "src"),
        inputs={
            "folder": Input(type="uri_folder", mode="download"),
            "count": 1,
            "rate": Input(type="number"),
            "strict": False,
            "label": "a label",
        },
        outputs={"out": Output(type="uri_folder", mode="rw_mount")},
        environment_variables={"MODE": "fast", "EMPTY": ""},
        distribution=PyTorchDistribution(process_count_per_instance=1),
        instance_count=1,
        instance_type="Standard_D2",
        shm_size="1g",
        docker_args="--init",
        timeout=600,
    )
    finish = command(
        command="cp -r ${{inputs.data}}/. ${{outputs.result}} && echo ${{inputs.times}}",
        environment="azureml:tools:1",
        inputs={"data": Input(type="uri_folder"), "times": 5},
        outputs={"result": Output(type="uri_folder")},
    )

    @pipeline(name="builders", default_compute="serverless")
    def builders(folder: Input, count: int, rate: float, strict: bool, label: str = "two words"):  # noqa: ANN202, FBT001
        prepared = prepare(folder=folder, count=count, rate=rate, strict=strict, label=label)
        prepared.name = "prepare"
        finished = finish(data=prepared.outputs.out)
        finished.name = "finish"
        return {"result": finished.outputs.result}

    folder = Input(type="uri_folder", path=str(HERE / "data"), mode="download")
    made = builders(folder=folder, count=3, rate=0.25, strict=True)
    made.outputs.result.mode = "upload"
    return made


def loaded(_client: Any) -> PipelineJob:
    say, copy = load_component(HERE / "say.yml"), load_component(HERE / "copy.yml")

    @pipeline(
        description="Components from files",
        tags={"owner": "tests"},
        experiment_name="dsl",
        compute="cpu-cluster",
        default_datastore="workspaceblobstore",
        continue_on_step_failure=True,
        force_rerun=True,
    )
    def loaded(folder):  # noqa: ANN001, ANN202
        speak = say(text="a text", loud=True, note=None)
        speak.display_name = "Speak"
        speak.comment = "A comment"
        speak.compute = "gpu-cluster"
        speak.tags = {"step": "first"}
        speak.environment_variables = {"A": "b"}
        speak.limits = {"timeout": 60}
        speak.resources = {"instance_count": 2}
        speak.distribution = MpiDistribution(process_count_per_instance=2)
        speak.identity = ManagedIdentityConfiguration(client_id="00000000-0000-0000-0000-000000000001")
        speak.queue_settings = QueueSettings(job_tier="Spot", priority="Low")
        speak.outputs.said = Output(
            type="uri_file", path="azureml://datastores/workspaceblobstore/paths/said/", mode="upload"
        )
        keep = copy(source=folder, extra=speak.outputs.said)
        keep.inputs.source.mode = InputOutputModes.RO_MOUNT
        keep.inputs.extra.mode = "direct"
        keep.outputs.copied.name = "kept_words"
        keep.outputs.copied.version = "3"
        keep.identity = UserIdentityConfiguration()
        keep.distribution = TensorFlowDistribution(worker_count=2)
        return {"kept": keep.outputs.copied}

    return loaded(folder=Input(type="uri_folder", path=str(HERE / "data")))


def nested(_client: Any) -> PipelineJob:
    say, copy = load_component(HERE / "say.yml"), load_component(HERE / "copy.yml")

    @pipeline
    def inner(  # noqa: ANN202
        folder: Input(type="uri_folder"),  # type: ignore[valid-type]
        text: str = "inner text",
        times: int = 4,
        extra: Input(type="uri_file", optional=True) = None,  # type: ignore[valid-type]
    ):
        speak = say(text=text, times=times)
        keep = copy(source=folder, extra=extra)
        return {"folder": keep.outputs.copied, "said": speak.outputs.said}

    @pipeline(default_compute="cpu-cluster")
    def nested(folder):  # noqa: ANN001, ANN202
        first = inner(folder=folder, text="first")
        second = inner(folder=first.outputs.folder, times=7, extra=first.outputs.said)
        return second.outputs

    return nested(folder=Input(type="uri_folder", path="azureml:words:1"))


@group
class Deeper:
    rate: float
    loud: bool = True


@group
class Parameters:
    text: str
    deeper: Deeper
    times: int = 3


def grouped(_client: Any) -> PipelineJob:
    say = load_component(HERE / "say.yml")

    @pipeline(default_compute="serverless")
    def grouped(settings: Parameters):  # noqa: ANN202
        speak = say(text=settings.text, times=settings.times, rate=settings.deeper.rate, loud=settings.deeper.loud)
        speak.name = "speak"

    return grouped(settings=Parameters(text="from a group", deeper=Deeper(rate=0.125)))


def literals(_client: Any) -> PipelineJob:
    say = load_component(HERE / "say.yml")

    @pipeline(default_compute="serverless")
    def literals(text, times, rate, loud, nothing=None):  # noqa: ANN001, ANN202
        given = say(text=text, times=times, rate=rate, loud=loud)
        given.name = "given"
        numbers = say(text="1.10", times=9, rate=3.0, loud=True, note="None")
        numbers.name = "numbers"
        texts = say(text=f"a {text} b", times="1", rate="2", loud="False", note=" blank ")
        texts.name = "texts"
        say(text="without", note=nothing).name = "without"

    return literals(text="yes", times=5, rate=1e-5, loud=False)


def registered(client: Any) -> PipelineJob:
    copy = client.components.get("copy", "1")
    latest = client.components.get("copy", label="latest")

    @pipeline(default_compute="serverless")
    def registered(folder, remote):  # noqa: ANN001, ANN202
        keep = copy(source=folder, extra=remote)
        keep.name = "keep"
        again = latest(source=keep.outputs.copied)
        again.name = "again"
        again.outputs.copied = Output(type="uri_folder", name="words_kept")

    return registered(
        folder=Input(type="uri_folder", path="azureml:words:1"),
        remote=Input(type="uri_file", path="azureml://datastores/workspaceblobstore/paths/there/x.txt"),
    )
