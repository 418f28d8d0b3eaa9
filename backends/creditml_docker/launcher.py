"""Starts steps in containers, each of which sees only those files of this machine that the step needs."""

from __future__ import annotations

import hashlib
import math
import os
import re
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from creditml.errors import BackendError
from creditml.seams import launcher
from creditml.seams.start_checks import check_step, make_mount_places
from creditml_docker.arguments import read_resources
from creditml_docker.container import DockerRunning, Order
from creditml_docker.first import SCRIPT
from creditml_docker.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from creditml.seams.launcher import Step
    from creditml_docker.arguments import Extras
    from creditml_docker.engines import Engine

_ROOTS = "/mnt/azureml/cr/j"
"""On Azure ML compute, a step's working folder is `<this folder>/<32 hex digits>/exe/wd`."""
_LOG = "/mnt/azureml/cr/std_log.txt"
_HOST = "host.docker.internal"
"""The host name of this machine in containers that don't share its network."""
_LOOPBACK = re.compile(r"//(127\.0\.0\.1|localhost)(?=[:/]|$)")


class DockerLauncher:
    """Starts steps in containers of the first engine that answers; see `creditml.seams.launcher.Launcher`.

    Attributes:
        hosts: Host names, besides those of the loopback interface, under which steps reach servers on this machine. A
            server that checks the Host header has to allow them.
    """

    isolated = True
    hosts: tuple[str, ...] = (_HOST,)

    def __init__(self, **settings: Any) -> None:
        """Make a launcher; the engine is searched only by `get_ready` or for the first step.

        Args:
            settings: The settings of this backend, see `creditml_docker.settings`.

        Raises:
            CreditMLError: Some of the settings are unknown or wrong.
        """
        self._settings = read_settings(settings)
        self._token = os.urandom(4).hex()
        self._started = 0
        self._mask = os.umask(0o022)  # the mask can be read only by setting it: done here, before there are threads
        os.umask(self._mask)
        self._engine: Future[Engine] | None = None
        self._running: set[DockerRunning] = set()

    def get_ready(self) -> None:
        """Look for an engine, in a thread; then remove the containers that killed runners have left in it."""
        self._found()

    def _found(self) -> Future[Engine]:
        if self._engine is None:
            self._engine = Future()
            threading.Thread(target=self._find, args=(self._engine,), daemon=True).start()
        return self._engine

    @staticmethod
    def _find(answer: Future[Engine]) -> None:
        try:
            from creditml_docker import engines, owners  # 180 ms, which the runner doesn't wait for

            engine = engines.find_engine()
            answer.set_result(engine)
        except BaseException as error:  # noqa: BLE001  raised again in the threads that wait for the engine
            answer.set_exception(error)
            return
        with suppress(*engines.TROUBLES):  # if that fails, the next runner does it
            owners.sweep(engine.api)

    def see(self, root: str) -> str:
        """Return a path like those on Azure ML compute, under which the container sees the root."""
        return f"{_ROOTS}/{hashlib.sha256(os.path.abspath(root).encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"

    def start(self, step: Step) -> DockerRunning:
        """Start a command; see `creditml.seams.launcher.Launcher.start`.

        Errors that occur while the container is being created are raised by `exit`.
        """
        check_step(step)
        if not step.image:
            message = f"{step.run_id}: the environment has no image to run in: add an 'image' or a 'build' to it"
            raise BackendError(message)
        if "\0" in step.command:
            message = f"{step.run_id}: the command has a NUL character, which can't be passed to a program; remove it"
            raise BackendError(message)
        extras = read_resources(step.resources or {}, self._settings)
        _make_points(step)
        self._started += 1
        name = f"creditml-{re.sub('[^A-Za-z0-9_.-]', '-', step.run_id)}-{self._token}-{self._started}"
        order = Order(
            run_id=step.run_id,
            name=name,
            image=step.image,
            log=step.log,
            keep=self._settings.keep_failed,
            notes=extras.notes,
            config=lambda engine, shell: self._config(step, extras, name, engine, shell),
            platform=self._settings.platform,
        )
        running = DockerRunning(order, self._found(), self._running.discard)
        self._running.add(running)
        return running

    def _config(self, step: Step, extras: Extras, name: str, engine: Engine, shell: str) -> dict[str, Any]:
        """The container's configuration for the engine's API (`POST /containers/create`)."""
        from creditml_docker.owners import KEPT, RUN, labels_of

        network = extras.network or self._settings.network or ("host" if engine.here else "bridge")
        host = {
            "NetworkMode": network,
            "LogConfig": {"Type": "none", "Config": {}},
            "GroupAdd": [] if engine.rootless else [str(group) for group in os.getgroups()],
            **extras.host,
        }
        host["Mounts"] = [*self._mounts(step), *extras.host.get("Mounts", ())]
        if engine.remapped:
            host["UsernsMode"] = "host"
        if engine.labelled:
            host["SecurityOpt"] = [*extras.host.get("SecurityOpt", ()), "label=disable"]
        env = {**step.env, **extras.env}
        if network not in ("host", "none"):
            host["ExtraHosts"] = [*extras.host.get("ExtraHosts", ()), f"{_HOST}:host-gateway"]
            env = _with_gateway(env)
        owner = "0:0" if engine.rootless else f"{os.getuid()}:{os.getgid()}"
        keep = {KEPT: "failed"} if self._settings.keep_failed else {}
        return {
            "Image": step.image,
            "Entrypoint": [shell],
            "Cmd": ["-c", SCRIPT, shell, step.command, _LOG, f"{self._mask:04o}", *_times()],
            "Env": [f"{variable}={value}" for variable, value in _with_user(env).items()],
            "WorkingDir": os.path.normpath(os.path.join(self.see(step.root), step.cwd)),
            "User": extras.user or owner,
            "Hostname": extras.hostname,
            "Labels": {RUN: step.run_id, **labels_of(name), **keep},
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": host,
        }

    def _mounts(self, step: Step) -> Iterator[dict[str, Any]]:
        """The mounts of the files and folders of this machine that the step sees."""
        root = self.see(step.root)
        yield _bind(step.root, root)
        yield _bind(step.log, _LOG)
        kept = [*step.protected, *(mount.source for mount in step.mounts)]
        for place in step.writable:
            yield _bind(place, os.path.abspath(place))
            for inner in kept:
                if os.path.abspath(inner).startswith(os.path.abspath(place).rstrip("/") + "/"):
                    yield _bind(inner, os.path.abspath(inner), read_only=True)
        for mount in step.mounts:
            yield _bind(mount.source, os.path.normpath(os.path.join(root, mount.target)), read_only=True)

    def close(self) -> None:
        """Kill all running steps, and wait until their containers are removed; see `Launcher.close`."""
        running = list(self._running)
        for step in running:
            step.kill()
        for step in running:
            step.join()

    def __enter__(self) -> Self:
        """Return the launcher itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the launcher."""
        self.close()


