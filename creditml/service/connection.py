"""`connect`: a genuine MLClient, of the local workspace or of Azure ML."""

from __future__ import annotations

import atexit
import selectors
import threading
from typing import TYPE_CHECKING, Any

from creditml.config import read_config
from creditml.entry_points import AZURE
from creditml.references import LOCAL
from creditml.service.restoring import leaving_untouched
from creditml.tracking import Tracking
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from azure.ai.ml import MLClient


def connect(backend: str | None = None, **settings: Any) -> MLClient:
    """A genuine `azure.ai.ml.MLClient`.

    Args:
        backend: `local` for the local workspace, `azureml` for the real one (which AZURE_SUBSCRIPTION_ID,
            AZURE_RESOURCE_GROUP and AZURE_ML_WORKSPACE, creditml.yml or a config.json name; DefaultAzureCredential). By
            default what CREDITML_BACKEND or creditml.yml says, else the local one.
        settings: Further arguments of MLClient. With `registry_name` the client is of a registry, which the local
            workspace keeps as far as somebody has put something there.

    What is given to either to create or update stays as it was, so that one pipeline can be submitted to both.

    Raises:
        BackendError: The real workspace is named nowhere, or the SDK isn't one that this release knows.
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
    service = Service(root, in_process(), MLflow(root).uri)
    serve_blobs(service)
    names = () if settings.get("registry_name") else (LOCAL.subscription, LOCAL.group, LOCAL.workspace)
    client = MLClient(
        LocalCredential(service.keys),
        *names,
        **{"transport": control_plane(service), "enable_telemetry": False, **settings},
    )
    return leaving_untouched(client)


def _azure(settings: dict[str, Any]) -> MLClient:
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    from creditml_azureml.target import find_target

    credential = settings.pop("credential", None) or DefaultAzureCredential()
    names = () if settings.get("registry_name") else find_target(read_config().sections.get(AZURE, {}))
    return leaving_untouched(MLClient(credential, *names, **settings))


class MLflow:
    """MLflow's server for a process that has no loop of its own: a thread sees to it from the first question on."""

    def __init__(self, root: Path) -> None:
        """Nothing is started yet."""
        self._root = root
        self._lock = threading.Lock()
        self._tracking: Tracking | None = None

    def uri(self) -> str:
        """Where the server is; it starts when somebody connects."""
        with self._lock:
            if self._tracking is None:
                self._tracking = Tracking(self._root)
                threading.Thread(target=_attend, args=(self._tracking,), daemon=True).start()
                atexit.register(self._tracking.close)
            return self._tracking.uri


def _attend(tracking: Tracking) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(tracking, selectors.EVENT_READ)
        try:
            while True:
                selector.select()
                tracking.attend()
        except (OSError, ValueError):  # it was closed: the process ends
            return
