"""One resource -> the steps that bring it where the manifest wants it, each with its reason. Guards come later."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import Verb
from reconciler.model.state import Desired, Observed
from reconciler.planning.compare import Sides, compare
from reconciler.planning.ignoring import is_ignored
from reconciler.planning.removal import made_anew
from reconciler.planning.repairs import as_refused, awaited, repairs, replaced, restart_of
from reconciler.planning.standing import is_persistent, options, standing, standing_steps, ways_to
from reconciler.planning.step import Step
from reconciler.planning.subject import AUTOSTART, HALF_MARKED, STATE, Decision, Subject
from reconciler.xmltree.mark import digest


def decide(subject: Subject, desired: Desired) -> Decision:
    """What a declared resource needs (one that no manifest names is removal's matter)."""
    if subject.unseen and subject.mark is not None and not subject.mark.pending:
        return Decision(note=subject.unseen)
    if subject.foreign:
        theirs = f"it belongs to the project {subject.foreign}"
        return Decision(steps=(Step(Verb.ADOPT, "declared here", blocked=theirs),), note=theirs, not_ours=True)
    if subject.observed is None:
        return _bring(subject, desired)
    if (
        subject.ours
        and subject.mark is not None
        and subject.mark.pending
        and any(desired.options.get(o) for o in subject.kind.filled_by)
    ):
        return Decision(
            steps=ways_to(subject, desired, subject.kind.lifecycle.absent, "it was being filled when an apply ended: made again")
        )
    if subject.wiping and desired.state != subject.kind.lifecycle.absent:
        return made_anew(subject, desired)
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
        and not mark.wiping
        and mark.digest == desired.digest
        and mark.protect == desired.protect
        and observed.state == desired.state
        and desired.autostart in (None, observed.autostart)
        and (observed.persistent is None or mark.readback == digest(observed.persistent))
        and (observed.live is None or mark.live == digest(observed.live))
        and bool(mark.readback or mark.live)
        and subject.mark is not None
        and HALF_MARKED not in observed.details
    )


def _bring(subject: Subject, desired: Desired) -> Decision:
    """What is not there and should be. What was there before and is gone was removed by somebody else."""
    absent = subject.kind.lifecycle.absent
    known = subject.mark is not None and not subject.mark.pending
    if desired.state == absent:
        forget = (Step(Verb.FORGET, "it is gone, as the manifest asks"),) if subject.mark is not None else ()
        return Decision(steps=forget)
    gone = known and subject.mark is not None and subject.mark.state != absent and not subject.mark.wiping
    cause = Cause.DRIFT if gone else Cause.MANIFEST
    impact = subject.kind.remade if gone else Impact.NONE
    reason = "it was removed outside of Vireo" if gone else "the manifest declares it and the host does not have it"
    if gone and subject.kind.remade is Impact.DATA_LOSS:
        reason += "; what it held is lost, it would be made anew"
    steps = ways_to(subject, desired, absent, reason)
    if steps:
        first = steps[0]
        steps = (replace(first, impact=max(first.impact, impact)), *steps[1:])
    difference = Difference(STATE, desired.state, absent, None, cause, impact)
    if desired.autostart and steps and is_persistent(desired):
        steps = (steps[0], Step(Verb.AUTOSTART, "autostart: true", paths=(AUTOSTART,)), *steps[1:])
    return Decision((difference,), steps)


def _change(subject: Subject, desired: Desired, observed: Observed) -> Decision:
    """What is there and ours (or about to be): its definition, then autostart, then its state."""
    sides = Sides(desired.xml, subject.intent, observed.persistent, observed.live)
    seen = (d for d in compare(subject.kind, sides, observed.mark) if not is_ignored(d.path, subject.ignored))
    found = as_refused(subject, observed, tuple(seen))
    differences = [*found, *standing(subject, desired, observed), *options(subject, desired)]
    steps = [*repairs(subject, desired, observed, found), *standing_steps(subject, desired, observed)]
    leaving = desired.state == subject.kind.lifecycle.absent
    if leaving:
        other = replaced(subject)
        steps = [replace(s, blocked=s.blocked or other) for s in steps if s.paths == (STATE,)]
    notes = []
    staying = observed.state in subject.kind.lifecycle.active and desired.state in subject.kind.lifecycle.active
    late = tuple(d.path for d in found if d.impact is Impact.RESTART)
    if staying and subject.kind.restarts:
        restart = restart_of(subject, desired, late)
        steps += [restart] if restart else []
        if late and restart is None:
            notes.append("takes effect at the next start: " + ", ".join(_told(subject, path) for path in late))
    if staying and not steps:
        notes += awaited(subject.kind, observed)
    if (
        not steps
        and subject.mark is not None
        and (recorded := tuple(d.path for d in differences if d.path.startswith("options/")))
    ):
        steps.append(Step(Verb.RECORD, "only how Vireo treats it changed", paths=recorded))
    if not steps and subject.ours and subject.mark is not None and subject.mark.pending:
        steps.append(Step(Verb.RECORD, "an apply ended before it wrote down what it had done"))
    if not steps and subject.ours and HALF_MARKED in observed.details:
        steps.append(Step(Verb.RECORD, str(observed.details[HALF_MARKED])))
    return Decision(tuple(differences), tuple(steps), "; ".join(notes))


def _told(subject: Subject, path: str) -> str:
    """A path, and why it could not be changed in the running object, if it was tried."""
    reason = subject.mark.refused.get(path, "") if subject.mark is not None else ""
    return f"{path} ({reason})" if reason else path
