"""What a policy gives leave for: data is destroyed only where a manifest says so."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.difference import Impact
from reconciler.planning.step import Step

RETAIN = "retain"
DELETE = "delete"


def by_policy(steps: Iterable[Step], policy: str) -> tuple[Step, ...]:
    """Steps that destroy data, as far as the policy gives leave for it."""
    out = []
    for step in steps:
        blocked, consented = step.blocked, step.consented
        if step.impact is Impact.DATA_LOSS:
            consented = policy == DELETE
            if policy == RETAIN:
                blocked = "onDelete: retain keeps its data"
            elif policy not in {DELETE, ""}:
                blocked = f"onDelete: {policy} is not possible with this version: nothing is deleted that should be wiped first"
        reason = f"{step.reason} (onDelete: {policy})" if policy else step.reason
        out.append(Step(step.verb, reason, step.impact, step.paths, consented=consented, blocked=blocked))
    return tuple(out)
