"""What the local launcher keeps steps from writing into, and all that it must leave alone."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from creditml.seams.launcher import Mount
from creditml.testing.launchers import LauncherContract
from creditml.testing.steps import StepMaker, log_of
from creditml_local import guard, landlock, linux, protection, readonly
from creditml_local.launcher import LocalLauncher
from creditml_local.ways import available_ways

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import InChild

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

NOBODY = 65534
PR_SET_DUMPABLE = 4
CLONE_NEWNS, MS_REC, MS_SLAVE = 0x0002_0000, 0x4000, 0x8_0000


def mounts_of_the_machine() -> list[str]:
    """What is mounted in this process's namespace, without what a container engine mounts for other tests meanwhile."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if not {"overlay", "nsfs"} & set(line.partition(" - ")[2].split())]


class Place:
    """A home folder with a project in it, in which a step runs that reads `data`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.project = self.home / "project"
        self.data = self.project / "data"
        self.beside = self.home / "beside"  # next to the project, as is:
        self.cache = self.home / ".cache" / "pip"
        for made in (self.data / "part", self.beside, self.cache):
            made.mkdir(parents=True)
        (self.data / "part" / "1.csv").write_text("1\n")
        (self.home / ".profile").write_text("old\n")
        workspace = self.project / ".creditml"
        self.make_step = StepMaker(workspace / "cr", {**LauncherContract.environment, "HOME": str(self.home)})
        self.protecting = {"mounts": (Mount(str(self.data), "exe/wd/data"),), "protected": (str(workspace),)}

    def run(self, command: str) -> str:
        """Run a command, which must end well, and return what it has written."""
        step = self.make_step(command, **self.protecting)
        with LocalLauncher() as launcher:
            end = launcher.start(step).exit()
        assert end.ok, log_of(step)
        return log_of(step)

    def refuses(self, command: str) -> str:
        """Run a command, which must fail and leave the data as they were; return what it has written."""
        step = self.make_step(command, **self.protecting)
        with LocalLauncher() as launcher:
            end = launcher.start(step).exit()
        assert end.code == 1, log_of(step)
        assert [str(file.relative_to(self.data)) for file in sorted(self.data.rglob("*"))] == ["part", "part/1.csv"]
        assert (self.data / "part" / "1.csv").read_text() == "1\n"
        return log_of(step)


@pytest.fixture
def place() -> Iterator[Place]:
    """Make a place that isn't in a folder for temporary files: these are a case of their own."""
    folder = Path(tempfile.mkdtemp(prefix=".creditml-test-", dir=Path.home()))
    yield Place(folder)
    shutil.rmtree(folder)


@pytest.fixture
def _by_mounts(in_child: InChild, tmp_path: Path) -> None:
    def can_mount() -> bool:
        kinds = {type(way) for way in available_ways(protection.plan([str(tmp_path)], [], []))}
        return readonly.ReadOnlyMounts in kinds

    if not in_child(can_mount):
        pytest.skip("this user may not mount")


@pytest.fixture
def _by_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        way = landlock.Landlock()
    except OSError as error:
        pytest.skip(f"no Landlock: {error}")
    monkeypatch.setattr(guard, "available_ways", lambda _: [way])


