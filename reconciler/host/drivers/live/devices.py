"""Settings of devices that stay in a running guest (virDomainUpdateDeviceFlags): media, networks, links, passwords.

libvirt takes a whole device and refuses it whole. So each group of settings is tried by itself, on the device as it is now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import deepcopy
from dataclasses import dataclass

from reconciler.host.drivers.live.guest import LIVE, Guest
from reconciler.xmltree.document import Element, serialize, unset

TRAY_PATIENCE = 5.0  # seconds in which a guest that is looking at its drive lets the tray open


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that libvirt changes together: attributes and children of a device. `volatile` children are left out."""

    attributes: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()


CONNECTION = Group(("type",), ("source", "virtualport", "vlan"))
LINK = Group(elements=("link",))
BANDWIDTH = Group(elements=("bandwidth",))
FILTER = Group(elements=("filterref",))
TRUST = Group(("trustGuestRxFilters",))
COALESCE = Group(elements=("coalesce",))
PORT = Group(elements=("port",))
PASSWORD = Group(("passwd", "passwdValidTo", "connected"))


def changed(group: Group) -> Callable[[Guest, Collection[str]], None]:
    """The function that brings one group of settings of any number of devices."""

    def change(guest: Guest, paths: Collection[str]) -> None:
        for place, mine in _by_device(paths).items():
            wanted, there = guest.wanted(place), guest.has(place)
            if wanted is not None and there is not None:
                _update(guest, mine, _with(there, wanted, group))

    return change


def _update(guest: Guest, paths: Collection[str], device: Element) -> None:
    text, call = serialize(device), guest.domain.updateDeviceFlags
    if guest.attempt(paths, "virDomainUpdateDeviceFlags", call, text, LIVE, patience=TRAY_PATIENCE):
        guest.look()


def _by_device(paths: Collection[str]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for path in paths:
        out.setdefault("/".join(path.split("/")[:2]), []).append(path)
    return out


def _with(there: Element, wanted: Element, group: Group) -> Element:
    """The running device with the group's settings as the target has them."""
    device = deepcopy(there)
    for name in group.attributes:
        if wanted.get(name) is None:
            unset(device, name)
        else:
            device.set(name, str(wanted.get(name)))
    for name in (*group.elements, *group.volatile):
        for old in device.findall(name):
            device.remove(old)
    for name in group.elements:
        for new in wanted.findall(name):
            device.append(deepcopy(new))
    return device


def password(guest: Guest, paths: Collection[str]) -> None:
    """Another password of a screen. libvirt would take its removal and do nothing: QEMU goes on asking for it."""
    for place, mine in _by_device(paths).items():
        wanted, there = guest.wanted(place), guest.has(place)
        if wanted is None or there is None:
            continue
        if wanted.get("passwd") is None and there.get("passwd") is not None:
            guest.refuse(mine, "the screen goes on asking for its password until the guest restarts")
        else:
            _update(guest, mine, _with(there, wanted, PASSWORD))


_MEDIUM = Group(("type",), ("source",), ("backingStore",))
_REMOVABLE = frozenset({"cdrom", "floppy"})


def media(guest: Guest, paths: Collection[str]) -> None:
    """Changes or ejects the medium of a drive. A disk's source stays: its guest has it open."""
    for place, mine in _by_device(paths).items():
        wanted, there = guest.wanted(place), guest.has(place)
        if wanted is None or there is None:
            continue
        if there.get("device") not in _REMOVABLE:
            guest.refuse(mine, "only a drive with removable media can get another source while the guest runs")
            continue
        device = _with(there, wanted, _MEDIUM)
        _take_format(device, wanted)
        _update(guest, mine, device)


def _take_format(device: Element, wanted: Element) -> None:
    old, new = device.find("driver"), wanted.find("driver")
    if new is None or new.get("type") is None:
        return
    if old is None:
        device.append(deepcopy(new))
    else:
        old.set("type", str(new.get("type")))


def statistics(guest: Guest, paths: Collection[str]) -> None:
    """The balloon's, by virDomainSetMemoryStatsPeriod; 0 seconds: none."""
    stats = guest.target.find("devices/memballoon/stats")
    period = 0 if stats is None else int(stats.get("period") or 0)
    guest.attempt(paths, "virDomainSetMemoryStatsPeriod", guest.domain.setMemoryStatsPeriod, period, LIVE)
