"""Disks, controllers and shared folders of a domain: tables only."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest.importing.device import BOOT, PLACE, VIRTIO
from reconciler.manifest.importing.table import Item, Made, Part, Row, amount, integer, number, present, truth
from reconciler.xmltree.document import Element, tag

_BUSES: Final = {"vd": "virtio", "hd": "ide", "fd": "fdc", "xv": "xen"}
_WORDS_OF_IOTUNE: Final = ("group_name",)


def _bus(disk: Element) -> str | None:
    """The bus, unless the disk's name says it already."""
    target = disk.find("target")
    if target is None:
        return None
    bus = target.get("bus")
    return None if bus == _BUSES.get((target.get("dev") or "")[:2]) else bus


def _format(disk: Element) -> str | None:
    """The image format, unless it is what the file's name makes of it."""
    driver, source = disk.find("driver"), disk.find("source")
    form = None if driver is None else driver.get("type")
    file = "" if source is None else source.get("file") or ""
    kind = disk.get("type")
    usual = "fat" if kind == "dir" else "qcow2" if file.endswith(".qcow2") else "raw"
    return None if form == usual and kind != "volume" else form


def _iotune(disk: Element) -> dict[str, Any] | None:
    return {
        tag(limit): (limit.text or "") if tag(limit) in _WORDS_OF_IOTUNE else integer(limit.text or "")
        for limit in disk.iterfind("iotune/*")
    } or None


_LOGIN: Final = Part(
    "auth",
    "auth",
    (
        Row("username", "@username"),
        Part("secret", "secret", (Row("type", "@type"), Row("usage", "@usage"), Row("uuid", "@uuid"))),
    ),
)
_SERVER: Final[tuple[Item, ...]] = (
    Row("name", "@name"),
    Row("port", "@port", integer),
    Row("transport", "@transport"),
    Row("socket", "@socket"),
)
_REMOTE: Final[tuple[Item, ...]] = (
    Row("protocol", "@protocol"),
    Row("name", "@name"),
    Row("query", "@query"),
    Row("tls", "@tls", truth),
    Part("hosts", "host", _SERVER, each=True),
    _LOGIN,
)


def _volume(disk: Element) -> dict[str, str] | None:
    source = disk.find("source")
    if source is None or disk.get("type") != "volume":
        return None
    return {"pool": source.get("pool") or "", "name": source.get("volume") or ""}


def _of_type(kind: str, attribute: str) -> Any:
    """A maker: the source's attribute, of a disk of that type."""

    def make(disk: Element) -> str | None:
        source = disk.find("source")
        return None if source is None or disk.get("type") != kind else source.get(attribute)

    return make


DISK: Final[tuple[Item, ...]] = (
    Row("target", "target/@dev"),
    Made("bus", "target/@bus", _bus),
    Row("device", "@device", default="disk"),
    Made("volume", "source", _volume),
    Made("file", "source", _of_type("file", "file")),
    Made("block", "source", _of_type("block", "dev")),
    Made("dir", "source", _of_type("dir", "dir")),
    Part("network", "source[@protocol]", _REMOTE),
    Made("format", "driver/@type", _format),
    Row("startupPolicy", "source/@startupPolicy"),
    *(Row(name, f"driver/@{name}") for name in ("cache", "io", "discard", "detect_zeroes", "error_policy", "rerror_policy")),
    Row("copy_on_read", "driver/@copy_on_read", truth),
    Row("iothread", "driver/@iothread", integer),
    Row("queues", "driver/@queues", integer),
    Row("queue_size", "driver/@queue_size", integer),
    Row("event_idx", "driver/@event_idx", truth),
    Row("ioeventfd", "driver/@ioeventfd", truth),
    Row("iommu", "driver/@iommu", truth),
    Row("ats", "driver/@ats", truth),
    Row("packed", "driver/@packed", truth),
    Row("model", "@model"),
    Row("snapshot", "@snapshot"),
    Row("rawio", "@rawio", truth),
    Row("sgio", "@sgio"),
    Row("removable", "target/@removable", truth),
    Row("rotation_rate", "target/@rotation_rate", integer),
    Row("tray", "target/@tray"),
    Row("readonly", "readonly", present),
    Row("shareable", "shareable", present),
    Row("transient", "transient", present),
    *(Row(name, name) for name in ("serial", "wwn", "vendor", "product")),
    Part(
        "blockio",
        "blockio",
        (
            Row("logical_block_size", "@logical_block_size", integer),
            Row("physical_block_size", "@physical_block_size", integer),
        ),
    ),
    Made("iotune", "iotune", _iotune),
    BOOT,
    *PLACE,
)

CONTROLLER: Final[tuple[Item, ...]] = (
    Row("type", "@type"),
    Row("index", "@index", integer),
    Row("model", "@model"),
    Row("modelName", "model/@name"),
    Row("ports", "@ports", integer),
    Row("vectors", "@vectors", integer),
    Part(
        "target",
        "target",
        (
            Row("chassisNr", "@chassisNr", integer),
            Row("chassis", "@chassis", integer),
            Row("port", "@port", number),
            Row("busNr", "@busNr", integer),
            Row("hotplug", "@hotplug", truth),
            Row("node", "node", integer),
        ),
    ),
    Made("pcihole64", "pcihole64", amount("pcihole64")),
    Part("master", "master", (Row("startport", "@startport", integer),)),
    Part(
        "driver",
        "driver",
        (
            *(Row(name, f"@{name}", integer) for name in ("queues", "cmd_per_lun", "max_sectors")),
            Row("ioeventfd", "@ioeventfd", truth),
            Row("iothread", "@iothread", integer),
            *VIRTIO[:3],
        ),
    ),
    *PLACE,
)

FILESYSTEM: Final[tuple[Item, ...]] = (
    Row("source", "source/@dir"),
    Row("socket", "source/@socket"),
    Row("target", "target/@dir"),
    Row("accessmode", "@accessmode"),
    Row("fmode", "@fmode"),
    Row("dmode", "@dmode"),
    Row("multidevs", "@multidevs"),
    Row("model", "@model"),
    Part("driver", "driver", (Row("type", "@type"), Row("queue", "@queue", integer), Row("wrpolicy", "@wrpolicy"))),
    Part(
        "binary",
        "binary",
        (
            Row("path", "@path"),
            Row("xattr", "@xattr", truth),
            Row("cache", "cache/@mode"),
            Row("sandbox", "sandbox/@mode"),
            Part("lock", "lock", (Row("posix", "@posix", truth), Row("flock", "@flock", truth))),
            Row("thread_pool", "thread_pool/@size", integer),
        ),
    ),
    Row("readonly", "readonly", present),
    BOOT,
    *PLACE,
)
