"""What all hosts of a project say together, for the planner, which plans one host after the other. Decides nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from reconciler.model.resource import ResourceId
from reconciler.model.state import Desired, HostState
from reconciler.planning.allowance import Policy
from reconciler.planning.case import Case
from reconciler.planning.companions import Companions, hold_needed
from reconciler.planning.moves import Moves
from reconciler.planning.subject import Subject


@dataclass(frozen=True, slots=True)
class Across:
    """`read_only` are the hosts that cannot be changed."""

    moves: Moves = field(default_factory=Moves)
    companions: Companions = field(default_factory=Companions)
    read_only: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, wanted: Sequence[Desired], states: Sequence[HostState], policy: Policy, paths: Mapping[tuple[str, str], ResourceId]
    ) -> Self:
        """What moves; nothing where all goes."""
        moves = Moves() if policy.destroy else Moves.of(wanted, states)
        companions = Companions.of(moves, wanted, states, paths)
        moves.held.update(volume.id for volume in companions.coming.values())
        return cls(moves, companions, frozenset(state.facts.name for state in states if state.facts.read_only))

    def seen(self, state: HostState) -> HostState:
        """The host as it is when all that comes to it has come."""
        return self.companions.seen(self.moves.seen(state))

    def unnamed(self, subjects: Mapping[ResourceId, Subject]) -> dict[ResourceId, Subject]:
        """What no manifest names where it is, without what moves away from there."""
        kept = self.moves.held | self.moves.left.keys()
        return {id_: subject for id_, subject in subjects.items() if id_ not in kept}

    def begin(self, cases: Mapping[ResourceId, Case]) -> None:
        """The moves before all other steps."""
        for case in cases.values():
            self.moves.begin(case, self.read_only)

    def end(self, cases: dict[ResourceId, Case], states: Sequence[HostState], policy: Policy) -> None:
        """What is left where things come from, and what must not go because somebody elsewhere needs it."""
        for state in states:
            cases |= {case.id: case for case in self.moves.remains(state, policy)}
        cases |= self.companions.remains(cases, states)
        hold_needed(cases, states)
