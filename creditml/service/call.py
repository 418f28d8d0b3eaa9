"""What an answer is made from: the request, the workspace, and where things are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.model import Job
    from creditml.references import Scope
    from creditml.service.keys import Keys
    from creditml.service.messages import Request
    from creditml.service.promised_versions import Promises
    from creditml.workspace import Workspace
    from creditml.workspace.assets import Assets
    from creditml.workspace.records import JobRecord


class Storage(NamedTuple):
    """The storage account, as callers see it.

    Attributes:
        account: Its name; the SDK makes `https://<account>.blob.<suffix>` of it.
        suffix: The cloud's suffix for storage.
    """

    account: str
    suffix: str

    @property
    def url(self) -> str:
        """Where its blobs are."""
        return f"https://{self.account}.blob.{self.suffix}"


class Call(NamedTuple):
    """One request that may be answered."""

    request: Request
    scope: Scope
    workspace: Workspace
    keys: Keys
    storage: Storage
    tracking_uri: Callable[[], str]
    submit: Callable[[Workspace, Job], JobRecord]
    promises: Promises

    @property
    def assets(self) -> Assets:
        """Those of the workspace or the registry that is asked for."""
        return self.workspace.registry(self.scope.registry)
