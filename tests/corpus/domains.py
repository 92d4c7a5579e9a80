"""Domains from domain.rng: parts walked from the schema, put together so that QEMU's driver is likely to take them.

A part is one element directly below <domain> or <devices>, named by its path and a seed. Which of them libvirt takes alone is
found once (see search.py), and whole documents are made of those.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from xml.etree import ElementTree

from tests.corpus import grammar, words
from tests.corpus.tastes import TASTE
from tests.corpus.walking import DeadEndError, Element, Walk

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
ElementTree.register_namespace("qemu", QEMU)

# Domains in which a part is tried, and on which whole documents are built.
BASES: Mapping[str, str] = {
    "pc": "<domain type='qemu'><memory unit='MiB'>256</memory><vcpu>4</vcpu>"
    "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices/></domain>",
    "q35": "<domain type='qemu'><memory>262145</memory><vcpu placement='static'>4</vcpu>"
    "<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><devices/></domain>",
    "rich": "<domain type='qemu'><maxMemory slots='16' unit='GiB'>8</maxMemory><memory unit='MiB'>512</memory><vcpu>4</vcpu>"
    "<iothreads>4</iothreads><memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><features><acpi/><apic/><ioapic driver='qemu'/></features>"
    "<cpu><numa><cell id='0' cpus='0-3' memory='512' unit='MiB'/></numa></cpu>"
    "<devices><controller type='scsi' index='0' model='virtio-scsi'/><graphics type='spice' autoport='yes'/></devices></domain>",
    "cells": "<domain type='qemu'><title>two cells</title><memory unit='MiB'>512</memory><vcpu current='3'>4</vcpu>"
    "<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type><boot dev='network'/><boot dev='hd'/></os>"
    "<cpu><numa><cell id='0' cpus='0-1' memory='256' unit='MiB'/><cell id='1' cpus='2-3' memory='262144'/></numa></cpu>"
    "<clock offset='localtime'/><devices><emulator>/usr/bin/qemu-system-x86_64</emulator><graphics type='vnc' port='-1'/>"
    "<interface type='network'><source network='lan'/><model type='virtio'/></interface></devices></domain>",
    "bare": "<domain type='qemu'><memory unit='GB'>1</memory><os><type arch='x86_64' machine='pc-q35-6.0'>hvm</type></os>"
    "<devices><controller type='usb' model='none'/><memballoon model='none'/><video><model type='none'/></video></devices>"
    "</domain>",
    "old": "<domain type='qemu'><memory unit='k'>131073</memory><currentMemory>100000</currentMemory><vcpu current='2'>4</vcpu>"
    "<os><type arch='i686' machine='pc-i440fx-6.2'>hvm</type></os><on_reboot>destroy</on_reboot><devices/></domain>",
}

# How often a part is in a document, beside 1: what many domains have, and what may stand there several times.
WEIGHTS: Mapping[str, int] = {
    "devices/disk": 8,
    "devices/interface": 8,
    "devices/controller": 4,
    "devices/graphics": 3,
    "devices/video": 3,
    "devices/serial": 3,
    "devices/channel": 3,
    "devices/console": 2,
    "devices/hostdev": 3,
    "devices/input": 2,
    "devices/filesystem": 2,
    "cpu": 3,
    "features": 3,
    "clock": 3,
    "os": 3,
    "cputune": 2,
}
LEFT_OUT = frozenset(
    {"name", "uuid", "memory", "maxMemory", "vcpu", "devices", "metadata", "genid"}  # given by BASES, or by hand
    | {"namespace", "keywrap", "bootloader", "bootloader_args", "datacenterpath", "launchSecurity", "devices/nvram"}  # not QEMU's
)
ONCE = frozenset(
    {"memballoon", "nvram", "tpm", "vsock", "iommu", "watchdog", "emulator", "redirfilter"}  # devices of which there is one
)


@cache
def rules() -> grammar.Grammar:
    """The schema of domains."""
    return grammar.load("domain.rng")


@cache
def patterns() -> Mapping[str, tuple[grammar.Pattern, ...]]:
    """Where a part stands -> the patterns of its element."""
    out: dict[str, tuple[grammar.Pattern, ...]] = {}
    for steps in (("domain",), ("domain", "devices")):
        for pattern in rules().below(*steps):
            name = "/".join([*steps[1:], pattern.get("name") or ""])
            if name not in LEFT_OUT:
                out[name] = (*out.get(name, ()), pattern)
    return out


def part(name: str, seed: int) -> Element | None:
    """The element of that place and seed; None if the walk ended nowhere."""
    random = words.seeded(f"{name}#{seed}")
    try:
        found = Walk(rules(), TASTE, random, random.choice((0.1, 0.2, 0.4, 0.7))).element(random.choice(patterns()[name]))
    except DeadEndError:
        return None
    for cell in found.iterfind("numa/cell"):
        cell.attrib.setdefault("cpus", "0-3")  # cells without any processor are the end of libvirtd 9.0
    return found


def alone(name: str, seed: int, base: str) -> str | None:
    """A domain with just this part in it."""
    element = part(name, seed)
    if element is None:
        return None
    root = _base(base, "part")
    _put(root, name, element)
    return _text(root)


def document(seed: int, parts: Mapping[str, Sequence[int]]) -> str:
    """The domain of that seed, made of parts that libvirt takes alone."""
    random = words.seeded(f"domain#{seed}")
    root = _base(random.choice(sorted(BASES)), f"c{seed}")
    if random.random() < 0.5:
        ElementTree.SubElement(root, "uuid").text = f"{random.getrandbits(64):016x}"[:8] + f"-0000-4000-8000-{seed:012X}"
    names = sorted(name for name in parts if parts[name])
    weights = [WEIGHTS.get(name, 1) for name in names]
    for name in random.choices(names, weights, k=random.randint(2, 14)):
        element = part(name, random.choice(parts[name]))
        if element is not None and (_is_free(root, element) or not name.startswith("devices/")):
            _put(root, name, element)
    _order(root)
    for number, mac in enumerate(root.iterfind("devices/interface/mac")):
        mac.set("address", f"52:54:00:{seed >> 8 & 255:02x}:{seed & 255:02X}:{number:02x}")
    devices = list(root.iterfind("devices/*"))
    random.shuffle(devices)
    root.find("devices")[:] = devices  # type: ignore[index]
    return _text(root)


def _base(name: str, called: str) -> Element:
    root = ElementTree.fromstring(BASES[name])
    ElementTree.SubElement(root, "name").text = called
    return root


def _put(root: Element, name: str, element: Element) -> None:
    """In its place; instead of what stands there once only."""
    *above, last = name.split("/")
    place = root if not above else root.find("devices")
    assert place is not None
    if not above or last in ONCE:
        for old in place.findall(element.tag):
            if name == "os":
                _same_machine(old, element)
            place.remove(old)
    place.append(element)


def _same_machine(old: Element, new: Element) -> None:
    kept, given = old.find("type"), new.find("type")
    if kept is not None and given is not None:
        new.remove(given)
        new.insert(0, copy.deepcopy(kept))


def _is_free(root: Element, element: Element) -> bool:
    """Whether no device of this sort has its name already."""
    mine = _names(element)
    return not any(mine & _names(other) for other in root.iterfind("devices/*"))


def _names(device: Element) -> set[tuple[str, ...]]:
    out: set[tuple[str, ...]] = set()
    for path, name in (("target", "dev"), ("target", "dir"), ("target", "name"), ("alias", "name")):
        found = device.find(path)
        if found is not None and found.get(name):
            out.add((path, found.get(name) or ""))
    for address in device.findall("address"):
        out.add(("address", *(v for _, v in sorted(address.attrib.items()))))
    match device.tag:
        case "graphics":
            out.add(("graphics", device.get("type") or ""))
        case "controller":
            out.add(("controller", device.get("type") or "", device.get("index") or ""))
        case "audio":
            out.add(("audio", device.get("id") or ""))
        case _:
            pass
    return out


def _order(root: Element) -> None:
    """Boot orders of devices, each once, or the list in <os>."""
    ordered = [boot for boot in root.iterfind("devices/*/boot") if boot.get("order")]
    for number, boot in enumerate(ordered, 1):
        boot.set("order", str(number))
    system = root.find("os")
    for boot in system.findall("boot") if system is not None and ordered else ():
        system.remove(boot)  # type: ignore[union-attr]


def _text(root: Element) -> str:
    return ElementTree.tostring(root, encoding="unicode")
