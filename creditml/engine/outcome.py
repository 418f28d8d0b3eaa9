"""How a step ended, in the words that Azure ML has for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from creditml.errors import OutputMissing
from creditml.logs import COMMAND_LOG
from creditml.model import NOTHING
from creditml.statuses import CANCELED, FAILED
from creditml.workspace.disk import disk_words, full_disk, is_full

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from creditml.seams.launcher import Exit

_TAIL_LINES = 12
_REFUSALS = ("Read-only file system", "Permission denied")
_TAIL_BYTES = 8192


class Outcome(NamedTuple):
    """How a step ended; `outputs` says where each one lies."""

    status: str
    message: str = ""
    code: str = ""
    exit_code: int | None = None
    outputs: Mapping[str, str] = NOTHING
    metrics: Mapping[str, float] = NOTHING


def canceled(exit_code: int | None = None) -> Outcome:
    """The outcome of a step that was canceled with its job."""
    return Outcome(CANCELED, "The step was canceled.", "Canceled", exit_code)


def timed_out(limit: float, exit_code: int | None) -> Outcome:
    """The outcome of a step whose command ran longer than its spec allows; `limit` is in seconds."""
    message = f"The step was canceled since it ran longer than its limits.timeout of {limit:g} s."
    return Outcome(CANCELED, message, "Timeout", exit_code)


def inputs_changed(files: Sequence[str]) -> Outcome | None:
    """The outcome of a step whose command ended well, but changed these files of its inputs; None if there are none."""
    if not files:
        return None
    message = f"The step changed its input: {', '.join(files[:3])}. Inputs are read-only; write to an output."
    return Outcome(FAILED, message, "InputChanged", 0)


def not_started(error: Exception, folder: Path) -> Outcome:
    """The outcome of a step whose command didn't run; `folder` is the step's."""
    code = "OutputMissing" if isinstance(error, OutputMissing) else "PreparationFailed"
    return Outcome(FAILED, f"The step could not be started: {full_disk(error, folder) or error}", code)


def not_kept(error: Exception, folder: Path) -> Outcome:
    """The outcome of a step whose command ended well, but whose outputs are lost; `folder` is the step's."""
    return Outcome(
        FAILED, f"The step's outputs could not be kept: {full_disk(error, folder) or error}", "OutputFailed", 0
    )


def failed(end: Exit, command: str, log: Path) -> Outcome:
    """The outcome of a step whose command failed: the sentence that Azure ML uses, with the end of the log."""
    if end.vanished:
        how = "has vanished, so that it isn't known how it ended"
    elif end.out_of_memory:
        how = "was killed since the memory was exhausted"
    elif end.signal is not None:
        how = f"was killed by signal {end.signal}"
    else:
        how = f"exited with status code {end.code}"
    words = command.split()
    program = words[0] if words else "bash"
    tail = _tail(log)
    error = f" {disk_words(log)}" if is_full(log.parent) else ""
    error += f" Error: {tail}" if tail else ""
    message = (
        f"Execution failed. User process '{program}' {how}. "
        f"Please check log file '{COMMAND_LOG}' for error details.{error}"
    )
    return Outcome(FAILED, message, "ExecutionFailed", end.code)


def kept_out(outcome: Outcome, shared: str) -> Outcome:
    """The same outcome, explained if the command tried to change the environment in the folder `shared`."""
    if not shared or not any(
        shared in line and any(words in line for words in _REFUSALS) for line in outcome.message.splitlines()
    ):
        return outcome
    message = (
        f"{outcome.message}\nThe environment in {shared} is read-only, since other steps share it. Packages that "
        "`pip install` installs go to a layer of the step's own; list anything else in the environment's conda file."
    )
    return outcome._replace(message=message)


def _tail(log: Path) -> str:
    """The last lines of a log."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-_TAIL_LINES:])
