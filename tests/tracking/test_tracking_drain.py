"""The outbox: what is written to it is in MLflow, once, whatever happens in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from creditml import tracking

if TYPE_CHECKING:
    from spaces import Space

    from creditml.tracking import Tracking


def drained(space: Space, client: Tracking) -> Space:
    assert client.sync(60)
    return space


def test_rows_belong_to_the_callers_transaction(space: Space) -> None:
    space.db.execute("BEGIN")
    space.begin()
    space.db.execute("ROLLBACK")
    assert space.outbox() == []


def test_a_run_is_there_before_any_request_is_answered(house: tuple[Space, Tracking]) -> None:
    space, client = house
    run_id = space.begin("seen at once")  # nobody pokes
    assert space.run(client.uri, run_id)["run_name"] == "seen at once"


def test_poke_drains_without_any_request(house: tuple[Space, Tracking]) -> None:
    space, client = house
    space.begin()
    client.poke()
    space.until(lambda: not space.outbox(), client)


def test_a_run_looks_like_one_that_mlflow_made(house: tuple[Space, Tracking]) -> None:
    space, client = house
    given = {"mlflow.user": "me", "mlflow.source.name": "train.py", "team": "risk"}
    run_id = space.begin("like", parent="top", root="top", tags=given)
    run = space.ask(client.uri, f"/api/2.0/mlflow/runs/get?run_id={run_id}")["run"]
    info = run["info"]
    assert (info["status"], info["lifecycle_stage"]) == ("RUNNING", "active")
    assert (info["start_time"], info["user_id"]) == (1000, "me")
    assert info["artifact_uri"] == f"mlflow-artifacts:/job/steps/{run_id}/artifacts"
    assert info["experiment_id"] == tracking.experiment_id(space.root, "credit")
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    tags.pop("mlflow.creditml.run")
    assert tags == {
        **given,
        "mlflow.runName": "like",
        "mlflow.parentRunId": "top",
        "mlflow.rootRunId": "top",
    }
    made = space.create(client.uri)
    columns = "user_id, source_type, source_name, entry_point_name, source_version, deleted_time"
    ours, theirs = (space.mlflow(f"SELECT {columns} FROM runs WHERE run_uuid = ?", run) for run in (run_id, made))
    assert ours[0][1:] == theirs[0][1:]


def test_tags(house: tuple[Space, Tracking]) -> None:
    space, client = house
    run_id = space.begin()
    tracking.tag_run(space.db, run_id, {"color": "red", "mlflow.note.content": "a note"})
    tracking.tag_run(space.db, run_id, {"color": "blue"})
    drained(space, client)
    assert space.tags(run_id)["color"] == "blue"
    tracking.tag_run(space.db, run_id, {"color": "grün"})
    drained(space, client)
    assert space.tags(run_id) | {"color": "grün", "mlflow.note.content": "a note"} == space.tags(run_id)


def test_replay_after_a_crash_changes_nothing(house: tuple[Space, Tracking]) -> None:
    space, client = house
    run_id = space.begin("once")
    tracking.tag_run(space.db, run_id, {"color": "red"})
    space.end(run_id, "KILLED", 3000)
    rows = space.db.execute("SELECT seq, op, payload FROM outbox ORDER BY seq").fetchall()
    drained(space, client)
    query = "SELECT * FROM runs WHERE run_uuid = ?"
    before, tags = space.mlflow(query, run_id), space.tags(run_id)
    dropped = space.log().count("Dropped")
    assert space.outbox() == []

    # as if the server had died before it deleted them
    space.db.executemany("INSERT INTO outbox VALUES (?, ?, ?)", rows)
    drained(space, client)
    assert space.mlflow(query, run_id) == before
    assert space.tags(run_id) == tags
    assert space.outbox() == []

    # as if it had died between two batches
    space.db.execute("INSERT INTO outbox VALUES (?, ?, ?)", rows[0])
    drained(space, client)
    assert space.status(run_id) == "KILLED"
    assert space.log().count("Dropped") == dropped


def test_steps_left_running_end_with_their_job(house: tuple[Space, Tracking]) -> None:
    space, client = house
    job = space.begin("job")
    steps = [space.begin(f"step {number}", parent=job, root=job) for number in range(3)]
    other = space.begin("another job")
    space.end(steps[0], "FINISHED", 1500)
    drained(space, client)
    space.end(job, "KILLED", 2500)
    drained(space, client)
    assert [space.status(run) for run in (job, *steps, other)] == ["KILLED", "FINISHED", "KILLED", "KILLED", "RUNNING"]


@pytest.mark.parametrize("status", ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"])
def test_what_a_script_left_scheduled_or_running_ends_with_its_step(house: tuple[Space, Tracking], status: str) -> None:
    """At any depth; what has ended stays as it is, and so does what belongs to nobody who has."""
    space, client = house
    step = space.begin("step")
    child = space.create(client.uri, tags=[{"key": "mlflow.parentRunId", "value": step}])
    below = space.create(client.uri, tags=[{"key": "mlflow.parentRunId", "value": child}])
    beside = space.create(client.uri)
    for run_id in (child, below, beside):
        space.ask(client.uri, "/api/2.0/mlflow/runs/update", body={"run_id": run_id, "status": status})

    space.end(step, "KILLED", 5000)
    drained(space, client)

    left = "KILLED" if status in ("RUNNING", "SCHEDULED") else status
    assert [space.status(run) for run in (child, below, beside)] == [left, left, status]


def test_it_does_though_a_run_between_them_has_ended(house: tuple[Space, Tracking]) -> None:
    space, client = house
    step = space.begin("step")
    made = [step]
    for _ in range(4):
        made.append(space.create(client.uri, tags=[{"key": "mlflow.parentRunId", "value": made[-1]}]))
    for run_id in made[1:-1]:
        space.ask(client.uri, "/api/2.0/mlflow/runs/update", body={"run_id": run_id, "status": "FINISHED"})

    space.end(step, "FAILED")
    drained(space, client)

    assert [space.status(run) for run in made] == ["FAILED", "FINISHED", "FINISHED", "FINISHED", "FAILED"]


def test_an_end_of_one_s_own_counts_more_than_that_of_a_run_above(house: tuple[Space, Tracking]) -> None:
    """Though all are drained at once."""
    space, client = house
    job = space.begin("job")
    group = space.begin("group", parent=job, root=job)
    steps = [space.begin(name, parent=group, root=job) for name in ("well", "left")]
    space.end(job, "KILLED", 3000)
    space.end(group, "FAILED", 2500)
    space.end(steps[0], "FINISHED", 2000)
    drained(space, client)

    ended = dict(space.mlflow("SELECT run_uuid, end_time FROM runs WHERE end_time IS NOT NULL"))
    assert [space.status(run) for run in (job, group, *steps)] == ["KILLED", "FAILED", "FINISHED", "FAILED"]
    assert [ended[run] for run in (job, group, *steps)] == [3000, 2500, 2000, 2500]


def test_a_run_of_the_engine_s_own_is_never_adopted(house: tuple[Space, Tracking]) -> None:
    """A script may put our mark on any run: on the job's, which has no parent, and on another step's."""
    space, client = house
    job = space.begin("job")
    steps = [space.begin(f"step {number}", parent=job, root=job) for number in range(2)]
    drained(space, client)
    for run_id, mark in ((job, job), (steps[1], steps[0])):
        body = {"run_id": run_id, "key": "mlflow.creditml.step", "value": mark}
        space.ask(client.uri, "/api/2.0/mlflow/runs/set-tag", body=body)

    for run_id in (*steps, job):
        space.end(run_id)
    drained(space, client)

    assert "mlflow.parentRunId" not in space.tags(job)
    assert [space.tags(step)["mlflow.parentRunId"] for step in steps] == [job, job]
    assert set(tracking.descendants(space.root, job)) == set(steps)


def test_a_run_with_our_mark_and_no_parent_is_adopted(house: tuple[Space, Tracking]) -> None:
    space, client = house
    step = space.begin("step", parent="top", root="top")
    made = space.create(client.uri, tags=[{"key": "mlflow.creditml.step", "value": step}])
    space.end(step, "FINISHED", 4000)
    drained(space, client)
    assert space.status(made) == "FINISHED"
    assert {"mlflow.parentRunId": step, "mlflow.rootRunId": "top"}.items() <= space.tags(made).items()


def test_runs_that_are_their_own_ancestors_do_no_harm(house: tuple[Space, Tracking]) -> None:
    space, client = house
    one, two = (space.begin("circle") for _ in range(2))
    drained(space, client)
    tracking.tag_run(space.db, one, {"mlflow.parentRunId": two})
    tracking.tag_run(space.db, two, {"mlflow.parentRunId": one})
    drained(space, client)
    run_id = space.begin()
    space.end(run_id)
    drained(space, client)
    assert [space.status(run) for run in (one, two, run_id)] == ["RUNNING", "RUNNING", "FINISHED"]
    assert set(tracking.descendants(space.root, one)) == {two}


@pytest.mark.parametrize("tampered", ["nonsense", "[]", "3", '{"a": 1}'])
def test_a_run_whose_mark_was_tampered_with_gets_its_status(house: tuple[Space, Tracking], tampered: str) -> None:
    space, client = house
    run_id = space.begin()
    drained(space, client)
    tracking.tag_run(space.db, run_id, {"mlflow.creditml.run": tampered})
    space.end(run_id)
    drained(space, client)
    assert space.status(run_id) == "FINISHED"


def test_what_cannot_be_said_is_dropped_and_keeps_nobody_waiting(house: tuple[Space, Tracking]) -> None:
    space, client = house
    bad = [("dance", "{}"), ("begin", "no json"), ("tag", "{}"), ("begin", '{"run_id": "x", "of a later version": 1}')]
    space.db.executemany("INSERT INTO outbox (op, payload) VALUES (?, ?)", bad)
    odd = space.begin("a status that MLflow does not know")
    space.end(odd, "CONFUSED")
    late = space.begin("late", start_time=1 << 70)
    run_id = space.begin("after them")
    space.end(run_id)
    space.end("unknown run")
    drained(space, client)
    assert space.outbox() == []
    assert "Dropped from the outbox" in space.log()
    assert [space.status(odd), space.status(run_id)] == ["RUNNING", "FINISHED"]
    assert space.mlflow("SELECT 1 FROM runs WHERE run_uuid = ?", late) == []


def test_a_thousand_runs(house: tuple[Space, Tracking]) -> None:
    space, client = house
    space.db.execute("BEGIN")
    for number in range(1000):
        run_id = space.begin(f"run {number}", experiment="thousand", experiment_id="77", parent="top", root="top")
        space.end(run_id, "FAILED" if number % 2 else "FINISHED")
    space.db.execute("COMMIT")
    drained(space, client)
    counts = space.mlflow("SELECT status, count(*) FROM runs WHERE experiment_id = 77 GROUP BY status ORDER BY status")
    assert counts == [("FAILED", 500), ("FINISHED", 500)]


def test_an_id_is_known_before_the_experiment_is(space: Space) -> None:
    ids = [tracking.experiment_id(space.root, name) for name in ("Default", "one", "two", "one", "ünï cödé")]
    assert ids[0] == "0"
    assert ids[1] == ids[3]
    assert len(set(ids)) == 4
    assert all(0 < int(known) < 1 << 53 for known in ids[1:])


def test_an_experiment_gets_the_id_that_was_foretold(house: tuple[Space, Tracking]) -> None:
    space, client = house
    foretold = tracking.experiment_id(space.root, "foretold")
    run_id = space.begin(experiment="foretold")
    assert space.run(client.uri, run_id)["experiment_id"] == foretold == tracking.experiment_id(space.root, "foretold")
    body = space.ask(client.uri, f"/api/2.0/mlflow/experiments/get?experiment_id={foretold}")["experiment"]
    assert (body["name"], body["artifact_location"]) == ("foretold", f"mlflow-artifacts:/.mlflow/{foretold}")
    assert body["creation_time"] > 0


def test_an_experiment_that_a_client_made_keeps_its_id(house: tuple[Space, Tracking]) -> None:
    space, client = house
    made = space.ask(client.uri, "/api/2.0/mlflow/experiments/create", body={"name": "theirs"})["experiment_id"]
    assert tracking.experiment_id(space.root, "theirs") == made
    too_early = space.begin(experiment="theirs", experiment_id="4711")  # the id was asked for before they made it
    assert space.run(client.uri, too_early)["experiment_id"] == made


def test_a_deleted_experiment_is_restored_for_a_new_run(house: tuple[Space, Tracking]) -> None:
    space, client = house
    old = space.begin(experiment="deleted")
    known = space.run(client.uri, old)["experiment_id"]
    space.ask(client.uri, "/api/2.0/mlflow/experiments/delete", body={"experiment_id": known})
    assert tracking.experiment_id(space.root, "deleted") == known
    new = space.begin(experiment="deleted")
    assert space.run(client.uri, new)["experiment_id"] == known
    body = space.ask(client.uri, f"/api/2.0/mlflow/experiments/get?experiment_id={known}")
    assert body["experiment"]["lifecycle_stage"] == "active"


def test_a_renamed_experiment_gives_its_old_name_free(house: tuple[Space, Tracking]) -> None:
    space, client = house
    run_id = space.begin(experiment="first name")
    known = space.run(client.uri, run_id)["experiment_id"]
    rename = {"experiment_id": known, "new_name": "second name"}
    space.ask(client.uri, "/api/2.0/mlflow/experiments/update", body=rename)
    meanwhile = space.begin(experiment="first name", experiment_id=known)  # asked for before it was renamed
    assert space.run(client.uri, meanwhile)["experiment_id"] == known
    later = space.begin(experiment="first name")
    assert space.run(client.uri, later)["experiment_id"] != known
    assert tracking.experiment_id(space.root, "second name") == known


def test_the_context_is_what_mlflow_takes() -> None:
    context = json.loads(tracking.run_context("step", "job"))
    assert {"mlflow.parentRunId": "step", "mlflow.rootRunId": "job"}.items() <= context.items()
