"""What a domain's manifest can say, in the order in which a person writes it: one table made of the families' tables."""

from __future__ import annotations

from typing import Final

from reconciler.manifest.importing import character, display, features, guest_parts, machine, storage, tuning
from reconciler.manifest.importing.network_card import INTERFACE
from reconciler.manifest.importing.table import Item, Made, Part, Row, truth
from reconciler.xmltree.document import Element, serialize


def _type(domain: Element) -> str | None:
    """kvm is what `auto` means where nobody can be asked."""
    kind = domain.get("type")
    return None if kind == "kvm" else kind


def _metadata(domain: Element) -> str | None:
    parts = [serialize(child).strip() for child in domain.iterfind("metadata/*")]
    return "\n".join(parts) or None


def _listed(field: str, element: str, table: tuple[Item, ...], *, ordered: bool = True) -> Part:
    return Part(field, f"devices/{element}", table, each=True, ordered=ordered)


TABLE: Final[tuple[Item, ...]] = (
    Made("type", "@type", _type),
    Row("title", "title"),
    Row("description", "description"),
    Row("uuid", "uuid"),
    Made("metadata", "metadata", _metadata),
    Made("memory", "memory", machine.memory),
    Part("memoryBacking", "memoryBacking", machine.BACKING),
    Made("vcpus", "vcpu", machine.vcpus),
    Made("iothreads", "iothreads", machine.iothreads),
    Part("cpu", "cpu", machine.CPU),
    Part("numa", "cpu/numa", machine.NUMA),
    Part("os", "os", machine.OS),
    Made("sysinfo", "sysinfo", machine.sysinfo),
    Made("features", "features", features.features),
    Part("clock", "clock", machine.CLOCK),
    Part(
        "on",
        ".",
        tuple(Row(name, f"on_{name}") for name in ("poweroff", "reboot", "crash", "lockfailure")),
    ),
    Part("pm", "pm", tuple(Row(name, f"{name}/@enabled", truth) for name in ("suspend-to-mem", "suspend-to-disk"))),
    Part("cputune", "cputune", tuning.CPUTUNE),
    Part("memtune", "memtune", tuning.MEMTUNE),
    Part("blkiotune", "blkiotune", tuning.BLKIOTUNE),
    Part("numatune", "numatune", tuning.NUMATUNE),
    Part("resource", "resource", (Row("partition", "partition"),)),
    Row("emulator", "devices/emulator"),
    _listed("disks", "disk", storage.DISK, ordered=False),  # libvirt sorts them by their names
    _listed("filesystems", "filesystem", storage.FILESYSTEM),
    _listed("interfaces", "interface", INTERFACE),
    _listed("serials", "serial", character.SERIAL),
    _listed("parallels", "parallel", character.PARALLEL),
    _listed("consoles", "console", character.CONSOLE),
    _listed("channels", "channel", character.CHANNEL),
    _listed("graphics", "graphics", display.GRAPHICS),
    _listed("videos", "video", display.VIDEO),
    _listed("sounds", "sound", display.SOUND),
    _listed("audios", "audio", display.AUDIO),
    _listed("inputs", "input", display.INPUT),
    _listed("hostdevs", "hostdev", guest_parts.HOSTDEV),
    _listed("redirdevs", "redirdev", character.REDIRDEV),
    _listed("smartcards", "smartcard", character.SMARTCARD),
    _listed("hubs", "hub", guest_parts.HUB),
    _listed("tpms", "tpm", guest_parts.TPM),
    _listed("rngs", "rng", guest_parts.RNG),
    _listed("watchdogs", "watchdog", guest_parts.WATCHDOG),
    _listed("panics", "panic", guest_parts.PANIC),
    _listed("shmems", "shmem", guest_parts.SHMEM),
    _listed("memories", "memory", guest_parts.MEMORY),
    _listed("controllers", "controller", storage.CONTROLLER),
    Part("memballoon", "devices/memballoon", guest_parts.BALLOON),
    Part("vsock", "devices/vsock", guest_parts.VSOCK),
    Part("iommu", "devices/iommu", guest_parts.IOMMU),
    Part("seclabels", "seclabel", tuning.SECLABEL, each=True),
    Part("commandline", tuning.COMMANDLINE_PATH, tuning.COMMANDLINE),
)