def _times() -> tuple[str, str]:
    return str(math.ceil(launcher.LEFT_ALONE)), str(math.ceil(launcher.LEFT_ASKED))


def _bind(source: str, target: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"Type": "bind", "Source": os.path.abspath(source), "Target": target, "ReadOnly": read_only}


def _make_points(step: Step) -> None:
    """Make the files and folders on which inputs are mounted; otherwise the engine would make them, owned by root.

    Raises:
        BackendError: One of them can't be made.
    """
    make_mount_places(step)
    try:
        os.close(os.open(step.log, os.O_WRONLY | os.O_CREAT, 0o666))
        for mount in step.mounts:
            point = os.path.normpath(os.path.join(step.root, mount.target))
            if os.path.islink(point):
                os.unlink(point)
            if os.path.isdir(mount.source):
                os.makedirs(point, exist_ok=True)
            else:
                os.close(os.open(point, os.O_WRONLY | os.O_CREAT, 0o666))
    except OSError as error:
        message = f"{step.run_id}: the place for the step's data, {error.filename}, can't be made: {error.strerror}"
        raise BackendError(message) from error


def _with_gateway(env: Mapping[str, str]) -> dict[str, str]:
    """The variables with an MLFLOW_TRACKING_URI that reaches this machine from another network."""
    uri = env.get("MLFLOW_TRACKING_URI")
    return {**env, "MLFLOW_TRACKING_URI": _LOOPBACK.sub(f"//{_HOST}", uri)} if uri else dict(env)


def _with_user(env: Mapping[str, str]) -> dict[str, str]:
    """The variables with the user's name.

    The image's user database doesn't have this user; without the variables, Python's `getpass.getuser` would fail.
    """
    if os.getuid() == 0:
        return dict(env)
    import pwd

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return {"USER": name, "LOGNAME": name, **env}
