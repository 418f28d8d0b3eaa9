"""The plan of a recorded job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.nodes.specs import read_job_dict
from creditml.plan import plan

if TYPE_CHECKING:
    from creditml.plan import Plan
    from creditml.workspace.records import JobRecord


def recorded_plan(record: JobRecord) -> Plan:
    """Make the plan of a job again, from its recorded spec; `record` is that of the whole job, not of a step."""
    return plan(read_job_dict(record.spec))
