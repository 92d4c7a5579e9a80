"""Devices of the host lent to a domain, and the small machinery beside disks, cards and screens. Tables only."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest.importing.device import ALIAS, BOOT, PLACE, ROM, VIRTIO_DRIVER
from reconciler.manifest.importing.table import Item, Made, Part, Row, amount, integer, pci, present, truth
from reconciler.xmltree.document import Element, tag


def _source(hostdev: Element) -> dict[str, Any] | None:
    source = hostdev.find("source")
    if source is None:
        return None
    out: dict[str, Any] = {}
    address = source.find("address")
    if address is not None and hostdev.get("type") == "pci":
        out["address"] = pci(address)
    elif address is not None:
        numbers = {name: integer(address.get(name) or "") for name in ("bus", "device", "target", "unit")}
        out["address"] = {name: value for name, value in numbers.items() if value is not None}
        out["address"] |= {} if address.get("uuid") is None else {"uuid": address.get("uuid")}
    for name in ("vendor", "product"):
        found = source.find(name)
        if found is not None:
            out[name] = found.get("id")
    adapter = source.find("adapter")
    out |= {} if adapter is None else {"adapter": adapter.get("name")}
    return out | {name: source.get(name) for name in ("startupPolicy", "protocol", "wwpn") if source.get(name) is not None}


HOSTDEV: Final[tuple[Item, ...]] = (
    Row("type", "@type"),
    Row("managed", "@managed", truth),
    Made("source", "source", _source),
    Part("driver", "driver", (Row("name", "@name"),)),
    Row("model", "@model"),
    Row("display", "@display", truth),
    Row("ramfb", "@ramfb", truth),
    Row("sgio", "@sgio"),
    Row("rawio", "@rawio", truth),
    Row("readonly", "readonly", present),
    Row("shareable", "shareable", present),
    ROM,
    BOOT,
    *PLACE,
)


def _backend(rng: Element) -> dict[str, str] | None:
    """Left out where it is what the template says anyway."""
    backend = rng.find("backend")
    model, source = (None, "") if backend is None else (backend.get("model"), (backend.text or "").strip())
    if model is None or (model, source) == ("random", "/dev/urandom"):
        return None
    return {"model": model, "source": source} if source else {"model": model}


RNG: Final[tuple[Item, ...]] = (
    Row("model", "@model"),
    Made("backend", "backend", _backend),
    Part("rate", "rate", (Row("bytes", "@bytes", integer), Row("period", "@period", integer))),
    VIRTIO_DRIVER,
    *PLACE,
)
WATCHDOG: Final[tuple[Item, ...]] = (Row("model", "@model"), Row("action", "@action", default="reset"), *PLACE)
PANIC: Final[tuple[Item, ...]] = (Row("model", "@model"), *PLACE)
BALLOON: Final[tuple[Item, ...]] = (
    Row("model", "@model"),
    Row("autodeflate", "@autodeflate", truth),
    Row("freePageReporting", "@freePageReporting", truth),
    Part("stats", "stats", (Row("period", "@period", integer),)),
    VIRTIO_DRIVER,
    *PLACE,
)


def _cid(vsock: Element) -> Any:
    cid = vsock.find("cid")
    if cid is None:
        return None
    return "auto" if cid.get("auto") == "yes" else integer(cid.get("address") or "")


VSOCK: Final[tuple[Item, ...]] = (
    Row("model", "@model", default="virtio"),
    Made("cid", "cid", _cid),
    VIRTIO_DRIVER,
    *PLACE,
)
IOMMU: Final[tuple[Item, ...]] = (
    Row("model", "@model"),
    Part(
        "driver",
        "driver",
        (
            *(Row(name, f"@{name}", truth) for name in ("intremap", "caching_mode", "eim", "iotlb")),
            Row("aw_bits", "@aw_bits", integer),
        ),
    ),
    ALIAS,
)

SHMEM: Final[tuple[Item, ...]] = (
    Row("name", "@name"),
    Row("role", "@role"),
    Row("model", "model/@type"),
    Made("size", "size", amount("size", "bytes")),
    Row("server", "server/@path"),
    Part("msi", "msi", (Row("vectors", "@vectors", integer), Row("ioeventfd", "@ioeventfd", truth))),
    *PLACE,
)

MEMORY: Final[tuple[Item, ...]] = (
    Row("model", "@model"),
    Row("access", "@access"),
    Row("discard", "@discard", truth),
    Part(
        "source",
        "source",
        (
            Row("path", "path"),
            Made("pagesize", "pagesize", amount("pagesize")),
            Row("nodemask", "nodemask"),
            Made("alignsize", "alignsize", amount("alignsize")),
            Row("pmem", "pmem", present),
        ),
    ),
    Part(
        "target",
        "target",
        (
            Made("size", "size", amount("size")),
            Row("node", "node", integer),
            Made("block", "block", amount("block")),
            Made("requested", "requested", amount("requested")),
            Made("label", "label", amount("label/size")),
            Row("readonly", "readonly", present),
        ),
    ),
    *PLACE,
)

HUB: Final[tuple[Item, ...]] = (Row("type", "@type"), *PLACE)
TPM: Final[tuple[Item, ...]] = (
    Row("model", "@model"),
    Part(
        "backend",
        "backend",
        (
            Row("type", "@type"),
            Row("version", "@version"),
            Row("device", "device/@path"),
            Part("source", "source", (Row("path", "@path"), Row("mode", "@mode"))),
            Row("persistent_state", "@persistent_state", truth),
            Row("encryption", "encryption/@secret"),
            Made(
                "active_pcr_banks",
                "active_pcr_banks",
                lambda backend: [tag(bank) for bank in backend.iterfind("active_pcr_banks/*")] or None,
            ),
        ),
    ),
    ALIAS,
)
