"""Checking a document against libvirt's own RNG schemas, where the machine has them. Says what is wrong, changes nothing."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

from lxml import etree

from reconciler.xmltree.document import Element, parse, tag

SCHEMAS = (Path("/usr/share/libvirt/schemas"), Path("/usr/local/share/libvirt/schemas"))

# Definitions of domaincommon.rng by the element that they describe, for messages that name the guilty part.
PARTS = {
    "disk": "disk",
    "interface": "interface",
    "controller": "controller",
    "graphics": "graphic",
    "video": "video",
    "channel": "channel",
    "sound": "sound",
    "input": "input",
    "hostdev": "hostdev",
    "filesystem": "filesystem",
    "watchdog": "watchdog",
    "memballoon": "memballoon",
    "rng": "rng",
    "tpm": "tpm",
    "redirdev": "redirdev",
    "smartcard": "smartcard",
    "panic": "panic",
    "vsock": "vsock",
    "iommu": "iommu",
    "shmem": "shmem",
    "memory": "memorydev",
    "clock": "clock",
    "os": "os",
    "cpu": "guestcpu",
    "features": "features",
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
        root = parse(text)
        if schema is None or schema.validate(root):
            return []
        found = [problem for part in root.iter() for problem in _part_problems(part)]
        if found:
            return list(dict.fromkeys(found))
        return list(dict.fromkeys(_sentence(root, error.message) for error in _errors(schema)))


def _errors(schema: etree.RelaxNG) -> list[etree._LogEntry]:
    return list(schema.error_log)


def _part_problems(element: Element) -> list[str]:
    parent = element.getparent()
    if parent is None or tag(parent) not in {"devices", "domain"}:
        return []
    part = PARTS.get(tag(element))
    schema = _part_schema(part) if part else None
    if schema is None or schema.validate(element):
        return []
    last = _errors(schema)[-1].message
    deepest = next(
        (e.message for e in _errors(schema) if "Invalid attribute" in e.message or "Did not expect element" in e.message), last
    )
    return [_sentence(element, deepest)]


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
