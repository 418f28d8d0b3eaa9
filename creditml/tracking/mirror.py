"""Copies the models that a run logged to the run's artifacts.

MLflow 3 stores the files of `log_model` beside the runs of an experiment; MLflow 2 and Azure ML store them in the run.
Users expect them in the run: in the folder that `job download` makes, and under
`azureml://jobs/<job>/outputs/artifacts/paths/<model>`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from creditml.tracking import lease, store

_DESCRIPTION = "MLmodel"
"""The file that describes a model; it contains the model's unique id."""
_CHUNK = 1 << 30


def mirror_logged_models(root: Path, run_id: str, run_artifacts: Path) -> list[str]:
    """Copy the models that a run logged to `<run_artifacts>/<model name>/`.

    A new model's folder appears with all its files at once. If the folder exists, its files are kept, except those that
    the model has too, which are replaced; the file MLmodel is written last. A model that was copied before is skipped.

    Args:
        root: The workspace folder.
        run_id: The run.
        run_artifacts: The run's artifact folder.

    Returns:
        The names of the models that this call copied.
    """
    latest = {model.name: model.folder for model in store.logged_models(root, run_id)}
    return [name for name, folder in latest.items() if _mirror(folder, run_artifacts / name, lease.folder(root))]


def _mirror(source: Path, target: Path, scratch: Path) -> bool:
    description = source / _DESCRIPTION
    if not description.is_file() or target.is_file() or _same(description, target / _DESCRIPTION):
        return False
    with TemporaryDirectory(prefix="mirror-", dir=scratch) as folder:
        draft = Path(folder, "model")
        shutil.copytree(source, draft, copy_function=_copy)
        if target.is_dir():
            _merge(draft, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(target)
    return True


def _merge(draft: Path, target: Path) -> None:
    (target / _DESCRIPTION).unlink(missing_ok=True)
    files = [path.relative_to(draft) for path in draft.rglob("*") if path.is_file()]
    for file in sorted(files, key=lambda file: file == Path(_DESCRIPTION)):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        (draft / file).replace(target / file)


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def _copy(source: str, target: str) -> str:
    """Copy a file; file systems that support it (Btrfs, XFS) share its blocks instead of copying them."""
    try:
        with open(source, "rb") as reader, open(target, "wb") as writer:
            while os.copy_file_range(reader.fileno(), writer.fileno(), _CHUNK):
                pass
    except (OSError, AttributeError):  # the system can't do that, or not between these two file systems
        shutil.copyfile(source, target)
    shutil.copystat(source, target)
    return target
