"""What our reader makes of a file is what the genuine SDK sends for it.

Both are brought into the terms of the SDK's requests (wire.py).
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from differences import differences, with_files_made
from generated_jobs import jobs
from hypothesis import Phase, assume, given, settings
from wire import acceptable, received, sent

from creditml.check import check
from creditml.nodes.specs import read_job, write_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from creditml.model import Job

pytestmark = pytest.mark.takes(30)

CORPUS = Path(__file__).parents[1] / "corpus" / "valid"
EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted([*CORPUS.glob("*/pipeline.yml"), *CORPUS.glob("*/job.yml"), *EXAMPLES.glob("*/pipeline.yml")])


@pytest.fixture(scope="module")
def load_job() -> Iterator[Callable[[Path], Any]]:
    """The SDK's own; importing it costs seconds."""
    logging.disable(logging.WARNING)
    from azure.ai.ml import load_job

    yield load_job
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("file", FILES, ids=[file.parent.name for file in FILES])
@pytest.mark.filterwarnings("ignore")
def test_our_job_is_what_the_sdk_sends(file: Path, load_job: Callable[[Path], Any], tmp_path: Path) -> None:
    case = with_files_made(file, tmp_path)
    reading = read_job(case)

    assert [str(problem) for problem in reading.problems if not problem.warning] == []
    assert reading.job
    assert list(differences(sent(reading.job), received(load_job(case)), ordered=False)) == []


@given(jobs())
@settings(phases=[Phase.explicit, Phase.reuse, Phase.generate])
@pytest.mark.filterwarnings("ignore")
def test_random_jobs_are_what_the_sdk_sends(load_job: Callable[[Path], Any], job: Job) -> None:
    job = acceptable(job)
    with tempfile.TemporaryDirectory() as folder:
        file = write_job(job, Path(folder))
        text = "".join(written.read_text(encoding="utf-8") for written in Path(folder).iterdir())
        assume("group.size" not in text or "triton_model" not in text)  # the SDK's groups can't hold these
        theirs = load_job(file)

    assert list(differences(sent(job), received(theirs), ordered=False)) == []


