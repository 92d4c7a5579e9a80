"""What one host has, or will have, of pools and volumes: the paths, formats and sizes that templates ask for.

What a manifest declares counts before what the host has, because it is what will be there. Calls nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.manifest.quantity import amount
from reconciler.model.resource import Resource, ResourceId
from reconciler.model.state import Observed
from reconciler.xmltree.document import Element, parse

_UNITS = {"bytes": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """Where a volume is, what is in it, and its size in bytes; None is not known."""

    path: str | None
    format: str | None
    capacity: int | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The pools and volumes of one host. Empty (as offline) it knows nothing and answers None."""

    host: str = ""
    declared: Mapping[ResourceId, Resource] = field(default_factory=dict)
    observed: Mapping[ResourceId, Observed] = field(default_factory=dict)

    def pool_path(self, pool: str) -> str | None:
        """The folder in which the volumes of `pool` are."""
        identity = ResourceId("Pool", pool, self.host)
        declared = self.declared.get(identity)
        if declared is not None:
            path = declared.spec.get("path")
            if path:
                return str(path)
            if declared.spec.get("type") == "logical":
                return f"/dev/{declared.spec.get('source', {}).get('name', pool)}"
        return _text(self._xml(identity), "target/path")

    def pool_type(self, pool: str) -> str | None:
        """The type of `pool`, in libvirt's words."""
        identity = ResourceId("Pool", pool, self.host)
        declared = self.declared.get(identity)
        if declared is not None:
            return str(declared.spec["type"])
        root = self._xml(identity)
        return None if root is None else root.get("type")

    def volume(self, pool: str, name: str) -> VolumeFacts | None:
        """What is known of a volume, or None if neither the manifests nor the host have it."""
        identity = ResourceId("Volume", name, self.host, pool)
        declared = self.declared.get(identity)
        root = self._xml(identity)
        if declared is None and root is None:
            return None
        folder = self.pool_path(pool)
        path = _text(root, "target/path") or (f"{folder.rstrip('/')}/{name}" if folder else None)
        spec: Mapping[str, Any] = declared.spec if declared else {}
        form = spec.get("format") or ("qcow2" if spec.get("backing") else None)
        found = None if root is None else root.find("target/format")
        if form is None and found is not None:
            form = found.get("type")
        return VolumeFacts(path, form or self._source_format(pool, spec), self._capacity(pool, spec, root))

    def _xml(self, identity: ResourceId) -> Element | None:
        seen = self.observed.get(identity)
        text = seen and (seen.persistent or seen.live)
        return parse(text) if text else None

    def _source(self, pool: str, spec: Mapping[str, Any]) -> VolumeFacts | None:
        source = spec.get("clone") or spec.get("backing") or {}
        return self.volume(source.get("pool", pool), source["volume"]) if source.get("volume") else None

    def _source_format(self, pool: str, spec: Mapping[str, Any]) -> str | None:
        source = self._source(pool, spec) if spec.get("clone") else None
        return source.format if source else ("raw" if spec else None)

    def _capacity(self, pool: str, spec: Mapping[str, Any], root: Element | None) -> int | None:
        if spec.get("capacity"):
            return amount(spec["capacity"])
        capacity = None if root is None else root.find("capacity")
        if capacity is not None and capacity.text:
            return int(capacity.text) * _UNITS.get(capacity.get("unit", "bytes"), 1)
        source = self._source(pool, spec)
        return source.capacity if source else None


def of(host: str, resources: Iterable[Resource], observed: Mapping[ResourceId, Observed]) -> Catalogue:
    """The catalogue of `host` from all declared resources and from what was observed of it."""
    return Catalogue(host, {resource.id: resource for resource in resources if resource.id.host == host}, observed)


def _text(root: Element | None, path: str) -> str | None:
    return None if root is None else root.findtext(path) or None
