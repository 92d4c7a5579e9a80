"""What one action does to one resource on its host, around the driver: written down before, observed and settled after."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from reconciler.engine.hosts import Hosts
from reconciler.engine.ledger import Ledger
from reconciler.engine.pipeline import Prepared
from reconciler.engine.room import Room
from reconciler.errors import ConnectionLostError, HostError
from reconciler.host.drivers import CHECKS, DRIVERS, Step, settle
from reconciler.host.drivers.migrating import arrived
from reconciler.host.inventory import Inventory
from reconciler.host.observe import observe_one
from reconciler.kinds import KINDS
from reconciler.model.event import ActionProgress, Event, Notice
from reconciler.model.plan import Action, ResourcePlan, Status, Verb
from reconciler.model.resource import ResourceId
from reconciler.model.state import HostState, Mark, Observed
from reconciler.planning.chains import Layers
from reconciler.planning.policy import INHERITED
from reconciler.planning.running import run_of
from reconciler.planning.verify import Work, foregone, interrupted, verify
from reconciler.xmltree.document import parse

T = TypeVar("T")

DEFINING = frozenset({Verb.DEFINE, Verb.CREATE, Verb.RESIZE})
WRITTEN_ONLY = frozenset({Verb.RECORD, Verb.FORGET, Verb.ADOPT})  # verbs for which a kind needs no driver
ATTEMPTS = 3


class Resources:
    """The resources of a plan on their open hosts. Safe to use from several threads, one action of a resource at a time."""

    def __init__(
        self,
        prepared: Prepared,
        hosts: Hosts,
        emit: Callable[[Event], None],
        room: Room,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        stopping: Callable[[], bool] = bool,
    ) -> None:
        self._prepared, self._hosts, self._emit, self._room = prepared, hosts, emit, room
        self._clock, self._sleep, self._stopping = clock, sleep, stopping
        self._plans: dict[ResourceId, ResourcePlan] = {plan.id: plan for plan in prepared.plan.resources}
        self._states: dict[str, HostState] = {state.facts.name: state for state in prepared.states}
        self._layers = {name: Layers(state.resources) for name, state in self._states.items()}
        self._verbs: dict[ResourceId, set[Verb]] = {}
        self._refused: dict[ResourceId, dict[str, str]] = {}
        self._guard = threading.Lock()
        self._ledger = Ledger(lambda host, marks: self.persist(host, lambda: self._inventories[host].write(marks)), clock)
        self.flush = self._ledger.flush
        self._arriving = {action.resource: action.source for action in prepared.plan.runnable if action.source}
        touched = {host for action in prepared.plan.runnable for host in action.hosts}
        self._inventories = {
            name: self.persist(name, functools.partial(Inventory.open, hosts.sessions[name], prepared.project.name))
            for name in touched
        }

    def announce(self) -> None:
        """Write down, before the first call, what is about to be made, and what volumes inherit from the domains that go.

        So nothing half-made is ever lost, and nothing that is to be wiped is forgotten once the domain is gone that said so.
        """
        new: dict[str, list[Mark]] = {}
        for plan in self._plans.values():
            before, legacy = self.mark(plan.id) if plan.id.host in self._inventories else None, plan.options.get(INHERITED)
            if before is not None and legacy and before.options.get(INHERITED) != legacy:
                mark = replace(before, options={**before.options, INHERITED: legacy}, digest="")
                new.setdefault(plan.id.host, []).append(mark)
        for action in self._prepared.plan.runnable:
            id_, plan = action.resource, self._plans[action.resource]
            if self.mark(id_) is None and plan.desired is not None:
                adopting = bool(plan.uuid)
                intent = "" if adopting else plan.desired.xml
                mark = Mark(self._prepared.project.name, id_, plan.uuid or _uuid(plan), xml=intent, pending=not adopting)
                new.setdefault(id_.host, []).append(mark)
        for host, marks in new.items():
            self.persist(host, functools.partial(self._inventories[host].write, marks))

    def mark(self, id_: ResourceId) -> Mark | None:
        """What was written down of the resource when the plan was made; of one that is on its way, where it comes from."""
        source = self._arriving.get(id_)
        if source and (coming := self._states[source].resources.get(replace(id_, host=source))) is not None and coming.mark:
            return replace(coming.mark, id=id_)
        state = self._states[id_.host]
        seen = state.resources.get(id_)
        return (seen.mark if seen is not None else None) or state.inventory.get(id_)

    def act(self, action: Action) -> None:
        """Run one action by its kind's driver; when the connection breaks, open it again and repeat what is not done yet."""
        with self._guard:
            self._verbs.setdefault(action.resource, set()).add(action.verb)
        driver = DRIVERS[action.resource.kind].get(action.verb)
        if driver is None:
            if action.verb not in WRITTEN_ONLY:
                message = f"{action.resource.kind} has no {action.verb.value}"
                raise HostError(message)
            return
        step = self._step(action)
        if action.verb is Verb.CREATE:
            self._announce_anew(action.resource)
        if action.source and (coming := self.mark(action.resource)) is not None:
            self.persist(action.resource.host, lambda: step.record(replace(coming, pending=True)))
        try:
            self.persist(action.resource.host, lambda: driver(step))
        except HostError:
            if action.source and not arrived(step):
                self.persist(action.resource.host, lambda: self._inventories[action.resource.host].forget([action.resource]))
            raise
        if action.source:
            left = replace(action.resource, host=action.source)
            self.persist(action.source, lambda: self._inventories[action.source].forget([left]))
        if action.verb is Verb.RESTART:
            with self._guard:
                self._refused.pop(action.resource, None)  # the running object is another one now

    def check(self) -> None:
        """Find out, before anything is done or written down, what a host cannot do of the plan. Raises HostError."""
        for action in self._prepared.plan.runnable:
            check = CHECKS.get((action.resource.kind, action.verb))
            if check is not None:
                self.persist(action.resource.host, functools.partial(check, self._step(action)))

    def _step(self, action: Action) -> Step:
        mark = self.mark(action.resource)
        return Step(
            session=self._hosts.sessions[action.resource.host],
            project=self._prepared.project.name,
            action=action,
            plan=self._plans[action.resource],
            intent=mark.xml if mark is not None else "",
            report=lambda text, fraction: self._emit(ActionProgress(action, text, fraction)),
            clock=self._clock,
            sleep=self._sleep,
            record=lambda new: self._inventories[action.resource.host].write([new]),
            refuse=lambda path, reason: self._refuse(action, path, reason),
            source=self._hosts.sessions[action.source] if action.source else None,
            stopping=self._stopping,
            bandwidth=self._room.bandwidth(action) if action.source else 0,
        )

    def _announce_anew(self, id_: ResourceId) -> None:
        """What was wiped is deleted by now: what is made in its place is another object, and is not to be wiped."""
        inventory, plan = self._inventories[id_.host], self._plans[id_]
        mark = inventory.marks.get(id_)
        if mark is not None and mark.wiping and plan.desired is not None:
            new = replace(mark, uuid=_uuid(plan), xml=plan.desired.xml, digest="", wiping=False, pending=True)
            self.persist(id_.host, lambda: inventory.write([new]))

    def _refuse(self, action: Action, path: str, reason: str) -> None:
        with self._guard:
            self._refused.setdefault(action.resource, {})[path] = reason
        self._emit(ActionProgress(action, f"{path} waits for the next start: {reason}", None))

    def persist(self, host: str, work: Callable[[], T]) -> T:
        """`work`, and once more after each lost connection: all that is done here can be repeated."""
        for _ in range(ATTEMPTS - 1):
            try:
                return work()
            except ConnectionLostError as error:
                self._emit(Notice(host, f"{error.summary}; connecting again"))
                self._hosts.sessions[host].reconnect()
        return work()

    def verify(self, id_: ResourceId) -> tuple[str, ...]:
        """Observe a resource again, write down what is known of it now, and return the paths that still differ."""
        inventory, plan, verbs = self._inventories[id_.host], self._plans[id_], self._verbs.pop(id_)
        observed = self._observe(id_)
        if self._prepared.aside and id_ in self._arriving:
            return self._moved(plan, observed)
        if plan.desired is None:
            if self._prepared.aside:
                return ()
            gone = Verb.FORGET in verbs or observed is None
            if gone:
                self.persist(id_.host, lambda: inventory.forget([id_]))
            return () if gone else ("state",)
        before = self._continued(id_, observed)
        work = self._work(id_, observed, before, defined=bool(verbs & DEFINING))
        verdict = verify(self._prepared.project, plan.desired, observed, self._states[id_.host].facts.machines, work)
        if self._prepared.aside and (plan.differences or verdict.leftover):
            return ()  # it was not the manifest that was applied: what is known of that stays as it is
        if verdict.mark is not None:
            self._settle(verdict.mark)
        elif not verdict.leftover:
            self.persist(id_.host, lambda: inventory.forget([id_]))
        return verdict.leftover

    def _moved(self, plan: ResourcePlan, observed: Observed | None) -> tuple[str, ...]:
        """Write down that a domain is where it was moved to by hand; what differs from its manifest goes on differing."""
        before = self._continued(plan.id, observed)
        if before is None or observed is None:
            return ("state",)
        self._settle(replace(before, digest=before.digest if plan.status is Status.IN_SYNC else ""))
        return ()

    def _continued(self, id_: ResourceId, observed: Observed | None) -> Mark | None:
        """The mark; of a domain that was moved, its running object goes on, with another number."""
        mark, source = self.mark(id_), self._arriving.get(id_)
        if mark is None or not source or observed is None:
            return mark
        coming = self._states[source].resources[replace(id_, host=source)]
        return replace(mark, run=run_of(observed)) if mark.run and mark.run == run_of(coming) else mark

    def _settle(self, mark: Mark) -> None:
        session = self._hosts.sessions[mark.id.host]
        self._ledger.add(self.persist(mark.id.host, lambda: settle(session, mark)))

    def _work(self, id_: ResourceId, observed: Observed | None, before: Mark | None, *, defined: bool) -> Work:
        seen = observed if id_ in self._arriving else self._states[id_.host].resources.get(id_)
        run, refused, planned = "" if seen is None else run_of(seen), self._refused.get(id_, {}), self._plans[id_].differences
        return Work(defined, self._withheld(id_), before, refused, self._layers[id_.host], planned, run)

    def remember(self) -> None:
        """Write down what running objects could not take, of resources whose actions were not all done."""
        for id_, desired in [(id_, self._plans[id_].desired) for id_ in self._verbs if id_ not in self._arriving]:
            if desired is None or not (self._refused.get(id_) or foregone(KINDS[id_.kind], self._plans[id_].differences)):
                continue
            with suppress(HostError):  # why the resource is not done was told
                observed = self._observe(id_)
                mark = interrupted(desired, observed, self._work(id_, observed, self.mark(id_), defined=False))
                if mark is not None:
                    self._settle(mark)

    def _observe(self, id_: ResourceId) -> Observed | None:
        session, mark = self._hosts.sessions[id_.host], self._inventories[id_.host].marks.get(id_)
        uuid = self._plans[id_].uuid
        return self.persist(id_.host, lambda: observe_one(session, self._prepared.project.name, id_, uuid, mark=mark))

    def _withheld(self, id_: ResourceId) -> Collection[str]:
        return {path for action in self._prepared.plan.blocked if action.resource == id_ for path in action.paths}


def _uuid(plan: ResourcePlan) -> str:
    """The UUID that the object will have; of a volume nothing is known before."""
    if plan.desired is None or not KINDS[plan.id.kind].has_uuid:
        return ""
    return parse(plan.desired.xml).findtext("uuid") or ""
