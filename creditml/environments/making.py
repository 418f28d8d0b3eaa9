"""Builds an environment in the cache or finds it there, and tells the user how it differs from what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.errors import CreditMLError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from creditml.environments.cache import Built, Cache


def make(
    cache: Cache,
    name: str,
    build: Callable[[str, int], Built],
    notes: Sequence[str],
    *,
    strict: bool,
    say: Callable[[str], None],
    canceled: Callable[[], bool],
) -> str:
    """Return the folder of an environment in the cache; build the environment if it isn't there.

    Args:
        cache: The cache.
        name: The environment's kind and key.
        build: Builds it, and returns a note with the differences that only building has shown.
        notes: Differences that are known before, one sentence each.
        strict: Whether differences are errors.
        say: Called with lines for the user, among them all differences.
        canceled: Called now and then; whether the environment is not needed any more.

    Raises:
        CreditMLError: The environment can't be built, or it has differences and `strict` is set.
        Canceled: `canceled` returned True.
    """
    _refuse(strict, notes)
    for note in notes:
        say(note)
    folder, built = cache.obtain(name, build, say, canceled)
    _refuse(strict, built.told)
    for line in built.told:
        say(line)
    return folder


def _refuse(strict: bool, told: Sequence[str]) -> None:  # noqa: FBT001  the function's purpose is to look at this value
    if strict and told:
        message = "The environment differs from what is asked for, which --strict does not allow:"
        raise CreditMLError("\n".join([message, *(f"  {line}" for line in told)]))
