"""How far a job has come: its steps, how each one stands, and where their outputs are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.seams.executor import StepState
from creditml.statuses import COMPLETED, FAILED, RUNNING
from creditml.workspace.records import now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from creditml.engine.outcome import Outcome
    from creditml.engine.run import Run
    from creditml.plan import Plan, PlannedStep


class Progress:
    """The steps of a job that runs. The runner alone changes it; others read `plan`, `states` and `outputs`."""

    def __init__(self, plan: Plan) -> None:
        """Every step is still to start."""
        self._steps = dict(plan.steps)
        self.plan = plan._replace(steps=self._steps)
        """The job's plan, with the steps that were added since."""
        self.states = {path: StepState(path) for path in plan.steps}
        self.outputs: dict[tuple[str, str], str] = {}
        """Where the outputs of the steps that have ended are, by step and name."""
        self._changed: list[str] = []

    def add(self, steps: Iterable[PlannedStep]) -> None:
        """Know further steps."""
        for step in steps:
            self._steps[step.path] = step
            self._set(StepState(step.path))

    def began(self, run: Run) -> None:
        """A step runs."""
        self._set(StepState(run.step.path, RUNNING, run.run_id, now(), log=str(run.log)))

    def ended(self, run: Run, outcome: Outcome) -> None:
        """A step has ended."""
        path = run.step.path
        self.outputs.update({(path, name): place for name, place in outcome.outputs.items()})
        self._set(self.states[path]._replace(status=outcome.status, ended_at=now(), error=outcome.message))

    def lost(self, run: Run, outcome: Outcome) -> None:
        """A step had ended well, and then its outputs could not be kept."""
        path = run.step.path
        self.states[path] = self.states[path]._replace(status=outcome.status, error=outcome.message)

    def changes(self) -> list[tuple[str, StepState]]:
        """The steps that were added, have begun or ended since the last call."""
        changed, self._changed = self._changed, []
        return [(path, self.states[path]) for path in dict.fromkeys(changed)]

    def status(self) -> str:
        """The final status of a job that nobody has ended."""
        statuses = [state.status for state in self.states.values()]
        if all(status == COMPLETED for status in statuses):
            return COMPLETED
        return statuses[0] if list(self.states) == [""] else FAILED

    def _set(self, state: StepState) -> None:
        self.states[state.path] = state
        self._changed.append(state.path)
