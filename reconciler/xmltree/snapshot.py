"""Snapshots as libvirt's XML (<domainsnapshot>): written from a wish, read as a value, rewritten for a redefinition.

Pure; what is done with them on a host is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from reconciler.model.snapshot import Snapshot, SnapshotSpec
from reconciler.xmltree.document import Element, parse, serialize

INTERNAL = "internal"
EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a snapshot's parts go: the disks that hold theirs themselves, those that go on in a new file (target -> path), those
    that are left out, and the file of the memory image, "" if it has none or holds it in a disk.
    """

    internal: tuple[str, ...] = ()
    overlays: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    memory_file: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """All files that are made for it."""
        return (*self.overlays.values(), *((self.memory_file,) if self.memory_file else ()))


def write(spec: SnapshotSpec, layout: Layout) -> str:
    """The XML that virDomainSnapshotCreateXML takes."""
    root = etree.Element("domainsnapshot")
    etree.SubElement(root, "name").text = spec.name
    if spec.description:
        etree.SubElement(root, "description").text = spec.description
    if layout.memory_file:
        etree.SubElement(root, "memory", snapshot=EXTERNAL, file=layout.memory_file)
    disks = etree.SubElement(root, "disks")
    for target in layout.internal:
        etree.SubElement(disks, "disk", name=target, snapshot=INTERNAL)
    for target, path in layout.overlays.items():
        disk = etree.SubElement(disks, "disk", name=target, snapshot=EXTERNAL)
        etree.SubElement(disk, "driver", type="qcow2")
        etree.SubElement(disk, "source", file=path)
    for target in layout.left_out:
        etree.SubElement(disks, "disk", name=target, snapshot="no")
    return serialize(root)


def read(text: str, *, current: bool = False) -> Snapshot:
    """What virDomainSnapshotGetXMLDesc says; which snapshot is the current one it does not say."""
    root = parse(text)
    internal: list[str] = []
    overlays: dict[str, str] = {}
    for disk in root.iterfind("disks/disk"):
        target, how, source = disk.get("name") or "", disk.get("snapshot"), disk.find("source")
        if how == INTERNAL:
            internal.append(target)
        elif how == EXTERNAL and source is not None:
            overlays[target] = source.get("file") or source.get("dev") or ""
    memory = root.find("memory")
    kept = "no" if memory is None else memory.get("snapshot") or "no"
    return Snapshot(
        name=root.findtext("name") or "",
        created=int(root.findtext("creationTime") or 0),
        state=root.findtext("state") or "",
        parent=root.findtext("parent/name") or "",
        description=root.findtext("description") or "",
        current=current,
        internal=tuple(internal),
        overlays=overlays,
        has_memory=kept in (INTERNAL, EXTERNAL),
        memory_file="" if memory is None else memory.get("file") or "",
    )


def definition(text: str, *, inactive: bool = False) -> Element | None:
    """The domain's definition of that time: of the guest as it was, or, `inactive`, the one for its next start; None if lost."""
    root = parse(text)
    found = root.find("inactiveDomain") if inactive else None
    found = root.find("domain") if found is None else found
    if found is None:
        return None
    found.tag = "domain"
    return parse(serialize(found))


def placed(text: str, parent: str, overlays: Mapping[str, str] | None = None) -> str:
    """The same snapshot below another parent ("": none), and with its overlays in other files: for a redefinition."""
    root = parse(text)
    for old in root.findall("parent"):
        root.remove(old)
    if parent:
        above = etree.Element("parent")
        etree.SubElement(above, "name").text = parent
        root.insert(1, above)
    for disk in root.iterfind("disks/disk"):
        path, source = (overlays or {}).get(disk.get("name") or ""), disk.find("source")
        if path is not None and source is not None:
            source.set("file", path)
    return serialize(root)
