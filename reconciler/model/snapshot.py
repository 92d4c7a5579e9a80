"""Snapshots of a domain as values: one that is wanted, one that a host has, and what is noted of them. No XML, no libvirt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Mode: TypeAlias = Literal["auto", "internal", "external"]
Switch: TypeAlias = Literal["auto", "true", "false"]
Way: TypeAlias = Literal["declared", "schedule", "before", "hand"]

REVERTING = "reverting/"  # before the name of a snapshot, in a note of a revert that is not done yet: no name has a / in it


def noted(created: str, way: str) -> str:
    """What is noted of a snapshot that we take: ``TIME WAY``; the time is "" until it is known."""
    return f"{created} {way}"


def taken_at(note: str) -> str:
    """The time in such a note (seconds since the epoch); "" if it was not known yet."""
    return note.partition(" ")[0]


def way_of(note: str) -> str:
    """How it was taken; notes of older versions do not say it, and mean declared ones."""
    return note.partition(" ")[2] or "declared"


def reverting(note: str) -> str:
    """The snapshot of a revert that was begun and is not finished; "" if there is none."""
    return note.removeprefix(REVERTING) if note.startswith(REVERTING) else ""


@dataclass(frozen=True, slots=True)
class SnapshotSpec:
    """A snapshot to be taken (virDomainSnapshotCreateXML).

    `mode` auto: internal where every writable disk can hold one, else external. `memory` auto: with the guest's memory if it is
    active. `quiesce` auto: through the agent where it answers. `disks` are the targets to be in it; none: every disk that can be.
    `way` is how it comes to be taken: only declared ones are pruned, and only those of the schedule are rotated. Of one to be
    deleted it is who asks: a hand may delete any, all others only what was taken for a manifest.
    """

    name: str
    description: str = ""
    mode: Mode = "auto"
    memory: Switch = "auto"
    quiesce: Switch = "auto"
    disks: tuple[str, ...] = ()
    way: Way = "declared"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> SnapshotSpec:
        """From an item of a manifest's ``snapshots``; what is missing is as above."""
        return cls(
            name=str(given["name"]),
            description=str(given.get("description") or ""),
            mode=given.get("mode", "auto"),
            memory=_switch(given.get("memory", "auto")),
            quiesce=_switch(given.get("quiesce", "auto")),
            disks=tuple(given.get("disks") or ()),
        )


def _switch(value: object) -> Switch:
    match value:
        case True | "true":
            return "true"
        case False | "false":
            return "false"
        case _:
            return "auto"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that a domain has, as its metadata on the host says (virDomainSnapshotGetXMLDesc).

    `created` is in seconds since the epoch (libvirt's creationTime), `state` libvirt's word (running, paused, shutoff,
    disk-snapshot), `parent` "" for a root. `overlays` maps disk targets to the files that external parts of it go on in;
    `internal` are the targets that hold their part themselves. `memory_file` is the file of an external memory image, "" if none.
    """

    name: str
    created: int
    state: str
    parent: str = ""
    description: str = ""
    current: bool = False
    internal: tuple[str, ...] = ()
    overlays: Mapping[str, str] = field(default_factory=dict)
    has_memory: bool = False
    memory_file: str = ""
