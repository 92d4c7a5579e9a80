"""What a volume's manifest can say, and what libvirt shows of a volume that nobody declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reconciler.manifest.importing.table import Item, Made, amount, size
from reconciler.xmltree.document import Element, parse, serialize
from reconciler.xmltree.quantity import UNITS

_USUAL_SIZE: Final = ("65536", "B")  # of a cluster
_FACTS: Final = ("key", "physical", "allocation", "source", "target/path", "target/timestamps", "target/permissions")


def ungenerated(text: str) -> str:
    """The description without what is true of a volume only once it is there: where it is, how full, whose."""
    root = parse(text)
    for path in _FACTS:
        for element in root.findall(path):
            parent = element.getparent()
            if parent is not None:
                parent.remove(element)
    for path in ("backingStore/permissions", "backingStore/timestamps"):
        for element in root.findall(path):
            root.find("backingStore").remove(element)  # type: ignore[union-attr]
    target = root.find("target")
    for element in () if target is None else list(target):
        usual = element.tag == "clusterSize" and (element.text, element.get("unit")) == _USUAL_SIZE
        if usual or (element.tag == "features" and not len(element)):
            target.remove(element)  # type: ignore[union-attr]
    return serialize(root)


def _capacity(volume: Element) -> str | None:
    found = volume.find("capacity")
    text = "" if found is None else found.text or ""
    factor = None if found is None else UNITS.get((found.get("unit") or "bytes").lower())
    return size(int(text) * factor) if factor is not None and text.isdigit() else None


def _format(volume: Element) -> str | None:
    found = volume.find("target/format")
    return None if found is None else found.get("type")


def _compat(volume: Element) -> str | None:
    """The old version is the one that libvirt does not name; the template says the new one."""
    if _format(volume) != "qcow2":
        return None
    said = volume.findtext("target/compat")
    return None if said == "1.1" else said or "0.10"


def _features(volume: Element) -> dict[str, bool] | None:
    return {str(child.tag): True for child in volume.iterfind("target/features/*")} or None


def table(pool: str, places: Mapping[str, tuple[str, str]]) -> tuple[Item, ...]:
    """The fields of a volume of `pool`; `places` maps the paths of the host's volumes to their pools and names."""

    def backing(volume: Element) -> dict[str, Any] | None:
        path, form = volume.findtext("backingStore/path"), volume.find("backingStore/format")
        kind = None if form is None else form.get("type")
        if not path:
            return None
        if path not in places:
            return {"path": path, "format": kind}
        where, name = places[path]
        out: dict[str, Any] = {"volume": name}
        if where != pool:
            out["pool"] = where
        return out if kind is None else {**out, "format": kind}

    return (
        Made("capacity", "capacity", _capacity),
        Made("format", "target/format", _format),
        Made("backing", "backingStore", backing),
        Made("compat", "target/compat", _compat),
        Made("clusterSize", "target/clusterSize", amount("target/clusterSize", "b")),
        Made("features", "target/features", _features),
    )
