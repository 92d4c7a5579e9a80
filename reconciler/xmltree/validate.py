"""Checking a document against libvirt's own RNG schemas, where the machine has them. Says what is wrong, changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lxml import etree

from reconciler.xmltree.document import Element, attributes, parse, serialize, tag, unset

MOST_ATTRIBUTES = 12
CHUNK = 8
SCHEMAS = (Path("/usr/share/libvirt/schemas"), Path("/usr/local/share/libvirt/schemas"))

# Definitions of domaincommon.rng by the element that they describe and its parent, for messages that name the guilty part.
PARTS = {
    ("devices", "disk"): "disk",
    ("devices", "interface"): "interface",
    ("devices", "controller"): "controller",
    ("devices", "graphics"): "graphic",
    ("devices", "video"): "video",
    ("devices", "channel"): "channel",
    ("devices", "sound"): "sound",
    ("devices", "input"): "input",
    ("devices", "hostdev"): "hostdev",
    ("devices", "filesystem"): "filesystem",
    ("devices", "watchdog"): "watchdog",
    ("devices", "memballoon"): "memballoon",
    ("devices", "rng"): "rng",
    ("devices", "tpm"): "tpm",
    ("devices", "redirdev"): "redirdev",
    ("devices", "smartcard"): "smartcard",
    ("devices", "panic"): "panic",
    ("devices", "vsock"): "vsock",
    ("devices", "iommu"): "iommu",
    ("devices", "shmem"): "shmem",
    ("devices", "memory"): "memorydev",
    ("domain", "clock"): "clock",
    ("domain", "os"): "os",
    ("domain", "cpu"): "guestcpu",
    ("domain", "features"): "features",
}

_LOCK = threading.Lock()


def folder() -> Path | None:
    """Where the machine has libvirt's schemas, or None."""
    return next((path for path in SCHEMAS if path.is_dir()), None)


def problems(text: str, rng: str) -> list[str]:
    """What libvirt's schema `rng` (a file name such as ``domain.rng``) has against `text`: a sentence each, [] if nothing.

    Without schemas on this machine nothing is checked: libvirt itself then does at the definition.
    """
    with _LOCK:
        schema = _schema(rng)
        if schema is None:
            return []
        return list(dict.fromkeys(problem for root in _affordable(parse(text)) for problem in _problems(root, schema)))


def _problems(root: Element, schema: etree.RelaxNG) -> list[str]:
    if schema.validate(root):
        return []
    message = _innermost(schema)
    if found := [problem for part in root.iter() for problem in _part_problems(part)]:
        return found
    guilty = _guilty(root, schema)
    if guilty is root:
        return [_sentence(root, message)]
    parent = guilty.getparent()
    where = f"<{tag(guilty)}> in <{tag(root if parent is None else parent)}>"
    return [f"libvirt's schema refuses {where}: it is not known there, or not with this content"]


def _guilty(root: Element, schema: etree.RelaxNG) -> Element:
    """The innermost element without which the document would be good; `root` where no single one is to blame."""
    found = root
    while True:
        child = next((child for child in found if _fits_without(child, found, root, schema)), None)
        if child is None:
            return found
        found = child


def _fits_without(child: Element, parent: Element, root: Element, schema: etree.RelaxNG) -> bool:
    position = parent.index(child)
    parent.remove(child)
    fits = bool(schema.validate(root))
    parent.insert(position, child)
    return fits


def is_costly(text: str) -> bool:
    """Whether checking would take libxml2, and so libvirt itself, exponential time: too many attributes on one element."""
    return any(len(element.attrib) > MOST_ATTRIBUTES for element in parse(text).iter())


def _affordable(root: Element) -> Iterator[Element]:
    """The document, or where one element has too many attributes, copies that have a part of them each: every one is checked."""
    crowded = [element for element in root.iter() if len(element.attrib) > MOST_ATTRIBUTES]
    if not crowded:
        yield root
        return
    rounds = max(len(_optional(element)) for element in crowded) // CHUNK + 1
    for number in range(rounds):
        copy = parse(serialize(root))
        for element in [element for element in copy.iter() if len(element.attrib) > MOST_ATTRIBUTES]:
            for position, name in enumerate(_optional(element)):
                if position // CHUNK != number:
                    unset(element, name)
        yield copy


def _optional(element: Element) -> list[str]:
    return sorted(name for name in attributes(element) if name not in {"name", "type"})


def _errors(schema: etree.RelaxNG) -> list[etree._LogEntry]:
    return list(schema.error_log)


def _part_problems(element: Element) -> list[str]:
    parent = element.getparent()
    part = None if parent is None else PARTS.get((tag(parent), tag(element)))
    schema = _part_schema(part) if part else None
    if schema is None or schema.validate(element):
        return []
    return [_sentence(element, _innermost(schema))]


def _innermost(schema: etree.RelaxNG) -> str:
    """The message that is nearest to the mistake: libxml2 tells it first, and then what follows from it."""
    messages = [error.message for error in _errors(schema)]
    named = [message for message in messages if "lement" in message and "interleave" not in message]
    return str((named or messages or ["it does not fit"])[0])


def _sentence(element: Element, message: str) -> str:
    return f"libvirt's schema refuses <{tag(element)}>: {message}"


@cache
def _schema(rng: str) -> etree.RelaxNG | None:
    where = folder()
    if where is None or not (where / rng).is_file():
        return None
    return etree.RelaxNG(etree.parse(str(where / rng)))


@cache
def _part_schema(part: str) -> etree.RelaxNG | None:
    where = folder()
    if where is None or not (where / "domainoverrides.rng").is_file():
        return None
    grammar = (
        '<grammar xmlns="http://relaxng.org/ns/structure/1.0">'
        f'<include href="{where}/domainoverrides.rng"/><start><ref name="{part}"/></start></grammar>'
    )
    try:
        return etree.RelaxNG(etree.fromstring(grammar.encode()).getroottree())
    except etree.RelaxNGParseError:
        return None
