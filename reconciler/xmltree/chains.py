"""Disks of a definition and what they stand on: chains of overlays (<backingStore>), found, added and switched. Pure.

libvirt writes the chain into the definition when it takes an external snapshot of a running guest, and not when it takes one of
a stopped one; it then neither merges such an overlay later nor remembers that its base was named as a volume.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lxml import etree

from reconciler.xmltree.document import Element, attributes, parse, serialize, unset
from reconciler.xmltree.snapshot import EXTERNAL

Bases: TypeAlias = Mapping[tuple[str, str], Element]
"""(target, file of an overlay) -> the <disk> of the definition that the overlay was put over."""


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk: `type` and `format` are libvirt's words; `path` a file or device, or "" where `pool` and `volume` name it."""

    target: str
    type: str
    format: str
    path: str = ""
    pool: str = ""
    volume: str = ""
    device: str = "disk"
    writable: bool = True
    present: bool = True
    left_out: bool = False


def disks(root: Element) -> tuple[Disk, ...]:
    """The disks of a domain's definition. `left_out` are those of which it says that snapshots are to pass them over."""
    return tuple(map(_disk, root.iterfind("devices/disk")))


def _disk(element: Element) -> Disk:
    source, driver, target = element.find("source"), element.find("driver"), element.find("target")
    given = {} if source is None else attributes(source)
    return Disk(
        target="" if target is None else target.get("dev") or "",
        type=element.get("type") or "file",
        format="raw" if driver is None else driver.get("type") or "raw",
        path=given.get("file") or given.get("dev") or "",
        pool=given.get("pool") or "",
        volume=given.get("volume") or "",
        device=element.get("device") or "disk",
        writable=element.find("readonly") is None,
        present=bool(given),
        left_out=element.get("snapshot") == "no",
    )


def bases(snapshots: Iterable[str]) -> Bases:
    """What each overlay of these snapshots (their XML) was put over."""
    found: dict[tuple[str, str], Element] = {}
    for text in snapshots:
        root = parse(text)
        of_then = {_target(d): d for d in root.iterfind("domain/devices/disk")}
        for disk in root.iterfind("disks/disk"):
            source, target = disk.find("source"), disk.get("name") or ""
            if disk.get("snapshot") == EXTERNAL and source is not None and target in of_then:
                found[target, source.get("file") or ""] = of_then[target]
    return found


def _target(disk: Element) -> str:
    target = disk.find("target")
    return "" if target is None else target.get("dev") or ""


def below(disk: Element, known: Bases) -> Element:
    """<backingStore> for an overlay that is put over that disk, in the words of its definition, as far down as snapshots know.

    Where they end nothing is said, and libvirt looks into the file itself: what a definition says of it may be outdated.
    """
    store = etree.Element("backingStore", type=disk.get("type") or "file")
    driver, source = disk.find("driver"), disk.find("source")
    etree.SubElement(store, "format", type="raw" if driver is None else driver.get("type") or "raw")
    path = ""
    if source is not None:
        path = source.get("file") or ""
        store.append(_bare(source))
    base = known.get((_target(disk), path))
    if base is not None:
        rest = {key: value for key, value in known.items() if key != (_target(disk), path)}
        store.append(below(base, rest))
    return store


def _bare(element: Element) -> Element:
    """A copy without what belongs to the running guest only, and without ends of chains."""
    twin = copy.deepcopy(element)
    for each in twin.iter():
        unset(each, "index")
        for end in [child for child in each if child.tag == "backingStore" and not len(child)]:
            each.remove(end)
    twin.tail = None
    return twin


def with_chains(xml: str, known: Bases) -> str | None:
    """The definition with the chain below each overlay that it names without one; None if it has them all."""
    root = parse(xml)
    added = False
    for disk in root.iterfind("devices/disk"):
        source, has = disk.find("source"), disk.find("backingStore")
        key = _target(disk), "" if source is None else source.get("file") or ""
        if source is None or key not in known or (has is not None and len(has)):
            continue
        if has is not None:
            disk.remove(has)
        source.addnext(below(known[key], {other: base for other, base in known.items() if other != key}))
        added = True
    return serialize(root) if added else None


def switched(root: Element, fresh: Mapping[str, str], known: Bases, present: Element | None) -> str:
    """The definition `root` with a fresh overlay (target -> file) over each of those disks.

    All other disks that can be written to stay as they are in `present`: what is in them was not turned back.
    """
    now = {} if present is None else {_target(disk): disk for disk in present.iterfind("devices/disk")}
    for disk in root.iterfind("devices/disk"):
        target, was = _target(disk), _disk(disk)
        if target in fresh:
            _replace(disk, "file", "qcow2", etree.Element("source", file=fresh[target]), below(disk, known))
        elif target in now and was.writable and was.present:
            other = now[target]
            source, store = other.find("source"), other.find("backingStore")
            if source is not None:
                kept = None if store is None or not len(store) else _bare(store)
                _replace(disk, other.get("type") or "file", _disk(other).format, _bare(source), kept)
    return serialize(root)


def _replace(disk: Element, kind: str, form: str, source: Element, store: Element | None) -> None:
    driver = disk.find("driver")
    if driver is None:
        driver = etree.SubElement(disk, "driver", name="qemu")
    driver.set("type", form)
    for name in ("source", "backingStore"):
        for old in disk.findall(name):
            disk.remove(old)
    disk.set("type", kind)
    driver.addnext(source)
    if store is not None:
        source.addnext(store)
