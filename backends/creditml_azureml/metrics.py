"""Metrics that steps have logged, from the tracking service of the workspace in Azure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from creditml.references import tracking_url
from creditml_azureml.errors import mapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from creditml_azureml.cloud import Cloud

_SCOPE = "https://management.azure.com/.default"


def metrics_of(cloud: Cloud, runs: Iterable[str]) -> Mapping[str, Mapping[str, float]]:
    """The last value of each metric, by run; runs without metrics are left out.

    This asks MLflow's own REST API, which a workspace has at its tracking URI with https instead of azureml
    (azureml-mlflow does the same).
    """
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import BearerTokenCredentialPolicy, HeadersPolicy, RetryPolicy
    from azure.core.rest import HttpRequest

    with mapped("asking for metrics"):
        uri = str(cloud.client.workspaces.get(cloud.target.workspace_name).mlflow_tracking_uri or "")
        base = tracking_url(uri)
        policies: list[Any] = [RetryPolicy()]
        if base.startswith("https://"):  # a token is only sent over TLS
            policies.append(BearerTokenCredentialPolicy(cloud.client._credential, _SCOPE))  # noqa: SLF001  the client's own
        elif token := os.environ.get(
            "MLFLOW_TRACKING_TOKEN"
        ):  # as MLflow's own clients send it, here to a local server
            policies.append(HeadersPolicy({"Authorization": f"Bearer {token}"}))
        found = {}
        client: PipelineClient[Any, Any] = PipelineClient(base, policies=policies)
        with client:
            for run in runs:
                request = HttpRequest("GET", f"{base}/api/2.0/mlflow/runs/get", params={"run_id": run})
                answer = client.send_request(request)
                if answer.status_code == 404:  # noqa: PLR2004  HTTP's
                    continue
                answer.raise_for_status()
                data = answer.json()["run"].get("data", {}).get("metrics", [])
                if data:
                    found[run] = {metric["key"]: float(metric["value"]) for metric in data}
    return found
