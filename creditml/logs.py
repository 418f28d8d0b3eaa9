"""Azure ML's names for the logs of jobs and steps, and for the folders with their files.

A job or step has its own folder in the workspace, and in downloads a folder with the same content:

    artifacts/                          its logs, and the files that scripts leave for the user:
      logs/azureml/executionlogs.txt      of a pipeline: when each step began and ended
      user_logs/std_log.txt               of a command: the text that it printed
      azureml-logs/20_image_build_log.txt the log of building its environment
      outputs/, logs/                     the files that a script wrote into folders of these names
    outputs/<name>/                     its outputs (`named-outputs/<name>/` in downloads)

The node type of a job says which of its logs is streamed (`creditml.nodes`).
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
"""Folders in a step's working folder whose contents become artifacts. They exist before the script starts."""

_LOGS = r"user_logs/|logs/azureml/|azureml-logs/"
# SDK: `JobLogPattern`; each node of a distributed command has a log, and the first node's log is streamed
_STREAMED = r"user_logs/std_log[\D]*[0]*(?:_ps)?\.txt"


def is_streamed(name: str) -> bool:
    """Whether an artifact is the log that Azure's clients stream for a job, whatever the type of the job."""
    return name == PIPELINE_LOG or re.match(_STREAMED, name) is not None


def is_log(name: str) -> bool:
    """Whether an artifact is one of the logs that Azure ML's run history lists."""
    return re.match(_LOGS, name) is not None
