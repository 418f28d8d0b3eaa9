"""Reads uv's error reports, and picks out what the user needs to know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from creditml.secrets import without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable

PROGRESS = re.compile(r"\s*(Resolved|Downloading|Building|Prepared|Installed|Updating|Bytecode compiled)\b")
_LEAD = re.compile(r"^\s*(cause:|error:|[^\w\s`'\"\[(]+)\s+")
_MOST = 6
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BUILD = re.compile(r"Failed to (?:download and )?build[: ]+`?([^`=@\s]+)(?:==|@)?\s*([^`\s]*)")
_UNKNOWN = re.compile(r"(\S+) was not found in the (?:package registry|provided package locations)")
_REFUSED = re.compile(r"[Ii]ndex (?:URL )?\((\S+)\) .*?\b(40[137] \w+)")
_FETCH = re.compile(r"Failed to (?:fetch|download)[^:]*:? .*?((?:https?|file)://\S+)")


def names_in(report: str, known: Iterable[str]) -> list[str]:
    """Return the packages among `known` that a report mentions, in the order of the report."""
    known = set(known)
    words = (
        canonicalize_name(word.strip("._-")) for word in _WORD.findall(re.sub(r"\[[^]]*\]", " ", _sentences(report)))
    )
    return list(dict.fromkeys(word for word in words if word in known))


def reason(report: str) -> str:
    """Return a sentence that says what went wrong, with the name of the package if there is one."""
    if built := _BUILD.search(report):
        package = " ".join(part for part in built.groups() if part)
        return f"{package} has no wheel for this Python, and its sources can't be built here."
    if refused := _REFUSED.search(report):
        where, how = without_credentials(refused[1]), refused[2]
        return f"{where} refuses access ({how}). Credentials are taken from pip's configuration or from ~/.netrc."
    if unknown := _UNKNOWN.search(report):
        return f"No package index in pip's or uv's configuration has a package named {unknown[1]}: is the name right?"
    if fetch := _FETCH.search(report):
        return f"{without_credentials(fetch[1])} can't be reached. Package indexes are taken from pip's configuration."
    return "Its packages conflict, or some of them don't have the requested version for this Python."


def unbuildable(report: str) -> str:
    """Return the package whose sources could not be built; empty if something else went wrong."""
    built = _BUILD.search(report)
    return canonicalize_name(built[1]) if built else ""


def decisive_lines(report: str) -> list[str]:
    """Return the lines that explain the error, without tracebacks and without uv's advice about project files."""
    lines = []
    for line in without_credentials(report).splitlines():
        text = _LEAD.sub("", line).strip()
        if not text or PROGRESS.match(line) or re.match(r"\s*(Downloaded|Built|Using Python|warning:|error:)", line):
            continue
        if re.match(r"(Using C?Python|Creating virtual|Traceback )", text):
            continue
        if text.startswith(("hint:", "[stdout]")):
            break
        if line.startswith(" " * 10) and not re.match(r"[\w.]*(Error|Exception)\b", text) and _BUILD.search(report):
            continue  # of a traceback, only the last line is kept
        if not text.startswith("[stderr]"):
            lines.append(text)
    return lines[:_MOST]


def can_be_loosened(report: str) -> bool:
    """Whether other versions could avoid the error."""
    return not _UNKNOWN.search(report) and not _REFUSED.search(report) and not _FETCH.search(report)


def _sentences(report: str) -> str:
    """Return a report without lines about progress, and without the output of a package's build."""
    kept = []
    for line in report.splitlines():
        if "[stderr]" in line or "[stdout]" in line:
            break
        if not PROGRESS.match(line) and not line.lstrip().startswith(("Downloaded", "Built")):
            kept.append(line)
    hints = [line for line in report.splitlines() if line.startswith("hint:")]
    return "\n".join(kept + hints)
