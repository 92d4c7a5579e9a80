"""Settling what a manifest leaves open: the UUID, MAC addresses, serials and libvirt's completions of a declared document.

What the manifest does not say is taken from what was applied last, then from the host, and only for something new it is derived
from project, kind and name: never random, the same on every machine. Both the desired and the applied document go through here
before they are compared or merged, so that neither side has to know of the other's gaps.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass

from reconciler.kinds.kind import Key, Kind
from reconciler.kinds.spellings import numbers
from reconciler.model.resource import Ignore, ResourceId
from reconciler.planning.ignoring import agree
from reconciler.xmltree.canonical import canonical
from reconciler.xmltree.document import Element, parse, serialize
from reconciler.xmltree.paths import children, key_of, part_of, rules_for
from reconciler.xmltree.rules import Rules

NAMESPACE = uuid.UUID("6d0f3a3e-94d5-5b83-9a4e-2f9a3c1f7a11")


@dataclass(frozen=True, slots=True)
class Settling:
    """What is needed to settle documents of one resource: whose it is, and what the host calls machine types."""

    project: str
    id: ResourceId
    kind: Kind
    machines: Mapping[tuple[str, str], str]
    ignore: tuple[Ignore, ...] = ()


def derived_uuid(project: str, kind: str, *names: str) -> uuid.UUID:
    """The UUID that belongs to a name: UUIDv5, the same everywhere."""
    return uuid.uuid5(NAMESPACE, "/".join((project, kind, *names)))


def derived_mac(project: str, kind: str, name: str, device: str) -> str:
    """A MAC address under 52:54:00, QEMU's own range."""
    tail = derived_uuid(project, kind, name, "mac", device).bytes[-3:]
    return "52:54:00:" + ":".join(f"{byte:02x}" for byte in tail)


def settle(document: str, sources: Iterable[str | None], settling: Settling, *, derive: bool = True) -> str:
    """`document` with its gaps filled from `sources` (documents, best first), and with `derive` from the names where none has it.

    A document with a UUID of its own has its own identity (it was imported, say): its disks get no serials.
    Paths that the project ignores take the value of the last source that is there: the host's.
    """
    rules = settling.kind.rules
    root = parse(document)
    others = [parse(source) for source in sources if source]
    _expand(root, rules)
    named = root.find("uuid") is not None
    if settling.kind.has_uuid and not named:
        _fill_uuid(root, others, settling)
    for number, other in enumerate(others):
        _pair(root, other, "", rules, moved=number == 0)
        _copy_serials(root, other, rules)
    if derive:
        _derive_macs(root, settling)
    if derive and not named:
        _derive_serials(root, others, settling)
    _settle_machine(root, others, settling)
    if settling.ignore and others:
        agree(root, others[-1], settling.ignore, settling.kind)
    return serialize(root)


def _expand(root: Element, rules: Rules) -> None:
    """Write elements for a set of numbers as one for each, as libvirt gives them back."""
    for path, attribute in rules.expanded.items():
        for element in root.findall(path):
            chosen = numbers(element.get(attribute) or "")
            for number in reversed(chosen[1:]):
                copy = deepcopy(element)
                copy.set(attribute, str(number))
                element.addnext(copy)
            if chosen:
                element.set(attribute, str(chosen[0]))


def _fill_uuid(root: Element, others: list[Element], settling: Settling) -> None:
    known = next((other.findtext("uuid") for other in others if other.findtext("uuid")), None)
    element = root.makeelement("uuid", {})
    element.text = known or str(derived_uuid(settling.project, settling.id.kind, settling.id.name))
    name = root.find("name")
    if name is None:
        root.append(element)
    else:
        name.addnext(element)


def _pair(root: Element, other: Element, path: str, rules: Rules, *, moved: bool) -> None:
    """Give elements without a complete key the key of their counterpart in `other`.

    With `moved` a network interface that is the only one without a counterpart takes the only one that is left over: it is that
    one, connected to something else now.
    """
    theirs: dict[str, list[Element]] = {}
    for _, below, child in children(other, path, rules):
        theirs.setdefault(below, []).append(child)
    mine: dict[str, list[Element]] = {}
    for _, below, child in children(root, path, rules):
        mine.setdefault(below, []).append(child)
    for below, elements in mine.items():
        key = rules_for(rules, below).key
        if key is not None and key.paired_by:
            _pair_devices(
                elements, theirs.get(below, []), below, rules, alone=below in rules.sole or (moved and below == rules.derived_mac)
            )
    if not path:
        here, there = root.find("devices"), other.find("devices")
        if here is not None and there is not None:
            _pair(here, there, "devices", rules, moved=moved)


