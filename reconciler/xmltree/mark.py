"""Our mark as XML: written into a domain's metadata, found again in it, cut out of a text. No libvirt calls here.

``<vireo:resource xmlns:vireo="urn:vireo:1" project= name= uuid=>``; what else a Mark holds is its compressed content.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from typing import Any
from xml.sax.saxutils import quoteattr

from reconciler.model.resource import ResourceId
from reconciler.model.state import Mark
from reconciler.xmltree.document import XmlError, parse, tag

NAMESPACE = "urn:vireo:1"
PREFIX = "vireo"
ELEMENT = "resource"

_METADATA = re.compile(r"\s*<metadata(?:\s[^>]*)?(?:/>|>.*?</metadata>)", re.DOTALL)
_MARK = re.compile(
    r"<vireo:resource\b[^>]*?(?:/>|>.*?</vireo:resource>)|<resource\b[^>]*urn:vireo:1[^>]*?(?:/>|>.*?</resource>)", re.DOTALL
)
_LIMIT = 4 * 1024 * 1024
_FORMS: dict[str, type] = {
    "xml": str,
    "state": str,
    "options": dict,
    "normalised": dict,
    "refused": dict,
    "retired": dict,
    "waiting": list,
    "run": str,
}


def write(mark: Mark) -> str:
    """The XML text of the mark's element."""
    identity = mark.id
    attributes = {
        "xmlns:vireo": NAMESPACE,
        "project": mark.project,
        "kind": identity.kind,
        "name": identity.name,
        **({"pool": identity.pool} if identity.pool else {}),
        "uuid": mark.uuid,
        "digest": mark.digest,
        **({"readback": mark.readback} if mark.readback else {}),
        **({"live": mark.live} if mark.live else {}),
        **({"pending": "yes"} if mark.pending else {}),
        **({"protect": "yes"} if mark.protect else {}),
    }
    content = {
        "xml": mark.xml,
        "state": mark.state,
        "autostart": mark.autostart,
        "options": dict(mark.options),
        "normalised": dict(mark.normalised),
        "refused": dict(mark.refused),
        "retired": dict(mark.retired),
        "run": mark.run,
        **({} if mark.waiting is None else {"waiting": list(mark.waiting)}),
    }
    packed = base64.b64encode(zlib.compress(json.dumps(content, sort_keys=True, separators=(",", ":")).encode(), 6)).decode()
    text = " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())
    return f"<vireo:resource {text}>{packed}</vireo:resource>"


def read(text: str, host: str = "") -> Mark | None:
    """The mark in a domain's XML, or in the bare element; None if there is none or it cannot be read.

    `host` is the host that the object was found on: marks do not carry it, so that they stay true after a migration.
    """
    found = _MARK.search(text)
    if found is None:
        return None
    element = found.group(0)
    try:
        root = parse(
            element
            if "xmlns:vireo" in element
            else element.replace("<vireo:resource", f'<vireo:resource xmlns:vireo="{NAMESPACE}"', 1)
        )
        content = _unpack(root.text or "")
    except (XmlError, ValueError, RecursionError, zlib.error, binascii.Error):
        return None
    name, project = root.get("name"), root.get("project")
    if name is None or project is None or tag(root) != f"{{{NAMESPACE}}}{ELEMENT}":
        return None
    return Mark(
        project=project,
        id=ResourceId(root.get("kind") or "Domain", name, host, root.get("pool") or ""),
        uuid=root.get("uuid") or "",
        digest=root.get("digest") or "",
        readback=root.get("readback") or "",
        live=root.get("live") or "",
        xml=content.get("xml", ""),
        state=content.get("state", ""),
        autostart=autostart if isinstance(autostart := content.get("autostart"), bool) else None,
        options=content.get("options", {}),
        normalised=content.get("normalised", {}),
        refused=content.get("refused", {}),
        retired=content.get("retired", {}),
        waiting=tuple(content["waiting"]) if "waiting" in content else None,
        run=content.get("run", ""),
        pending=root.get("pending") == "yes",
        protect=root.get("protect") == "yes",
    )


def _unpack(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    engine = zlib.decompressobj()
    data = engine.decompress(base64.b64decode(text, validate=False), _LIMIT)
    content = json.loads(data)
    if not isinstance(content, dict) or not all(isinstance(content.get(name, kind()), kind) for name, kind in _FORMS.items()):
        raise ValueError("a mark of another form")
    return content


def strip(text: str) -> str:
    """`text` without its <metadata>: what is compared to see whether a definition moved."""
    return _METADATA.sub("", text, count=1)


def digest(text: str) -> str:
    """A short name for a definition as libvirt wrote it, whatever its metadata says."""
    return hashlib.sha256(strip(text).encode()).hexdigest()[:32]
