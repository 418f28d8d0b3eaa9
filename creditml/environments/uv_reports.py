"""What uv says when it can't do something, and of it what people need to know."""

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
    """Return those of some packages that a report mentions, the one that it is about first."""
    known = set(known)
    words = (
        canonicalize_name(word.strip("._-")) for word in _WORD.findall(re.sub(r"\[[^]]*\]", " ", _sentences(report)))
    )
    return list(dict.fromkeys(word for word in words if word in known))


def reason(report: str) -> str:
    """Return what went wrong in a sentence, with the package that it is about."""
    if built := _BUILD.search(report):
        package = " ".join(part for part in built.groups() if part)
        return f"{package} has no wheel for this Python, and its sources can't be built here."
    if refused := _REFUSED.search(report):
        where, how = without_credentials(refused[1]), refused[2]
        return f"{where} refuses ({how}). Credentials are those that pip is configured for, or of ~/.netrc."
    if unknown := _UNKNOWN.search(report):
        return f"No index that pip and uv are configured for has a package called {unknown[1]}: is its name right?"
    if fetch := _FETCH.search(report):
        return f"{without_credentials(fetch[1])} can't be reached. Its indexes are those that pip is configured for."
    return "Its packages don't go together, or some have no such version for this Python."


def unbuildable(report: str) -> str:
    """Return the package that could not be built, if that is what went wrong."""
    built = _BUILD.search(report)
    return canonicalize_name(built[1]) if built else ""


def decisive_lines(report: str) -> list[str]:
    """Return the lines that explain it, without tracebacks and without advice on files that there are none of."""
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
            continue  # a traceback, of which the last line says enough
        if not text.startswith("[stderr]"):
            lines.append(text)
    return lines[:_MOST]


def can_be_loosened(report: str) -> bool:
    """Whether other versions could help."""
    return not _UNKNOWN.search(report) and not _REFUSED.search(report) and not _FETCH.search(report)


def _sentences(report: str) -> str:
    """Leave out what is only progress, or what a program printed that built something."""
    kept = []
    for line in report.splitlines():
        if "[stderr]" in line or "[stdout]" in line:
            break
        if not PROGRESS.match(line) and not line.lstrip().startswith(("Downloaded", "Built")):
            kept.append(line)
    hints = [line for line in report.splitlines() if line.startswith("hint:")]
    return "\n".join(kept + hints)
