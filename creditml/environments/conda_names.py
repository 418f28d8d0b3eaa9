"""Translates conda packages to pip requirements: names that differ, and version specs in PEP 440's notation."""

from __future__ import annotations

import re
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

_RENAMED = {
    "antlr-python-runtime": "antlr4-python3-runtime",
    "blosc": None,  # conda's package of this name is the C library; the Python package is python-blosc
    "brotli-python": "brotli",
    "cuda-python": "cuda-python",
    "dask": "dask[complete]",
    "dask-core": "dask",
    "docker-py": "docker",
    "faiss": "faiss-cpu",
    "geopandas-base": "geopandas",
    "h2o-py": "h2o",
    "keras-gpu": "keras",
    "matplotlib-base": "matplotlib",
    "modin-core": "modin",
    "modin-dask": "modin[dask]",
    "modin-ray": "modin[ray]",
    "msgpack-python": "msgpack",
    "numpy-base": "numpy",
    "opencv": "opencv-python-headless",  # wheels of opencv-python need the libraries of a display
    "plotly-orca": None,
    "psycopg2": "psycopg2-binary",  # psycopg2 is compiled from its sources, which needs PostgreSQL's headers
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "py-xgboost-gpu": "xgboost",
    "pyarrow-core": "pyarrow",
    "pyqt": "pyqt5",
    "pytables": "tables",
    "python-blosc": "blosc",
    "python-build": "build",
    "python-clang": "clang",
    "python-confluent-kafka": "confluent-kafka",
    "python-duckdb": "duckdb",
    "python-flatbuffers": "flatbuffers",
    "python-graphviz": "graphviz",
    "python-igraph": "igraph",
    "python-kaleido": "kaleido",
    "python-kubernetes": "kubernetes",
    "python-lmdb": "lmdb",
    "python-xxhash": "xxhash",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "ray-core": "ray",
    "ray-default": "ray[default]",
    "ray-serve": "ray[serve]",
    "ray-train": "ray[train]",
    "ray-tune": "ray[tune]",
    "ruamel-yaml": "ruamel.yaml",
    "seaborn-base": "seaborn",
    "tensorflow-base": "tensorflow",
    "tensorflow-eigen": "tensorflow",
    "tensorflow-gpu": "tensorflow",  # the same package since 2.1; PyPI has removed tensorflow-gpu
    "tensorflow-mkl": "tensorflow",
    "torchtriton": "triton",
    "uvicorn-standard": "uvicorn[standard]",
    "xgboost-cpu": "xgboost",
}
_NO_PYTHON = frozenset(
    """
    anaconda arrow-cpp binutils blas bzip2 c-ares c-compiler ca-certificates compilers conda cpuonly
    cudatoolkit cudatoolkit-dev cudnn cupti curl cxx-compiler dataclasses expat ffmpeg fontconfig
    fortran-compiler freetype gcc gettext gfortran git git-lfs glib gmp google-cloud-sdk graphviz gsl gxx
    harfbuzz hdf5 icu intel-openmp java-jdk jpeg kubernetes lame ld_impl_linux-64 libarchive libblas libboost
    libcblas libcurl libcxx libedit libev libffi libgcc libgcc-ng libgfortran libgfortran-ng libgfortran5
    libgit2 libgl libglib libglu libglvnd libgomp libiconv libjpeg-turbo liblapack libllvm libnetcdf
    libnghttp2 libnsl libopenblas libopencv libpng libpq libprotobuf libsndfile libsodium libspatialindex
    libssh2 libstdcxx libstdcxx-ng libtiff libtorch libuuid libuv libwebp libxcb libxcrypt libxgboost libxml2
    libxslt libzlib llvm llvm-openmp lz4-c make mamba maven mesalib mkl mpi mpich mysql nccl ncurses nodejs
    nomkl openblas openjdk openjpeg openmp openmpi openssl orc pandoc perl pixman pkg-config poppler
    postgresql proj python python_abi pytorch-cuda pytorch-mutex qt qt-main r re2 readline rust snappy sqlite
    tbb tesseract thrift-cpp tk ucx unixodbc unzip vc vs2015_runtime wget xz yaml zeromq zip zlib zstd
    """.split()  # noqa: SIM905  a list with one name per line would be hard to read
)
"""Conda packages without a Python module; wheels contain what they need of these libraries."""
_NO_PYTHON_FORMS = re.compile(
    r"_.*|r-.*|m2w64-.*|xorg-.*|cuda-.*|libcu.*|libnv.*|gst-.*|.*_linux-(64|aarch64)|.*_osx-(64|arm64)|spacy-model-.*"
)


