"""Translates jobs and components from Azure's wire format to the spec language.

Clients send snake_case keys in nodes and component specs, and camelCase keys elsewhere; both are accepted everywhere.
An `AssetResolver` looks up the ids of assets. Fields that the domain model lacks (`_source`, `client_component_hash`)
are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from creditml.nodes.table import DEFAULT, node_type
from creditml.references import bare, is_artifacts_uri, parse_id, reference, short_uri
from creditml.wire.words import (
    DISTRIBUTIONS,
    HUMP,
    IDENTITIES,
    MODES,
    PLAIN,
    PRIORITIES,
    SERVICES,
    TIERS,
    TOLD_SERVICES,
    snake,
    some,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.wire.words import AssetResolver

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_SERVERLESS = "serverless"


def job_of(name: str, properties: Mapping[str, Any], assets: AssetResolver) -> dict[str, Any]:
    """A job in the spec language.

    Args:
        name: The name of the job.
        properties: The `properties` of the request or answer.
        assets: Looks up the ids in them.
    """
    fields = snake(properties)
    kind = str(fields.get("job_type", "")).lower()
    job = {"type": kind, "name": name, **some(experiment_name=fields.get("experiment_name")), **_common(fields)}
    return job | node_type(kind).receive_job(fields, _Receiving(assets), job.get("inputs", {}))


def component_of(spec: Mapping[str, Any], assets: AssetResolver) -> dict[str, Any]:
    """A component in the spec language; `spec` is its `componentSpec`."""
    component = some(
        type=spec.get("type"),
        name=spec.get("name"),
        **{key: spec.get(key) for key in PLAIN},
        inputs=spec.get("inputs"),
        outputs=spec.get("outputs"),
    )
    return component | node_type(spec.get("type") or DEFAULT).receive_component(spec, _Receiving(assets))


class _Receiving:
    """Implements `creditml.nodes.types.Receiving`."""

    def __init__(self, assets: AssetResolver) -> None:
        self._assets = assets

    def component(self, sent: str) -> Any:  # str or dict
        return self._assets.component(sent)

    def environment(self, sent: str | None) -> Any:  # str, dict or None
        return self._assets.environment(sent) if sent else None

    def code(self, sent: str | None) -> str | None:
        return self._assets.code(sent) if sent else None

    def resource(self, sent: str) -> str:
        return _resource(sent)

    def node(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        fields = snake(sent)
        node = {"type": str(fields.get("type", DEFAULT)).lower(), **_common(fields)}
        reference = fields.get("component_id") or fields.get("component")
        return node | ({"component": self._assets.component(reference)} if reference else {})

    def resources(self, sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
        return _resources(sent)

    def distribution(self, sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
        return _distribution(sent)


def _common(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that nodes and jobs share."""
    values = some(
        **{key: fields.get(key) for key in PLAIN if key != "is_deterministic"},
        compute=_resource(fields["compute_id"]) if fields.get("compute_id") else None,
        limits=_limits(fields.get("limits")),
        resources=_resources(fields.get("resources")),
        distribution=_distribution(fields.get("distribution")),
        queue_settings=_queue_settings(fields.get("queue_settings")),
        identity=_identity(fields.get("identity")),
        services=_services(fields.get("services")),
    )
    given = {name: _input(value) for name, value in (fields.get("inputs") or {}).items()}
    inputs = {name: value for name, value in given.items() if value is not None}
    sent = {name: value for name, value in (fields.get("outputs") or {}).items() if not _told(name, value)}
    outputs = {name: _output(value) for name, value in sent.items()}
    return values | ({"inputs": inputs} if inputs else {}) | ({"outputs": outputs} if outputs else {})


def _input(sent: Any) -> Any:  # dict or literal
    if not isinstance(sent, dict):
        return None if sent is None else str(sent)
    fields = snake(sent)
    mode = MODES.get(fields.get("mode") or "")
    if fields.get("job_input_type") == "literal":
        value = fields.get("value")
        if value is None:  # an optional input without a value
            return None
        return {"path": value, "mode": mode} if mode and "${{" in str(value) else str(value)
    return some(
        type=_type(fields.get("job_input_type")),
        path=data_path(fields.get("uri", "")),
        mode=mode,
        path_on_compute=fields.get("path_on_compute"),
    )


