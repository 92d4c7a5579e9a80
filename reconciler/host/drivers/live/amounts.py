"""How much memory and how many processors and I/O threads a running guest has, and what becomes of it when it ends.

Within the maximum that it was started with; a memory device is plugged as any other device is.
"""

from __future__ import annotations

from collections.abc import Collection
from types import MappingProxyType

import libvirt

from reconciler.host.drivers.live.guest import GLANCE, LIVE, Guest
from reconciler.xmltree.document import Element
from reconciler.xmltree.quantity import amount

BALLOON_PATIENCE = 2.0  # seconds in which a balloon driver begins to answer
KIB = 1024


def balloon(guest: Guest, paths: Collection[str]) -> None:
    """By virDomainSetMemoryFlags. Without a balloon driver in the guest libvirt keeps the wish and nothing happens."""
    wanted, most = _kib(guest.target, "currentMemory"), _kib(guest.live, "memory")
    if wanted > most:
        guest.refuse(paths, f"the running guest has at most {most} KiB")
        return
    before = _kib(guest.live, "currentMemory")
    if before == wanted or not guest.attempt(paths, "virDomainSetMemoryFlags", guest.domain.setMemoryFlags, wanted, LIVE):
        return
    until = guest.step.clock() + BALLOON_PATIENCE
    while _kib(guest.live, "currentMemory") == before:
        if guest.step.clock() >= until:
            guest.step.report("waiting for the guest: its balloon driver has not answered, libvirt will go on asking", None)
            return
        guest.step.sleep(GLANCE)
        guest.look()


def _kib(root: Element, name: str) -> int:
    element = root.find(name)
    return 0 if element is None else int(amount(element.text or "", element.get("unit") or "KiB")) // KIB


def processors(guest: Guest, paths: Collection[str]) -> None:
    """By virDomainSetVcpusFlags."""
    wanted, now, most = _count(guest.target), _count(guest.live), int(guest.live.findtext("vcpu") or 1)
    if wanted > most:
        guest.refuse(paths, f"the running guest has at most {most} processors")
    elif wanted == now:
        guest.reached.update(paths)  # a guest that has all of its processors does not say how many
    elif guest.attempt(paths, "virDomainSetVcpusFlags", guest.domain.setVcpusFlags, wanted, LIVE):
        guest.look()
        guest.reached.update(paths if _count(guest.live) == wanted else ())


def _count(root: Element) -> int:
    vcpu = root.find("vcpu")
    return 1 if vcpu is None else int(vcpu.get("current") or vcpu.text or 1)


def threads(guest: Guest, paths: Collection[str]) -> None:
    """By virDomainAddIOThread and virDomainDelIOThread, each thread by its id."""
    wanted, there = _ids(guest.target), _ids(guest.live)
    for number in sorted(wanted - there):
        guest.attempt(paths, "virDomainAddIOThread", guest.domain.addIOThread, number, LIVE)
    for number in sorted(there - wanted):
        guest.attempt(paths, "virDomainDelIOThread", guest.domain.delIOThread, number, LIVE)


def _ids(root: Element) -> set[int]:
    named = {int(str(thread.get("id"))) for thread in root.iterfind("iothreadids/iothread")}
    return named or set(range(1, int(root.findtext("iothreads") or 0) + 1))


_EVENTS = MappingProxyType(
    {
        "on_poweroff": libvirt.VIR_DOMAIN_LIFECYCLE_POWEROFF,
        "on_reboot": libvirt.VIR_DOMAIN_LIFECYCLE_REBOOT,
        "on_crash": libvirt.VIR_DOMAIN_LIFECYCLE_CRASH,
    }
)
_ACTIONS = MappingProxyType(
    {
        "destroy": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY,
        "restart": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_RESTART,
        "rename-restart": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_RESTART_RENAME,
        "preserve": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE,
        "coredump-destroy": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_DESTROY,
        "coredump-restart": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_RESTART,
    }
)


_DEFAULTS = MappingProxyType({"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"})


def ending(guest: Guest, paths: Collection[str]) -> None:
    """By virDomainSetLifecycleAction, which refuses some pairs of actions also where they would not last."""
    calls = {path: (_EVENTS[path], _ACTIONS[guest.target.findtext(path) or _DEFAULTS[path]], LIVE) for path in paths}
    guest.attempt_all("virDomainSetLifecycleAction", guest.domain.setLifecycleAction, calls)
