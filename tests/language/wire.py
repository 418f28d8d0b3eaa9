"""Jobs in the terms of the SDK's requests, so that ours and the SDK's can be compared.

`sent` turns our job into the SDK's request; `received` turns the SDK's job into its request, without empty fields;
`acceptable` is a random job without the features that the SDK refuses.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from creditml.model import Component, Data, Environment, Job, JobInput, JobOutput, Literal, Node, Pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODES = {
    "ro_mount": "ReadOnlyMount",
    "rw_mount": "ReadWriteMount",
    "download": "Download",
    "upload": "Upload",
    "direct": "Direct",
    "eval_mount": "EvalMount",
    "eval_download": "EvalDownload",
}


def present(**values: Any) -> dict[str, Any]:
    """The fields that are not empty."""
    return {key: value for key, value in values.items() if value is not None and value not in ({}, [])}


def first(*texts: str | None) -> str | None:
    """The first value that is set, or None if it is empty."""
    return next((text for text in texts if text is not None), None) or None


def telling(outputs: Mapping[str, dict[str, Any]], declared: Mapping[str, str]) -> dict[str, Any]:
    """A node's outputs, without those that have only the default type."""
    return {key: value for key, value in outputs.items() if value != {"type": declared.get(key)}}


def acceptable(job: Job) -> Job:
    """A random job without the features that the SDK refuses or drops."""
    known: dict[int, tuple[Component, Component]] = {}

    def environment(value: Environment | str | None) -> Environment | str:
        if not isinstance(value, Environment):
            return value or "azureml:e:1"
        build = value.build and value.build._replace(dockerfile_path="Dockerfile")
        return value._replace(inference_config=None, tags={}, build=build)

    def component(value: Component) -> Component:
        if id(value) not in known:
            if isinstance(value, Pipeline):
                changed: Component = value._replace(jobs={name: node(child) for name, child in value.jobs.items()})
            else:
                resources = value.resources and {**value.resources, "properties": {}}
                changed = value._replace(environment=environment(value.environment), resources=resources)
            known[id(value)] = changed, value
        return known[id(value)][0]

    def given_value(value: JobInput) -> JobInput:
        if isinstance(value, Data) and "${{" in value.path:
            return Literal(value.path)
        if isinstance(value, Literal):
            return value._replace(value=value.value or "x", path_on_compute=None)
        return value._replace(path_on_compute=None, datastore=None)

    def node(value: Node) -> Node:
        assert not isinstance(value.component, str)
        resources = value.resources and {**value.resources, "properties": {}}
        return value._replace(
            component=component(value.component),
            inputs={name: given_value(item) for name, item in value.inputs.items()},
            outputs={name: item._replace(version=item.version or None) for name, item in value.outputs.items()},
            resources=resources,
            identity=None,
            services=None,
        )

    name = job.name.lower() if job.name and job.type == "command" else job.name
    return job._replace(root=node(job.root), name=name)


# Our jobs


def sent(job: Job) -> dict[str, Any]:
    """Our job, in the form in which the SDK would send it."""
    root = job.root
    settings = {**job.settings._asdict(), **job.settings.others}
    settings.pop("others")
    for key in ("default_compute", "default_datastore"):
        settings[key] = reference(settings[key])
    return our_node(root) | present(name=job.name, experiment_name=job.experiment_name, settings=present(**settings))


def our_node(node: Node) -> dict[str, Any]:
    component = node.component
    if isinstance(component, str):
        values = {"component": reference(component)}
        inputs, kinds, own = dict(node.inputs), {}, None
    else:
        values = our_component(component, node)
        inputs = {key: value for key, value in node.inputs.items() if key in component.inputs}
        if not node.name:  # a job that runs a component gets the component's defaults
            defaults = {key: spec.default for key, spec in component.inputs.items() if spec.default is not None}
            inputs = {**{key: Literal(text) for key, text in defaults.items()}, **inputs}
        kinds = {key: spec.type for key, spec in component.outputs.items()}
        own = component
    known = kinds if node.name or node.type == "command" else {}
    given = {key: value for key, value in node.outputs.items() if value != JobOutput()}
    outputs = {key: our_output(value, known.get(key)) for key, value in given.items()}
    if node.name or node.type == "command":
        outputs = telling(outputs, kinds)
    else:  # a pipeline job has all outputs of its component
        outputs = {**{key: {"type": kind} for key, kind in kinds.items()}, **outputs}
    return values | present(
        type=node.type,
        inputs={key: our_input(value) for key, value in inputs.items()},
        outputs=outputs,
        display_name=first(node.display_name, own and own.display_name),
        description=first(node.description, own and own.description),
        tags={**(own.tags if own and node.name else {}), **node.tags},
        properties=dict(node.properties),
        comment=node.comment,
        compute=reference(node.compute),
        environment_variables=dict(node.environment_variables),
        timeout=node.timeout and int(node.timeout),
        resources=our_resources(getattr(own, "resources", None) if node.resources is None else node.resources),
        distribution=our_distribution(node.distribution or getattr(own, "distribution", None)),
        queue_settings=node.queue_settings,
        identity=node.identity and node.identity["type"].replace("_", "").removesuffix("identity"),
        services=sorted(node.services or ()),
    )


