"""Starts a Jupyter kernel that uses the local workspace as Azure ML: the program of `creditml exec --kernel`."""

from __future__ import annotations

import os
import sys

from creditml.errors import CreditMLError
from creditml.service import daemon
from creditml.service.certificates import certificates
from creditml.service.variables import applied, variables
from creditml.workspace import Workspace


def main(arguments: list[str]) -> None:
    """Become the kernel, with `arguments` for ipykernel; starts the service first, unless it runs.

    The kernel replaces this process, which Jupyter started, so that Jupyter's signals reach it.
    """
    root = Workspace.find().create().root
    try:
        running = daemon.up(root)
    except CreditMLError as error:
        sys.exit(str(error))
    given = variables(root, running.url, certificates(root), running.tracking_uri)
    command = [sys.executable, "-m", "ipykernel_launcher", *arguments]
    os.execve(sys.executable, command, applied(os.environ, given))  # noqa: S606  no shell is wanted
