"""What a domain's definition names: files, volumes and folders, wherever in it they stand. Pure.

It takes every absolute path in the definition for a file's name, so that no element can be forgotten; what people and Vireo
itself write into it (title, description, metadata) is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler.xmltree.document import Element, attributes, tag

_WORDS = frozenset({"title", "description", "metadata"})
_OPAQUE = frozenset({"", "raw", "iso", "fat", "dir", "luks"})
"""Formats of files that stand on no other file; libvirt takes a file of which nothing is said for raw."""
_BOOTED = ("os/kernel", "os/initrd", "os/dtb")


@dataclass(slots=True)
class Named:
    """`paths`: all of them. `volumes`: (pool, volume). `folders`: what is shared with the guest as a whole.

    `files` are those that may be another name of a file (a link); of `standing` a file below may be in use, too, and of `layered`
    the same by (pool, volume).
    """

    paths: set[str] = field(default_factory=set)
    volumes: set[tuple[str, str]] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    standing: set[str] = field(default_factory=set)
    layered: set[tuple[str, str]] = field(default_factory=set)


def named(root: Element) -> Named:
    """All that the definition names; paths are as they stand there."""
    found = Named()
    for element in _all(root):
        given = attributes(element)
        values = [*given.values(), (element.text or "").strip()]
        found.paths |= {value for value in values if value.startswith("/")}
        if "pool" in given and "volume" in given:
            found.volumes.add((given["pool"], given["volume"]))
    found.folders |= {source.get("dir") or "" for source in root.iterfind("devices/filesystem/source")} - {""}
    found.files |= {(root.findtext(path) or "").strip() for path in _BOOTED} - {""}
    for disk in root.iterfind("devices/disk"):
        driver = disk.find("driver")
        form = "" if driver is None else driver.get("type") or ""
        stands = form not in _OPAQUE and disk.get("device", "disk") in {"disk", "lun"}
        for source in disk.iterfind("source"):
            path = source.get("file") or source.get("dev") or ""
            if path.startswith("/"):
                found.files.add(path)
                found.standing |= {path} if stands else set()
            elif stands and source.get("volume"):
                found.layered.add((source.get("pool") or "", source.get("volume") or ""))
    return found


def _all(element: Element) -> Iterator[Element]:
    for child in element.iterfind("*"):
        if tag(child) not in _WORDS:
            yield child
            yield from _all(child)
