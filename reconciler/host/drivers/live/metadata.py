"""Title, description and other tools' metadata of a running guest (virDomainSetMetadata). Our own mark is not touched here."""

from __future__ import annotations

from collections.abc import Collection

import libvirt

from reconciler.host.drivers.live.guest import LIVE, Guest
from reconciler.xmltree import mark as marks
from reconciler.xmltree.document import Element, parse, serialize, tag
from reconciler.xmltree.paths import name_of

_PREFIXES = tuple(f"m{number}" for number in range(100))
_CALL = "virDomainSetMetadata"
_ALL = "metadata"


def title(guest: Guest, paths: Collection[str]) -> None:
    """Sets the title, or takes it away."""
    _text(guest, paths, "title", libvirt.VIR_DOMAIN_METADATA_TITLE)


def description(guest: Guest, paths: Collection[str]) -> None:
    """Sets the description, or takes it away."""
    _text(guest, paths, "description", libvirt.VIR_DOMAIN_METADATA_DESCRIPTION)


def _text(guest: Guest, paths: Collection[str], element: str, what: int) -> None:
    guest.attempt(paths, _CALL, guest.domain.setMetadata, what, guest.target.findtext(element) or None, None, None, LIVE)


def elements(guest: Guest, paths: Collection[str]) -> None:
    """Sets the elements that the paths name, and takes those away that the target does not have; everybody else's stay.

    The path of them all, where they come or go together, names those that are declared now or were before.
    """
    wanted, there = _elements(guest.target), _elements(guest.live)
    named = {path.split("/")[1].partition("[")[0] for path in paths if "/" in path}
    if _ALL in paths:
        declared = (guest.step.desired.xml, guest.step.intent)
        named |= {name_of(element) for text in declared if text for element in _elements(parse(text)).values()}
    for uri in {**wanted, **there}:
        if name_of(wanted.get(uri, there.get(uri, guest.target))) not in named:
            continue
        element = wanted.get(uri)
        # libvirt declares the prefix on the element: it must be one that the element does not declare itself.
        prefix = "gone" if element is None else next(name for name in _PREFIXES if name not in element.nsmap)
        text = None if element is None else serialize(element, pretty=False)
        what = libvirt.VIR_DOMAIN_METADATA_ELEMENT
        guest.attempt(paths, _CALL, guest.domain.setMetadata, what, text, prefix, uri, LIVE)


def _elements(root: Element) -> dict[str, Element]:
    """The children of <metadata> by their namespace: libvirt keeps one of each, and none without."""
    named = {tag(child)[1:].partition("}")[0]: child for child in root.iterfind("metadata/*") if tag(child).startswith("{")}
    named.pop(marks.NAMESPACE, None)
    return named
