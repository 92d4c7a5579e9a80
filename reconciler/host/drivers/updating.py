"""Brings changes into a running guest: each path by the family that knows its call, the live definition only.

The persistent definition was given to libvirt before (domain.define): what it has now is what the guest is brought to. A way for
one more path is one more line in FAMILIES, and one in kinds/domain_ways.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from reconciler.errors import HostError
from reconciler.host.drivers import domain as definitions
from reconciler.host.drivers.live import amounts, devices, metadata, plugging, tuning
from reconciler.host.drivers.live.guest import EndedError, Guest
from reconciler.host.drivers.states import is_active
from reconciler.host.drivers.step import Step
from reconciler.xmltree.canonical import Canonical, canonical
from reconciler.xmltree.paths import matches, without_keys


@dataclass(frozen=True, slots=True)
class Family:
    """`change(guest, paths)` brings all paths that match one of the patterns into the running guest.

    Setting what is set already must do no harm.
    """

    patterns: tuple[str, ...]
    change: Callable[[Guest, Collection[str]], None]


FAMILIES: tuple[Family, ...] = (
    Family(("title",), metadata.title),
    Family(("description",), metadata.description),
    Family(("metadata/**",), metadata.elements),
    Family(("currentMemory",), amounts.balloon),
    Family(("vcpu/@current",), amounts.processors),
    Family(("iothreads", "iothreadids/iothread"), amounts.threads),
    Family(("on_poweroff", "on_reboot", "on_crash"), amounts.ending),
    Family(("cputune/shares", "cputune/*period", "cputune/*quota"), tuning.scheduling),
    Family(("cputune/vcpupin/**", "cputune/emulatorpin/**", "cputune/iothreadpin/**"), tuning.pinning),
    Family(("memtune/hard_limit", "memtune/soft_limit", "memtune/swap_hard_limit"), tuning.memory),
    Family(("blkiotune/weight", "blkiotune/device/**"), tuning.blocks),
    Family(("numatune/memory/@nodeset",), tuning.nodes),
    Family(("devices/disk/iotune/**",), tuning.disk_limits),
    Family(("devices/disk/@type", "devices/disk/source/**", "devices/disk/driver", "devices/disk/driver/@type"), devices.media),
    Family(
        ("devices/interface/@type", *(f"devices/interface/{name}/**" for name in ("source", "virtualport", "vlan"))),
        devices.changed(devices.CONNECTION),
    ),
    Family(("devices/interface/link/**",), devices.changed(devices.LINK)),
    Family(("devices/interface/bandwidth/**",), devices.changed(devices.BANDWIDTH)),
    Family(("devices/interface/filterref/**",), devices.changed(devices.FILTER)),
    Family(("devices/interface/@trustGuestRxFilters",), devices.changed(devices.TRUST)),
    Family(("devices/interface/coalesce/**",), devices.changed(devices.COALESCE)),
    Family(("devices/interface/port/**",), devices.changed(devices.PORT)),
    Family(tuple(f"devices/graphics/@{name}" for name in devices.PASSWORD.attributes), devices.password),
    Family(("devices/memballoon/stats/**",), devices.statistics),
)
"""The first that matches a path (without keys) counts. A whole device (``devices/*``) is plugging's."""

SECTIONS = ("cputune", "memtune", "blkiotune", "numatune", "numatune/memory", "iothreadids")
"""Elements that come and go as a whole, and are no settings themselves: each of their parts changes by its own family."""

_PLACE = 2  # steps in the path of a whole device


def family_of(path: str) -> Family | None:
    """Who changes `path` (without keys) in a running guest; None for a whole device, and for what cannot be changed at all."""
    return next((family for family in FAMILIES if any(matches(pattern, path) for pattern in family.patterns)), None)


def update(step: Step) -> None:
    """Brings the paths that the action names into the live definition; does nothing if the domain is not active.

    What libvirt or QEMU refuse is told by `step.refuse`, and waits for the next start. Raises GuestTimeoutError for devices that
    the guest has not released, and the first other failure; both after everything else was tried.
    """
    domain = definitions.expect(step)
    for path in step.action.paths:
        if path not in SECTIONS and family_of(without_keys(path)) is None and _place(path) is None:
            raise HostError(
                f"{step.id}: there is no way to change {path} without a new definition",
                hint="plan again; if this stays, it is a bug",
            )
    if not is_active(step, domain):
        return
    try:
        _bring(Guest.of(step, domain), step.action.paths)
    except EndedError:
        step.report("the guest ended: it takes everything up at its next start", None)


def _bring(guest: Guest, paths: Collection[str]) -> None:
    gone: dict[str, list[str]] = {}
    new: dict[str, list[str]] = {}
    families: dict[int, list[str]] = {}
    parts = list(_parts(guest, paths))
    for path in parts:
        place = _place(path)
        wanted, there = (None, None) if place is None else (guest.wanted(place), guest.has(place))
        if place is not None and (wanted is None or there is None):
            (gone if wanted is None else new).setdefault(place, []).append(path)
        elif (family := family_of(without_keys(path))) is not None:
            families.setdefault(FAMILIES.index(family), []).append(path)
        elif place is None:
            guest.refuse([path], "libvirt cannot change it while the guest runs")
    plugging.unplug(guest, gone)
    plugging.plug(guest, new)
    for number in sorted(families):
        FAMILIES[number].change(guest, families[number])
    guest.finish(dict.fromkeys([*parts, *paths]))


def _parts(guest: Guest, paths: Collection[str]) -> Iterator[str]:
    """The paths, and in the place of a section the parts of it that differ."""
    rules = guest.step.rules
    for path in paths:
        if path in SECTIONS:
            wanted, has = (canonical(root, rules) for root in (guest.target, guest.live))
            below = (part for part in {**wanted, **has} if part.startswith(f"{path}/") and "/" not in part[len(path) + 1 :])
            yield from _parts(guest, [part for part in below if _below(wanted, part) != _below(has, part)])
        else:
            yield path


def _below(mapping: Canonical, path: str) -> Canonical:
    return {other: value for other, value in mapping.items() if other == path or other.startswith(f"{path}/")}


def _place(path: str) -> str | None:
    """The whole device that `path` is, or is a part of; None if it is about no device."""
    steps = path.split("/")
    return "/".join(steps[:_PLACE]) if steps[0] == "devices" and len(steps) >= _PLACE else None
