"""Plan -> events: actions by the graph, in parallel, each resource observed again after its last one.

It decides nothing: what may be run and in which order is the plan's. What it does not finish, the next plan finds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field

from reconciler.engine import pipeline
from reconciler.engine.hosts import Hosts
from reconciler.engine.outcome import Outcome
from reconciler.engine.pipeline import Prepared
from reconciler.engine.resources import Resources
from reconciler.engine.room import Room
from reconciler.errors import LockedError, StalePlanError, VireoError
from reconciler.host import lock
from reconciler.model.event import (
    ActionDone,
    ActionFailed,
    ActionSkipped,
    ActionStarted,
    ApplyFinished,
    ApplyStarted,
    Event,
    Notice,
    Verified,
)
from reconciler.model.plan import Action, Plan, Verb
from reconciler.model.resource import ResourceId

Emit = Callable[[Event], None]
POLL = 0.2  # seconds between two looks at the stop event while actions are under way


def execute(  # noqa: PLR0913 (how a run is done, beside what)
    prepared: Prepared,
    hosts: Hosts,
    *,
    emit: Emit,
    parallel: int = 8,
    stop: threading.Event | None = None,
    wait: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    again: Callable[[Prepared, Hosts], Prepared] | None = None,
) -> Outcome:
    """Run all that is not blocked, at most `parallel` actions at a time on each host.

    Takes the project's lock on each host that has something to do (waiting `wait` seconds for another holder), then looks
    again (by `again`): what was not agreed to is not done. Raises LockedError and StalePlanError, both before anything was
    changed.
    """
    stopping = stop or threading.Event()
    touched = sorted({host for action in prepared.plan.runnable for host in action.hosts})
    said, room = _Locked(emit), Room.of(parallel, hosts.specs)
    with ExitStack() as held:
        locks = {name: held.enter_context(_lock(prepared, hosts, name, said, wait)) for name in touched}
        fresh = (again or _again)(prepared, hosts)
        said(ApplyStarted(fresh.plan))
        run = _Run(fresh.plan, Resources(fresh, hosts, said, room, stopping=stopping.is_set), locks, said, stopping, clock, room)
        return run.all()


def _lock(prepared: Prepared, hosts: Hosts, host: str, said: Emit, wait: float) -> AbstractContextManager[lock.Lock]:
    return lock.hold(hosts.sessions[host], prepared.project.name, notice=lambda text: said(Notice(host, text)), wait=wait)


def _again(prepared: Prepared, hosts: Hosts) -> Prepared:
    """The plan anew, now that nobody else writes. Raises StalePlanError if it would do what was not agreed to.

    To write down what is there already is agreed to by any apply: a daemon may end by itself what a killed apply began.
    """
    fresh = pipeline.replan(
        prepared.project, prepared.desired, hosts.observe(), prepared.policy, prepared.volume_paths, prepared.plan.created
    )
    agreed = {(a.resource, a.verb, a.source) for a in prepared.plan.runnable}
    new = [a for a in fresh.plan.runnable if (a.resource, a.verb, a.source) not in agreed and a.verb is not Verb.RECORD]
    if new:
        names = ", ".join(f"{a.verb.value} {a.resource}" for a in new[:3])
        raise StalePlanError(
            "the hosts changed since the plan was made; nothing was done",
            detail=f"now there would also be: {names}",
            hint="plan again",
        )
    return fresh


class _Locked:
    """An emitter that may be called from several threads."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._guard = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._guard:
            self._emit(event)


@dataclass(slots=True)
class _Tally:
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    leftover: int = 0


