"""`creditml compile`: writes a pipeline that was made with `azure.ai.ml.dsl` as a YAML file."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import inspect
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml.documents import read_bytes
from creditml.errors import CreditMLError, UsageError, near_miss
from creditml.language.yaml import scalar
from creditml.references import is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

_DATA = ("uri_file", "uri_folder", "mltable", "mlflow_model", "custom_model", "triton_model")
_MADE = "# Made by creditml compile, which replaces this file as long as it is unchanged: "
"""The beginning of each file that is written; the rest of the line is the hash of what follows."""


def main(command: str, words: list[str]) -> int:
    """Run `creditml compile`."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description="Write a pipeline made with azure.ai.ml's dsl as YAML, exactly as it would be sent to Azure ML.",
        epilog="examples:\n  creditml compile my_pipeline.py:credit_defaults -o pipeline.yml\n"
        "  creditml compile my_pipeline.py:credit_defaults -o pipeline.yml --set data=./data.csv --set ratio=0.25",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("function", metavar="FILE:FUNCTION", help="a function decorated with @dsl.pipeline, or a job")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the YAML file to write")
    parser.add_argument(
        "--set",
        dest="values",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="a value for a parameter of the function: a literal, or a path for a data parameter",
    )
    parser.add_argument(
        "--force", action="store_true", help="also replace files that were not made by this command, or changed since"
    )
    arguments = parser.parse_args(words)
    file, _, name = arguments.function.rpartition(":")
    if not file or not name:
        message = f"{arguments.function}: write FILE:FUNCTION, for example my_pipeline.py:credit_defaults."
        raise UsageError(message)
    values = dict(_pair(text) for text in arguments.values)
    output = Path(arguments.output).absolute()
    entity = _entity(Path(file), name, values)
    from creditml.nodes.specs import job_files
    from creditml.service.compiling import compiled, relative

    components = f"{output.stem}_components"
    job = relative(compiled(entity), output.parent, output.parent / components)
    texts = job_files(job, output.name, components)
    first, *others = _write({output.parent / path: text for path, text in texts.items()}, force=arguments.force)
    print(first, flush=True)
    for path in others:
        print(f"component: {path}", file=sys.stderr)
    return 0


def _write(texts: Mapping[Path, str], *, force: bool) -> list[Path]:
    """Write all files, or none if one of them would replace something that this command did not make."""
    taken = [path for path in texts if not _is_free(path)]
    wrong = taken if not force else [path for path in taken if not path.is_file()]
    if wrong:
        why = "is not a file" if force else "was not made by this command, or was changed since"
        advice = "give another -o" if force else "--force replaces them, another -o leaves them alone"
        message = "".join(f"{path} exists and {why}.\n" for path in wrong) + f"Nothing was written; {advice}."
        raise CreditMLError(message)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{_MADE}{_hash(text)}\n{text}", encoding="utf-8")
    return list(texts)


def _is_free(path: Path) -> bool:
    """Whether there is no file of this path, or one that was made here and is as it was made."""
    if not os.path.lexists(path):
        return True
    try:
        head, _, text = read_bytes(path).decode("utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return False
    return head == f"{_MADE}{_hash(text)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        message = f"--set {text}: write --set name=value."
        raise UsageError(message)
    return name, value


def _entity(file: Path, name: str, values: dict[str, str]) -> Any:
    module = _module(file)
    made = getattr(module, name, None)
    if made is None:
        message = f"{file} has no '{name}'.{near_miss(name, [key for key in vars(module) if not key.startswith('_')])}"
        raise CreditMLError(message)
    if not inspect.isroutine(made) and not inspect.isfunction(made):
        return made
    given = _arguments(made, values)
    try:
        return made(**given)
    except TypeError as error:
        message = f"{name} can't be called: {error}. Give its parameters with --set name=value."
        raise CreditMLError(message) from error
    except Exception as error:
        message = f"{name} failed: {type(error).__name__}: {error}"
        raise CreditMLError(message) from error


def _arguments(function: Any, values: dict[str, str]) -> dict[str, Any]:
    """The values as arguments of the function. Values of data parameters, and paths that exist, become `Input`s."""
    parameters = inspect.signature(function).parameters
    unknown = [name for name in values if name not in parameters]
    if unknown:
        message = f"The function has no parameter '{unknown[0]}'.{near_miss(unknown[0], parameters)}"
        raise CreditMLError(message)
    return {name: _value(parameters[name], text) for name, text in values.items()}


def _value(parameter: inspect.Parameter, text: str) -> Any:
    from azure.ai.ml import Input

    declared = getattr(parameter.annotation, "type", None)
    if declared in _DATA:
        return Input(type=declared, path=text)
    if declared is None and (Path(text).exists() or text.startswith("https://") or is_reference(text)):
        return Input(type="uri_folder" if Path(text).is_dir() else "uri_file", path=text)
    return text if parameter.annotation is str else scalar(text)


def _module(file: Path) -> ModuleType:
    if not file.is_file():
        message = f"{file} does not exist."
        raise CreditMLError(message)
    sys.path.insert(0, str(file.absolute().parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        message = f"{file} is not a Python file."
        raise CreditMLError(message)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        message = f"{file} can't be imported: {type(error).__name__}: {error}"
        raise CreditMLError(message) from error
    return module
