"""Checking a document against libvirt's own RNG schemas, where the machine has them. Says what is wrong, changes nothing."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

from lxml import etree

from reconciler.xmltree.document import Element, parse, tag

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
        root = parse(text)
        if schema is None or schema.validate(root):
            return []
        found = [problem for part in root.iter() for problem in _part_problems(part)]
        if found:
            return list(dict.fromkeys(found))
        return [_sentence(root, _innermost(schema))]


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
    return (named or messages or ["it does not fit"])[0]


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