class _Run:
    """One pass over the graph. The main thread schedules and tells; workers act."""

    def __init__(
        self,
        plan: Plan,
        resources: Resources,
        locks: Mapping[str, lock.Lock],
        emit: Emit,
        stop: threading.Event,
        clock: Callable[[], float],
        room: Room,
    ) -> None:
        self._plan, self._resources, self._locks = plan, resources, locks
        self._emit, self._stop, self._clock, self._room = emit, stop, clock, room
        self._waiting = {action.id: action for action in plan.runnable}
        self._tally = _Tally()
        self._left: dict[ResourceId, int] = {}
        self._began: dict[str, float] = {}
        for action in plan.runnable:
            self._left[action.resource] = self._left.get(action.resource, 0) + 1

    def all(self) -> Outcome:
        """Run until nothing is left that can be run."""
        began = self._clock()
        self._resources.check()
        self._resources.announce()
        for action in self._plan.blocked:
            self._emit(ActionSkipped(action, f"blocked: {action.blocked}"))
        running: dict[Future[None], Action] = {}
        with ThreadPoolExecutor(max(1, self._room.parallel) * max(1, len(self._locks)), thread_name_prefix="action") as pool:
            while self._waiting or running:
                if self._stop.is_set():
                    self._skip_all("interrupted")
                for action in list(self._ready(running.values())):
                    del self._waiting[action.id]
                    running[pool.submit(self._act, action)] = action
                if not running:
                    break
                ended, _ = wait(running, timeout=POLL, return_when=FIRST_COMPLETED)
                for future in ended:
                    self._ended(running.pop(future), future)
                self._resources.flush()
        self._resources.remember()
        self._resources.flush(all_of_it=True)
        return self._finish(began)

    def _finish(self, began: float) -> Outcome:
        tally = self._tally
        outcome = Outcome(
            done=len(tally.done),
            failed=len(tally.failed) + tally.leftover,
            skipped=len(tally.skipped),
            blocked=len(self._plan.blocked),
            interrupted=self._stop.is_set() and bool(tally.skipped),
        )
        seconds = self._clock() - began
        self._emit(
            ApplyFinished(
                outcome.done, outcome.failed, outcome.skipped, outcome.blocked, seconds, interrupted=outcome.interrupted
            )
        )
        return outcome

    def _ready(self, running: Iterable[Action]) -> Iterator[Action]:
        """What can be started now: nothing it needs is open, and its hosts have room."""
        busy = list(running)
        for action in list(self._waiting.values()):
            if any(need in self._waiting or any(need == other.id for other in busy) for need in action.needs):
                continue
            if self._room.has(action, busy):
                busy.append(action)
                yield action

    def _act(self, action: Action) -> None:
        """In a worker: one action, then, if it was the resource's last, its verification."""
        self._began[action.id] = began = self._clock()
        if not all(self._resources.persist(host, self._locks[host].still_held) for host in action.hosts):
            raise LockedError(
                "the project's lock was lost", hint="somebody broke it (vireo unlock), or this machine slept: apply again"
            )
        self._emit(ActionStarted(action))
        self._resources.act(action)
        self._emit(ActionDone(action, self._clock() - began))

    def _ended(self, action: Action, future: Future[None]) -> None:
        error = future.exception()
        self._left[action.resource] -= 1
        if error is None:
            self._tally.done.add(action.id)
            if not self._left[action.resource]:
                self._verify(action)
        elif isinstance(error, VireoError):
            self._fail(action, error)
        else:
            raise error

    def _verify(self, action: Action) -> None:
        try:
            leftover = self._resources.verify(action.resource)
        except VireoError as error:
            self._fail(action, error)
            return
        self._emit(Verified(action.resource, leftover))
        if leftover:
            self._tally.leftover += 1
            self._skip_dependents(
                {a.id for a in self._plan.actions if a.resource == action.resource}, f"{action.resource} still differs"
            )

    def _fail(self, action: Action, error: VireoError) -> None:
        text = f"{error.summary}: {error.more}" if error.more else error.summary
        self._tally.done.discard(action.id)
        self._tally.failed[action.id] = text
        self._emit(ActionFailed(action, text, error.hint, self._clock() - self._began[action.id]))
        self._skip_dependents({action.id}, f"{action.verb.value} {action.resource} failed")

    def _skip_dependents(self, causes: set[str], why: str) -> None:
        gone = set(causes)
        for action in self._plan.actions:
            if action.id in self._waiting and gone & set(action.needs):
                gone.add(action.id)
                self._skip(action, why)

    def _skip_all(self, why: str) -> None:
        for action in list(self._waiting.values()):
            self._skip(action, why)

    def _skip(self, action: Action, why: str) -> None:
        del self._waiting[action.id]
        self._left[action.resource] -= 1
        self._tally.skipped.add(action.id)
        self._emit(ActionSkipped(action, why))
