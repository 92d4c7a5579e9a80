"""Which volumes go with the domain that gives its data up: those in which it keeps its own data, and that nobody else uses.

It decides nothing about what is protected on the host or used by others there: guards do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.kinds import KINDS
from reconciler.model.resource import ResourceId
from reconciler.model.state import Desired, HostState
from reconciler.planning.policy import DELETE, GIVEN_UP, INHERITED, RETAIN, WIPE, data_policy
from reconciler.planning.references import Places, own_data, references
from reconciler.planning.subject import Subject

STRICTEST = (DELETE, WIPE)


@dataclass(frozen=True, slots=True)
class Heir:
    """A volume that goes with `giver`, by its `policy`. `declared`: because a manifest says that the giver is to be undefined."""

    giver: ResourceId
    policy: str
    declared: bool

    @property
    def asked(self) -> str:
        """Why it goes, or is not made; "" if what makes the giver go must say so."""
        if not self.declared:
            return ""
        return f"{self.giver}, its only user, is declared undefined with onDelete.volumes: {self.policy}"

    @property
    def options(self) -> dict[str, Any]:
        """What its mark is to say, so that it is known when the giver is gone."""
        return {INHERITED: {"policy": self.policy, "from": str(self.giver)}}


@dataclass(frozen=True, slots=True)
class Heirs:
    """Who goes with whom; and the volumes that would, if nobody else were declared to use them: volume -> that user."""

    going: Mapping[ResourceId, Heir] = field(default_factory=dict)
    kept: Mapping[ResourceId, ResourceId] = field(default_factory=dict)

    @classmethod
    def of(
        cls, declared: Mapping[ResourceId, Desired], leftover: Mapping[ResourceId, Subject], state: HostState, places: Places
    ) -> Heirs:
        """From all wishes, and from what is to be removed because no manifest names it (none, if nothing asks for that)."""
        listed = {mark.uuid: id_ for id_, mark in state.inventory.items() if id_.pool and mark.uuid}
        known = Places(places.host, {**listed, **places.volumes})  # also those of a pool that is not active
        found: dict[ResourceId, Heir] = {}
        for giver, policy, texts, by_manifest in (*_declared(declared, state), *_leftover(leftover)):
            for volume in own_data(KINDS[giver.kind], texts, known):
                heir = Heir(giver, policy, by_manifest)
                if _may_go(volume, heir, declared, state) and (
                    volume not in found or STRICTEST.index(policy) > STRICTEST.index(found[volume].policy)
                ):
                    found[volume] = heir
        return cls._without_wanted(found, declared, state, known) if found else cls()

    @classmethod
    def _without_wanted(
        cls, found: dict[ResourceId, Heir], declared: Mapping[ResourceId, Desired], state: HostState, places: Places
    ) -> Heirs:
        """What another declared resource needs stays, and so does what that one needs if it is such a volume itself."""
        wants = {id_: _wants(desired, state, places) for id_, desired in declared.items() if not _is_leaving(desired)}
        kept: dict[ResourceId, ResourceId] = {}
        while True:
            users = {volume: id_ for id_ in sorted(wants) if id_ not in found for volume in wants[id_] & found.keys()}
            if not users:
                return cls(found, kept)
            kept |= users
            found = {id_: heir for id_, heir in found.items() if id_ not in users}

    def rewritten(self, desired: Desired) -> Desired:
        """The wish of a volume that goes with its user: to be absent, whatever its own manifest says."""
        heir = self.going.get(desired.id)
        if heir is None:
            return desired
        return replace(desired, state=KINDS[desired.id.kind].lifecycle.absent, options={**desired.options, **heir.options})


def _declared(
    declared: Mapping[ResourceId, Desired], state: HostState
) -> Iterable[tuple[ResourceId, str, tuple[str | None, ...], bool]]:
    for id_, desired in declared.items():
        policy = data_policy(desired.options)
        if _is_leaving(desired) and policy in GIVEN_UP:
            seen = state.resources.get(id_)
            ours = seen is not None and seen.mark is not None
            yield id_, policy, (desired.xml, *((seen.persistent, seen.live) if seen is not None and ours else ())), True


def _leftover(leftover: Mapping[ResourceId, Subject]) -> Iterable[tuple[ResourceId, str, tuple[str | None, ...], bool]]:
    for id_, subject in leftover.items():
        policy = data_policy(subject.mark.options) if subject.mark is not None else ""
        seen = subject.observed
        if subject.ours and seen is not None and subject.mark is not None and policy in GIVEN_UP:
            yield id_, policy, (subject.mark.xml, seen.persistent, seen.live), False


def _may_go(volume: ResourceId, heir: Heir, declared: Mapping[ResourceId, Desired], state: HostState) -> bool:
    """Its own words count more; what nobody lists is not ours, and what a manifest declares goes by a manifest only."""
    desired, seen, mark = declared.get(volume), state.resources.get(volume), state.inventory.get(volume)
    if desired is not None:
        return (
            heir.declared
            and not (desired.protect or (mark is not None and mark.protect))
            and not _is_leaving(desired)
            and not data_policy(desired.options)
            and (seen is None or seen.mark is not None)
        )
    return mark is not None and data_policy(mark.options) != RETAIN


def _is_leaving(desired: Desired) -> bool:
    return desired.state == KINDS[desired.id.kind].lifecycle.absent


def _wants(desired: Desired, state: HostState, places: Places) -> frozenset[ResourceId]:
    """What the resource uses, or is still to be copied from."""
    kind = KINDS[desired.id.kind]
    found = references(kind, (desired.xml,), places, desired.id)
    given = desired.options.get(kind.copied_from) if desired.id not in state.resources else None
    if not given:
        return found
    return found | {ResourceId(desired.id.kind, str(given["volume"]), desired.id.host, str(given.get("pool") or desired.id.pool))}
