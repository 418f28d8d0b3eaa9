"""The line before a machine's places, in one process: to close a descriptor is what a dead process does."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from creditml.engine.queue import Queue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from creditml.engine.queue import Position


class Ways:
    """Pipes to wake who waits, closed in the end."""

    def __init__(self) -> None:
        self.ends: list[int] = []

    def rung(self, times: int = 1) -> int:
        """A pipe that somebody has rung at already."""
        read, write = os.pipe()
        self.ends += [read, write]
        os.set_blocking(read, False)
        os.write(write, b"!" * times)
        return read


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue before one place."""
    return Queue(tmp_path, 1)


@pytest.fixture
def ways() -> Iterator[Ways]:
    made = Ways()
    yield made
    for end in made.ends:
        with suppress(OSError):
            os.close(end)


def files(root: Path) -> list[str]:
    """Who is in the line, as its files tell."""
    return [name.partition(".")[2] for name in sorted(os.listdir(root / "queue")) if not name.startswith("place-")]


def killed(position: Position) -> None:
    """The process that holds a position is gone, and could not clear up."""
    os.close(position.descriptor)


def taken(queue: Queue) -> int:
    """The place."""
    place = queue.enter()
    assert place is not None
    return place


def test_a_newcomer_never_passes_who_waits(queue: Queue, ways: Ways) -> None:
    place = taken(queue)
    first = queue.line_up("first")
    assert queue.enter() is None

    os.close(place)  # free, and nobody has been woken yet

    assert queue.enter() is None
    second = queue.line_up("second")
    assert queue.first() == "first"
    assert queue.wait(second, ways.rung(), lambda: True) is None
    held = queue.wait(first, ways.rung(), lambda: False)
    assert held is not None
    assert queue.first() is None
    assert queue.enter() is None
    os.close(held)
    os.close(taken(queue))


def test_they_go_in_the_order_in_which_they_came(queue: Queue, ways: Ways, tmp_path: Path) -> None:
    place = taken(queue)
    names = ["zeta", "alpha", "10", "9"]
    line = [queue.line_up(name) for name in names]
    os.close(place)

    for name, position in zip(names, line, strict=True):
        assert queue.first() == name
        place = queue.wait(position, ways.rung(), lambda: False) or -1
        assert place >= 0
        os.close(place)

    assert files(tmp_path) == []


def test_what_killed_ones_left_is_gone_and_holds_nobody_up(queue: Queue, ways: Ways, tmp_path: Path) -> None:
    place = taken(queue)
    line = [queue.line_up(name) for name in ("one", "two", "three")]
    killed(line[0])
    killed(line[1])

    assert queue.first() == "three"
    assert files(tmp_path) == ["three"]
    os.close(place)
    os.close(queue.wait(line[2], ways.rung(), lambda: False) or -1)
    assert files(tmp_path) == []


def test_a_newcomer_enters_when_all_who_waited_were_killed(queue: Queue, tmp_path: Path) -> None:
    place = taken(queue)
    killed(queue.line_up("one"))
    os.close(place)

    os.close(taken(queue))

    assert files(tmp_path) == []


def test_who_looks_takes_nothing_from_who_waits(queue: Queue) -> None:
    position = queue.line_up("one") if queue.enter() is not None else None
    assert position

    for _ in range(3):
        assert queue.first() == "one"

    killed(position)


def test_who_is_canceled_leaves_the_line(queue: Queue, ways: Ways, tmp_path: Path) -> None:
    place = taken(queue)
    position = queue.line_up("one")

    assert queue.wait(position, ways.rung(), lambda: True) is None

    assert files(tmp_path) == []
    os.close(place)
    os.close(taken(queue))


def test_a_place_that_is_free_is_better_than_a_cancel_that_nobody_told_of(queue: Queue, ways: Ways) -> None:
    place = taken(queue)
    position = queue.line_up("one")
    os.close(place)
    asked: list[bool] = []

    held = queue.wait(position, ways.rung(0), lambda: asked.append(True) or True)

    assert held is not None
    assert asked == []
    os.close(held)


def test_nobody_sees_a_position_before_it_is_held(queue: Queue, tmp_path: Path) -> None:
    """Whoever is writing his position, and isn't ready, is in nobody's way."""
    place = taken(queue)
    (tmp_path / "queue/new-one").touch()
    os.close(place)

    assert queue.first() is None
    os.close(taken(queue))
    assert (tmp_path / "queue/new-one").exists()


@pytest.mark.parametrize(("asked", "places"), [(None, 2), (1, 1), (5, 5)])
def test_there_are_as_many_places_as_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int | None, places: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    queue = Queue(tmp_path, asked)

    held = [queue.enter() for _ in range(places + 1)]

    assert [place is not None for place in held] == [True] * places + [False]
    for place in held[:-1]:
        os.close(place or -1)
