"""Valid files with values exchanged, moved and removed: the reader and the check find problems, they never fail."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from creditml.check import check
from creditml.errors import SpecError
from creditml.model import Node, Pipeline
from creditml.nodes.specs import job_dict, read_job, read_job_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.model import Job

CORPUS = Path(__file__).parents[1] / "corpus" / "valid"
FOLDERS = sorted({path.parent for path in CORPUS.glob("*/*.yml")})
ODD = [
    None,
    True,
    0,
    1.5,
    "",
    "x",
    "${{parent.inputs.x}}",
    "${{inputs.x}}",
    "azureml:a:1",
    "./c.yml",
    "file:./c.yml",
    ".",
]
VALUES = st.recursive(
    st.sampled_from([*ODD, "command", "pipeline", "uri_file", "string", "a:b", "1e5", "${{parent.jobs.a.outputs.o}}"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["type", "path", "value", "a", "inputs", "component", "command", "<<", "default"]), inner
        ),
    ),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything in a file."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """A file with one to three changes."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from([path for path in places(value) if path]))
        target = value
        for key in path:
            target = target[key]
        if draw(st.booleans()):
            target[last] = draw(VALUES)
        elif isinstance(target, dict) and draw(st.booleans()):
            target[draw(st.sampled_from(["inputs", "outputs", "type", "nope", "jobs", "x"]))] = target.pop(last)
        else:
            del target[last]
        if not value:
            break
    return value


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """The files of a case, by path, one of them mutated."""
    folder = draw(st.sampled_from(FOLDERS))
    files = {
        str(path.relative_to(folder)): yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in folder.rglob("*.yml")
    }
    name = draw(st.sampled_from(sorted(files)))
    return {**files, name: draw(mutated(files[name]))}


@given(cases())
@settings(max_examples=8 * settings.default.max_examples, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_a_mutated_file_is_read_or_has_problems_at_their_places(files: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, value in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
        main = next(name for name in ("pipeline.yml", "job.yml") if name in files)
        try:
            reading = read_job(Path(folder) / main)
        except SpecError as error:
            assert error.problems  # noqa: PT017
            return
        assert all(problem.place and problem.message for problem in reading.problems), reading.problems
        if reading.job is None:
            assert any(not problem.warning for problem in reading.problems)
        elif resolved(reading.job.root):
            whole = all(problem.warning for problem in reading.problems)
            checked = check(reading.job, whole=whole)
            assert all(problem.place for problem in checked.problems), checked.problems
            if checked.plan:
                survives(reading.job)


def resolved(node: Node) -> bool:
    """Whether no component is a reference to a registered one."""
    component = node.component
    if isinstance(component, Pipeline):
        return all(resolved(child) for child in component.jobs.values())
    return not isinstance(component, str)


def survives(job: Job) -> None:
    """What can be run can be recorded, and read again by the runner."""
    assert read_job_dict(job_dict(job)) == job._replace(source=None)
