"""What is uploaded has the name that the SDK gives it, so that neither uploads it twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from creditml.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")

TREES = {
    "a file": {"data.csv": b"a,b\n"},
    "a folder": {"d/b.txt": b"b", "d/A.txt": b"a", "d/sub/c.txt": b"", "d/Sub2/x/y.bin": bytes(range(256))},
    "ignored files": {
        "d/.amlignore": b"*.log\n",
        "d/x.log": b"x",
        "d/y.txt": b"y",
        "d/sub/z.log": b"z",
        "d/sub/k": b"k",
    },
    "odd names": {"d/ü ö.txt": b"u", "d/a.b/c": b"c", "d/a-b": b"d", "d/_": b"e", "d/Z": b"f", "d/.hidden": b"g"},
}


@pytest.mark.parametrize("tree", TREES)
def test_data_has_the_sdks_hash(tmp_path: Path, tree: str) -> None:
    from azure.ai.ml._utils._asset_utils import get_ignore_file, get_object_hash

    for path, content in TREES[tree].items():
        file = tmp_path / "in" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (source,) = (tmp_path / "in").iterdir()
    workspace = Workspace(tmp_path / "workspace").create()

    kept = workspace.data.keep(str(source), "uri_folder" if source.is_dir() else "uri_file")

    ignored = get_ignore_file(source) if source.is_dir() else get_ignore_file(source.parent)
    assert kept.split("/")[-2] == get_object_hash(source, ignored)
    workspace.close()
