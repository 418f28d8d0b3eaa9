"""The plan of a recorded job: its steps, as they were bound and ordered when it was submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.nodes.specs import read_job_dict
from creditml.plan import plan

if TYPE_CHECKING:
    from creditml.plan import Plan
    from creditml.workspace.records import JobRecord


def recorded_plan(record: JobRecord) -> Plan:
    """Plan a job again from the spec that was recorded of it; `record` is the root's."""
    return plan(read_job_dict(record.spec))