def _told(name: str, sent: Any) -> bool:  # dict, str or None
    """Whether an output is the `default` one, which Azure ML adds to every job to show where its artifacts are."""
    return name == "default" and isinstance(sent, dict) and is_artifacts_uri(str(sent.get("uri") or ""))


def _output(sent: Any) -> Any:  # dict, str or None
    if not isinstance(sent, dict):
        return sent
    fields = snake(sent)
    values = some(
        mode=MODES.get(fields.get("mode") or ""),
        name=fields.get("asset_name") or fields.get("name"),
        version=fields.get("asset_version") or fields.get("version"),
    )
    if "value" in fields:
        return {"path": fields["value"], **values} if values else fields["value"]
    kind = fields.get("job_output_type")
    path = short_uri(fields["uri"]) if fields.get("uri") else None
    return some(type=_type(kind) if kind else None, path=path) | values


def _type(sent: str | None) -> str | None:
    """A type of data in the spec language: `UriFile` becomes `uri_file`, and `mlflow_model` stays unchanged."""
    return None if sent is None else HUMP.sub("_", sent).lower().replace("ml_flow", "mlflow")


def data_path(uri: str) -> str:
    """A path of data in the spec language: the reference for an id, the short form of a long URI."""
    found = parse_id(uri)
    return found.reference if found else short_uri(uri)


def _resource(sent: str) -> str:
    """The reference of a compute or datastore; `serverless` stays unchanged."""
    found = parse_id(sent)
    name = found.name if found else bare(sent)
    return name if name == _SERVERLESS else reference(name)


def _limits(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    timeout = (sent or {}).get("timeout")
    if timeout is None:
        return None
    if isinstance(timeout, str):
        return {"timeout": timeout if "${{" in timeout else _seconds(timeout)}
    return {"timeout": int(timeout)}


def _seconds(duration: str) -> int:
    match = _DURATION.fullmatch(duration)
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    return int(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _resources(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not sent:
        return None
    fields = some(**snake(sent))
    if "docker_args_list" in fields:
        fields["docker_args"] = fields.pop("docker_args_list")
    return fields


def _distribution(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not sent:
        return None
    fields = some(**snake(sent))
    kind = fields.pop("distribution_type", None) or fields.pop("type", "")
    return {"type": DISTRIBUTIONS.get(kind, str(kind).lower()), **fields}


def _queue_settings(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    fields = snake(sent or {})
    priority = fields.get("priority")
    tier = fields.get("job_tier")
    return some(
        job_tier=TIERS.get(tier, str(tier).lower()) if tier else None,
        priority=PRIORITIES.get(str(priority), str(priority).lower()) if priority else None,
    )


def _identity(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not sent:
        return None
    fields = some(**snake(sent))
    kind = fields.pop("identity_type", None) or fields.pop("type", "")
    known = {"resource_id": "msi_resource_id"}
    rest = {known.get(key, key): value for key, value in fields.items()}
    return {"type": IDENTITIES.get(kind, HUMP.sub("_", str(kind)).lower()), **rest}


def _services(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not sent:
        return None
    services = {}
    for name, value in sent.items():
        fields = some(**snake(value))
        kind = fields.pop("job_service_type", None)
        if kind in TOLD_SERVICES:
            continue
        properties = dict(fields.pop("properties", None) or {})
        extra = {"ssh_public_keys": properties.pop("sshPublicKeys", None), "log_dir": properties.pop("logDir", None)}
        nodes = fields.pop("nodes", None)
        services[name] = some(
            type=SERVICES.get(kind, kind) if kind else None,
            port=fields.get("port"),
            nodes="all" if nodes else None,
            properties=properties,
            **extra,
        )
    return services
