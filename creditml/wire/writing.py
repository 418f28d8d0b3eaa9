"""Translates jobs and components from the spec language, in which the workspace keeps them, to Azure's wire format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.asset_kinds import ASSET_KINDS
from creditml.model import asset_kind
from creditml.nodes.table import DEFAULT, node_type
from creditml.references import bare, named, parse_named, prefixed
from creditml.wire.words import DISTRIBUTIONS, IDENTITIES, MODES, PLAIN, PRIORITIES, SERVICES, TIERS, camel, some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.references import Scope
    from creditml.wire.words import AssetIds

_VARIABLES = "environment_variables"
_SENT_MODES = {ours: sent for sent, ours in MODES.items()}


def job_properties(spec: Mapping[str, Any], ids: AssetIds) -> dict[str, Any]:
    """The `properties` of a job, from the job in the spec language."""
    scope, kind = ids.scope, spec.get("type", DEFAULT)
    inputs, outputs = spec.get("inputs") or {}, spec.get("outputs") or {}
    properties = some(
        jobType=kind.capitalize(),
        displayName=spec.get("display_name"),
        description=spec.get("description"),
        experimentName=spec.get("experiment_name"),
        computeId=_resource_id("computes", spec.get("compute"), scope),
        identity=_sent_identity(spec.get("identity"), humped=True),
        services=_sent_services(spec.get("services"), humped=True),
    )
    properties |= {
        "inputs": {name: _sent_input(value, scope, humped=True) for name, value in inputs.items()},
        "outputs": {name: _sent_output(value, scope, humped=True) for name, value in outputs.items()},
    }
    return properties | node_type(kind).send_job(spec, _Sending(ids))


def component_spec(spec: Mapping[str, Any], ids: AssetIds) -> dict[str, Any]:
    """The `componentSpec` of a component, from the component in the spec language."""
    sent = {**spec, **node_type(spec.get("type", DEFAULT)).send_component(spec, _Sending(ids))}
    return {"is_deterministic": True, **{key: value for key, value in sent.items() if value is not None}}


def node_sent(name: str, node: Mapping[str, Any], ids: AssetIds) -> dict[str, Any]:
    """A node of a graph in Azure's wire format, from the node in the spec language."""
    scope, kind = ids.scope, node.get("type", DEFAULT)
    inputs, outputs = node.get("inputs") or {}, node.get("outputs") or {}
    limits = node.get("limits")
    variables = node.get(_VARIABLES)  # the SDK can't read a binding here in an answer, although it sends one
    return some(
        name=name,
        type=kind,
        componentId=ids.component_id(node.get("component") or node_type(kind).inline_component(node)),
        computeId=_resource_id("computes", node.get("compute"), scope),
        inputs={key: _sent_input(value, scope, humped=False) for key, value in inputs.items()},
        outputs={key: _sent_output(value, scope, humped=False) for key, value in outputs.items()},
        **{key: node.get(key) for key in (*PLAIN, "resources") if key != _VARIABLES},
        **{_VARIABLES: variables if isinstance(variables, dict) else None},
        limits={"job_limits_type": "Command", "timeout": _duration(limits["timeout"])} if limits else None,
        distribution=_sent_distribution(node.get("distribution"), humped=False),
        queue_settings=_sent_queue_settings(node.get("queue_settings")),
        identity=_sent_identity(node.get("identity"), humped=False),
        services=_sent_services(node.get("services"), humped=False),
        _source="REMOTE.WORKSPACE.COMPONENT",
    )


class _Sending:
    """Implements `creditml.nodes.types.Sending`."""

    def __init__(self, ids: AssetIds) -> None:
        self._ids = ids

    def component(self, value: Any) -> str:  # str or dict
        return self._ids.component_id(value)

    def environment(self, value: Any) -> str | None:  # str or dict
        return self._ids.environment_id(value) if value else None

    def environment_reference(self, value: Any) -> str | None:  # str or dict
        sent = self.environment(value)
        return None if sent is None else named(sent)

    def code(self, value: str | None) -> str | None:
        return self._ids.code_id(value) if value else None

    def code_reference(self, value: str | None) -> str | None:
        return prefixed(self._ids.code_id(value)) if value else None

    def resource(self, kind: str, value: str | None) -> str | None:
        return _resource_id(kind, value, self._ids.scope)

    def node(self, name: str, node: Mapping[str, Any]) -> dict[str, Any]:
        return node_sent(name, node, self._ids)

    def limits(self, value: Mapping[str, Any] | None) -> dict[str, Any] | None:
        return {"jobLimitsType": "Command", "timeout": _duration(value["timeout"])} if value else None

    def distribution(self, value: Mapping[str, Any] | None, *, humped: bool) -> dict[str, Any] | None:
        return _sent_distribution(value, humped=humped)

    def queue_settings(self, value: Mapping[str, Any] | None) -> dict[str, Any]:
        return camel(_sent_queue_settings(value) or {})

    def resources(self, value: Mapping[str, Any] | None) -> dict[str, Any]:
        return camel(value or {})


