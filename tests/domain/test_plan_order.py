"""Steps wait for others without reading them: for inputs that a pipeline does not use, `on_init` and `on_finalize`."""

from __future__ import annotations

import pytest
from small_jobs import FOLDER, NEED, TEXT, job, nested, node

from creditml.check import check
from creditml.engine.schedule import Schedule
from creditml.model import Job, Settings
from creditml.plan import plan


def first_steps(checked: Job) -> list[str]:
    """The steps that can start at once."""
    schedule, ready = Schedule(plan(checked)), []
    while (step := schedule.take()) is not None:
        ready.append(step)
    return ready


def test_a_pipeline_waits_for_inputs_that_nothing_in_it_uses() -> None:
    deeper = nested(node("c"), inputs={"unused": FOLDER})._replace(name="deeper")
    given = deeper._replace(inputs=nested(unused="${{parent.inputs.x}}").inputs)
    passing = nested(node("b"), given, inputs={"x": FOLDER, "y": FOLDER._replace(optional=True)})
    later = passing._replace(inputs=nested(x="${{parent.jobs.a.outputs.out}}").inputs)
    planned = job(node("a"), later)

    assert check(planned).problems[0].warning
    assert first_steps(planned) == ["a", "s.b"]  # `b` is beside the pipeline that the input is for
    assert plan(planned).steps["s.deeper.c"].after == (("a", False),)

    nowhere = nested(node("b"), inputs={"x": FOLDER})._replace(inputs=later.inputs)
    assert first_steps(job(node("a"), nowhere)) == ["a"]


def set_up(*nodes: str, **others: str) -> Job:
    made = job(*(node(name) for name in nodes))
    return made._replace(settings=Settings(others=others))


def test_on_init_comes_first_and_on_finalize_last_even_after_a_failure() -> None:
    planned = plan(set_up("last", "a", "b", "first", on_init="first", on_finalize="last"))
    schedule = Schedule(planned)

    assert list(planned.steps) == ["first", "a", "b", "last"]
    assert [schedule.take(), schedule.take()] == ["first", None]
    schedule.ended("first", well=True)
    assert [schedule.take(), schedule.take(), schedule.take()] == ["a", "b", None]
    schedule.ended("a", well=False)
    schedule.ended("b", well=True)
    assert schedule.take() == "last"


@pytest.mark.parametrize(
    ("checked", "path", "message"),
    [
        (set_up("a", on_init="b"), "settings.on_init", "There is no node 'b'"),
        (set_up("a", "b", on_init="a", on_finalize="a"), "settings.on_finalize", "must name different nodes"),
        (set_up("a", "b", on_init="a", on_finalize="b"), "jobs", "needs another node"),
        (
            job(node("a"), node("b", data="${{parent.jobs.a.outputs.out}}"))._replace(
                settings=Settings(others={"on_finalize": "b"})
            ),
            "settings.on_finalize",
            "can't be connected",
        ),
    ],
)
def test_these_nodes_are_checked_as_the_sdk_does(checked: Job, path: str, message: str) -> None:
    found = [(problem.path, problem.message) for problem in check(checked).problems if not problem.warning]

    assert [place for place, _ in found] == [path]
    assert message in found[0][1]


def test_settings_of_nodes_take_values_of_inputs_of_the_pipeline() -> None:
    bound = node("a", NEED, r="x")._replace(
        environment_variables={"LEVEL": "<${{parent.inputs.n}}>", "ONE": "${{parent.inputs.n}}"},
        limits={"timeout": "${{parent.inputs.n}}"},
        resources={"instance_count": "${{parent.inputs.n}}", "properties": {"x": ["${{parent.inputs.n}}"]}},
    )
    whole = node("b", NEED, r="x")._replace(environment_variables="${{parent.inputs.all}}")
    inner = nested(bound, whole, inputs={"n": TEXT, "all": TEXT})._replace(
        inputs=nested(n="${{parent.inputs.n}}", all='{"A": "b"}').inputs
    )
    checked = check(job(inner, inputs={"n": TEXT}, n="3"))

    assert [problem.message for problem in checked.problems if not problem.warning] == []
    assert checked.plan
    settled = checked.plan.steps["s.a"].node
    assert settled.environment_variables == {"LEVEL": "<3>", "ONE": "3"}
    assert settled.timeout == 3
    assert settled.resources == {"instance_count": 3, "properties": {"x": [3]}}
    assert checked.plan.steps["s.b"].node.variables == {"A": "b"}


@pytest.mark.parametrize(
    ("fields", "path", "warning"),
    [
        ({"environment_variables": "${{parent.inputs.nope}}"}, "environment_variables", False),
        ({"environment_variables": "${{parent.inputs.text}}"}, "environment_variables", False),
        ({"environment_variables": {"X": "${{parent.inputs.nope}}"}}, "environment_variables.X", True),
        ({"environment_variables": {"X": "${{parent.jobs.b.outputs.out}}"}}, "environment_variables.X", True),
        ({"limits": {"timeout": "${{parent.jobs.b.outputs.out}}"}}, "limits.timeout", False),
    ],
)
def test_a_setting_without_a_value_is_told(fields: dict[str, object], path: str, warning: bool) -> None:  # noqa: FBT001  a parameter of the test
    bound = node("a", NEED, r="${{parent.inputs.text}}")._replace(**fields)  # type: ignore[arg-type]  any field
    found = check(job(bound, node("b"), inputs={"text": TEXT}, text="x")).problems

    told = [problem for problem in found if problem.path.startswith("jobs.a.") and "optional" not in problem.message]
    assert told
    assert told[0].path.startswith(f"jobs.a.{path}")
    assert told[0].warning is warning
