"""Properties that every plan must have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.model import Data, Literal, Node, Pipeline
from creditml.plan import Produced

if TYPE_CHECKING:
    from creditml.plan import Plan


def holds(planned: Plan) -> None:
    """Each step comes after the steps whose outputs it uses, has its inputs, and has no unresolved binding."""
    seen: set[str] = set()
    for path, step in planned.steps.items():
        assert step.path == path
        for name, value in step.inputs.items():
            assert name in step.component.inputs
            if isinstance(value, Produced):
                assert value.step in seen
                assert value.output in planned.steps[value.step].component.outputs
            else:
                assert "${{" not in (value.value.path if isinstance(value.value, Data) else value.value.value)
                assert not value.origin or isinstance(at(planned.job.root, value.origin), Literal | Data)
        for name, spec in step.component.inputs.items():
            assert name in step.inputs or (spec.optional and spec.default is None), (path, name)
        assert set(step.outputs) == set(step.component.outputs)
        read = {value.step for value in step.inputs.values() if isinstance(value, Produced)}
        assert {need for need, _ in step.needs()} == read | {need for need, _ in step.after}
        assert {need for need, _ in step.after} <= seen
        assert at(planned.job.root, step.origin) is step.node
        seen.add(path)
    for name, node in planned.pipelines.items():
        assert isinstance(node.component, Pipeline)
        assert any(path.startswith(f"{name}.") for path in planned.steps)
    for made in planned.outputs.values():
        assert made.output in planned.steps[made.step].component.outputs


def at(node: Any, origin: tuple[str, ...]) -> Any:
    """The value at a key path; the `jobs` of a pipeline job are in its component."""
    for key in origin:
        value = node
        if isinstance(value, Node) and not value.name and key == "jobs":
            value = value.component
        node = value[key] if hasattr(value, "items") else getattr(value, key)
    return node
