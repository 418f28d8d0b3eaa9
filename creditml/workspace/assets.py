"""Data, environments, components and models with Azure ML's names, versions and immutability.

A version can't be changed but for its description, tags and properties. Without a version the container's next one is
taken ("1" for a new name); `@latest` is the version created last, not the highest (Azure ML docs: 'Core YAML syntax').

A registry is a set of assets beside the workspace's own ones. Nothing is fetched: what is in a registry here, somebody
has put there.
"""

from __future__ import annotations

import json
import re
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from creditml.asset_kinds import title_of
from creditml.errors import Conflict, CreditMLError, NotFound, near_miss
from creditml.references import parse_reference, registry_uri
from creditml.workspace.records import Asset, now

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping

    from creditml.workspace.database import Database

ANONYMOUS = "anonymous_"
"""Begins the kinds of components and environments without a name: their versions are hashes, and no list has them."""
MUTABLE = ("description", "tags", "properties", "display_name", "stage")
# compiled when they are first used: that takes longer than a command may
_NAME = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,254}"
_COUNTED_DIGITS = 18
_VERSION = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,29}"
_CURRENT_FIRST = "ORDER BY created_at DESC, seq DESC"
_KEY = "registry=? AND kind=? AND name=? AND version=?"
_SHOWN = 60  # characters of a value in a message


