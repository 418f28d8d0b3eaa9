"""Finds the definition of the environment that a job names.

The project's settings come first, then the environments that are registered in the workspace and its registries, then
the table of Azure ML's curated environments. Nothing is fetched from Azure.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from creditml.environments.conda_file import CondaFile, read_conda_file
from creditml.environments.wanted import Wanted
from creditml.errors import CreditMLError, NotFound, near_miss
from creditml.model import Build
from creditml.references import Reference, bare, parse_reference, spellings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from creditml.config import EnvironmentSettings
    from creditml.model import Environment
    from creditml.workspace import Workspace

_SUGGESTED_IMAGE = "python:3.11"


def look_up(environment: Environment | str, workspace: Workspace, settings: EnvironmentSettings) -> Wanted:
    """Find out what an environment asks for.

    Args:
        environment: A definition, or a reference: `azureml:name:version`, `azureml:name@label`, an ARM id, or
            `azureml://registries/<registry>/environments/<name>/versions/<version>` (or `labels/<label>`).
        workspace: The workspace in which environments are registered, also those of registries.
        settings: The project's settings, with its own definitions, its replacements of images and places of channels.

    Raises:
        NotFound: The environment is not known; the message says how to define it.
        CreditMLError: The text is not a reference, or the conda file is malformed.
    """
    if isinstance(environment, str):
        reference = parse_reference(environment)
        if reference is None or reference.kind not in (None, "environment"):
            workspace_form = f"'{environment}' is not a valid environment reference; write azureml:<name>:<version>"
            message = f"{workspace_form} or azureml://registries/<registry>/environments/<name>/versions/<version>."
            raise CreditMLError(message)
        known = _known(_keys(environment, reference), settings.known)
        find = partial(_registered, environment, reference, workspace, settings)
        return _merged(environment, known, find, settings)
    versioned = f"{environment.name}:{environment.version}" if environment.version else ""
    known = _known([versioned, environment.name or ""], settings.known)
    return _merged(_title(environment), known, environment._asdict, settings)


def _title(environment: Environment) -> str:
    """The name of a definition for messages: its own, or its conda file's, or else its image or build context."""
    content = environment.conda_file
    own = content.get("name") if isinstance(content, dict) else None
    return str(environment.name or own or environment.image or (environment.build.path if environment.build else ""))


def _merged(
    title: str,
    known: Mapping[str, Any],
    find: Callable[[], Mapping[str, Any]],
    settings: EnvironmentSettings,
) -> Wanted:
    """Join the settings' definition of an environment with the registered or curated one.

    Args:
        title: The environment's name, for messages.
        known: The definition in the settings. With an image or a build context it is used alone. With a conda file,
            only the image is taken from the other definition. With neither, the whole other definition is used.
        find: Returns the other definition.
        settings: The project's settings.
    """
    if "image" in known or "build" in known:
        spec = known
    elif "conda_file" in known:
        with suppress(NotFound):
            known = {"image": find().get("image"), **known}
        spec = known
    else:
        spec = find()
    return _wanted(title, spec, settings)._replace(mode=known.get("env") or "")


def _wanted(title: str, spec: Mapping[str, Any], settings: EnvironmentSettings) -> Wanted:
    content = spec.get("conda_file")
    file = CondaFile() if content is None else read_conda_file(content, title)
    build = spec.get("build")
    if build is not None and not isinstance(build, Build):
        build = Build(build["path"], build.get("dockerfile_path") or Build("").dockerfile_path)
    return Wanted(
        title=title,
        image=_image(spec.get("image") or "", settings.images),
        build=build,
        python=file.python,
        conda=file.conda,
        pip=file.pip,
        channels=tuple(settings.channels.get(name, name) for name in file.channels),
        variables=file.variables,
    )


def _image(image: str, images: Mapping[str, str]) -> str:
    """The image that the settings name as a replacement, for the full name or the name without tag or digest."""
    if image in images:
        return images[image]
    bare = image.partition("@")[0]
    folder, slash, last = bare.rpartition("/")
    return images.get(bare) or images.get(folder + slash + last.partition(":")[0]) or image


def _keys(text: str, reference: Reference) -> list[str]:
    """The keys under which the settings may define a referenced environment, the most specific first."""
    return [*spellings(text), reference.short, reference.name]


def _known(names: Iterable[str], known: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The settings' definition for the first of these names that has one; upper and lower case are alike."""
    if not known:
        return {}
    loose = {_key(name): entry for name, entry in known.items()}
    for name in filter(None, names):
        entry = known.get(name) or loose.get(_key(name))
        if entry is not None:
            return entry
    return {}


def _key(name: str) -> str:
    return bare(name).lower()


def _registered(
    text: str, reference: Reference, workspace: Workspace, settings: EnvironmentSettings
) -> Mapping[str, Any]:
    """The definition that is registered in the workspace or a registry, else that of a curated environment."""
    reason = ""
    if workspace.exists:
        try:
            return workspace.assets.resolve("environment", text).spec
        except NotFound as error:
            reason = str(error)
    from creditml.environments import curated

    registry = reference.registry.lower()
    found = curated.find(reference.name) if not registry or registry.startswith(curated.REGISTRY) else None
    if found is not None:
        return found
    raise NotFound(_unknown(text, reference, workspace, settings, reason))


def _unknown(text: str, reference: Reference, workspace: Workspace, settings: EnvironmentSettings, reason: str) -> str:
    from creditml.environments import curated

    registered = [asset.name for asset in workspace.assets.entries("environment")] if workspace.exists else []
    others = [bare(name).partition(":")[0] for name in settings.known]
    names = [*registered, *others, *curated.names()]
    hint = near_miss(reference.name, (name for name in names if name != reference.name))
    if reference.name in registered and reason:  # only other versions are registered
        said = reason
    elif reference.registry:
        said = f"The environment {text} is not known here.{hint}"
    else:
        where = f"in the workspace {workspace.root}"
        said = f"There is no environment '{reference.name}' {where}, and it is not a known curated one.{hint}"
    name = reference.name if re.fullmatch(r"[\w.-]+", reference.name) else f'"{reference.name}"'
    lines = f'  environments:\n    {name}: {{image: "{_SUGGESTED_IMAGE}", conda_file: conda.yml}}'
    return f"{said} Define it in creditml.yml:\n{lines}\nor register it: creditml environment create -f FILE."
