"""Whose the state directory is: bywayd's alone, and readable to the user that it runs as, or it does not start. Nothing
that it cannot read is called damaged."""

import os
import pwd
import shutil
import stat

import pytest

from daemon import Daemon, program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = ["setpriv", "--reuid=nobody", f"--regid={NOBODY.pw_gid}", "--clear-groups"]


def owners(directory):
    """{name: (user, mode)} of the directory and all in it, but for a snapshot that is being written."""
    paths = [directory, *(path for path in sorted(directory.iterdir()) if path.suffix != ".tmp")]
    return {path.name: (pwd.getpwuid(path.lstat().st_uid).pw_name, stat.S_IMODE(path.lstat().st_mode)) for path in paths}


def give(path, user):
    shutil.chown(path, user, pwd.getpwnam(user).pw_gid)


def refused(daemon):
    """Starts it in vain; what it says of `state`."""
    assert daemon.spawn().wait(10) == 1, daemon.log()
    daemon.process = None
    daemon.check_log()
    return [line for line in daemon.log().splitlines() if line.startswith("error state:")][-1]


@pytest.fixture
def make(domestic, external):
    daemons = []

    def make(config=None):
        daemons.append(Daemon([domestic], [external], config))
        return daemons[-1]
    yield make
    for daemon in daemons:
        daemon.close()


@pytest.fixture
def unit(make):
    """Runs as nobody from the start, as a unit does, and knows a pin."""
    daemon = make()
    give(daemon.directory, "nobody")
    daemon.program = [*AS_NOBODY, program("bywayd")]
    daemon.start()
    daemon.control("zones", "pin", "important.test", "external")
    return daemon


def start_anew(daemon):
    daemon.start()
    assert "important.test." in daemon.zones()
    assert not [path for path in daemon.state.iterdir() if ".bad-" in path.name]


@pytest.mark.parametrize("end", [Daemon.stop, Daemon.kill])
@pytest.mark.parametrize("name", ["snapshot", "journal"])
def test_a_file_of_roots_is_not_set_aside(unit, name, end):
    end(unit)
    path = unit.state / name
    if not path.exists():
        pytest.skip("there is none yet")
    give(path, "root")
    path.chmod(0o600)
    before = owners(unit.state)
    assert f"{path} belongs to root, and bywayd runs as nobody: chown it" in refused(unit)
    assert owners(unit.state) == before
    give(path, "nobody")
    start_anew(unit)


def test_root_ran_it_once_by_hand(unit):
    """What root has pinned is not lost either: it is said what to do, and then all is there."""
    unit.stop()
    unit.program = [program("bywayd")]
    unit.start()
    unit.control("zones", "pin", "second.test", "external")
    unit.stop()
    unit.program = [*AS_NOBODY, program("bywayd")]
    for _ in range(4):
        said = refused(unit) if any(owner == "root" for owner, _ in owners(unit.state).values()) else None
        if said is None:
            break
        path = said.split("error state: ")[1].split(" belongs to root")[0]
        give(path, "nobody")
        give(unit.state / "lock", "nobody")
    start_anew(unit)
    assert "second.test." in unit.zones()


def test_what_holds_nothing_may_be_anybodys(unit):
    """The lock, what is left of an unfinished snapshot, and what was set aside."""
    unit.stop()
    for name in ("snapshot.tmp", "journal.tmp", "journal.bad-1"):
        (unit.state / name).write_bytes(b"left")
    for name in ("lock", "snapshot.tmp", "journal.tmp", "journal.bad-1"):
        give(unit.state / name, "root")
        (unit.state / name).chmod(0o600)
    unit.start()
    unit.control("zones", "pin", "second.test", "external")
    assert unit.control("status")["store"]["failing"] is False
    unit.restart()
    assert {"important.test.", "second.test."} <= set(unit.zones())


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_a_directory_of_roots(unit, mode):
    unit.stop()
    give(unit.state, "root")
    unit.state.chmod(mode)
    assert f"{unit.state} belongs to root, and bywayd runs as nobody: chown it" in refused(unit)
    give(unit.state, "nobody")
    start_anew(unit)


