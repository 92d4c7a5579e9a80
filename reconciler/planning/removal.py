"""What happens to a resource that is to go: by policy, by request, or not at all. Shutdown, undefine, then data, by policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import Verb
from reconciler.planning.lifecycle import route
from reconciler.planning.policy import RETAIN, by_policy
from reconciler.planning.repairs import replaced
from reconciler.planning.step import Step
from reconciler.planning.subject import STATE, Decision, Subject


def remove(subject: Subject, *, asked: str, inherited: str = "") -> Decision:
    """The steps that remove a resource that no manifest names any more.

    `asked` says why it is to go, empty if neither prune nor destroy is on; `inherited` is the data policy of the domains that
    used it and go as well.
    """
    if not asked:
        return Decision(note="no manifest names it any more; --prune would remove it")
    absent = subject.kind.lifecycle.absent
    if subject.unseen:
        return Decision(note=f"kept: {subject.unseen}")
    if subject.observed is None:
        return Decision(steps=(Step(Verb.FORGET, f"it is gone; {asked}"),))
    if not subject.ours:
        return Decision(
            steps=(Step(Verb.FORGET, f"another object has its name now; {asked}"),),
            note="not ours any more",
        )
    found = route(subject.kind.lifecycle, subject.state, absent, persistent=subject.observed.persistent is not None) or ()
    difference = Difference(
        STATE, absent, subject.state, None, Cause.MANIFEST, max((s.impact for s in found), default=Impact.NONE)
    )
    reason = asked
    steps = tuple(Step(step.verb, reason, step.impact, (STATE,), consented=True) for step in found)
    if subject.kind.remade is not Impact.DATA_LOSS:
        return Decision((difference,), steps)
    options = subject.mark.options if subject.mark is not None else {}
    policy = str(options.get("onDelete") or inherited or RETAIN)
    if policy == RETAIN:
        return Decision(note=f"{asked}; kept on the host (onDelete: retain)")
    other = replaced(subject)
    return Decision((difference,), tuple(replace(step, blocked=step.blocked or other) for step in by_policy(steps, policy)))


def inherited_policy(options: Mapping[str, Any]) -> str:
    """What a domain says about its volumes: ``onDelete: {volumes: ...}``."""
    policy = options.get("onDelete")
    return str(policy.get("volumes") or "") if isinstance(policy, Mapping) else ""
