"""Jobs and components as Azure's clients send them, from and to the terms of the spec language.

What is sent has snake_case keys within nodes and component specs, camelCase elsewhere; here both are read everywhere.
Ids of assets are left to `References`. What the domain doesn't have (`_source`, `client_component_hash`) is dropped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from creditml.service.scope import parse_id, short_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.service.scope import Scope

_MODES = {
    "ReadOnlyMount": "ro_mount",
    "ReadWriteMount": "rw_mount",
    "Download": "download",
    "Upload": "upload",
    "Direct": "direct",
    "EvalMount": "eval_mount",
    "EvalDownload": "eval_download",
}
_SENT_MODES = {ours: sent for sent, ours in _MODES.items()}
_TIERS = {"Null": "null", "Spot": "spot", "Basic": "basic", "Standard": "standard", "Premium": "premium"}
_PRIORITIES = {"1": "low", "2": "medium", "3": "high"}
_IDENTITIES = {"AMLToken": "aml_token", "Managed": "managed_identity", "UserIdentity": "user_identity"}
_DISTRIBUTIONS = {"Mpi": "mpi", "PyTorch": "pytorch", "TensorFlow": "tensorflow", "Ray": "ray"}
_SERVICES = {"SSH": "ssh", "JupyterLab": "jupyter_lab", "TensorBoard": "tensor_board", "VSCode": "vs_code"}
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SERVERLESS = "serverless"
_PLAIN = ("display_name", "description", "tags", "properties", "comment", "environment_variables", "is_deterministic")


class References(Protocol):
    """What ids of assets mean, in either direction."""

    scope: Scope

    def component(self, sent: str) -> Any:  # noqa: ANN401  str, or dict for an anonymous one
        """A component's id, in the terms of the spec language."""
        ...

    def environment(self, sent: str) -> Any:  # noqa: ANN401  str, or dict for an anonymous one
        """An environment's id, likewise."""
        ...

    def code(self, sent: str) -> str:
        """The id of code, likewise."""
        ...

    def component_id(self, value: Any) -> str:  # noqa: ANN401  str or dict
        """The id of a component, named or in place."""
        ...

    def environment_id(self, value: Any) -> str:  # noqa: ANN401  str or dict
        """The id of an environment, named or in place."""
        ...

    def code_id(self, value: str) -> str:
        """The id of a code asset."""
        ...


# -- what was sent


def job_of(name: str, properties: Mapping[str, Any], references: References) -> dict[str, Any]:
    """A job in the terms of the spec language.

    Args:
        name: Its name.
        properties: The body's `properties`.
        references: What the ids in it mean.
    """
    fields = _snake(properties)
    kind = str(fields.get("job_type", "")).lower()
    job = {"type": kind, "name": name, **_some(experiment_name=fields.get("experiment_name")), **_common(fields)}
    if kind == "pipeline":
        if fields.get("component_id"):
            job["component"] = references.component(fields["component_id"])
        else:
            job["jobs"] = {key: _node(node, references) for key, node in (properties.get("jobs") or {}).items()}
        settings = {key: value for key, value in (fields.get("settings") or {}).items() if key != "_source"}
        for key in ("default_compute", "default_datastore"):
            if settings.get(key):
                settings[key] = _resource(settings[key])
        return job | _some(settings=_some(**settings))
    return job | _some(
        command=fields.get("command"),
        code=references.code(fields["code_id"]) if fields.get("code_id") else None,
        environment=references.environment(fields["environment_id"]) if fields.get("environment_id") else None,
    )


def component_of(spec: Mapping[str, Any], references: References) -> dict[str, Any]:
    """A component's `componentSpec` in the terms of the spec language."""
    fields = dict(spec)
    component = _some(
        type=fields.get("type"),
        name=fields.get("name"),
        **{key: fields.get(key) for key in _PLAIN},
        command=fields.get("command"),
        inputs=fields.get("inputs"),
        outputs=fields.get("outputs"),
        code=references.code(fields["code"]) if fields.get("code") else None,
        environment=references.environment(fields["environment"]) if fields.get("environment") else None,
        resources=_resources(fields.get("resources")),
        distribution=_distribution(fields.get("distribution")),
    )
    if "jobs" in fields:
        component["jobs"] = {name: _node(node, references) for name, node in fields["jobs"].items()}
    return component


