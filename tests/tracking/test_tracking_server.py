"""One server per workspace: who starts it, who shares it, when it ends, and what happens when somebody dies."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from spaces import Space

from creditml import tracking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from creditml.tracking import Tracking

pytestmark = pytest.mark.takes(40)


def start(space: Space, client: Tracking) -> int | None:
    """Start or join, and wait until the client's socket is served; the server's process id."""
    client.start()
    space.until(lambda: client.ready or client.failure, client)
    assert client.failure is None
    return space.server()


def kill(space: Space, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    space.until(lambda: not space.alive(pid))


def test_importing_it_is_cheap() -> None:
    heavy = "mlflow sqlalchemy alembic flask uvicorn http.client asyncio logging hashlib tempfile yaml"
    code = f"import creditml.tracking, sys; print(*set({heavy!r}.split()) & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == []


def test_nothing_is_started_until_somebody_connects(space: Space) -> None:
    with tracking.Tracking(space.root) as client:
        assert not client.started
        assert not client.used
        assert client.sync(0)
        client.attend()
        client.poke()
        assert not client.alive()
    assert not (space.root / "mlflow").exists()


def test_a_connection_starts_the_server_and_is_answered_by_it(space: Space) -> None:
    run_id = space.begin("waits in the outbox")
    with tracking.Tracking(space.root) as client, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(space.run, client.uri, run_id)
        space.until(answer.done, client)
        assert answer.result()["run_name"] == "waits in the outbox"
        assert client.started
        assert client.ready
        assert client.used
        pid = space.server()
        assert os.getsid(pid) != os.getsid(0)  # no Ctrl-C in this terminal ends it
        assert client.sync(60)
        space.end(run_id, "KILLED")
    space.until(lambda: not space.alive(pid))
    assert space.outbox() == []
    assert space.status(run_id) == "KILLED"
    left = {path.name: path.stat().st_size for path in (space.root / "mlflow").iterdir()}
    assert left.keys() - {"mlflow.db-shm"} <= {"lock", "mlflow.db", "mlflow.db-wal", "server.log"}
    assert left.get("mlflow.db-wal", 0) == 0


def test_runners_that_start_at_once_share_one_server(space: Space) -> None:
    clients = [tracking.Tracking(space.root) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for started in [pool.submit(client.start) for client in clients]:
            started.result()
    space.until(lambda: all(client.ready for client in clients), *clients)
    pid = space.server()
    assert [process.pid for process in psutil.process_iter() if serves(process, space)] == [pid]
    for client in clients:
        assert space.ask(client.uri, "/health") == "OK"

    *leaving, last = clients
    for client in leaving:
        client.close()
    space.until(lambda: not answers(space, leaving[0].uri), last)
    run_id = space.begin()
    assert space.run(last.uri, run_id)["status"] == "RUNNING"
    assert space.server() == pid

    latecomer = tracking.Tracking(space.root)
    last.close()
    assert start(space, latecomer)  # whether it still met the server or not
    assert space.ask(latecomer.uri, "/health") == "OK"
    latecomer.close()


def serves(process: psutil.Process, space: Space) -> bool:
    try:
        return {"creditml.tracking.server", str(space.root)} <= set(process.cmdline())
    except psutil.Error:
        return False


def answers(space: Space, uri: str) -> bool:
    try:
        return space.ask(uri, "/health") == "OK"
    except urllib.error.URLError:
        return False


def test_a_lease_ends_with_its_runner_however_that_dies(space: Space) -> None:
    run_id = space.begin()
    runner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
                import select, sys
                from pathlib import Path
                from creditml.tracking import Tracking
                client = Tracking(Path(sys.argv[1]))
                client.start()
                while not client.ready:
                    select.select([client], [], [])
                    client.attend()
                print("ready", flush=True)
                select.select([], [], [])
                """),
            str(space.root),
        ],
        stdout=subprocess.PIPE,
    )
    assert runner.stdout.readline() == b"ready\n"
    pid = space.server()
    assert space.status(run_id) == "RUNNING"
    space.end(run_id, "FAILED")
    runner.kill()
    runner.wait()
    runner.stdout.close()
    space.until(lambda: not space.alive(pid))
    assert space.status(run_id) == "FAILED"