def _duration(seconds: Any) -> str:  # a number, or the text of a binding
    return seconds if isinstance(seconds, str) else f"PT{seconds}S"


def _resource_id(kind: str, value: str | None, scope: Scope) -> str | None:
    return scope.id(kind, bare(value)) if value else None


def _sent_input(value: Any, scope: Scope, *, humped: bool) -> dict[str, Any]:  # dict or literal
    kind = "jobInputType" if humped else "job_input_type"
    if not isinstance(value, dict):
        return {kind: "literal", "value": str(value)}
    path = str(value.get("path", ""))
    mode = _SENT_MODES.get(value.get("mode") or "")
    if "${{" in path:
        return some(**{kind: "literal"}, value=path, mode=mode)
    return some(**{kind: value.get("type", "uri_folder")}, uri=sent_path(path, value.get("type", ""), scope), mode=mode)


def sent_path(path: str, kind: str, scope: Scope) -> str:
    """A path of data in Azure's wire format: the id of a registered asset, the long form of a datastore's URI.

    `kind` is the type of the data; it decides between the ids of models and of data assets.
    """
    found = parse_named(path)
    if found is None or found.version is None:
        return scope.uri(path)
    return scope.id(ASSET_KINDS[asset_kind(kind)].plural, found.name, found.version)


def _sent_output(value: Any, scope: Scope, *, humped: bool) -> dict[str, Any]:  # dict, str or None
    kind = "jobOutputType" if humped else "job_output_type"
    if isinstance(value, str):
        return {"type": "literal", "value": value}
    fields = value or {}
    path = str(fields.get("path") or "")
    mode = _SENT_MODES.get(fields.get("mode") or "")
    if "${{parent.outputs." in path:
        return some(type="literal", value=path, mode=mode)
    return some(
        **{kind: fields.get("type", "uri_folder")},
        uri=scope.uri(path) if path else None,
        mode=mode,
        assetName=fields.get("name"),
        assetVersion=fields.get("version"),
    )


def _sent_distribution(value: Mapping[str, Any] | None, *, humped: bool) -> dict[str, Any] | None:
    if not value:
        return None
    kinds = {ours: sent for sent, ours in DISTRIBUTIONS.items()}
    fields = {"distribution_type": kinds[value["type"]], **{k: v for k, v in value.items() if k != "type"}}
    return camel(fields) if humped else fields


def _sent_identity(value: Mapping[str, Any] | None, *, humped: bool) -> dict[str, Any] | None:
    if not value:
        return None
    kinds = {**{ours: sent for sent, ours in IDENTITIES.items()}, "managed": "Managed"}
    fields = {"identity_type": kinds[value["type"]], **{k: v for k, v in value.items() if k != "type"}}
    return camel(fields) if humped else fields


def _sent_queue_settings(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not value:
        return None
    tiers = {ours: sent for sent, ours in TIERS.items()}
    priorities = {ours: int(sent) for sent, ours in PRIORITIES.items()}
    tier, priority = value.get("job_tier"), value.get("priority")
    return some(job_tier=tiers.get(tier or ""), priority=priorities.get(priority or ""))


def _sent_services(value: Mapping[str, Any] | None, *, humped: bool) -> dict[str, Any] | None:
    kinds = {ours: sent for sent, ours in SERVICES.items()}
    services = {}
    for name, fields in (value or {}).items():
        own = some(sshPublicKeys=fields.get("ssh_public_keys"), logDir=fields.get("log_dir"))
        sent = some(
            job_service_type=kinds.get(fields.get("type"), fields.get("type")),
            port=fields.get("port"),
            properties={**(fields.get("properties") or {}), **own},
        )
        if fields.get("nodes"):
            sent["nodes"] = camel({"nodes_value_type": "All"}) if humped else {"nodes_value_type": "All"}
        services[name] = camel(sent) if humped else sent
    return services
