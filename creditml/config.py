"""`creditml.yml`: what a project sets for all its runs, from the nearest one upward.

    backend: local
    max_parallel: 4      # steps of a job that run at once
    max_jobs: 2          # submitted jobs that run at once; others wait
    pass_env: [HF_HOME]

A flag wins over an environment variable (CREDITML_BACKEND), and that over the file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.backends import DEFAULT
from creditml.errors import SpecError

if TYPE_CHECKING:
    from creditml.spec.fields import Context
    from creditml.spec.yaml import Node

FILE = "creditml.yml"


class Config(NamedTuple):
    """A project's settings."""

    backend: str = DEFAULT
    max_parallel: int | None = None
    max_jobs: int | None = None
    pass_env: tuple[str, ...] = ()


def read_config() -> Config:
    """The settings that hold in the current folder.

    Raises:
        SpecError: the file has problems.
    """
    here = Path.cwd()
    file = next((folder / FILE for folder in (here, *here.parents) if (folder / FILE).is_file()), None)
    config = _from_file(file) if file else Config()
    backend = os.environ.get("CREDITML_BACKEND")
    return config._replace(backend=backend) if backend else config


def _count(context: Context, node: Node) -> Any:  # noqa: ANN401  int or INVALID
    from creditml.spec.fields import integer  # noqa: PLC0415  few projects have a file to read

    count = integer(context, node)
    if isinstance(count, int) and count < 1:
        return context.error(node, f"At least one has to run, not {count}.")
    return count


def _from_file(file: Path) -> Config:
    from creditml.spec.fields import Context, Table, text, text_list  # noqa: PLC0415  most projects have none
    from creditml.spec.reader import open_document  # noqa: PLC0415  few projects have a file to read
    from creditml.spec.yaml import Scalar  # noqa: PLC0415  few projects have a file to read

    document = open_document(file)
    if isinstance(document.root, Scalar) and document.root.value is None:
        return Config()
    context = Context(document, file.parent, [])
    keys = {"backend": text, "max_parallel": _count, "max_jobs": _count, "pass_env": text_list}
    values = Table(f"the settings in {FILE}", keys).read(context, document.root)
    if context.problems:
        raise SpecError(context.problems)
    return Config(**values)