def test_a_server_that_is_killed_is_replaced_at_the_next_connection(space: Space) -> None:
    run_id = space.begin()
    with tracking.Tracking(space.root) as client:
        first = start(space, client)
        assert space.run(client.uri, run_id)["status"] == "RUNNING"
        kill(space, first)
        space.until(lambda: not client.started, client)
        assert not client.ready
        assert client.used
        assert client.sync(0)
        space.end(run_id)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(space.run, client.uri, run_id)
            space.until(answer.done, client)
        assert answer.result()["status"] == "FINISHED"
        second = space.server()
        assert second not in (None, first)
        assert client.alive()

        # in the middle of a wait for it
        os.kill(second, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(client.sync, 60)
            kill(space, second)
            assert waiting.result() is False


def test_a_stopped_server_makes_nobody_wait_for_longer_than_asked(house: tuple[Space, Tracking]) -> None:
    space, _ = house
    with tracking.Tracking(space.root) as client:
        pid = start(space, client)
        os.kill(pid, signal.SIGSTOP)
        try:
            assert client.sync(0.05) is False
            client.poke()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert client.sync(60) is True


def test_a_server_that_keeps_dying_is_given_up(space: Space, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mlflow.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    with tracking.Tracking(space.root) as client, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(space.ask, client.uri, "/api/2.0/mlflow/runs/get?run_id=x")
        space.until(answer.done, client)
        assert refusal(answer) == (424, client.failure)
        assert not client.started


def refusal(answer: Future[Any]) -> tuple[int, str]:
    error = answer.exception()
    assert isinstance(error, urllib.error.HTTPError), error
    return error.code, json.loads(error.read())["message"]


def test_without_mlflow_the_step_is_told_how_to_get_it(
    space: Space, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mlflow.py").write_text("raise ModuleNotFoundError('No module named mlflow')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    run_id = space.begin()
    with tracking.Tracking(space.root) as client:
        environment = space.environment(run_id, client) | {"PYTHONPATH": ""}
        command = [sys.executable, "-c", "import mlflow; mlflow.start_run()"]
        step = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, cwd=space.root)
        assert space.finish(step, client) == 1
        said = step.stderr.read().decode()
        step.stderr.close()
        assert "pip install mlflow" in client.failure
        assert str(space.root / "mlflow" / "server.log") in client.failure
        assert client.failure in said
        assert not client.started
        client.start()  # is no use, and no harm
        assert not client.started
        other = tracking.Tracking(space.root)  # another runner may try again
        assert other.failure is None
        other.close()
    assert space.outbox() == ["begin"]


def test_whoever_waits_for_a_server_that_cannot_start_is_told(
    space: Space, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mlflow.py").write_text("raise ImportError('a broken installation')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    with tracking.Tracking(space.root) as first, tracking.Tracking(space.root) as second:
        first.start()
        second.start()
        space.until(lambda: first.failure and second.failure, first, second)
        for client in (first, second):
            assert "a broken installation" in client.failure
            with pytest.raises(urllib.error.HTTPError, match="424"):
                space.run(client.uri, "x")


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Space, Tracking]]:
    """The server of another workspace, where the log has grown long and the temporary folder's path is long."""
    space = Space(tmp_path_factory.mktemp("beside") / ".creditml")
    (space.root / "mlflow").mkdir()
    (space.root / "mlflow" / "server.log").write_bytes(b"x" * (2 << 20))
    long = space.root.parent / ("x" * 90)
    long.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(long))
        with tracking.Tracking(space.root) as client:
            start(space, client)
            yield space, client
    space.db.close()


def test_two_workspaces_have_nothing_to_do_with_each_other(
    house: tuple[Space, Tracking], beside: tuple[Space, Tracking]
) -> None:
    (other, other_client), (space, client) = house, beside
    assert space.server() != other.server()
    run_id = space.begin("here")
    assert space.run(client.uri, run_id)["run_name"] == "here"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        other.run(other_client.uri, run_id)


