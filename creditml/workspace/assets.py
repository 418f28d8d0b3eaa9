"""Data, environments, components and models with Azure ML's names, versions and immutability.

A version is immutable, except for its description, tags and properties. An asset that is created without a version gets
the next number of its name ("1" for a new name). `@latest` is the version that was created last, not the one with the
highest number (Azure ML docs: 'Core YAML syntax').

A registry is another set of assets in the same database. Nothing is fetched from Azure: a registry here holds only what
the user has created in it.
"""

from __future__ import annotations

import json
import re
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from creditml.asset_kinds import title_of
from creditml.errors import Conflict, CreditMLError, NotFound, near_miss
from creditml.references import parse_reference, registry_uri
from creditml.references import reference as reference_to
from creditml.workspace.records import Asset, now

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping

    from creditml.workspace.database import Database

ANONYMOUS = "anonymous_"
"""The prefix of the kinds under which nameless components and environments are stored.

The version of such an asset is a hash of its content, and lists don't show it.
"""
MUTABLE = ("description", "tags", "properties", "display_name", "stage")
"""The fields that can be changed after a version was created."""
LATEST = "latest"
"""The label of the version that was created last."""
# Patterns are kept as text: compiling them at import would take too long for a command that doesn't need them.
_NAME = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,254}"
_COUNTED_DIGITS = 18  # longer numbers don't fit SQLite's 64-bit integers
_VERSION = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,29}"
_CURRENT_FIRST = "ORDER BY created_at DESC, seq DESC"
_KEY = "registry=? AND kind=? AND name=? AND version=?"
_SHOWN = 60  # characters of a value in a message


