"""Azure ML's types of nodes, jobs and components that are not supported yet; messages say so by their names."""

from __future__ import annotations

LATER_NODES = (
    "sweep",
    "parallel",
    "import",
    "spark",
    "automl",
    "data_transfer",
    "if_else",
    "do_while",
    "parallel_for",
)
LATER_JOBS = ("sweep", "parallel", "import", "spark", "automl", "data_transfer", "finetuning", "distillation")
LATER_COMPONENTS = (*LATER_NODES, "promptflow_parallel", "flow")
