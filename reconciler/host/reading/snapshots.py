"""Reads the snapshots that a domain has, parents before children."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import libvirt

from reconciler.host.reading.bulk import supported, unless_gone
from reconciler.host.session import Session
from reconciler.model.snapshot import Snapshot
from reconciler.xmltree.snapshot import read


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot of a domain: libvirt's object, its XML (with secret values if asked for), and what that says."""

    handle: libvirt.virDomainSnapshot
    text: str
    value: Snapshot


def read_snapshots(session: Session, domain: libvirt.virDomain, flags: int = 0) -> tuple[Taken, ...]:
    """All snapshots of the domain: one call for the list, one for the current one, one for each. Empty where there are none.

    `flags` are VIR_DOMAIN_SNAPSHOT_XML_ ones.
    """
    found: list[Any] = supported(session, "virDomainListAllSnapshots", domain.listAllSnapshots, 0, otherwise=[])
    if not found:
        return ()
    latest = unless_gone(session.call, "virDomainSnapshotCurrent", domain.snapshotCurrent, 0)
    current = "" if latest is None else latest.getName()
    taken = []
    for handle in found:
        text = unless_gone(session.call, "virDomainSnapshotGetXMLDesc", handle.getXMLDesc, flags)
        if text is not None:
            taken.append(Taken(handle, text, read(text, current=handle.getName() == current)))
    return _parents_first(taken)


def _parents_first(taken: Iterable[Taken]) -> tuple[Taken, ...]:
    """By age within a level, so that the order is the same each time; libvirt's own is any."""
    waiting = sorted(taken, key=lambda each: (each.value.created, each.value.name))
    names = {each.value.name for each in waiting}
    done: dict[str, Taken] = {}
    while waiting:
        ready = [each for each in waiting if each.value.parent in done or each.value.parent not in names] or waiting
        done |= {each.value.name: each for each in ready}
        waiting = [each for each in waiting if each.value.name not in done]
    return tuple(done.values())