class Counterpart(NamedTuple):
    """The pip requirement that replaces a conda package in a virtual environment.

    Attributes:
        package: The package's name in conda, without the channel.
        requirement: The pip requirement; empty if the package contains nothing for Python.
        note: A sentence about what could not be translated; empty if there is nothing to say.
    """

    package: str
    requirement: str
    note: str = ""


def to_pypi(name: str) -> str | None:
    """Return a conda package's name on PyPI, possibly with extras; None if it contains nothing for Python."""
    name = name.lower()
    normal = canonicalize_name(name)
    if normal in _RENAMED:
        return _RENAMED[normal]
    return None if name in _NO_PYTHON or _NO_PYTHON_FORMS.fullmatch(name) else normal


_SPEC = re.compile(r"(?:(?P<channel>\S+)::)?(?P<name>[\w.-]+)\s*(?P<rest>.*)", re.DOTALL)
_BRACKETS = re.compile(r"\[(?P<keys>.*)\]\s*$", re.DOTALL)
_KEY = re.compile(r"""(\w+)\s*=\s*(?:'([^']*)'|"([^"]*)"|([^,\s]+))""")


def counterpart(spec: str) -> Counterpart:
    """Translate a conda dependency (`numpy=1.21`, `conda-forge::scipy>=1.7`, `mkl`) to a pip requirement."""
    parts = _SPEC.fullmatch(spec.strip())
    if parts is None:
        return Counterpart(spec, "", f"'{spec}' is not a conda package.")
    package = parts["name"]
    name = to_pypi(package)
    if name is None:
        return Counterpart(package, "")
    try:
        return Counterpart(package, name + to_pep440(_version(parts["rest"])))
    except ValueError as error:
        return Counterpart(package, name, f"{spec}: {error}, so any version is taken.")


def _version(rest: str) -> str:
    """The version in the text that follows a package's name; build strings and other keys are left out."""
    brackets = _BRACKETS.search(rest)
    if brackets:
        keys = {key: one or two or three for key, one, two, three in _KEY.findall(brackets["keys"])}
        return keys.get("version", "") or _version(rest[: brackets.start()])
    rest = re.sub(r"\s*([,|])\s*", r"\1", rest.strip())
    rest = re.sub(r"([<>=!~])\s+", r"\1", rest)
    if not rest:
        return ""
    version, *build = rest.split()
    if not build and (exact := re.fullmatch(r"=([^=<>!~,|]+)=[^=]+", version)):
        return f"=={exact[1]}"  # with a build string, `=` means this exact version
    return version


def to_pep440(version: str) -> str:
    """Translate a conda version spec (`=1.21`, `1.2.*`, `>=1,<2`) to pip's notation; an empty spec stays empty.

    conda docs (package match specifications): `=1.21` means 1.21.*, a bare version or `==` means this exact version.

    Raises:
        ValueError: The spec can't be expressed in pip's notation; the message says why.
    """
    if "|" in version:
        message = "pip doesn't support alternative versions (|)"
        raise ValueError(message)
    parts = [_constraint(part.strip()) for part in version.split(",")]
    text = ",".join(part for part in parts if part)
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        message = f"'{version}' is not a version that pip understands"
        raise ValueError(message) from None
    return text


def _constraint(text: str) -> str:
    """Translate one of the constraints that a version spec is made of."""
    number = text.lstrip("<>=!~")
    operator, number = text[: len(text) - len(number)], number.strip()
    if number in ("", "*"):
        return ""
    wild = number.endswith("*")
    number = number.rstrip("*").rstrip(".")
    if operator in ("<", "<=", ">", ">=", "~="):
        return f"{operator}{number}"
    if operator == "!=":
        return f"!={number}.*" if wild else f"!={number}"
    open_ended = wild or (
        operator == "=" and re.fullmatch(r"[\d.]+", number)
    )  # `=19.10b0` has no later digits to leave open
    return f"=={number}.*" if open_ended else f"=={number}"
