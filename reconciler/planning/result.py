"""A case that is decided -> what the plan says of its resource."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from reconciler.model.difference import Cause, Impact
from reconciler.model.plan import ResourcePlan, Status, Verb
from reconciler.model.state import Observed
from reconciler.planning.case import Case
from reconciler.xmltree.mark import digest


def resource_plan(case: Case) -> ResourcePlan:
    """The case as the plan shows it."""
    subject = case.subject
    options = case.desired.options if case.desired is not None else subject.mark.options if subject.mark is not None else {}
    if case.desired is None and case.heir is not None and case.inherits and case.steps:
        options = {**options, **case.heir.options}
    absent = subject.kind.lifecycle.absent
    wanted = case.desired.state if case.desired is not None else absent if case.steps else subject.state
    return ResourcePlan(
        id=case.id,
        status=_status(case),
        desired_state=wanted,
        observed_state=subject.state if not subject.unseen or subject.mark is None else subject.mark.state or absent,
        differences=case.decision.differences,
        desired=case.desired,
        uuid="" if subject.observed is None else subject.observed.uuid,
        options=options,
        observed_digest=observed_digest(subject.observed),
        note="; ".join(filter(None, (case.desired.note if case.desired is not None else "", case.decision.note, *_later(case)))),
    )


def _later(case: Case) -> Iterator[str]:
    """What a manifest asks for and this version does not do: said, never passed over."""
    for option in case.subject.kind.later:
        if case.desired is not None and case.desired.options.get(option):
            yield f"{option}: this version does not act on it"


def _status(case: Case) -> Status:
    if case.decision.not_ours:
        runnable = [step for step in case.steps if step.blocked is None]
        return Status.UPDATE if runnable else Status.NOT_OURS
    if any(step.blocked is None for step in case.steps):
        if case.removing:
            return Status.DELETE
        return Status.CREATE if case.subject.observed is None and case.desired is not None else Status.UPDATE
    late = any(d.cause is Cause.PENDING_RESTART or d.impact is Impact.RESTART for d in case.decision.differences)
    if late and all(step.verb is Verb.RESTART for step in case.steps):
        return Status.PENDING_RESTART
    if case.steps:
        return Status.BLOCKED
    return Status.IN_SYNC


def observed_digest(observed: Observed | None) -> str:
    """Changes whenever what the plan was made from changes; not with a running guest's own numbers."""
    if observed is None:
        return ""
    seen = [
        observed.uuid,
        observed.state,
        observed.autostart,
        digest(observed.persistent or observed.live or ""),
        observed.mark is not None,
    ]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:32]
