"""Runs a step's container: a thread for each step creates the container, waits for its end and removes it."""

from __future__ import annotations

import os
import select
import signal
import threading
from concurrent.futures import TimeoutError  # noqa: A004  the built-in class is the same only from Python 3.11 on
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from creditml.errors import BackendError
from creditml.seams.launcher import Exit
from creditml.secrets import redacted
from creditml_docker.first import SHELLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from typing import Any

    from creditml_docker.engines import Engine

_RESENT = (0.0, 0.2, 0.5, 1.0, 3.0)
"""Seconds between repeated requests to end: the container's first process may not be ready for the first ones.

Further requests do no harm, since the process acts on one only."""
_REUNION = 15.0
"""Seconds after which the containers of an engine that doesn't answer any more count as lost."""
_LOOK = 0.1
"""Seconds between two checks whether the step is to end, while the engine is being searched."""
_KILLED = 128 + signal.SIGKILL


class Order(NamedTuple):
    """The order for a step's container.

    Attributes:
        run_id: The step's run.
        name: The container's name.
        image: The image, for messages.
        log: The step's log.
        keep: Whether the container is kept if the step fails.
        notes: Lines for the log.
        config: Returns the container's configuration for an engine and a shell.
        platform: The image's platform, if it isn't the engine's own.
    """

    run_id: str
    name: str
    image: str
    log: str
    keep: bool
    notes: tuple[str, ...]
    config: Callable[[Engine, str], Mapping[str, Any]]
    platform: str = ""

    def note(self, line: str) -> None:
        """Append a line to the step's log."""
        with suppress(OSError), open(self.log, "a", encoding="utf-8") as log:
            log.write(f"creditml: {redacted(line)}\n")


class _Wishes:
    """The requests to end a container, which another thread may still be creating."""

    def __init__(self) -> None:
        self.terminate = False
        self.kill = False
        self.started = threading.Event()
        self.ended = threading.Event()

    @property
    def signal(self) -> int:
        """The number of the requested signal; 0 if the container is not to end."""
        return signal.SIGKILL if self.kill else signal.SIGTERM if self.terminate else 0


