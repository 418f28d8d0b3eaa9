"""Environment variables that lead an unchanged script, notebook or `az ml` to the local workspace."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from creditml.references import LOCAL
from creditml.service.azure_cli import stand_in
from creditml.service.certificates import Certificates, bundle
from creditml.service.keys import Keys
from creditml.tracking import access_variables, owner_secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Credentials that Azure's SDK would try before the one that works here, and settings that would lead it elsewhere.
UNSET = (
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TENANT_ID",
    "AZURE_USERNAME",
    "AZURE_PASSWORD",
    "AZURE_TOKEN_CREDENTIALS",
    "AZUREML_CURRENT_CLOUD",
    "IDENTITY_SERVER_THUMBPRINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
)
_TRUST = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
_LOOPBACK = ("localhost", "127.0.0.1")


def variables(root: Path, url: str, found: Certificates, tracking_uri: str) -> dict[str, str]:
    """The variables to set; those in `UNSET` have to be removed.

    Args:
        root: the workspace's folder.
        url: the address of the service.
        found: its certificates.
        tracking_uri: the address of MLflow's server.
    """
    trust = str(bundle(found, os.environ))
    exempt = os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).strip()
    # a star alone means all hosts
    no_proxy = "*" if exempt == "*" else ",".join(dict.fromkeys(filter(None, [*exempt.split(","), *_LOOPBACK])))
    return {
        **dict.fromkeys(_TRUST, trust),
        "ARM_CLOUD_METADATA_URL": f"{url}/metadata/endpoints?api-version=2019-05-01",
        # For an authority of the kind adfs, MSAL doesn't ask login.microsoftonline.com first whether it is known.
        "AZURE_AUTHORITY_HOST": f"{url}/adfs",
        "IDENTITY_ENDPOINT": f"{url}/identity/token",
        "IDENTITY_HEADER": Keys(root).header,
        "REGISTRY_DISCOVERY_ENDPOINT_URL": f"{url}/",
        "MLFLOW_TRACKING_URI": tracking_uri,
        **access_variables(owner_secret(root), os.environ),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        # In a notebook the SDK would send telemetry to Azure Monitor.
        **dict.fromkeys(("OTEL_LOGS_EXPORTER", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER"), "None"),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "CREDITML_HOME": str(root),
        "PATH": os.pathsep.join([stand_in(root), os.environ.get("PATH", os.defpath)]),
    }


def applied(environment: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """An environment with the given variables set, and those in `UNSET` removed."""
    return {**{name: value for name, value in environment.items() if name not in UNSET}, **given}


def write_config(folder: Path) -> bool:
    """Write a config.json for `MLClient.from_config()` into a folder; False if there is one already, which stays."""
    names = {"subscription_id": LOCAL.subscription, "resource_group": LOCAL.group, "workspace_name": LOCAL.workspace}
    try:
        with (folder / "config.json").open("x", encoding="utf-8") as stream:
            json.dump(names, stream, indent=2)
    except FileExistsError:
        return False
    return True
