"""A pipeline of the SDK with code, data, environments and a nested pipeline."""

# without `from __future__ import annotations`, because the SDK reads annotations as the types of inputs
from pathlib import Path

from azure.ai.ml import Input, Output, command, dsl
from azure.ai.ml.entities import Environment, PipelineJob


def make(folder: Path) -> PipelineJob:
    """Make the pipeline; its code and data are in `folder`."""
    (folder / "src").mkdir()
    (folder / "src" / "a.py").write_text("print(1)\n")
    (folder / "words.txt").write_text("one\n")
    copy = command(
        name="copy",
        command="python a.py && cp ${{inputs.words}} ${{outputs.out}}/w.txt && echo ${{inputs.n}}",
        code=str(folder / "src"),
        environment=Environment(image="python:3.11"),
        inputs={"words": Input(type="uri_file"), "n": Input(type="integer", default=3)},
        outputs={"out": Output(type="uri_folder")},
    )
    show = command(
        command="cat ${{inputs.folder}}/w.txt",
        environment=Environment(image="python:3.11"),
        inputs={"folder": Input(type="uri_folder")},
    )

    @dsl.pipeline(compute="serverless")
    def inner(words: Input(type="uri_file")):  # type: ignore[no-untyped-def, valid-type]  # noqa: ANN202  the SDK's way
        first = copy(words=words, n=1)
        return {"out": first.outputs.out}

    @dsl.pipeline(compute="serverless", experiment_name="both")
    def outer(words: Input(type="uri_file")):  # type: ignore[no-untyped-def, valid-type]  # noqa: ANN202  the SDK's way
        nested = inner(words=words)
        beside = copy(words=words)
        last = show(folder=nested.outputs.out)
        last.compute = "cpu-cluster"
        return {"out": beside.outputs.out}

    made: PipelineJob = outer(words=Input(type="uri_file", path=str(folder / "words.txt")))
    return made
