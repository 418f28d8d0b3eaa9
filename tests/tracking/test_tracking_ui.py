"""MLflow's pages."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from creditml import tracking
from creditml.errors import CreditMLError

if TYPE_CHECKING:
    from pathlib import Path

    from spaces import Space

OPEN = """
    import sys
    from pathlib import Path
    from creditml.tracking import open_ui
    open_ui(Path(sys.argv[1]), int(sys.argv[2]), announce=lambda uri: print(uri, flush=True))
    print("bye")
    """


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_the_pages_of_a_workspace_until_ctrl_c(space: Space) -> None:
    run_id = space.begin("ended before anybody looked")
    space.end(run_id, "FAILED")
    port = free_port()
    command = [sys.executable, "-c", textwrap.dedent(OPEN), str(space.root), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as pages:
        link = pages.stdout.readline().strip()
        uri, _, key = link.partition("/?key=")
        assert uri == f"http://127.0.0.1:{port}"
        assert len(key) == 40
        assert "<title>MLflow</title>" in space.ask(uri, "/")
        assert space.run(uri, run_id)["status"] == "FAILED"
        assert space.outbox() == []

        # a job that runs meanwhile uses the same server
        pid = space.server()
        with tracking.Tracking(space.root) as client:
            client.start()
            space.until(lambda: client.ready, client)
            assert space.server() == pid
        run_id = space.begin("of a job without a server")
        assert space.run(uri, run_id)["status"] == "RUNNING"

        pages.send_signal(signal.SIGINT)
        assert pages.communicate() == ("bye\n", "")
    assert pages.returncode == 0
    space.until(lambda: not space.alive(pid))


def test_a_port_that_is_taken(space: Space) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(CreditMLError, match=f"port {port}: .*--port"):
            tracking.open_ui(space.root, port, announce=pytest.fail)


def test_a_server_that_cannot_start(space: Space, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mlflow.py").write_text("raise ModuleNotFoundError('No module named mlflow')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(sys.path)}")
    with pytest.raises(CreditMLError, match="pip install mlflow"):
        tracking.open_ui(space.root, 0, announce=pytest.fail)
