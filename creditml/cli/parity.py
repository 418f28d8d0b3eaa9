"""`creditml parity FILE`: shows the effect of each field that a job uses, compared with Azure ML."""

from __future__ import annotations

import argparse
from collections import Counter

from creditml.cli import output
from creditml.cli.job_flags import add_set_argument
from creditml.entry_points import AZURE, DEFAULT
from creditml.errors import UsageError

_EXAMPLES = """examples:
  creditml parity pipeline.yml
  creditml parity pipeline.yml --backend docker -o table
  creditml parity pipeline.yml --query "[?fate!='emulated']" -o yaml
  creditml parity pipeline.yml --strict           exit code 1 unless every field is emulated
  creditml parity --docs                          print the whole table as Markdown"""
_COLUMNS = ("location", "path", "fate", "how")


def main(command: str, words: list[str]) -> int:
    """Run `creditml parity`."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description="Show the effect of each field that a job uses, compared with Azure ML: emulated, approximated, "
        "ignored or refused.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="the job's YAML file")
    parser.add_argument("--backend", help="backend of the job: local or docker (default: as for `creditml run`)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 unless every field is emulated")
    parser.add_argument("--docs", action="store_true", help="print the whole table as Markdown")
    add_set_argument(parser)
    output.add_arguments(parser)
    parser.set_defaults(output=None)
    arguments = parser.parse_args(words)
    if arguments.docs:
        from creditml.parity import page

        print(page(), end="")
        return 0
    if arguments.file is None:
        parser.error("FILE or --docs is needed")
    return _tell(arguments)


def _tell(arguments: argparse.Namespace) -> int:
    from creditml.config import read_config
    from creditml.parity import FATES, uses
    from creditml.workspace import Workspace

    backend = arguments.backend or read_config().backend
    if backend == AZURE and not arguments.backend:
        backend = DEFAULT
    elif backend == AZURE:
        message = f"--backend {AZURE} is Azure ML itself; choose --backend local or docker to compare with it."
        raise UsageError(message)
    found = uses(arguments.file, arguments.overrides, Workspace.find(), containers=backend != DEFAULT)
    emulated, *others = FATES
    bad = arguments.strict and any(use.fate.word != emulated for use in found)
    if arguments.output is None and arguments.query is None:
        for use in found:
            print(f"{use.place}: {use.path}: {use.fate.word}{': ' if use.fate.how else ''}{use.fate.how}")
        counts = Counter(use.fate.word for use in found)
        told = ", ".join(f"{counts[word]} {word}" for word in (emulated, *others))
        print(f"{len(found)} fields: {told}")
        return int(bad)
    arguments.output = arguments.output or "json"
    shown = [
        {"location": str(use.place), "path": use.path, "field": use.field, "fate": use.fate.word, "how": use.fate.how}
        for use in found
    ]
    output.show(shown, arguments, _COLUMNS)
    return int(bad)
