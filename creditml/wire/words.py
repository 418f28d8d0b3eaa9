"""The terms that reading and writing Azure's wire format share, and the interfaces to look up ids of assets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.references import Scope

MODES = {
    "ReadOnlyMount": "ro_mount",
    "ReadWriteMount": "rw_mount",
    "Download": "download",
    "Upload": "upload",
    "Direct": "direct",
    "EvalMount": "eval_mount",
    "EvalDownload": "eval_download",
}
TIERS = {"Null": "null", "Spot": "spot", "Basic": "basic", "Standard": "standard", "Premium": "premium"}
PRIORITIES = {"1": "low", "2": "medium", "3": "high"}
IDENTITIES = {"AMLToken": "aml_token", "Managed": "managed_identity", "UserIdentity": "user_identity"}
DISTRIBUTIONS = {"Mpi": "mpi", "PyTorch": "pytorch", "TensorFlow": "tensorflow", "Ray": "ray"}
SERVICES = {"SSH": "ssh", "JupyterLab": "jupyter_lab", "TensorBoard": "tensor_board", "VSCode": "vs_code"}
TOLD_SERVICES = ("Studio", "Tracking")  # Azure ML adds these to every job; a client may send them back
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
PLAIN = ("display_name", "description", "tags", "properties", "comment", "environment_variables", "is_deterministic")


class AssetResolver(Protocol):
    """Looks up the ids of assets when a job is read, and returns values of the spec language."""

    def component(self, sent: str) -> Any:  # str, or dict for an anonymous one
        """The reference of a component (`azureml:name:version`); the definition of an anonymous component."""
        ...

    def environment(self, sent: str) -> Any:  # str, or dict for an anonymous one
        """The reference of an environment (`azureml:name:version`); the definition of an anonymous environment."""
        ...

    def code(self, sent: str) -> str:
        """The reference of a code asset."""
        ...


class AssetIds(Protocol):
    """Returns the ids of assets when a job is written. In the spec language they are references or definitions."""

    scope: Scope

    def component_id(self, value: Any) -> str:  # str or dict
        """The id of a component; `value` is its reference or its definition."""
        ...

    def environment_id(self, value: Any) -> str:  # str or dict
        """The id of an environment; `value` is its reference or its definition."""
        ...

    def code_id(self, value: str) -> str:
        """The id of a code asset; `value` is its reference."""
        ...


def snake(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with snake_case keys; keys of nested mappings stay unchanged."""
    return {HUMP.sub("_", key).lower() if key[:1] != "_" else key: value for key, value in values.items()}


def camel(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with camelCase keys; keys of nested mappings stay unchanged."""
    return {re.sub(r"_([a-z])", lambda match: match[1].upper(), key): value for key, value in values.items()}


def some(**values: Any) -> dict[str, Any]:
    """The values that are neither None nor empty."""
    return {key: value for key, value in values.items() if value is not None and value not in ({}, [], ())}
