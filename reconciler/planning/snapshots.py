"""Which snapshots a plan takes and deletes: those that a manifest declares, those of its schedule, those before what hurts.

Pure: the only clock is the time at which the plan was made. What Vireo did not take itself is never deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import Verb
from reconciler.model.snapshot import SnapshotSpec, reverting, taken_at
from reconciler.model.state import HostState
from reconciler.planning.allowance import Policy
from reconciler.planning.case import Case
from reconciler.planning.chains import Layers
from reconciler.planning.guard import Situation, guard
from reconciler.planning.newest import kept_by
from reconciler.planning.step import Step
from reconciler.planning.subject import STATE
from reconciler.planning.taken import (
    BEFORE,
    DECLARED,
    SCHEDULE,
    declared,
    held,
    missing,
    of_schedule,
    ours,
    path_of,
    retired,
    scheduled,
    stamped,
    time_of,
    unfinished,
)

TAKING = frozenset({Verb.SNAPSHOT, Verb.DELETE_SNAPSHOT})
SAVED = "saved"
_WHILE_SAVED = "it is saved, and a snapshot of its disks would not fit its memory"


@dataclass(frozen=True, slots=True)
class Leave:
    """What this run gives leave for, and when the plan was made. `prune` deletes what left the manifest."""

    ceiling: Impact
    prune: bool
    created: str
    read_only: bool = False
    layers: Layers = field(default_factory=lambda: Layers({}))

    @classmethod
    def of(cls, case: Case, policy: Policy, created: str, state: HostState) -> Leave:
        """What is not ours yet never feels more than a live change."""
        ours = case.subject.ours or case.subject.observed is None
        ceiling = policy.allow if ours else min(policy.allow, Impact.LIVE)
        return cls(ceiling, policy.prune, created, state.facts.read_only, Layers(state.resources))


def arrange(case: Case, leave: Leave) -> None:
    """Put the snapshots that are due into the steps of a case whose other steps are guarded already.

    Declared ones come first, those of the schedule last, and a deletion after all that could still need what it deletes.
    """
    subject, desired = case.subject, case.desired
    if desired is None or case.decision.not_ours or desired.state == subject.kind.lifecycle.absent:
        return
    if subject.mark is not None and reverting(subject.mark.reverted) and all(step.blocked for step in case.steps):
        return  # half reverted: see reverted.py
    if not (subject.mark is not None and subject.mark.snapshots) and not any(
        map(desired.options.get, (DECLARED, SCHEDULE, BEFORE))
    ):
        return
    _Arranging(case, leave, desired.options, desired.state).all()


class _Arranging:
    """One case while snapshots are put into it."""

    def __init__(self, case: Case, leave: Leave, options: Mapping[str, Any], target: str) -> None:
        self.case, self.leave, self.options = case, leave, options
        subject = case.subject
        self.observed, self.mark = subject.observed, subject.mark
        self.active = subject.kind.lifecycle.active
        self.now = subject.state
        on_the_way = [step for step in case.steps if step.paths == (STATE,)]
        self.end = self.now if any(step.blocked for step in on_the_way) else target
        self.stopped_by = next((step.blocked for step in case.steps if step.blocked), None) if self.observed is None else None

    def all(self) -> None:
        first, last = self._declared()
        protecting = self._protecting()
        taken, gone = self._scheduled()
        pruned, notes = self._retired()
        steps = [*protecting, *last, *taken, *gone, *pruned]
        at = next((number + 1 for number, step in enumerate(steps) if step.verb is Verb.ADOPT), 0)
        steps[at:at] = first
        self.case.steps = _recorded_along(steps)
        decision = self.case.decision
        differences = (*decision.differences, *self._differences(pruned))
        self.case.decision = replace(decision, differences=differences, note="; ".join(filter(None, (decision.note, *notes))))

    def _guarded(self, step: Step, place: str) -> Step:
        """The step, blocked if the guards hold it back; what is not there or not ours yet builds on its other steps."""
        if self.stopped_by and place == "last":
            return replace(step, blocked=f"the domain is not made: {self.stopped_by}")
        situation = Situation(self.case.subject.kind, self.leave.ceiling, self.leave.read_only)
        return replace(step, blocked=guard(step, situation))

    def _take(
        self, spec: SnapshotSpec, reason: str, place: str, *, paths: tuple[str, ...] = (), blocked: str | None = None
    ) -> Step:
        state = self.now if place == "first" else self.end
        impact = Impact.LIVE if state in self.active else Impact.NONE
        return self._guarded(Step(Verb.SNAPSHOT, reason, impact, paths, blocked=blocked, snapshot=spec), place)

    def _can_first(self, spec: SnapshotSpec) -> bool:
        if self.observed is None or self.now == SAVED:
            return False
        text = self.observed.persistent or self.observed.live or ""
        has_disks = all(re.search(rf"<target dev=['\"]{target}['\"]", text) for target in spec.disks)
        return has_disks and (spec.memory != "true" or self.now in self.active)

    def _refusal(self, spec: SnapshotSpec) -> str | None:
        """Why it cannot be taken at the end either."""
        if self.end == SAVED:
            return f"{_WHILE_SAVED}: start it (state: running), then it is taken"
        if spec.memory == "true" and self.end not in self.active:
            return f"memory: true needs a running guest, and it is {self.end}: start it, or write memory: auto"
        return None

    def _declared(self) -> tuple[list[Step], list[Step]]:
        first, last = self._unfinished(), []
        for spec in missing(self.options, self.observed):
            reason = f"the snapshot {spec.name} is declared and " + (
                "was deleted since" if self._was_taken(spec.name) else "not there"
            )
            paths = (path_of(spec.name),)
            if self._can_first(spec):
                first.append(self._take(spec, reason, "first", paths=paths))
            else:
                last.append(self._take(spec, reason, "last", paths=paths, blocked=self._refusal(spec)))
        return first, last

    def _unfinished(self) -> list[Step]:
        """What an interrupted apply took and did not write down: its driver does."""
        names = unfinished(self.observed, self.mark)
        reason = "an apply ended before it wrote down that it had taken it"
        return [self._guarded(Step(Verb.SNAPSHOT, reason, snapshot=SnapshotSpec(name)), "first") for name in names]

    def _was_taken(self, name: str) -> bool:
        return self.mark is not None and bool(taken_at(self.mark.snapshots.get(name, "")))

    def _protecting(self) -> list[Step]:
        """The case's own steps, with a snapshot before the first one of an impact that asks for it."""
        steps, asked = list(self.case.steps), set(self.options.get(BEFORE) or ())
        at = next((n for n, step in enumerate(steps) if step.blocked is None and step.impact.label in asked), None)
        if at is None or self.observed is None:
            return steps
        spec = before(steps[at].verb, steps[at].impact, self.leave.created)
        if spec.name in {snapshot.name for snapshot in ours(self.observed, self.mark)}:
            return steps  # it was taken for this very plan, which was then interrupted
        reason = f"snapshotBefore: {steps[at].impact.label} asks for {spec.name}"
        if self.now == SAVED:
            why = f"snapshotBefore: {steps[at].impact.label} cannot be kept: {_WHILE_SAVED}"
            return [replace(step, blocked=step.blocked or why) if n >= at else step for n, step in enumerate(steps)]
        return [*steps[:at], replace(self._take(spec, reason, "first"), blocked=None), *steps[at:]]

    def _scheduled(self) -> tuple[list[Step], list[Step]]:
        """The snapshot of the schedule, if one is due, and the deletion of those that are more than are kept."""
        schedule = self.options.get(SCHEDULE)
        if not schedule:
            return [], []
        named = {spec.name for spec in declared(self.options)}
        times = {
            s.name: when
            for s in of_schedule(self.observed, self.mark)
            if s.name not in named and (when := scheduled(s.name, self.options))
        }
        now = time_of(self.leave.created)
        taken: list[Step] = []
        if all(abs((now - when).total_seconds()) >= schedule["every"] for when in times.values()) and self.end != SAVED:
            name = stamped(schedule["prefix"], self.leave.created)
            spec = SnapshotSpec(name, "taken by the schedule (snapshotPolicy)", way="schedule")
            taken.append(self._take(spec, f"snapshotPolicy: {spec.name} is due", "last"))
        new = sum(step.blocked is None for step in taken)
        oldest = sorted(times, key=lambda name: (times[name], name))[: max(0, len(times) + new - schedule["keep"])]
        return taken, [self._delete(name, f"snapshotPolicy: the newest {schedule['keep']} are kept") for name in oldest]

    def _retired(self) -> tuple[list[Step], list[str]]:
        names = [snapshot.name for snapshot in retired(self.options, self.observed, self.mark)]
        if self.leave.prune or not names:
            return [self._delete(name, "the manifest does not ask for it any more", (path_of(name),)) for name in names], []
        which = f"snapshot{'s' if len(names) > 1 else ''} {', '.join(names)}"
        return [], [f"not in the manifest any more: {which}; --prune would delete {'them' if len(names) > 1 else 'it'}"]

    def _delete(self, name: str, reason: str, paths: tuple[str, ...] = ()) -> Step:
        """What is deleted is merged into its base: that is consented to, and no more."""
        snapshot = next(each for each in held(self.observed) if each.name == name)
        left = kept_by(snapshot, self.case, self.leave.layers)
        told = (
            f"; the disk does not use {left} any more, and what is in it would be lost, not merged into its base" if left else ""
        )
        spec = SnapshotSpec(name)
        step = Step(Verb.DELETE_SNAPSHOT, f"{reason}: {name}{told}", Impact.DATA_LOSS, paths, consented=not left, snapshot=spec)
        return self._guarded(step, "last")

    def _differences(self, pruned: list[Step]) -> Iterator[Difference]:
        for spec in missing(self.options, self.observed):
            cause = Cause.DRIFT if self._was_taken(spec.name) else Cause.MANIFEST
            yield Difference(path_of(spec.name), "taken", None, None, cause, Impact.NONE)
        for step in pruned:
            yield Difference(step.paths[0], None, "taken", None, Cause.MANIFEST, Impact.DATA_LOSS)


def before(verb: Verb, impact: Impact, created: str) -> SnapshotSpec:
    """The snapshot that protects from one action of a plan; its name is the plan's."""
    return SnapshotSpec(stamped("before", created), f"taken before {verb.value} ({impact.label})", way="before")


def _recorded_along(steps: list[Step]) -> list[Step]:
    """Without a step that only writes down what any other step writes down as well."""
    records = [step for step in steps if step.verb is Verb.RECORD]
    other = next((n for n, step in enumerate(steps) if step.verb is not Verb.RECORD and step.blocked is None), None)
    if not records or other is None:
        return steps
    paths = tuple(path for record in records for path in record.paths)
    steps[other] = replace(steps[other], paths=(*steps[other].paths, *paths))
    return [step for step in steps if step.verb is not Verb.RECORD]
