"""From what a spec says of an environment to what it asks for.

The project's settings come first, then what is registered in the workspace and its registries, then the curated
environments of Azure ML. Nothing is fetched.
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
    """What an environment asks for.

    Args:
        environment: A definition, or a reference: `azureml:name:version`, `azureml:name@label`, an ARM id, or
            `azureml://registries/<registry>/environments/<name>/versions/<version>` (or `labels/<label>`).
        workspace: Where registered ones are, and those of registries.
        settings: What the project knows of environments, the images that it uses instead, and its places of channels.

    Raises:
        NotFound: Nothing is known of it; the message says how to tell.
        CreditMLError: It is no reference, or its conda file is malformed.
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
    """What to call a definition: by its name, or that of its conda file, which says more than the image."""
    content = environment.conda_file
    own = content.get("name") if isinstance(content, dict) else None
    return str(environment.name or own or environment.image or (environment.build.path if environment.build else ""))


def _merged(
    title: str,
    known: Mapping[str, Any],
    find: Callable[[], Mapping[str, Any]],
    settings: EnvironmentSettings,
) -> Wanted:
    """What the settings say; where that is no more than a mode or a conda file, the rest is what is found elsewhere."""
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
    """The image to use for one: as it is written, else without its tag or digest."""
    if image in images:
        return images[image]
    bare = image.partition("@")[0]
    folder, slash, last = bare.rpartition("/")
    return images.get(bare) or images.get(folder + slash + last.partition(":")[0]) or image


def _keys(text: str, reference: Reference) -> list[str]:
    """What the settings may call a reference, the most particular first."""
    return [*spellings(text), reference.short, reference.name]


def _known(names: Iterable[str], known: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the settings say; of an environment of that name in any spelling, if none is written so."""
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
    """The definition that the workspace or a registry has, else the curated one."""
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
    if reference.name in registered and reason:  # another version of it is there
        said = reason
    elif reference.registry:
        said = f"Nothing is known here of the environment {text}.{hint}"
    else:
        said = (
            f"There is no environment '{reference.name}' in this workspace, nor is it a curated one known here.{hint}"
        )
    name = reference.name if re.fullmatch(r"[\w.-]+", reference.name) else f'"{reference.name}"'
    lines = f'  environments:\n    {name}: {{image: "{_SUGGESTED_IMAGE}", conda_file: conda.yml}}'
    return f"{said} Say in creditml.yml what it is:\n{lines}\nor register it: creditml environment create -f FILE."
