"""Character devices of a domain, and the devices with a character device behind them: tables only."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest.importing.device import ADDRESS, BOOT, PLACE
from reconciler.manifest.importing.table import Item, Items, Made, Part, Row, integer, truth, word_or_number
from reconciler.xmltree.document import Element

_SOURCE: Final = Part(
    "source",
    "source",
    (
        Row("path", "@path"),
        Row("mode", "@mode"),
        Row("host", "@host"),
        Row("service", "@service", word_or_number),
        Row("append", "@append", truth),
        Row("tls", "@tls", truth),
        Row("channel", "@channel"),
    ),
)
_ENDS: Final[tuple[Item, ...]] = (
    Row("type", "@type"),
    _SOURCE,
    Row("protocol", "protocol/@type"),
    Part("log", "log", (Row("file", "@file"), Row("append", "@append", truth))),
)


def _numbered(*usual: str) -> Any:
    """A maker: the target without a port that is the device's place in the list, and without a type that is usual."""

    def make(device: Element) -> dict[str, Any] | None:
        target = device.find("target")
        if target is None:
            return None
        parent = device.getparent()
        place = 0 if parent is None else parent.findall(str(device.tag)).index(device)
        port = integer(target.get("port") or "")
        kind, model = target.get("type"), target.find("model")
        out: dict[str, Any] = {"port": port} if port != place and port is not None else {}
        if kind is not None and kind not in usual:
            out["type"] = kind
        name = None if model is None else model.get("name")
        if name is not None and name not in usual:
            out["type"], out["model"] = kind, name
        return out or None

    return make


SERIAL: Final[tuple[Item, ...]] = (*_ENDS, Made("target", "target", _numbered("isa-serial")), *PLACE)
PARALLEL: Final[tuple[Item, ...]] = (*_ENDS, Made("target", "target", _numbered()), *PLACE)
CONSOLE: Final[tuple[Item, ...]] = (*_ENDS, Made("target", "target", _numbered("serial")), *PLACE)
CHANNEL: Final[tuple[Item, ...]] = (
    *_ENDS,
    Part(
        "target",
        "target",
        (
            Row("type", "@type", default="virtio"),
            Row("name", "@name"),
            Row("address", "@address"),
            Row("port", "@port", integer),
        ),
    ),
    *PLACE,
)
REDIRDEV: Final[tuple[Item, ...]] = (Row("bus", "@bus"), *_ENDS, BOOT, *PLACE)
SMARTCARD: Final[tuple[Item, ...]] = (
    Row("mode", "@mode"),
    Row("type", "@type"),
    Items("certificates", "certificate"),
    Row("database", "database"),
    _SOURCE,
    Row("protocol", "protocol/@type"),
    ADDRESS,
)
