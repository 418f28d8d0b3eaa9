"""Reads a conda file's content: what it asks of conda and of pip; all problems in it are reported together.

Source of the forms: conda's docs, 'Creating an environment file manually' and 'Package match specifications'; pip's
docs, 'Requirements File Format'.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.errors import CreditMLError
from creditml.model import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Patterns are kept as text: compiling them at import would take too long for a command that doesn't need them.
_CONDA = (
    r"(?:(?P<channel>[^\s\[\]=<>!~]+)::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*|_[A-Za-z0-9_.-]+)\s*"
    r"(?P<rest>(?:[=<>!~\s\d*].*)?)(?P<brackets>\[[^\]]*=[^\]]*\])?"
)
_PIP = (
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?P<extras>\[[^\]]*\])?\s*"
    r"(?:@\s*(?P<url>\S+)|(?P<versions>(?:\(?\s*(?:===|[=!<>~]=|[<>])[^;#]*)?))\s*(?:;(?P<marker>.*))?"
)
_ELSEWHERE = ("-r", "--requirement", "-c", "--constraint")
_SHOWN = 40  # characters of a value in a message


class CondaFile(NamedTuple):
    """What a conda file asks for.

    Attributes:
        python: Python's version in conda's notation (`3.8`, `>=3.9,<3.12`); empty if the file doesn't name Python.
        conda: The conda packages other than Python and pip, as they are written.
        pip: Lines of pip requirements.
        channels: The channels in order of priority; `nodefaults` may be among them.
        variables: Environment variables that the file sets.
    """

    python: str = ""
    conda: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    variables: Mapping[str, str] = NOTHING


class CondaSpec(NamedTuple):
    """A package as a conda file names it.

    `versions` is written in one form only: conda's fuzzy `=1.2` is `1.2.*`, and `1.2` after a space is `==1.2`. It is
    empty if any version will do.
    """

    name: str
    versions: str = ""
    channel: str = ""
    build: str = ""


class PipSpec(NamedTuple):
    """A package as a line of pip requirements names it."""

    name: str
    versions: str = ""
    extras: str = ""
    marker: str = ""
    url: str = ""


def read_conda_file(content: object, title: str) -> CondaFile:
    """Read a conda file's content.

    Args:
        content: The parsed YAML of the conda file.
        title: The environment's name, for messages.

    Raises:
        CreditMLError: The file is malformed; the message lists all problems.
    """
    reader = _Reader()
    found = reader.read(content)
    if reader.problems:
        several = "\n  - ".join(["", *reader.problems]) if len(reader.problems) > 1 else f" {reader.problems[0]}"
        message = f"The conda file of the environment {title} can't be used:{several}"
        raise CreditMLError(message)
    return found


def conda_spec(text: str) -> CondaSpec | None:
    """Read one package of `dependencies`; None if the text is not a conda package."""
    match = re.fullmatch(_CONDA, text.strip())
    if match is None:
        return None
    versions, build = _conda_versions(match["rest"].strip())
    if match["brackets"]:
        said = dict(re.findall(r"(\w+)\s*=\s*['\"]?([^'\",\]]+(?:,[^'\"=\]]+)?)", match["brackets"]))
        versions, build = versions or _conda_versions(said.get("version", ""))[0], build or said.get("build", "")
    return CondaSpec(match["name"].lower(), versions, match["channel"] or "", build)


def pip_spec(line: str) -> PipSpec | None:
    """Read one line of pip requirements; None for an option, a URL, a path or a malformed line."""
    text = re.split(r"(?:^|\s)#|\s--", line, maxsplit=1)[0].strip()
    match = re.fullmatch(_PIP, text)
    if match is None:
        return None
    versions = re.sub(r"[\s()]", "", match["versions"] or "")
    return PipSpec(match["name"], versions, match["extras"] or "", (match["marker"] or "").strip(), match["url"] or "")


def _conda_versions(rest: str) -> tuple[str, str]:
    """The versions and the build string in the text that follows a package's name."""
    fuzzy = rest.startswith("=") and not rest.startswith("==")
    if fuzzy:
        version, _, build = rest[1:].strip().partition("=")
        version = version.strip()
        if build or not version:
            return (f"=={version}" if version not in ("", "*") else "", build.strip())
        return (version if re.search(r"[*<>!~|,]", version) else f"{version}.*", "")
    if rest.startswith("==") and (found := re.fullmatch(r"==\s*([^\s=]+)[=\s]+(\S+)", rest)):
        return f"=={found[1]}", found[2]
    words = re.sub(r"\s*([,|])\s*", r"\1", re.sub(r"([=<>!~])\s+", r"\1", rest)).split()
    if not words:
        return "", ""
    versions = words[0] if re.search(r"[*<>!~=|,]", words[0]) else f"=={words[0]}"
    return versions, words[1] if len(words) > 1 else ""


