"""What a project owns on a host and no manifest names: whether anything asks for its removal, and what goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.model.resource import ResourceId
from reconciler.model.state import Desired, HostState
from reconciler.planning.allowance import Policy
from reconciler.planning.case import Case
from reconciler.planning.heirs import Heir
from reconciler.planning.policy import INHERITED, inherited_policy
from reconciler.planning.references import Places, needed
from reconciler.planning.removal import remove
from reconciler.planning.scope import targeted
from reconciler.planning.subject import Subject, subject_of


def renamed(state: HostState) -> dict[ResourceId, ResourceId]:
    """What our objects were called when they were last applied -> what they are called now."""
    return {seen.mark.id: id_ for id_, seen in state.resources.items() if seen.mark is not None and seen.mark.id != id_}


def asked(policy: Policy) -> str:
    """Why what no manifest names is to go, "" if nothing asks for it."""
    return "everything of the project goes" if policy.destroy else "no manifest names it any more" if policy.prune else ""


def leftover(declared: Mapping[ResourceId, Desired], state: HostState, policy: Policy) -> dict[ResourceId, Subject]:
    """What the project owns and no manifest names; with destroy, all that it owns."""
    owned = {id_ for id_, seen in state.resources.items() if seen.mark is not None} | set(state.inventory)
    known = {} if policy.destroy else {now: before for before, now in renamed(state).items() if before in declared}
    gone = sorted(id_ for id_ in owned if policy.destroy or (id_ not in declared and id_ not in known))
    return {id_: subject_of(id_, None, state, adopt=policy.adopt) for id_ in gone}


def chosen(subjects: Mapping[ResourceId, Subject], policy: Policy) -> dict[ResourceId, Subject]:
    """Those of them that the run is about, if it is limited to targets."""
    return {id_: subject for id_, subject in subjects.items() if policy.targets is None or targeted(id_, policy.targets)}


def removals(
    subjects: Mapping[ResourceId, Subject],
    heirs: Mapping[ResourceId, Heir],
    declared: Mapping[ResourceId, Desired],
    state: HostState,
    policy: Policy,
) -> dict[ResourceId, Case]:
    """A case for each of `subjects`; `heirs` are the volumes that go with their users."""
    uuids = {(id_.kind, seen.uuid) for id_, seen in state.resources.items() if id_ in declared and seen.mark is not None}
    places = Places.of(state, {})
    out = {}
    for id_, subject in subjects.items():
        moved = subject.observed is None and subject.mark is not None and (id_.kind, subject.mark.uuid) in uuids
        heir = heirs.get(id_)
        why = "it has another name now" if moved else _why(heir, policy)
        decision = remove(_without_old_legacy(subject, state), asked=why, inherited=heir.policy if heir is not None else "")
        seen = subject.observed
        wants = (
            needed(subject.kind, (seen.persistent, seen.live), places, id_)
            if seen is not None and decision.steps
            else frozenset()
        )
        out[id_] = Case(subject, None, decision, list(decision.steps), wants, heir=heir)
    return out


def _why(heir: Heir | None, policy: Policy) -> str:
    if heir is None:
        return asked(policy)
    return heir.asked or f"{asked(policy)}, and it goes with {heir.giver}"


def _without_old_legacy(subject: Subject, state: HostState) -> Subject:
    """What a domain would have left it does not count while that domain is still there: it is asked itself."""
    legacy: Mapping[str, Any] = (subject.mark.options.get(INHERITED) or {}) if subject.mark is not None else {}
    if subject.mark is None or not legacy or not inherited_policy(subject.mark.options):
        return subject
    there = any(str(id_) == legacy.get("from") and seen.mark is not None for id_, seen in state.resources.items())
    if not there:
        return subject
    options = {name: value for name, value in subject.mark.options.items() if name != INHERITED}
    return replace(subject, mark=replace(subject.mark, options=options))
