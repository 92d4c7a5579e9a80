"""Differences of the definition -> steps: defined for good, brought into the running object where it can be, restarted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconciler.kinds.kind import Kind
from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import Verb
from reconciler.model.state import Desired, Observed
from reconciler.planning.compare import Sides, compare, way_for
from reconciler.planning.running import late, run_of
from reconciler.planning.standing import is_persistent
from reconciler.planning.step import Step
from reconciler.planning.subject import Subject
from reconciler.xmltree.canonical import canonical
from reconciler.xmltree.document import parse
from reconciler.xmltree.paths import rules_for
from reconciler.xmltree.quantity import binary, round_up


def as_refused(subject: Subject, observed: Observed, found: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """The differences, those that the running object could not take when it was tried as ones that need a restart.

    What the manifest changed again since then is tried again: not every value is refused.
    """
    mark = subject.mark
    if mark is None or not mark.refused or mark.run != run_of(observed):
        return found
    refused = {d.path for d in found if d.path in mark.refused and d.cause is not Cause.MANIFEST and d.impact < Impact.RESTART}
    return tuple(replace(d, impact=Impact.RESTART) if d.path in refused else d for d in found)


def restart_of(subject: Subject, desired: Desired, late: tuple[str, ...]) -> Step | None:
    """The restart that is asked for, or that is allowed and needed for `late` paths."""
    asked = desired.options.get("restartedAt")
    before = subject.mark.options.get("restartedAt") if subject.mark is not None else asked
    if asked and asked != before:
        return Step(Verb.RESTART, f"restartedAt: {asked}", Impact.RESTART, consented=True)
    allowed = (desired.options.get("update") or {}).get("restart") == "allowed"
    if late and allowed and subject.ours:
        return Step(Verb.RESTART, "takes effect at a restart only", Impact.RESTART, late)
    return None


def awaited(kind: Kind, observed: Observed) -> Iterator[str]:
    """What was asked of the running object and it has not done: told, and no difference."""
    ways = [way for way in kind.ways if way.awaits]
    if not ways or observed.live is None or observed.persistent is None:
        return
    wanted, has = (canonical(parse(text), kind.rules) for text in (observed.persistent, observed.live))
    for way in ways:
        asked, there = wanted.get(way.pattern, ""), has.get(way.pattern, "")
        rounding = rules_for(kind.rules, way.pattern).live_rounding
        if late(way, asked, there, has):
            continue  # nothing was asked of it: this waits for its next start
        if asked.isdigit() and there.isdigit() and round_up(int(asked), rounding) != round_up(int(there), rounding):
            told = f"{way.pattern} is {binary(int(there))}, and {binary(int(asked))} is asked for"
            yield f"waiting for the guest: {told}: {way.awaits}"


def in_one_go(steps: list[Step]) -> list[Step]:
    """Without the updates of a running object that is restarted: its next start takes up the whole definition anyway."""
    restart = next((step for step in steps if step.verb is Verb.RESTART and not step.blocked), None)
    if restart is None or any(step.verb is Verb.DEFINE and step.blocked for step in steps):
        return steps
    spared = [step for step in steps if step.verb is Verb.UPDATE and not step.blocked]
    paths = sorted({*restart.paths, *(path for step in spared for path in step.paths)})
    return [replace(step, paths=tuple(paths)) if step is restart else step for step in steps if step not in spared]


def replaced(subject: Subject) -> str | None:
    """Why this is hardly the object that was made, though it has its name (libvirt knows a file by nothing else), or None."""
    kind, mark, observed = subject.kind, subject.mark, subject.observed
    if not kind.made_as or mark is None or mark.pending or mark.wiping or not mark.xml or observed is None:
        return None
    found = compare(kind, Sides(mark.xml, mark.xml, observed.persistent, observed.live), mark)
    path = next((d.path for d in found if d.path in kind.made_as), None)
    return f"{path} is not as it was made: something else may have its name now, and is not touched" if path else None


def repairs(subject: Subject, desired: Desired, observed: Observed, found: tuple[Difference, ...]) -> Iterator[Step]:
    """The steps that bring the definition in line; refused changes come as blocked steps, one for each path.

    What has a live way is defined for good, like everything else, and then brought into the running object.
    """
    other = replaced(subject)
    by_verb: dict[Verb, list[Difference]] = {}
    refused: dict[Verb, str] = {}
    for difference in found:
        way = way_for(subject.kind, difference.path)
        if way.refusal:
            refused[way.verb] = f"it would change {difference.path} as well, and {way.refusal}"
            yield Step(way.verb, _why([difference]), way.impact, (difference.path,), blocked=way.refusal)
        elif way.grows_only and _shrinks(difference):
            yield Step(way.verb, _why([difference]), Impact.DATA_LOSS, (difference.path,), blocked=way.grows_only)
        else:
            for verb in _verbs(observed, difference, way.verb):
                by_verb.setdefault(verb, []).append(difference)
    if observed.persistent is None and not is_persistent(desired):
        by_verb.pop(Verb.DEFINE, None)
    for verb, differences in sorted(by_verb.items(), key=lambda entry: entry[0] is Verb.UPDATE):
        impact = max((d.impact for d in differences if d.impact < Impact.RESTART), default=Impact.NONE)
        live = impact if verb is not Verb.DEFINE else Impact.NONE
        yield Step(verb, _why(differences), live, tuple(d.path for d in differences), blocked=refused.get(verb) or other)


def _verbs(observed: Observed, difference: Difference, verb: Verb) -> Iterator[Verb]:
    """What a difference needs: a definition where the persistent one is off, an update where the running one can be changed."""
    if verb not in {Verb.DEFINE, Verb.UPDATE}:
        yield verb
        return
    defined = difference.cause is Cause.DRIFT and difference.persistent == difference.desired
    if difference.cause is not Cause.PENDING_RESTART and not defined:
        yield Verb.DEFINE
    reached = difference.live == difference.desired
    if verb is Verb.UPDATE and observed.live is not None and not reached and difference.impact < Impact.RESTART:
        yield Verb.UPDATE


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
