"""Where QEMU's driver of libvirt plugs PCI devices in by itself: the order in which it goes over them, and the slots it takes.

Only so that an address that libvirt would choose anyway need not be written down: a wrong guess makes a manifest longer, never
wrong (see plugging.py). After qemuDomainAssignPCIAddresses in libvirt's qemu_domain_address.c.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, TypeAlias

from reconciler.manifest.importing.table import number
from reconciler.xmltree.document import Element

Slot: TypeAlias = tuple[int, int, int]  # bus, slot, function; the domain is always 0

ROOT_PORT: Final = "pcie-root-port"
BRIDGE: Final = "pcie-to-pci-bridge"
_ORDER: Final = (
    "filesystem",
    "interface",
    "sound",
    "controller",
    "disk",
    "hostdev",
    "memballoon",
    "rng",
    "watchdog",
    "video",
    "shmem",
    "input",
    "serial",
    "vsock",
    "memory",
)
_ADDED: Final = ("usb", "scsi", "fdc", "ide", "sata", "virtio-serial", "ccid")
_OLD_MODELS: Final = frozenset(
    {"rtl8139", "e1000", "ne2k_pci", "pcnet", "ac97", "es1370", "ich6", "piix3-uhci", "lsilogic", "i6300esb", "cirrus"}
)


@dataclass(frozen=True, slots=True)
class Board:
    """A machine as far as its slots matter: `express` is q35 and the like; `controllers` are the PCI controllers by index."""

    express: bool
    devices: tuple[Element, ...]
    controllers: Mapping[int, str]


def slot_of(element: Element) -> Slot | None:
    """The PCI address of a device in its domain."""
    address = element.find("address")
    if address is None or address.get("type") != "pci" or number(address.get("domain") or "0") != 0:
        return None
    bus, slot, function = (number(address.get(name) or "0") for name in ("bus", "slot", "function"))
    if isinstance(bus, int) and isinstance(slot, int) and isinstance(function, int):
        return bus, slot, function
    return None


def board(domain: Element, implied: AbstractSet[Element]) -> Board:
    """What stands in a definition that libvirt has completed. Controllers that it adds come after those that are said."""
    machine = next((kind.get("machine") or "" for kind in domain.iterfind("os/type")), "")
    buses = {
        int(controller.get("index") or 0): controller.get("model") or ""
        for controller in domain.iterfind("devices/controller[@type='pci']")
    }
    return Board("q35" in machine or machine.startswith("virt"), tuple(_in_order(domain, implied)), buses)


def _in_order(domain: Element, implied: AbstractSet[Element]) -> Iterator[Element]:
    """The devices that sit in a PCI slot, in the order in which libvirt gives slots away."""
    for name in _ORDER:
        found = domain.findall(f"devices/{name}")
        if name == "controller":
            said = inserted(one for one in found if one not in implied)
            found = [*said, *sorted(implied & set(found), key=lambda one: _turn(domain, one))]
        elif name == "disk":
            found = inserted(found)
        for element in found:
            if slot_of(element) is not None and not (name == "controller" and element.get("type") == "pci"):
                yield element


def inserted(devices: Iterable[Element]) -> list[Element]:
    """Controllers or disks in the order into which libvirt brings them when it reads them: where there are several of one type,
    or on one bus, they are sorted by index or name (virDomainControllerInsertPreAlloced, virDomainDiskInsert).
    """
    out: list[Element] = []
    for new in devices:
        group, rank = _rank(new)
        same = [place for place, old in enumerate(out) if _rank(old)[0] == group]
        later = (place for place in same if _rank(out[place])[1] > rank)
        out.insert(next(later, same[-1] + 1 if same else len(out)), new)
    return out


def _rank(device: Element) -> tuple[str, tuple[int, bool]]:
    """Among which others a controller or disk is sorted, and where: a master comes before its companions."""
    target = device.find("target")
    if device.tag == "disk" and target is not None:
        return target.get("bus") or "", (disk_place(target.get("dev") or "") or 0, False)
    return device.get("type") or "", (int(device.get("index") or 0), device.find("master") is not None)


def disk_place(name: str) -> int | None:
    """Which disk of its bus one of that name is, from 0: 27 for ``sdab``. None where the name says nothing of it."""
    letters, place = name.removeprefix("x")[2:], 0
    if not letters or any(letter not in string.ascii_lowercase for letter in letters):
        return None
    for letter in letters:
        place = place * 26 + ord(letter) - ord("a") + 1
    return place - 1


def _turn(domain: Element, controller: Element) -> tuple[int, int]:
    """When libvirt adds a controller that nobody asked for: for SCSI devices of the host, for the board, for disks and others."""
    kind, index = controller.get("type") or "", int(controller.get("index") or 0)
    passed = domain.findall("devices/hostdev[@type='scsi']")
    reach = max((int(a.get("controller") or 0) for device in passed for a in device.findall("address")), default=0)
    first = bool(passed) and kind == "scsi" and index <= reach
    own = first or (kind in {"usb", "sata"} and index == 0)
    return (0 if first else 1 + _ADDED.index(kind) + (0 if own else len(_ADDED))), index


def takes_slot(device: Element) -> bool:
    """Whether libvirt gives such a device a PCI slot; some have one only because somebody said so."""
    target = device.find("target")
    match device.tag:
        case "disk":
            return target is not None and target.get("bus") == "virtio"
        case "sound":
            return device.get("model") not in {"usb", "pcspk", "sb16"}
        case "input":
            return device.get("bus") == "virtio"
        case _:
            return True


def _is_old(device: Element) -> bool:
    """Whether it is a PCI device that needs a bridge on an express board."""
    model = device.find("model")
    name = device.get("model") or ("" if model is None else model.get("type") or "")
    return name in _OLD_MODELS or (name.endswith("-transitional") and "-non-" not in name) or device.tag == "shmem"


def fixed(device: Element, *, express: bool) -> Slot | None:
    """The place that a device has on the board itself, if there is one for it."""
    model = device.find("model")
    name = "" if model is None else model.get("type") or ""
    match device.tag, device.get("type"):
        case "video", _ if next(device.itersiblings("video", preceding=True), None) is None:
            return None if name in {"", "none", "ramfb"} else (0, 1 if express else 2, 0)
        case "controller", "sata":
            return (0, 0x1F, 2) if express and device.get("index") == "0" else None
        case "controller", "ide":
            return None if express or device.get("index") != "0" else (0, 1, 1)
        case "controller", "usb":
            return None if express or device.get("model") != "piix3-uhci" or device.get("index") != "0" else (0, 1, 2)
        case "sound", _:
            return (0, 0x1B, 0) if express and device.get("model") == "ich9" else None
        case _:
            return None


def predict(given: Board, pinned: Mapping[Element, Slot], controllers: Mapping[int, str]) -> dict[Element, Slot]:
    """The slot of each device, if only `pinned` ones say theirs and there are these PCI controllers."""
    out = dict(pinned)
    for device in given.devices:
        place = fixed(device, express=given.express)
        if place is not None and place not in out.values():
            out.setdefault(device, place)
    ports = [index for index, model in sorted(controllers.items()) if model == ROOT_PORT]
    bridges = [index for index, model in sorted(controllers.items()) if model not in {ROOT_PORT, "pcie-root"}]
    hosts_a_bridge = ports[: len([index for index in bridges if controllers[index] == BRIDGE])]
    used = {slot[:2] for slot in out.values()} | {(bus, 0) for bus in hosts_a_bridge}
    if not given.express:
        used |= {(0, 1)}
    for device in given.devices:
        if device in out or not takes_slot(device):
            continue
        old = not given.express or _is_old(device)
        places = ((bus, slot) for bus in bridges for slot in range(1, 32)) if old else ((bus, 0) for bus in ports)
        found = next((free for free in places if free not in used), None)
        if found is not None:
            used.add(found)
            out[device] = (*found, 0)
    return out


def expected_controllers(given: Board) -> dict[int, str]:
    """The PCI controllers that libvirt adds by itself for the devices of an express board: a port each, a spare one."""
    out = {0: "pcie-root" if given.express else "pci-root"}
    if not given.express:
        return out
    for device in given.devices:
        if fixed(device, express=True) is not None:
            continue
        if not _is_old(device):
            out[len(out)] = ROOT_PORT
        elif BRIDGE not in out.values():
            out[len(out)] = ROOT_PORT
            out[len(out)] = BRIDGE
    out[len(out)] = ROOT_PORT
    return out


def port_places(first: int) -> Iterator[Slot]:
    """Where root ports sit: eight in a slot of the root."""
    for slot in range(first, 32):
        for function in range(8):
            yield (0, slot, function)
