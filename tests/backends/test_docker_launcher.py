"""The Docker launcher, against a real engine: the contract of all launchers, and what only containers can show."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from containers import IMAGE

from creditml.errors import BackendError, BackendUnavailable, CreditMLError
from creditml.seams.launcher import Exit, Mount
from creditml.testing.launchers import LauncherContract
from creditml.testing.steps import PATIENCE, STUBBORN, StepMaker, has_ended, is_free, log_of, wait_for
from creditml_docker import owners
from creditml_docker.container import DockerRunning
from creditml_docker.launcher import DockerLauncher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import InChild

    from creditml_docker.engines import Engine

pytestmark = pytest.mark.takes(30)

IMAGES_OWN = {
    "HOME",
    "HOSTNAME",
    "LANG",
    "PYTHONUNBUFFERED",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "container",
}
USER = 4321

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Doorway:
    """A socket that leads to the engine's as long as it is open."""

    def __init__(self, path: str, engine: str) -> None:
        self._path, self._engine = path, engine
        self.open()

    def open(self) -> None:
        self._ends: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        self._listener.listen()
        self._porter = threading.Thread(target=self._let_in, args=(self._listener,), daemon=True)
        self._porter.start()

    def shut(self) -> None:
        os.unlink(self._path)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._porter.join()
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _let_in(self, listener: socket.socket) -> None:
        while True:
            try:
                inner, _ = listener.accept()
            except OSError:
                return
            outer = socket.socket(socket.AF_UNIX)
            outer.connect(self._engine)
            self._ends += [inner, outer]
            for source, target in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def doorway(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doorway]:
    path = str(tmp_path / "engine.sock")
    doorway = Doorway(path, socket_of(engine))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    yield doorway
    with suppress(OSError):
        doorway.shut()


def socket_of(engine: Engine) -> str:
    """Where an engine listens."""
    address = engine.place.split(" ")[0]
    if not address.startswith("unix://"):
        pytest.skip(f"the engine has no socket on this machine: {address}")
    return address.removeprefix("unix://")


@pytest.mark.usefixtures("engine")
class TestDockerLauncher(LauncherContract):
    """The contract."""

    image = IMAGE
    additions = LauncherContract.additions | IMAGES_OWN

    @pytest.fixture
    def launcher(self) -> Iterator[DockerLauncher]:
        with DockerLauncher() as launcher:
            yield launcher


@pytest.fixture
def make_step(tmp_path: Path) -> StepMaker:
    return StepMaker(tmp_path / "cr", LauncherContract.environment, IMAGE)


@pytest.fixture
def launcher() -> Iterator[DockerLauncher]:
    with DockerLauncher() as launcher:
        yield launcher


def containers(engine: Engine) -> list[str]:
    """The containers of this process's steps."""
    found = engine.api.containers(all=True, filters={"label": f"{owners.OWNER}={owners.this_process()}"})
    return [container["Id"] for container in found]


