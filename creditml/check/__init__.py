"""The check: finds all problems of a job at once, before anything runs.

Severity follows Azure ML: what it refuses at load, validation or submission is an error, and what it tolerates is a
warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from creditml.check.graph import Graph
from creditml.check.values import Values
from creditml.findings import Findings
from creditml.model import Component, Job, Node, Source
from creditml.plan import Cycle, Plan, plan

if TYPE_CHECKING:
    from creditml.errors import Problem


class CheckResult(NamedTuple):
    """The problems of a job, and its plan, which is None if a problem is an error."""

    problems: tuple[Problem, ...]
    plan: Plan | None


def check(job: Job, *, whole: bool = True) -> CheckResult:
    """Check a job whose component references have been resolved.

    Args:
        job: The job.
        whole: Whether the job was read completely. If not, it has errors already, and only its graph is checked.
    """
    findings = Findings(job)
    values = Values(findings)
    Graph(findings, values).root()
    if not whole or findings.failed:
        return CheckResult(tuple(findings.problems), None)
    try:
        planned = plan(job)
    except Cycle as cycle:
        findings.error(("jobs",), f"Steps wait for each other: {cycle}.")
        return CheckResult(tuple(findings.problems), None)
    for step in planned.steps.values():
        values.step(step)
    return CheckResult(tuple(findings.problems), None if findings.failed else planned)


def check_component(component: Component, source: Source | None = None) -> tuple[Problem, ...]:
    """Check a component by itself; `source` gives the positions of key paths in its file."""
    findings = Findings(Job(Node("", component, component.type), source=source))
    Graph(findings, Values(findings)).component(component, ())
    return tuple(findings.problems)
