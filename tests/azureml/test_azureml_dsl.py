"""One pipeline of the SDK goes to two workspaces, in one process, and each sees none of the other's ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import creditml
from creditml.errors import CreditMLError
from creditml.service.restoring import workspace_id

if TYPE_CHECKING:
    from pathlib import Path

    from azure.ai.ml.entities import PipelineJob
    from azure_side import Served


@pytest.fixture
def pipeline(signed_in: Path) -> PipelineJob:
    from dsl_pipeline import make

    return make(signed_in)


@pytest.mark.parametrize("order", [("local", "azureml"), ("azureml", "local")])
def test_a_pipeline_goes_to_both_and_carries_no_ids_of_the_one_into_the_other(
    pipeline: PipelineJob, order: tuple[str, str], azure: Served
) -> None:
    clients = {name: creditml.connect(name, show_progress=False) for name in order}
    ids = {name: workspace_id(client) for name, client in clients.items()}
    assert ids["local"] != ids["azureml"]
    for name in order:
        clients[name].jobs.create_or_update(pipeline)
        job = clients[name].jobs.create_or_update(pipeline)
        other = ids["local" if name == "azureml" else "azureml"]
        raw = json.dumps(clients[name].jobs._get_job_2401(job.name).as_dict()).lower()
        assert ids[name].rstrip("/") in raw
        assert other.rstrip("/") not in raw
        clients[name].jobs.stream(job.name)
        assert clients[name].jobs.get(job.name).status == "Completed"
    assert azure.json("job", "list", "--query", "[0].experiment_name") == "both"


def test_what_was_submitted_is_as_it_was(pipeline: PipelineJob) -> None:
    before = str(pipeline)
    client = creditml.connect("local", show_progress=False)
    client.jobs.create_or_update(pipeline)
    assert str(pipeline) == before
    from azure.ai.ml.entities import Data

    data = Data(name="words", type="uri_file", path="words.txt")
    path = data.path
    client.data.create_or_update(data)
    assert (data.version, data.path) == (None, path)


def test_what_a_workspace_has_answered_with_is_not_for_another(pipeline: PipelineJob) -> None:
    local, cloud = creditml.connect("local", show_progress=False), creditml.connect("azureml", show_progress=False)
    job = local.jobs.create_or_update(pipeline)
    with pytest.raises(CreditMLError, match="another workspace"):
        cloud.jobs.create_or_update(job)
