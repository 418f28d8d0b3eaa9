"""The command line `creditml`. Each command has its own module, which is imported only when the command is run."""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from creditml.cli.guarded import guarded
from creditml.errors import CreditMLError, SpecError, UsageError, near_miss

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

FAILED, USAGE, INTERRUPTED = 1, 2, 130

COMMANDS = {
    "run": ("creditml.cli.run", "run a job on this machine or in Azure ML, and watch it"),
    "check": ("creditml.cli.check", "check a job's file for a local run or for Azure ML, and report all problems"),
    "parity": ("creditml.cli.parity", "show the effect of each field that a job uses, compared with Azure ML"),
    "job": ("creditml.cli.job", "create, validate, list, show, stream, download, cancel, archive, restore jobs"),
    "step": ("creditml.cli.step", "run a step of a recorded job again on this machine, with its recorded inputs"),
    "diff": ("creditml.cli.diff", "show the differences between two jobs"),
    "pull": ("creditml.cli.pull", "copy a job from Azure ML: graph, code, statuses, logs, and data on demand"),
    "data": ("creditml.cli.assets", "create, list, show, archive, restore data assets"),
    "environment": ("creditml.cli.environments", "create, list, show, archive, restore, build, prune environments"),
    "component": ("creditml.cli.assets", "create, list, show, archive, restore components"),
    "model": ("creditml.cli.assets", "create, list, show, archive, restore models"),
    "compile": ("creditml.cli.compile", "write a pipeline made with azure.ai.ml's dsl as YAML"),
    "exec": ("creditml.cli.service", "run a script or notebook with the local workspace in place of Azure ML"),
    "up": ("creditml.cli.service", "start a service for the local workspace, which other processes can use"),
    "down": ("creditml.cli.service", "stop the service"),
    "status": ("creditml.cli.service", "show whether the service is running"),
    "ui": ("creditml.cli.ui", "open MLflow's pages for the local workspace"),
}

_HELP = """usage: creditml COMMAND [...]

Azure ML pipelines on your own machine: the same YAML, the same graph, no account.

commands:
{commands}

examples:
  creditml run pipeline.yml                      run a pipeline, and show its steps live
  creditml job validate -f pipeline.yml          report all problems, with file:line:column
  creditml job list -o table                     list the jobs of the local workspace
  creditml job download -n JOB --all             copy the logs and outputs of a job
  creditml diff JOB JOB                          show the differences between two jobs
  creditml step run JOB/train                    run one step again, with the same inputs
  creditml exec -- python submit.py              run a script that creates its own MLClient
  creditml ui                                    show metrics and models in MLflow

`creditml COMMAND --help` explains a command. The local workspace is the folder .creditml/ in the current
folder or in the nearest folder above it, or $CREDITML_HOME.
Flags and output are those of `az ml`: -o json|jsonc|yaml|table|tsv, --query JMESPATH.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, and return the exit code: 0 for success, 1 failed, 2 invalid arguments, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the terminal can't show is escaped
            stream.reconfigure(errors="backslashreplace")
    with guarded():
        return _answered(words)


def _answered(words: list[str]) -> int:
    """Run a command line; errors become messages and exit codes."""
    try:
        return _run(words)
    except KeyboardInterrupt as error:
        if error.args:  # the code that was interrupted left a message
            print(f"creditml: {error}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that flushing at exit succeeds
        return FAILED
    except SpecError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        errors = sum(not problem.warning for problem in error.problems)
        done = "run" if words[0] in ("run", "job", "check") else "created"
        print(f"{errors} error{'s' if errors != 1 else ''}. Nothing was {done}.", file=sys.stderr)
        return FAILED
    except Exception as error:  # noqa: BLE001  users get a message, and a file with the traceback
        print(f"creditml: {_words(error)}", file=sys.stderr)
        return USAGE if isinstance(error, UsageError) else FAILED


def command() -> NoReturn:
    """Run the command line as the main program of this process, and exit.

    The process ends with `os._exit`: the normal shutdown of the interpreter takes longer than some commands. Commands
    that have imported Azure's SDK exit normally, since the SDK may have registered exit handlers.
    """
    try:
        code = main()
    except SystemExit as end:  # argparse raises it after help or invalid arguments
        code = end.code if isinstance(end.code, int) else FAILED
    if "azure" in sys.modules:
        sys.exit(code)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError as error:  # noqa: PERF203  the reader has closed the pipe, or the disk is full
            code = code or FAILED
            if stream is sys.stdout and not isinstance(error, BrokenPipeError):
                with suppress(OSError):
                    print(f"creditml: {_system_words(error)}", file=sys.stderr)
    os._exit(code)


def _words(error: Exception) -> str:
    """The message for an error."""
    if isinstance(error, CreditMLError):
        return str(error)
    if isinstance(error, FileNotFoundError) and not error.filename:
        return "the current folder no longer exists; change to another folder."
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
            mend = f". The workspace {root} can't be written to; set CREDITML_HOME to a folder that you can write to."
    return f"{error.filename}: {error.strerror}{mend}"


def _defect(error: Exception) -> str:
    """The message for an unexpected error, whose traceback is written to a file for a report."""
    import sqlite3

    if isinstance(error, sqlite3.Error):
        from creditml.workspace import Workspace
        from creditml.workspace.database import trouble

        return trouble(Workspace.find().root / "workspace.db", error)
    import tempfile
    import traceback

    from creditml.secrets import redacted

    with tempfile.NamedTemporaryFile("w", prefix="creditml-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write(redacted("".join(traceback.format_exception(error))))
    return f"this is a defect in creditml; please report it, with {file.name}: {type(error).__name__}: {error}"


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
        message = "creditml needs Linux or macOS. On Windows, run it in WSL."
        raise CreditMLError(message)
    gc.disable()  # saves 4 ms: imports create no garbage
    module = importlib.import_module(COMMANDS[words[0]][0])
    gc.enable()
    result: int = module.main(words[0], words[1:])
    return result


def _help() -> str:
    return _HELP.format(commands="\n".join(f"  {name:<13}{about}" for name, (_, about) in COMMANDS.items()))
