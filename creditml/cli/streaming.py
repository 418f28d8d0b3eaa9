"""Prints a job's log as `az ml job stream` does."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from creditml.cli.guarded import unguarded
from creditml.errors import UsageError
from creditml.secrets import without_escapes
from creditml.statuses import COMPLETED, FAILED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable


def print_log(name: str, page: str, log: str, lines: Iterable[str], *, again: str = "") -> None:
    """Print the lines of a job's log as they arrive, with the texts that Azure ML's clients print before and after.

    Args:
        name: The name of the job.
        page: The URL of the job.
        log: The name of the log.
        lines: The lines of the log.
        again: Flags to add to the commands that a message suggests after Ctrl-C.
    """
    head = f"RunId: {name}\nWeb View: {page}\n"
    title = f"Streaming {log}"
    print(f"{head}\n{title}\n{'=' * len(title)}\n", flush=True)
    try:
        terminal = sys.stdout.isatty()
        for line in lines:  # in a file or pipe, a log stays as the step wrote it
            print(without_escapes(line) if terminal else line, flush=True, file=unguarded())
    except KeyboardInterrupt:
        print(
            "\nThe output streaming for the run interrupted.\nBut the job goes on: "
            f"`creditml job stream -n {name}{again}` watches it again, `creditml job cancel -n {name}{again}` ends it.",
            file=sys.stderr,
        )
        raise
    print(f"\nExecution Summary\n=================\n{head}", flush=True)


def print_end(status: str, error: object) -> int:
    """Print the error of a failed job on stderr; returns the exit code, 0 if the job is Completed."""
    if status == FAILED:
        print(f"Exception : \n {json.dumps({'error': error}, indent=4)} ", file=sys.stderr)
    return 0 if status == COMPLETED else 1


def refuse_both(arguments: argparse.Namespace) -> None:
    """Refuse `--all` together with `--output-name`."""
    if arguments.all and arguments.output_name:
        message = "--all and --output-name can't be used together."
        raise UsageError(message)
