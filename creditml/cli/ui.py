"""`creditml ui`: serves MLflow's pages for the local workspace."""

from __future__ import annotations

import argparse

from creditml.errors import UsageError
from creditml.workspace import UI_PORT, Workspace

_LAST_PORT = 65535


def main(command: str, words: list[str]) -> int:
    """Run `creditml ui`, until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description="Open MLflow's pages for the local workspace: experiments, runs, metrics, models. Ctrl-C stops it.",
        epilog="example:\n  creditml ui --port 5001",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-p", "--port", type=int, default=UI_PORT, help=f"port on 127.0.0.1 (default: {UI_PORT})")
    arguments = parser.parse_args(words)
    if not 0 < arguments.port <= _LAST_PORT:
        message = f"--port {arguments.port}: a port is a number from 1 to {_LAST_PORT}."
        raise UsageError(message)
    from creditml.tracking.ui import open_ui

    workspace = Workspace.find()
    workspace.database.check()  # a workspace of a newer creditml has records that this version can't read
    workspace.close()
    open_ui(
        workspace.root,
        arguments.port,
        announce=lambda address: print(f"{address}  (Ctrl-C stops it)", flush=True),
    )
    return 0
