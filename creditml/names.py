"""Generates names as Azure ML's clients do: `adjective_noun_suffix` for jobs, GUIDs for their child runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUFFIX = "bcdfghjklmnpqrstvwxyz0123456789"
_ADJECTIVES = (  # noqa: SIM905  as a list it would take a line for each word
    "amber ashen bold brave brisk calm clever cool coral crisp dapper eager fair fancy gentle glad golden happy "
    "hardy honest icy ivory jolly keen kind lemon lime lucid mellow merry mighty modest neat nice olive patient "
    "placid plucky polite proud quiet rapid red shy silver sleepy smart snowy stoic strong sunny sweet tender "
    "tidy upbeat vivid warm wise witty yellow zen"
).split()
_NOUNS = (  # noqa: SIM905  as a list it would take a line for each word
    "acorn anchor apple arch arrow basil beach berry bird boat bone branch brick bridge brook cart cat cello "
    "cloud clover cup deer drum eagle fig flower fox frog garden glove grape hat hill island jackal kale kettle "
    "lamp leaf lemon lion lizard lock loquat map moon night nut oil onion owl parrot pear pen pepper plum quince "
    "rain rhubarb river rose sail seal shark snail soursop spoon square star stone sun tent toe tongue town train "
    "tree vase wall whale yam zoo"
).split()


def job_name() -> str:
    """A name such as `lime_train_h5fzjbwn0n`. The form is the SDK's; the list of words is our own."""
    suffix = "".join(_choice(_SUFFIX) for _ in range(10))
    return f"{_choice(_ADJECTIVES)}_{_choice(_NOUNS)}_{suffix}"


def run_id() -> str:
    """A GUID, the form of the run ids of a pipeline job's children."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:]}"


def _choice(words: Sequence[str]) -> str:
    return words[int.from_bytes(os.urandom(8), "big") % len(words)]
