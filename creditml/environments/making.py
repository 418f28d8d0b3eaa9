"""What all providers that keep environments in the cache have in common: what is told of one, and when."""

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
    """Return the folder of an environment from the cache, or build it there.

    Args:
        cache: Where it is kept.
        name: Its kind and key.
        build: Builds it; what it tells of it is what turned out not to be as it was asked for.
        notes: What else isn't as it was asked for, a sentence each; is told each time.
        strict: Whether such things are errors.
        say: Takes lines for the user.
        canceled: Whether nobody waits any more.

    Raises:
        CreditMLError: It can't be made, or must not be like that.
        Canceled: Nobody waits for it.
    """
    _refuse(strict, notes)
    for note in notes:
        say(note)
    folder, built = cache.obtain(name, build, say, canceled)
    _refuse(strict, built.told)
    for line in built.told:
        say(line)
    return folder


def _refuse(strict: bool, told: Sequence[str]) -> None:  # noqa: FBT001  it is what it is about
    if strict and told:
        message = "The environment is not as it is asked for, and --strict allows nothing else:"
        raise CreditMLError("\n".join([message, *(f"  {line}" for line in told)]))
