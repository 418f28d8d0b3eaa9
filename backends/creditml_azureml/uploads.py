"""Surprises in an upload of code: files that nobody expects to be uploaded, and files that are left out.

Azure ML's clients upload a whole folder, without the files that the `.amlignore` (else the `.gitignore`) in its root
names (SDK: `get_ignore_file`), and without `__pycache__`. Everything else is uploaded, even `.git`, virtual
environments and `.env`.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from creditml.documents import read_text
from creditml.errors import CreditMLError
from creditml.workspace.content import ignore_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from creditml.findings import Findings
    from creditml.model import Build, Command
    from creditml.workspace import Workspace
    from creditml.workspace.content import File

_MUCH = 100_000_000
"""Bytes above which the SDK warns of an upload (`FILE_SIZE_WARNING`)."""
_SHOWN = 3
_WORKSPACE = ".creditml"
_FOLDERS = [
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    "node_modules",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".ipynb_checkpoints",
    ".eggs",
    ".terraform",
    "mlruns",
    ".conda",
]
_CREDENTIALS = [
    ".env",
    ".env.*",
    "*.pem",
    "*.pfx",
    "*.p12",
    "*.key",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".netrc",
    "_netrc",
    ".pypirc",
    ".npmrc",
    ".git-credentials",
    ".pgpass",
    "kubeconfig",
    "credentials",
    "credentials.json",
    "client_secret*.json",
    "service_account*.json",
    "*.kdbx",
]
_HARMLESS = (".env.example", ".env.sample", ".env.template", ".env.dist")
_WORD = re.compile(r"(?<![\w./$-])(?:\./)?(\w[\w./-]*\.(?:py|sh|R|ipynb|ya?ml|json|toml|txt))(?![\w/-])")


def code_problems(findings: Findings, path: tuple[str, ...], component: Command, workspace: Workspace) -> None:
    """Check the code folder of a component; `path` is the key path of its `code`."""
    code = Path(str(component.code))
    if not code.is_dir():
        return
    try:
        files = list(workspace.content.code_files(code, map(Path, component.additional_includes)))
    except (CreditMLError, OSError):
        return  # the resolver has reported it
    _size(findings, path, files, code)
    _not_used(findings, path, code, files)
    _own_workspace(findings, path, code)
    _surprises(findings, path, files, code)
    _left_out(findings, path, code, component, files)


def context_problems(findings: Findings, path: tuple[str, ...], build: Build, workspace: Workspace) -> None:
    """Check the local build context of an environment; `path` is the key path of its `build`."""
    context = Path(build.path)
    if not context.is_dir():
        findings.warn(
            (*path, "path"), f"The build context {context} is a file; Azure ML builds from the folder that holds it."
        )
        return
    try:
        files = list(workspace.content.code_files(context))
    except (CreditMLError, OSError) as error:
        findings.warn((*path, "path"), str(error))
        return
    _size(findings, (*path, "path"), files, context)
    _surprises(findings, (*path, "path"), files, context)
    if build.dockerfile_path.removeprefix("./") not in {file.path for file in files}:
        there = (context / build.dockerfile_path).is_file()
        why = "is left out by the ignore file there" if there else "does not exist"
        key = "dockerfile_path" if findings.unread(*path, "dockerfile_path") else "path"
        findings.warn(
            (*path, key),
            f"{build.dockerfile_path} {why} in the build context {context}, so Azure ML can't build the environment. "
            + ("Keep it with a line '!" + build.dockerfile_path + "'." if there else "Set 'dockerfile_path'."),
        )


def _size(findings: Findings, path: tuple[str, ...], files: Sequence[File], folder: Path) -> None:
    total = sum(file.size for file in files)
    if total > _MUCH:
        largest = sorted(files, key=lambda file: -file.size)[:_SHOWN]
        shown = ", ".join(f"{file.path} ({_megabytes(file.size)})" for file in largest)
        findings.warn(
            path,
            f"{_megabytes(total)} of {folder} are uploaded, and brought to each step that uses it. The largest files "
            f"are {shown}. Give data as an input, and list what no step needs in {_ignore_file(folder)}.",
        )


def _not_used(findings: Findings, path: tuple[str, ...], code: Path, files: Sequence[File]) -> None:
    """Warn of ignore files that aren't used, if they name files that are uploaded."""
    sent = [file.path for file in files if file.source.startswith(f"{code}{os.sep}")]
    root = next((code / name for name in (".amlignore", ".gitignore") if (code / name).is_file()), None)
    for ignore, below, instead in _ignore_files(code, sent):
        if ignore == root:
            continue
        matches = _matcher(ignore)
        named = [name for name in sent if name.startswith(below) and matches(instead + name.removeprefix(below))]
        if named:
            beside = root is not None and root.parent == ignore.parent
            why = ".amlignore counts alone" if beside else "only one at the root counts"
            findings.warn(
                path,
                f"{ignore} is not used ({why}), so files that it names are uploaded: {_some(named)}. "
                f"Put its lines into {_ignore_file(code)}.",
            )


