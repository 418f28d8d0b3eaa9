"""`creditml exec`, `up`, `down` and `status`: the local workspace for scripts that use Azure's SDK unchanged."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from creditml.errors import CreditMLError, UsageError
from creditml.service import daemon
from creditml.signals import heeded
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LAST_PORT = 65535
_KERNEL = "creditml"
# The notebook's folder is not in sys.path while the kernel starts: a module in it could replace an imported one.
_START_KERNEL = (
    "import sys; sys.path = [*filter(None, sys.path)]; from creditml.service.kernel import main; main(sys.argv[1:])"
)
_EXEC = """examples:
  creditml exec -- python submit.py         run a script that creates MLClient(DefaultAzureCredential(), …)
  creditml exec -- jupyter lab              the same for notebooks
  creditml up && eval "$(creditml exec --print-env)"    all programs that are started from this shell
  creditml exec --kernel                    install a Jupyter kernel 'creditml', for notebooks in an editor

All subscriptions, resource groups and workspace names lead to the local workspace. The SDK is not changed, and no data
leaves this machine: environment variables direct the SDK to a server on 127.0.0.1."""


class _Place(NamedTuple):
    """The addresses of a running service."""

    url: str
    tracking_uri: str


def main(command: str, words: list[str]) -> int:
    """Run `creditml exec`, `up`, `down` or `status`."""
    return _COMMANDS[command](words)


# -- exec


def _exec(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="creditml exec",
        usage="creditml exec [--config FOLDER] -- COMMAND [...] | --print-env | --kernel",
        description="Run a command with the local workspace in place of Azure ML.",
        epilog=_EXEC,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--print-env", action="store_true", help="print the variables for a shell, after `creditml up`")
    parser.add_argument(
        "--kernel", action="store_true", help="install a Jupyter kernel that sets the variables and starts the service"
    )
    parser.add_argument(
        "--config", metavar="FOLDER", help="first write a config.json for MLClient.from_config() into this folder"
    )
    own, command = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    arguments = parser.parse_args(own)
    if bool(command) + arguments.print_env + arguments.kernel != 1:
        message = "give one of -- COMMAND, --print-env and --kernel. For example: creditml exec -- python submit.py"
        raise UsageError(message)
    root = _root()
    if arguments.config is not None:
        _write_config(Path(arguments.config))
    if command:
        with _server(root) as place:
            return _run(command, root, place)
    if arguments.kernel:
        return _install_kernel(root)
    running = daemon.status(root)
    if running is None:
        message = "No service is running; start one with `creditml up`."
        raise CreditMLError(message)
    given = _variables(root, _Place(running.url, running.tracking_uri))
    from creditml.service.variables import UNSET

    print(f"unset {' '.join(UNSET)}")
    for name, value in given.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


@contextmanager
def _server(root: Path) -> Iterator[_Place]:
    """The running service, or a new one that is stopped at the end of the context."""
    running = daemon.status(root)
    if running is not None:
        yield _Place(running.url, running.tracking_uri)
        return
    from creditml.service.server import Server  # the import takes half a second

    server = Server(root)
    server.start()
    try:
        yield _Place(server.url, server.tracking_uri)
    finally:
        server.stop()


def _run(command: list[str], root: Path, place: _Place) -> int:
    from creditml.service.variables import applied

    environment = applied(os.environ, _variables(root, place))
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []  # what came before the command was there

    def hand_on(number: int, _: object) -> None:
        if number == signal.SIGINT:  # Ctrl-C reaches the command itself
            return
        if process is None:
            early.append(number)
        else:
            process.send_signal(number)

    for number in heeded():  # before the command starts, which would outlive this process if a signal came in between
        signal.signal(number, hand_on)
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        message = f"{command[0]} can't be started: {error.strerror}."
        raise CreditMLError(message) from error
    for received in early:
        process.send_signal(received)
    code = process.wait()
    return 128 - code if code < 0 else code


def _variables(root: Path, place: _Place) -> dict[str, str]:
    from creditml.service.certificates import certificates  # imports cryptography, which takes 60 ms
    from creditml.service.variables import variables

    return variables(root, place.url, certificates(root), place.tracking_uri)


def _write_config(folder: Path) -> None:
    from creditml.service.variables import write_config

    if not write_config(folder):
        print(f"{folder / 'config.json'} exists already and is not changed.", file=sys.stderr)


def _install_kernel(root: Path) -> int:
    """Write a kernelspec to the user's Jupyter folder. It names only the workspace, since the server's port changes."""
    folder = Path(os.environ.get("JUPYTER_DATA_DIR") or _jupyter_data()) / "kernels" / _KERNEL
    folder.mkdir(parents=True, exist_ok=True)
    spec = {
        "argv": [sys.executable, "-c", _START_KERNEL, "-f", "{connection_file}"],
        "display_name": "Python (creditml: local Azure ML)",
        "language": "python",
        "env": {"CREDITML_HOME": str(root)},
    }
    (folder / "kernel.json").write_text(json.dumps(spec, indent=1), encoding="utf-8")
    print(folder)
    return 0


def _jupyter_data() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Jupyter"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "jupyter"


# -- up, down, status


def _up(words: list[str]) -> int:
    parser = _parser("up", "Start a service for the local workspace on 127.0.0.1, for other processes.", "--port 8443")
    parser.add_argument("-p", "--port", type=int, default=0, help="port on 127.0.0.1 (default: any free port)")
    arguments = parser.parse_args(words)
    if not 0 <= arguments.port <= _LAST_PORT:
        message = f"--port {arguments.port}: a port is a number from 1 to {_LAST_PORT}."
        raise UsageError(message)
    running = daemon.up(_root(), arguments.port)
    print(f"{running.url}  (process {running.pid}; `creditml down` stops it)")
    print('Use it from this shell: eval "$(creditml exec --print-env)"', file=sys.stderr)
    return 0


def _down(words: list[str]) -> int:
    _parser("down", "Stop the service; running jobs go on.", "&& creditml status").parse_args(words)
    ended = daemon.down(_root())
    message = f"The service {ended.url} has stopped." if ended else "No service is running for this workspace."
    print(message, file=sys.stderr)
    return 0


def _status(words: list[str]) -> int:
    _parser("status", "Show the service; exit code 1 if none is running.", "|| creditml up").parse_args(words)
    running = daemon.status(_root())
    if running is None:
        print("No service is running for this workspace; start one with `creditml up`.", file=sys.stderr)
        return 1
    print(f"{running.url}  (process {running.pid}, workspace {_root()})")
    return 0


def _parser(command: str, about: str, example: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"creditml {command}",
        description=about,
        epilog=f"example:\n  creditml {command} {example}".rstrip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _root() -> Path:
    return Workspace.find().create().root


_COMMANDS: dict[str, Callable[[list[str]], int]] = {"exec": _exec, "up": _up, "down": _down, "status": _status}
