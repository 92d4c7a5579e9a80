"""One resource -> the steps that bring it where the manifest wants it, each with its reason. Guards come later."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.kinds.kind import Kind
from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import Verb
from reconciler.model.resource import ResourceId
from reconciler.model.state import Desired, Mark, Observed
from reconciler.planning.compare import Sides, compare, way_for
from reconciler.planning.lifecycle import route
from reconciler.planning.policy import by_policy
from reconciler.planning.step import Step
from reconciler.xmltree.mark import digest

STATE = "state"
AUTOSTART = "autostart"
PERSISTENT = "persistent"
NOT_INTENT = frozenset({"restartedAt"})


@dataclass(frozen=True, slots=True)
class Subject:
    """All that is known of one resource. `desired.xml` and `intent` are settled; `mark` is ours, also of an object that is gone.

    `foreign` is the project that owns the object, `adopt` that we may take what nobody owns, `unseen` why the host cannot tell
    now (a volume whose pool is not active).
    """

    kind: Kind
    id: ResourceId
    desired: Desired | None
    observed: Observed | None
    mark: Mark | None
    intent: str | None = None
    foreign: str = ""
    adopt: bool = False
    unseen: str = ""

    @property
    def state(self) -> str:
        return self.kind.lifecycle.absent if self.observed is None else self.observed.state

    @property
    def ours(self) -> bool:
        return self.observed is not None and self.observed.mark is not None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done for one resource, in order; `note` is what a person should know beside it."""

    differences: tuple[Difference, ...] = ()
    steps: tuple[Step, ...] = ()
    note: str = ""
    not_ours: bool = False


def decide(subject: Subject, desired: Desired) -> Decision:
    """What a declared resource needs (one that no manifest names is removal's matter)."""
    if subject.unseen and subject.mark is not None and not subject.mark.pending:
        return Decision(note=subject.unseen)
    if subject.foreign:
        return Decision(note=f"belongs to the project {subject.foreign}", not_ours=True)
    if subject.observed is None:
        return _bring(subject, desired)
    if (
        subject.ours
        and subject.mark is not None
        and subject.mark.pending
        and any(desired.options.get(o) for o in subject.kind.filled_by)
    ):
        return Decision(
            steps=_route(subject, desired, subject.kind.lifecycle.absent, "it was being filled when an apply ended: made again")
        )
    if subject.ours:
        return _change(subject, desired, subject.observed)
    if not (subject.adopt or desired.adopt):
        taken = "it is on the host already and nobody owns it: --adopt (or metadata.adopt: true) takes it over"
        return Decision(steps=(Step(Verb.ADOPT, "declared here", blocked=taken),), note=taken, not_ours=True)
    change = _change(subject, desired, subject.observed)
    adopted = Step(Verb.ADOPT, "nobody owns it, and it is declared here")
    return Decision(change.differences, (adopted, *(s for s in change.steps if s.verb is not Verb.RECORD)), change.note)


def in_sync(subject: Subject, desired: Desired, observed: Observed) -> bool:
    """The digest fast path: nothing moved since the last apply, on either side."""
    mark = observed.mark
    return (
        mark is not None
        and not mark.pending
        and mark.digest == desired.digest
        and mark.protect == desired.protect
        and observed.state == desired.state
        and desired.autostart in (None, observed.autostart)
        and (observed.persistent is None or mark.readback == digest(observed.persistent))
        and (observed.live is None or mark.live == digest(observed.live))
        and bool(mark.readback or mark.live)
        and subject.mark is not None
    )


def _bring(subject: Subject, desired: Desired) -> Decision:
    """What is not there and should be. What was there before and is gone was removed by somebody else."""
    absent = subject.kind.lifecycle.absent
    known = subject.mark is not None and not subject.mark.pending
    if desired.state == absent:
        forget = (Step(Verb.FORGET, "it is gone, as the manifest asks"),) if subject.mark is not None else ()
        return Decision(steps=forget)
    gone = known and subject.mark is not None and subject.mark.state != absent
    cause = Cause.DRIFT if gone else Cause.MANIFEST
    impact = subject.kind.remade if gone else Impact.NONE
    reason = "it was removed outside of Vireo" if gone else "the manifest declares it and the host does not have it"
    if gone and subject.kind.remade is Impact.DATA_LOSS:
        reason += "; what it held is lost, it would be made anew"
    steps = _route(subject, desired, absent, reason)
    if steps:
        first = steps[0]
        steps = (Step(first.verb, first.reason, max(first.impact, impact), first.paths), *steps[1:])
    difference = Difference(STATE, desired.state, absent, None, cause, impact)
    if desired.autostart and steps:
        steps = (steps[0], Step(Verb.AUTOSTART, "autostart: true", paths=(AUTOSTART,)), *steps[1:])
    return Decision((difference,), steps)