@pytest.fixture(params=["_by_mounts", "_by_landlock"])
def _protected(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(request.param)


HARMLESS = {
    "make a file": "echo x > new && cat new",
    "rename a file": "echo x > a && mv a b && mkdir d && mv b d/ && mv d e && cat e/b",
    "link a file": "echo x > a && mkdir d && ln a d/b && ln -s a c && rm a && cat d/b",
    "truncate a file": "echo long > a && : > a && truncate -s 3 a && truncate -s 0 a",
    "remove a folder": "mkdir -p a/b && touch a/b/c && rm -r a",
    "make a pipe": "mkfifo p && (echo x > p &) && cat p",
    "read the input": "cat data/part/1.csv && cp -rL data mine && echo x >> mine/part/1.csv",
    "write an output": "echo x > ../../cap/data-capability/wd/out",
    "write beside the project": "echo x > ~/beside/new && mkdir ~/beside/folder && rm ~/beside/new",
    "move something beside the project": "echo x > a && mv a ~/beside/ && mkdir d && mv d ~/beside/ && mv ~/beside/a .",
    "rename between folders elsewhere": "cd ~; echo x > beside/a && mv beside/a .cache/ && ln .cache/a beside/b",
    "write into a cache": "mkdir ~/.cache/pip/http && echo x > ~/.cache/pip/http/1 && echo x > ~/.cache/new",
    "write into a file of the home folder": "echo new > ~/.profile",
    "write a temporary file": 'f=$(mktemp) && echo x > "$f" && rm "$f" && f=$(mktemp -p /var/tmp) && rm "$f"',
    "write a here-document": "cat <<< x",
    "write to devices": "echo x > /dev/null && echo x > /dev/zero",
    "write to /dev/shm": 'f=$(mktemp -p /dev/shm) && echo x > "$f" && rm "$f"',
    "write to /proc": "echo renamed > /proc/self/comm",
    "substitute processes": "diff <(echo a) <(echo a) && echo x > >(cat)",
    "use git": "git init -q . && git -c user.name=n -c user.email=e commit -q --allow-empty -m m && git gc -q",
    "start bash": "bash -c 'echo x > inner && cat inner'",
}

HARMLESS_IN_PYTHON = {
    "a terminal": "import os; master, slave = os.openpty(); os.write(slave, b'x'); print(os.read(master, 1))",
    "a terminal by name": "import os; m, s = os.openpty(); open(os.ttyname(s), 'w').write('x')",
    "a socket": "import socket; s = socket.socket(socket.AF_UNIX); s.bind('socket'); s.listen()",
    "a memory file": "import os; f = os.memfd_create('m'); open(f'/proc/self/fd/{f}', 'w').write('x')",
    "a semaphore": "import multiprocessing as m; m.Lock().acquire()",
    "shared memory": "from multiprocessing import shared_memory as m; m.SharedMemory(create=True, size=9).unlink()",
    "sqlite": (
        "import sqlite3; d = sqlite3.connect('d'); d.execute('pragma journal_mode=wal'); d.execute('create table t(x)')"
    ),
    "a temporary folder": "import tempfile; d = tempfile.TemporaryDirectory(); open(d.name + '/x', 'w'); d.cleanup()",
    "a virtual environment": "import venv; venv.create('v', symlinks=True); import os; os.stat('v/bin/python')",
}


@pytest.mark.usefixtures("_protected")
class TestEitherWay:
    """What holds for both ways of protection."""

    @pytest.mark.parametrize("command", HARMLESS.values(), ids=HARMLESS)
    def test_a_step_may(self, place: Place, command: str) -> None:
        if command.startswith("git") and not shutil.which("git"):
            pytest.skip("there is no git")
        place.run(f"set -e; {command}")

    @pytest.mark.parametrize("program", HARMLESS_IN_PYTHON.values(), ids=HARMLESS_IN_PYTHON)
    def test_a_step_may_use(self, place: Place, program: str) -> None:
        (place.make_step.cwd / "program.py").write_text(program)
        place.run(f"{sys.executable} program.py")

    def test_a_step_may_not_change_what_the_source_of_a_mount_links_to(self, place: Place) -> None:
        (place.project / "link").symlink_to(place.data)
        place.protecting["mounts"] = (Mount(str(place.project / "link"), "exe/wd/data"),)
        place.refuses("echo x >> data/part/1.csv")
        place.refuses(f"echo x >> {place.data}/part/1.csv")

    @pytest.mark.parametrize("call", ["truncate(path, 0)", "open(path, os.O_RDONLY | os.O_TRUNC)"])
    def test_a_step_may_not_truncate_without_opening_for_writing(self, place: Place, call: str) -> None:
        (place.make_step.cwd / "truncate.py").write_text(f"import os\npath = 'data/part/1.csv'\nos.{call}")
        place.refuses(f"{sys.executable} truncate.py")

    def test_a_step_may_not_write_into_another_ones_folder(self, place: Place) -> None:
        other = place.make_step.root.parent / "other"
        other.mkdir()
        place.refuses(f"touch {other}/file")

    def test_each_step_is_protected_from_on_its_own(self, place: Place) -> None:
        """What one step must not write, the next one with the same guard may."""
        reads = place.make_step("echo x >> data/part/1.csv", **place.protecting)
        writes = place.make_step(f"echo 2 > {place.data}/part/1.csv")
        with LocalLauncher() as launcher:
            assert launcher.start(reads).exit().code == 1
            assert launcher.start(writes).exit().ok
            assert launcher.start(reads).exit().code == 1
        assert (place.data / "part" / "1.csv").read_text() == "2\n"

    def test_what_appears_meanwhile_is_writable(self, place: Place) -> None:
        with LocalLauncher() as launcher:
            for name in ("first", "second"):
                (place.home / name).mkdir()
                time.sleep(0.05)
                step = place.make_step(f"touch ~/{name}/file", **place.protecting)
                assert launcher.start(step).exit().ok, log_of(step)

    def test_the_runner_itself_is_not_restricted(self, place: Place) -> None:
        place.run("true")
        (place.data / "part" / "2.csv").touch()


@pytest.mark.usefixtures("_by_mounts")
class TestByMounts:
    """What only mounts can do."""

    def test_writing_says_that_it_is_read_only(self, place: Place) -> None:
        assert "Read-only file system" in place.refuses("echo x >> data/part/1.csv")

    @pytest.mark.parametrize("command", ["chmod 777", "touch -d 2000-01-01", "truncate -s 0"])
    def test_nothing_about_a_file_can_be_changed(self, place: Place, command: str) -> None:
        before = (place.data / "part" / "1.csv").stat()
        place.refuses(f"{command} data/part/1.csv")
        after = (place.data / "part" / "1.csv").stat()
        assert (after.st_mode, after.st_mtime_ns, after.st_size) == (before.st_mode, before.st_mtime_ns, before.st_size)

    def test_folders_above_what_is_protected_are_as_they_were(self, place: Place) -> None:
        place.run(
            "touch ~/new ~/project/new && mv ~/.profile ~/.profile.bak && mkdir ~/scikit_learn_data && rmdir ~/beside"
        )

    def test_it_works_in_a_temporary_folder(self, tmp_path: Path) -> None:
        place = Place(tmp_path)
        place.refuses("echo x >> data/part/1.csv")
        place.run("touch ~/new; f=$(mktemp) && rm $f")

    def test_what_takes_the_place_of_something_protected_is_seen_and_protected(self, place: Place) -> None:
        shows = place.make_step(f"cat data/part/1.csv; echo x >> {place.data}/part/1.csv", **place.protecting)
        with LocalLauncher() as launcher:
            assert launcher.start(shows).exit().code == 1
            place.data.rename(place.data.with_name("old"))
            (place.data / "part").mkdir(parents=True)
            (place.data / "part" / "1.csv").write_text("another one\n")
            assert launcher.start(shows).exit().code == 1
        assert "another one" in log_of(shows)
        assert (place.data / "part" / "1.csv").read_text() == "another one\n"

    def test_the_machine_sees_none_of_it(self, place: Place) -> None:
        before = mounts_of_the_machine()
        inside = place.run("cat /proc/self/mountinfo")
        assert str(place.data) in inside
        assert mounts_of_the_machine() == before

    @needs_root
    def test_what_is_mounted_in_it_is_protected_too(self, place: Place, in_child: InChild) -> None:
        def run() -> str:
            linux.unshare(CLONE_NEWNS)
            linux.change_mount("/", MS_REC | MS_SLAVE)
            assert os.system(f"mount -t tmpfs none {place.data}/part && echo 1 > {place.data}/part/1.csv") == 0
            place.refuses("echo x >> data/part/1.csv")
            place.run("cat data/part/1.csv")
            return "done"

        assert in_child(run) == "done"

    @needs_root
    def test_a_changed_root_stays(self, tmp_path: Path, in_child: InChild) -> None:
        """In a chroot mounts may not be possible; finding that out must not lead out of it."""
        (tmp_path / "proc").mkdir()
        (tmp_path / "data").mkdir()

        def run() -> list[list[str]]:
            linux.unshare(CLONE_NEWNS)
            linux.change_mount("/", MS_REC | MS_SLAVE)
            assert os.system(f"mount --bind /proc {tmp_path}/proc") == 0
            os.chroot(tmp_path)
            os.chdir("/")
            what = protection.plan(["/data"], [], [])
            before = sorted(os.listdir("/"))
            with suppress(protection.NoProtectionError, OSError):
                way = readonly.ReadOnlyMounts(what)
                way.start(what, os.getpid)
                way.rest()
            return [before, sorted(os.listdir("/")), sorted(os.listdir("."))]

        assert in_child(run) == [["data", "proc"]] * 3


@pytest.mark.usefixtures("_by_landlock")
class TestByLandlock:
    """What it costs to be able only to allow."""

    def test_nothing_new_can_be_made_above_what_is_protected(self, place: Place) -> None:
        place.refuses("touch ~/new")
        place.refuses("touch ~/project/new")

    def test_a_temporary_folder_is_usable_whatever_lies_in_it(self, tmp_path: Path) -> None:
        Place(tmp_path).run("touch ~/new; f=$(mktemp) && rm $f")

    def test_the_steps_own_temporary_folder_is_usable(self, place: Place) -> None:
        step = place.make_step("f=$(mktemp) && rm $f", env={"TMPDIR": str(place.project)}, **place.protecting)
        with LocalLauncher() as launcher:
            assert launcher.start(step).exit().ok, log_of(step)

    def test_a_crowded_folder_is_not_looked_through(self, place: Place) -> None:
        for number in range(landlock.CROWDED):
            (place.home / f"{number}").touch()
        place.refuses("echo x > ~/0")
        place.refuses("echo x > data/part/1.csv")
        place.run("touch fine /tmp/creditml-test && rm /tmp/creditml-test")


class TestOrdinaryUser:
    """As a user without privileges."""

    @needs_root
    @pytest.mark.parametrize("way", ["_by_mounts", "_by_landlock"])
    def test_inputs_are_protected(
        self, request: pytest.FixtureRequest, in_child: InChild, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        if way == "_by_landlock":
            request.getfixturevalue(way)
            monkeypatch.setattr(protection, "TEMPORARY", ())
        folder = Path(tempfile.mkdtemp())  # pytest's own is for root only

        def run() -> list[str]:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as a process is that was started by that user
            place = Place(folder / "place")
            return [place.refuses("echo x >> data/part/1.csv"), place.run("id -u; touch new; touch ~/beside/new")]

        try:
            os.chown(folder, NOBODY, NOBODY)
            refusal, user = in_child(run)
        finally:
            shutil.rmtree(folder)
        assert user == f"{NOBODY}\n"
        if "Permission denied" in refusal and way == "_by_mounts":
            pytest.skip("this system doesn't let ordinary users make user namespaces")
        assert ("Read-only file system" if way == "_by_mounts" else "Permission denied") in refusal
