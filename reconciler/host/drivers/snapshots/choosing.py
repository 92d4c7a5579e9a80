"""Which form a snapshot takes: internal or external, with memory or not, in which files. Refuses before anything is touched.

Decided from a definition and what the host has; nothing here changes anything.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from reconciler.errors import HostError
from reconciler.model.snapshot import Snapshot, SnapshotSpec
from reconciler.xmltree.chains import Disk, disks
from reconciler.xmltree.document import Element
from reconciler.xmltree.snapshot import Layout

FILES = frozenset({"file", "volume"})
HOLDING = frozenset({"qcow2"})
"""Formats that hold snapshots themselves."""

EXTERNAL_ONLY = "an external snapshot (`mode: external`)"


@dataclass(frozen=True, slots=True)
class Guest:
    """What is to be known of a domain: the definition that counts now, whether it is active, and its snapshots so far."""

    name: str
    root: Element
    active: bool
    taken: tuple[Snapshot, ...] = ()

    @property
    def has_pflash(self) -> bool:
        """Whether its firmware keeps variables in a flash device, of which libvirt takes no internal snapshot while it runs."""
        loader = self.root.find("os/loader")
        flash = loader is not None and loader.get("type") == "pflash"
        firmware = self.root.find("os")
        return flash or (firmware is not None and firmware.get("firmware") == "efi")


@dataclass(frozen=True, slots=True)
class Choice:
    """A snapshot's form. `memory`: it holds the guest's. `alone`: of disks only while the guest is active."""

    internal: bool
    memory: bool
    alone: bool
    chosen: tuple[Disk, ...]
    left_out: tuple[str, ...]


def choose(guest: Guest, spec: SnapshotSpec) -> Choice:
    """The form by the wish and the guest. Raises HostError with what to ask for instead."""
    able = [disk for disk in disks(guest.root) if disk.writable and disk.present and not disk.left_out]
    targets = [disk.target for disk in able]
    unknown = [target for target in spec.disks if target not in targets]
    if unknown:
        _refuse(guest, spec, f"has no disk {unknown[0]} that can be written to", f"its disks are: {', '.join(targets) or 'none'}")
    chosen = tuple(disk for disk in able if not spec.disks or disk.target in spec.disks)
    left_out = tuple(target for target in targets if spec.disks and target not in spec.disks)
    wants_memory = _memory(guest, spec)
    obstacle = _obstacle(guest, chosen, left_out, with_memory=wants_memory)
    if spec.mode == "internal" and obstacle:
        _refuse(guest, spec, f"cannot be internal: {obstacle}", f"use {EXTERNAL_ONLY}, or `mode: auto`")
    internal = spec.mode == "internal" or (spec.mode == "auto" and not obstacle and not _goes_on_outside(guest, chosen))
    if not internal:
        _check_external(guest, spec, chosen)
    return Choice(internal, wants_memory, guest.active and not wants_memory, chosen, left_out)


def _memory(guest: Guest, spec: SnapshotSpec) -> bool:
    if spec.memory == "true" and not guest.active:
        _refuse(guest, spec, "cannot hold memory: the guest is not running", "start it first, or use `memory: auto`")
    if spec.memory == "true" and spec.quiesce == "true":
        hint = "use `quiesce: auto` (memory and disks fit together without it), or `memory: false`"
        _refuse(guest, spec, "cannot hold memory and be quiesced: libvirt quiesces snapshots of disks only", hint)
    return guest.active and spec.memory != "false" and spec.quiesce != "true"


def _obstacle(guest: Guest, chosen: Collection[Disk], left_out: Collection[str], *, with_memory: bool) -> str:
    """Why the snapshot cannot be internal; "" if it can."""
    other = next((disk for disk in chosen if disk.format not in HOLDING or disk.type not in FILES | {"block"}), None)
    if not chosen:
        return "the domain has no disk that could hold it"
    if left_out:
        return f"it has to be of all disks that can be written to, {', '.join(left_out)} too"
    if other is not None:
        return f"the disk {other.target} is {other.format} ({other.type}), and only qcow2 holds snapshots itself"
    if guest.active and not with_memory:
        return "of a running guest it always holds the memory"
    if guest.active and guest.has_pflash:
        return "the firmware's variables are in a flash device, which a running guest cannot put into it"
    return ""


def _goes_on_outside(guest: Guest, chosen: Collection[Disk]) -> bool:
    """Whether a disk is in the overlay of an external snapshot now: an internal one within it would hold that one fast."""
    overlays = {(target, path) for snapshot in guest.taken for target, path in snapshot.overlays.items()}
    return any((disk.target, disk.path) in overlays for disk in chosen)


def _check_external(guest: Guest, spec: SnapshotSpec, chosen: Collection[Disk]) -> None:
    if not chosen:
        _refuse(guest, spec, "has nothing to be taken of: no disk can be written to", "give the domain a disk, or leave it out")
    other = next((disk for disk in chosen if disk.type not in FILES), None)
    if other is not None:
        words = f"cannot be external: the disk {other.target} is no file ({other.type}), so there is no place for its overlay"
        _refuse(guest, spec, words, "name the other disks in `disks`, or use qcow2 on it and `mode: internal`")
    if "/" in spec.name or spec.name.startswith("."):
        _refuse(guest, spec, "cannot be the end of a file's name", "choose a name without `/` and without a dot at its beginning")


def _refuse(guest: Guest, spec: SnapshotSpec, what: str, hint: str) -> None:
    raise HostError(f"{guest.name}: the snapshot {spec.name} {what}", hint=hint)


def root_of(path: str, taken: Collection[Snapshot]) -> str:
    """The name without what external snapshots have put behind it: the files of one disk are all named after its first one."""
    for snapshot in taken:
        bare = re.sub(rf"\.{re.escape(snapshot.name)}(\.r\d+)?$", "", path)
        if snapshot.overlays and bare != path and not bare.endswith("/"):
            return root_of(bare, taken)
    return path


def layout(choice: Choice, spec: SnapshotSpec, paths: Mapping[str, str], taken: Collection[Snapshot]) -> Layout:
    """The files of the snapshot; `paths` are those of its disks now (target -> path)."""
    if choice.internal:
        return Layout(internal=tuple(disk.target for disk in choice.chosen))
    roots = {disk.target: root_of(paths[disk.target], taken) for disk in choice.chosen}
    overlays = {target: f"{root}.{spec.name}" for target, root in roots.items()}
    first = next(iter(roots.values()))
    return Layout(
        overlays=overlays,
        left_out=choice.left_out,
        memory_file=f"{first}.{spec.name}.memory" if choice.memory else "",
    )


def folders(paths: Iterable[str]) -> tuple[str, ...]:
    """The folders of these files, each once."""
    return tuple(dict.fromkeys(posixpath.dirname(path) for path in paths if path))