def _route(subject: Subject, desired: Desired, state: str, reason: str) -> tuple[Step, ...]:
    found = route(subject.kind.lifecycle, state, desired.state, persistent=_persistent(desired))
    if found is None:
        why = f"no way from {state} to {desired.state}" + ("" if _persistent(desired) else " for a transient domain")
        return (Step(Verb.DEFINE, reason, blocked=why),)
    return tuple(Step(step.verb, reason, step.impact, (STATE,)) for step in found)


def _persistent(desired: Desired) -> bool:
    return bool(desired.options.get(PERSISTENT, True))


def _change(subject: Subject, desired: Desired, observed: Observed) -> Decision:
    """What is there and ours (or about to be): its definition, then autostart, then its state."""
    found = compare(subject.kind, Sides(desired.xml, subject.intent, observed.persistent, observed.live), observed.mark)
    differences = [*found, *_standing(subject, desired, observed), *_options(subject, desired)]
    steps = [*_repairs(subject, desired, observed, found), *_standing_steps(subject, desired, observed)]
    leaving = desired.state == subject.kind.lifecycle.absent
    if leaving:
        steps = [s for s in steps if s.paths == (STATE,)]
    notes = ""
    staying = observed.state in subject.kind.lifecycle.active and desired.state in subject.kind.lifecycle.active
    late = tuple(d.path for d in found if d.impact is Impact.RESTART)
    if staying and subject.kind.restarts:
        restart = _restart(subject, desired, late)
        steps += [restart] if restart else []
        if late and restart is None:
            notes = f"takes effect at the next start: {', '.join(late)}"
    if (
        not steps
        and subject.mark is not None
        and (options := tuple(d.path for d in differences if d.path.startswith("options/")))
    ):
        steps.append(Step(Verb.RECORD, "only how Vireo treats it changed", paths=options))
    if not steps and subject.ours and subject.mark is not None and subject.mark.pending:
        steps.append(Step(Verb.RECORD, "an apply ended before it wrote down what it had done"))
    return Decision(tuple(differences), tuple(steps), notes)


def _restart(subject: Subject, desired: Desired, late: tuple[str, ...]) -> Step | None:
    asked = desired.options.get("restartedAt")
    before = subject.mark.options.get("restartedAt") if subject.mark is not None else asked
    if asked and asked != before:
        return Step(Verb.RESTART, f"restartedAt: {asked}", Impact.RESTART, consented=True)
    allowed = (desired.options.get("update") or {}).get("restart") == "allowed"
    if late and allowed and subject.ours:
        return Step(Verb.RESTART, "takes effect at a restart only", Impact.RESTART, late)
    return None


def _repairs(subject: Subject, desired: Desired, observed: Observed, found: tuple[Difference, ...]) -> Iterator[Step]:
    """The steps that bring the definition in line; refused changes come as blocked steps, one for each path."""
    by_verb: dict[Verb, list[Difference]] = {}
    for difference in found:
        way = way_for(subject.kind, difference.path)
        if way.refusal:
            yield Step(way.verb, _why([difference]), way.impact, (difference.path,), blocked=way.refusal)
        elif way.grows_only and _shrinks(difference):
            yield Step(way.verb, _why([difference]), Impact.DATA_LOSS, (difference.path,), blocked=way.grows_only)
        elif difference.cause is not Cause.PENDING_RESTART or way.impact < Impact.RESTART:
            by_verb.setdefault(way.verb, []).append(difference)
    transient = observed.persistent is None and not _persistent(desired)
    if transient:
        by_verb.pop(Verb.DEFINE, None)
    if Verb.DEFINE in by_verb:
        by_verb[Verb.DEFINE] += by_verb.pop(Verb.UPDATE, []) if observed.live is None else []
    for verb, differences in by_verb.items():
        impact = max(
            (way_for(subject.kind, d.path).impact for d in differences if d.impact < Impact.RESTART), default=Impact.NONE
        )
        below = impact if impact < Impact.RESTART else Impact.NONE
        yield Step(verb, _why(differences), below, tuple(d.path for d in differences))


