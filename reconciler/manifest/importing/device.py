"""What many devices share: where they are plugged in, their alias, boot order, virtio's options. Tables only."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest.importing.table import Item, Made, Part, Row, integer, number, truth
from reconciler.xmltree.document import Element

_NUMBERS = ("domain", "bus", "slot", "function", "controller", "target", "unit", "iobase", "irq")


def _address(element: Element) -> dict[str, Any] | None:
    found = element.find("address")
    if found is None:
        return None
    out: dict[str, Any] = {"type": found.get("type")}
    for name, text in found.attrib.items():
        key, value = str(name), str(text)
        if key in _NUMBERS:
            out[key] = number(value)
        elif key == "port":
            out[key] = int(value) if value.isdigit() else value
        elif key == "multifunction":
            out[key] = truth(value)
        elif key == "base":
            out[key] = value
    return _short(out)


def _short(address: dict[str, Any]) -> dict[str, Any]:
    """A PCI address without what is 0 anyway."""
    if address.get("type") == "pci":
        return {k: v for k, v in address.items() if not (k in {"domain", "function"} and v == 0)}
    return address


ALIAS: Final = Row("alias", "alias/@name")
ADDRESS: Final = Made("address", "address", _address)
PLACE: Final[tuple[Item, ...]] = (ALIAS, ADDRESS)
BOOT: Final = Part("boot", "boot", (Row("order", "@order", integer),))
ROM: Final = Part("rom", "rom", (Row("enabled", "@enabled", truth), Row("bar", "@bar", truth), Row("file", "@file")))
VIRTIO: Final[tuple[Item, ...]] = (
    Row("iommu", "@iommu", truth),
    Row("ats", "@ats", truth),
    Row("packed", "@packed", truth),
    Row("page_per_vq", "@page_per_vq", truth),
)
VIRTIO_DRIVER: Final = Part("driver", "driver", VIRTIO)
SOUND_OF: Final = Part("audio", "audio", (Row("id", "@id", integer),))
