"""All environment variables of a step: those of this machine, its environment, Azure ML, MLflow and its spec.

The names of Azure ML's are those of jobs on its compute. What no job needs, such as addresses of services, is left out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from creditml import tracking
from creditml.engine.step_view import DATA_FOLDER, LAYER, WORKING_FOLDER, Values
from creditml.references import LOCAL

if TYPE_CHECKING:
    from creditml.engine.context import Context
    from creditml.plan import PlannedStep


def step_variables(context: Context, step: PlannedStep, run_id: str, values: Values, root: str) -> dict[str, str]:
    """The variables of a step. If it needs a layer of its own over its environment, that is made.

    Args:
        context: what is known of the job.
        step: the planned step.
        run_id: the step's run.
        values: rendered inputs and outputs.
        root: the step's folder as it sees it.

    Raises:
        OSError: the layer can't be made.
    """
    provided = context.preparations.of(step)
    base = {**context.preparations.variables, **provided.variables}
    shared = context.preparations.base_of_layer(step)
    if shared:
        from creditml.environments.layer import make_layer

        layer = make_layer(shared, f"{root}/{LAYER}")
        base |= {**layer, "PATH": os.pathsep.join([layer["PATH"], base["PATH"]])}
    elif provided.folder:
        base["PATH"] = os.pathsep.join([f"{provided.folder}/bin", base["PATH"]])
    azure = _azure_variables(context, run_id, values, root)
    own = {**azure, **_distribution(step), **_mlflow_variables(context, run_id), **step.node.variables}
    if own["MLFLOW_TRACKING_URI"] == context.tracking.uri:  # else the spec leads to another server
        access = tracking.access_variables(context.tracking.admit(run_id, context.record.name), base)
        # a name and password that were handed on are for another server, and clients would prefer them to the token
        base = {name: value for name, value in base.items() if name not in tracking.ACCESS} | access
    return {**base, **own}


def _mlflow_variables(context: Context, run_id: str) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": context.tracking.uri,
        "MLFLOW_RUN_ID": run_id,
        "MLFLOW_EXPERIMENT_ID": context.experiment_id,
        "MLFLOW_EXPERIMENT_NAME": context.record.experiment_name,
        "MLFLOW_RUN_CONTEXT": tracking.run_context(run_id, context.record.name),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _azure_variables(context: Context, run_id: str, values: Values, root: str) -> dict[str, str]:
    experiment = context.record.experiment_name
    environment = {
        "AZUREML_RUN_ID": run_id,
        "AZUREML_ROOT_RUN_ID": context.record.name,
        "AZUREML_ARM_SUBSCRIPTION": LOCAL.subscription,
        "AZUREML_ARM_RESOURCEGROUP": LOCAL.group,
        "AZUREML_ARM_WORKSPACE_NAME": LOCAL.workspace,
        "AZUREML_ARM_PROJECT_NAME": experiment,
        "AZUREML_EXPERIMENT_ID": context.experiment_id,
        "AZUREML_WORKSPACE_ID": LOCAL.subscription,
        "AZUREML_WORKSPACE_SCOPE": LOCAL.path,
        "AZUREML_EXPERIMENT_SCOPE": f"{LOCAL.path}/experiments/{experiment}",
        "AZUREML_PROCESS_NAME": "main",
        "AZUREML_CR_NODE_RANK": "0",
        "AZUREML_CR_EXECUTION_WORKING_DIR_PATH": f"{root}/{WORKING_FOLDER}",
        "AZUREML_CR_DATA_CAPABILITY_PATH": f"{root}/{DATA_FOLDER}",
        "AZUREML_CR_CORRELATION_ID": run_id,
        "AZUREML_DATASET_FILE_OUTPUTS": ",".join(values.outputs),
        "AZ_BATCH_MASTER_NODE": "127.0.0.1:6000",
        "AZ_BATCHAI_JOB_MASTER_NODE_IP": "127.0.0.1",
        "AZ_BATCH_HOST_LIST": "127.0.0.1",
        "PWD": f"{root}/{WORKING_FOLDER}",
    }
    return environment | _values(values)


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
