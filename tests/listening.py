"""Helpers for tests of environments: a listener for messages, and the output of a program."""

from __future__ import annotations

import subprocess


class Listener:
    """Collects the messages of a provider, and can cancel its work."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.is_canceled = False

    def say(self, line: str) -> None:
        self.lines.append(line)

    def canceled(self) -> bool:
        return self.is_canceled

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def printed(*command: str, **variables: str) -> str:
    """The output of a program, stdout and stderr; the program must not fail."""
    env = {"PATH": "/usr/bin:/bin", **variables}
    done = subprocess.run(command, env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()
