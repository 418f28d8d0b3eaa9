"""All environment variables of a step: those of this machine, its environment, Azure ML, MLflow and its spec."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from creditml import tracking
from creditml.engine.step_view import LAYER, Identity, Values, step_environment

if TYPE_CHECKING:
    from creditml.engine.context import Context
    from creditml.plan import PlannedStep


def variables(context: Context, step: PlannedStep, run_id: str, values: Values, root: str) -> dict[str, str]:
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
    record = context.record
    identity = Identity(run_id, record.name, record.experiment_name, context.experiment_id)
    provided = context.preparations.of(step)
    base = {**context.preparations.variables, **provided.variables}
    shared = context.preparations.base_of_layer(step)
    if shared:
        from creditml.environments.layer import make_layer

        layer = make_layer(shared, f"{root}/{LAYER}")
        base |= {**layer, "PATH": os.pathsep.join([layer["PATH"], base["PATH"]])}
    elif provided.folder:
        base["PATH"] = os.pathsep.join([f"{provided.folder}/bin", base["PATH"]])
    return {**base, **step_environment(step, identity, values, root, _mlflow(context, run_id))}


def _mlflow(context: Context, run_id: str) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": context.tracking.uri,
        "MLFLOW_RUN_ID": run_id,
        "MLFLOW_EXPERIMENT_ID": context.experiment_id,
        "MLFLOW_EXPERIMENT_NAME": context.record.experiment_name,
        "MLFLOW_RUN_CONTEXT": tracking.run_context(run_id, context.record.name),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
