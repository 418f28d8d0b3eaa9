"""Builds real conda environments without conda: py-rattler solves and installs them, and uv adds the pip packages."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Any

from creditml.cache import cache_folder
from creditml.environments.activation import activated
from creditml.environments.cache import Built
from creditml.environments.installing import Goal, Uv, uv_environment
from creditml.environments.keys import key_of
from creditml.environments.making import make
from creditml.environments.requirements import read_wishes
from creditml.environments.wanted import Provided
from creditml.errors import Canceled, CreditMLError
from creditml.secrets import without_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from typing import TypeVar

    from creditml.config import EnvironmentSettings
    from creditml.environments.cache import Cache
    from creditml.environments.wanted import Wanted

    T = TypeVar("T")

KIND = "conda"
DEFAULT_CHANNELS = ("conda-forge",)
_DEFAULTS = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")
"""The channels that the name `defaults` stands for (conda docs: channels)."""
_LOOK = 0.1  # seconds between two checks for cancellation
_MOST = 12  # lines of a solver's report that are shown


class CondaProvider:
    """Builds conda environments, and keeps them in a cache."""

    def __init__(self, settings: EnvironmentSettings, cache: Cache) -> None:
        self._settings, self._cache = settings, cache

    def provide(self, wanted: Wanted, say: Callable[[str], None], canceled: Callable[[], bool]) -> Provided:
        """Build the environment or find it in the cache, see `Provider`."""
        relax = self._settings.relax

        def build(folder: str, lock: int) -> Built:
            say(f"Building the environment {wanted.title} with conda packages.")
            versions, told = _Conda(wanted, say, canceled, relax=relax).make(folder)
            uv, python = Uv(uv_environment(), lock, say, canceled), versions.get("python", "")
            if wanted.pip:
                told += uv.install(folder, read_wishes(wanted.pip), Goal(wanted.title, python, "", relax))
            uv.compile(folder)
            return Built(wanted.title, python, tuple(told))

        name = f"{KIND}-{key_of(KIND, wanted, (), relax=relax)}"
        folder = make(self._cache, name, build, (), strict=self._settings.strict, say=say, canceled=canceled)
        return Provided(folder=folder, variables={**activated(folder), **wanted.variables})


class _Conda:
    """Builds one environment."""

    def __init__(
        self, wanted: Wanted, say: Callable[[str], None], canceled: Callable[[], bool], *, relax: bool
    ) -> None:
        self._wanted, self._say, self._canceled, self._relax = wanted, say, canceled, relax
        self._channels = channel_urls(wanted.channels or DEFAULT_CHANNELS)
        self._cache = cache_folder() / "conda"

    def make(self, folder: str) -> tuple[dict[str, str], list[str]]:
        """Solve and install the environment; return its packages' versions, and how they differ from what was asked."""
        return asyncio.run(self._make(folder))

    async def _make(self, folder: str) -> tuple[dict[str, str], list[str]]:
        import rattler
        from rattler.exceptions import InstallerError, LinkError

        records, told = await self._solved()
        self._say(f"Installing {len(records)} conda packages")
        install = rattler.install(
            records,
            folder,
            cache_dir=self._cache / "packages",
            installed_packages=[],
            execute_link_scripts=True,  # conda runs them too
            show_progress=False,
            client=rattler.Client.default_client(),
        )
        try:
            await self._unless_canceled(install)
        except (InstallerError, LinkError, OSError) as error:
            raise CreditMLError(self._failure(without_credentials(str(error)), "")) from error
        return {record.name.normalized: str(record.version) for record in records}, told

    async def _solved(self) -> tuple[list[Any], list[str]]:
        """Return the packages to install, and a line for each spec that had to be loosened."""
        specs = conda_specs(self._wanted)
        bare: set[str] = set()
        while True:
            try:
                records = await self._solve([name if name in bare else spec for name, spec in specs])
            except CreditMLError as error:
                following = self._looser(specs, bare, str(error.__cause__))
                if following is None or not _is_unsolvable(error):
                    raise
                bare = following
                continue
            versions = {record.name.normalized: str(record.version) for record in records}
            told = [f"{spec} → {versions.get(name, 'left out')}" for name, spec in specs if name in bare]
            return records, told

    def _looser(self, specs: Sequence[tuple[str, str]], bare: set[str], report: str) -> set[str] | None:
        """Return the packages that may have any version in the next attempt; None if no spec can be loosened further.

        Packages that the solver's report names are loosened first; if it names none of them, all packages are.
        """
        able = {name for name, spec in specs if spec != name} - bare
        if not self._relax or not able:
            return None
        return bare | (able & _words(report) or able)

    async def _solve(self, specs: list[str]) -> list[Any]:
        import rattler
        from rattler.exceptions import (
            GatewayError,
            InvalidMatchSpecError,
            InvalidPackageNameError,
            SolverError,
        )

        gateway = rattler.Gateway(cache_dir=self._cache / "repodata", client=rattler.Client.default_client())
        machine = [each.into_generic() for each in rattler.VirtualPackage.detect()]
        self._say(f"Solving with {', '.join(map(without_credentials, self._channels))}")
        try:
            return await self._unless_canceled(
                rattler.solve(self._channels, specs, gateway=gateway, virtual_packages=machine)
            )
        except SolverError as error:
            advice = (
                ""
                if self._relax
                else "Correct the versions, or run with --env-relax to loosen those that can't be met."
            )
            raise CreditMLError(self._failure(str(error), advice)) from error
        except (InvalidMatchSpecError, InvalidPackageNameError) as error:
            raise CreditMLError(self._failure(str(error), "Correct the conda file.")) from error
        except GatewayError as error:
            advice = (
                "Its channels must be reachable. In creditml.yml, 'channels:' maps a channel's name to another place:\n"
                f"  channels: {{{_first_name(self._wanted)}: https://mirror.example.com/conda-forge}}  # or a folder"
            )
            raise CreditMLError(self._failure(without_credentials(str(error)), advice)) from error

    async def _unless_canceled(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.wait([task], timeout=_LOOK)
            if self._canceled():
                task.cancel()
                raise Canceled("Canceled while the environment was being built.")
        return task.result()

    def _failure(self, report: str, advice: str) -> str:
        lines = [line.rstrip() for line in report.splitlines() if line.strip()][:_MOST]
        said = [f"  {line}" for line in lines]
        title = f"The conda environment {self._wanted.title} can't be built:"
        return "\n".join([title, *said, *filter(None, [advice])])


def channel_urls(channels: Iterable[str]) -> list[str]:
    """Return channels in the form that the solver takes: local folders as URLs, `defaults` as the URLs behind it."""
    found: list[str] = []
    for channel in channels:
        if channel == "defaults":
            found += _DEFAULTS
        elif channel.startswith(("/", "./", "../", "~")):
            found.append("file://" + os.path.abspath(os.path.expanduser(channel)))
        elif channel != "nodefaults":
            found.append(channel)
    return list(dict.fromkeys(found))


def conda_specs(wanted: Wanted) -> list[tuple[str, str]]:
    """Return the specs to solve for, each as the package's name and its spec; Python and pip are always among them."""
    version = wanted.python
    python = f"python={version}" if version[:1].isdigit() else f"python{version}"
    specs = [("python", python), ("pip", "pip")]
    for each in wanted.conda:
        name = re.split(r"[\s=<>!~\[|]", each.rpartition("::")[2].strip(), maxsplit=1)[0].lower()
        specs.append((name, each))
    return specs


def _first_name(wanted: Wanted) -> str:
    return next((each for each in wanted.channels if "/" not in each), DEFAULT_CHANNELS[0])


def _is_unsolvable(error: CreditMLError) -> bool:
    from rattler.exceptions import SolverError

    return isinstance(error.__cause__, SolverError)


def _words(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[\w.-]+", text)}