class Assets:
    """The assets of a workspace or of a registry."""

    def __init__(
        self, database: Database, extra: Callable[[str], Iterable[Asset]] | None = None, registry: str = ""
    ) -> None:
        """Use a database.

        Args:
            database: the workspace's database.
            extra: returns assets of a kind that are stored elsewhere (for models, MLflow's registry).
            registry: the registry's name, or empty for the workspace's own assets.
        """
        self._database, self._registry = database, registry
        self._extra = extra or (lambda _kind: ())

    def create(self, kind: str, name: str, version: str | None, spec: Mapping[str, Any]) -> Asset:
        """Record a version of an asset.

        If the version exists already with the same content, only its description, tags and properties are updated.

        Args:
            kind: one of `ASSET_KINDS`, or such a kind after `ANONYMOUS`.
            name: the asset's name.
            version: the version; None takes the next free number.
            spec: the asset's YAML fields.

        Raises:
            Conflict: the version exists with other content.
            CreditMLError: the name or the version has characters that Azure ML does not allow, or is too long.
        """
        if not re.fullmatch(_NAME, name):
            message = (
                f"'{name}' is not a valid {title_of(kind)} name. "
                "Use letters, digits, '_', '-' and '.', at most 255 characters."
            )
            raise CreditMLError(message)
        if version is not None and not kind.startswith(ANONYMOUS) and not re.fullmatch(_VERSION, version):
            message = (
                f"'{version}' is not a valid version. Use letters, digits, '_', '-' and '.', at most 30 characters."
            )
            raise CreditMLError(message)
        with self._database.transaction() as db:
            if version is None:
                version = self.next_version(kind, name)
            existing = self._find(kind, name, version)
            if existing:
                return self._update(db, existing, spec)
            return self._insert(db, Asset(kind, name, version, dict(spec), now(), now(), registry=self._registry))

    def same(self, kind: str, name: str, version: str, spec: Mapping[str, Any]) -> bool:
        """Whether a version exists with this content; fields that can be changed later are not compared."""
        existing = self._find(kind, name, version)
        return existing is not None and not _changed(existing, spec)

    def next_version(self, kind: str, name: str) -> str:
        """The version number that `create` gives to the next asset of a name."""
        row = self._database.connection.execute(
            "SELECT next_version FROM containers WHERE registry=? AND kind=? AND name=?", (self._registry, kind, name)
        ).fetchone()
        numbers = [int(a.version) for a in self._extra(kind) if a.name == name and a.version.isdecimal()]
        return str(max([row[0] if row else 1, *(n + 1 for n in numbers)]))

    def get(self, kind: str, name: str, version: str | None = None, label: str | None = None) -> Asset:
        """One version of an asset; without `version`, the latest version that is not archived.

        Raises:
            NotFound: there is no such version. The message names similar assets and says how to create one.
        """
        versions = [a for a in self.entries(kind, name, archived=True) if version is None or a.version == version]
        if version is None:
            if label not in (None, LATEST, "default"):
                message = f"The {title_of(kind)} '{name}' has no label '{label}'; the only label here is 'latest'."
                raise NotFound(message)
            versions = [a for a in versions if not a.archived]
        if versions:
            return versions[0]
        raise NotFound(self._not_found(kind, name, version))

    def resolve(self, kind: str, text: str) -> Asset:
        """The asset that a reference names.

        Args:
            kind: the kind of asset that is expected.
            text: the reference, for example `azureml:name:version`.

        Raises:
            NotFound: there is no such asset.
            CreditMLError: the text is not a reference to an asset of this kind.
        """
        reference = parse_reference(text)
        if reference is None or reference.kind not in (None, kind):
            form = "azureml:<name>:<version> or azureml:<name>@latest"
            if "://" in text:
                form = f"{registry_uri('<registry>', kind, '<name>', '<version>')} or …/labels/latest"
            message = f"'{text}' is not a valid {title_of(kind)} reference; write {form}."
            raise CreditMLError(message)
        assets = Assets(self._database, registry=reference.registry) if reference.registry else self
        return assets.get(kind, reference.name, reference.version, reference.label)

    def entries(self, kind: str, name: str | None = None, *, archived: bool | None = False) -> list[Asset]:
        """All versions of one asset, or the latest version of every asset; newest first.

        Args:
            kind: one of `ASSET_KINDS`.
            name: the asset whose versions are listed; None lists the latest version of every asset.
            archived: True includes archived versions, False leaves them out, None lists archived versions only.
        """
        found = [a for a in self._all(kind, name) if archived is True or a.archived is (archived is None)]
        if name is not None:
            return found
        latest: dict[str, Asset] = {}
        for asset in found:
            latest.setdefault(asset.name, asset)
        return list(latest.values())

    def archive(self, kind: str, name: str, version: str | None, *, archived: bool) -> None:
        """Hide a version from lists or show it again; without `version`, the whole asset with all its versions.

        Raises:
            NotFound: there is no such asset.
        """
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
            if not known:  # a model of MLflow's registry has no row of its own yet
                self._insert(db, asset[0])
            db.execute(f"UPDATE assets SET archived=? WHERE {_KEY}", (archived, *key))  # noqa: S608  a constant of ours

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
        """Add the row that all versions of a name share (Azure ML calls it the container), if there is none."""
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
            f"{title_of(existing.kind)} {existing.name}:{existing.version} exists already, and versions are immutable. "
            f"{rule}The existing version differs in {', '.join(changed)} ({first}: {there} there, {here} here). "
            f"Use another version, for example {self.next_version(existing.kind, existing.name)}."
        )

    def _not_found(self, kind: str, name: str, version: str | None) -> str:
        flag = f" --registry-name {self._registry}" if self._registry else ""
        versions = [a.version for a in self.entries(kind, name, archived=True)]
        if versions and version is not None:
            known = ", ".join(versions[:10])
            mend = f" For the latest one write {reference_to(name, label=version)}." if version == LATEST else ""
            return f"There is no {title_of(kind)} '{name}' with version '{version}'. Its versions are: {known}.{mend}"
        if versions:
            return (
                f"All versions of the {title_of(kind)} '{name}' are archived; "
                f"`creditml {kind} restore -n {name}{flag}` brings them back."
            )
        hint = near_miss(name, (a.name for a in self.entries(kind)))
        if self._registry:
            return (
                f"There is no {title_of(kind)} named '{name}' in the local registry '{self._registry}'.{hint} "
                f"Create it with `creditml {kind} create -f FILE{flag}`."
            )
        return (
            f"There is no {title_of(kind)} named '{name}' in the workspace {self._database.path.parent}.{hint} "
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
    """The immutable fields in which a recorded version differs from a new spec."""
    return sorted(k for k in {*existing.spec, *spec} if k not in MUTABLE and existing.spec.get(k) != spec.get(k))


def _short(value: object, other: object) -> str:
    """A value for a message; of a long value, only the part where it differs from the other value."""
    text = repr(value)
    if len(text) <= _SHOWN:
        return text
    same = takewhile(lambda pair: pair[0] == pair[1], zip(text, repr(other), strict=False))
    start = max(0, min(sum(1 for _ in same), len(text) - _SHOWN))
    end = "…" if start + _SHOWN < len(text) else ""
    return ("…" if start else "") + text[start : start + _SHOWN] + end