def _node(sent: Mapping[str, Any], references: References) -> dict[str, Any]:
    fields = _snake(sent)
    node = {"type": str(fields.get("type", "command")).lower(), **_common(fields)}
    reference = fields.get("component_id") or fields.get("component")
    return node | ({"component": references.component(reference)} if reference else {})


def _common(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What nodes and jobs have in common."""
    values = _some(
        **{key: fields.get(key) for key in _PLAIN if key != "is_deterministic"},
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
    outputs = {name: _output(value) for name, value in (fields.get("outputs") or {}).items()}
    return values | ({"inputs": inputs} if inputs else {}) | ({"outputs": outputs} if outputs else {})


def _input(sent: Any) -> Any:  # noqa: ANN401  dict or literal
    if not isinstance(sent, dict):
        return None if sent is None else str(sent)
    fields = _snake(sent)
    mode = _MODES.get(fields.get("mode") or "")
    if fields.get("job_input_type") == "literal":
        value = fields.get("value")
        if value is None:  # an optional one that isn't given
            return None
        return {"path": value, "mode": mode} if mode and "${{" in str(value) else str(value)
    return _some(
        type=_type(fields.get("job_input_type")),
        path=data_path(fields.get("uri", "")),
        mode=mode,
        path_on_compute=fields.get("path_on_compute"),
    )


def _output(sent: Any) -> Any:  # noqa: ANN401  dict, str or None
    if not isinstance(sent, dict):
        return sent
    fields = _snake(sent)
    values = _some(
        mode=_MODES.get(fields.get("mode") or ""),
        name=fields.get("asset_name") or fields.get("name"),
        version=fields.get("asset_version") or fields.get("version"),
    )
    if "value" in fields:
        return {"path": fields["value"], **values} if values else fields["value"]
    kind = fields.get("job_output_type")
    path = short_uri(fields["uri"]) if fields.get("uri") else None
    return _some(type=_type(kind) if kind else None, path=path) | values


def _type(sent: str | None) -> str | None:
    """`UriFile` is `uri_file`; `mlflow_model` is itself."""
    return None if sent is None else _HUMP.sub("_", sent).lower().replace("ml_flow", "mlflow")


def data_path(uri: str) -> str:
    """A path of data, as the spec language writes it."""
    found = parse_id(uri)
    return found.reference if found else short_uri(uri)


def _resource(sent: str) -> str:
    """A compute or datastore."""
    found = parse_id(sent)
    name = found.name if found else sent.removeprefix("azureml:")
    return name if name == _SERVERLESS else f"azureml:{name}"


def _limits(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    timeout = (sent or {}).get("timeout")
    if timeout is None:
        return None
    return {"timeout": _seconds(timeout) if isinstance(timeout, str) else int(timeout)}


def _seconds(duration: str) -> int:
    match = _DURATION.fullmatch(duration)
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    return int(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _resources(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not sent:
        return None
    fields = _some(**_snake(sent))
    if "docker_args_list" in fields:
        fields["docker_args"] = fields.pop("docker_args_list")
    return fields


def _distribution(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not sent:
        return None
    fields = _some(**_snake(sent))
    kind = fields.pop("distribution_type", None) or fields.pop("type", "")
    return {"type": _DISTRIBUTIONS.get(kind, str(kind).lower()), **fields}


def _queue_settings(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    fields = _snake(sent or {})
    priority = fields.get("priority")
    tier = fields.get("job_tier")
    return _some(
        job_tier=_TIERS.get(tier, str(tier).lower()) if tier else None,
        priority=_PRIORITIES.get(str(priority), str(priority).lower()) if priority else None,
    )


def _identity(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not sent:
        return None
    fields = _some(**_snake(sent))
    kind = fields.pop("identity_type", None) or fields.pop("type", "")
    known = {"resource_id": "msi_resource_id"}
    rest = {known.get(key, key): value for key, value in fields.items()}
    return {"type": _IDENTITIES.get(kind, _HUMP.sub("_", str(kind)).lower()), **rest}


def _services(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not sent:
        return None
    services = {}
    for name, value in sent.items():
        fields = _some(**_snake(value))
        kind = fields.pop("job_service_type", None)
        properties = dict(fields.pop("properties", None) or {})
        extra = {"ssh_public_keys": properties.pop("sshPublicKeys", None), "log_dir": properties.pop("logDir", None)}
        nodes = fields.pop("nodes", None)
        services[name] = _some(
            type=_SERVICES.get(kind, kind) if kind else None,
            port=fields.get("port"),
            nodes="all" if nodes else None,
            properties=properties,
            **extra,
        )
    return services


# -- what is answered


def job_properties(spec: Mapping[str, Any], references: References) -> dict[str, Any]:
    """The `properties` of a job that the workspace keeps in the terms of the spec language."""
    scope, kind = references.scope, spec.get("type", "command")
    properties = _some(
        jobType=kind.capitalize(),
        displayName=spec.get("display_name"),
        description=spec.get("description"),
        experimentName=spec.get("experiment_name"),
        computeId=_compute_id(spec.get("compute"), scope),
        identity=_sent_identity(spec.get("identity"), camel=True),
    )
    properties |= {
        "inputs": {name: _sent_input(value, scope, camel=True) for name, value in (spec.get("inputs") or {}).items()},
        "outputs": {
            name: _sent_output(value, scope, camel=True) for name, value in (spec.get("outputs") or {}).items()
        },
    }
    if kind == "pipeline":
        component = spec.get("component")
        jobs = spec.get("jobs") or {}
        if isinstance(component, dict):
            jobs = component.get("jobs") or {}
        elif component:
            properties["componentId"] = references.component_id(component)
        settings = dict(spec.get("settings") or {})
        if settings.get("default_compute"):
            settings["default_compute"] = _compute_id(settings["default_compute"], scope)
        properties["jobs"] = {name: node_sent(name, node, references) for name, node in jobs.items()}
        return properties | {"settings": settings}
    limits = spec.get("limits")
    return properties | _some(
        command=spec.get("command"),
        codeId=references.code_id(spec["code"]) if spec.get("code") else None,
        environmentId=references.environment_id(spec["environment"]) if spec.get("environment") else None,
        environmentVariables=spec.get("environment_variables") or {},
        limits={"jobLimitsType": "Command", "timeout": f"PT{limits['timeout']}S"} if limits else None,
        resources=_camel(spec.get("resources") or {}),
        distribution=_sent_distribution(spec.get("distribution"), camel=True),
        queueSettings=_sent_queue_settings(spec.get("queue_settings")),
    )


def component_spec(spec: Mapping[str, Any], references: References) -> dict[str, Any]:
    """The `componentSpec` of a component that the workspace keeps in the terms of the spec language."""
    sent = {key: value for key, value in spec.items() if key not in ("jobs", "code", "environment", "distribution")}
    sent |= _some(
        code=f"azureml:{references.code_id(spec['code'])}" if spec.get("code") else None,
        environment=_environment(spec.get("environment"), references),
        distribution=_sent_distribution(spec.get("distribution"), camel=False),
    )
    if "jobs" in spec:
        sent["jobs"] = {name: node_sent(name, node, references) for name, node in spec["jobs"].items()}
    return {"is_deterministic": True, **sent}


def _environment(value: Any, references: References) -> str | None:  # noqa: ANN401  str or dict
    sent = references.environment_id(value) if value else None
    return None if sent is None else sent if sent.startswith("azureml:") else f"azureml:{sent}"


def node_sent(name: str, node: Mapping[str, Any], references: References) -> dict[str, Any]:
    """A node as it is sent."""
    scope, kind = references.scope, node.get("type", "command")
    inputs, outputs = node.get("inputs") or {}, node.get("outputs") or {}
    limits = node.get("limits")
    component = node.get("component") or {key: node[key] for key in ("command", "code", "environment") if key in node}
    return _some(
        name=name,
        type=kind,
        componentId=references.component_id(component),
        computeId=_compute_id(node.get("compute"), scope),
        inputs={key: _sent_input(value, scope, camel=False) for key, value in inputs.items()},
        outputs={key: _sent_output(value, scope, camel=False) for key, value in outputs.items()},
        **{key: node.get(key) for key in (*_PLAIN, "resources")},
        limits={"job_limits_type": "Command", "timeout": f"PT{limits['timeout']}S"} if limits else None,
        distribution=_sent_distribution(node.get("distribution"), camel=False),
        queue_settings=_sent_queue_settings(node.get("queue_settings")),
        identity=_sent_identity(node.get("identity"), camel=False),
        _source="REMOTE.WORKSPACE.COMPONENT",
    )


def _compute_id(value: str | None, scope: Scope) -> str | None:
    return scope.id("computes", value.removeprefix("azureml:")) if value else None


def _sent_input(value: Any, scope: Scope, *, camel: bool) -> dict[str, Any]:  # noqa: ANN401  dict or literal
    kind = "jobInputType" if camel else "job_input_type"
    if not isinstance(value, dict):
        return {kind: "literal", "value": str(value)}
    path = str(value.get("path", ""))
    mode = _SENT_MODES.get(value.get("mode") or "")
    if "${{" in path:
        return _some(**{kind: "literal"}, value=path, mode=mode)
    return _some(
        **{kind: value.get("type", "uri_folder")}, uri=sent_path(path, value.get("type", ""), scope), mode=mode
    )


def sent_path(path: str, kind: str, scope: Scope) -> str:
    """A path of data as it is answered: assets by their ids, datastores in the long form."""
    if path.startswith("azureml:") and not path.startswith("azureml://"):
        name, _, version = path.removeprefix("azureml:").partition(":")
        kinds = "models" if kind.endswith("_model") else "data"
        return scope.id(kinds, name, version) if version else path
    return scope.uri(path)


def _sent_output(value: Any, scope: Scope, *, camel: bool) -> dict[str, Any]:  # noqa: ANN401  dict, str or None
    kind = "jobOutputType" if camel else "job_output_type"
    if isinstance(value, str):
        return {"type": "literal", "value": value}
    fields = value or {}
    path = str(fields.get("path") or "")
    mode = _SENT_MODES.get(fields.get("mode") or "")
    if "${{parent.outputs." in path:
        return _some(type="literal", value=path, mode=mode)
    return _some(
        **{kind: fields.get("type", "uri_folder")},
        uri=scope.uri(path) if path else None,
        mode=mode,
        assetName=fields.get("name"),
        assetVersion=fields.get("version"),
    )


def _sent_distribution(value: Mapping[str, Any] | None, *, camel: bool) -> dict[str, Any] | None:
    if not value:
        return None
    kinds = {ours: sent for sent, ours in _DISTRIBUTIONS.items()}
    fields = {"distribution_type": kinds[value["type"]], **{k: v for k, v in value.items() if k != "type"}}
    return _camel(fields) if camel else fields


def _sent_identity(value: Mapping[str, Any] | None, *, camel: bool) -> dict[str, Any] | None:
    if not value:
        return None
    kinds = {**{ours: sent for sent, ours in _IDENTITIES.items()}, "managed": "Managed"}
    fields = {"identity_type": kinds[value["type"]], **{k: v for k, v in value.items() if k != "type"}}
    return _camel(fields) if camel else fields


def _sent_queue_settings(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not value:
        return None
    tiers = {ours: sent for sent, ours in _TIERS.items()}
    priorities = {ours: int(sent) for sent, ours in _PRIORITIES.items()}
    tier, priority = value.get("job_tier"), value.get("priority")
    return _some(job_tier=tiers.get(tier or ""), priority=priorities.get(priority or ""))


# -- names


def _snake(values: Mapping[str, Any]) -> dict[str, Any]:
    """With snake_case keys, at the first level."""
    return {_HUMP.sub("_", key).lower() if key[:1] != "_" else key: value for key, value in values.items()}


def _camel(values: Mapping[str, Any]) -> dict[str, Any]:
    """With camelCase keys, at the first level."""
    return {re.sub(r"_([a-z])", lambda match: match[1].upper(), key): value for key, value in values.items()}


def _some(**values: Any) -> dict[str, Any]:  # noqa: ANN401  any value
    """What is not empty."""
    return {key: value for key, value in values.items() if value is not None and value not in ({}, [], ())}