def our_resources(resources: Mapping[str, Any] | None) -> dict[str, Any]:
    """Our resources, without the fields that the SDK accepts but does not send."""
    return present(
        **{key: value for key, value in (resources or {}).items() if key not in ("locations", "max_instance_count")}
    )


def our_distribution(distribution: Mapping[str, Any] | None) -> dict[str, Any]:
    """Our distribution, only the fields to which the SDK adds no defaults."""
    return present(
        **{key: (distribution or {}).get(key) for key in ("type", "process_count_per_instance", "worker_count")}
    )


def our_input(value: JobInput) -> dict[str, Any]:
    mode = MODES[value.mode] if value.mode else None
    if isinstance(value, Literal):
        return present(value=value.value, mode=mode)
    return present(type=value.type, path=reference(value.path), mode=mode)


def our_output(value: JobOutput, kind: str | None) -> dict[str, Any]:
    mode = MODES[value.mode] if value.mode else None
    if kind != "uri_file":  # the SDK: a file stays a file, whatever the node says; otherwise only the node counts
        kind = value.type or "uri_folder"
    kind = None if value.binding else kind
    return present(type=kind, path=value.path, mode=mode, name=value.name, version=value.version, binding=value.binding)


def our_component(component: Component, node: Node) -> dict[str, Any]:
    if isinstance(component, Pipeline):
        values = {"jobs": {name: our_node(child) for name, child in component.jobs.items()}}
    else:
        values = present(
            command=component.command,
            code=reference(component.code),
            environment=our_environment(component.environment),
            additional_includes=list(component.additional_includes),
            is_deterministic=component.is_deterministic,
        )
    if not node.name:
        return values
    inputs = {key: definition(spec._asdict(), node.inputs.get(key)) for key, spec in component.inputs.items()}
    outputs = {key: definition(spec._asdict(), None) for key, spec in component.outputs.items()}
    return {**values, **present(declared_inputs=inputs, declared_outputs=outputs)}


def our_environment(environment: Environment | str | None) -> Any:  # dict, str or None
    if not isinstance(environment, Environment):
        return reference(environment)
    build = environment.build and present(
        path=environment.build.path, dockerfile_path=environment.build.dockerfile_path
    )
    return present(
        image=environment.image,
        conda_file=environment.conda_file,
        build=build,
        description=environment.description,
        os_type=environment.os_type,
    )


def definition(spec: Mapping[str, Any], given: Any) -> dict[str, Any]:  # JobInput or dict
    """A declared input or output; for an inline node, without fields that its values give already (default, mode)."""
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in spec.items()}
    if values.get("optional") is False:
        values.pop("optional")
    if given is not None and values.get("default") == getattr(given, "value", None):
        values.pop("default")
    return present(**values)


def reference(text: str | None) -> str | None:
    """A reference to an asset or compute; the SDK sends it without the prefix until it has looked it up."""
    return text.removeprefix("azureml:") if text and not text.startswith("azureml://") else text


# The SDK's jobs


def received(job: Any) -> dict[str, Any]:
    """The SDK's job, as it would send it."""
    if job.type == "command":
        return their_node(job) | present(name=job.name, experiment_name=job.experiment_name)
    rest = job._to_rest_object().as_dict()["properties"]
    settings = rest["settings"]
    settings.pop("_source")
    return present(
        type=job.type,
        name=job.name,
        experiment_name=rest.get("experimentName"),
        settings=present(**settings),
        inputs={key: their_input(value, job.base_path) for key, value in rest["inputs"].items()},
        outputs={key: their_output(value) for key, value in rest["outputs"].items()},
        jobs={name: their_node(node) for name, node in job.jobs.items()},
        display_name=rest.get("displayName") or None,
        description=rest.get("description") or None,
        tags={key: value for key, value in rest["tags"].items() if value is not None},
        properties=rest["properties"],
        compute=rest.get("computeId"),
        identity=their_identity(rest.get("identity")),
        services=sorted(rest.get("services") or ()),
    )


