from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import LockedError
from reconciler.host import lock, process
from reconciler.host.session import Session
from reconciler.host.store import store_of
from reconciler.model.resource import HostSpec

ROOT = Path(__file__).parents[2]


@pytest.fixture
def session(test_uri: str) -> Iterator[Session]:
    with Session.open(HostSpec("node1", test_uri)) as opened:
        yield opened


def plant(session: Session, holder: lock.Holder) -> None:
    assert store_of(session).create("vireo/demo/lock", holder.to_text())


def holder(*, lease: float = 600.0) -> lock.Holder:
    """A lock of this process, as another apply would have written it down."""
    now = time.time()
    return lock.Holder("ann@elsewhere", process.this(), now, now + lease)


def test_a_second_apply_is_told_who_holds_the_lock_and_what_to_do(session: Session) -> None:
    with lock.hold(session, "demo"), pytest.raises(LockedError) as caught, lock.hold(session, "demo"):
        pytest.fail("two held one lock")
    assert process.who() in caught.value.summary
    assert "since" in caught.value.detail
    assert str(os.getpid()) in caught.value.detail
    assert "vireo unlock" in caught.value.hint


def test_projects_and_later_applies_do_not_wait_for_each_other(session: Session) -> None:
    with lock.hold(session, "demo"), lock.hold(session, "demo2"):
        pass
    assert lock.holder(session, "demo") is None
    with lock.hold(session, "demo"):
        pass


def test_a_failure_under_the_lock_gives_it_back(session: Session) -> None:
    with pytest.raises(ZeroDivisionError), lock.hold(session, "demo"):
        raise ZeroDivisionError
    assert lock.holder(session, "demo") is None


def test_waiting_ends_when_the_lock_is_given_back(session: Session) -> None:
    plant(session, holder())
    notices: list[str] = []

    def give_back(_seconds: float) -> None:
        lock.break_lock(session, "demo")

    with lock.hold(session, "demo", notice=notices.append, sleep=give_back, wait=60):
        assert "ann@elsewhere" in notices[0]
        assert len(notices) == 1


def test_waiting_ends_when_the_patience_does(session: Session) -> None:
    now = [time.time()]
    plant(session, holder())

    def pass_time(seconds: float) -> None:
        now[0] += seconds

    with pytest.raises(LockedError), lock.hold(session, "demo", clock=lambda: now[0], sleep=pass_time, wait=10):
        pytest.fail("two held one lock")
    assert now[0] - time.time() >= 9


@pytest.fixture
def ended() -> Iterator[process.Process]:
    """A process of this machine that has ended, but was not yet waited for by its parent: a zombie, as after a kill."""
    child = subprocess.Popen(["sleep", "infinity"])
    alive = replace(process.this(), pid=child.pid, started=started(child.pid))
    assert not alive.is_dead
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    yield alive
    child.wait()


def started(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])


GONE: dict[str, Callable[[], lock.Holder]] = {
    "its lease ran out": lambda: holder(lease=-1),
    "its pid is another process's now": lambda: replace(holder(), process=replace(process.this(), started=1)),
    "the machine was restarted": lambda: replace(holder(), process=replace(process.this(), boot="an earlier one")),
}


@pytest.mark.parametrize("why", GONE)
def test_the_lock_of_a_holder_that_is_gone_is_taken_over_at_once(session: Session, why: str) -> None:
    plant(session, GONE[why]())
    notices: list[str] = []
    with lock.hold(session, "demo", notice=notices.append) as held:
        assert held.still_held()
        found = lock.holder(session, "demo")
        assert found
        assert found.who == process.who()
    assert "took over" in notices[0]


def test_the_lock_of_a_killed_process_is_taken_over_before_anybody_waited_for_it(
    session: Session, ended: process.Process
) -> None:
    plant(session, replace(holder(), process=ended))
    with lock.hold(session, "demo") as held:
        assert held.still_held()


UNKNOWN: dict[str, Callable[[], lock.Holder]] = {
    "it is on another machine": lambda: replace(holder(), process=replace(process.this(), machine="other", pid=2**22)),
    "it is in another container": lambda: replace(holder(), process=replace(process.this(), namespace="other", pid=2**22)),
    "it is alive": holder,
}


@pytest.mark.parametrize("why", UNKNOWN)
def test_the_lock_of_a_holder_that_may_be_alive_is_respected(session: Session, why: str) -> None:
    plant(session, UNKNOWN[why]())
    with pytest.raises(LockedError), lock.hold(session, "demo"):
        pytest.fail("two held one lock")


def test_a_lock_that_cannot_be_read_is_respected_and_can_be_broken(session: Session) -> None:
    assert store_of(session).create("vireo/demo/lock", "what is this")
    with pytest.raises(LockedError), lock.hold(session, "demo"):
        pytest.fail("two held one lock")
    assert lock.break_lock(session, "demo")
    with lock.hold(session, "demo"):
        pass


def test_a_broken_lock_is_noticed_and_the_next_one_is_left_alone(session: Session) -> None:
    with lock.hold(session, "demo") as held:
        assert held.still_held()
        broken = lock.break_lock(session, "demo")
        assert broken
        assert broken.who == process.who()
        with lock.hold(session, "demo") as next_one:
            assert not held.still_held()
            assert not held.renew()
            held.release()
            assert next_one.still_held()
    assert lock.break_lock(session, "demo") is None


def test_a_lease_that_ran_out_is_not_held_any_more(session: Session) -> None:
    now = [time.time()]
    with lock.hold(session, "demo", clock=lambda: now[0], lease=1000) as held:
        now[0] += 999
        assert held.still_held()
        now[0] += 2
        assert not held.still_held()


def test_the_lease_is_renewed_while_the_lock_is_held(session: Session) -> None:
    ticks = threading.Event()
    times = iter(range(1_000_000))

    def clock() -> float:
        now = next(times)
        if now > 20:
            ticks.set()
        return now

    with lock.hold(session, "demo", clock=clock, lease=0.03):
        first = lock.holder(session, "demo")
        assert ticks.wait(30)
        later = lock.holder(session, "demo")
        assert first
        assert later
        assert later.until > first.until
        assert later.since == first.since


def test_losing_the_lock_is_told(session: Session) -> None:
    told = threading.Event()
    with lock.hold(session, "demo", notice=lambda _message: told.set(), lease=0.03, clock=lambda: 0.0) as held:
        lock.break_lock(session, "demo")
        assert told.wait(30)
        assert not held.still_held()
