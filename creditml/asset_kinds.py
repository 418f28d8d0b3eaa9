"""The kinds of assets, with the words that messages and Azure ML's paths use for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class AssetKind(NamedTuple):
    """The words for a kind of asset: `title` in messages, `plural` in paths and URIs."""

    title: str
    plural: str


ASSET_KINDS: Mapping[str, AssetKind] = {
    "data": AssetKind("data asset", "data"),
    "environment": AssetKind("environment", "environments"),
    "component": AssetKind("component", "components"),
    "model": AssetKind("model", "models"),
}

KIND_OF_PLURAL: Mapping[str, str] = {words.plural: kind for kind, words in ASSET_KINDS.items()}


def title_of(kind: str) -> str:
    """The word that messages use for an asset of a kind.

    Kinds that can't be listed (code, assets without a name) have no entry in `ASSET_KINDS`; their own name is the word.
    """
    return ASSET_KINDS[kind].title if kind in ASSET_KINDS else kind.replace("_", " ")
