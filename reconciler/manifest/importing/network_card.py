"""Network cards of a domain, and what they share with networks and port groups: port, bandwidth, VLAN. Tables only."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest.importing.device import BOOT, PLACE, ROM, VIRTIO
from reconciler.manifest.importing.table import Item, Made, Part, Row, integer, pci, truth
from reconciler.xmltree.document import Element

_LIMITS: Final = tuple(Row(name, f"@{name}", integer) for name in ("average", "peak", "burst", "floor"))

BANDWIDTH: Final = Part("bandwidth", "bandwidth", (Part("inbound", "inbound", _LIMITS), Part("outbound", "outbound", _LIMITS)))
VLAN: Final = Part(
    "vlan",
    "vlan",
    (
        Row("trunk", "@trunk", truth),
        Part("tags", "tag", (Row("id", "@id", integer), Row("nativeMode", "@nativeMode")), each=True),
    ),
)
VIRTUALPORT: Final = Part(
    "virtualport",
    "virtualport",
    (
        Row("type", "@type"),
        Part(
            "parameters",
            "parameters",
            (
                *(Row(name, f"@{name}") for name in ("profileid", "interfaceid", "instanceid")),
                *(Row(name, f"@{name}", integer) for name in ("managerid", "typeid", "typeidversion")),
            ),
        ),
    ),
)


def _flag(kind: str) -> Any:
    return lambda card: True if card.get("type") == kind else None


def _of_type(kind: str, attribute: str) -> Any:
    def make(card: Element) -> str | None:
        source = card.find("source")
        return None if source is None or card.get("type") != kind else source.get(attribute)

    return make


def _direct(card: Element) -> dict[str, str] | None:
    source = card.find("source")
    if source is None or card.get("type") != "direct":
        return None
    out = {"dev": source.get("dev") or ""}
    return out if source.get("mode") in {None, "vepa"} else {**out, "mode": source.get("mode") or ""}


def _vhostuser(card: Element) -> dict[str, str] | None:
    source = card.find("source")
    if source is None or card.get("type") != "vhostuser":
        return None
    return {"path": source.get("path") or "", "mode": source.get("mode") or ""}


def _model(card: Element) -> str | None:
    model = card.find("model")
    kind = None if model is None else model.get("type")
    return None if kind == "virtio" and card.get("type") != "hostdev" else kind


def _managed(card: Element) -> bool | None:
    owner = card if card.get("type") == "hostdev" else card.find("target")
    return None if owner is None else truth(owner.get("managed") or "")


def _filter_parameters(card: Element) -> dict[str, Any] | None:
    out: dict[str, Any] = {}
    for parameter in card.iterfind("parameter"):
        out.setdefault(parameter.get("name") or "", []).append(parameter.get("value") or "")
    return {name: values[0] if len(values) == 1 else values for name, values in out.items()} or None


INTERFACE: Final[tuple[Item, ...]] = (
    Made("network", "source", _of_type("network", "network")),
    Made("portgroup", "source/@portgroup", _of_type("network", "portgroup")),
    Made("bridge", "source", _of_type("bridge", "bridge")),
    Made("direct", "source", _direct),
    Made("user", "@type", _flag("user")),
    Made("ethernet", "@type", _flag("ethernet")),
    Made("hostdev", "source", lambda card: pci(card.find("source/address")) if card.get("type") == "hostdev" else None),
    Made("vhostuser", "source", _vhostuser),
    Row("mac", "mac/@address"),
    Made("model", "model", _model),
    Part(
        "driver",
        "driver",
        (
            Row("name", "@name"),
            *(Row(name, f"@{name}", integer) for name in ("queues", "rx_queue_size", "tx_queue_size")),
            Row("txmode", "@txmode"),
            Row("ioeventfd", "@ioeventfd", truth),
            Row("event_idx", "@event_idx", truth),
            *VIRTIO[:3],
        ),
    ),
    Row("target", "target/@dev"),
    Made("managed", "@managed", _managed),
    Row("link", "link/@state"),
    Row("mtu", "mtu/@size", integer),
    VLAN,
    VIRTUALPORT,
    Part("filterref", "filterref", (Row("filter", "@filter"), Made("parameters", "parameter", _filter_parameters))),
    BANDWIDTH,
    Part("port", "port", (Row("isolated", "@isolated", truth),)),
    Row("trustGuestRxFilters", "@trustGuestRxFilters", truth),
    Row("script", "script/@path"),
    Part(
        "ips",
        "ip",
        (Row("address", "@address"), Row("family", "@family"), Row("prefix", "@prefix", integer)),
        each=True,
    ),
    ROM,
    BOOT,
    *PLACE,
)