@pytest.mark.usefixtures("engine")
class TestIsolation:
    """What a step sees, and as whom."""

    def test_nothing_of_this_machine_is_seen_but_the_steps_own(
        self, launcher: DockerLauncher, make_step: StepMaker, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_text("secret")
        step = make_step(f"cat {tmp_path}/secret; cat ../../../secret; ls {tmp_path}")
        assert not launcher.start(step).exit().ok
        assert "secret\n" not in log_of(step)
        assert launcher.see(str(make_step.root)).startswith("/mnt/azureml/cr/j/")

    @needs_root
    def test_files_belong_to_the_user(self, engine: Engine, in_child: InChild) -> None:
        group = os.stat(socket_of(engine)).st_gid
        with tempfile.TemporaryDirectory() as folder:
            os.chown(folder, USER, USER)

            def run() -> list[Any]:
                os.setgroups([group])
                os.setgid(USER)
                os.setuid(USER)
                os.umask(0o027)
                os.environ["HOME"] = folder
                data = Path(folder) / "data"
                data.mkdir()
                maker = StepMaker(Path(folder) / "cr", LauncherContract.environment, IMAGE)
                write = "id -u; umask; mkdir -p made/there; echo x > made/there/file; touch $HOME/writable"
                python = "python3 -c \"import getpass, os; getpass.getuser(); os.listdir(os.environ['HOME'])\""
                step = maker(f"{write} && {python} && ls raw", mounts=(Mount(str(data), "exe/wd/raw"),))
                with DockerLauncher() as launcher:
                    end = launcher.start(step).exit()
                owned = [os.stat(path).st_uid for path in Path(folder).rglob("*")]
                mode = os.stat(maker.cwd / "made/there/file").st_mode & 0o777
                return [end.ok, log_of(step), sorted(set(owned)), mode]

            assert in_child(run) == [True, f"{USER}\n0027\n", [USER], 0o640]

    def test_no_signal_is_ignored_or_blocked(self, launcher: DockerLauncher, make_step: StepMaker) -> None:
        step = make_step("grep -E '^Sig(Blk|Ign)' /proc/self/status")
        assert launcher.start(step).exit().ok
        assert log_of(step) == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"

    def test_a_server_on_loopback_is_reached(self, launcher: DockerLauncher, make_step: StepMaker) -> None:
        with socketserver.TCPServer(("127.0.0.1", 0), socketserver.StreamRequestHandler) as server:
            threading.Thread(target=server.handle_request, daemon=True).start()
            connect = f'import socket; socket.create_connection(("127.0.0.1", {server.server_address[1]}))'
            assert launcher.start(make_step(f"python3 -c '{connect}'")).exit().ok

    def test_an_input_below_a_place_that_is_written_is_read_only(
        self, launcher: DockerLauncher, make_step: StepMaker, tmp_path: Path
    ) -> None:
        place = tmp_path / "place"
        (place / "raw").mkdir(parents=True)
        mounts = (Mount(str(place / "raw"), "exe/wd/raw"),)
        step = make_step(f"touch {place}/fine; touch {place}/raw/new", mounts=mounts, writable=(str(place),))
        assert not launcher.start(step).exit().ok
        assert (place / "fine").exists()
        assert not (place / "raw" / "new").exists()

    def test_a_link_from_an_earlier_step_gives_way_to_an_input(
        self, launcher: DockerLauncher, make_step: StepMaker, tmp_path: Path
    ) -> None:
        (tmp_path / "in.csv").write_text("1\n")
        (make_step.cwd / "in.csv").symlink_to(tmp_path / "in.csv")
        step = make_step("cat in.csv", mounts=(Mount(str(tmp_path / "in.csv"), "exe/wd/in.csv"),))
        assert launcher.start(step).exit().ok
        assert log_of(step) == "1\n"


class TestEnds:
    """How steps end, and what is left of them."""

    def test_nothing_is_left(self, engine: Engine, make_step: StepMaker) -> None:
        with DockerLauncher() as launcher:
            for command in ("true", "false", "kill -KILL $$"):
                launcher.start(make_step(command)).exit()
            launcher.start(make_step("sleep 600"))
            canceled = launcher.start(make_step("sleep 600"))
            canceled.terminate()
            assert not canceled.exit().ok
        assert containers(engine) == []

    @pytest.mark.usefixtures("engine")
    def test_a_step_that_is_ended_at_once(self, launcher: DockerLauncher, make_step: StepMaker) -> None:
        for end in (DockerRunning.terminate, DockerRunning.kill):
            running = launcher.start(make_step("sleep 600"))
            end(running)
            assert has_ended(running, within=PATIENCE)
            assert not running.exit().ok

    @pytest.mark.usefixtures("engine")
    def test_out_of_memory_is_told(self, launcher: DockerLauncher, make_step: StepMaker) -> None:
        use = "python3 -c 'bytearray(300 << 20)'"
        end = launcher.start(make_step(f"exec {use}", resources={"docker_args": "--memory 64m"})).exit()
        assert end == Exit(137, out_of_memory=True)
        with DockerLauncher(memory="64m") as limited:
            assert limited.start(make_step(use)).exit().out_of_memory
        assert launcher.start(make_step(use)).exit().ok

    def test_a_container_that_somebody_removes_has_vanished(
        self, engine: Engine, launcher: DockerLauncher, make_step: StepMaker
    ) -> None:
        running = launcher.start(make_step("touch ready; sleep 600"))
        wait_for(make_step.cwd / "ready")
        for container in containers(engine):
            engine.api.remove_container(container, force=True)
        assert has_ended(running, within=PATIENCE)
        assert running.exit() == Exit(None, vanished=True)

    def test_an_end_by_another_hand_is_no_success(
        self, engine: Engine, launcher: DockerLauncher, make_step: StepMaker
    ) -> None:
        running = launcher.start(make_step("touch ready; sleep 600"))
        wait_for(make_step.cwd / "ready")
        engine.api.stop(containers(engine)[0])
        assert running.exit() == Exit(143)

    def test_a_killed_runners_containers_are_swept_at_the_next_start(
        self, engine: Engine, make_step: StepMaker, in_child: InChild
    ) -> None:
        (make_step.cwd / "stubborn.py").write_text(STUBBORN)
        step = make_step("python3 stubborn.py; sleep 600")

        def die() -> None:
            DockerLauncher().start(step)
            wait_for(make_step.cwd / "locked")
            os.kill(os.getpid(), signal.SIGKILL)

        assert in_child(die) == -signal.SIGKILL
        own = DockerLauncher()
        own.start(make_step("touch ready; sleep 600"))
        wait_for(make_step.cwd / "ready")
        deadline = time.monotonic() + PATIENCE
        with DockerLauncher() as launcher:
            launcher.get_ready()
            while not is_free(make_step.cwd / "lock") and time.monotonic() < deadline:
                time.sleep(0.05)
        assert is_free(make_step.cwd / "lock")
        assert len(containers(engine)) == 1  # a runner that lives keeps its own
        own.close()

    def test_a_failed_one_is_kept_if_asked(self, engine: Engine, make_step: StepMaker) -> None:
        failed, fine = make_step("echo found > /tmp/what; exit 3"), make_step("true")
        with DockerLauncher(keep_failed=True) as launcher:
            assert launcher.start(failed).exit() == Exit(3)
            assert launcher.start(fine).exit().ok
            canceled = launcher.start(make_step("sleep 600"))
            canceled.kill()
            canceled.exit()
        [kept] = containers(engine)
        name = engine.api.inspect_container(kept)["Name"].lstrip("/")
        assert f"docker commit {name}" in log_of(failed)
        assert log_of(fine) == ""
        owners.sweep(engine.api)
        engine.api.get_archive(kept, "/tmp/what")
        engine.api.remove_container(kept)

    def test_an_image_without_bash_makes_do_with_sh(
        self, engine: Engine, launcher: DockerLauncher, make_step: StepMaker
    ) -> None:
        made = engine.api.create_container(IMAGE, ["rm", "-f", "/bin/bash", "/usr/bin/bash"])["Id"]
        engine.api.start(made)
        engine.api.wait(made)
        image = engine.api.commit(made)["Id"]
        engine.api.remove_container(made)
        try:
            step = make_step("echo fine; exit 3", image=image)
            assert launcher.start(step).exit() == Exit(3)
            assert "has no bash" in log_of(step)
            assert log_of(step).endswith("fine\n")
        finally:
            launcher.close()
            engine.api.remove_image(image, force=True)

    @pytest.mark.usefixtures("engine")
    def test_a_missing_image_is_an_error_that_names_it(self, launcher: DockerLauncher, make_step: StepMaker) -> None:
        with pytest.raises(BackendError, match="no image no/such:image"):
            launcher.start(make_step("true", image="no/such:image")).exit()
        with pytest.raises(BackendError, match="no image"):
            launcher.start(make_step("true", image=""))


class TestResources:
    """`resources` of a step, and the backend's settings."""

    @pytest.mark.usefixtures("engine")
    def test_what_is_safe_is_passed_on(self, launcher: DockerLauncher, make_step: StepMaker) -> None:
        arguments = "--ulimit nofile=123:456 -e GREETING='good day' --hostname=node --tmpfs /scratch --cpus 0.5 --rm"
        look = "ulimit -n; echo $GREETING; df -m --output=size /dev/shm | tail -1; [ -w /scratch ] && cat /etc/hostname"
        step = make_step(look, resources={"shm_size": "96m", "docker_args": arguments})
        assert launcher.start(step).exit().ok
        assert log_of(step).replace(" ", "").split() == ["123", "goodday", "96", "node"]

    @pytest.mark.usefixtures("engine")
    def test_an_ipc_of_the_machines_is_replaced_with_a_note(
        self, launcher: DockerLauncher, make_step: StepMaker
    ) -> None:
        step = make_step("true", resources={"docker_args": ["--ipc=host"]})
        assert launcher.start(step).exit().ok
        assert "the step gets its own /dev/shm" in log_of(step)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ("--privileged", "--privileged gives the step all rights"),
            ("-v /:/host", "--volume gives the step access to more"),
            ("-v/:/host", "--volume gives the step access to more"),
            ("--volume=/:/host:ro", "--volume gives the step access to more"),
            ("--mount type=bind,source=/,target=/host", "--mount gives the step access to more"),
            ("--pid host", "--pid can't be used"),
            ("--cap-add=ALL", "--cap-add gives"),
            ("--device /dev/kmsg", "--device gives"),
            ("--security-opt seccomp=unconfined", "--security-opt weakens"),
            ("--net bridge", "--network puts"),
            ("--sysctl a=b", "--sysctl isn't supported"),
            ("--memory", "--memory needs a value"),
            ("--memory much", "'much' can't be used"),
            ("image", "'image' is not a flag"),
            ("'", "can't be split"),
        ],
    )
    def test_what_is_not_is_refused_by_name(
        self, launcher: DockerLauncher, make_step: StepMaker, arguments: str, said: str
    ) -> None:
        with pytest.raises(BackendError, match=said):
            launcher.start(make_step("true", resources={"docker_args": arguments}))

    @pytest.mark.usefixtures("engine")
    def test_unless_it_is_allowed(self, make_step: StepMaker, tmp_path: Path) -> None:
        (tmp_path / "more").write_text("more\n")
        resources = {"docker_args": f"-v {tmp_path}:/host:ro"}
        with DockerLauncher(allow=["-v"]) as launcher:
            step = make_step("cat /host/more; touch /host/new", resources=resources)
            assert not launcher.start(step).exit().ok
        assert log_of(step).startswith("more\n")

    def test_settings_that_are_wrong_are_told_at_once(self) -> None:
        with pytest.raises(CreditMLError) as caught:
            DockerLauncher(pul="never", pull="sometimes", memory="lots", cpus=0, keep_failed="perhaps", allow=[1])
        message = str(caught.value)
        assert "no setting 'pul'. Did you mean 'pull'?" in message
        for name in ("pull:", "memory:", "cpus:", "keep_failed:", "allow:"):
            assert name in message

    def test_an_engine_that_hangs_does_not_hold_up_the_end(
        self, make_step: StepMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/deaf.sock")
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind(f"{tmp_path}/deaf.sock")
            deaf.listen()
            running = DockerLauncher().start(make_step("true"))
            assert not has_ended(running, within=0.3)
            running.terminate()
            assert running.exit() == Exit(None, signal=signal.SIGTERM)

    def test_no_engine_is_an_error_that_names_what_was_tried(
        self, make_step: StepMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
        with DockerLauncher() as launcher, pytest.raises(BackendUnavailable, match=r"none\.sock.*it doesn't exist"):
            launcher.start(make_step("true")).exit()


class TestEngineGone:
    """The engine goes away while a step runs."""

    def test_for_good(self, engine: Engine, make_step: StepMaker, doorway: Doorway) -> None:
        launcher = DockerLauncher()
        running = launcher.start(make_step("touch ready; sleep 600"))
        wait_for(make_step.cwd / "ready")
        doorway.shut()
        assert not has_ended(running, within=0.5)
        running.kill()
        assert running.exit() == Exit(None, vanished=True)
        for container in containers(engine):
            engine.api.remove_container(container, force=True)

    @pytest.mark.usefixtures("engine")
    def test_for_a_moment(self, make_step: StepMaker, doorway: Doorway) -> None:
        with DockerLauncher() as launcher:
            running = launcher.start(make_step("touch ready; while [ ! -e go ]; do sleep 0.01; done; exit 3"))
            wait_for(make_step.cwd / "ready")
            doorway.shut()
            assert not has_ended(running, within=0.5)
            doorway.open()
            (make_step.cwd / "go").touch()
            assert running.exit() == Exit(3)
