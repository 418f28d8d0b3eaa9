"""What Azure ML would refuse of a job, as far as the job alone shows it: no connection is needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from creditml.findings import Findings
from creditml.graph import commands, walk
from creditml.model import Data, Environment
from creditml.references import is_reference, parse_reference
from creditml_azureml.uploads import code_problems, context_problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from creditml.errors import Problem
    from creditml.model import Job, Node
    from creditml.workspace import Workspace


class NoCloud:
    """Stands for Azure ML where it can't be asked for components; see `creditml.submission.resolving.Elsewhere`."""

    def component(self, reference: str) -> None:
        """Leave a reference as it is: nothing is known of the component."""


_LONGEST = 255
"""Characters of most names in Azure ML. The limit of these two isn't documented, so that exceeding it is a warning."""


def as_severe_as_azure(problems: Sequence[Problem]) -> list[Problem]:
    """Problems with Azure ML's severity: what it refuses is an error, though it would run on this machine."""
    return [problem._replace(warning=problem.warning and not problem.refused) for problem in problems]


def unresolved(node: Node) -> bool:
    """Whether a component of a node, at any depth, is still a reference, since it couldn't be asked for."""
    return any(isinstance(visit.node.component, str) for visit in walk(node))


def offline_problems(job: Job, workspace: Workspace) -> list[Problem]:
    """Problems that only Azure ML has with a job; those of the reader and the check are not repeated.

    Args:
        job: the job, its references to components resolved as far as they are known.
        workspace: the local one, which is left out of uploads.
    """
    findings = Findings(job)
    _names(findings, job)
    _versions(findings, job.root)
    seen: set[tuple[object, ...]] = set()
    for component, path in commands(job.root):
        if component.code and not is_reference(component.code):
            key: tuple[object, ...] = (component.code, component.additional_includes)
            if key not in seen:
                seen.add(key)
                code_problems(findings, (*path, "code"), component, workspace)
        environment = component.environment
        build = environment.build if isinstance(environment, Environment) else None
        if build and os.path.isabs(build.path) and (build.path,) not in seen:
            seen.add((build.path,))
            context_problems(findings, (*path, "environment", "build"), build, workspace)
    return findings.problems


def _names(findings: Findings, job: Job) -> None:
    for key, value in (("experiment_name", job.experiment_name), ("display_name", job.display_name)):
        if value and len(value) > _LONGEST:
            findings.warn((key,), f"The {key} has {len(value)} characters; Azure ML's names have at most {_LONGEST}.")


def _versions(findings: Findings, root: Node) -> None:
    """Data without a version or a label, which the SDK refuses."""
    for node, path, _ in walk(root):
        for name, value in node.inputs.items():
            reference = parse_reference(value.path) if isinstance(value, Data) else None
            if isinstance(value, Data) and reference and not reference.version and not reference.label:
                mend = f"write {value.path}@latest or {value.path}:<version>"
                findings.error((*path, "inputs", name, "path"), f"{value.path} has no version; {mend}.")
