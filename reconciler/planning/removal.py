"""What happens to a resource that is to go: by policy, by request, or not at all. Shutdown, undefine, then data, by policy."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import Verb
from reconciler.model.state import Desired
from reconciler.planning.lifecycle import route
from reconciler.planning.policy import GIVEN_UP, RETAIN, by_policy, data_policy, inherited_policy
from reconciler.planning.repairs import replaced
from reconciler.planning.standing import ways_to
from reconciler.planning.step import Step
from reconciler.planning.subject import STATE, Decision, Subject


def remove(subject: Subject, *, asked: str, inherited: str = "") -> Decision:
    """The steps that remove a resource that no manifest names any more.

    `asked` says why it is to go, empty if nothing asks for it; `inherited` is the data policy of the domains that used it and
    go as well.
    """
    if not asked:
        begun = ", and its wiping was begun and is not finished: --prune goes on with it" if subject.wiping else ""
        return Decision(note=f"no manifest names it any more{begun or '; --prune would remove it'}")
    absent = subject.kind.lifecycle.absent
    if subject.unseen:
        return Decision(note=f"kept: {subject.unseen}")
    if subject.observed is None and subject.mark is not None and subject.mark.pending:
        return Decision(steps=(Step(Verb.FORGET, "no apply finished making it, and it is not there"),))
    if subject.observed is None:
        return Decision(steps=(Step(Verb.FORGET, f"it is gone; {asked}"),))
    if not subject.ours:
        return Decision(
            steps=(Step(Verb.FORGET, f"another object has its name now; {asked}"),),
            note="not ours any more",
        )
    holds_data = subject.kind.remade is Impact.DATA_LOSS
    options = subject.mark.options if subject.mark is not None else {}
    policy = (data_policy(options) or inherited or inherited_policy(options) or RETAIN) if holds_data else data_policy(options)
    if holds_data and policy == RETAIN and not subject.wiping:
        return Decision(note=f"{asked}; kept on the host (onDelete: retain)")
    persistent = subject.observed.persistent is not None
    found = route(subject.kind.lifecycle, subject.state, absent, persistent=persistent, given_up=policy in GIVEN_UP) or ()
    steps = by_policy(subject, (Step(s.verb, asked, s.impact, (STATE,), consented=True) for s in found), policy)
    worst = max((step.impact for step in steps), default=Impact.NONE)
    difference = Difference(STATE, absent, subject.state, None, Cause.MANIFEST, worst)
    other = replaced(subject) if holds_data else None
    return Decision((difference,), tuple(replace(step, blocked=step.blocked or other) for step in steps))


def made_anew(subject: Subject, desired: Desired) -> Decision:
    """A volume that is declared present and whose wiping was begun: what it held is lost, so the wiping is finished first."""
    absent = subject.kind.lifecycle.absent
    found = route(subject.kind.lifecycle, subject.state, absent) or ()
    reason = "its wiping was begun, so its content is gone: the wiping is finished and the volume made anew"
    going = by_policy(subject, (Step(s.verb, reason, s.impact, (STATE,)) for s in found), "")
    coming = ways_to(subject, desired, absent, reason)
    steps = tuple(replace(step, impact=Impact.DATA_LOSS, reason=reason, consented=False) for step in (*going, *coming))
    difference = Difference(STATE, desired.state, "half wiped", None, Cause.MANIFEST, Impact.DATA_LOSS)
    return Decision((difference,), steps, f"{reason}, which needs --allow data-loss")
