"""From a job that is ready to one in Azure ML, recorded in the local workspace: sent once, whatever gets lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.entry_points import AZURE
from creditml.errors import BackendError, BackendUnavailable, Conflict, NotFound, SpecError
from creditml.submission.freezing import freeze
from creditml.submission.submit import new_record
from creditml.workspace.records import PAGE, TARGET
from creditml_azureml.attempts import Attempt, Interrupted, attempt
from creditml_azureml.errors import mapped, quietly
from creditml_azureml.record import refuse_taken_name
from creditml_azureml.registering import register
from creditml_azureml.sdk_jobs import sdk_job

if TYPE_CHECKING:
    from creditml.model import Job
    from creditml.seams.executor import Prepared
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord
    from creditml_azureml.cloud import Cloud


def submit(prepared: Prepared, workspace: Workspace, cloud: Cloud) -> tuple[JobRecord, list[str]]:
    """Submit a job, and record it in the local workspace; returns its record and messages for the user.

    A submission that was cut off is continued, under the name that it had.

    Raises:
        Conflict: the name is taken, in Azure ML or in the local workspace.
        Interrupted: Ctrl-C when the job may have arrived.
        BackendUnavailable: there is no connection; the message says whether the job may have arrived.
    """
    workspace.create()
    if prepared.job.name:
        refuse_taken_name(workspace, prepared.job.name, cloud.target)
    frozen = freeze(prepared.plan.job._replace(name=prepared.job.name), workspace)
    with attempt(workspace.root, cloud.target.id, frozen) as tried:
        name, resumed = tried.name, tried.resumed
        messages = register(prepared.job, workspace, cloud)
        there = (resumed or prepared.job.name is not None) and _exists(cloud, name)
        if there and not resumed:
            message = f"Azure ML has a job named '{name}' already; names are unique in a workspace. Choose another."
            raise Conflict(message)
        if there:
            messages.append(
                f"{name} had reached Azure ML when its submission was cut off; this submission continues it."
            )
        tried.sent = there
        try:
            page = cloud.jobs.page(name) if there else _send(cloud, prepared.job, tried)
            record = _record(workspace, cloud, new_record(frozen, name, AZURE), page)
        except KeyboardInterrupt:
            if tried.sent:
                raise Interrupted(name) from None
            raise
    return record, [*messages, f"Studio: {page}"]


def _record(workspace: Workspace, cloud: Cloud, record: JobRecord, page: str) -> JobRecord:
    record = record._replace(properties={**record.properties, PAGE: page, TARGET: cloud.target.id})
    try:
        workspace.jobs.add(record)
    except Conflict:  # an earlier attempt has recorded it
        return workspace.jobs.get(record.name)
    return record


def _send(cloud: Cloud, job: Job, tried: Attempt) -> str:
    """Send a job, and return its page; `tried.sent` tells at any moment whether the job may have arrived."""
    name = tried.name
    with sdk_job(job, name) as entity:
        tried.sent = True
        try:
            with mapped(f"submitting the job '{name}'"), quietly():
                made = cloud.client.jobs.create_or_update(entity)
        except SpecError:
            tried.sent = False
            raise
        except (BackendError, Conflict):  # the SDK sends again if an answer is lost, and then the job's name is taken
            tried.sent = _arrived(cloud, name)
            if not tried.sent:
                raise
            return cloud.jobs.page(name)
    return str(made.studio_url or "")


def _exists(cloud: Cloud, name: str) -> bool:
    try:
        cloud.jobs.get_run(name)
    except NotFound:
        return False
    return True


def _arrived(cloud: Cloud, name: str) -> bool:
    """Whether a job whose submission has failed is in Azure ML all the same: only the answer was lost then.

    Raises:
        BackendUnavailable: that can't be asked.
    """
    try:
        return _exists(cloud, name)
    except BackendError as error:
        message = (
            f"{error}\nIt isn't known whether the job '{name}' reached Azure ML. Run the same command again when "
            "there is a connection: it continues this submission, and doesn't submit the job twice."
        )
        raise BackendUnavailable(message) from None
