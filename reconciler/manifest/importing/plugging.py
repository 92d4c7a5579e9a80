"""Addresses and controllers that libvirt generated, taken out of a definition: what it would choose again need not be said.

It changes the element that it is given. What cannot be foreseen stays, so that a new definition gets the same places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from reconciler.manifest.importing.controllers import drive_of, implied
from reconciler.manifest.importing.slots import (
    BRIDGE,
    ROOT_PORT,
    Board,
    Slot,
    board,
    expected_controllers,
    fixed,
    inserted,
    port_places,
    predict,
    slot_of,
    takes_slot,
)
from reconciler.manifest.importing.table import number
from reconciler.xmltree.document import Element


def unplug(domain: Element) -> None:
    """Take out the addresses and controllers that libvirt would make again."""
    for disk in domain.iterfind("devices/disk"):
        _drop_if(disk, {"type": "drive", **drive_of(disk)})
    _count(domain.findall("devices/channel") + domain.findall("devices/console"), "virtio-serial", {"bus": 0}, "port", 1)
    _count(domain.iterfind("devices/smartcard"), "ccid", {}, "slot", 0)
    _count(_usb(domain), "usb", {"controller": None}, "port", 1)
    _count(domain.iterfind("devices/memory"), "dimm", {"controller": None}, "slot", 0)
    _scsi_hostdevs(domain)
    for controller in _pci(domain, frozenset(implied(domain))):
        parent_of(controller).remove(controller)


def _remove_address(device: Element) -> None:
    address = device.find("address")
    if address is not None:
        device.remove(address)


def _drop_if(device: Element, said: dict[str, str]) -> None:
    """Take the address away if it says just this."""
    if _says(device, said):
        _remove_address(device)


def _says(device: Element, said: dict[str, str]) -> bool:
    """Whether the device has this address; what is not said counts as 0."""
    address = device.find("address")
    if address is None:
        return False
    names = {*said, *map(str, address.attrib)}
    return all(number(address.get(name) or "0") == number(said.get(name) or "0") for name in names)


def _count(devices: Iterable[Element], kind: str, said: dict[str, int | None], name: str, first: int) -> None:
    """Addresses that are given away one after the other: all go, or all stay."""
    usual = {"type": kind, **{key: str(value) for key, value in {"controller": 0, "bus": 0, **said}.items() if value is not None}}
    found = [device for device in devices if device.find(f"address[@type='{kind}']") is not None]
    expected = [{**usual, name: str(place)} for place in range(first, first + len(found))]
    if all(_says(device, address) for device, address in zip(found, expected, strict=True)):
        for device in found:
            _remove_address(device)


def _usb(domain: Element) -> Iterator[Element]:
    """The devices on the USB bus; where there is a hub it is too much to foresee."""
    if domain.find("devices/hub") is not None:
        return
    for name in ("hub", "hostdev", "disk", "input", "sound", "redirdev", "serial"):
        yield from domain.iterfind(f"devices/{name}")


def _scsi_hostdevs(domain: Element) -> None:
    """Units that the disks of the first SCSI controller leave free."""
    if domain.find("devices/disk/address[@type='drive']") is not None:
        return
    taken = {drive_of(disk)["unit"] for disk in domain.iterfind("devices/disk") if drive_of(disk).get("controller") == "0"}
    free = (str(unit) for unit in range(16) if str(unit) not in taken)
    for device in domain.iterfind("devices/hostdev[@type='scsi']"):
        _drop_if(device, {"type": "drive", "unit": next(free, "")})


# --- PCI ----------------------------------------------------------------------------------------------------------


def _pci(domain: Element, implied: AbstractSet[Element]) -> AbstractSet[Element]:
    """Take out the PCI addresses that need not be said; the controllers of `implied` that need not be said either."""
    said = [one for one in domain.iterfind("devices/controller[@type='pci']") if one.get("index") != "0"]
    ports = inserted(said)
    while True:
        given = board(domain, implied)
        actual = {device: place for device in given.devices if (place := slot_of(device)) is not None}
        alone = expected_controllers(given)
        generated = alone == dict(given.controllers) and predict(given, {}, alone) == actual and _plain(ports, actual)
        pinned = {} if generated else _pinned(given, actual)
        if not implied & pinned.keys():
            break
        implied -= pinned.keys()
    if generated:
        for controller in ports:
            parent_of(controller).remove(controller)
    else:
        filled = _filled(said) if given.express and _plain(said, actual) else []
        for controller in filled:
            parent_of(controller).remove(controller)
        _bare(said if filled else ports, actual)
    for device in actual:
        if device not in pinned:
            _remove_address(device)
    for controller in domain.findall("devices/controller[@type='pci'][@index='0']"):
        if len(controller.attrib) == 3 and not len(controller):  # noqa: PLR2004  type, index and model
            parent_of(controller).remove(controller)
    return implied


def _pinned(given: Board, actual: dict[Element, Slot]) -> dict[Element, Slot]:
    """The fewest devices that must say their slot so that all get theirs: found one after the other."""
    pinned = {
        device: place
        for device, place in actual.items()
        if not takes_slot(device) or fixed(device, express=given.express) not in {None, place}
    }
    for _ in actual:
        foreseen = predict(given, pinned, given.controllers)
        wrong = next((device for device, place in actual.items() if foreseen.get(device) != place), None)
        if wrong is None:
            break
        pinned[wrong] = actual[wrong]
    return pinned


def _plain(ports: list[Element], actual: dict[Element, Slot]) -> bool:
    """Whether libvirt would make and place these controllers just so."""
    return all(_usual(port, place) for port, place in _placed(ports, actual))


def _filled(ports: list[Element]) -> list[Element]:
    """Root ports that libvirt adds by itself, after the others, where their indexes are missing below the highest one."""
    numbers = [int(port.get("index") or 0) for port in ports]
    first = next((place for place in range(1, len(numbers)) if numbers[place] < numbers[place - 1]), len(numbers))
    missing = [number for number in range(1, max(numbers, default=0)) if number not in numbers[:first]]
    roots = all(port.get("model") == ROOT_PORT for port in ports[first:])
    return ports[first:] if roots and missing == numbers[first:] else []


def _placed(ports: list[Element], actual: dict[Element, Slot]) -> Iterator[tuple[Element, Slot]]:
    """Each controller with its place, in the order in which libvirt has them."""
    first = next(slot for slot in range(1, 33) if (0, slot) not in {place[:2] for place in actual.values()})
    places, buses = port_places(first), iter(sorted(int(p.get("index") or 0) for p in ports if p.get("model") == ROOT_PORT))
    for port in ports:
        if port.get("model") == ROOT_PORT:
            yield port, next(places)
        elif port.get("model") == BRIDGE:
            yield port, (next(buses, 0), 0, 0)
        else:
            yield port, (-1, 0, 0)


def _usual(port: Element, place: Slot) -> bool:
    if slot_of(port) != place:
        return False
    said = {str(child.tag): child for child in port}
    target, model = said.pop("target", None), said.pop("model", None)
    said.pop("address", None)
    index, name = port.get("index"), port.get("model")
    number_of_port = place[1] * 8 + place[2]
    return (
        not said
        and len(port.attrib) == 3  # noqa: PLR2004  type, index and model
        and (model is None or model.get("name") == {BRIDGE: "pcie-pci-bridge"}.get(name or "", name))
        and (
            target is None
            or (
                len(target.attrib) == 2  # noqa: PLR2004
                and target.get("chassis") == index
                and number(target.get("port") or "") == number_of_port
            )
        )
    )


def _bare(ports: list[Element], actual: dict[Element, Slot]) -> None:
    """Controllers that stay say their index and model only, where the rest is as libvirt would have it."""
    for port, place in _placed(ports, actual):
        if _usual(port, place):
            for child in list(port):
                port.remove(child)


def parent_of(element: Element) -> Element:
    """The element that holds a device. Raises ValueError for the root."""
    parent = element.getparent()
    if parent is None:
        raise ValueError("the root is not plugged in anywhere")
    return parent
