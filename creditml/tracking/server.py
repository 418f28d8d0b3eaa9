"""The workspace's tracking server: one process that serves MLflow's own application on the runners' sockets.

    python -m creditml.tracking.server ROOT CONTROL_FD

`creditml.tracking.client` starts it. The main thread reads the runners' messages and drains the outbox; another thread
serves HTTP. The server ends when the last runner has given up its lease. Its output goes to mlflow/server.log.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import faulthandler
import gc
import logging
import os
import selectors
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from creditml.errors import CreditMLError
from creditml.tracking import lease
from creditml.tracking.access import Known
from creditml.tracking.gate import Gate
from creditml.tracking.lease import Channel, Message
from creditml.tracking.outbox import Outbox
from creditml.tracking.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    import uvicorn
    from starlette.types import ASGIApp, Receive, Scope, Send

    from creditml.tracking.drain import Drain

_START_LIMIT = 300.0
"""Seconds after which a start that hangs is aborted, with the stack traces of all threads in the log."""
_KEEP_ALIVE = 75
"""Seconds for which an idle connection stays open."""
_GRACE = 5
"""Seconds that requests in progress may still take when their runner is gone."""

_log = logging.getLogger("creditml.tracking")


def main(arguments: Sequence[str]) -> None:
    """Serve until the last runner has given up its lease."""
    root, descriptor = arguments
    if os.fork():
        # The parent ends at once, without the interpreter's cleanup, and the runner reaps it. The server is then not a
        # child of the runner that started it, and can outlive it for other runners.
        os._exit(0)
    control = socket.socket(fileno=int(descriptor))
    control.setblocking(False)  # noqa: FBT003  the function takes no keywords
    control.set_inheritable(False)
    faulthandler.dump_traceback_later(_START_LIMIT, exit=True)
    try:
        server = _start(Path(root), control)
    except BaseException as error:  # noqa: BLE001  runners wait for an answer, whatever the error
        traceback.print_exc()
        sys.stderr.write(f"{lease.REASON}{_reason(error)}\n")
        _tell_failure(Path(root), control)
        os._exit(1)
    faulthandler.cancel_dump_traceback_later()
    try:
        server.run()
    except BaseException:  # noqa: BLE001  the server ends here, whatever the error
        _log.exception("The server has failed; the next connection of a step starts another one")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a normal exit would wait for the threads of requests that are still in progress


class Server:
    """Reads the messages of the runners, and answers them."""

    def __init__(self, root: Path, control: socket.socket, drain: Drain, http: Http, gate: Gate) -> None:
        """Serve a workspace.

        Args:
            root: The workspace folder.
            control: The control socket; runners may already be waiting on it.
            drain: Moves the outbox into MLflow's database.
            http: Serves MLflow's application.
            gate: Stands before the application, and is told of the runners' tokens.
        """
        self._root = root
        self._control = control
        self._drain = drain
        self._http = http
        self._gate = gate
        self._known: dict[Channel, Known] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._leases: dict[Channel, list[Serving]] = {}

    def run(self) -> None:
        """Serve until the last runner has given up its lease, and the outbox is drained."""
        self._admit()
        while True:
            while self._leases:
                for key, _ in self._selector.select():
                    if key.fileobj is self._control:
                        self._admit()
                    elif isinstance(key.fileobj, Channel):
                        self._hear(key.fileobj)
            self._http.finish()
            self._try_to_drain()
            with lease.mutex(self._root):
                # Runners connect under the mutex too: either a runner is admitted here, or it finds no server and
                # starts one. So no runner can join a server that is about to end.
                self._admit()
                if not self._leases:
                    self._drain.close()
                    lease.withdraw(self._root, self._control.getsockname())
                    return

    def _admit(self) -> None:
        for channel in _waiting(self._control):
            self._leases[channel] = []
            self._selector.register(channel, selectors.EVENT_READ)

    def _hear(self, channel: Channel) -> None:
        messages = channel.receive()
        if messages is None:
            self._selector.unregister(channel)
            channel.close()
            for serving in self._leases.pop(channel):
                serving.stop()
            self._know(channel, None)
            return
        for message in messages:
            if message.word in (lease.SERVE, lease.GRANTS):
                self._know(channel, Known.parse(message.text))
            if message.word == lease.SERVE and message.listener:
                self._leases[channel].append(self._http.serve(message.listener))
                channel.send(Message(lease.READY))
            elif message.word == lease.DRAIN:
                channel.send(Message(lease.DRAINED if self._try_to_drain() else lease.UNDRAINED, message.number))

    def _know(self, channel: Channel, known: Known | None) -> None:
        """Take note of the tokens of a runner, or forget those of one that is gone."""
        if known is None:
            self._known.pop(channel, None)
        else:
            self._known[channel] = known
        self._gate.known = tuple(self._known.values())

    def _try_to_drain(self) -> bool:
        try:
            self._drain.run()
        except Exception:  # noqa: BLE001  the rows are kept for another try
            _log.exception("The outbox can't be drained now; its rows are kept")
            return False
        return True


class Serving(NamedTuple):
    """A listening socket that is being served."""

    server: uvicorn.Server
    done: concurrent.futures.Future[None]

    def stop(self) -> None:
        """Accept no further connections; requests in progress continue."""
        self.server.should_exit = True


class Http:
    """Serves an application with uvicorn, as `mlflow server` does, but on several sockets and in its own thread."""

    def __init__(self, app: ASGIApp) -> None:
        """Start the thread, which serves nothing yet."""
        self._app = app
        self._serving: list[Serving] = []
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def serve(self, listener: socket.socket) -> Serving:
        """Start to serve a listening socket; returns at once."""
        import uvicorn

        # Without this option, the second packet of an answer would wait up to 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            self._app,
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            lifespan="off",  # MLflow's startup code would look for containers of its assistant
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_GRACE,
        )
        server = uvicorn.Server(config)
        serving = Serving(server, asyncio.run_coroutine_threadsafe(server.serve([listener]), self._loop))
        serving.done.add_done_callback(_report)
        self._serving.append(serving)
        return serving

    def finish(self) -> None:
        """Wait for the requests in progress on sockets that were stopped."""
        concurrent.futures.wait([serving.done for serving in self._serving if serving.server.should_exit], _GRACE + 5)
        self._serving = [serving for serving in self._serving if not serving.done.done()]


def _report(done: concurrent.futures.Future[None]) -> None:
    if error := done.exception():
        _log.error("Serving a runner's socket has failed", exc_info=error)


class DrainFirst:
    """Drains the outbox before it passes a request on to `app`, so that a step finds its own run in MLflow."""

    def __init__(self, app: ASGIApp, outbox: Outbox, drain: Drain) -> None:
        self._app = app
        self._outbox = outbox
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Drain the outbox if it has rows, then answer the request."""
        try:
            if self._outbox.pending():
                await asyncio.to_thread(self._drain.run)
        except Exception:  # noqa: BLE001  the rows are kept for another try
            _log.exception("The outbox can't be drained now; its rows are kept")
        await self._app(scope, receive, send)