class DockerRunning:
    """A step in a container; see `creditml.seams.launcher.Running`."""

    def __init__(self, order: Order, engine: Future[Engine], forget: Callable[[DockerRunning], None]) -> None:
        """Start the thread that creates the container and waits for it.

        Args:
            order: The order.
            engine: The engine, once it has been found.
            forget: Called with this object when the container has ended and has been removed.
        """
        self._order, self._engine, self._forget = order, engine, forget
        self._wishes = _Wishes()
        self._exit: Exit | None = None
        self._error: Exception | None = None
        self._end, self._done = os.pipe()
        self._thread = threading.Thread(target=self._run, name=order.name, daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Return the end of a pipe that the thread closes at the end; see `creditml.seams.launcher.Running.fileno`."""
        return self._end

    def exit(self) -> Exit:
        """Wait for the container's end; see `creditml.seams.launcher.Running.exit`."""
        if self._end >= 0:
            select.select([self._end], [], [])
            os.close(self._end)
            self._end = -1
        if self._error is not None:
            raise self._error
        return self._exit or Exit(None, vanished=True)

    def terminate(self) -> None:
        """Let the container's first process ask all others to end; see `creditml.seams.launcher.Running.terminate`."""
        if not self._wishes.terminate and not self._wishes.ended.is_set():
            self._wishes.terminate = True
            threading.Thread(target=self._ask, daemon=True).start()

    def kill(self) -> None:
        """Kill the container's first process and thus all others; see `creditml.seams.launcher.Running.kill`."""
        if not self._wishes.kill and not self._wishes.ended.is_set():
            self._wishes.kill = True
            threading.Thread(target=self._kill, daemon=True).start()

    def join(self) -> None:
        """Wait until the container has been removed."""
        self._thread.join()

    # -- methods that run in threads

    def _run(self) -> None:
        container = ""
        try:
            engine = self._found()
            container = self._make(engine) if engine else ""
            if engine and container:
                self._exit = self._watch(engine, container)
            else:
                self._exit = Exit(None, signal=self._wishes.signal)
        except BackendError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  an error of a thread would be lost, but the step must fail
            self._error = BackendError(f"{self._order.run_id}: the container can't be run: {error!r}")
        keep = self._keeps(container)
        self._wishes.ended.set()
        os.close(self._done)
        if container and not keep:
            self._remove(container)
        self._forget(self)

    def _found(self) -> Engine | None:
        """Wait for the engine; None if the step is to end, so that an engine that hangs doesn't delay that."""
        while not self._wishes.signal:
            with suppress(TimeoutError):
                return self._engine.result(_LOOK)
        return None

    def _make(self, engine: Engine) -> str:
        """Create and start the container, and return its id; empty if the step is to end.

        Raises:
            BackendError: The container can't be created or started.
        """
        from creditml_docker.engines import TROUBLES  # 180 ms, which the runner doesn't wait for

        for line in self._order.notes:
            self._order.note(line)
        for shell in SHELLS:
            container = ""
            try:
                config = self._order.config(engine, shell)
                made = engine.api.create_container_from_config(config, self._order.name, self._order.platform or None)
                container = str(made["Id"])
                if self._wishes.signal:
                    self._remove(container)
                    return ""
                _start(engine, container)
            except TROUBLES as error:
                if container:
                    self._remove(container)
                if not _lacks(shell, error):
                    raise BackendError(self._refused(engine, error)) from error
                self._order.note(f"the image {self._order.image} has no {shell}, with which Azure ML runs commands")
            else:
                self._wishes.started.set()
                return container
        message = f"{self._order.run_id}: the image {self._order.image} has neither bash nor sh to run the command"
        raise BackendError(message)

    def _refused(self, engine: Engine, error: Exception) -> str:
        said = str(getattr(error, "explanation", "") or error).strip()
        start = f"{self._order.run_id}: the container can't be started: {said}"
        if "No such image" in said or "no such image" in said:
            return f"{self._order.run_id}: the engine at {engine.place} has no image {self._order.image}"
        if "bind source path does not exist" in said or "mounts denied" in said.lower():
            return (
                f"{start}. The engine ({engine.place}) doesn't see that path: if the engine runs in a virtual machine,"
                " share the folder with it; an engine on another machine can't run steps"
            )
        return start

    def _watch(self, engine: Engine, container: str) -> Exit:
        """Wait for the container's end; failures of the connection are tolerated."""
        import requests

        from creditml_docker.engines import TROUBLES

        while True:
            with suppress(*TROUBLES):  # if waiting fails, the container's state is looked up below
                engine.api.wait(container)
            try:
                state = self._look(engine, container)
            except requests.exceptions.RequestException:
                state = None
            if state is None:
                self._order.note(
                    f"the container {self._order.name} can't be found any more: it was removed, or the engine has ended"
                )
                return Exit(None, vanished=True)
            if not state.get("Running") and state.get("Status") != "restarting":
                return self._how(state)

    def _look(self, engine: Engine, container: str) -> Mapping[str, Any] | None:
        """The container's state; None if the container is gone, or the engine doesn't answer for `_REUNION` seconds."""
        import requests
        from docker.errors import APIError, NotFound

        waited = 0.0
        while True:
            try:
                state: Mapping[str, Any] = engine.api.inspect_container(container)["State"]
            except NotFound:
                return None
            except (requests.exceptions.RequestException, APIError, OSError):
                if waited >= _REUNION or self._wishes.kill:
                    return None
            else:
                return state
            self._wishes.ended.wait(0.25)
            waited += 0.25

    def _how(self, state: Mapping[str, Any]) -> Exit:
        code = state.get("ExitCode")
        if state.get("Status") not in ("exited", "stopped", "dead") or not isinstance(code, int):
            return Exit(None, vanished=True)
        if self._wishes.kill and code == _KILLED:
            return Exit(None, signal=signal.SIGKILL)
        # If the system killed only a child, and the command handled that and ended with 0, it has succeeded.
        return Exit(code, out_of_memory=bool(state.get("OOMKilled")) and code != 0)

    def _keeps(self, container: str) -> bool:
        """Whether the container is kept; if so, the log gets a line that says how to look inside."""
        failed = self._exit is not None and not self._exit.ok and not self._exit.vanished
        if not (container and self._order.keep and failed) or self._wishes.signal:
            return False
        name = self._order.name
        self._order.note(
            f"the step's container is kept. To copy its files: docker cp {name}:PATH . To open a shell in a copy of it:"
            f" docker commit {name} {name}-image && docker run --rm -it --entrypoint sh {name}-image"
            f" (without the step's inputs and outputs). To remove it: docker rm {name}"
        )
        return True

    def _ask(self) -> None:
        self._wishes.started.wait()
        for pause in _RESENT:
            if self._wishes.ended.wait(pause) or self._wishes.kill:
                return
            self._send("SIGTERM")

    def _kill(self) -> None:
        while not self._wishes.started.wait(0.05):
            if self._wishes.ended.is_set():
                return
        while not self._wishes.ended.is_set():
            self._send("SIGKILL")
            self._wishes.ended.wait(1.0)

    def _send(self, name: str) -> None:
        from creditml_docker.engines import TROUBLES

        with suppress(*TROUBLES):  # the container or the engine has ended, which the waiting thread notices
            self._engine.result().api.kill(self._order.name, name)

    def _remove(self, container: str) -> None:
        from creditml_docker.engines import TROUBLES

        with suppress(*TROUBLES):  # it was removed already; if not, the next runner's sweep removes it
            self._engine.result().api.remove_container(container, force=True, v=True)


def _start(engine: Engine, container: str) -> None:
    """Start a container; if the connection breaks during that, waiting for it will show whether it has started."""
    import requests
    from docker.errors import APIError

    try:
        engine.api.start(container)
    except APIError:
        raise
    except (requests.exceptions.RequestException, OSError):
        pass


def _lacks(shell: str, error: Exception) -> bool:
    """Whether an error of the engine says that the image doesn't have this shell."""
    said = str(error)
    return "exec" in said and shell in said and ("not found" in said or "no such file" in said.lower())
