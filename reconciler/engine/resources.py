"""What one action does to one resource on its host, around the driver: written down before, observed and settled after."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TypeVar

from reconciler.engine.hosts import Hosts
from reconciler.engine.pipeline import Prepared
from reconciler.errors import ConnectionLostError, HostError
from reconciler.host.drivers import CHECKS, DRIVERS, Step, settle
from reconciler.host.inventory import Inventory
from reconciler.host.observe import observe_one
from reconciler.kinds import KINDS
from reconciler.model.event import ActionProgress, Event, Notice
from reconciler.model.plan import Action, ResourcePlan, Verb
from reconciler.model.resource import ResourceId
from reconciler.model.state import HostState, Mark, Observed
from reconciler.planning.chains import Layers
from reconciler.planning.policy import INHERITED
from reconciler.planning.verify import Work, verify
from reconciler.xmltree.document import parse

T = TypeVar("T")

DEFINING = frozenset({Verb.DEFINE, Verb.CREATE, Verb.RESIZE})
WRITTEN_ONLY = frozenset({Verb.RECORD, Verb.FORGET, Verb.ADOPT})  # verbs for which a kind needs no driver
ATTEMPTS = 3
FLUSH = 0.5  # seconds between two writings of settled marks


class Resources:
    """The resources of a plan on their open hosts. Safe to use from several threads, one action of a resource at a time."""

    def __init__(
        self,
        prepared: Prepared,
        hosts: Hosts,
        emit: Callable[[Event], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._prepared, self._hosts, self._emit = prepared, hosts, emit
        self._clock, self._sleep = clock, sleep
        self._plans: dict[ResourceId, ResourcePlan] = {plan.id: plan for plan in prepared.plan.resources}
        self._states: dict[str, HostState] = {state.facts.name: state for state in prepared.states}
        self._layers = {name: Layers(state.resources) for name, state in self._states.items()}
        self._verbs: dict[ResourceId, set[Verb]] = {}
        self._refused: dict[ResourceId, dict[str, str]] = {}
        self._guard = threading.Lock()
        self._settled: dict[str, list[Mark]] = {}
        self._written = clock()
        touched = {action.resource.host for action in prepared.plan.runnable}
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
        """What was written down of the resource when the plan was made."""
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
        self.persist(action.resource.host, lambda: driver(step))
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
        )

    def _announce_anew(self, id_: ResourceId) -> None:
        """What was wiped is deleted by now: what is made in its place is another object, and is not to be wiped."""
        inventory, plan = self._inventories[id_.host], self._plans[id_]
        mark = inventory.marks.get(id_)
        if mark is not None and mark.wiping and plan.desired is not None:
            new = replace(mark, uuid=_uuid(plan), xml=plan.desired.xml, digest="", wiping=False, pending=True)
            self.persist(id_.host, lambda: inventory.write([new]))

    def refused(self, id_: ResourceId) -> Mapping[str, str]:
        """The paths of this resource that its running object could not take, each with the reason."""
        return self._refused.get(id_, {})

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
        session, inventory = self._hosts.sessions[id_.host], self._inventories[id_.host]
        plan, verbs = self._plans[id_], self._verbs[id_]
        observed = self._observe(id_)
        if plan.desired is None:
            if self._prepared.aside:
                return ()
            gone = Verb.FORGET in verbs or observed is None
            if gone:
                self.persist(id_.host, lambda: inventory.forget([id_]))
            return () if gone else ("state",)
        before = self.mark(id_)
        state = self._states[id_.host]
        work = Work(bool(verbs & DEFINING), self._withheld(id_), before, self.refused(id_), self._layers[id_.host])
        verdict = verify(self._prepared.project, plan.desired, observed, state.facts.machines, work)
        if self._prepared.aside and (plan.differences or verdict.leftover):
            return ()  # it was not the manifest that was applied: what is known of that stays as it is
        if verdict.mark is not None:
            mark = verdict.mark
            settled = self.persist(id_.host, lambda: settle(session, mark))
            self._settled.setdefault(id_.host, []).append(settled)
        elif not verdict.leftover:
            self.persist(id_.host, lambda: inventory.forget([id_]))
        return verdict.leftover

    def flush(self, *, all_of_it: bool = False) -> None:
        """Write down what was settled: now and then only, as many resources of one inventory are written at once.

        What a killed process has not written is still marked as pending, and the next apply writes it.
        """
        if not all_of_it and self._clock() - self._written < FLUSH:
            return
        for host, marks in self._settled.items():
            self.persist(host, functools.partial(self._inventories[host].write, marks))
        self._settled.clear()
        self._written = self._clock()

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
