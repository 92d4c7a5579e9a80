"""One writer for each project and host: a lease that is written down on the host, so that it holds between machines.

It guards against two applies at once, not against malice: who has the right to change the host can break it.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from reconciler.errors import HostError, LockedError
from reconciler.host import process
from reconciler.host.filestore import Entry
from reconciler.host.inventory import ROOT
from reconciler.host.session import Session
from reconciler.host.store import Store, store_of

LEASE = 600.0  # seconds; renewed while it is held, so it only runs out when its holder is gone or cut off
RENEWALS = 3  # in the time of a lease
RETRY = 5.0  # seconds until a renewal that failed is tried again
NEVER = 253402300799.0  # the last second that has a date
LOOK_AGAIN = 1.0  # seconds between two looks while waiting for another's lock


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: `who` as user@machine; `since` and `until` are seconds since 1970, by the holder's clock."""

    who: str
    process: process.Process
    since: float
    until: float

    def is_gone(self, now: float) -> bool:
        """Whether the lock may be taken over at once: its lease ran out, or its process ended on this very machine."""
        return self.until < now or self.process.is_dead

    def __str__(self) -> str:
        since, until = (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") for at in (self.since, self.until))
        return f"{self.who} (process {self.process.pid}) since {since}, until {until} unless renewed"

    def to_text(self) -> str:
        data = {"format": 1, "who": self.who, "process": self.process.to_json(), "since": self.since, "until": self.until}
        return json.dumps(data, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Holder | None:
        """The holder that `text` tells of; None if it tells of none."""
        try:
            data = json.loads(text)
            holder = process.Process.from_json(data["process"])
            return cls(str(data["who"]), holder, float(data["since"]), float(data["until"]))
        except (ValueError, KeyError, TypeError):
            return None


class Lock:
    """A lock that is held. `still_held` is to be asked before each action: somebody may have broken it."""

    def __init__(self, store: Store, entry: Entry, holder: Holder, clock: Callable[[], float]) -> None:
        self._store = store
        self._entry = entry
        self._holder = holder
        self._clock = clock
        self._guard = threading.Lock()
        self._lost = False

    def still_held(self) -> bool:
        """Whether the lock on the host is still this one, and its lease has time left. Raises HostError as any call does."""
        with self._guard:
            if self._lost or self._clock() > self._holder.until:
                return False
            found = self._store.entries(self._entry.usage)
            self._lost = self._entry.handle not in {entry.handle for entry in found if entry.usage == self._entry.usage}
            return not self._lost

    def renew(self, lease: float = LEASE) -> bool:
        """Moves the end of the lease to `lease` seconds from now; False if the lock is not ours any more."""
        with self._guard:
            if self._lost:
                return False
            holder = replace(self._holder, until=self._clock() + lease)
            entry = self._store.replace(self._entry, holder.to_text())
            if entry is None:
                self._lost = True
                return False
            self._entry, self._holder = entry, holder
            return True

    def release(self) -> None:
        """Gives the lock back; does nothing if it is not ours any more."""
        with self._guard:
            self._lost = True
            self._store.remove(self._entry)


@contextlib.contextmanager
def hold(
    session: Session,
    project: str,
    *,
    clock: Callable[[], float] = time.time,
    notice: Callable[[str], None] = lambda _message: None,
    sleep: Callable[[float], None] = time.sleep,
    wait: float = 0.0,
    lease: float = LEASE,
) -> Iterator[Lock]:
    """Holds the project's lock on the host while the block runs, and renews its lease from a thread of its own.

    `clock` gives seconds since 1970; `wait` is for how many seconds to wait for another holder; `notice` is told of waiting, of
    taking over and of losing. Raises LockedError if another holds it, and LibvirtCallError over a read-only connection.
    """
    session.require_write(f"lock project {project!r}")
    lock = _acquire(session, project, clock=clock, notice=notice, sleep=sleep, wait=wait, lease=lease)
    done = threading.Event()
    renewer = threading.Thread(target=_keep_renewing, args=(lock, done, lease, notice), name="lock-renewal", daemon=True)
    renewer.start()
    try:
        yield lock
    finally:
        done.set()
        try:
            lock.release()
        except HostError as error:  # it ends by itself, and must not hide what ended the block
            notice(f"the lock of project {project!r} could not be given back ({error.summary}); it ends with its lease")


def holder(session: Session, project: str) -> Holder | None:
    """Who holds the project's lock on the host, stale or not; None if nobody does."""
    entry = _find(store_of(session), _usage(project))
    return None if entry is None else _holder_of(entry)


def break_lock(session: Session, project: str) -> Holder | None:
    """Takes the project's lock away from whoever holds it, and answers who that was; None if nobody did."""
    session.require_write(f"unlock project {project!r}")
    store = store_of(session)
    entry = _find(store, _usage(project))
    if entry is None or not store.remove(entry):
        return None
    return _holder_of(entry)


def _acquire(
    session: Session,
    project: str,
    *,
    clock: Callable[[], float],
    notice: Callable[[str], None],
    sleep: Callable[[float], None],
    wait: float,
    lease: float,
) -> Lock:
    store = store_of(session)
    deadline = clock() + wait
    told = ""
    while True:
        now = clock()
        mine = Holder(process.who(), process.this(), now, now + lease)
        entry = store.create(_usage(project), mine.to_text())
        if entry is not None:
            return Lock(store, entry, mine, clock)
        entry = _find(store, _usage(project))
        if entry is None:
            continue  # given back between the two calls
        other = _holder_of(entry)
        if other.is_gone(now):
            if store.remove(entry):  # only one of those who try removes this very entry; whoever creates first then has it
                notice(f"took over the lock of project {project!r} from {other.who}, who is gone")
            continue
        if now >= deadline:
            raise _locked(session, project, other)
        if told != other.who:
            told = other.who
            notice(f"waiting for the lock of project {project!r}: {other} holds it")
        sleep(min(LOOK_AGAIN, max(0.0, deadline - now)))


def _keep_renewing(lock: Lock, done: threading.Event, lease: float, notice: Callable[[str], None]) -> None:
    pause = lease / RENEWALS
    while not done.wait(pause):
        try:
            if not lock.renew(lease):
                if not done.is_set():
                    notice("the lock was taken away (vireo unlock?): no further action will be started")
                return
            pause = lease / RENEWALS
        except HostError:  # cut off from the host: still_held tells the others when the lease has run out
            pause = min(RETRY, lease / RENEWALS)


def _usage(project: str) -> str:
    return f"{ROOT}{project}/lock"


def _find(store: Store, usage: str) -> Entry | None:
    return next((entry for entry in store.entries(usage) if entry.usage == usage), None)


def _holder_of(entry: Entry) -> Holder:
    """The holder; a lock that cannot be read is nobody's that could be asked, and never ends by itself."""
    return Holder.from_text(entry.text) or Holder("somebody unknown", process.Process(0, 0, "", "", ""), 0.0, NEVER)


def _locked(session: Session, project: str, other: Holder) -> LockedError:
    return LockedError(
        f"project {project!r} is being changed by {other.who} on {session.facts.name}",
        detail=f"the lock is held by {other}",
        hint="wait until that apply has ended; if it is gone for good: vireo unlock",
    )