def _shrinks(difference: Difference) -> bool:
    wanted, there = difference.desired or "", difference.persistent or ""
    return wanted.isdigit() and there.isdigit() and int(wanted) < int(there)


def _why(differences: list[Difference]) -> str:
    causes = {d.cause for d in differences}
    parts = []
    if Cause.MANIFEST in causes:
        parts.append("the manifest changed")
    if Cause.DRIFT in causes:
        parts.append("it was changed outside of Vireo")
    if Cause.PENDING_RESTART in causes:
        parts.append("the running one differs")
    return " and ".join(parts) + ": " + ", ".join(d.path for d in differences)


def _standing(subject: Subject, desired: Desired, observed: Observed) -> Iterator[Difference]:
    """State, autostart and persistence: what is not in the XML."""
    mark = subject.mark
    if observed.state != desired.state:
        cause = Cause.DRIFT if mark is not None and mark.state == desired.state and not mark.pending else Cause.MANIFEST
        yield Difference(STATE, desired.state, observed.state, None, cause, Impact.NONE)
    if _persistent(desired) != (observed.persistent is not None):
        same = mark is not None and not mark.pending and bool(mark.options.get(PERSISTENT, True)) == _persistent(desired)
        cause = Cause.DRIFT if same else Cause.MANIFEST
        yield Difference(
            PERSISTENT, _word(_persistent(desired)), _word(observed.persistent is not None), None, cause, Impact.NONE
        )
    if desired.autostart not in (None, observed.autostart) and _persistent(desired):
        cause = Cause.DRIFT if mark is not None and mark.autostart == desired.autostart and not mark.pending else Cause.MANIFEST
        yield Difference(AUTOSTART, _word(desired.autostart), _word(observed.autostart), None, cause, Impact.NONE)


def _standing_steps(subject: Subject, desired: Desired, observed: Observed) -> Iterator[Step]:
    reasons = {d.path: d.cause for d in _standing(subject, desired, observed)}
    state = observed.state
    if PERSISTENT in reasons and _persistent(desired):
        yield Step(Verb.DEFINE, "persistent: true, and the host has it as transient", paths=(PERSISTENT,))
    elif PERSISTENT in reasons:
        yield Step(Verb.UNDEFINE, "persistent: false, and the host has a definition", paths=(PERSISTENT,), consented=True)
        state = state if state in subject.kind.lifecycle.active else subject.kind.lifecycle.absent
    if AUTOSTART in reasons:
        yield Step(Verb.AUTOSTART, f"autostart: {_word(desired.autostart)} ({reasons[AUTOSTART].value})", paths=(AUTOSTART,))
    if state != desired.state:
        removing = desired.state == subject.kind.lifecycle.absent
        steps = _route(
            subject, desired, state, f"state: {desired.state} ({reasons.get(STATE, Cause.MANIFEST).value}), it is {state}"
        )
        steps = tuple(replace(step, consented=removing) for step in steps)
        holds_data = subject.kind.remade is Impact.DATA_LOSS
        yield from by_policy(steps, str(desired.options.get("onDelete") or "")) if holds_data else steps


def _options(subject: Subject, desired: Desired) -> Iterator[Difference]:
    """What only concerns Vireo (policies, timeouts): compared with what was recorded."""
    if subject.mark is None or subject.mark.pending:
        return
    wanted, known = dict(_leaves(desired.options)), dict(_leaves(subject.mark.options))
    for path in sorted(wanted.keys() | known.keys()):
        if wanted.get(path) != known.get(path) and path not in NOT_INTENT:
            yield Difference(f"options/{path}", wanted.get(path), known.get(path), None, Cause.MANIFEST, Impact.NONE)
    if subject.mark.protect != desired.protect:
        yield Difference(
            "options/protect", _word(desired.protect), _word(subject.mark.protect), None, Cause.MANIFEST, Impact.NONE
        )


def _leaves(options: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in options.items():
        below = f"{path}/{name}" if path else name
        if isinstance(value, Mapping):
            yield from _leaves(value, below)
        elif value is not None:
            yield below, value if isinstance(value, str) else json.dumps(value)


def _word(value: bool | None) -> str:  # noqa: FBT001  a value, not a switch
    return "yes" if value else "no"
