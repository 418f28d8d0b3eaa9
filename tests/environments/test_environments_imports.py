"""What a step's code is sure to import, found without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from creditml.environments.imports import Code, Imports, imports_any, modules_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def found(folder: Path, command: str, files: Mapping[str, str], *includes: Path) -> dict[str, str]:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    return Imports().of(command, Code(str(folder), tuple(map(str, includes))))


def test_imports_at_the_top_level_count_with_their_places(tmp_path: Path) -> None:
    source = "import os\nfrom sklearn.tree import DecisionTreeClassifier as Tree\nimport numpy as np, lightgbm\n"
    modules = found(tmp_path, "python train.py --data ${{inputs.data}}", {"train.py": source})
    assert {"sklearn.tree", "numpy", "lightgbm"} <= modules.keys()
    assert modules["lightgbm"] == "train.py:3"


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import absent\nexcept ImportError:\n    absent = None\n",
        "if False:\n    import absent\n",
        "def f():\n    import absent\n",
        "class A:\n    import absent\n",
        "with open('x') as f:\n    import absent\n",
        "'import absent'\n# import absent\n",
        "import subprocess\nsubprocess.run(['pip', 'install', 'absent'])\nimport absent\n",
        "import absent\nthis is no Python\n",
    ],
)
def test_what_might_not_be_imported_does_not_count(tmp_path: Path, source: str) -> None:
    assert "absent" not in found(tmp_path, "python a.py", {"a.py": source})


A = {"a.py": "import absent\n", "sub/a.py": "import absent\n", "sub/setup.sh": ""}


@pytest.mark.parametrize(
    "command",
    [
        "python a.py",
        "python3.11 -u ./a.py",
        "/usr/bin/python -W ignore a.py",
        "N=1 M=2 python a.py | tee log.txt",
        "mkdir -p x && python a.py",
        "ls\npython a.py --x 1 2>&1",
        "python \\\n  a.py",
        "python 'a.py'",
        "cd sub && python a.py",
        "python sub/a.py",
        "python -m a --x",
        "python -m sub.a",
        "torchrun --nproc_per_node 2 a.py",
        "mpirun -n 2 python a.py",
        "false || true; python a.py",
        "python -m absent.thing",
    ],
)
def test_commands_that_are_sure_to_run_a_file(tmp_path: Path, command: str) -> None:
    assert any(name.startswith("absent") for name in found(tmp_path, command, A))


@pytest.mark.parametrize(
    "command",
    [
        "cat a.py",
        "echo python a.py",
        "python other.py --config a.py",
        "python b.py",
        "python -c 'print(1)' a.py",
        "pip install absent && python a.py",
        "python -m pip install -r requirements.txt; python a.py",
        "bash sub/setup.sh && python a.py",
        ". sub/setup.sh; python a.py",
        "test -e x || python a.py",
        "if true; then python a.py; fi",
        "for x in 1 2; do python a.py; done",
        "cd $HOME && python a.py",
        "python ${{inputs.script}}",
        "python /elsewhere/a.py",
    ],
)
def test_commands_that_may_not(tmp_path: Path, command: str) -> None:
    assert "absent" not in found(tmp_path, command, A)


def test_modules_of_the_step_s_own_are_followed(tmp_path: Path) -> None:
    files = {
        "src/train.py": "import tools\nfrom pack import part\nfrom pack.deep import x\nimport loose.one\n",
        "src/tools.py": "import in_tools\nimport train\n",  # and back again
        "src/pack/__init__.py": "import in_init\n",
        "src/pack/part.py": "from . import other\nfrom .deep import y\nimport in_part\n",
        "src/pack/other.py": "import in_other\n",
        "src/pack/deep/__init__.py": "from ..up import z\n",
        "src/pack/up.py": "import in_up\n",
        "src/loose/one.py": "import in_loose\n",
        "src/unused.py": "import in_unused\n",
    }
    modules = found(tmp_path, "python src/train.py", files)
    assert {"in_tools", "in_init", "in_part", "in_other", "in_up", "in_loose"} <= modules.keys()
    assert not {"in_unused", "tools", "pack", "pack.part"} & modules.keys()
    assert modules["in_other"] == "src/pack/other.py:1"


def test_a_package_that_is_run(tmp_path: Path) -> None:
    files = {
        "app/__init__.py": "import in_init\n",
        "app/__main__.py": "from .core import f\n",
        "app/core.py": "import deep\n",
    }
    assert {"in_init", "deep"} <= found(tmp_path, "python -m app", files).keys()


def test_additional_includes_lie_beside_the_code(tmp_path: Path) -> None:
    code, library, single = tmp_path / "code", tmp_path / "other" / "library", tmp_path / "other" / "single.py"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text("import in_library\n")
    single.write_text("import in_single\n")
    modules = found(code, "python a.py", {"a.py": "import library\nimport single\n"}, library, single)
    assert {"in_library", "in_single"} <= modules.keys()
    alone = Imports().of("python single.py", Code("", (str(single),)))
    assert "in_single" in alone


@pytest.mark.parametrize(
    ("package", "module"),
    [
        ("scikit-learn", "sklearn"),
        ("PyYAML", "yaml"),
        ("opencv-python", "cv2"),
        ("Pillow", "PIL"),
        ("python-dateutil", "dateutil"),
        ("beautifulsoup4", "bs4"),
        ("azureml-core", "azureml.core"),
        ("azureml-mlflow", "azureml.mlflow"),
        ("azure-storage-blob", "azure.storage.blob"),
        ("tensorflow_gpu", "tensorflow"),
        ("inference-schema", "inference_schema"),
        ("lightgbm", "lightgbm"),
    ],
)
def test_packages_and_their_modules(package: str, module: str) -> None:
    assert modules_of(package) == (module,)
    assert imports_any(package, {f"{module}.part": "a.py:1"}) == (module, "a.py:1")
    assert imports_any(package, {f"{module}s": "a.py:1"}) is None


def test_another_package_of_the_same_namespace_is_not_meant() -> None:
    assert imports_any("azureml-mlflow", {"azureml": "a.py:1", "azureml.core": "a.py:1"}) is None
