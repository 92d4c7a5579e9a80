"""What a volume's manifest can say, and what libvirt shows of a volume that nobody declares.

How full a volume is (its allocation) belongs to its data, not to its definition; only one that has all of its space is one that
was made so. Whose a file is that a running guest uses is libvirt's doing, and passes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from reconciler.kinds.spellings import octal
from reconciler.manifest.importing.table import Item, Made, amount, integer, size
from reconciler.xmltree.document import Element, parse, serialize
from reconciler.xmltree.quantity import UNITS

_USUAL_SIZE: Final = ("65536", "B")  # of a cluster
_FACTS: Final = ("key", "physical", "source", "target/path", "target/timestamps", "target/permissions/label")
_USUAL_MODE: Final = "600"
_TABLES: Final = {"raw": 0, "qcow2": 512 * 1024}  # formats that libvirt makes with all of their space; what an empty one takes


def ungenerated(text: str, used: Collection[str] = ()) -> str:
    """The description without what is true of a volume only once it is there: where it is, how full, whose if it is in use.

    `used` are the paths of files that running guests have.
    """
    root = parse(text)
    owners = ("target/permissions/owner", "target/permissions/group") if (root.findtext("target/path") or "") in used else ()
    for path in (*_FACTS, *owners):
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
    found = _bytes(volume.find("capacity"))
    return None if found is None else size(found)


def files_in_use(running: Iterable[str | None], places: Mapping[str, tuple[str, str]]) -> frozenset[str]:
    """The paths that the live definitions of guests name, those of volumes and of backing files included."""
    paths = {place: path for path, place in places.items()}
    found = [source for text in running if text and "<disk " in text for source in parse(text).iterfind("devices/disk//source")]
    named = {source.get("file") or source.get("dev") or "" for source in found}
    return frozenset(named | {paths.get((source.get("pool") or "", source.get("volume") or ""), "") for source in found}) - {""}


def _bytes(element: Element | None) -> int | None:
    text = "" if element is None else element.text or ""
    factor = None if element is None else UNITS.get((element.get("unit") or "bytes").lower())
    return int(text) * factor if factor is not None and text.isdigit() else None


def _preallocate(volume: Element) -> str | None:
    """Files that have all of their space; volumes of other pools always have."""
    there, wanted = (_bytes(volume.find(name)) for name in ("allocation", "capacity"))
    form = _format(volume)
    if volume.get("type") != "file" or form not in _TABLES or volume.find("backingStore") is not None:
        return None
    return "full" if there is not None and wanted is not None and _TABLES[form] < wanted <= there else None


def _permissions(volume: Element) -> dict[str, Any] | None:
    """What is another than libvirt gives."""
    found = volume.find("target/permissions")
    if found is None:
        return None
    mode, out = found.findtext("mode"), dict[str, Any]()
    if mode is not None and octal(mode) != _USUAL_MODE:
        out["mode"] = mode
    return out | {name: number for name in ("owner", "group") if (number := integer(found.findtext(name) or ""))} or None


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
        Made("preallocate", "allocation", _preallocate),
        Made("backing", "backingStore", backing),
        Made("compat", "target/compat", _compat),
        Made("clusterSize", "target/clusterSize", amount("target/clusterSize", "b")),
        Made("features", "target/features", _features),
        Made("permissions", "target/permissions", _permissions),
    )
