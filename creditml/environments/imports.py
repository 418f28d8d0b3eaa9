"""Finds the modules that a step is certain to import: at the top level of the Python files that its command runs.

Imports that may not happen are left out: in `try`, `if` or a function, in commands after `||` or in a shell's `if`, and
in commands that follow one that may install packages. So if a module that is found here isn't installed, the step is
certain to fail.
"""

from __future__ import annotations

import ast
import os
import posixpath
import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from creditml.documents import read_bytes
from creditml.environments.installed import normalized

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPLACED = r"\$\{\{.*?\}\}|\$\[\[|\]\]"
_BRANCHES = ("if", "case", "while", "until", "for", "function", "exit", "exec")
_RUNS_OTHERS = ("bash", "sh", "source", ".", "eval", "make", "conda", "apt", "apt-get")
_INSTALLS = r"\bpip[\"'\s,]+install\b|\bpip\.main\b|ensurepip"
_PYTHON = r"(?:.*/)?python[\d.]*"
_STARTERS = (
    "torchrun",
    "accelerate",
    "deepspeed",
    "horovodrun",
    "mpirun",
    "mpiexec",
    "time",
    "timeout",
    "nice",
    "nohup",
)

# The modules of packages whose name doesn't tell them. Source: the packages' own files (`top_level.txt`, RECORD).
_MODULES = {
    "absl-py": ("absl",),
    "antlr4-python3-runtime": ("antlr4",),
    "attrs": ("attr", "attrs"),
    "azure-ai-ml": ("azure.ai.ml",),
    "azureml-defaults": ("azureml.core",),
    "azureml-sdk": ("azureml.core",),
    "azureml-dataprep": ("azureml.dataprep",),
    "azureml-pipeline-core": ("azureml.pipeline.core",),
    "azureml-train-automl": ("azureml.train.automl",),
    "azureml-train-core": ("azureml.train",),
    "beautifulsoup4": ("bs4",),
    "biopython": ("Bio",),
    "category-encoders": ("category_encoders",),
    "discord-py": ("discord",),
    "dnspython": ("dns",),
    "faiss-cpu": ("faiss",),
    "faiss-gpu": ("faiss",),
    "fiona": ("fiona",),
    "gitpython": ("git",),
    "google-cloud-bigquery": ("google.cloud.bigquery",),
    "google-cloud-storage": ("google.cloud.storage",),
    "grpcio": ("grpc",),
    "hydra-core": ("hydra",),
    "imbalanced-learn": ("imblearn",),
    "ipython": ("IPython",),
    "jinja2": ("jinja2",),
    "kafka-python": ("kafka",),
    "levenshtein": ("Levenshtein",),
    "markdown": ("markdown",),
    "markupsafe": ("markupsafe",),
    "mlflow-skinny": ("mlflow",),
    "msgpack-python": ("msgpack",),
    "mysqlclient": ("MySQLdb",),
    "nvidia-ml-py": ("pynvml",),
    "onnxruntime-gpu": ("onnxruntime",),
    "opencv-contrib-python": ("cv2",),
    "opencv-python": ("cv2",),
    "opencv-python-headless": ("cv2",),
    "pillow": ("PIL",),
    "protobuf": ("google.protobuf",),
    "psycopg2-binary": ("psycopg2",),
    "py-cpuinfo": ("cpuinfo",),
    "pycryptodome": ("Crypto",),
    "pyjwt": ("jwt",),
    "pymupdf": ("fitz", "pymupdf"),
    "pymysql": ("pymysql",),
    "pyopenssl": ("OpenSSL",),
    "pypdf2": ("PyPDF2",),
    "pyserial": ("serial",),
    "python-dateutil": ("dateutil",),
    "python-docx": ("docx",),
    "python-dotenv": ("dotenv",),
    "python-igraph": ("igraph",),
    "python-pptx": ("pptx",),
    "pytorch-lightning": ("pytorch_lightning",),
    "pyyaml": ("yaml",),
    "pyzmq": ("zmq",),
    "ruamel-yaml": ("ruamel.yaml",),
    "scikit-image": ("skimage",),
    "scikit-learn": ("sklearn",),
    "scikit-learn-intelex": ("sklearnex",),
    "sentence-transformers": ("sentence_transformers",),
    "setuptools": ("setuptools", "pkg_resources"),
    "snowflake-connector-python": ("snowflake.connector",),
    "sqlalchemy": ("sqlalchemy",),
    "tables": ("tables",),
    "tensorflow-cpu": ("tensorflow",),
    "tensorflow-gpu": ("tensorflow",),
    "umap-learn": ("umap",),
    "websocket-client": ("websocket",),
}
_NAMESPACES = ("azure-", "azureml-")


class Code(NamedTuple):
    """A step's code on this machine: its folder (empty if it has none) and its additional includes."""

    folder: str
    includes: tuple[str, ...] = ()

    def find(self, path: str) -> str | None:
        """The file at a path relative to the step's working folder; None if there is no such file."""
        path = posixpath.normpath(path)
        places = [os.path.join(self.folder, path)] if self.folder else []
        for include in self.includes:
            name = os.path.basename(include)
            if path == name or path.startswith(f"{name}/"):
                places.append(include + path[len(name) :])
        return next((place for place in places if os.path.isfile(place)), None)


