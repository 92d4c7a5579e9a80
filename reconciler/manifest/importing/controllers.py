"""Which controllers of a domain libvirt adds by itself, for the board and for what is plugged into them. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.manifest.importing.slots import disk_place
from reconciler.xmltree.document import Element

_PER_CONTROLLER: Final = {"ide": 4, "sata": 6, "scsi": 7, "fdc": 2}
_BUILT_IN: Final = {"scsi": "lsilogic", "ide": None, "sata": None, "fdc": None, "virtio-serial": None, "ccid": None}


def drive_of(disk: Element) -> dict[str, str]:
    """Where a disk of that name is on its bus."""
    target = disk.find("target")
    bus, name = ("", "") if target is None else (target.get("bus") or "", target.get("dev") or "")
    per, place = _PER_CONTROLLER.get(bus), disk_place(name)
    if per is None or place is None:
        return {"unit": "none"}
    controller, unit = divmod(place, per)
    bus_number, unit = divmod(unit, 2) if bus == "ide" else (0, unit)
    return {"controller": str(controller), "bus": str(bus_number), "unit": str(unit)}


def implied(domain: Element) -> Iterator[Element]:
    """The controllers that say nothing and that libvirt adds by itself, most of them for what is plugged into them."""
    needed = set(_needed(domain))
    models = {**_BUILT_IN, "usb": "qemu-xhci" if _is_q35(domain) else "piix3-uhci"}
    for controller in domain.iterfind("devices/controller"):
        kind, index = controller.get("type") or "", controller.get("index") or ""
        plain = {*map(str, controller.attrib)} <= {"type", "index", "model"} and all(
            child.tag == "address" and child.get("type") == "pci" for child in controller
        )
        if plain and (kind, index) in needed and controller.get("model") == models.get(kind, ""):
            yield controller


def _is_q35(domain: Element) -> bool:
    return any("q35" in (kind.get("machine") or "") for kind in domain.iterfind("os/type"))


def _needed(domain: Element) -> Iterator[tuple[str, str]]:
    yield ("usb", "0")
    if _is_q35(domain):
        yield ("sata", "0")
    for disk in domain.iterfind("devices/disk"):
        target, address = disk.find("target"), disk.find("address")
        bus = "" if target is None else target.get("bus") or ""
        index = drive_of(disk).get("controller", "") if address is None else address.get("controller") or ""
        yield from ((bus, str(below)) for below in range(int(index) + 1 if index.isdigit() else 0))
    if domain.find("devices/hostdev[@type='scsi']") is not None:
        yield ("scsi", "0")
    if domain.find("devices/smartcard") is not None:
        yield ("ccid", "0")
    for device in (*domain.iterfind("devices/channel"), *domain.iterfind("devices/console")):
        target = device.find("target")
        if target is not None and target.get("type") == "virtio":
            yield ("virtio-serial", "0")
