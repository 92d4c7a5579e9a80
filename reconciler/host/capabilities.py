"""What a host can run, read from its capabilities: facts for planning. It asks nothing of domains, pools or networks."""

from __future__ import annotations

import libvirt

from reconciler.model.resource import HostSpec
from reconciler.model.state import HostFacts
from reconciler.xmltree.document import Element, parse

BEST_FIRST = ("kvm", "hvf", "qemu")
"""Domain types in the order in which `type: auto` takes them; what is not listed comes after, as the host lists it."""


def read_facts(conn: libvirt.virConnect, spec: HostSpec, read_only: bool) -> HostFacts:  # noqa: FBT001  called through Session.call
    """The facts of the host behind `conn`: virConnectGetCapabilities, virConnectGetType, virConnectGetLibVersion."""
    capabilities = parse(conn.getCapabilities())
    return HostFacts(
        name=spec.name,
        uri=spec.uri,
        uuid=(capabilities.findtext("host/uuid") or "").strip(),
        hypervisor=conn.getType(),
        libvirt_version=conn.getLibVersion(),
        virt_types=_virt_types(capabilities),
        machines=_machines(capabilities),
        emulators=_emulators(capabilities),
        read_only=read_only,
    )


def _virt_types(capabilities: Element) -> dict[str, tuple[str, ...]]:
    """Architecture -> the domain types that it can be run with, best first."""
    found: dict[str, list[str]] = {}
    for arch in capabilities.iterfind("guest/arch"):
        types = found.setdefault(arch.get("name") or "", [])
        for domain in arch.iterfind("domain"):
            name = domain.get("type")
            if name is not None and name not in types:
                types.append(name)
    return {arch: tuple(sorted(types, key=_preference)) for arch, types in found.items()}


def _preference(virt_type: str) -> int:
    return BEST_FIRST.index(virt_type) if virt_type in BEST_FIRST else len(BEST_FIRST)


def _machines(capabilities: Element) -> dict[tuple[str, str], str]:
    """(architecture, alias) -> the machine type that the alias stands for on this host."""
    aliases: dict[tuple[str, str], str] = {}
    for arch in capabilities.iterfind("guest/arch"):
        for machine in arch.iter("machine"):
            canonical, alias = machine.get("canonical"), (machine.text or "").strip()
            if canonical and alias:
                aliases[(arch.get("name") or "", alias)] = canonical
    return aliases


def _emulators(capabilities: Element) -> dict[tuple[str, str], str]:
    """(architecture, domain type) -> the emulator that libvirt takes by itself."""
    found: dict[tuple[str, str], str] = {}
    for arch in capabilities.iterfind("guest/arch"):
        usual = arch.findtext("emulator")
        for domain in arch.iterfind("domain"):
            emulator = domain.findtext("emulator") or usual
            if emulator:
                found[(arch.get("name") or "", domain.get("type") or "")] = emulator.strip()
    return found
