"""The check finds each kind of mistake where it is (that it passes nothing else: test_plan.py)."""

from __future__ import annotations

import pytest
from plans import holds
from small_jobs import NEED, TEXT, job, nested, node

from creditml.check import check, check_component
from creditml.model import Command, ComponentInput, Job, JobOutput

CHOOSE = Command("c", name="choose", inputs={"e": TEXT._replace(enum=("p", "q"))})
READ_FILE = Command("c", name="read_file", inputs={"data": ComponentInput("uri_file")})
PROMOTED = {"out": JobOutput(binding="${{parent.outputs.z}}")}
STRAY = {"stray": JobOutput(binding="${{parent.outputs.z}}")}


MISTAKES: dict[str, tuple[Job, str, str]] = {
    "an input that the pipeline hasn't": (
        job(node(text="${{parent.inputs.x}}")),
        "jobs.a.inputs.text",
        "no input 'x'",
    ),
    "a node that isn't there": (
        job(node(data="${{parent.jobs.b.outputs.out}}")),
        "jobs.a.inputs.data",
        "no node 'b'",
    ),
    "an output that a node hasn't": (
        job(node(data="${{parent.jobs.b.outputs.o}}"), node("b")),
        "jobs.a.inputs.data",
        "no output 'o'",
    ),
    "an input that a node hasn't": (
        job(node(text="${{parent.jobs.b.inputs.o}}"), node("b")),
        "jobs.a.inputs.text",
        "no input 'o'",
    ),
    "a node that waits for itself": (
        job(node(data="${{parent.jobs.a.outputs.out}}")),
        "jobs.a.inputs.data",
        "a -> a",
    ),
    "nodes that wait for each other": (
        job(node(data="${{parent.jobs.b.outputs.out}}"), node("b", data="${{parent.jobs.a.outputs.out}}")),
        "jobs.a.inputs.data",
        "wait for each other",
    ),
    "an input that takes itself": (
        job(node(text="${{parent.jobs.a.inputs.text}}")),
        "jobs.a.inputs.text",
        "a.text",
    ),
    "inputs that take each other": (
        job(node(text="${{parent.jobs.b.inputs.text}}"), node("b", text="<${{parent.jobs.a.inputs.text}}>")),
        "jobs.a.inputs.text",
        "b.text",
    ),
    "a node without a name": (
        job(node(text="${{parent.jobs..inputs.x}}"), inputs={"x": TEXT}, x="1"),
        "jobs.a.inputs.text",
        "can't be used in a node's input",
    ),
    "a binding without its context": (
        job(node(text="${{inputs.x}}"), inputs={"x": TEXT}, x="1"),
        "jobs.a.inputs.text",
        "${{parent.inputs.x}}",
    ),
    "an output of the pipeline as an input": (
        job(node(text="${{parent.outputs.z}}"), outputs=["z"]),
        "jobs.a.inputs.text",
        "can't be an input",
    ),
    "an output that the pipeline hasn't": (
        job(node(outputs=PROMOTED)),
        "jobs.a.outputs.out",
        "no output 'z'",
    ),
    "an output that two write": (
        job(node(outputs=PROMOTED), node("b", outputs=PROMOTED), outputs=["z"]),
        "jobs.b.outputs.out",
        "several nodes",
    ),
    "an output of a pipeline that no node in it writes": (
        job(nested(node(), outputs=["z"]), node("b", data="${{parent.jobs.s.outputs.z}}")),
        "jobs.b.inputs.data",
        "z",
    ),
    "a number out of range": (job(node(n="10")), "jobs.a.inputs.n", "out of range"),
    "a text for an integer": (job(node(n="x")), "jobs.a.inputs.n", "not an integer"),
    "a literal for a folder": (job(node(data="x")), "jobs.a.inputs.data", "literal"),
    "a required input that isn't given": (job(node(component=NEED)), "jobs.a.inputs", "'r'"),
    "a required input of the job that isn't given": (job(node(), inputs={"r": TEXT}), "inputs", "'r'"),
    "a required input that takes an absent one": (
        job(node(component=NEED, r="${{parent.jobs.b.inputs.o}}"), node("b", NEED, r="x")),
        "jobs.a.inputs.r",
        "'r'",
    ),
    "an optional input of a pipeline for a required one": (
        job(nested(node(component=NEED, r="${{parent.inputs.x}}"), inputs={"x": TEXT._replace(optional=True)})),
        "jobs.s.component.inputs.x",
        "optional",
    ),
    "no jobs": (job(), "jobs", "no jobs"),
    "a binding at the top": (
        job(node(), inputs={"r": TEXT}, r="${{parent.inputs.x}}"),
        "inputs.r",
        "has no parent",
    ),
    "a mistake in a pipeline component": (
        job(nested(node(text="${{parent.inputs.x}}"))),
        "jobs.s.component.jobs.a.inputs.text",
        "no input 'x'",
    ),
    "a number out of the range of an inner input": (
        job(nested(node(n="${{parent.inputs.x}}"), inputs={"x": ComponentInput("integer")}, x="99")),
        "jobs.s.inputs.x",
        "out of range",
    ),
    "an undeclared input in a command": (
        job(node(component=Command("${{inputs.x}}", name="c"))),
        "jobs.a.component.command",
        "no input 'x'",
    ),
    "the wrong context in a command": (
        job(node(component=Command("${{parent.inputs.x}}"))),
        "jobs.a.component.command",
        "can't be used in a command",
    ),
}
TOLERATED: dict[str, tuple[Job, str, str]] = {
    "an undeclared input": (job(node(stray="1")), "jobs.a.inputs.stray", "ignores it"),
    "an undeclared output": (job(node(outputs={"stray": JobOutput()})), "jobs.a.outputs.stray", "ignores it"),
    "an undeclared output, promoted": (job(node(outputs=STRAY), outputs=["z"]), "jobs.a.outputs.stray", "ignores it"),
    "an output that nobody writes": (job(node(), outputs=["z"]), "outputs.z", "No node writes"),
    "a value that bash would split": (job(node(text="a b")), "jobs.a.inputs.text", "bash"),
    "a value that isn't in the enum": (job(node(component=CHOOSE, e="pp")), "jobs.a.inputs.e", "'p'"),
    "a folder for a file": (
        job(node(component=READ_FILE, data="${{parent.jobs.b.outputs.out}}"), node("b")),
        "jobs.a.inputs.data",
        "uri_file",
    ),
    "an optional input outside of a block": (job(node()), "jobs.a.component.command", "optional"),
}
LEFT_TO_BASH: dict[str, tuple[Job, str, str]] = {
    "an expression as a default": (
        job(
            node(
                component=Command("echo ${{inputs.x}}", name="c", inputs={"x": TEXT._replace(default="${{inputs.y}}")})
            )
        ),
        "jobs.a.component.inputs.x.default",
        "bad substitution",
    ),
    "an expression that is none, as a value": (
        job(node(component=NEED, r="${{parent inputs x}}")),
        "jobs.a.inputs.r",
        "not a binding",
    ),
    "an expression that is none, in a command": (
        job(node(component=Command("echo ${{inputs x}}", name="c"))),
        "jobs.a.component.command",
        "${{inputs x}}",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_an_error_at_its_key(name: str) -> None:
    wrong, path, word = MISTAKES[name]
    checked = check(wrong)

    errors = [(problem.path, problem.message) for problem in checked.problems if not problem.warning]
    assert checked.plan is None
    assert any(where == path and word in message for where, message in errors), errors


@pytest.mark.parametrize("name", TOLERATED)
def test_what_azure_ml_tolerates_is_a_warning_and_can_be_run(name: str) -> None:
    odd, path, word = TOLERATED[name]
    checked = check(odd)

    assert any(problem.path == path and word in problem.message for problem in checked.problems), checked.problems
    assert all(problem.warning for problem in checked.problems)
    assert checked.plan
    holds(checked.plan)


@pytest.mark.parametrize("name", LEFT_TO_BASH)
def test_what_is_left_to_bash_as_a_bad_substitution_is_told_once(name: str) -> None:
    odd, path, word = LEFT_TO_BASH[name]

    (problem,) = check(odd).problems

    assert problem.warning
    assert problem.path == path
    assert word in problem.message
    assert "bad substitution" in problem.message


def test_inputs_may_be_taken_both_ways_as_long_as_none_takes_itself() -> None:
    crossed = job(node(text="${{parent.jobs.b.inputs.text}}"), node("b", text="t", n="${{parent.jobs.a.inputs.n}}"))

    planned = check(crossed).plan

    assert planned
    holds(planned)


def test_nobody_knows_what_lies_below_an_output() -> None:
    below = job(node(component=READ_FILE, data="${{parent.jobs.b.outputs.out}}/s/f.txt"), node("b"))

    assert [problem.message for problem in check(below).problems if "uri_file" in problem.message] == []


def test_a_component_used_twice_is_checked_once() -> None:
    bad = Command("${{inputs.x}}", name="bad")

    assert len(check(job(node("a", bad), node("b", bad))).problems) == 1


def test_a_component_is_checked_by_itself() -> None:
    (problem,) = check_component(Command("${{inputs.x}}", name="bad"))

    assert not problem.warning
    assert problem.path == "command"


# -- what a shell would make of a value

UNQUOTED = ["echo {}", r"echo \"{}\"", r"echo '\'{}", r"""echo "\\"{}""", """echo "'"{}""", "echo '\"'{}", "echo x{}y"]
IN_DOUBLE = ['echo "{}"', r"""echo "\"{}\"" """, r"""echo "\\\"{}" """, """echo "'{}'" """, "echo '' \"a {} b\""]
IN_SINGLE = ["echo '{}'", "echo '\"{}\"'", r"echo '\{}'", r"""echo "\"" '{}'"""]
HARMS: dict[str, tuple[list[str], str, str]] = {
    "unquoted": (UNQUOTED, "a b", "plain"),
    "unquoted, empty": (UNQUOTED[:1], "", "plain"),
    "unquoted, quote": (UNQUOTED, "it's", "a-b_c.d,e/f=1"),
    "double quotes": (IN_DOUBLE, 'a"b', "a b"),
    "double quotes, dollar": (IN_DOUBLE, "$HOME", "it's; # ~ * ?"),
    "double quotes, backslash": (IN_DOUBLE, "a\\b", ""),
    "double quotes, backtick": (IN_DOUBLE, "`id`", "a|b&c<d>e(f)g"),
    "single quotes": (IN_SINGLE, "it's", '$HOME `id` "x" \\'),
}
COMMANDS = [(command, harmful, harmless) for commands, harmful, harmless in HARMS.values() for command in commands]


def warned(command: str, value: str) -> list[str]:
    """What is said of a value in a command."""
    component = Command(command.format("${{inputs.x}}"), name="c", inputs={"x": TEXT})
    checked = check(job(node(component=component, x=value)))
    assert checked.plan
    return [problem.message for problem in checked.problems if problem.path == "jobs.a.inputs.x"]


@pytest.mark.parametrize(("command", "harmful", "harmless"), COMMANDS)
def test_quotes_and_backslashes_are_read_as_bash_does(command: str, harmful: str, harmless: str) -> None:
    (message,) = warned(command, harmful)

    assert "special to bash" in message or "leaves out the argument" in message
    assert warned(command, harmless) == []


# -- limits


def limited(value: str, kind: str, **limits: str) -> list[str]:
    component = Command("echo '${{inputs.n}}'", name="c", inputs={"n": ComponentInput(kind, **limits)})
    problems = check(job(node(component=component, n=value))).problems
    assert all(not problem.warning for problem in problems)
    return [problem.message for problem in problems]


@pytest.mark.parametrize(
    ("kind", "low", "high", "within", "beyond"),
    [
        ("integer", "1", "9", ["1", "5", "9", "9.0"], ["0", "10", "-1"]),
        ("number", "0.5", "1.5", ["0.5", "1", "1.5", "15e-1"], ["0.49", "1.51", "inf"]),
        ("number", "-2", "-1", ["-2", "-1"], ["-2.1", "-0.9", "0"]),
        ("integer", "0", "0", ["0"], ["1", "-1"]),
    ],
)
def test_min_and_max_are_within_the_limits(
    kind: str, low: str, high: str, within: list[str], beyond: list[str]
) -> None:
    assert [limited(value, kind, min=low, max=high) for value in within] == [[]] * len(within)
    for value in beyond:
        (message,) = limited(value, kind, min=low, max=high)
        assert f"'{value}' is out of range" in message
        assert f"at least {low} and at most {high}" in message


def test_one_limit_alone_is_one() -> None:
    assert limited("9", "integer", max="9") == limited("-5", "integer", max="9") == []
    assert limited("1", "integer", min="1") == limited("500", "integer", min="1") == []
    assert [len(limited("10", "integer", max="9")), len(limited("0", "integer", min="1"))] == [1, 1]


@pytest.mark.parametrize(("default", "warnings"), [("9", 0), ("10", 1)])
def test_a_default_out_of_range_is_a_warning(default: str, warnings: int) -> None:
    component = Command("c", name="c", inputs={"n": ComponentInput("integer", default=default, max="9")})

    problems = check_component(component)

    assert [problem.warning for problem in problems] == [True] * warnings
