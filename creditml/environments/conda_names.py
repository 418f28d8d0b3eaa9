"""Placeholder: the mapping from conda's package names to PyPI's is another module's work, with this signature."""

from __future__ import annotations

_OTHER = {"pytorch": "torch", "py-xgboost": "xgboost", "matplotlib-base": "matplotlib", "tensorflow-base": "tensorflow"}
_NO_PYTHON = (
    "_libgcc_mutex",
    "cudatoolkit",
    "libgcc",
    "gxx_linux-64",
    "gcc_linux-64",
    "openssl",
    "mkl",
    "blas",
    "cpuonly",
)


def to_pypi(name: str) -> str | None:
    """The name on PyPI of a conda package; None if it holds no Python package."""
    return None if name in _NO_PYTHON or name.startswith(("r-", "lib")) else _OTHER.get(name, name)