def _pair_devices(elements: list[Element], theirs: list[Element], path: str, rules: Rules, *, alone: bool) -> None:
    """Those first that are like their counterpart in everything declared, then those of the same variant and source, in order.

    `alone`: the only one that is left takes the only one that is left there, whatever that is.
    """
    key = rules.keys[path]
    taken = {key_of(element, key, path, rules) for element in elements}
    free = [element for element in theirs if key_of(element, key, path, rules) not in taken]
    unpaired = [element for element in elements if key_of(element, key, path, rules) is None]
    for alike in (_same, _fits):
        for element in tuple(unpaired):
            found = next((candidate for candidate in free if alike(element, candidate, path, rules)), None)
            if found is not None:
                _take_key(element, found, key)
                unpaired.remove(element)
                free.remove(found)
    if alone and len(unpaired) == len(free) == 1:
        _take_key(unpaired[0], free[0], key)


def _same(element: Element, candidate: Element, path: str, rules: Rules) -> bool:
    """Whether everything that `element` says is so in the candidate."""
    return canonical(element, rules, path).items() <= canonical(candidate, rules, path).items()


def _fits(element: Element, candidate: Element, path: str, rules: Rules) -> bool:
    """Whether the candidate is of the same variant, and what `element` says of its source is so in it."""
    variant = rules.keys[path].paired_by
    source, other = element.find("source"), candidate.find("source")
    if part_of(candidate, variant) != part_of(element, variant):
        return False
    return source is None or (other is not None and all(other.get(name) == value for name, value in source.attrib.items()))


def _take_key(element: Element, counterpart: Element, key: Key) -> None:
    for source in key.sources[0].split("+"):
        steps = source.partition("=")[0].split("/")
        value = part_of(counterpart, "/".join(steps))
        if value is None or part_of(element, "/".join(steps)) is not None:
            continue
        here = element
        for step in steps[:-1]:
            found = here.find(step)
            here = _add(here, step) if found is None else found
        if steps[-1].startswith("@"):
            here.set(steps[-1][1:], value)
        else:
            _add(here, steps[-1]).text = value


def _add(parent: Element, name: str) -> Element:
    child = parent.makeelement(name, {})
    parent.append(child)
    return child


def _devices(root: Element, path: str) -> list[Element]:
    return root.findall(path) if path else []


def _copy_serials(root: Element, other: Element, rules: Rules) -> None:
    theirs = {part_of(disk, "target/@dev"): disk.findtext("serial") for disk in _devices(other, rules.derived_serial)}
    for disk in _devices(root, rules.derived_serial):
        serial = theirs.get(part_of(disk, "target/@dev"))
        if serial and disk.find("serial") is None:
            _add(disk, "serial").text = serial


def _derive_macs(root: Element, settling: Settling) -> None:
    rules, me = settling.kind.rules, settling.id
    seen: dict[str, int] = {}
    for device in _devices(root, rules.derived_mac):
        alias = part_of(device, "alias/@name")
        source = device.find("source")
        label = alias or "+".join(
            [device.get("type") or "", *(() if source is None else sorted(map(str, source.attrib.values())))]
        )
        nth = seen.get(label, 0)
        seen[label] = nth + 1
        if device.find("mac") is None:
            _add(device, "mac").set("address", derived_mac(settling.project, me.kind, me.name, f"{label}#{nth}"))


def _derive_serials(root: Element, others: list[Element], settling: Settling) -> None:
    rules, me = settling.kind.rules, settling.id
    known = {part_of(disk, "target/@dev") for other in others for disk in _devices(other, rules.derived_serial)}
    for disk in _devices(root, rules.derived_serial):
        target = part_of(disk, "target/@dev") or ""
        if disk.get("device", "disk") == "disk" and disk.find("serial") is None and target not in known:
            _add(disk, "serial").text = derived_uuid(settling.project, me.kind, me.name, "serial", target).hex[:20]


def _settle_machine(root: Element, others: list[Element], settling: Settling) -> None:
    """A machine alias means the version that the domain already has; a new domain gets what the host calls so today."""
    for path, family in settling.kind.rules.rebuilt_by.items():
        element = root.find(path.rpartition("/@")[0])
        attribute = path.rpartition("/@")[2]
        declared = None if element is None else element.get(attribute)
        if element is None or declared is None:
            continue
        arch = element.get("arch") or ""
        canonical = settling.machines.get((arch, declared))
        if canonical is None:
            continue
        kept = next((v for other in reversed(others) if (v := part_of(other, path)) and family(v) == family(canonical)), None)
        element.set(attribute, kept or canonical)
