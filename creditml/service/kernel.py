"""Starts a Jupyter kernel whose Azure ML is the local workspace, for the kernelspec of `creditml exec --kernel`."""

from __future__ import annotations

import os
import sys

from creditml.errors import CreditMLError
from creditml.service import daemon
from creditml.service.certificates import certificates
from creditml.service.variables import applied, variables
from creditml.workspace import Workspace


def main(arguments: list[str]) -> None:
    """Become the kernel, with `arguments` for ipykernel. The service is started if none runs, and stays.

    The process stays the one that Jupyter started, so that its signals arrive.
    """
    root = Workspace.find().create().root
    try:
        running = daemon.up(root)
    except CreditMLError as error:
        sys.exit(str(error))
    given = variables(root, running.url, certificates(root), running.tracking_uri)
    command = [sys.executable, "-m", "ipykernel_launcher", *arguments]
    os.execve(sys.executable, command, applied(os.environ, given))  # noqa: S606  no shell is wanted