class Assets:
    """The assets of a workspace, or of a registry."""

    def __init__(
        self, database: Database, extra: Callable[[str], Iterable[Asset]] | None = None, registry: str = ""
    ) -> None:
        """Ask nothing yet.

        Args:
            database: the workspace's.
            extra: may add what lies elsewhere (MLflow's registry, for models).
            registry: the registry's name; none for the workspace itself.
        """
        self._database, self._registry = database, registry
        self._extra = extra or (lambda _kind: ())

    def create(self, kind: str, name: str, version: str | None, spec: Mapping[str, Any]) -> Asset:
        """Record a version.

        Creating one again that is the same is no error; only its description, tags and properties are then updated.

        Raises:
            Conflict: that version exists with another content.
        """
        if not re.fullmatch(_NAME, name):
            message = (
                f"'{name}' can't be the name of any {title_of(kind)}: "
                "letters, digits, '_', '-' and '.', at most 255 of them."
            )
            raise CreditMLError(message)
        if version is not None and not kind.startswith(ANONYMOUS) and not re.fullmatch(_VERSION, version):
            message = f"'{version}' is no version: letters, digits, '_', '-' and '.', at most 30 of them."
            raise CreditMLError(message)
        with self._database.transaction() as db:
            if version is None:
                version = self.next_version(kind, name)
            existing = self._find(kind, name, version)
            if existing:
                return self._update(db, existing, spec)
            return self._insert(db, Asset(kind, name, version, dict(spec), now(), now(), registry=self._registry))

    def same(self, kind: str, name: str, version: str, spec: Mapping[str, Any]) -> bool:
        """Whether a version is there already as `create` would make it, but for what may be changed."""
        existing = self._find(kind, name, version)
        return existing is not None and not _changed(existing, spec)

    def next_version(self, kind: str, name: str) -> str:
        """The version that the next one of that name gets."""
        row = self._database.connection.execute(
            "SELECT next_version FROM containers WHERE registry=? AND kind=? AND name=?", (self._registry, kind, name)
        ).fetchone()
        numbers = [int(a.version) for a in self._extra(kind) if a.name == name and a.version.isdecimal()]
        return str(max([row[0] if row else 1, *(n + 1 for n in numbers)]))

    def get(self, kind: str, name: str, version: str | None = None, label: str | None = None) -> Asset:
        """One version; without a version, the label `latest`.

        Raises:
            NotFound: with what exists, and how to create it.
        """
        versions = [a for a in self.entries(kind, name, archived=True) if version is None or a.version == version]
        if version is None:
            if label not in (None, "latest", "default"):
                message = f"The {title_of(kind)} '{name}' has no label '{label}'; only 'latest' exists here."
                raise NotFound(message)
            versions = [a for a in versions if not a.archived]
        if versions:
            return versions[0]
        raise NotFound(self._not_found(kind, name, version))

    def resolve(self, kind: str, text: str) -> Asset:
        """The asset that a reference names.

        Raises:
            NotFound: there is none.
            CreditMLError: the text is no reference.
        """
        reference = parse_reference(text)
        if reference is None or reference.kind not in (None, kind):
            form = "azureml:<name>:<version> or azureml:<name>@latest"
            if "://" in text:
                form = f"{registry_uri('<registry>', kind, '<name>', '<version>')} or …/labels/latest"
            message = f"'{text}' refers to no {title_of(kind)}; write {form}."
            raise CreditMLError(message)
        assets = Assets(self._database, registry=reference.registry) if reference.registry else self
        return assets.get(kind, reference.name, reference.version, reference.label)

    def entries(self, kind: str, name: str | None = None, *, archived: bool | None = False) -> list[Asset]:
        """Versions of one name, or the latest version of each; newest first.

        Args:
            kind: one of `ASSET_KINDS`.
            name: all versions of that name.
            archived: True for all, False for those that are not archived, None for archived ones alone.
        """
        found = [a for a in self._all(kind, name) if archived is True or a.archived is (archived is None)]
        if name is not None:
            return found
        latest: dict[str, Asset] = {}
        for asset in found:
            latest.setdefault(asset.name, asset)
        return list(latest.values())

    def archive(self, kind: str, name: str, version: str | None, *, archived: bool) -> None:
        """Hide a version, or the whole container, from lists; or show it again."""
        asset = self.entries(kind, name, archived=True) if version is None else [self.get(kind, name, version)]
        if not asset:
            raise NotFound(self._not_found(kind, name, version))
        with self._database.transaction() as db:
            if version is None:
                self._name(db, kind, name)
                db.execute(
                    "UPDATE containers SET archived=? WHERE registry=? AND kind=? AND name=?",
                    (archived, self._registry, kind, name),
                )
                return
            key = (self._registry, kind, name, version)
            known = db.execute(f"SELECT 1 FROM assets WHERE {_KEY}", key).fetchone()  # noqa: S608  a constant of ours
            if not known:
                self._insert(db, asset[0])
            db.execute(f"UPDATE assets SET archived=? WHERE {_KEY}", (archived, *key))  # noqa: S608  likewise

    def _all(self, kind: str, name: str | None) -> Iterable[Asset]:
        where, values = "", [self._registry, kind]
        if name is not None:
            where, values = "AND name=?", [*values, name]
        rows = self._database.connection.execute(
            f"SELECT * FROM assets WHERE registry=? AND kind=? {where} {_CURRENT_FIRST}",  # noqa: S608  constants of ours
            values,
        ).fetchall()
        hidden = {
            row[0]
            for row in self._database.connection.execute(
                "SELECT name FROM containers WHERE registry=? AND kind=? AND archived", (self._registry, kind)
            )
        }
        own = [_asset(row) for row in rows]
        known = {(a.name, a.version) for a in own}
        others = [a for a in self._extra(kind) if (name is None or a.name == name) and (a.name, a.version) not in known]
        merged = sorted([*own, *others], key=lambda a: -a.created_at) if others else own
        return [a._replace(archived=True) if a.name in hidden else a for a in merged]

    def _find(self, kind: str, name: str, version: str) -> Asset | None:
        return next((a for a in self._all(kind, name) if a.version == version), None)

    def _name(self, db: sqlite3.Connection, kind: str, name: str) -> None:
        """See that there is a container of that name."""
        values = (self._registry, kind, name)
        db.execute("INSERT OR IGNORE INTO containers (registry, kind, name) VALUES (?, ?, ?)", values)

    def _insert(self, db: sqlite3.Connection, asset: Asset) -> Asset:
        self._name(db, asset.kind, asset.name)
        values = (asset.kind, asset.name, asset.version, json.dumps(asset.spec), asset.created_at, asset.modified_at)
        db.execute(
            "INSERT INTO assets (registry, kind, name, version, spec, created_at, modified_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._registry, *values),
        )
        if asset.version.isdecimal() and len(asset.version) <= _COUNTED_DIGITS:
            db.execute(
                "UPDATE containers SET next_version=MAX(next_version, ?) WHERE registry=? AND kind=? AND name=?",
                (int(asset.version) + 1, self._registry, asset.kind, asset.name),
            )
        return asset

    def _update(self, db: sqlite3.Connection, existing: Asset, spec: Mapping[str, Any]) -> Asset:
        changed = _changed(existing, spec)
        if changed:
            raise Conflict(self._conflict(existing, changed, spec))
        merged = {**existing.spec, **{k: spec[k] for k in MUTABLE if k in spec}}
        updated = existing._replace(spec=merged, modified_at=now())
        db.execute(
            f"UPDATE assets SET spec=?, modified_at=? WHERE {_KEY}",  # noqa: S608  a constant of ours
            (json.dumps(merged), updated.modified_at, self._registry, existing.kind, existing.name, existing.version),
        )
        return updated

    def _conflict(self, existing: Asset, changed: list[str], spec: Mapping[str, Any]) -> str:
        first = changed[0]
        rule = "Asset paths cannot be updated. " if first == "path" else ""
        values = existing.spec.get(first), spec.get(first)
        there, here = _short(*values), _short(*reversed(values))
        return (
            f"{title_of(existing.kind)} {existing.name}:{existing.version} exists and versions are immutable. {rule}"
            f"It differs in {', '.join(changed)} ({first}: {there} there, {here} here). "
            f"Use another version, for example {self.next_version(existing.kind, existing.name)}."
        )

    def _not_found(self, kind: str, name: str, version: str | None) -> str:
        flag = f" --registry-name {self._registry}" if self._registry else ""
        versions = [a.version for a in self.entries(kind, name, archived=True)]
        if versions and version is not None:
            known = ", ".join(versions[:10])
            return f"There is no {title_of(kind)} '{name}' with version '{version}'; there are: {known}."
        if versions:
            return (
                f"All versions of the {title_of(kind)} '{name}' are archived; "
                f"`creditml {kind} restore -n {name}{flag}` brings them back."
            )
        hint = near_miss(name, (a.name for a in self.entries(kind)))
        if self._registry:
            return (
                f"There is no {title_of(kind)} named '{name}' in the registry '{self._registry}' here.{hint} "
                f"Put it there with `creditml {kind} create -f FILE{flag}`."
            )
        return (
            f"There is no {title_of(kind)} named '{name}' in this workspace.{hint} "
            f"Create it with `creditml {kind} create -f FILE`."
        )


def _asset(row: sqlite3.Row) -> Asset:
    return Asset(
        row["kind"],
        row["name"],
        row["version"],
        json.loads(row["spec"]),
        row["created_at"],
        row["modified_at"],
        bool(row["archived"]),
        row["registry"],
    )


def _changed(existing: Asset, spec: Mapping[str, Any]) -> list[str]:
    """Where a version differs in what can't be changed."""
    return sorted(k for k in {*existing.spec, *spec} if k not in MUTABLE and existing.spec.get(k) != spec.get(k))


def _short(value: object, other: object) -> str:
    """A value for a message; of a long one the part where it differs from another."""
    text = repr(value)
    if len(text) <= _SHOWN:
        return text
    same = takewhile(lambda pair: pair[0] == pair[1], zip(text, repr(other), strict=False))
    start = max(0, min(sum(1 for _ in same), len(text) - _SHOWN))
    end = "…" if start + _SHOWN < len(text) else ""
    return ("…" if start else "") + text[start : start + _SHOWN] + end
