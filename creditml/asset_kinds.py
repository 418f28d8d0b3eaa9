"""The kinds of assets: what messages and Azure ML's paths call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class AssetKind(NamedTuple):
    """The words for a kind of assets: `title` in messages, `plural` in paths and URIs."""

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
    """What messages call an asset of a kind; for those that no list shows (code, assets without a name) the kind."""
    return ASSET_KINDS[kind].title if kind in ASSET_KINDS else kind.replace("_", " ")
