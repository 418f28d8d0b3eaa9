"""What the check lets pass, and exactly where it stops: each case beside the one that is a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from small_jobs import NEED, ONE_OUTPUT, TEXT, job, nested, node, pipeline

from creditml.check import check
from creditml.model import Command, ComponentInput, ComponentOutput, Data, Job, JobOutput, Node, Pipeline
from creditml.plan import plan

if TYPE_CHECKING:
    from creditml.errors import Problem

MAYBE = TEXT._replace(optional=True)
TAKES_MAYBE = Command("echo $[[${{inputs.o}}]]", name="maybe", inputs={"o": MAYBE})
WITH_DEFAULT = Command("echo ${{inputs.r}}", name="default", inputs={"r": TEXT._replace(default="x")})


def found(checked: Job) -> list[tuple[str, str, bool]]:
    """Where and what problems are, and which are warnings."""
    return [(problem.path, problem.message, problem.warning) for problem in check(checked).problems]


def errors(checked: Job) -> list[str]:
    return [path for path, _, warning in found(checked) if not warning]


def warnings(checked: Job) -> list[str]:
    return [path for path, _, warning in found(checked) if warning]


# -- inputs that nobody gives


def test_of_the_job_s_own_inputs_only_those_that_something_requires_must_be_given() -> None:
    """The SDK goes by what takes them."""
    takers = {
        "optional": node("a", TAKES_MAYBE, o="${{parent.inputs.x}}"),
        "required": node("a", NEED, r="${{parent.inputs.x}}"),
        "text": node("a", TAKES_MAYBE, o="<${{parent.inputs.x}}>"),
    }
    missing = {name: errors(job(taker, inputs={"x": TEXT})) for name, taker in takers.items()}

    assert missing == {"optional": [], "required": ["inputs"], "text": []}
    assert errors(job(takers["optional"], takers["required"]._replace(name="b"), inputs={"x": TEXT})) == ["inputs"]
    assert errors(job(node("a", TAKES_MAYBE), inputs={"x": TEXT})) == ["inputs"]  # nothing takes it


def test_of_a_pipeline_in_it_all_must_be_given_that_are_declared_so() -> None:
    inner = nested(node("a", TAKES_MAYBE, o="${{parent.inputs.x}}"), inputs={"x": TEXT})

    assert errors(job(inner)) == ["jobs.s.inputs"]
    assert errors(job(nested(node("a", TAKES_MAYBE, o="${{parent.inputs.x}}"), inputs={"x": MAYBE}))) == []


@pytest.mark.parametrize(
    ("given", "taken", "wrong"),
    [
        (MAYBE, TEXT, ["jobs.s.component.inputs.x"]),
        (MAYBE, TEXT._replace(default="d"), []),
        (MAYBE._replace(default="d"), TEXT, []),
        (MAYBE, MAYBE, []),
    ],
    ids=["required", "required with a default", "given by default", "optional"],
)
def test_an_optional_input_is_for_what_can_do_without(
    given: ComponentInput, taken: ComponentInput, wrong: list[str]
) -> None:
    taker = node("a", Command("echo", name="c", inputs={"r": taken}), r="${{parent.inputs.x}}")

    assert errors(job(nested(taker, inputs={"x": given}))) == wrong


def test_azure_ml_refuses_an_optional_input_outside_a_block_even_with_a_default() -> None:
    command = "echo ${{inputs.x}}"
    bare = Command(command, name="c", inputs={"x": MAYBE})
    default = Command(command, name="c", inputs={"x": MAYBE._replace(default="d")})

    for component in (bare, default):
        (problem,) = check(job(node("a", component))).problems
        assert (problem.path, problem.warning, problem.refused) == ("jobs.a.component.command", True, True)
    assert found(job(node("a", bare._replace(command=f"echo $[[{command}]]")))) == []


def test_a_group_is_given_by_its_members() -> None:
    component = Command("echo ${{inputs.g.x}}", name="c", inputs={"g": TEXT})

    assert errors(job(node("a", component))) == ["jobs.a.inputs"]
    assert errors(job(node("a", component, **{"g.x": "1"}))) == []


# -- values and types


@pytest.mark.parametrize("text", ["true", "false", "True", "False", "TRUE"])
def test_a_boolean_is_written_in_any_case(text: str) -> None:
    flag = Command("echo ${{inputs.b}}", name="c", inputs={"b": ComponentInput("boolean")})

    assert found(job(node("a", flag, b=text))) == []


@pytest.mark.parametrize("text", ["yes", "1", "0", "truee"])
def test_nothing_else_is_one(text: str) -> None:
    """Azure ML tolerates such a value, and refuses such a default."""
    flag = Command("echo ${{inputs.b}}", name="c", inputs={"b": ComponentInput("boolean")})
    default = flag._replace(inputs={"b": ComponentInput("boolean", default=text)})

    assert (errors(job(node("a", flag, b=text))), warnings(job(node("a", flag, b=text)))) == ([], ["jobs.a.inputs.b"])
    assert errors(job(node("a", default))) == ["jobs.a.component.inputs.b.default"]


@pytest.mark.parametrize(
    ("supplied", "declared", "told"),
    [
        ("uri_folder", "uri_folder", None),
        ("mlflow_model", "uri_folder", None),
        ("custom_model", "uri_folder", None),
        ("mlflow_model", "custom_model", "the step gets a folder"),
        ("mlflow_model", "uri_file", "the step gets a folder"),
        ("uri_file", "uri_folder", "the step gets the path of a file"),
        ("uri_folder", "uri_file", "the step gets a folder"),
        ("uri_folder", "mltable", "the step gets a folder"),
    ],
)
def test_data_of_another_type_is_told_but_models_are_folders(supplied: str, declared: str, told: str | None) -> None:
    reader = Command("ls ${{inputs.d}}", name="c", inputs={"d": ComponentInput(declared)})
    writer = Command("c", name="w", outputs={"o": ComponentOutput(supplied)})
    direct = Node("a", reader, inputs={"d": Data("azureml:d:1", supplied)})
    between = node("a", reader, d="${{parent.jobs.w.outputs.o}}")

    for checked in (job(direct), job(between, node("w", writer))):
        messages = [message for _, message, _ in found(checked)]
        assert errors(checked) == []
        assert len(messages) == (told is not None)
        assert all((told or "") in message for message in messages)


# -- outputs


def test_an_output_may_be_written_once() -> None:
    promoted = {"out": JobOutput(binding="${{parent.outputs.z}}")}
    writer = Command("c", name="w", outputs=ONE_OUTPUT)
    nodes = [node(name, writer, promoted) for name in "abc"]

    assert [errors(job(*nodes[:count], outputs=["z"])) for count in (1, 2, 3)] == [
        [],
        ["jobs.b.outputs.out"],
        ["jobs.b.outputs.out"],
    ]


def test_what_the_outer_one_says_of_an_output_counts() -> None:
    """And what it doesn't say the inner one may."""
    writer = Command("c", name="w", outputs=ONE_OUTPUT)
    own = JobOutput(path="own/path", name="own", version="1", mode="upload", binding="${{parent.outputs.z}}")
    inner = nested(node("a", writer, {"out": own}), outputs=["z"])._replace(
        outputs={"z": JobOutput(name="middle", mode="rw_mount", binding="${{parent.outputs.z}}")}
    )
    graph = pipeline(inner, name=None, outputs=["z"])
    job_output = {"z": JobOutput(name="outer")}

    planned = plan(Job(Node("", graph, "pipeline", outputs=job_output, compute="cpu")))

    output = planned.steps["s.a"].outputs["out"]
    assert (output.name, output.mode, output.path, output.version) == ("outer", "rw_mount", "own/path", "1")
    assert output.binding is None


