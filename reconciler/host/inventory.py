"""What a project owns on a host, written down on that host: one mark for each resource, in texts of limited size.

It decides nothing about ownership (see observe) and never holds a secret value: marks have placeholders.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from reconciler.errors import HostError
from reconciler.host.filestore import Entry
from reconciler.host.session import Session
from reconciler.host.shards import DamagedError, Key, Shard, Write, decode, heal, key_of, newest, place
from reconciler.host.store import Store, store_of
from reconciler.kinds import KINDS
from reconciler.model.resource import ResourceId
from reconciler.model.state import Mark

ROOT = "vireo/"
_USAGE = re.compile(r"vireo/(?P<project>.+)/inventory/(?P<number>\d+)")


@dataclass(frozen=True, slots=True)
class Survey:
    """All inventories of a host: project -> marks; and the texts that cannot be read: their names -> why."""

    marks: Mapping[str, Mapping[ResourceId, Mark]]
    damaged: Mapping[str, str] = field(default_factory=dict)

    def check(self, project: str) -> None:
        """Raises HostError if part of the project's inventory cannot be read."""
        for usage, reason in self.damaged.items():
            if _project_of(usage) == project:
                raise _damaged(usage, reason)


class Inventory:
    """The inventory of one project on one host; may be used from several threads. Make it with `open`."""

    def __init__(self, store: Store, project: str, host: str) -> None:
        """Reads the inventory that `store` keeps. Raises HostError if part of it cannot be read."""
        self._store = store
        self._project = project
        self._guard = threading.RLock()
        self._host = host
        self._entries: list[Entry] = []
        self._shards: list[Shard] = []
        self._read()

    @classmethod
    def open(cls, session: Session, project: str) -> Inventory:
        """Reads the project's inventory from the host."""
        return cls(store_of(session), project, session.facts.name)

    @property
    def marks(self) -> Mapping[ResourceId, Mark]:
        """All marks as of the last read or write."""
        with self._guard:
            return MappingProxyType({record.mark.id: record.mark for record in newest(self._shards).values()})

    def write(self, marks: Iterable[Mark]) -> None:
        """Adds or replaces marks; each touched text is written once. Killed at any moment, nothing that was there is lost.

        Of kinds that carry their mark themselves (domains), only identity and digests are kept here.
        """
        self._change({key_of(mark.id): _lean(mark) for mark in marks})

    def forget(self, ids: Iterable[ResourceId]) -> None:
        """Takes marks out; those that are not in are passed over."""
        self._change(dict.fromkeys(map(key_of, ids)))

    def _read(self) -> None:
        """What the host has now; a text that is as it was is not decoded again."""
        known = dict(zip(self._entries, self._shards, strict=True))
        entries = [entry for entry in self._store.entries(_prefix(self._project)) if _project_of(entry.usage) == self._project]
        shards = []
        for entry in entries:
            try:
                shards.append(known[entry] if entry in known else decode(entry.text, self._host))
            except DamagedError as error:
                raise _damaged(entry.usage, str(error)) from error
        self._entries, self._shards = entries, shards

    def _change(self, changes: Mapping[Key, Mark | None]) -> None:
        """Reads before it writes: a process that was stopped for so long that it lost its lock must not bring back old texts."""
        with self._guard:
            self._read()
            self._apply(heal(self._shards))
            known = newest(self._shards)
            needed = {
                key: mark for key, mark in changes.items() if (known[key].mark != mark if key in known else mark is not None)
            }
            if needed:
                self._apply(place(self._shards, [len(entry.text) for entry in self._entries], needed))

    def _apply(self, writes: Sequence[Write]) -> None:
        """Carries the writes out in their order. Indexes stay as they are until the end, so that emptied shards can go."""
        try:
            for write in writes:
                self._apply_one(write)
        finally:
            kept = [index for index, shard in enumerate(self._shards) if shard]
            self._entries = [self._entries[index] for index in kept]
            self._shards = [self._shards[index] for index in kept]

    def _apply_one(self, write: Write) -> None:
        if write.shard is None:
            self._entries.append(self._create(write.text))
            self._shards.append(write.records)
            return
        entry = self._entries[write.shard]
        if write.records:
            self._entries[write.shard] = self._store.replace(entry, write.text) or self._create(write.text)
        else:
            self._store.remove(entry)
        self._shards[write.shard] = write.records

    def _create(self, text: str) -> Entry:
        """A new text under the first number that is free on the host."""
        taken = {entry.usage for entry in self._entries}
        number = 0
        while True:
            usage = f"{_prefix(self._project)}{number}"
            number += 1
            entry = self._store.create(usage, text) if usage not in taken else None
            if entry is not None:
                return entry


def survey(session: Session) -> Survey:
    """Reads the inventories of all projects on the host."""
    shards: dict[str, list[Shard]] = {}
    damaged: dict[str, str] = {}
    for entry in store_of(session).entries(ROOT):
        project = _project_of(entry.usage)
        if project is None:
            continue
        try:
            shards.setdefault(project, []).append(decode(entry.text, session.facts.name))
        except DamagedError as error:
            damaged[entry.usage] = str(error)
    marks = {
        project: {record.mark.id: record.mark for record in newest(found).values()} for project, found in sorted(shards.items())
    }
    return Survey(marks, damaged)


def projects(session: Session) -> list[str]:
    """The names of the projects that have an inventory on the host."""
    found = survey(session)
    return sorted({*found.marks, *(name for name in map(_project_of, found.damaged) if name is not None)})


def restart(session: Session, project: str, marks: Iterable[Mark]) -> None:
    """Writes the inventory anew with just these marks, whatever was there, readable or not: the new before the old goes."""
    store = store_of(session)
    old = [entry for entry in store.entries(_prefix(project)) if _project_of(entry.usage) == project]
    fresh = Inventory(_Blank(store), project, session.facts.name)
    fresh.write(marks)
    for entry in old:
        store.remove(entry)


@dataclass(frozen=True, slots=True)
class _Blank:
    """A store that has nothing yet, in front of one that has."""

    store: Store

    def entries(self, prefix: str) -> list[Entry]:  # noqa: ARG002  whatever is asked for
        return []

    def create(self, usage: str, text: str) -> Entry | None:
        return self.store.create(usage, text)

    def replace(self, entry: Entry, text: str) -> Entry | None:
        return self.store.replace(entry, text)

    def remove(self, entry: Entry) -> bool:
        return self.store.remove(entry)


def _prefix(project: str) -> str:
    return f"{ROOT}{project}/inventory/"


def _project_of(usage: str) -> str | None:
    match = _USAGE.fullmatch(usage)
    return match["project"] if match else None


def _lean(mark: Mark) -> Mark:
    if not KINDS[mark.id.kind].marked:
        return mark
    return dataclasses.replace(mark, xml="", normalised={}, refused={}, retired={}, waiting=None, run="")


def _damaged(usage: str, reason: str) -> HostError:
    return HostError(
        f"the inventory {usage} on the host cannot be read",
        detail=reason,
        hint="a newer Vireo may have written it; else `vireo inventory rebuild` makes it anew from what the host has",
    )
