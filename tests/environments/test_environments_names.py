"""Conda packages as pip's."""

from __future__ import annotations

import pytest

from creditml.environments.conda_names import counterpart, to_pypi


@pytest.mark.parametrize(
    ("name", "pypi"),
    [
        ("numpy", "numpy"),
        ("pytorch", "torch"),
        ("py-xgboost", "xgboost"),
        ("matplotlib-base", "matplotlib"),
        ("msgpack-python", "msgpack"),
        ("dask-core", "dask"),
        ("ruamel.yaml", "ruamel.yaml"),
        ("ruamel_yaml", "ruamel.yaml"),
        ("Typing_Extensions", "typing-extensions"),
        ("tensorflow-gpu", "tensorflow"),
        ("librosa", "librosa"),
        ("python-dateutil", "python-dateutil"),
        ("cuda-python", "cuda-python"),
    ],
)
def test_a_conda_package_has_a_name_on_pypi(name: str, pypi: str) -> None:
    assert to_pypi(name) == pypi


@pytest.mark.parametrize(
    "name",
    [
        "cudatoolkit",
        "pytorch-cuda",
        "libgcc-ng",
        "mkl",
        "openmpi",
        "_openmp_mutex",
        "r-base",
        "gxx_linux-64",
        "cuda-nvcc",
    ],
)
def test_what_holds_nothing_for_python_has_none(name: str) -> None:
    assert to_pypi(name) is None


@pytest.mark.parametrize(
    ("spec", "requirement"),
    [
        ("numpy", "numpy"),
        ("numpy=1.21", "numpy==1.21.*"),
        ("numpy=1.21.*", "numpy==1.21.*"),
        ("numpy 1.21.*", "numpy==1.21.*"),
        ("numpy==1.21.0", "numpy==1.21.0"),
        ("numpy 1.21.0", "numpy==1.21.0"),
        ("numpy=1.21.0=py38h2a1_0", "numpy==1.21.0"),
        ("numpy 1.21.0 py38h2a1_0", "numpy==1.21.0"),
        ("pandas >= 1.0 , < 2", "pandas>=1.0,<2"),
        ("conda-forge::scipy>=1.7", "scipy>=1.7"),
        ("scipy~=1.4", "scipy~=1.4"),
        ("scipy!=1.4.*", "scipy!=1.4.*"),
        ("scipy[version='>=1.7,<2', build=py38_0]", "scipy>=1.7,<2"),
        ("dask=2023.1", "dask[complete]==2023.1.*"),
    ],
)
def test_versions_are_written_as_pip_has_them(spec: str, requirement: str) -> None:
    assert counterpart(spec)[1:] == (requirement, "")


@pytest.mark.parametrize(("spec", "says"), [("numpy=1.7|1.8", "alternative"), ("numpy=a.b", "'=a.b' is not a version")])
def test_a_version_that_pip_knows_nothing_like_is_told(spec: str, says: str) -> None:
    found = counterpart(spec)
    assert found.requirement == "numpy"
    assert says in found.note
    assert found.note.endswith("so any version is taken.")