# -- one process of one node


@pytest.mark.parametrize(
    ("resources", "distribution", "told"),
    [
        ({"instance_count": 1}, None, []),
        ({"instance_count": 2}, None, ["jobs.a.resources"]),
        (None, {"type": "pytorch", "process_count_per_instance": 1}, []),
        (None, {"type": "pytorch", "process_count_per_instance": 4}, ["jobs.a.distribution"]),
        (None, {"type": "tensorflow", "worker_count": 2}, ["jobs.a.distribution"]),
        ({"instance_count": 2}, {"type": "mpi", "process_count_per_instance": 1}, ["jobs.a.distribution"]),
        ({"instance_count": "${{parent.inputs.x}}"}, None, []),
        (None, None, []),
    ],
)
@pytest.mark.parametrize("own", [True, False], ids=["of the node", "of the component"])
def test_several_processes_are_told_of(
    resources: dict[str, Any] | None,
    distribution: dict[str, Any] | None,
    told: list[str],
    own: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    fields: dict[str, Any] = {"resources": resources, "distribution": distribution}
    component = Command("c", name="c", **({} if own else fields))
    number = {"x": ComponentInput("integer")}
    checked = job(
        node("a", component)._replace(**(fields if own else {})),
        node("b", NEED, r="${{parent.inputs.x}}"),
        inputs=number,
        x="1",
    )

    assert warnings(checked) == told
    assert errors(checked) == []


# -- compute


def compute_problems(*nodes: Node, compute: str | None = None, default: str | None = None) -> list[Problem]:
    checked = Job(Node("", Pipeline({each.name: each for each in nodes}), "pipeline", compute=compute))
    checked = checked._replace(settings=checked.settings._replace(default_compute=default))
    return [problem for problem in check(checked).problems if "compute" in problem.message]


def test_a_pipeline_s_steps_need_some_compute() -> None:
    """Azure ML refuses a job without; here it makes no difference."""
    bare, own = Node("a", Command("c", name="c")), Node("b", Command("c", name="c"), compute="cpu")
    inner = Node("s", Pipeline({"a": bare}, "inner"), "pipeline")

    (problem,) = compute_problems(own, bare)
    assert (problem.path, problem.warning, problem.refused) == ("jobs.a", True, True)
    assert [problem.path for problem in compute_problems(inner)] == ["jobs.s"]
    assert compute_problems(own) == compute_problems(bare, compute="cpu") == compute_problems(bare, default="cpu") == []
    assert "a, c, d and others" in compute_problems(*(bare._replace(name=name) for name in "acde"))[0].message
