"""Assets of a workspace in Azure, and of the registries that it may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.asset_kinds import ASSET_KINDS
from creditml.errors import NotFound
from creditml.references import parse_reference, short_uri
from creditml_azureml.errors import mapped, quietly

if TYPE_CHECKING:
    from creditml.references import Id
    from creditml_azureml.connection import Connection


class CloudAssets:
    """Looks up assets, and registers them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, kind: str, name: str, version: str | None) -> Any:
        """The SDK's object of data, an environment or a component (by default of the latest version), or None."""
        label = None if version else "latest"
        try:
            with mapped(f"asking for the {kind} {name}:{version or label}"):
                return self._assets(kind).get(name=name, version=version, label=label)
        except NotFound:
            return None

    def versions(self, kind: str, name: str) -> list[str]:
        """All versions of an asset; none if there is no such asset."""
        try:
            with mapped(f"asking for the versions of the {kind} {name}"):
                return [str(each.version) for each in self._assets(kind).list(name=name)]
        except NotFound:
            return []

    def register(self, kind: str, asset: Any) -> None:
        """Register data, an environment or a component; the SDK uploads only content that isn't there (by its hash)."""
        with quietly():
            self._assets(kind).create_or_update(asset)

    def component_body(self, asset: Id) -> dict[str, Any]:
        """The `componentSpec` of a registered component, with its version; the latest without one.

        Raises:
            NotFound: there is none.
        """
        with mapped(f"asking for the component '{asset.name}'"):
            components: Any = self._connection.registry(asset.registry).components
            version = asset.version or _latest(components, asset.name)
            found = components._get_component_version(asset.name, version).as_dict()  # noqa: SLF001  see `connection`
            return {**found["properties"]["componentSpec"], "name": asset.name, "version": version}

    def environment_body(self, asset: Id) -> dict[str, Any]:
        """The `properties` of an environment, with its version; the latest without one.

        Raises:
            NotFound: there is none.
        """
        with mapped(f"asking for the environment '{asset.name}'"):
            environments: Any = self._connection.registry(asset.registry).environments
            version = asset.version or _latest(environments, asset.name)
            found: Any = environments._get(asset.name, version)  # noqa: SLF001  see `connection`
            return {**found.as_dict()["properties"], "version": version}

    def code_body(self, asset: Id) -> dict[str, Any]:
        """The `properties` of a code asset.

        Raises:
            NotFound: there is none.
        """
        with mapped(f"asking for the code '{asset.name}'"):
            operations: Any = self._connection.registry(asset.registry)._code  # noqa: SLF001  see `connection`
            found = operations._version_operation.get(  # noqa: SLF001  see `connection`
                name=asset.name,
                version=asset.version,
                resource_group_name=self._connection.target.resource_group,
                workspace_name=self._connection.target.workspace_name,
            )
            return dict(found.as_dict()["properties"])

    def data_location(self, kind: str, reference: str) -> tuple[str, str, str]:
        """The name and version of a data or model asset, and the URI of its data.

        Raises:
            NotFound: there is none.
        """
        named = parse_reference(reference)
        if named is None:
            message = f"{reference} names no asset."
            raise NotFound(message)
        with mapped(f"asking for {reference}"):
            wanted = {"version": named.version} if named.version else {"label": named.label or "latest"}
            found = self._assets(kind).get(name=named.name, **wanted)
            return str(found.name), str(found.version), short_uri(str(found.path))

    def _assets(self, kind: str) -> Any:
        return getattr(self._connection.client, ASSET_KINDS[kind].plural)


def _latest(operations: Any, name: str) -> str:
    """The latest version of a component or environment.

    Raises:
        NotFound: there is none of that name.
    """
    from azure.ai.ml.exceptions import MlException

    try:
        return str(operations._get_latest_version(name).version)  # noqa: SLF001  see `connection`
    except MlException as error:
        if "does not exist" in str(error):  # the SDK's error for that says 'invalid'
            raise NotFound(name) from None
        raise