def test_a_long_log_is_put_aside(beside: tuple[Space, Tracking]) -> None:
    folder = beside[0].root / "mlflow"
    assert (folder / "server.log.1").stat().st_size == 2 << 20
    assert (folder / "server.log").stat().st_size < 1 << 20


def test_a_long_path_of_the_temporary_folder_is_avoided(beside: tuple[Space, Tracking]) -> None:
    (long,) = beside[0].root.parent.glob("x*")
    assert list(long.iterdir()) == []


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("localhost:1", True),
        ("127.0.0.1", True),
        ("[::1]:8080", True),
        ("host.docker.internal:8080", True),
        ("192.168.0.1", False),
        ("rebound.example", False),
        ("localhost.rebound.example", False),
    ],
)
def test_only_this_machine_and_named_hosts_may_ask(house: tuple[Space, Tracking], host: str, *, allowed: bool) -> None:
    space, client = house
    path = "/api/2.0/mlflow/experiments/get?experiment_id=0"
    if allowed:
        assert space.ask(client.uri, path, Host=host)["experiment"]["name"] == "Default"
    else:
        with pytest.raises(urllib.error.HTTPError, match="403"):
            space.ask(client.uri, path, Host=host)


def test_a_runner_that_joins_the_server_names_hosts_too(house: tuple[Space, Tracking]) -> None:
    """As a job in containers does while `creditml ui` runs."""
    space, client = house
    path = "/api/2.0/mlflow/experiments/get?experiment_id=0"
    with tracking.Tracking(space.root, allowed_hosts=["containers.example"]) as joined:
        start(space, joined)
        assert space.ask(joined.uri, path, Host="containers.example:1")["experiment"]["name"] == "Default"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        space.until(lambda: not space.ask(client.uri, path, Host="containers.example:1"))


def test_a_server_of_an_older_mlflow_leaves_a_store_that_is_upgraded_after_a_backup(space: Space) -> None:
    folder = space.root / "mlflow"
    folder.mkdir()
    code = textwrap.dedent("""
        import sys, sqlalchemy
        from alembic import command
        from alembic.script import ScriptDirectory
        import mlflow.store.db.utils as db
        from mlflow.store.tracking.dbmodels.initial_models import Base
        engine = sqlalchemy.create_engine("sqlite:///" + sys.argv[1])
        Base.metadata.create_all(engine)
        config = db._get_alembic_config("sqlite:///" + sys.argv[1])
        old = list(ScriptDirectory.from_config(config).walk_revisions())[3].revision
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, old)
        print(old)
        """)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    command = [sys.executable, "-c", code, str(folder / "mlflow.db")]
    old = subprocess.check_output(command, env=environment, text=True, stderr=subprocess.DEVNULL).split()[-1]
    run_id = space.begin()
    with tracking.Tracking(space.root) as client:
        start(space, client)
        assert space.run(client.uri, run_id)["status"] == "RUNNING"
    with closing(sqlite3.connect(folder / f"mlflow-{old}.db")) as backup:
        assert backup.execute("SELECT version_num FROM alembic_version").fetchall() == [(old,)]
    assert space.mlflow("SELECT version_num FROM alembic_version") != [old]


def test_a_store_of_a_newer_mlflow_is_left_alone(space: Space) -> None:
    folder = space.root / "mlflow"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "mlflow.db")) as db:
        db.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        db.execute("INSERT INTO alembic_version VALUES ('fromthefuture')")
        db.commit()
    with tracking.Tracking(space.root) as client:
        client.start()
        space.until(lambda: client.failure, client)
        assert "newer MLflow" in client.failure
        assert "pip install --upgrade mlflow" in client.failure
    assert space.mlflow("SELECT name FROM sqlite_master") == ["alembic_version"]


@pytest.mark.usefixtures("house")
def test_the_template_of_the_store_is_kept_once() -> None:
    (template,) = Path(os.environ["XDG_CACHE_HOME"], "creditml").iterdir()
    with closing(sqlite3.connect(template)) as db:
        assert db.execute("SELECT count(*) FROM experiments").fetchone() == (0,)
