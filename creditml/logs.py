"""What Azure ML calls the logs of jobs and steps, and the folders in which each leaves its files.

A job or step has a folder of its own, in the workspace and in what is downloaded:

    artifacts/                          its logs, and what scripts leave to be looked at:
      logs/azureml/executionlogs.txt      of a pipeline: which step began and ended when
      user_logs/std_log.txt               of a command: what it printed
      azureml-logs/20_image_build_log.txt how an environment was made
      outputs/, logs/                     what a script wrote into folders of these names
    outputs/<name>/                     its outputs (`named-outputs/<name>/` in downloads)

Which log of a job is streamed is part of its type (`creditml.nodes`).
"""

from __future__ import annotations

import re

PIPELINE_LOG = "logs/azureml/executionlogs.txt"
COMMAND_LOG = "user_logs/std_log.txt"
ENVIRONMENT_LOG = "azureml-logs/20_image_build_log.txt"

ARTIFACTS = "artifacts"
OUTPUTS = "outputs"
DOWNLOADED_OUTPUTS = "named-outputs"
KEPT_FOLDERS = ("outputs", "logs")
"""Folders of the working folder whose contents become artifacts; scripts write there without making them."""

_LOGS = r"user_logs/|logs/azureml/|azureml-logs/"
# SDK: `JobLogPattern`; of distributed commands each node has a log, and the first one is followed
_STREAMED = r"user_logs/std_log[\D]*[0]*(?:_ps)?\.txt"


def is_streamed(name: str) -> bool:
    """Whether an artifact is the log that Azure's clients stream, of a job of any type."""
    return name == PIPELINE_LOG or re.match(_STREAMED, name) is not None


def is_log(name: str) -> bool:
    """Whether an artifact is a log, as Azure ML's run history lists them."""
    return re.match(_LOGS, name) is not None