def test_a_directory_that_cannot_be_reached(unit):
    unit.stop()
    above = unit.directory / "above"
    above.mkdir()
    unit.set({"state": str(above / "state")})
    unit.state.rename(above / "state")
    above.chmod(0o700)
    assert str(above / "state") in refused(unit)
    above.chmod(0o755)
    unit.state = above / "state"
    start_anew(unit)


@pytest.mark.parametrize("what", ["directory", "fifo", "link"])
@pytest.mark.parametrize("name", ["snapshot", "journal"])
def test_what_is_no_file_stays_where_it_is(unit, name, what):
    unit.kill()
    path = unit.state / name
    if path.exists():
        path.rename(unit.directory / "kept")
    {"directory": path.mkdir, "fifo": lambda: os.mkfifo(path), "link": lambda: path.symlink_to("/etc/passwd")}[what]()
    assert f"{path} is no regular file" in refused(unit)
    path.rmdir() if what == "directory" else path.unlink()
    if (unit.directory / "kept").exists():
        (unit.directory / "kept").rename(path)
    start_anew(unit)


def test_a_state_that_is_no_directory(make):
    daemon = make()
    daemon.state.write_text("")
    assert str(daemon.state) in refused(daemon)
    assert daemon.state.read_text() == ""


def test_a_link_to_a_directory(make):
    """Somebody has moved it to a larger disk."""
    daemon = make()
    elsewhere = daemon.directory / "elsewhere"
    elsewhere.mkdir()
    daemon.state.symlink_to(elsewhere)
    daemon.start()
    daemon.control("zones", "pin", "kept.test", "external")
    daemon.restart()
    assert "kept.test." in daemon.zones() and daemon.state.is_symlink()


# ---- started as root, with `user` ----


def test_somebody_elses_directory(make):
    """`state` names it by mistake: nothing in it is touched."""
    daemon = make({"user": "nobody"})
    give(daemon.directory, "nobody")
    daemon.state.mkdir()
    (daemon.state / "shadow").write_text("root:x")
    (daemon.state / "shadow").chmod(0o600)
    (daemon.state / "sub").mkdir()
    before = owners(daemon.state)
    said = refused(daemon)
    assert f"{daemon.state} has files of others (s" in said and "for bywayd alone" in said
    assert owners(daemon.state) == before
    shutil.rmtree(daemon.state)
    daemon.state.mkdir()
    (daemon.state / "lost+found").mkdir(mode=0o700)
    daemon.start()
    assert owners(daemon.state)["lost+found"][0] == "root"
    assert owners(daemon.state)["state"][0] == "nobody"


def test_the_state_of_another_that_runs(make):
    """Of another user: neither its files nor what it learns suffers."""
    first, second = make(), make({"user": "nobody"})
    give(first.directory, "daemon")
    first.program = ["setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups", program("bywayd")]
    first.start()
    first.control("zones", "pin", "first.test", "external")
    before = owners(first.state)
    second.set({"state": str(first.state)})
    assert f"another bywayd (process {first.process.pid}) uses {first.state}" in refused(second)
    assert owners(first.state) == before
    first.control("zones", "pin", "second.test", "external")
    first.restart()
    assert {"first.test.", "second.test."} <= set(first.zones())
    first.stop()
    before = owners(first.state)  # nor where it does not run
    assert "belongs to daemon, and bywayd runs as nobody: chown it" in refused(second)
    assert owners(first.state) == before


def test_root_without_the_right_to_give(make):
    """It says so, and serves with what is its user's already."""
    daemon = make({"user": "nobody"})
    daemon.state.mkdir(mode=0o750)
    for path in (daemon.directory, daemon.state):
        give(path, "nobody")
    daemon.program = ["setpriv", "--bounding-set=-chown", program("bywayd")]
    daemon.start()
    assert "cannot give the listening sockets" in daemon.log_path.read_text()


def test_from_root_to_a_user_and_to_a_unit(make):
    """Each start leaves what the next can use, down to the lock."""
    daemon = make()
    give(daemon.directory, "nobody")
    daemon.start()
    daemon.control("zones", "pin", "important.test", "external")
    daemon.stop()
    daemon.set({"user": "nobody"})
    start_anew(daemon)
    assert {owner for owner, _ in owners(daemon.state).values()} == {"nobody"}
    daemon.stop()
    daemon.set({"user": None})
    daemon.program = [*AS_NOBODY, program("bywayd")]
    start_anew(daemon)
