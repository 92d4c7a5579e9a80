"""Checks of the two hosts: different, writable, of one hypervisor, and able to run this machine with this CPU in their memory."""

from __future__ import annotations

from collections.abc import Iterator

import libvirt

from reconciler.errors import LibvirtCallError
from reconciler.host import failures
from reconciler.host.drivers.migration.pair import Pair
from reconciler.model.migration import Check
from reconciler.xmltree.document import Element, parse, serialize
from reconciler.xmltree.quantity import amount

_COMPARES = frozenset({libvirt.VIR_CPU_COMPARE_IDENTICAL, libvirt.VIR_CPU_COMPARE_SUPERSET})


def hosts(pair: Pair) -> Iterator[Check]:
    """virConnectGetLibVersion of both, their UUIDs, and the right to change something."""
    one, two = pair.source, pair.destination
    for session in (one, two):
        session.call("virConnectGetLibVersion", session.conn.getLibVersion)
    if one.facts.uuid and one.facts.uuid == two.facts.uuid:
        remedy = "name another host; two machines of one host UUID need different ones (host_uuid in libvirtd.conf)"
        yield Check.fails("hosts", f"both connections lead to the host {one.facts.uuid}", remedy)
    else:
        yield Check.passes("hosts", f"{one.spec.name} and {two.spec.name} answer")
    for session in (one, two):
        if session.facts.read_only:
            remedy = "use a connection with the right to change things (root, or the group `libvirt`)"
            yield Check.fails("rights", f"the connection to {session.spec.name} is read-only", remedy)


def hypervisor(pair: Pair) -> Iterator[Check]:
    """The same driver; an older hypervisor at the destination is worth a word."""
    one, two = pair.source, pair.destination
    if one.facts.hypervisor != two.facts.hypervisor:
        detail = f"{one.facts.hypervisor} here, {two.facts.hypervisor} there"
        yield Check.fails("hypervisor", detail, "a domain moves between hosts of one hypervisor only")
        return
    here, there = (_version(session.call("virConnectGetVersion", session.conn.getVersion)) for session in (one, two))
    detail = f"{one.facts.hypervisor} {_dotted(here)} and {_dotted(there)}"
    if there < here:
        remedy = "an older hypervisor may refuse what a newer one sends: upgrade the destination if it does"
        yield Check.doubts("hypervisor", f"{detail}: the destination's is older", remedy)
    else:
        yield Check.passes("hypervisor", detail)


def _version(number: object) -> int:
    return int(str(number))


def _dotted(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def machine(pair: Pair) -> Iterator[Check]:
    """virConnectGetDomainCapabilities for the domain's emulator, architecture, machine and type: libvirt tells what lacks."""
    emulator, arch, name, kind = _machine(pair)
    try:
        pair.there("virConnectGetDomainCapabilities", pair.destination.conn.getDomainCapabilities, emulator, arch, name, kind)
    except LibvirtCallError as error:
        if error.code in failures.UNSUPPORTED:
            yield Check.doubts("machine", "the destination cannot tell what it can run")
            return
        remedy = "install the same QEMU at the destination, or give the domain a machine and emulator that both hosts have"
        yield Check.fails("machine", error.detail, remedy)
    else:
        yield Check.passes("machine", f"{name} of {emulator or 'the usual emulator'}, {arch}, {kind}")


def _machine(pair: Pair) -> tuple[str | None, str | None, str | None, str | None]:
    kind = pair.root.find("os/type")
    arch, name = (None, None) if kind is None else (kind.get("arch"), kind.get("machine"))
    return pair.text("devices/emulator") or None, arch, name, pair.root.get("type")


def processor(pair: Pair) -> Iterator[Check]:
    """virConnectCompareHypervisorCPU of the CPU that the guest has been given (VIR_DOMAIN_XML_MIGRATABLE)."""
    text = pair.here("virDomainGetXMLDesc", pair.domain.XMLDesc, libvirt.VIR_DOMAIN_XML_MIGRATABLE)
    cpu = parse(text).find("cpu")
    mode = "" if cpu is None else cpu.get("mode") or ("custom" if cpu.find("model") is not None else "")
    if cpu is not None and mode == "custom":
        yield _compared(pair, cpu)
    elif mode == "host-passthrough" and pair.guest.active:
        yield _passed_through(pair)
    elif mode in ("maximum", "") and pair.guest.active:
        detail = "the guest has all that its hypervisor offers; libvirt does not compare that"
        yield Check.doubts("cpu", detail, "name a CPU model that both hosts have, or use host-model")
    else:
        yield Check.passes("cpu", f"{mode or 'the usual one'} is chosen anew when the domain starts there")


def _compared(pair: Pair, cpu: Element) -> Check:
    emulator, arch, name, kind = _machine(pair)
    compare, flags = pair.destination.conn.compareHypervisorCPU, libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
    remedy = (
        "choose a host that offers them, or a CPU model that both have (virsh hypervisor-cpu-baseline), and restart the guest"
    )
    try:
        answer = pair.there("virConnectCompareHypervisorCPU", compare, emulator, arch, name, kind, serialize(cpu), flags)
    except LibvirtCallError as error:
        if error.code in failures.UNSUPPORTED:
            return Check.doubts("cpu", "the destination cannot compare CPUs")
        return Check.fails("cpu", error.detail, remedy)
    if answer not in _COMPARES:
        return Check.fails("cpu", "the destination does not offer all that the guest's CPU has", remedy)
    return Check.passes("cpu", f"the destination offers all of {cpu.findtext('model') or 'it'}")


def _passed_through(pair: Pair) -> Check:
    """The physical CPUs, since the guest sees them: virConnectCompareCPU."""
    cpu = parse(pair.here("virConnectGetCapabilities", pair.source.conn.getCapabilities)).find("host/cpu")
    if cpu is None:
        return Check.doubts("cpu", "the source does not tell its CPU")
    remedy = "host-passthrough moves between hosts of one CPU only: use host-model, or a named model, and restart the guest"
    try:
        answer = pair.there("virConnectCompareCPU", pair.destination.conn.compareCPU, serialize(cpu), 0)
    except LibvirtCallError as error:
        return Check.fails("cpu", error.detail, remedy)
    if answer not in _COMPARES:
        return Check.fails("cpu", "the destination's CPU lacks something that the source's has", remedy)
    return Check.passes("cpu", "the hosts' own CPUs are alike")


def memory(pair: Pair) -> Iterator[Check]:
    """virNodeGetMemoryStats: what is free, or held for files only, must hold the guest."""
    element = pair.root.find("memory")
    if pair.offline or element is None:
        return
    if pair.root.find("memoryBacking/hugepages") is not None:
        yield Check.doubts("memory", "huge pages are not counted here", "see to it that the destination has enough of them")
        return
    wanted = int(amount((element.text or "0").strip(), element.get("unit") or "KiB"))
    stats = pair.there("virNodeGetMemoryStats", pair.destination.conn.getMemoryStats, libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
    free = 1024 * sum(int(stats.get(name, 0)) for name in ("free", "buffers", "cached"))
    detail = f"the guest needs {wanted >> 20} MiB, the destination has {free >> 20} MiB"
    yield Check("memory", wanted <= free, detail, "stop or move other guests of the destination first" if wanted > free else "")
