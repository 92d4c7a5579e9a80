"""A running guest's share of the host: cgroup parameters, pinning and disk limits. No devices come or go here."""

from __future__ import annotations

from collections.abc import Collection
from types import MappingProxyType

from reconciler.host.drivers.live.guest import LIVE, Guest
from reconciler.kinds.spellings import numbers
from reconciler.xmltree.document import Element, tag
from reconciler.xmltree.quantity import amount

_NO_DEFAULT = "libvirt has no way to take it from a running guest: it goes at the next start"
_NEVER = -1  # quota: no limit
_UNLIMITED = (1 << 53) - 1  # KiB: VIR_DOMAIN_MEMORY_PARAM_UNLIMITED, which libvirt-python lacks
_PERIOD = 100_000  # microseconds: the kernel's own


def scheduling(guest: Guest, paths: Collection[str]) -> None:
    """By virDomainSetSchedulerParametersFlags, one call a parameter: one that is refused holds no other back.

    The kernel refuses what would give a part of the guest a greater share than the whole has, at any moment between.
    """
    calls: dict[str, tuple[object, ...]] = {}
    for path in paths:
        name = path.rpartition("/")[2]
        text = guest.target.findtext(path)
        if text is None and name == "shares":
            guest.refuse([path], _NO_DEFAULT)
            continue
        value = int(text) if text is not None else _NEVER if name.endswith("quota") else _PERIOD
        calls[path] = ({_SCHEDULER.get(name, name): value}, LIVE)
    guest.attempt_all("virDomainSetSchedulerParametersFlags", guest.domain.setSchedulerParametersFlags, calls)


_SCHEDULER = MappingProxyType({"shares": "cpu_shares", "period": "vcpu_period", "quota": "vcpu_quota"})


def memory(guest: Guest, paths: Collection[str]) -> None:
    """By virDomainSetMemoryParameters, all in one call: the limits depend on each other. In KiB."""
    wanted = {path.rpartition("/")[2]: _limit(guest.target.find(path)) for path in paths}
    guest.attempt(paths, "virDomainSetMemoryParameters", guest.domain.setMemoryParameters, wanted, LIVE)


def _limit(element: Element | None) -> int:
    if element is None:
        return _UNLIMITED
    return -(-int(amount(element.text or "", element.get("unit") or "KiB")) // 1024)


_DEVICE = ("weight", "read_bytes_sec", "write_bytes_sec", "read_iops_sec", "write_iops_sec")


def blocks(guest: Guest, paths: Collection[str]) -> None:
    """By virDomainSetBlkioParameters: the weight of all, then the settings of single host devices (0: none)."""
    call, name = guest.domain.setBlkioParameters, "virDomainSetBlkioParameters"
    devices = [path for path in paths if path != "blkiotune/weight"]
    for path in set(paths) - set(devices):
        weight = guest.target.findtext(path)
        if weight is None:
            guest.refuse([path], _NO_DEFAULT)
        else:
            guest.attempt([path], name, call, {"weight": int(weight)}, LIVE)
    wanted, there = _by_host_device(guest.target), _by_host_device(guest.live)
    for setting in _DEVICE:
        hosts = [host for host in {**there, **wanted} if setting in {**there.get(host, {}), **wanted.get(host, {})}]
        value = ",".join(f"{host},{wanted.get(host, {}).get(setting, '0')}" for host in hosts)
        if devices and value:
            guest.attempt(devices, name, call, {f"device_{setting}": value}, LIVE)


def _by_host_device(root: Element) -> dict[str, dict[str, str]]:
    found = root.iterfind("blkiotune/device")
    return {entry.findtext("path") or "": {tag(child): child.text or "" for child in entry} for entry in found}


def nodes(guest: Guest, paths: Collection[str]) -> None:
    """By virDomainSetNumaParameters."""
    memory_ = guest.target.find("numatune/memory")
    nodeset = None if memory_ is None else memory_.get("nodeset")
    if nodeset is None:
        guest.refuse(paths, _NO_DEFAULT)
    else:
        parameters = {"numa_nodeset": nodeset}
        guest.attempt(paths, "virDomainSetNumaParameters", guest.domain.setNumaParameters, parameters, LIVE)


def pinning(guest: Guest, paths: Collection[str]) -> None:
    """By virDomainPinVcpuFlags, virDomainPinEmulator and virDomainPinIOThread; without a set: to all processors."""
    count = int(guest.step.call("virNodeGetCPUMap", guest.step.session.conn.getCPUMap, 0)[0])
    domain = guest.domain
    for path in paths:
        sort, _, key = path.split("/")[1].rstrip("]").partition("[")
        chosen = _chosen(guest, sort, key, count)
        processors = tuple(number in chosen for number in range(count))
        if sort == "vcpupin":
            guest.attempt([path], "virDomainPinVcpuFlags", domain.pinVcpuFlags, int(key), processors, LIVE)
        elif sort == "iothreadpin":
            guest.attempt([path], "virDomainPinIOThread", domain.pinIOThread, int(key), processors, LIVE)
        else:
            guest.attempt([path], "virDomainPinEmulator", domain.pinEmulator, processors, LIVE)


def _chosen(guest: Guest, sort: str, key: str, count: int) -> Collection[int]:
    """The processors that the target names; else those of the vcpu element, for what has no pin of its own."""
    tail = f"[@{sort.removesuffix('pin')}='{key}']" if key else ""
    for entry in (guest.target.find(f"cputune/{sort}{tail}"), guest.target.find("vcpu") if key else None):
        if entry is not None and entry.get("cpuset"):
            return numbers(str(entry.get("cpuset")))
    return range(count)


def disk_limits(guest: Guest, paths: Collection[str]) -> None:
    """By virDomainSetBlockIoTune, all limits of a disk at once; what the target does not name is taken away (0)."""
    for place in dict.fromkeys("/".join(path.split("/")[:2]) for path in paths):
        wanted, there = guest.wanted(place), guest.has(place)
        if wanted is None or there is None:
            continue
        names = {tag(child) for disk in (wanted, there) for child in disk.iterfind("iotune/*")}
        values = {name: wanted.findtext(f"iotune/{name}") for name in names}
        parameters = {n: v or "" if n == "group_name" else int(v or 0) for n, v in values.items() if v or n != "group_name"}
        mine = [path for path in paths if path.startswith(f"{place}/")]
        target = wanted.find("target")
        name = "" if target is None else str(target.get("dev"))
        guest.attempt(mine, "virDomainSetBlockIoTune", guest.domain.setBlockIoTune, name, parameters, LIVE)
