"""The command `creditml`. Each command lives in a module of its own, imported when it is asked for."""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from creditml.errors import CreditMLError, SpecError, UsageError, near_miss

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

FAILED, USAGE, INTERRUPTED = 1, 2, 130

COMMANDS = {
    "run": ("creditml.cli.run", "run a job here, and watch it"),
    "check": ("creditml.cli.check", "report every mistake of a job's file, here or for Azure ML"),
    "parity": ("creditml.cli.parity", "tell what becomes here of each field that a job uses"),
    "job": ("creditml.cli.job", "create, validate, list, show, stream, download, cancel, archive, restore jobs"),
    "step": ("creditml.cli.step", "run a step of a recorded job again, here, on its recorded inputs"),
    "diff": ("creditml.cli.diff", "what differs between two jobs"),
    "pull": ("creditml.cli.pull", "bring a job of Azure ML here: graph, code, statuses, logs, and data on demand"),
    "data": ("creditml.cli.assets", "create, list, show, archive, restore data assets"),
    "environment": ("creditml.cli.environments", "create, list, show, archive, restore, build, prune environments"),
    "component": ("creditml.cli.assets", "create, list, show, archive, restore components"),
    "model": ("creditml.cli.assets", "create, list, show, archive, restore models"),
    "compile": ("creditml.cli.compile", "write a pipeline made with azure.ai.ml's dsl as YAML"),
    "exec": ("creditml.cli.service", "run a script or notebook whose Azure ML is the local workspace"),
    "up": ("creditml.cli.service", "start the local workspace as a service"),
    "down": ("creditml.cli.service", "end it"),
    "status": ("creditml.cli.service", "show it"),
    "ui": ("creditml.cli.ui", "open MLflow's pages on the local workspace"),
}

_HELP = """usage: creditml COMMAND [...]

Azure ML pipelines on your own machine: the same YAML, the same graph, no account.

commands:
{commands}

examples:
  creditml run pipeline.yml                      run a pipeline and see its steps live
  creditml job validate -f pipeline.yml          every mistake in it, with file:line:column
  creditml job list -o table                     what ran here
  creditml job download -n JOB --all             its logs and outputs
  creditml diff JOB JOB                          what differs between two of them
  creditml step run JOB/train                    one step again, on the inputs it had
  creditml exec -- python submit.py              a script that makes its own MLClient, here
  creditml ui                                    metrics and models in MLflow

`creditml COMMAND --help` says more. The workspace is the nearest .creditml/ upward, or $CREDITML_HOME.
Options and output are those of `az ml`: -o json|jsonc|yaml|table|tsv, --query JMESPATH.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 1 failed, 2 wrong usage, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the terminal lacks is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(words)
    except KeyboardInterrupt as error:
        if error.args:  # something is left to be said
            print(f"creditml: {error}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return FAILED
    except SpecError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        errors = sum(not problem.warning for problem in error.problems)
        done = "run" if words[0] in ("run", "job", "check") else "created"
        print(f"{errors} error{'s' if errors != 1 else ''}. Nothing was {done}.", file=sys.stderr)
        return FAILED
    except Exception as error:  # noqa: BLE001  nobody but us should have to read a traceback
        print(f"creditml: {_words(error)}", file=sys.stderr)
        return USAGE if isinstance(error, UsageError) else FAILED


def command() -> NoReturn:
    """Be the command's process: run it, and end without taking Python apart, which takes longer than some commands."""
    try:
        code = main()
    except SystemExit as end:  # argparse ends so, after help or wrong usage
        code = end.code if isinstance(end.code, int) else FAILED
    if "azure" in sys.modules:  # which may have something to do at the exit
        sys.exit(code)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError as error:  # noqa: PERF203  nobody reads it any more, or its disk is full
            code = code or FAILED
            if stream is sys.stdout and not isinstance(error, BrokenPipeError):
                with suppress(OSError):
                    print(f"creditml: {_system_words(error)}", file=sys.stderr)
    os._exit(code)


def _words(error: Exception) -> str:
    """What to say of an error."""
    if isinstance(error, CreditMLError):
        return str(error)
    if isinstance(error, FileNotFoundError) and not error.filename:
        return "the current folder is gone; change to another one."
    if isinstance(error, OSError):
        return _system_words(error)
    return _defect(error)


def _system_words(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f"for {error.filename}" if error.filename else "on the disk"
        return f"there is no space left {where}; free some space, and try again."
    if not error.filename:
        return str(error.strerror or error)
    mend = ""
    if error.errno in (errno.EROFS, errno.EACCES):
        from creditml.workspace import Workspace

        root = Workspace.find().root
        if str(error.filename).startswith(f"{root}{os.sep}"):
            mend = f". The workspace {root} can't be written to; set CREDITML_HOME to a folder of yours."
    return f"{error.filename}: {error.strerror}{mend}"


def _defect(error: Exception) -> str:
    """Keep a traceback for a report, and say where."""
    import sqlite3

    if isinstance(error, sqlite3.Error):
        from creditml.workspace import Workspace
        from creditml.workspace.database import trouble

        return trouble(Workspace.find().root / "workspace.db", error)
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="creditml-", suffix=".txt", delete=False, encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
    return f"this is a defect of creditml, please report it with {file.name}: {type(error).__name__}: {error}"


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help(), end="")
        return 0 if words else USAGE
    if words[0] in ("-V", "--version"):
        from creditml import __version__

        print(f"creditml {__version__}")
        return 0
    if words[0] not in COMMANDS:
        message = f"there is no command '{words[0]}'.{near_miss(words[0], COMMANDS)} `creditml --help` lists them."
        raise UsageError(message)
    if sys.platform == "win32":
        message = "creditml supervises processes as Linux and macOS do it. On Windows, run it in WSL."
        raise CreditMLError(message)
    gc.disable()  # nothing that modules make while they are imported is ever garbage: 4 ms
    module = importlib.import_module(COMMANDS[words[0]][0])
    gc.enable()
    result: int = module.main(words[0], words[1:])
    return result


def _help() -> str:
    return _HELP.format(commands="\n".join(f"  {name:<13}{about}" for name, (_, about) in COMMANDS.items()))
