"""`creditml diff A B`: shows the differences between two jobs."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from creditml.cli import output
from creditml.cli.guarded import unguarded
from creditml.cli.job_flags import add_target_arguments, target_of
from creditml.entry_points import AZURE
from creditml.errors import CreditMLError, NotFound, UsageError
from creditml.secrets import redacted
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TROUBLE = 2
_LONGEST = 60
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_HARMLESS = dict.fromkeys((*range(9), *range(10, 32), *range(127, 160)), "�")
"""Replaces control characters in the content of files, which would confuse the terminal."""
_EXAMPLES = """examples:
  creditml diff brave_lamp_x1 calm_reed_y2
  creditml diff A B --patch                      show the lines of code that differ, too
  creditml diff A B -o json --query steps.train.metrics
  creditml diff JOB/train AGAIN                  compare a step with its repetition by `creditml step run`
  creditml diff LOCAL CLOUD --backend azureml    pull jobs from Azure ML if they are not in the workspace

Exit codes are those of the program diff: 0 no differences, 1 differences, 2 errors. Times and backends are shown, but
don't count as differences."""


def main(command: str, words: list[str]) -> int:
    """Run `creditml diff`."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description="Show the differences between two jobs: graph, code, environments, inputs, metrics, statuses.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", metavar="A", help="a job, or a step as JOB/STEP")
    parser.add_argument("b", metavar="B", help="the job or step to compare it with")
    parser.add_argument("--patch", action="store_true", help="show the lines of code that differ")
    parser.add_argument(
        "--backend",
        help="azureml: pull jobs that are not in the local workspace (default: $CREDITML_BACKEND, creditml.yml)",
    )
    add_target_arguments(parser)
    output.add_arguments(parser)
    parser.set_defaults(output=None)
    arguments = parser.parse_args(words)
    try:
        return _diff(arguments)
    except UsageError:
        raise
    except CreditMLError as error:  # exit code 1 means that something differs
        print(f"creditml: {error}", file=sys.stderr)
        return _TROUBLE


def _diff(arguments: argparse.Namespace) -> int:
    from creditml.history.diff import compare_jobs

    workspace = Workspace.find()
    for name in (arguments.a, arguments.b):
        _have(workspace, name, arguments)
    found, equal = compare_jobs(workspace, arguments.a, arguments.b, patch=arguments.patch)
    if arguments.output or arguments.query is not None:
        arguments.output = arguments.output or "json"
        output.show(found, arguments)
    else:
        _print(_lines(found))
    return 0 if equal else 1


def _have(workspace: Workspace, name: str, arguments: argparse.Namespace) -> None:
    """Make sure that a job is in the local workspace. A job that runs in Azure ML is pulled, to get its current state.

    Raises:
        NotFound: The job is not in the workspace and can't be pulled.
    """
    try:
        if not workspace.exists:
            Workspace.existing()
        record = workspace.jobs.get(name.partition("/")[0])
    except NotFound as error:
        if not _azure_is_meant(arguments):
            message = f"{error}\nFor a job in Azure ML, add --backend azureml, or pull it first: creditml pull {name}"
            raise NotFound(message) from None
        from creditml.cli.pull import bring

        bring(workspace, arguments, name.partition("/")[0])
    else:
        from creditml.history.life import settle

        root = workspace.jobs.get(settle(workspace, record).root)
        if root.backend == AZURE and not root.ended:  # the record may be out of date
            from creditml.cli.pull import bring

            bring(workspace, arguments, root.name)


def _azure_is_meant(arguments: argparse.Namespace) -> bool:
    """Whether flags or settings allow pulling a job from Azure ML."""
    from creditml.config import read_config

    return bool(target_of(arguments)) or (arguments.backend or read_config().backend) == AZURE


# -- the output as text


def _print(lines: Iterator[str]) -> None:
    if not sys.stdout.isatty():
        for line in lines:
            print(redacted(line))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, file=unguarded())
    for line in lines:
        style = "bold" if line and not line.startswith(" ") else _COLOURS.get(line.strip()[:1], "")
        console.print(Text(redacted(line).translate(_HARMLESS), style=style), soft_wrap=True)


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    where = found["backends"]
    equal = ": no differences" if found["equal"] else ""
    yield f"{found['a']} ({where['a']}) -> {found['b']} ({where['b']}){equal}"
    if "job" in found:
        yield "job"
        yield from _section(found["job"])
    if "graph" in found:
        yield "graph"
        yield from _graph(found["graph"])
    for path, step in found.get("steps", {}).items():
        yield f"step {path}" if path else "command"
        yield from _section(step)
    if "times" in found:
        yield "times (not counted as differences)"
        for path, pair in found["times"].items():
            yield f"  {path or 'job'}: {_pair(pair, 's')}"


def _graph(graph: Mapping[str, Any]) -> Iterator[str]:
    for path in graph.get("removed", ()):
        yield f"  - {path}"
    for path in graph.get("added", ()):
        yield f"  + {path}"
    for path, edges in graph.get("rewired", {}).items():
        for name, pair in edges.items():
            yield f"  {path}.{name}: {_pair(pair)}"
    for name, pair in graph.get("outputs", {}).items():
        yield f"  output {name}: {_pair(pair)}"


def _section(section: Mapping[str, Any]) -> Iterator[str]:
    for key, value in section.items():
        if key == "code" and isinstance(value, list):
            yield from _code(value)
        elif key == "environment":
            yield from _environment(value)
        elif set(value) >= {"a", "b"} and set(value) <= {"a", "b", "difference"}:
            yield from _change(key, value)
        else:
            for name, pair in value.items():
                yield from _change(f"{key}.{name}", pair)


def _environment(value: Mapping[str, Any]) -> Iterator[str]:
    if set(value) == {"a", "b"}:
        yield from _change("environment", value)
        return
    for key, pair in value.items():
        if set(pair) == {"a", "b"}:
            yield from _change(f"environment.{key}", pair)
            continue
        yield f"  environment.{key}"
        yield from (f"    - {name}" for name in pair.get("removed", ()))
        yield from (f"    + {name}" for name in pair.get("added", ()))


def _code(files: list[dict[str, Any]]) -> Iterator[str]:
    for file in files:
        counts = "binary" if file.get("binary") else f"+{file['added']} -{file['removed']}"
        yield f"  code {file['change']}: {file['path']} ({counts})"
        yield from (f"    {line}" for line in file.get("lines", ()))


def _change(name: str, pair: Mapping[str, Any]) -> Iterator[str]:
    texts = [_text(pair[side]) for side in ("a", "b")]
    if max(map(len, texts)) <= _LONGEST and not any("\n" in text for text in texts):
        yield f"  {name}: {_pair(pair)}"
        return
    yield f"  {name}"
    yield from (f"    - {line}" for line in texts[0].splitlines())
    yield from (f"    + {line}" for line in texts[1].splitlines())


def _pair(pair: Mapping[str, Any], unit: str = "") -> str:
    shown = [_text(pair[side]) + (unit if pair[side] is not None else "") for side in ("a", "b")]
    more = f" ({pair['difference']:+.6g}{unit})" if "difference" in pair else ""
    return f"{shown[0]} -> {shown[1]}{more}"


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