class Imports:
    """Finds the imports of commands; a file that several steps run is read only once."""

    def __init__(self) -> None:
        self._files: dict[str, list[_Import]] = {}
        self._commands: dict[tuple[str, Code], dict[str, str]] = {}

    def of(self, command: str, code: Code) -> dict[str, str]:
        """The modules that a command is certain to import, each with its place: `train.py:3`, or `python -m module`.

        For `from a import b`, both `a` and `a.b` are returned, since `b` may be a module.
        """
        key = (command, code)
        if key not in self._commands:
            found: dict[str, str] = {}
            for program in _programs(command):
                self._follow(program, code, found)
            self._commands[key] = found
        return self._commands[key]

    def _follow(self, program: _Program, code: Code, found: dict[str, str]) -> None:
        waiting = [(program.file, program.folder)] if program.file else []
        if program.module:
            files = list(_local(program.module, program.folder, code, whole=True))
            waiting = [(file, program.folder) for file in files]
            if not files:
                found.setdefault(program.module, f"python -m {program.module}")
        seen = set()
        while waiting:
            path, top = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            for imported in self._read(path, code):
                inner = list(_targets(imported, path, top, code))
                if not inner and not imported.level:
                    for module in imported.modules:
                        found.setdefault(module, f"{path}:{imported.line}")
                waiting += [(file, top) for file in inner]

    def _read(self, path: str, code: Code) -> list[_Import]:
        file = code.find(path)
        if file is None:
            return []
        if file not in self._files:
            self._files[file] = _imports(file)
        return self._files[file]


class _Import(NamedTuple):
    modules: tuple[str, ...]
    line: int
    level: int = 0


class _Program(NamedTuple):
    """What a command runs with Python: a file, or a module that is searched in `folder` first."""

    file: str
    folder: str
    module: str = ""


def modules_of(package: str) -> tuple[str, ...]:
    """The names under which a package is imported."""
    name = normalized(package)
    if name in _MODULES:
        return _MODULES[name]
    return (name.replace("-", "." if name.startswith(_NAMESPACES) else "_"),)


def imports_any(package: str, imported: dict[str, str]) -> tuple[str, str] | None:
    """The first module of a package that is among the imported ones, and its place; None if there is none."""
    for module in modules_of(package):
        for name, place in imported.items():
            if name.lower() == module.lower() or name.lower().startswith(f"{module.lower()}."):
                return module, place
    return None


def _programs(command: str) -> Iterator[_Program]:
    """What a command is certain to run with Python, up to the first command that may install packages."""
    folder = ""
    text = re.sub(_REPLACED, " _ ", command.replace("\\\n", " "))
    sure = True
    for part in re.split(r"(&&|\|\||;|\n|\||&)", text):
        if part in ("&&", ";", "\n", "|", "&"):
            sure = True
            continue
        if part == "||":
            sure = False
            continue
        words = [word.strip("\"'") for word in re.sub(r"^(?:\s*\w+=\S*)+\s", " ", part).split()]
        if not words or not sure:
            continue
        if words[0] in _BRANCHES or words[0] in _RUNS_OTHERS or "install" in words or words[0].startswith("./"):
            return
        if words[0] == "cd":
            if len(words) != 2 or re.search(r"[$~]|^/", words[1]):  # noqa: PLR2004  `cd` and a folder
                return
            folder = posixpath.normpath(posixpath.join(folder, words[1]))
            continue
        yield from _python(words, folder)


def _python(words: list[str], folder: str) -> Iterator[_Program]:
    """What one simple command runs: the module after `-m`, and the first Python file that is not an option's value."""
    if re.fullmatch(_PYTHON, words[0]):
        for place, word in enumerate(words[1:], 1):
            if word == "-m" and place + 1 < len(words):
                yield _Program("", folder, words[place + 1])
                break
            if not word.startswith("-"):
                break
            if word == "-c":
                return
    elif words[0] not in _STARTERS:
        return
    for before, word in pairwise(words):
        if word.endswith(".py"):
            if not before.startswith("--"):
                path = posixpath.normpath(posixpath.join(folder, word))
                yield _Program(path, posixpath.dirname(path))
            return


def _imports(file: str) -> list[_Import]:
    """The imports at a file's top level; none if the file can't be read, or if it installs packages itself."""
    try:
        source = read_bytes(file)
        if re.search(_INSTALLS.encode(), source):
            return []
        tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # Python reports the file's error when the step runs
    found = []
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            found += [_Import((name.name,), statement.lineno) for name in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
            base = statement.module or ""
            inner = [f"{base}.{name.name}".lstrip(".") for name in statement.names if name.name != "*"]
            found.append(_Import(tuple(filter(None, (base, *inner))), statement.lineno, statement.level))
    return found


def _targets(imported: _Import, path: str, top: str, code: Code) -> Iterator[str]:
    """The files of the step's code that an import runs."""
    folder = top
    if imported.level:
        folder = posixpath.dirname(path)
        for _ in range(imported.level - 1):
            folder = posixpath.dirname(folder)
        if init := _init(folder, code):
            yield init
    for module in imported.modules:
        yield from _local(module, folder, code)


def _local(module: str, folder: str, code: Code, *, whole: bool = False) -> Iterator[str]:
    """The files of the step's code that importing a module runs.

    With `whole`, the files that `python -m` runs: a package's `__main__.py` too.
    """
    place = folder
    for part in module.split("."):
        place = posixpath.join(place, part)
        if code.find(f"{place}.py"):
            yield f"{place}.py"
            return
        if init := _init(place, code):
            yield init
    if whole and code.find(f"{place}/__main__.py"):
        yield f"{place}/__main__.py"


def _init(folder: str, code: Code) -> str | None:
    path = posixpath.join(folder, "__init__.py")
    return path if code.find(path) else None
