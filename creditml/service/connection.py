"""`connect`: a genuine MLClient of the local workspace or of Azure ML."""

from __future__ import annotations

import atexit
import os
import selectors
import threading
from typing import TYPE_CHECKING, Any

from creditml.config import read_config
from creditml.entry_points import AZURE
from creditml.references import LOCAL
from creditml.service.restoring import restore_submitted
from creditml.tracking import ACCESS, Tracking, access_variables, owner_secret
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from azure.ai.ml import MLClient


def connect(backend: str | None = None, **settings: Any) -> MLClient:
    """A genuine `azure.ai.ml.MLClient`.

    Args:
        backend: `local` for the local workspace, `azureml` for one in Azure, which AZURE_SUBSCRIPTION_ID,
            AZURE_RESOURCE_GROUP and AZURE_ML_WORKSPACE, creditml.yml or a config.json name (the credential is
            DefaultAzureCredential). The default is CREDITML_BACKEND, else the backend in creditml.yml, else `local`.
        settings: Further arguments of MLClient. With `registry_name` the client is of a registry. The local workspace
            keeps registries too: each has the assets that were put there.

    Objects that are given to the client, to create or update them, stay as they were, so that one pipeline can be
    submitted to both.

    Raises:
        BackendError: No workspace in Azure is named, or this release doesn't know the version of the SDK.
    """
    backend = backend or read_config().backend
    return _azure(settings) if backend == AZURE else _local(settings)


def _local(settings: dict[str, Any]) -> MLClient:
    from azure.ai.ml import MLClient

    from creditml.service.credential import LocalCredential
    from creditml.service.service import Service
    from creditml.service.transport import control_plane, in_process, serve_blobs

    workspace = Workspace.find().create()
    root = workspace.root
    workspace.close()
    service = Service(root, in_process(), MLflow(root).uri_for_this_process)
    serve_blobs(service)
    names = () if settings.get("registry_name") else (LOCAL.subscription, LOCAL.group, LOCAL.workspace)
    client = MLClient(
        LocalCredential(service.keys),
        *names,
        **{"transport": control_plane(service), "enable_telemetry": False, **settings},
    )
    return restore_submitted(client)


def _azure(settings: dict[str, Any]) -> MLClient:
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    from creditml_azureml.target import find_target

    credential = settings.pop("credential", None) or DefaultAzureCredential()
    names = () if settings.get("registry_name") else find_target(read_config().sections.get(AZURE, {}))
    return restore_submitted(MLClient(credential, *names, **settings))


class MLflow:
    """MLflow's server for a process without an event loop: a thread attends to it after the first call of `uri`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._tracking: Tracking | None = None

    def uri(self) -> str:
        """The address of the server, which starts when somebody connects."""
        with self._lock:
            if self._tracking is None:
                self._tracking = Tracking(self._root)
                threading.Thread(target=_attend, args=(self._tracking,), daemon=True).start()
                atexit.register(self._tracking.close)
            return self._tracking.uri

    def uri_for_this_process(self) -> str:
        """The address of the server, with which MLflow's client in this process gets in.

        The client sends the secret in MLFLOW_TRACKING_TOKEN, which is set here. If that or a name and password are set
        already, they are for another server and stay, and the address itself has the secret.
        """
        secret = owner_secret(self._root)
        given = access_variables(secret, os.environ)
        if all(os.environ.get(name) in (None, given.get(name)) for name in ACCESS):
            os.environ.update(given)
            return self.uri()
        return self.uri().replace("://", f"://creditml:{secret}@")


def _attend(tracking: Tracking) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(tracking, selectors.EVENT_READ)
        try:
            while True:
                selector.select()
                tracking.attend()
        except (OSError, ValueError):  # it was closed: the process ends
            return
