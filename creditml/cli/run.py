"""`creditml run FILE`: runs a job in this process, and shows its progress."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from creditml.cli.job_flags import add_file_arguments, executor_of, overrides_of, prepared_job
from creditml.statuses import COMPLETED
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from creditml.seams.executor import Jobs, Prepared

_INTERRUPTED = 130
_EXAMPLES = """examples:
  creditml run pipeline.yml
  creditml run pipeline.yml --set inputs.learning_rate=0.1 --max-parallel 2
  creditml run pipeline.yml --env uv              run steps in virtual environments built from their conda files
  creditml run pipeline.yml --backend docker      run steps in containers of their images
  creditml run pipeline.yml --backend azureml     run the same graph in Azure ML
  creditml run pipeline.yml --pass-env HF_HOME

Ctrl-C cancels the job, and a second Ctrl-C kills it.
Exit codes: 0 Completed, 1 failed, 2 invalid arguments, 130 interrupted."""


def main(command: str, words: list[str]) -> int:
    """Run `creditml run`."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description="Run a job on this machine or in Azure ML, and watch it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_file_arguments(parser)
    arguments = parser.parse_args(words)
    workspace = Workspace.find()
    executor = executor_of(arguments, workspace)
    executor.get_ready()
    try:
        return run(executor, prepared_job(arguments.file, overrides_of(arguments), executor))
    finally:
        executor.close()
        workspace.close()


def run(executor: Jobs, prepared: Prepared) -> int:
    """Run a prepared job while showing its progress, print a summary, and return the exit code."""
    interrupted = False
    if executor.place:
        print(f"Submitting to {executor.place} …", file=sys.stderr, flush=True)
    with executor.run(prepared) as runner:
        runner.advance(0.0)  # start the first steps before the imports below, which take a while
        from creditml.cli.live import view_of
        from creditml.cli.summary import print_summary

        with view_of(runner) as view:
            view.refresh()
            while runner.advance(view.period):
                view.refresh()
            view.refresh()
        interrupted = runner.interrupted
    print_summary(executor.workspace, runner)
    if interrupted:
        return _INTERRUPTED
    return 0 if runner.status == COMPLETED else 1
