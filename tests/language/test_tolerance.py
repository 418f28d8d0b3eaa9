"""What the SDK takes is taken, and what it refuses refused: keys whose rules are no one else's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from creditml.check import check
from creditml.nodes.specs import read_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COMMAND = "command: echo\nenvironment: azureml:e:1\n"
PIPELINE = "type: pipeline\nsettings: {default_compute: serverless}\n"
INNER = (
    "type: pipeline\ninputs: {n: {type: integer}}\n"
    "jobs: {a: {component: ./c.yml, inputs: {n: '${{parent.inputs.n}}'}}}\n"
)
OPTIONAL = f"{COMMAND}inputs: {{n: {{type: integer, optional: true}}}}\n"
TAKEN = {
    "a service of a type of its own": f"{COMMAND}services: {{a: {{type: mine}}}}\n",
    "a service's type in capitals": f"{COMMAND}services: {{a: {{type: SSH, ssh_public_keys: k, nodes: all}}}}\n",
    "a service without a type": f"{COMMAND}services: {{a: {{log_dir: logs, port: 3}}}}\n",
    "a mode of mltables without a type": f"{COMMAND}inputs: {{d: {{path: 'azureml:d:1', mode: eval_mount}}}}\n",
    "labels of a node that are no texts": PIPELINE
    + "jobs: {a: {component: ./c.yml, display_name: 2024, description: , tags: {year: 2024, x: }}}\n",
    "labels of a pipeline node": PIPELINE
    + "jobs: {a: {type: pipeline, component: ./p.yml, display_name: 2024, tags: , inputs: {n: 1}}}\n",
    "a job's pipeline without what only optional inputs take": f"{PIPELINE}component: ./p.yml\n",
}
REFUSED = {
    "a key of another service": f"{COMMAND}services: {{a: {{type: vs_code, log_dir: logs}}}}\n",
    "some nodes for a service": f"{COMMAND}services: {{a: {{type: ssh, nodes: '1'}}}}\n",
    "an output of a command job that is bound": f"{COMMAND}outputs: {{o: '${{{{parent.outputs.o}}}}'}}\n",
    "a mode of mltables for a folder": COMMAND
    + "inputs: {d: {type: uri_folder, path: 'azureml:d:1', mode: eval_mount}}\n",
    "labels of a node in place": PIPELINE
    + "jobs: {a: {command: echo, environment: 'azureml:e:1', display_name: 2024}}\n",
    "a node's pipeline without what only optional inputs take": PIPELINE
    + "jobs: {a: {type: pipeline, component: ./p.yml}}\n",
}


@pytest.fixture(scope="module")
def load_job() -> Iterator[Callable[[Path], Any]]:
    """The SDK's own."""
    logging.disable(logging.WARNING)
    from azure.ai.ml import load_job

    yield load_job
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("case", [*TAKEN, *REFUSED])
@pytest.mark.filterwarnings("ignore")
def test_a_job_is_taken_if_the_sdk_takes_it(case: str, load_job: Callable[[Path], Any], tmp_path: Path) -> None:
    file = tmp_path / "job.yml"
    file.write_text({**TAKEN, **REFUSED}[case], encoding="utf-8")
    (tmp_path / "c.yml").write_text(OPTIONAL, encoding="utf-8")
    (tmp_path / "p.yml").write_text(INNER, encoding="utf-8")

    assert sdk_takes(file, load_job) == (case in TAKEN)
    assert problems(file) == [] if case in TAKEN else problems(file) != []


def problems(file: Path) -> list[str]:
    """The errors that we find."""
    reading = read_job(file)
    found = [*reading.problems, *(check(reading.job, whole=False).problems if reading.job else ())]
    return [str(problem) for problem in found if not problem.warning]


def sdk_takes(file: Path, load_job: Callable[[Path], Any]) -> bool:
    """Whether the SDK loads and validates it."""
    from azure.ai.ml.exceptions import ValidationException
    from marshmallow import ValidationError

    try:
        return not load_job(file)._validate().error_messages
    except (ValidationError, ValidationException):
        return False
