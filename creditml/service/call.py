"""What a handler gets to answer a request: the request, the workspace, and where the services are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.model import Job
    from creditml.references import Scope
    from creditml.service.keys import Keys
    from creditml.service.messages import Request
    from creditml.service.promised_versions import PromisedVersions
    from creditml.workspace import Workspace
    from creditml.workspace.assets import Assets
    from creditml.workspace.records import JobRecord


class Storage(NamedTuple):
    """The storage account, as clients see it.

    Attributes:
        account: Its name; the SDK makes `https://<account>.blob.<suffix>` of it.
        suffix: The cloud's suffix for storage.
    """

    account: str
    suffix: str

    @property
    def url(self) -> str:
        """The address of its blobs."""
        return f"https://{self.account}.blob.{self.suffix}"


class Call(NamedTuple):
    """One request, from a client that may use the workspace.

    Attributes:
        request: The request itself.
        scope: The workspace or registry, as the client names it.
        workspace: The local workspace.
        keys: Make and check signatures.
        storage: The storage account.
        tracking_uri: Returns the address of MLflow's server, and starts the server if need be.
        submit: Submits a job that was sent.
        promised_versions: The numbers of next versions that clients were told.
    """

    request: Request
    scope: Scope
    workspace: Workspace
    keys: Keys
    storage: Storage
    tracking_uri: Callable[[], str]
    submit: Callable[[Workspace, Job], JobRecord]
    promised_versions: PromisedVersions

    @property
    def assets(self) -> Assets:
        """The assets of the workspace or the registry that the request names."""
        return self.workspace.registry(self.scope.registry)
