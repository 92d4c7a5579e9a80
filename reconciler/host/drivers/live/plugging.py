"""Whole devices of a running guest: unplugged, waited for, plugged in. Each has in the guest the address that it will keep."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy

from reconciler.host.drivers.live.guest import GLANCE, LIVE, Guest
from reconciler.xmltree.document import Element, attributes, serialize

PATIENCE = 10.0  # seconds that a guest has to release devices; all of them together

Paths = Mapping[str, Collection[str]]
"""Places of devices (``devices/disk[vdb]``) with the paths that are about each."""


def unplug(guest: Guest, places: Paths) -> None:
    """By virDomainDetachDeviceAlias, which only asks: then the live definition is watched until the devices are gone."""
    asked = {place: paths for place, paths in places.items() if _ask(guest, place, paths)}
    begin = guest.step.clock()
    guest.look()
    while (left := [place for place in asked if guest.has(place) is not None]) and guest.step.clock() - begin < PATIENCE:
        spent = (guest.step.clock() - begin) / PATIENCE
        guest.step.report(f"waiting for the guest, which has to release: {', '.join(left)}", min(spent, 1.0))
        guest.step.sleep(GLANCE)
        guest.look()
    for place in left:
        guest.wait_for(asked[place])


def _ask(guest: Guest, place: str, paths: Collection[str]) -> bool:
    device = guest.has(place)
    if device is None:
        return False
    alias = device.find("alias")
    if alias is not None:
        return guest.attempt(paths, "virDomainDetachDeviceAlias", guest.domain.detachDeviceAlias, alias.get("name"), LIVE)
    return guest.attempt(paths, "virDomainDetachDeviceFlags", guest.domain.detachDeviceFlags, serialize(device), LIVE)


def plug(guest: Guest, places: Paths) -> None:
    """By virDomainAttachDeviceFlags: controllers first, and those that libvirt has made for new devices before these."""
    for place in sorted(places, key=lambda place: not place.startswith("devices/controller[")):
        device = guest.wanted(place)
        if device is None or guest.has(place) is not None:
            continue
        paths = places[place]
        if all(_attach(guest, paths, controller) for controller in _missing_controllers(guest, device)):
            _attach(guest, paths, device)
        guest.look()


def _attach(guest: Guest, paths: Collection[str], device: Element) -> bool:
    """In the way of a device that has not gone yet it is not refused: its place becomes free when the guest answers."""
    if guest.waiting and _taken(guest, device):
        guest.wait_for(paths)
        return False
    return guest.attempt(paths, "virDomainAttachDeviceFlags", guest.domain.attachDeviceFlags, serialize(device), LIVE)


def _taken(guest: Guest, device: Element) -> bool:
    wanted = device.find("address")
    return wanted is not None and any(
        attributes(other) == attributes(wanted) for other in guest.live.iterfind("devices/*/address")
    )


def _missing_controllers(guest: Guest, device: Element) -> Iterator[Element]:
    """The SCSI controller that `device` needs and the running guest lacks: no other one can be plugged in."""
    address, target = device.find("address"), device.find("target")
    scsi = target is not None and target.get("bus") == "scsi"
    if address is None or address.get("type") != "drive" or not scsi:
        return
    which = f"devices/controller[@type='scsi'][@index='{address.get('controller')}']"
    found = guest.target.find(which)
    if found is not None and guest.live.find(which) is None:
        yield deepcopy(found)