def _ignore_files(code: Path, sent: Iterable[str]) -> Iterator[tuple[Path, str, str]]:
    """Ignore files in, below and above the code folder.

    Each with what a path must begin with to lie below it, and what its own view of that path begins with instead.
    """
    for name in (".amlignore", ".gitignore"):
        if (code / name).is_file():
            yield code / name, "", ""
    for name in sent:
        folder, _, last = name.rpartition("/")
        if folder and last in (".gitignore", ".amlignore"):
            yield code / name, f"{folder}/", ""
    if (code / ".git").exists():
        return
    for parent in code.parents:
        if (parent / ".gitignore").is_file():
            yield parent / ".gitignore", "", f"{code.relative_to(parent).as_posix()}/"
        if (parent / ".git").exists():
            return


def _own_workspace(findings: Findings, path: tuple[str, ...], code: Path) -> None:
    if (code / _WORKSPACE).is_dir() and not ignore_rules(code)(f"{_WORKSPACE}/workspace.db"):
        findings.warn(
            path,
            f"The local workspace {code / _WORKSPACE} lies in the code folder. It is left out here, but Azure ML's "
            f"clients upload it, and other code with each run. Add a line '{_WORKSPACE}/' to {_ignore_file(code)}.",
        )


def _surprises(findings: Findings, path: tuple[str, ...], files: Sequence[File], root: Path) -> None:
    sizes: Counter[str] = Counter()
    for file in files:
        parts = file.path.split("/")
        at = next((n for n, part in enumerate(parts[:-1]) if part in _FOLDERS), None)
        if at is not None:
            sizes["/".join(parts[: at + 1])] += file.size
    for folder, size in sizes.items():
        findings.warn(
            path, f"{folder}/ is uploaded too ({_megabytes(size)}). Add a line '{folder}/' to {_ignore_file(root)}."
        )
    names = [file.path for file in files if _is_credential(file.path) and not _within(file.path, sizes)]
    if names:
        findings.warn(
            path,
            f"{_some(names)} may hold credentials, and whoever may read the workspace in Azure can read what is "
            f"uploaded. List it in {_ignore_file(root)}.",
        )


def _left_out(findings: Findings, path: tuple[str, ...], code: Path, component: Command, files: Sequence[File]) -> None:
    """Warn of files that the command names and an ignore file leaves out."""
    sent = {file.path for file in files}
    for name in dict.fromkeys(os.path.normpath(word) for word in _WORD.findall(component.command)):
        if name not in sent and not name.startswith("..") and (code / name).is_file():
            findings.warn(
                path,
                f"The command names {name}, which {_ignore_file(code)} leaves out of what is uploaded. "
                f"Keep it with a line '!{name}'.",
            )


def _is_credential(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name not in _HARMLESS and any(fnmatch(name, pattern) for pattern in _CREDENTIALS)


def _within(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


def _ignore_file(code: Path) -> Path:
    """The ignore file that is used, or if there is none, the one to make."""
    names = (".amlignore", ".gitignore")
    return next((code / name for name in names if (code / name).is_file()), code / ".amlignore")


def _matcher(ignore: Path) -> Callable[[str], bool]:
    from pathspec import PathSpec

    lines = read_text(ignore, "utf-8", "replace").splitlines()
    return PathSpec.from_lines("gitignore", lines).match_file


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
