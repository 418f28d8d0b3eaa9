"""What a step sees of Azure ML: its command, the paths of its folders, and its environment variables.

The layout of folders and the names of variables are those of jobs on Azure ML's compute. What no job needs, such as
addresses of services, is left out.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from creditml.expressions import Reference, parse_command, render
from creditml.references import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from creditml.plan import PlannedStep

WORKING_FOLDER = "exe/wd"
DATA_FOLDER = "cap/data-capability/wd"
LAYER = "env"
"""The folder in a root for the step's own layer over its environment, which it shares with other steps."""
INPUT_PREFIX = "INPUT_"
"""What the names of inputs in the data folder begin with."""

# What a step takes from the shell that started the job. Anything else would be missing on Azure ML.
_INHERITED = (
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
)
_INHERITED_PREFIXES = ("LC_", "OMP_", "MKL_", "OPENBLAS_", "NVIDIA_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY")
_LOOPBACK = ("localhost", "127.0.0.1")


class Identity(NamedTuple):
    """The ids and names of a step that its variables contain."""

    run_id: str
    root_run_id: str
    experiment_name: str
    experiment_id: str


class Values(NamedTuple):
    """A step's inputs and outputs as texts: literals, and paths as the step sees them."""

    literals: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def command_line(step: PlannedStep, values: Values) -> str:
    """The command with its placeholders replaced, for bash. Nothing is quoted, as in Azure ML."""

    def value(reference: Reference) -> str | None:
        if reference.kind == "outputs":
            return values.outputs.get(reference.name)
        return values.literals.get(reference.name, values.inputs.get(reference.name))

    return render(parse_command(step.component.command), value)


def step_base(pass_env: Iterable[str], shims: Path, *, isolated: bool) -> dict[str, str]:
    """The variables that every step gets before its own ones.

    `python` is the interpreter that creditml runs in, even where no virtual environment is activated.

    Args:
        pass_env: names of variables of this process to hand on in any case.
        shims: a folder for a link named `python`, used if the interpreter's own folder has none.
        isolated: whether steps see nothing else of this machine.
    """
    passed = {name: os.environ[name] for name in pass_env if name in os.environ}
    if isolated:
        return passed
    inherited = {name: value for name, value in os.environ.items() if _handed_on(name)} | passed
    folder = os.path.dirname(sys.executable)
    if not os.path.exists(os.path.join(folder, "python")):
        folder = _shim(shims)
    inherited["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
    inherited.setdefault("LANG", "C.UTF-8")
    return inherited | _direct(inherited)


def _direct(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that keep steps from asking a proxy for the tracking server, which is on this machine."""
    if not any(name.upper() in _PROXIES for name in environment):
        return {}
    names = [name for name in environment if name.upper() == "NO_PROXY"] or ["no_proxy"]
    hosts = {name: environment.get(name, "") for name in names}
    # a star means all hosts, but only if it stands alone
    return {name: ",".join(filter(None, [host, *_LOOPBACK])) for name, host in hosts.items() if host.strip() != "*"}


def step_environment(
    step: PlannedStep, identity: Identity, values: Values, root: str, variables: Mapping[str, str]
) -> dict[str, str]:
    """The variables that Azure ML sets for a step, and those of its spec.

    Args:
        step: the planned step.
        identity: ids and names.
        values: rendered inputs and outputs.
        root: the step's folder as it sees it.
        variables: the node's `environment_variables`, and MLflow's.
    """
    data = f"{root}/{DATA_FOLDER}"
    environment = {
        "AZUREML_RUN_ID": identity.run_id,
        "AZUREML_ROOT_RUN_ID": identity.root_run_id,
        "AZUREML_ARM_SUBSCRIPTION": LOCAL.subscription,
        "AZUREML_ARM_RESOURCEGROUP": LOCAL.group,
        "AZUREML_ARM_WORKSPACE_NAME": LOCAL.workspace,
        "AZUREML_ARM_PROJECT_NAME": identity.experiment_name,
        "AZUREML_EXPERIMENT_ID": identity.experiment_id,
        "AZUREML_WORKSPACE_ID": LOCAL.subscription,
        "AZUREML_WORKSPACE_SCOPE": LOCAL.path,
        "AZUREML_EXPERIMENT_SCOPE": f"{LOCAL.path}/experiments/{identity.experiment_name}",
        "AZUREML_PROCESS_NAME": "main",
        "AZUREML_CR_NODE_RANK": "0",
        "AZUREML_CR_EXECUTION_WORKING_DIR_PATH": f"{root}/{WORKING_FOLDER}",
        "AZUREML_CR_DATA_CAPABILITY_PATH": data,
        "AZUREML_CR_CORRELATION_ID": identity.run_id,
        "AZUREML_DATASET_FILE_OUTPUTS": ",".join(values.outputs),
        "AZ_BATCH_MASTER_NODE": "127.0.0.1:6000",
        "AZ_BATCHAI_JOB_MASTER_NODE_IP": "127.0.0.1",
        "AZ_BATCH_HOST_LIST": "127.0.0.1",
        "PWD": f"{root}/{WORKING_FOLDER}",
    }
    return {**environment, **_values(values), **_distribution(step), **variables, **step.node.environment_variables}


def _values(values: Values) -> dict[str, str]:
    """The inputs and outputs as variables."""
    environment = {f"AZUREML_PARAMETER_{name}": value for name, value in values.literals.items()}
    for prefix, paths in (("AZURE_ML_INPUT_", values.inputs), ("AZURE_ML_OUTPUT_", values.outputs)):
        for name, path in paths.items():
            environment |= {
                f"{prefix}{name}": path,
                f"{prefix}{name.upper()}": path,
                f"AZUREML_DATAREFERENCE_{name}": path,
            }
    return environment


def _distribution(step: PlannedStep) -> dict[str, str]:
    """Variables for a script that expects to be distributed: it is the only process of the only node."""
    distribution = step.node.distribution or step.component.distribution
    kind = distribution.get("type") if distribution else None
    if kind == "pytorch":
        return {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": "6105",
            "WORLD_SIZE": "1",
            "NODE_RANK": "0",
            "RANK": "0",
            "LOCAL_RANK": "0",
        }
    if kind == "tensorflow":
        return {
            "TF_CONFIG": (
                '{"cluster": {"worker": ["127.0.0.1:2222"]}, "task": {"type": "worker", "index": 0}, '
                '"environment": "cloud"}'
            )
        }
    if kind == "mpi":
        return {
            f"OMPI_COMM_WORLD_{name}": value
            for name, value in (("RANK", "0"), ("SIZE", "1"), ("LOCAL_RANK", "0"), ("LOCAL_SIZE", "1"))
        }
    return {}


def _handed_on(name: str) -> bool:
    return name in _INHERITED or name.startswith(_INHERITED_PREFIXES) or name.upper() in _PROXIES


def _shim(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "python"
    if not link.exists() or not os.path.samefile(link, sys.executable):
        link.unlink(missing_ok=True)
        link.symlink_to(sys.executable)
    return str(folder)