def their_node(node: Any) -> dict[str, Any]:
    rest = node._to_rest_object()
    component = node.component
    values = {"component": component} if isinstance(component, str) else their_component(component, rest)
    own = None if isinstance(component, str) else component
    kinds = {key: spec["type"] for key, spec in own.outputs.items()} if own else {}
    queue = rest.get("queue_settings") or {}
    return values | present(
        type=node.type,
        inputs={key: their_input(value, node.base_path) for key, value in rest.get("inputs", {}).items()},
        outputs=telling({key: their_output(value) for key, value in rest.get("outputs", {}).items()}, kinds),
        display_name=first(node.display_name, own and own.display_name),
        description=first(node.description, own and own.description),
        tags={**(own.tags if own else {}), **node.tags},
        properties=rest.get("properties"),
        comment=rest.get("comment"),
        compute=rest.get("computeId"),
        environment_variables=rest.get("environment_variables"),
        timeout=getattr(getattr(node, "limits", None), "timeout", None),
        resources=their_resources(rest.get("resources")),
        distribution=their_distribution(rest.get("distribution")),
        queue_settings=present(
            job_tier=queue.get("job_tier", "").lower() or None,
            priority={1: "low", 2: "medium", 3: "high"}.get(queue.get("priority", 0)),
        ),
        identity=their_identity(rest.get("identity")),
        services=sorted(rest.get("services") or ()),
    )


def their_input(value: Mapping[str, Any], base: Path) -> dict[str, Any]:
    kind = value.get("job_input_type") or value["jobInputType"]
    if kind == "literal":
        return present(value=value["value"], mode=value.get("mode"))
    path = value["uri"]
    local = not any(mark in path for mark in (":", "@"))
    return present(
        type=kind, path=os.path.normpath(os.path.join(base, path)) if local else path, mode=value.get("mode")
    )


def their_output(value: Mapping[str, Any]) -> dict[str, Any]:
    return present(
        type=value.get("job_output_type") or value.get("jobOutputType"),
        binding=value.get("value"),
        path=value.get("uri"),
        mode=value.get("mode"),
        name=value.get("assetName") or value.get("name"),
        version=value.get("assetVersion") or value.get("version"),
    )


def their_component(component: Any, rest: Mapping[str, Any]) -> dict[str, Any]:
    base = component.base_path
    if component.type == "pipeline":
        values = {"jobs": {name: their_node(child) for name, child in component.jobs.items()}}
    else:
        code = component.code
        values = present(
            command=component.command,
            code=os.path.normpath(os.path.join(base, code)) if code and ":" not in code else reference(code),
            environment=their_environment(component.environment),
            additional_includes=[os.path.normpath(os.path.join(base, path)) for path in component.additional_includes],
            is_deterministic=component.is_deterministic,
        )
    if component._source == "BUILDER":  # a command job declares exactly the inputs and outputs that it is given
        return values
    spec = component._to_rest_object().as_dict()["properties"]["componentSpec"]
    given = rest.get("inputs", {})
    inline = component._source == "YAML.JOB"
    inputs = {
        key: their_definition(value, given.get(key), inline=inline) for key, value in spec.get("inputs", {}).items()
    }
    outputs = {key: their_definition(value, None, inline=inline) for key, value in spec.get("outputs", {}).items()}
    return {**values, **present(declared_inputs=inputs, declared_outputs=outputs)}


def their_definition(spec: Mapping[str, Any], given: Any, *, inline: bool) -> dict[str, Any]:  # dict or None
    values = dict(spec)
    if inline:
        values.pop("mode", None)
    return definition(values, Literal(given["value"]) if given and "value" in given else None)


def their_environment(environment: Any) -> Any:  # an entity of the SDK, str or None
    if environment is None or isinstance(environment, str):
        return reference(environment)
    build = environment.build
    path = build and os.path.normpath(os.path.join(environment.base_path, build.path))
    return present(
        image=environment.image,
        conda_file=environment.conda_file,
        build=build and {"path": path, "dockerfile_path": build.dockerfile_path or "Dockerfile"},
        description=environment.description,
        os_type=environment.os_type,
    )


def their_resources(resources: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not resources:
        return None
    values = present(**resources)
    if "docker_args_list" in values:
        values["docker_args"] = values.pop("docker_args_list")
    return values


def their_distribution(distribution: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not distribution:
        return None
    return our_distribution({**distribution, "type": distribution["distribution_type"].lower()})


def their_identity(identity: Mapping[str, Any] | None) -> str | None:
    kind = identity and (identity.get("identity_type") or identity["identityType"])
    return kind.lower().removesuffix("identity") if kind else None
