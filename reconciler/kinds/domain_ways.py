"""How each path of a domain can change while its guest runs, in the gentlest way that libvirt offers: the table, no calls.

docs/changes.md is made from it. A row says what libvirt can do in principle; where it depends on more than the path (a CD-ROM
drive against a disk, a virtio device against an IDE one), the driver finds out, and what is refused waits for the next start.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.kinds.kind import Way
from reconciler.model.difference import Impact
from reconciler.model.plan import Verb

CGROUPS = "the host's cgroup controller"
RELEASE = "a guest that releases the device: it is waited for"

_ATTACH = "virDomainAttachDeviceFlags, virDomainDetachDeviceAlias"
_UPDATE = "virDomainUpdateDeviceFlags"


def _setter(
    pattern: str, how: str, since: str, needs: str = "", impact: Impact = Impact.LIVE, awaits: str = "", within: str = ""
) -> Way:
    return Way(pattern, Verb.UPDATE, impact, how=how, since=since, needs=needs, awaits=awaits, within=within)


def _plugged(name: str, needs: str) -> Way:
    return _setter(f"devices/{name}", f"plugged in and unplugged by {_ATTACH}", "4.4.0", needs)


def _changed(below: str, needs: str = "", since: str = "0.8.0") -> Way:
    return _setter(f"devices/{below}", f"changed in place by {_UPDATE}", since, needs)


_SCHEDULED = "set by virDomainSetSchedulerParametersFlags"
_MEMORY = "set by virDomainSetMemoryParameters"
_BLOCK = "set by virDomainSetBlkioParameters"
_ASKING = "a guest that was started with a password"
_PINNED = "the processors that it may run on are set by {}; without a set, by the host's all"

WAYS: tuple[Way, ...] = (
    Way("uuid", Verb.DEFINE, Impact.RECREATE, refusal="libvirt knows a domain by its UUID: it cannot change"),
    # --- what is said about the guest -----------------------------------------------------------------------------
    _setter("title", "set by virDomainSetMetadata", "0.9.10", impact=Impact.NONE),
    _setter("description", "set by virDomainSetMetadata", "0.9.10", impact=Impact.NONE),
    _setter("metadata/**", "each element set or taken away by virDomainSetMetadata", "0.9.10", impact=Impact.NONE),
    # --- memory and processors ------------------------------------------------------------------------------------
    _setter(
        "currentMemory",
        "asked for by virDomainSetMemoryFlags",
        "0.9.0",
        "an amount within the running guest's maximum; a balloon driver in the guest, else nothing happens",
        awaits="its balloon driver has not done it",
        within="memory",
    ),
    _setter(
        "vcpu/@current",
        "plugged in and unplugged by virDomainSetVcpusFlags",
        "0.8.5",
        "a number within the running guest's maximum; to take some away, a guest that releases them",
        within="vcpu",
    ),
    *(
        _setter(section, "each of its parts as below, where a whole section comes or goes", "0.8.5")
        for section in ("cputune", "memtune", "blkiotune", "numatune", "numatune/memory", "iothreadids")
    ),
    _setter("cputune/shares", _SCHEDULED, "0.9.2", f"{CGROUPS} cpu; taken away at the next start only"),
    *(
        _setter(f"cputune/{name}", _SCHEDULED, "0.9.2", f"{CGROUPS} cpu")
        for name in (
            "period",
            "quota",
            "global_period",
            "global_quota",
            "emulator_period",
            "emulator_quota",
            "iothread_period",
            "iothread_quota",
        )
    ),
    _setter("cputune/vcpupin/**", _PINNED.format("virDomainPinVcpuFlags"), "0.9.3"),
    _setter("cputune/emulatorpin/**", _PINNED.format("virDomainPinEmulator"), "0.10.0"),
    _setter("cputune/iothreadpin/**", _PINNED.format("virDomainPinIOThread"), "1.2.14"),
    _setter("iothreads", "added by virDomainAddIOThread, taken away by virDomainDelIOThread", "1.2.15", "no disk uses it"),
    _setter(
        "iothreadids/iothread", "added by virDomainAddIOThread, taken away by virDomainDelIOThread", "1.2.15", "no disk uses it"
    ),
    *(
        _setter(f"memtune/{name}", _MEMORY, "0.8.5", f"{CGROUPS} memory")
        for name in ("hard_limit", "soft_limit", "swap_hard_limit")
    ),
    _setter("blkiotune/weight", _BLOCK, "0.9.0", f"{CGROUPS} blkio; taken away at the next start only"),
    _setter("blkiotune/device/**", _BLOCK, "0.9.8", f"{CGROUPS} blkio"),
    _setter(
        "numatune/memory/@nodeset",
        "set by virDomainSetNumaParameters",
        "0.9.9",
        f"{CGROUPS} cpuset, and mode restrictive",
    ),
    # --- life -----------------------------------------------------------------------------------------------------
    *(_setter(f"on_{name}", "set by virDomainSetLifecycleAction", "3.9.0") for name in ("poweroff", "reboot", "crash")),
    # --- disks ----------------------------------------------------------------------------------------------------
    _plugged("disk", f"a bus that can be plugged (virtio, scsi, usb; not ide, sata, fdc); unplugging: {RELEASE}"),
    *(
        _changed(f"disk/{below}", "a drive with removable media (cdrom, floppy): the medium is changed or ejected")
        for below in ("@type", "source/**", "driver", "driver/@type")
    ),
    _setter("devices/disk/iotune/**", "set by virDomainSetBlockIoTune", "0.9.8", "a drive with a medium"),
    # --- network interfaces ---------------------------------------------------------------------------------------
    _plugged("interface", f"a model that can be plugged; unplugging: {RELEASE}"),
    *(
        _changed(f"interface/{below}", "a network or bridge on either side; the guest stays connected to the same card")
        for below in ("@type", "source/**", "virtualport/**", "vlan/**")
    ),
    _changed("interface/link/**", since="0.9.5"),
    _changed("interface/bandwidth/**", "a tap device, and traffic control (tc) in the host's kernel", "0.9.10"),
    _changed("interface/filterref/**"),
    _changed("interface/@trustGuestRxFilters", "a sort of interface that shows it while it runs (macvtap)"),
    _changed("interface/coalesce/**"),
    _changed("interface/port/**"),
    # --- other devices --------------------------------------------------------------------------------------------
    _plugged("controller", f"type scsi; unplugging: nothing on it, and {RELEASE}"),
    _plugged("hostdev", "a host device that is free; unplugging: the guest's consent for PCI, none for USB"),
    _plugged("redirdev", "a USB controller in the guest"),
    _plugged("input", f"bus usb or virtio; unplugging: none for usb, for virtio {RELEASE}"),
    _plugged("rng", f"unplugging: {RELEASE}"),
    _plugged("shmem", f"unplugging: {RELEASE}"),
    _plugged("watchdog", f"a PCI model, and none there yet; unplugging: {RELEASE}"),
    _plugged("channel", f"a virtio-serial controller in the running guest; unplugging: {RELEASE}"),
    _plugged("console", f"a virtio console, and a virtio-serial controller; unplugging: {RELEASE}"),
    _plugged("serial", f"a PCI or USB model, not an ISA one; unplugging: {RELEASE}"),
    _plugged("filesystem", f"driver virtiofs, not 9p; unplugging: {RELEASE}"),
    _plugged("memory", f"maxMemory and NUMA cells; unplugging: {RELEASE}"),
    _plugged("vsock", f"/dev/vhost-vsock on the host; unplugging: {RELEASE}"),
    _plugged("lease", "a lock manager on the host"),
    replace(
        _changed("graphics/@passwd", f"{_ASKING}; of VNC at most 8 characters; taken away at the next start only"),
        fixed="whether the screen asks for a password is settled when the guest starts",
    ),
    *(_changed(f"graphics/{name}", _ASKING) for name in ("@passwdValidTo", "@connected")),
    _setter("devices/memballoon/stats/**", "set by virDomainSetMemoryStatsPeriod", "1.1.1", "the balloon's driver in the guest"),
    # --- everything else ------------------------------------------------------------------------------------------
    Way(
        "**",
        Verb.DEFINE,
        Impact.RESTART,
        how="a new definition (virDomainDefineXMLFlags), which the guest takes up at its next start",
        since="1.2.12",
    ),
)
"""The first row that matches a path (without keys) counts."""
