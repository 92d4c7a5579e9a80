"""After a revert: what it changed is not undone without a word. People choose: correct the host, or adopt it in the manifest."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.difference import Cause
from reconciler.model.plan import Verb
from reconciler.model.snapshot import reverting
from reconciler.planning.case import Case
from reconciler.planning.step import Step
from reconciler.planning.subject import AUTOSTART

_REVERT = "reverted"  # the path of a revert that is not finished
_KEPT = ("options/", AUTOSTART)  # beginnings of paths that no revert changes


def hold(case: Case, *, correct: bool) -> None:
    """Block the steps of a case that would undo a revert, unless they are asked for by `correct`: also what a restart would undo.

    Where nothing differs any more, that is written down, and the revert is forgotten. While one is not finished nothing is done.
    """
    mark, desired = case.subject.mark, case.desired
    if mark is None or not mark.reverted or desired is None or desired.state == case.subject.kind.lifecycle.absent:
        return
    if begun := reverting(mark.reverted):
        _unfinished(case, begun, give_up=correct)
        return
    found = case.decision.differences
    if not found and not case.steps:
        case.steps = [Step(Verb.RECORD, f"nothing is left to do after the revert to snapshot {mark.reverted}")]
        return
    if correct or all(d.cause is Cause.MANIFEST or d.path.startswith(_KEPT) for d in found):
        return
    why = (
        f"the domain was reverted to snapshot {mark.reverted}: `vireo apply --correct-reverted` brings the manifest's definition "
        "and state back; or change the manifest (`vireo import` shows what is there)"
    )
    case.steps = [replace(step, blocked=step.blocked or why) if _undoes(step) else step for step in case.steps]
    note = f"reverted to snapshot {mark.reverted}: what differs came with it"
    case.decision = replace(case.decision, note="; ".join(filter(None, (case.decision.note, note))))


def _unfinished(case: Case, name: str, *, give_up: bool) -> None:
    """Nothing is done to a domain whose disks may be the ones of before: it must not be started on them as if nothing were."""
    begun = f"the revert to {name} was begun and not finished"
    if give_up:
        case.steps = case.steps or [Step(Verb.RECORD, f"{begun}, and is given up")]
        note = f"{begun}, and is given up: its disks stay as they are now, reverted or not, and it goes on with them"
    else:
        note = begun
        why = (
            f"{begun}: `vireo snapshot revert {case.id.name} {name}` finishes it, `vireo apply --correct-reverted` gives it up "
            "and goes on with the disks as they are now, reverted or not"
        )
        steps = case.steps or [Step(Verb.RECORD, begun, paths=(_REVERT,))]
        case.steps = [replace(step, blocked=step.blocked or why) for step in steps]
    case.decision = replace(case.decision, note="; ".join(filter(None, (case.decision.note, note))))


def _undoes(step: Step) -> bool:
    return step.verb is not Verb.RECORD and any(not path.startswith(_KEPT) for path in step.paths)