PIPELINE = "type: pipeline\nsettings: {default_compute: serverless}\n"
NODE = "jobs: {a: {component: ./c.yml}}\n"
COMPONENT = "command: echo\nenvironment: azureml:e:1\n"
DECLARING = f"{COMPONENT}inputs: {{ITEMS}}\n"
POSITIONS = {  # the job, the component, and one of the items in them
    "inputs of a job": (f"{PIPELINE}inputs: {{ITEMS}}\n{NODE}", COMPONENT, "TEXT"),
    "inputs of a node": (
        f"{PIPELINE}jobs: {{a: {{component: ./c.yml, inputs: {{ITEMS}}}}}}\n",
        COMPONENT + "inputs: {" + ", ".join(f"x{n}: {{type: string, optional: true}}" for n in range(50)) + "}\n",
        "TEXT",
    ),
    "inputs of a node in place": (
        f"{PIPELINE}jobs: {{a: {{command: echo, environment: azureml:e:1, inputs: {{ITEMS}}}}}}\n",
        COMPONENT,
        "TEXT",
    ),
    "defaults of strings": (PIPELINE + NODE, DECLARING, "{type: string, default: TEXT}"),
    "defaults of integers": (PIPELINE + NODE, DECLARING, "{type: integer, default: TEXT}"),
    "defaults of numbers": (PIPELINE + NODE, DECLARING, "{type: number, default: TEXT}"),
    "defaults of booleans": (PIPELINE + NODE, DECLARING, "{type: boolean, default: TEXT}"),
    "least integers": (PIPELINE + NODE, DECLARING, "{type: integer, optional: true, min: TEXT}"),
    "greatest numbers": (PIPELINE + NODE, DECLARING, "{type: number, optional: true, max: TEXT}"),
    "versions of outputs": (f"{PIPELINE}outputs: {{ITEMS}}\n{NODE}", COMPONENT, "{name: n, version: TEXT}"),
    "other settings": (PIPELINE[:-2] + f", extra: {{ITEMS}}}}\n{NODE}", COMPONENT, "TEXT"),
}
ODD_SCALARS = (
    *(
        "yes",
        "No",
        "y",
        "true",
        "TRUE",
        "tRue",
        "null",
        "~",
        "abc",
        "'True'",
        "'abc'",
        "' x '",
        "1.10",
        "[1]",
        "{a: 1}",
    ),
    *(
        "010",
        "0o7",
        "0x1F",
        "1_000",
        "+1",
        "-0",
        "1:30",
        "'5'",
        "100000000000000000000",
        "'  3 '",
        "!!str 5",
        "!!float 3",
    ),
    *("1e-5", "1.5e+3", "1.0e-5", ".5", "1.", "3.7", "'3.7'", "'1.5e3'", "1.0e+16", "2020-01-01"),
)
INFINITE = (".inf", ".nan", "1.0e+400")  # refused as values; as defaults and limits of numbers the SDK drops them


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.filterwarnings("ignore")
def test_odd_scalars_mean_what_the_sdk_makes_of_them(
    load_job: Callable[[Path], Any], tmp_path: Path, position: str
) -> None:
    job, component, item = POSITIONS[position]

    def write(*texts: str) -> Path:
        items = ", ".join(f"x{n}: {item.replace('TEXT', text)}" for n, text in enumerate(texts))
        (tmp_path / "job.yml").write_text(job.replace("ITEMS", items), encoding="utf-8")
        (tmp_path / "c.yml").write_text(component.replace("ITEMS", items), encoding="utf-8")
        return tmp_path / "job.yml"

    texts = (*ODD_SCALARS, *(INFINITE if item == "TEXT" else ()))
    taken = [text for text in texts if made_of(write(text)) != "refused"]
    file = write(*taken)
    ours, theirs = made_of(file), sdk_makes_of(file, load_job)
    if theirs == "refused":
        assert [text for text in taken if sdk_makes_of(write(text), load_job) == "refused"] == []
    assert list(differences(ours, theirs, ordered=False)) == []
    refused = [text for text in texts if text not in taken]
    assert [text for text in refused if sdk_makes_of(write(text), load_job) != "refused"] == []


@pytest.mark.parametrize("text", ["t", "T", "tRue", "Yes", "yES", "'on'", "0", "1", "'1'", "'n'", "2", "null", "[1]"])
@pytest.mark.filterwarnings("ignore")
def test_a_flag_is_what_the_sdk_takes_for_one(load_job: Callable[[Path], Any], tmp_path: Path, text: str) -> None:
    (tmp_path / "job.yml").write_text(PIPELINE + NODE, encoding="utf-8")
    (tmp_path / "c.yml").write_text(f"{COMPONENT}is_deterministic: {text}\n", encoding="utf-8")

    ours, theirs = made_of(tmp_path / "job.yml"), sdk_makes_of(tmp_path / "job.yml", load_job)

    assert list(differences(ours, theirs, ordered=False)) == []


def made_of(file: Path) -> dict[str, Any] | str:
    """Our job in the SDK's terms, or that it is refused."""
    reading = read_job(file)
    problems = reading.problems + (check(reading.job).problems if reading.job else ())
    return "refused" if any(not p.warning for p in problems) or reading.job is None else sent(reading.job)


def sdk_makes_of(file: Path, load_job: Callable[[Path], Any]) -> dict[str, Any] | str:
    """The SDK's job, or that it is refused: by an error or by a crash."""
    try:
        job = load_job(file)
        errors = job._validate().error_messages
        return "refused" if errors else received(job)
    except Exception:  # noqa: BLE001  whatever it is, the SDK does not take it
        return "refused"


@pytest.mark.filterwarnings("ignore")
def test_a_command_job_has_the_name_that_the_sdk_gives_it(load_job: Callable[[Path], Any], tmp_path: Path) -> None:
    (tmp_path / "job.yml").write_text("name: My-Job\ncommand: echo\nenvironment: azureml:e:1\n", encoding="utf-8")

    reading = read_job(tmp_path / "job.yml")

    assert reading.job
    assert reading.job.name == load_job(tmp_path / "job.yml").name
    assert any("lower case" in problem.message and problem.warning for problem in reading.problems)
