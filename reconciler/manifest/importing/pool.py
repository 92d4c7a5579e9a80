"""What a pool's manifest can say, and what libvirt makes of a pool by itself."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest.importing.table import Item, Items, Made, Part, Row, integer, truth
from reconciler.xmltree.document import Element, parse, serialize

_FS: Final = "{http://libvirt.org/schemas/storagepool/fs/1.0}"
_COUNTED: Final = ("capacity", "allocation", "available")
_USUAL_MODES: Final = frozenset({"0711", "0755", "0700"})


def ungenerated(text: str) -> str:
    """The definition without its fill level, and without the rights that libvirt shows of a usual folder.

    It shows them once it has looked at the pool; of one that has no fill level yet they are somebody's words.
    """
    root = parse(text)
    seen = (root.findtext("capacity") or "0") != "0"
    for element in [*(found for name in _COUNTED for found in root.findall(name))]:
        root.remove(element)
    source = root.find("source")
    if source is not None and not len(source):
        root.remove(source)
    for permissions in root.findall("target/permissions") if seen else ():
        usual = {"mode": _USUAL_MODES, "owner": {"0", "-1"}, "group": {"0", "-1"}}
        if all((child.text or "") in usual.get(str(child.tag), ()) for child in permissions):
            target = permissions.getparent()
            if target is not None:
                target.remove(permissions)
    return serialize(root)


def _adapter(source: Element) -> dict[str, Any] | None:
    adapter = source.find("adapter")
    if adapter is None:
        return None
    out: dict[str, Any] = {str(name): str(value) for name, value in adapter.attrib.items()}
    if "managed" in out:
        out["managed"] = truth(out["managed"])
    return out


PERMISSIONS: Final[tuple[Item, ...]] = (
    Row("mode", "mode"),
    Row("owner", "owner", integer),
    Row("group", "group", integer),
    Row("label", "label"),
)
TABLE: Final[tuple[Item, ...]] = (
    Row("uuid", "uuid"),
    Row("type", "@type"),
    Row("path", "target/path"),
    Part(
        "source",
        "source",
        (
            Items("devices", "device", "@path"),
            Part("hosts", "host", (Row("name", "@name"), Row("port", "@port", integer)), each=True),
            Row("dir", "dir/@path"),
            Row("name", "name"),
            Row("format", "format/@type"),
            Row("protocol", "protocol/@ver"),
            Made("adapter", "adapter", _adapter),
            Row("initiator", "initiator/iqn/@name"),
            Part(
                "auth",
                "auth",
                (
                    Row("type", "@type"),
                    Row("username", "@username"),
                    Row("secretUsage", "secret/@usage"),
                    Row("secretUuid", "secret/@uuid"),
                ),
            ),
            Row("vendor", "vendor/@name"),
            Row("product", "product/@name"),
        ),
    ),
    Part("permissions", "target/permissions", PERMISSIONS),
    Items("mountOptions", f"{_FS}mount_opts/{_FS}option", "@name"),
    Part("features", "features", (Row("cow", "cow/@state", truth),)),
)
