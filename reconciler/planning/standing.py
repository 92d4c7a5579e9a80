"""What is not in the XML: state, autostart, persistence, and the options that only concern Vireo."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import Verb
from reconciler.model.state import Desired, Observed
from reconciler.planning.lifecycle import route
from reconciler.planning.policy import GIVEN_UP, INHERITED, by_policy, inherited_policy
from reconciler.planning.step import Step
from reconciler.planning.subject import AUTOSTART, PERSISTENT, STATE, Subject

NOT_INTENT = frozenset({"restartedAt"})


def ways_to(subject: Subject, desired: Desired, state: str, reason: str) -> tuple[Step, ...]:
    """The steps from `state` to the wanted one; a single blocked one where there is no way."""
    persistent = is_persistent(desired)
    leaving = desired.state == subject.kind.lifecycle.absent
    if leaving and subject.observed is not None:
        persistent = subject.observed.persistent is not None  # what goes, goes as it is
    given_up = leaving and inherited_policy(desired.options) in GIVEN_UP
    found = route(subject.kind.lifecycle, state, desired.state, persistent=persistent, given_up=given_up)
    if found is None:
        why = f"no way from {state} to {desired.state}" + ("" if is_persistent(desired) else " for a transient domain")
        return (Step(Verb.DEFINE, reason, blocked=why),)
    return tuple(Step(step.verb, reason, step.impact, (STATE,)) for step in found)


def is_persistent(desired: Desired) -> bool:
    """Whether the object is to have a definition that stays when it ends."""
    return bool(desired.options.get(PERSISTENT, True))


def standing(subject: Subject, desired: Desired, observed: Observed) -> Iterator[Difference]:
    """State, autostart and persistence: what is not in the XML."""
    mark = subject.mark
    if observed.state != desired.state:
        cause = Cause.DRIFT if mark is not None and mark.state == desired.state and not mark.pending else Cause.MANIFEST
        yield Difference(STATE, desired.state, observed.state, None, cause, Impact.NONE)
    if is_persistent(desired) != (observed.persistent is not None) and desired.state != subject.kind.lifecycle.absent:
        same = mark is not None and not mark.pending and bool(mark.options.get(PERSISTENT, True)) == is_persistent(desired)
        cause = Cause.DRIFT if same else Cause.MANIFEST
        yield Difference(
            PERSISTENT, _word(is_persistent(desired)), _word(observed.persistent is not None), None, cause, Impact.NONE
        )
    if desired.autostart not in (None, observed.autostart) and is_persistent(desired):
        cause = Cause.DRIFT if mark is not None and mark.autostart == desired.autostart and not mark.pending else Cause.MANIFEST
        yield Difference(AUTOSTART, _word(desired.autostart), _word(observed.autostart), None, cause, Impact.NONE)


def standing_steps(subject: Subject, desired: Desired, observed: Observed) -> Iterator[Step]:
    """The steps for them, in order."""
    reasons = {d.path: d.cause for d in standing(subject, desired, observed)}
    state = observed.state
    if PERSISTENT in reasons and is_persistent(desired):
        yield Step(Verb.DEFINE, "persistent: true, and the host has it as transient", paths=(PERSISTENT,))
    elif PERSISTENT in reasons:
        yield Step(Verb.UNDEFINE, "persistent: false, and the host has a definition", paths=(PERSISTENT,), consented=True)
        state = state if state in subject.kind.lifecycle.active else subject.kind.lifecycle.absent
    if AUTOSTART in reasons:
        yield Step(Verb.AUTOSTART, f"autostart: {_word(desired.autostart)} ({reasons[AUTOSTART].value})", paths=(AUTOSTART,))
    if state != desired.state:
        reason = f"state: {desired.state} ({reasons.get(STATE, Cause.MANIFEST).value}), it is {state}"
        steps = ways_to(subject, desired, state, reason)
        if desired.state == subject.kind.lifecycle.absent:
            consented = (replace(step, consented=True) for step in steps)
            yield from by_policy(subject, consented, inherited_policy(desired.options))
        else:
            yield from steps


def options(subject: Subject, desired: Desired) -> Iterator[Difference]:
    """What only concerns Vireo (policies, timeouts): compared with what was recorded."""
    if subject.mark is None or subject.mark.pending:
        return
    wanted, known = dict(_leaves(desired.options)), dict(_leaves(subject.mark.options))
    for path in sorted(wanted.keys() | known.keys()):
        inherits = path in wanted and path.startswith(f"{INHERITED}/")  # Vireo's own words, not the manifest's
        if wanted.get(path) != known.get(path) and path not in NOT_INTENT and not inherits:
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
            yield below, value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _word(value: bool | None) -> str:  # noqa: FBT001  a value, not a switch
    return "yes" if value else "no"
