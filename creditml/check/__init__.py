"""The check: finds all problems of a job at once, before anything runs.

Severity follows Azure ML: what it refuses at load, validation or submission is an error, and what it tolerates is a
warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from creditml.check.effects import without_effect
from creditml.check.graph import Graph
from creditml.check.values import Values
from creditml.findings import Findings
from creditml.graph import count_steps
from creditml.model import Component, Job, Node, Source
from creditml.plan import Cycle, Plan, draft, plan

if TYPE_CHECKING:
    from creditml.errors import Problem


_MOST_STEPS = 100_000
"""A few small files can make a graph of any size, since components can use each other."""


class CheckResult(NamedTuple):
    """The result of a check.

    Attributes:
        problems: The problems of the job.
        plan: Its plan; None if a problem is an error.
        draft: What could be planned in any case, for further checks; None if the job's component is unknown.
    """

    problems: tuple[Problem, ...]
    plan: Plan | None
    draft: Plan | None


def check(job: Job, *, whole: bool = True) -> CheckResult:
    """Check a job whose component references have been resolved.

    Args:
        job: The job.
        whole: Whether the job was read and resolved without errors. If not, what is left of it is checked.
    """
    findings = Findings(job)
    steps = count_steps(job.root)
    if steps > _MOST_STEPS:
        message = (
            f"The job has {steps:,} steps, and at most {_MOST_STEPS:,} can be run; use nested components fewer times."
        )
        findings.error(("jobs",), message)
        return CheckResult(tuple(findings.problems), None, None)
    values = Values(findings)
    Graph(findings, values).root()
    if isinstance(job.root.component, str):
        return CheckResult(tuple(findings.problems), None, None)
    without_effect(findings)
    planned = _planned(job, findings, whole=whole)
    drafted = not whole or findings.failed
    for step in planned.steps.values():
        values.step(step, drafted=drafted)
        if not drafted:
            values.settings(step)
    return CheckResult(tuple(findings.problems), planned if whole and not findings.failed else None, planned)


def _planned(job: Job, findings: Findings, *, whole: bool) -> Plan:
    """The job's plan, or a draft of it if there are errors."""
    if not whole or findings.failed:
        return draft(job)
    try:
        return plan(job)
    except Cycle as cycle:
        findings.error(("jobs",), f"Steps wait for each other: {cycle}.")
        return draft(job)


def check_component(component: Component, source: Source | None = None) -> tuple[Problem, ...]:
    """Check a component by itself; `source` gives the positions of key paths in its file."""
    findings = Findings(Job(Node("", component, component.type), source=source))
    Graph(findings, Values(findings)).component(component, ())
    return tuple(findings.problems)
