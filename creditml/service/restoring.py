"""Restores the objects that a client submits, so that they can be submitted to another workspace too.

The SDK writes the paths and ids of what it has uploaded and registered into the submitted objects. These ids belong to
one workspace, and another one doesn't have them. So everything that the SDK can reach from a submitted object is
restored after the submission; what the submission has made is in the answer.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from creditml.asset_kinds import ASSET_KINDS
from creditml.errors import CreditMLError
from creditml.references import Scope, is_arm_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azure.ai.ml import MLClient

_SDK = "azure.ai.ml"
_OPERATIONS = ("jobs", *(words.plural for words in ASSET_KINDS.values()))


def restore_submitted(client: MLClient) -> MLClient:
    """Make a client restore the objects that it is given to create or update; returns the same client."""
    home = workspace_id(client)
    for name in _OPERATIONS:
        operations: Any = getattr(client, name)
        operations.create_or_update = _restoring(operations.create_or_update, home)
    return client


def workspace_id(client: MLClient) -> str:
    """The beginning of all ids of a client's workspace; empty for the client of a registry."""
    names = (client.subscription_id, client.resource_group_name, client.workspace_name)
    if not all(names):
        return ""
    return f"{Scope(*map(str, names)).path}/".lower()


def _restoring(submit: Callable[..., Any], home: str) -> Callable[..., Any]:
    @wraps(submit)
    def submitted(entity: Any, *arguments: Any, **settings: Any) -> Any:
        _refuse_object_of_another_workspace(entity, home)
        with restored(entity):
            return submit(entity, *arguments, **settings)

    return submitted


def _refuse_object_of_another_workspace(entity: Any, home: str) -> None:
    """Refuse an object that another workspace has answered with, since it is full of that workspace's ids."""
    own = str(getattr(entity, "id", None) or "")
    if home and is_arm_id(own) and not own.lower().startswith(home):
        message = (
            f"'{getattr(entity, 'name', own)}' belongs to another workspace ({own}), as does everything that it names. "
            "Submit the object that was made from your own code or file, not the one that a client has returned."
        )
        raise CreditMLError(message)


@contextmanager
def restored(entity: Any) -> Iterator[None]:
    """A context at whose end an object of the SDK, and all objects in it, are as they were at its beginning."""
    before = [(thing, _contents(thing)) for thing in _reachable(entity)]
    try:
        yield
    finally:
        for thing, contents in before:
            _restore(thing, contents)


def _reachable(entity: Any) -> Iterator[Any]:
    """All objects of the SDK, dicts and lists that an object refers to, directly or not, each once."""
    known: dict[int, Any] = {}
    waiting = [entity]
    while waiting:
        thing = waiting.pop()
        if id(thing) in known:
            continue
        if isinstance(thing, tuple | set | frozenset):
            waiting += thing
            continue
        if not isinstance(thing, dict | list) and not type(thing).__module__.startswith(_SDK):
            continue
        known[id(thing)] = thing  # a reference also keeps its id from being used again
        yield thing
        attributes, items = _contents(thing)
        waiting += (attributes or {}).values()
        waiting += items.values() if isinstance(items, dict) else items or ()


def _contents(thing: Any) -> tuple[dict[str, Any] | None, dict[Any, Any] | list[Any] | None]:
    """The attributes and items of an object, read past the lookup that classes of the SDK define themselves."""
    try:
        attributes = dict(object.__getattribute__(thing, "__dict__"))
    except AttributeError:
        attributes = None
    items: dict[Any, Any] | list[Any] | None = None
    if isinstance(thing, dict):
        items = {key: dict.__getitem__(thing, key) for key in dict.keys(thing)}
    elif isinstance(thing, list):
        items = list.copy(thing)
    return attributes, items


def _restore(thing: Any, contents: tuple[dict[str, Any] | None, dict[Any, Any] | list[Any] | None]) -> None:
    attributes, items = contents
    if attributes is not None:
        own = object.__getattribute__(thing, "__dict__")
        own.clear()
        own.update(attributes)
    if isinstance(items, dict):
        dict.clear(thing)
        dict.update(thing, items)
    elif items is not None:
        list.clear(thing)
        list.extend(thing, items)
