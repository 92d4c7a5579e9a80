"""Volumes that go along with what moves: the same file on both hosts, or copied with the guest. And files that others need.

Pure. A volume that comes along is never made empty, and what stays where it was is never deleted by the move.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.kinds import KINDS
from reconciler.kinds.spellings import location
from reconciler.model.plan import Verb
from reconciler.model.resource import ResourceId
from reconciler.model.state import Desired, HostState, Observed
from reconciler.planning.case import Case
from reconciler.planning.guard import DESTROYING
from reconciler.planning.moves import Moves
from reconciler.planning.references import Places, references
from reconciler.planning.step import Step
from reconciler.planning.subject import Decision, subject_of


@dataclass(frozen=True, slots=True)
class Companions:
    """`coming`: the volume where it is declared -> what it is elsewhere. `mover`: the same -> the object that brings it along."""

    coming: Mapping[ResourceId, Observed] = field(default_factory=dict)
    mover: Mapping[ResourceId, ResourceId] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        moves: Moves,
        wanted: Sequence[Desired],
        states: Sequence[HostState],
        paths: Mapping[tuple[str, str], ResourceId],
    ) -> Companions:
        """The declared volumes that moving objects use, of the same path where they come from. `paths` are future paths."""
        hosts = {state.facts.name: state for state in states}
        declared = {desired.id for desired in wanted}
        coming: dict[ResourceId, Observed] = {}
        mover: dict[ResourceId, ResourceId] = {}
        for id_, seen in moves.coming.items():
            source, destination = hosts[seen.id.host], hosts[id_.host]
            for used in references(KINDS[id_.kind], (seen.persistent, seen.live), Places.of(source, {}), seen.id):
                volume, there = source.resources.get(used), replace(used, host=id_.host)
                if not used.pool or volume is None or volume.mark is None or used in declared or there not in declared:
                    continue
                present = destination.resources.get(there)
                path = present.uuid if present is not None else ""
                future = paths.get((id_.host, volume.uuid)) == there
                if there not in destination.foreign_marks and (location(path) == location(volume.uuid) or (future and not path)):
                    coming[there], mover[there] = volume, id_
        return cls(coming, mover)

    def seen(self, state: HostState) -> HostState:
        """The host as it is when the volumes have come."""
        here = {
            id_: replace(volume, id=id_, mark=None)
            for id_, volume in self.coming.items()
            if id_.host == state.facts.name and id_ not in state.resources
        }
        return replace(state, resources={**state.resources, **here}) if here else state

    def taken_over(self, desired: Desired) -> Desired:
        """A volume that comes along is this project's, and nobody need say that it may be adopted."""
        return replace(desired, adopt=True) if desired.id in self.coming else desired

    def order(self, cases: Mapping[ResourceId, Case]) -> None:
        """Where their mover's case is, volumes wait for it, and not it for them."""
        for id_, mover in self.mover.items():
            if id_ in cases and mover in cases:
                cases[mover].needs -= {id_}
                cases[id_].needs |= {mover}

    def remains(self, cases: Mapping[ResourceId, Case], states: Sequence[HostState]) -> dict[ResourceId, Case]:
        """What they leave: files that stay, and that the project does not own there any more. Blocked with the move."""
        hosts = {state.facts.name: state for state in states}
        out: dict[ResourceId, Case] = {}
        for id_, volume in self.coming.items():
            mover = cases.get(self.mover[id_])
            if mover is None or id_ not in cases:
                continue
            why = f"it goes with {mover.id} to {id_.host}; the file that is here stays, whether both hosts see it or not"
            moving = next((step for step in mover.steps if step.verb is Verb.MIGRATE), None)
            blocked = f"{mover.id} does not move: {moving.blocked}" if moving is not None and moving.blocked else None
            cases[id_].steps = [replace(step, blocked=step.blocked or blocked) for step in cases[id_].steps]
            subject = subject_of(volume.id, None, hosts[volume.id.host], adopt=False)
            step = Step(Verb.FORGET, why, blocked=blocked)
            out[volume.id] = Case(subject, None, Decision(note=why), [step], frozenset({mover.id, id_}))
        return out


def hold_needed(cases: Mapping[ResourceId, Case], states: Sequence[HostState]) -> None:
    """Block the deletion of a file whose path an object of the project uses on another host: both may see the same one."""
    for case in cases.values():
        if not case.id.pool or case.subject.observed is None or not any(step.verb in DESTROYING for step in case.steps):
            continue
        user = next(_users(case, cases, states), None)
        if user is not None:
            why = f"{user} on {user.host} uses a file of this path, and both hosts may see the same one: delete it by hand"
            case.steps = [replace(step, blocked=step.blocked or why) for step in case.steps]


def _mentions(seen: Observed, *words: str) -> bool:
    """Whether the texts have one of the words at all: documents are parsed only then."""
    return any(word in text for text in (seen.persistent, seen.live) if text for word in words)


def _users(case: Case, cases: Mapping[ResourceId, Case], states: Sequence[HostState]) -> Iterator[ResourceId]:
    path = location(case.subject.observed.uuid) if case.subject.observed is not None else ""
    for state in states:
        if state.facts.name == case.id.host:
            continue
        places = Places.of(state, {})
        same = places.volumes.get(path) or replace(case.id, host=state.facts.name)
        places = replace(places, volumes={**places.volumes, path: same})
        for id_, seen in state.resources.items():
            leaving = id_ in cases and cases[id_].removing
            if seen.mark is None or leaving or not KINDS[id_.kind].migrates or not _mentions(seen, path, same.name):
                continue
            if same in references(KINDS[id_.kind], (seen.persistent, seen.live), places, id_):
                yield id_
