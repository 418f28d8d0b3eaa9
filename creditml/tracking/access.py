"""Who may use MLflow's server: the workspace's owner with a secret, and each step with a token that ends with it.

The owner's secret is derived from that of the workspace, which only the owner can read. It gives access to everything.

A runner gives each of its steps a token of its own. It tells the server only a key, with which the server recognizes
the runner's tokens, and which of them have not ended: so a token needs no message before the step can use it, is
written to no file, and ends with its step, or with the runner, however that ends.

A client sends either of them as a bearer token (MLFLOW_TRACKING_TOKEN) or as the password of any user
(MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from creditml.secret_files import workspace_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105  the name of a variable
USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
ACCESS = frozenset({TOKEN, USERNAME, PASSWORD})
"""The variables with which MLflow's clients send a secret."""
LINK_KEY = "key"
"""The parameter of the link that `creditml ui` prints."""
_USER = "creditml"
"""The name that goes with the password; the server takes any."""
_CREDENTIALS = ".mlflow/credentials"
"""The file in the user's home with a name and a password, which MLflow's clients prefer to MLFLOW_TRACKING_TOKEN."""
_SEPARATOR = "~"
_DIGEST = 20  # bytes
_DIGITS = 16
"""The most that the number of a token has."""


class Grant(NamedTuple):
    """What a step's token is for."""

    run_id: str
    root: str
    """The run of its job."""


class Grants:
    """The tokens of a runner's steps."""

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        """Make a key; `hosts` are further names by which the steps call the server."""
        self._hosts = tuple(hosts)
        self._key = os.urandom(32).hex()
        self._given = 0
        self._live: dict[str, int] = {}

    def give(self, grant: Grant) -> str:
        """A token for a step, which is good until `end` is called with the step's run."""
        self._live[grant.run_id] = self._given
        token = _signed(self._key, self._given, grant)
        self._given += 1
        return token

    def end(self, run_id: str) -> bool:
        """End a step's token; whether it had one."""
        return self._live.pop(run_id, None) is not None

    @property
    def text(self) -> str:
        """What the server must know, as one word."""
        return f"{self._key}:{self._given}:{','.join(map(str, self._live.values()))}:{','.join(self._hosts)}"


class Known(NamedTuple):
    """What the server knows of a runner's steps and their tokens."""

    key: str
    given: int
    """Tokens with this number and higher ones have been given since."""
    live: frozenset[int]
    """The tokens with lower numbers that have not ended."""
    hosts: frozenset[str]
    """Further names by which the steps call the server."""

    @classmethod
    def parse(cls, text: str) -> Known:
        """Read the text of `Grants`."""
        key, given, live, hosts = text.split(":", 3)
        numbers = frozenset(map(int, filter(None, live.split(","))))
        return cls(key, int(given), numbers, frozenset(hosts.split(",")) - {""})

    def find(self, token: str) -> Grant | None:
        """What a token is for; None unless it is one of this runner's that has not ended."""
        number, *names = token.split(_SEPARATOR)
        if (
            not (number.isascii() and number.isdecimal())
            or len(number) > _DIGITS
            or len(names) != len(Grant._fields) + 1
        ):
            return None
        grant = Grant(*names[:-1])
        if not same(token, _signed(self.key, int(number), grant)):
            return None
        return grant if int(number) >= self.given or int(number) in self.live else None


def owner_secret(root: Path) -> str:
    """The secret of the owner of the workspace folder `root`."""
    return _derived(root, b"mlflow")


def browser_key(root: Path) -> str:
    """The value of the cookie that lets a browser in, and of the link that sets it: it is no bearer token."""
    return _derived(root, b"browser")


def variables(token: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with which MLflow's clients send a token.

    Args:
        token: The token, or the owner's secret.
        environment: The variables of the process. If its home has a file with a name and a password, clients would
            send those, so they are told a name and a password as well.
    """
    given = {TOKEN: token}
    if "HOME" in environment and os.path.exists(os.path.join(environment["HOME"], _CREDENTIALS)):
        given |= {USERNAME: _USER, PASSWORD: token}
    return given


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that doesn't tell where they differ."""
    import hmac

    return hmac.compare_digest(one.encode(), other.encode())


def _derived(root: Path, purpose: bytes) -> str:
    import hashlib

    return hashlib.blake2b(purpose, key=workspace_secret(root), digest_size=_DIGEST).hexdigest()


def _signed(key: str, number: int, grant: Grant) -> str:
    import hashlib  # 3 ms, and jobs without steps that log need none

    text = _SEPARATOR.join([str(number), *grant])
    digest = hashlib.blake2b(text.encode(), key=bytes.fromhex(key), digest_size=_DIGEST).hexdigest()
    return f"{text}{_SEPARATOR}{digest}"
