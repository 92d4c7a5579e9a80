"""After a revert: what it changed is not undone without a word. People choose: correct the host, or adopt it in the manifest."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.difference import Cause
from reconciler.model.plan import Verb
from reconciler.planning.case import Case
from reconciler.planning.step import Step
from reconciler.planning.subject import AUTOSTART

_KEPT = ("options/", AUTOSTART)  # beginnings of paths that no revert changes


def hold(case: Case, *, correct: bool) -> None:
    """Block the steps of a case that would undo a revert, unless they are asked for by `correct`: also what a restart would undo.

    Where nothing differs any more, that is written down, and the revert is forgotten.
    """
    mark, desired = case.subject.mark, case.desired
    if mark is None or not mark.reverted or desired is None or desired.state == case.subject.kind.lifecycle.absent:
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


def _undoes(step: Step) -> bool:
    return step.verb is not Verb.RECORD and any(not path.startswith(_KEPT) for path in step.paths)
