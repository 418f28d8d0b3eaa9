"""Reads the YAML of data assets, environments and models into the plain values that the workspace records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml.errors import SpecError
from creditml.language.environment import ENVIRONMENT, environment
from creditml.language.fields import Choice, Context, Table, any_map, loose_text_map, text, version
from creditml.language.io import data_path
from creditml.language.reader import open_document, set_value
from creditml.language.writer import environment_value
from creditml.language.yaml import Document, Map, from_plain
from creditml.model import DATA_TYPES, MODEL_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_READ_ONLY = (
    "id",
    "creation_context",
    "latest_version",
    "auto_delete_setting",
    "datastore",
    "job_name",
    "utc_time_created",
    "intellectual_property",
)
_DATA_KEYS = {
    "name": text,
    "version": version,
    "description": text,
    "tags": loose_text_map,
    "properties": loose_text_map,
    "path": data_path,
}
_DATA = Table(
    "a data asset",
    {
        **_DATA_KEYS,
        "type": Choice(*DATA_TYPES, exact=True),
    },
    required=("path",),
    ignored=_READ_ONLY,
)
_MODEL = Table(
    "a model",
    {
        **_DATA_KEYS,
        "type": Choice(*MODEL_TYPES),
        "stage": text,
        "flavors": any_map,
        "system_metadata": any_map,
    },
    required=("path",),
    ignored=_READ_ONLY,
)


def asset_document(file: str | None, values: Mapping[str, Any], overrides: Sequence[str] = ()) -> tuple[Document, Path]:
    """An asset's document: its file, if there is one, overridden by the values of the command line.

    Args:
        file: The path of the YAML file, or None.
        values: The values of flags, by key; None for a flag that was not given.
        overrides: `a.b=c`, as `--set` takes them.

    Returns:
        The document, and the folder that its relative paths start from.

    Raises:
        SpecError: The file can't be read.
    """
    if file is None:
        document, folder = Document("command line", from_plain({}, 0, 0), []), Path.cwd()
    else:
        document, folder = open_document(file), Path(file).absolute().parent
    for override in overrides:
        set_value(document, override)
    if isinstance(document.root, Map):
        for key, value in values.items():
            if value is not None:
                document.root.put(
                    key,
                    (document.root.line, document.root.column),
                    from_plain(value, document.root.line, document.root.column),
                )
    return document, folder


def read_asset(kind: str, document: Document, folder: Path) -> dict[str, Any]:
    """The values of a data asset, an environment or a model.

    Raises:
        SpecError: There are errors; it holds all of them.
    """
    context = Context(document, folder, list(document.warnings))
    if kind == "environment":
        values = _environment(context, document)
    else:
        values = (_DATA if kind == "data" else _MODEL).read(context, document.root)
        values.setdefault("type", "uri_folder" if kind == "data" else "custom_model")
    if isinstance(document.root, Map) and "name" not in document.root.items:
        context.error(
            document.root,
            f"{'An' if kind == 'environment' else 'A'} {kind} asset needs a name; give --name or the key 'name'.",
        )
    if any(not problem.warning for problem in context.problems):
        raise SpecError(context.problems)
    return values


def _environment(context: Context, document: Document) -> dict[str, Any]:
    if not isinstance(document.root, Map):
        ENVIRONMENT.read(context, document.root)
        return {}
    found = environment(context, document.root)
    if found and found.os_type == "linux":  # the default is not recorded
        found = found._replace(os_type=None)
    return environment_value(found) if found else {}
