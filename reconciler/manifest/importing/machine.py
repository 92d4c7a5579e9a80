"""The machine itself: memory, processors, firmware, features, clock, tuning. Tables, and makers for what has two forms."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest.importing.table import Item, Items, Made, Part, Row, amount, integer, pairs, present, size, truth
from reconciler.xmltree.document import Element
from reconciler.xmltree.quantity import UNITS


def _bytes(element: Element | None) -> int | None:
    text = "" if element is None else (element.text or "").strip()
    factor = None if element is None else UNITS.get((element.get("unit") or "KiB").lower())
    return int(text) * factor if factor is not None and text.isdigit() else None


def memory(domain: Element) -> Any:
    """An amount, or what it is now and may become."""
    most, now, room = _bytes(domain.find("memory")), _bytes(domain.find("currentMemory")), domain.find("maxMemory")
    if most is None:
        return None
    if room is None and now in {None, most}:
        return size(most)
    out: dict[str, Any] = {"size": size(most if now is None else now)}
    if now not in {None, most}:
        out["max"] = size(most)
    if room is not None:
        out["hotplug"] = {"max": size(_bytes(room) or 0), "slots": integer(room.get("slots") or "")}
    return out


def vcpus(domain: Element) -> Any:
    """A number, or how many there are and may be, and where."""
    found = domain.find("vcpu")
    most = None if found is None else integer(found.text or "")
    if found is None or most is None:
        return None
    out: dict[str, Any] = {"count": integer(found.get("current") or "") or most}
    if out["count"] != most:
        out["max"] = most
    out |= {name: found.get(name) for name in ("cpuset", "placement") if found.get(name) is not None}
    return most if len(out) == 1 else out


def iothreads(domain: Element) -> Any:
    """A number, or the threads' own numbers."""
    count = integer((domain.findtext("iothreads") or "").strip())
    ids = [integer(thread.get("id") or "") for thread in domain.iterfind("iothreadids/iothread")]
    if not count:
        return None
    return count if ids == list(range(1, count + 1)) or not ids else {"ids": ids}


def _model(cpu: Element) -> Any:
    model = cpu.find("model")
    if model is None:
        return None
    more = {name: model.get(name) for name in ("fallback", "vendor_id") if model.get(name) is not None}
    name = (model.text or "").strip()
    return {"name": name, **more} if more else name


CPU: Final[tuple[Item, ...]] = (
    Row("mode", "@mode"),
    Row("match", "@match"),
    Row("check", "@check"),
    Row("migratable", "@migratable", truth),
    Made("model", "model", _model),
    Row("vendor", "vendor"),
    Part("topology", "topology", tuple(Row(name, f"@{name}", integer) for name in ("sockets", "dies", "cores", "threads"))),
    Part("cache", "cache", (Row("mode", "@mode"), Row("level", "@level", integer))),
    Part("maxphysaddr", "maxphysaddr", (Row("mode", "@mode"), Row("bits", "@bits", integer))),
    Part("features", "feature", (Row("name", "@name"), Row("policy", "@policy")), each=True),
)
NUMA: Final[tuple[Item, ...]] = (
    Part(
        "cells",
        "cell",
        (
            Row("id", "@id", integer),
            Row("cpus", "@cpus"),
            Made("memory", "@memory", amount(".", attribute="memory")),
            Row("memAccess", "@memAccess"),
            Row("discard", "@discard", truth),
            Part("distances", "distances/sibling", (Row("id", "@id", integer), Row("value", "@value", integer)), each=True),
        ),
        each=True,
    ),
)


def _file(name: str, *attributes: str) -> Made:
    """A path alone, or with what else its element says."""

    def make(parent: Element) -> Any:
        found = parent.find(name)
        if found is None:
            return None
        path = (found.text or "").strip()
        more: dict[str, Any] = {}
        for key in attributes:
            value = found.get(key)
            if value is not None:
                more[key] = truth(value) if value in {"yes", "no"} else value
        if not more:
            return path or None
        return {"path": path, **more} if path else more

    return Made(name, name, make)


def _boot_menu(boot: Element) -> Any:
    menu = boot.find("bootmenu")
    enabled = None if menu is None else truth(menu.get("enable") or "")
    timeout = None if menu is None else integer(menu.get("timeout") or "")
    return enabled if timeout is None else {"enable": enabled, "timeout": timeout}


def _secure_boot(boot: Element) -> bool | None:
    features = {feature.get("name"): feature.get("enabled") for feature in boot.iterfind("firmware/feature")}
    both = {features.get("enrolled-keys"), features.get("secure-boot")}
    return truth(next(iter(both)) or "") if len(both) == 1 else None


OS: Final[tuple[Item, ...]] = (
    Row("arch", "type/@arch", default="x86_64"),
    Row("machine", "type/@machine"),
    Items("boot", "boot", "@dev"),
    Row("firmware", "@firmware"),
    Made("secureBoot", "firmware", _secure_boot),
    _file("loader", "type", "readonly", "secure", "stateless"),
    _file("nvram", "template"),
    *(Row(name, name) for name in ("kernel", "initrd", "cmdline", "dtb")),
    Made("bootmenu", "bootmenu", _boot_menu),
    Part("bios", "bios", (Row("useserial", "@useserial", truth), Row("rebootTimeout", "@rebootTimeout", integer))),
    Row("smbios", "smbios/@mode"),
)


def sysinfo(domain: Element) -> dict[str, Any] | None:
    """Only what the firmware is told to show: the template says both."""
    found = domain.findall("sysinfo")
    smbios = domain.find("os/smbios")
    if len(found) != 1 or found[0].get("type", "smbios") != "smbios" or smbios is None:
        return None
    out: dict[str, Any] = {
        name: pairs(f"{name}/entry", "@name", ".")(found[0]) for name in ("bios", "system", "baseBoard", "chassis")
    }
    out["oemStrings"] = [entry.text or "" for entry in found[0].iterfind("oemStrings/entry")] or None
    return {name: value for name, value in out.items() if value is not None} or None


CLOCK: Final[tuple[Item, ...]] = (
    *(Row(name, f"@{name}") for name in ("offset", "timezone", "basis")),
    Row("adjustment", "@adjustment", lambda text: "reset" if text == "reset" else integer(text)),
    Row("start", "@start", integer),
    Part(
        "timers",
        "timer",
        (
            Row("name", "@name"),
            Row("present", "@present", truth),
            Row("tickpolicy", "@tickpolicy"),
            Part("catchup", "catchup", tuple(Row(name, f"@{name}", integer) for name in ("threshold", "slew", "limit"))),
            Row("track", "@track"),
            Row("frequency", "@frequency", integer),
            Row("mode", "@mode"),
        ),
        each=True,
    ),
)


def _hugepages(backing: Element) -> Any:
    found = backing.find("hugepages")
    if found is None:
        return None
    pages = [
        {
            "size": amount(".", attribute="size")(page),
            **({"nodeset": page.get("nodeset")} if page.get("nodeset") is not None else {}),
        }
        for page in found
    ]
    return pages or True


BACKING: Final[tuple[Item, ...]] = (
    Made("hugepages", "hugepages", _hugepages),
    Row("nosharepages", "nosharepages", present),
    Row("locked", "locked", present),
    Row("source", "source/@type"),
    Row("access", "access/@mode"),
    Part("allocation", "allocation", (Row("mode", "@mode"), Row("threads", "@threads", integer))),
    Row("discard", "discard", present),
)
