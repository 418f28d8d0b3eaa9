"""The service as a process for the steps of one runner, which starts it (`creditml.engine.client_service`).

It prints the variables for the steps as JSON (null for those that have to be unset), and serves until its standard
input ends. `creditml status` shows the workspace's own service (`daemon`), not this one. Jobs that the steps submit
outlive it.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from pathlib import Path

from creditml.errors import CreditMLError
from creditml.service.server import Server
from creditml.service.variables import UNSET, variables, write_config
from creditml.tracking import ACCESS

_START_LIMIT = 60.0
"""Seconds after which a start that hangs is ended, with the stacks in the log."""


def main(root: str, tracking_uri: str) -> None:
    """Serve the workspace folder `root`; `tracking_uri` is the address of the steps' MLflow server."""
    faulthandler.dump_traceback_later(_START_LIMIT, exit=True)
    try:
        server = Server(Path(root), tracking_uri=tracking_uri)
        server.start()
        write_config(Path(root))  # the steps' folders are below it, and the SDK looks upward
        given = variables(Path(root), server.url, server.certificates, tracking_uri)
        # a step's own token is not replaced by the owner's secret
        told = {**dict.fromkeys(UNSET), **given}
        told = {name: value for name, value in told.items() if name not in ACCESS}
    except (CreditMLError, OSError) as error:
        sys.exit(str(error))
    faulthandler.cancel_dump_traceback_later()
    print(json.dumps(told), flush=True)  # noqa: T201  the runner waits for this
    sys.stdin.buffer.read()
    server.stop()
    os._exit(0)  # a normal exit would wait for requests in progress