def _start(root: Path, control: socket.socket) -> Server:
    """Import MLflow, open its store, and drain the outbox."""
    gc.disable()  # garbage collection takes a quarter of the time to start
    with lease.mutex(root):
        lease.sign(root, control.getsockname())
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    _configure(root)

    from creditml.tracking.drain import Drain
    from creditml.tracking.schema import open_store

    drain = Drain(Outbox(root / "workspace.db"), open_store(lease.folder(root)))
    drain.run()
    from mlflow.server.fastapi_app import app

    gate = Gate(DrainFirst(Reach(app, root), Outbox(root / "workspace.db"), drain), root)
    gc.freeze()
    gc.enable()
    return Server(root, control, drain, Http(gate), gate)


def _configure(root: Path) -> None:
    """Set the environment variables that `mlflow server` sets; those that the user set for MLflow's clients go."""
    for name in list(os.environ):
        if name.lstrip("_").startswith("MLFLOW_") or name == "prometheus_multiproc_dir":
            del os.environ[name]
    os.environ |= settings(root)


def settings(root: Path) -> dict[str, str]:
    """The environment variables for MLflow's application."""
    return {
        # Relative to the current folder, which is mlflow/: an absolute path may have characters with a meaning in URIs.
        "_MLFLOW_SERVER_FILE_STORE": "sqlite:///mlflow.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/.mlflow",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": (root / "jobs").as_uri(),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        # Tells MLflow that this process is a server, which does not run users' code.
        "_MLFLOW_SERVER_BOOT_ID": os.urandom(16).hex(),
        "MLFLOW_SERVER_ALLOWED_HOSTS": "*",  # `Gate` knows them
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _reason(error: BaseException) -> str:
    if isinstance(error, CreditMLError):
        return str(error)
    if isinstance(error, ImportError):
        return f"{sys.executable} can't import MLflow ({error}). Install MLflow in that Python: pip install mlflow"
    return "".join(traceback.format_exception_only(error)).strip()


def _tell_failure(root: Path, control: socket.socket) -> None:
    with lease.mutex(root):
        lease.withdraw(root, control.getsockname())
        for channel in _waiting(control):
            channel.receive()
            channel.send(Message(lease.FAILED))


def _waiting(control: socket.socket) -> list[Channel]:
    """The connections of runners that are waiting on the control socket."""
    channels: list[Channel] = []
    while True:
        try:
            connection, _ = control.accept()
        except BlockingIOError:
            return channels
        channels.append(Channel(connection))


if __name__ == "__main__":
    main(sys.argv[1:])
