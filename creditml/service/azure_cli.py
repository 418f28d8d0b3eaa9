"""The `az` that comes first in the PATH of programs that use the local workspace.

AzureCliCredential asks it for a token, and gets one of the workspace; all other commands are passed to the real `az`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from datetime import datetime
from pathlib import Path
from shlex import quote

from creditml.secret_files import FOLDER
from creditml.service.keys import Keys

# azure-identity: the words of `AzureCliCredential`, before the resource and perhaps a tenant and a subscription
_ASKED = ["account", "get-access-token", "--output", "json", "--resource"]
_NOT_FOUND = 127
# The current folder is left out of sys.path: a module there must not replace one of ours.
_START = "import sys; sys.path = [*filter(None, sys.path)]; from creditml.service.azure_cli import main; main(sys.argv)"


def stand_in(root: Path) -> str:
    """Write that `az` for the workspace folder `root`, and return its folder."""
    folder = root / FOLDER / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    text = f'#!/bin/sh\nexec {quote(sys.executable)} -c {quote(_START)} "$0" "$@"\n'
    file = folder / "az"
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        draft = folder / f"az.{os.getpid()}"
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o755)
        draft.replace(file)
    return str(folder)


def main(words: list[str]) -> None:
    """Run `az …`; the first of the words is Python's own, the second the path of the stand-in."""
    _, own, *arguments = words
    home = os.environ.get("CREDITML_HOME")
    if home and arguments[: len(_ASKED)] == _ASKED and len(arguments) > len(_ASKED):
        print(json.dumps(_answer(Path(home), arguments[len(_ASKED)])))  # noqa: T201  as `az` does
        return
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    others = [folder for folder in folders if not _same(folder, os.path.dirname(own))]
    real = shutil.which("az", path=os.pathsep.join(others))
    if real is None:
        sys.stderr.write(
            "The Azure CLI is not installed. AzureCliCredential works here without it, and the commands of `az ml` are "
            "those of `creditml`: `creditml --help` lists them.\n"
        )
        sys.exit(_NOT_FOUND)
    os.execv(real, [real, *arguments])  # noqa: S606  no shell is wanted


def _answer(root: Path, resource: str) -> dict[str, object]:
    token = Keys(root).token(resource)
    return {
        "accessToken": token.text,
        "expiresOn": datetime.fromtimestamp(token.expires).strftime("%Y-%m-%d %H:%M:%S.%f"),  # noqa: DTZ006  as `az`
        "expires_on": token.expires,
        "tokenType": "Bearer",
    }


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
