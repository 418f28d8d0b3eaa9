"""A job's logs as `az ml job stream` prints them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from creditml.errors import UsageError
from creditml.statuses import COMPLETED, FAILED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable


def print_log(name: str, page: str, log: str, lines: Iterable[str], *, again: str = "") -> None:
    """Print a job's log as it grows, with Azure ML's words before and after; `again` are flags to watch it again."""
    head = f"RunId: {name}\nWeb View: {page}\n"
    title = f"Streaming {log}"
    print(f"{head}\n{title}\n{'=' * len(title)}\n", flush=True)
    try:
        for line in lines:
            print(line, flush=True)
    except KeyboardInterrupt:
        print(
            "\nThe output streaming for the run interrupted.\nBut the job goes on: "
            f"`creditml job stream -n {name}{again}` watches it again, `creditml job cancel -n {name}{again}` ends it.",
            file=sys.stderr,
        )
        raise
    print(f"\nExecution Summary\n=================\n{head}", flush=True)


def print_end(status: str, error: object) -> int:
    """Say why a job failed, if it did; returns the exit code."""
    if status == FAILED:
        print(f"Exception : \n {json.dumps({'error': error}, indent=4)} ", file=sys.stderr)
    return 0 if status == COMPLETED else 1


def refuse_both(arguments: argparse.Namespace) -> None:
    """Refuse `--all` together with `--output-name`."""
    if arguments.all and arguments.output_name:
        message = "--all and --output-name can't be used together."
        raise UsageError(message)
