from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.errors import ConnectionLostError, LibvirtCallError, LockedError
from reconciler.host import lock, process
from reconciler.host.session import Session
from reconciler.host.store import store_of
from reconciler.model.resource import HostSpec
from tests.lab.nodes import Lab

ROOT = Path(__file__).parents[2]

HOLDER = """
import sys
from reconciler.errors import LockedError
from reconciler.host import lock
from reconciler.host.session import Session
from reconciler.model.resource import HostSpec

with Session.open(HostSpec("node1", sys.argv[1])) as session:
    print("ready", flush=True)
    for project in sys.stdin:
        try:
            with lock.hold(session, project.strip()) as held:
                print("mine" if held.still_held() else "lost", flush=True)
                sys.stdin.readline()
        except LockedError:
            print("refused", flush=True)
"""


@pytest.fixture
def session(host_uri: str) -> Iterator[Session]:
    with Session.open(HostSpec("node1", host_uri)) as opened:
        yield opened


class Apply:
    """Another process that wants the lock; it holds it until it is told to go on."""

    def __init__(self, uri: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, uri], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def want(self, project: str = "demo") -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{project}\n")
        self.process.stdin.flush()


@pytest.fixture
def applies(host_uri: str) -> Iterator[list[Apply]]:
    several = [Apply(host_uri) for _ in range(6)]
    yield several
    for apply in several:
        apply.process.kill()
        apply.process.communicate()


ROUNDS = 15


def race(applies: list[Apply], project: str) -> list[str]:
    """What each says of those that want the project's lock at one time; who got it gives it back when all have spoken."""
    for apply in applies:
        apply.want(project)
    said = [apply.line() for apply in applies]
    for apply, word in zip(applies, said, strict=True):
        if word != "refused":
            apply.want()
    return sorted(said)


def test_of_many_processes_that_start_together_one_gets_the_lock(applies: list[Apply]) -> None:
    for turn in range(ROUNDS):
        assert race(applies, f"demo{turn}") == ["mine"] + ["refused"] * 5


def test_of_many_processes_that_find_one_stale_lock_one_takes_it_over(session: Session, applies: list[Apply]) -> None:
    stale = lock.Holder("ann@elsewhere", process.this(), since=0, until=1)
    for turn in range(ROUNDS):
        assert store_of(session).create(f"vireo/demo{turn}/lock", stale.to_text())
        assert race(applies, f"demo{turn}") == ["mine"] + ["refused"] * 5


def test_the_lock_of_a_killed_apply_is_free_at_once(session: Session, applies: list[Apply]) -> None:
    victim = applies[0]
    victim.want()
    assert victim.line() == "mine"
    with pytest.raises(LockedError) as caught, lock.hold(session, "demo"):
        pytest.fail("two held one lock")
    assert str(victim.process.pid) in caught.value.detail
    victim.process.kill()
    victim.process.wait()
    notices: list[str] = []
    with lock.hold(session, "demo", notice=notices.append) as held:
        assert held.still_held()
    assert "took over" in notices[0]


def test_unlock_takes_the_lock_from_a_living_apply(session: Session, applies: list[Apply]) -> None:
    applies[0].want()
    assert applies[0].line() == "mine"
    holder = lock.holder(session, "demo")
    assert holder
    assert lock.break_lock(session, "demo") == holder
    with lock.hold(session, "demo"):
        applies[0].want()  # the end of its work: it must not give back what is not its own any more
        applies[0].process.communicate(timeout=30)
        assert lock.holder(session, "demo") is not None


def test_the_lock_is_refused_over_a_read_only_connection(session: Session, host_uri: str) -> None:
    with Session.open(HostSpec("node1", f"{host_uri}-ro")) as reader:
        with pytest.raises(LibvirtCallError, match="read-only"), lock.hold(reader, "demo"):
            pytest.fail("locked over a read-only connection")
        with lock.hold(session, "demo"):
            assert lock.holder(reader, "demo") is not None


def test_the_lock_survives_the_daemon(session: Session, lab: Lab) -> None:
    with lock.hold(session, "demo") as held:
        lab.restart(kill=True)
        with pytest.raises(ConnectionLostError):
            held.still_held()
        session.reconnect()
        assert held.still_held()
    assert lock.holder(session, "demo") is None


def test_a_lock_that_cannot_be_given_back_is_told_and_hides_nothing(session: Session, lab: Lab) -> None:
    notices: list[str] = []

    def apply() -> None:
        with lock.hold(session, "demo", notice=notices.append):
            lab.kill_daemon()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        apply()
    lab.ensure()
    session.reconnect()
    assert "could not be given back" in notices[0]
    assert lock.break_lock(session, "demo") is not None