class _Reader:
    def __init__(self) -> None:
        self.problems: list[str] = []
        self._python = ""
        self._conda: list[str] = []
        self._pip: list[str] = []

    def read(self, content: object) -> CondaFile:
        if not isinstance(content, dict):
            self.problems.append(f"it must be a mapping with 'dependencies', not {_describe(content)}.")
            return CondaFile()
        dependencies = content.get("dependencies")
        if not isinstance(dependencies, list):
            what = "but there is none" if dependencies is None else f"not {_describe(dependencies)}"
            self.problems.append(f"'dependencies' must be a list such as '- python=3.11', {what}.")
            dependencies = []
        for entry in dependencies:
            self._entry(entry)
        channels = self._texts(content.get("channels"), "channels", "- conda-forge")
        variables = content.get("variables")
        if variables is not None and not isinstance(variables, dict):
            self.problems.append(f"'variables' must be a mapping of names to values, not {_describe(variables)}.")
            variables = None
        plain = {str(name): _variable(value) for name, value in (variables or {}).items()}
        return CondaFile(self._python, tuple(self._conda), tuple(self._pip), tuple(channels), plain)

    def _entry(self, entry: object) -> None:
        if isinstance(entry, str):
            self._package(" ".join(entry.split()))
        elif isinstance(entry, dict) and list(entry) == ["pip"]:
            lines = self._texts(entry["pip"], "pip", "- scikit-learn==1.5.2")
            for line in lines:
                self._line(line.strip())
        elif isinstance(entry, dict) and len(entry) == 1:
            name, value = next(iter(entry.items()))
            hint = f"'- {name}={value}'" if isinstance(value, str | int | float) else "'- <package>=<version>'"
            self.problems.append(
                f"'{name}:' is a mapping in 'dependencies', where only 'pip:' can be a mapping; write {hint}."
            )
        else:
            self.problems.append(
                f"'dependencies' has {_describe(entry)}; "
                "each entry must be a package such as '- numpy=1.26', or '- pip: [...]'."
            )

    def _package(self, text: str) -> None:
        spec = conda_spec(text)
        if spec is None:
            extras = re.match(r"[A-Za-z0-9_.-]+\[[^=\]]*\]", text)
            hint = " Only pip knows extras in []; put the package below '- pip:'." if extras else ""
            hint = hint or (" Put URLs below '- pip:'." if "://" in text else "")
            self.problems.append(
                f"'{text}' is not a conda package; write it like '- numpy=1.26' or '- numpy>=1.26,<2'.{hint}"
            )
        elif spec.name == "python":
            simple = re.fullmatch(r"[\d.]+\.\*", spec.versions)
            self._python = spec.versions[:-2] if simple else spec.versions
        elif spec.name != "pip":
            self._conda.append(text)

    def _line(self, line: str) -> None:
        line = re.sub(r"(?:^|\s+)#.*", "", line)
        if not line:
            return
        option = re.match(r"(-[rc]|--requirement|--constraint)(?:\s+|=)?(.*)", line)
        if option and option[1] in _ELSEWHERE and not option[2].startswith("/") and "://" not in option[2]:
            self.problems.append(
                f"'{line}' below 'pip:' refers to another file, but Azure ML gets the conda file alone; "
                "put that file's lines here instead."
            )
        elif line.startswith("-") or "://" in line or re.match(r"\.{0,2}/", line) or pip_spec(line):
            self._pip.append(line)
        else:
            # conda's single '=' is the most frequent mistake in pip's lines
            mend = re.sub(r"(?<![=<>!~])=(?!=)", "==", line)
            hint = f" Write '{mend}'." if mend != line and pip_spec(mend) else ""
            self.problems.append(f"'{line}' below 'pip:' is not a pip requirement.{hint}")

    def _texts(self, value: object, key: str, example: str) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.problems.append(f"'{key}' must be a list such as '{example}', not {_describe(value)}.")
            return []
        wrong = [item for item in value if not isinstance(item, str)]
        self.problems += [
            f"'{key}' has {_describe(item)}; each entry must be a text such as '{example}'." for item in wrong
        ]
        return [item for item in value if isinstance(item, str)]


def _variable(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)


def _describe(value: object) -> str:
    if value is None:
        return "an empty value"
    if isinstance(value, dict):
        return f"a mapping ({_short(', '.join(map(str, value)))})"
    if isinstance(value, list):
        return "a list"
    kind = "text" if isinstance(value, str) else "number" if isinstance(value, int | float) else "value"
    return f"the {kind} '{_short(str(value))}'"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
