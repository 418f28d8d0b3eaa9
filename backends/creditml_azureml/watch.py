"""A job of Azure ML while it runs: how it stands is shown to the user, and recorded in the local workspace."""

from __future__ import annotations

import selectors
from functools import partial
from typing import TYPE_CHECKING

from creditml.errors import CreditMLError, NotFound
from creditml.seams.executor import StepState
from creditml.signals import Signals
from creditml.statuses import CANCEL_REQUESTED, COMPLETED, FAILED, TERMINAL
from creditml_azureml.bringing import Bringing
from creditml_azureml.poller import Poller, Seen
from creditml_azureml.record import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from creditml.plan import Plan
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord
    from creditml_azureml.cloud import Cloud
    from creditml_azureml.runs import CloudRun

_CANCEL_PATIENCE = 10.0  # seconds to wait, after a second Ctrl-C, until Azure ML is asked to end the job


class Watch:
    """A submitted job, watched until it has ended; see `creditml.seams.executor.Watched`."""

    last_words = "Azure ML is asked to end it; Ctrl-C again stops watching"

    def __init__(self, cloud: Cloud, workspace: Workspace, record: JobRecord, plan: Plan, messages: list[str]) -> None:
        """Take a recorded job and messages on its submission, which the user hasn't seen yet."""
        self.cloud, self.workspace, self.record, self.plan = cloud, workspace, record, plan
        self.states = {path: StepState(path) for path in plan.steps}
        self.status = record.status
        self.reason: str | None = None
        self.warnings: list[str] = []
        self.interrupted = False
        self._messages = messages
        self._recorder = Recorder(workspace, record)
        self._changed: list[str] = []
        self._poller = Poller(cloud, record.name, plan)
        self._selector = selectors.DefaultSelector()
        self._left = False
        self._signals: Signals | None = None

    @property
    def measured(self) -> bool:
        """Whether steps may have logged metrics."""
        return True

    def __enter__(self) -> Self:
        """Begin to ask Azure ML, and to listen for Ctrl-C."""
        self._signals = Signals()
        self._selector.register(self._signals, selectors.EVENT_READ, self._on_signal)
        self._selector.register(self._poller.fileno(), selectors.EVENT_READ, self._on_news)
        self._poller.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Stop asking. A job that has not ended goes on in Azure ML."""
        self._release_signals()
        self._poller.stop()
        self._selector.close()

    def advance(self, timeout: float = 3600.0) -> bool:
        """Wait for news; False when the job has ended, or a second Ctrl-C says that nobody waits for it."""
        if self._left or self.status in TERMINAL:
            return False
        for key, _ in self._selector.select(timeout):
            key.data()
        if self.status in TERMINAL:
            self._end()
            return False
        return not self._left

    def changes(self) -> list[tuple[str, StepState]]:
        """The steps whose states have changed since the last call."""
        changed, self._changed = self._changed, []
        return [(path, self.states[path]) for path in dict.fromkeys(changed)]

    def messages(self) -> list[str]:
        """Messages for the user since the last call."""
        messages, self._messages = self._messages, []
        return messages

    def _on_signal(self) -> None:
        for _ in range(self._signals.received() if self._signals else 0):
            if self.interrupted:
                self._left = True
                name = self.record.name
                if self._poller.canceled(_CANCEL_PATIENCE):
                    how = f"Azure ML has not ended the job yet: `creditml job show -n {name}"
                else:
                    how = f"Azure ML was NOT reached to end the job: `creditml job cancel -n {name}"
                self.warnings.append(f"{how} --backend azureml`.")
                return
            self.interrupted = True
            self.status = CANCEL_REQUESTED
            self._poller.cancel()

    def _on_news(self) -> None:
        for news in self._poller.news():
            if isinstance(news, Seen):
                self._take(news)
            elif isinstance(news, str):
                self._messages.append(news)
            else:
                raise news

    def _take(self, seen: Seen) -> None:
        with self.workspace.transaction():
            for path, run in seen.steps:
                step = self.plan.steps.get(path)
                node = step.node if step else self.plan.pipelines.get(path)
                self._show(path, run, self._recorder.put(path, run, node), seen.logs.get(path))
            self._show("", seen.root, self._recorder.put("", seen.root), seen.logs.get(""))
        if not self.interrupted or seen.root.status in TERMINAL:
            self.status = seen.root.status
        if seen.root.status == FAILED and not any(state.error for state in self.states.values()):
            self.reason = seen.root.error or None

    def _show(self, path: str, run: CloudRun, record: JobRecord, log: str | None) -> None:
        file = self._recorder.log(record)
        if log is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f".{file.name}.part")
            part.write_text(log, encoding="utf-8")
            part.replace(file)
        if path not in self.states:
            return
        state = run.state(path, str(file))
        if state != self.states[path]:
            self.states[path] = state
            self._changed.append(path)

    # -- the end

    def _end(self) -> None:
        """Bring everything here; what can't be brought is a warning, and doesn't change how the job ended."""
        self._release_signals()
        try:
            self._bring_all()
        except KeyboardInterrupt:
            self.interrupted = True
            self.warnings.append(f"Not everything was brought here. {self._again}")

    def _bring_all(self) -> None:
        root = self.workspace.jobs.get(self.record.name)
        records = [root, *self.workspace.jobs.steps(root.name)]
        bringing = Bringing(self.cloud, self.workspace)
        self._try(partial(bringing.metrics, [record.name for record in records]))
        for record in records:
            self._try(partial(bringing.artifacts, record.name, record))
        outputs = self.plan.job.root.outputs if self.status == COMPLETED else {}
        for name, output in outputs.items():
            self._try(partial(bringing.output, root, name, output.type))

    def _try(self, bring: Callable[[], None]) -> None:
        try:
            bring()
        except NotFound:
            pass  # a step that was canceled before it began has left nothing
        except CreditMLError as error:
            if not any(self._again in warning for warning in self.warnings):
                self.warnings.append(f"{error} {self._again}")

    @property
    def _again(self) -> str:
        return f"`creditml job download -n {self.record.name} --all --backend azureml` tries again."

    def _release_signals(self) -> None:
        """Let Ctrl-C and the like do again what they did before."""
        if self._signals is not None:
            self._selector.unregister(self._signals)
            self._signals.close()
            self._signals = None
