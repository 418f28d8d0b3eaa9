"""No secret is in anything that is written: the workspace, logs, output, errors and their tracebacks."""

from __future__ import annotations

import logging
import re
import traceback
from typing import TYPE_CHECKING

import pytest

from creditml.errors import CreditMLError
from creditml.service.keys import Keys
from creditml.testing.executors import ended, node, pipeline
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from azure_side import Served
    from cutting import Wire

    from creditml_azureml.cloud import Cloud

pytestmark = pytest.mark.usefixtures("hasty")
SIGNED = re.compile(r"[?&;]sig=[A-Za-z0-9%+/=]{8,}|\beyJ[\w-]{8,}\.[\w-]{8,}|AccountKey=[^;…]{8,}|Bearer [\w.-]{16,}")


class Secrets:
    """What must be nowhere."""

    def __init__(self, cloud: Served) -> None:
        keys = Keys(cloud.workspace)
        self._marked = (keys.account_key, keys.header)

    def within(self, text: str) -> list[str]:
        return [secret for secret in self._marked if secret in text] + SIGNED.findall(text)


def provoked(cloud: Cloud, wire: Wire, log: str) -> Iterator[str]:
    """The texts and tracebacks of what goes wrong where a secret is at hand."""
    tampered = re.sub(r"sig=..", "sig=AA", log)
    failing: list[Callable[[], object]] = [
        lambda: cloud.jobs.log_text(re.sub(r":\d+/", ":99999/", log)),  # requests says the whole of it
        lambda: cloud.jobs.log_text(tampered),
        lambda: cloud.jobs.log_text(log),
        lambda: cloud.jobs.get_run("nobody"),
        lambda: list(cloud.jobs.children("nobody")),
    ]
    for number, call in enumerate(failing):
        if number == len(failing) - 3:  # from here on nobody is reached
            wire.cut()
        with pytest.raises(CreditMLError) as raised:
            call()
        yield "".join(traceback.format_exception(raised.value))
    wire.mend()


def test_no_secret_is_written_anywhere(
    azure: Served,
    signed_in: Path,
    wire: Wire,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    executor = AzureMLExecutor(Workspace(signed_in / "home"))
    secrets = Secrets(azure)
    bad = node("bad", "echo broken; head -c 9000000 /dev/zero > ${{outputs.out}}/big.bin; exit 3")
    name = executor.submit(pipeline(bad, node("good", "head -c 9000000 /dev/zero > ${{outputs.out}}/big.bin")))
    assert ended(executor, name).status == "Failed"
    run = next(each for each in executor.poll(name).nodes if each.path == "bad").run_id
    log = executor.cloud.jobs.get_run(run).logs["user_logs/std_log.txt"]
    assert secrets.within(log), "the test sees nothing if there is nothing to see"

    texts = ["\n".join(executor.logs(name, "bad")), *provoked(executor.cloud, wire, log)]
    wire.cut_after(5_000_000)
    with pytest.raises(CreditMLError) as raised:
        executor.fetch(name, "good", "out", tmp_path / "out")
    texts += ["".join(traceback.format_exception(raised.value))]
    with pytest.raises(CreditMLError) as raised:
        executor.submit(pipeline(node("another", "true")))
    texts += ["".join(traceback.format_exception(raised.value)), caplog.text, *capfd.readouterr()]

    assert [secrets.within(text) for text in texts] == [[]] * len(texts)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(file.name == "workspace.db" for file in files)
    assert {str(file): secrets.within(file.read_bytes().decode("latin-1")) for file in files} == {
        str(file): [] for file in files
    }
