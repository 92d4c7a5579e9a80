"""What one host has, or will have, of pools and volumes: the paths, formats and sizes that templates ask for.

What a manifest declares counts before what the host has, because it is what will be there. Calls nobody; of this machine it
reads the headers of the files that are to be uploaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.manifest.files import absolute
from reconciler.manifest.image import ImageError, virtual_size
from reconciler.manifest.quantity import UNITS, amount
from reconciler.model.resource import Resource, ResourceId
from reconciler.model.state import Observed
from reconciler.xmltree.document import Element, parse

MAX_CHAIN = 200  # QEMU itself follows no more backing files


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """libvirt's type of a pool, and the folder of its volumes; None is not known."""

    type: str | None
    path: str | None


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """Where a volume is, what is in it, and its size in bytes; None is not known."""

    path: str | None
    format: str | None
    capacity: int | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The pools and volumes of one host. Empty (as offline) it knows nothing and answers None. Answers are kept."""

    host: str = ""
    declared: Mapping[ResourceId, Resource] = field(default_factory=dict)
    observed: Mapping[ResourceId, Observed] = field(default_factory=dict)
    _pools: dict[str, PoolFacts] = field(default_factory=dict, repr=False, compare=False)
    _volumes: dict[tuple[str, str], VolumeFacts | None] = field(default_factory=dict, repr=False, compare=False)

    def pool_type(self, pool: str) -> str | None:
        """The type of `pool`, in libvirt's words."""
        return self._pool(pool).type

    def pool_path(self, pool: str) -> str | None:
        """The folder in which the volumes of `pool` are."""
        return self._pool(pool).path

    def volume(self, pool: str, name: str) -> VolumeFacts | None:
        """What is known of a volume, or None if neither the manifests nor the host have it."""
        key = (pool, name)
        if key not in self._volumes:
            self._volumes[key] = self._look_up(ResourceId("Volume", name, self.host, pool))
        return self._volumes[key]

    def _pool(self, pool: str) -> PoolFacts:
        if pool not in self._pools:
            self._pools[pool] = self._look_up_pool(ResourceId("Pool", pool, self.host))
        return self._pools[pool]

    def _look_up_pool(self, identity: ResourceId) -> PoolFacts:
        root = self._xml(identity)
        seen = PoolFacts(None, None) if root is None else PoolFacts(root.get("type"), root.findtext("target/path"))
        declared = self.declared.get(identity)
        if declared is None:
            return seen
        kind, path = declared.spec["type"], declared.spec.get("path")
        if path is None and kind == "logical":
            path = f"/dev/{declared.spec.get('source', {}).get('name', identity.name)}"
        return PoolFacts(kind, path or seen.path)

    def _look_up(self, identity: ResourceId) -> VolumeFacts | None:
        chain = list(self._made_from(identity))
        if not chain:
            return None
        spec, seen = chain[0]
        folder = self.pool_path(identity.pool)
        path = seen.path or (f"{folder.rstrip('/')}/{identity.name}" if folder else None)
        capacity = next((size for size in map(_capacity, chain) if size is not None), None)
        return VolumeFacts(path, next(_formats(chain), "raw" if spec else None), capacity)

    def _made_from(self, identity: ResourceId) -> Iterator[tuple[Mapping[str, Any], VolumeFacts]]:
        """What is declared and seen of a volume, then of the one that it is cloned from or backed by, and so on."""
        for _ in range(MAX_CHAIN):
            declared, root = self.declared.get(identity), self._xml(identity)
            if declared is None and root is None:
                return
            spec: Mapping[str, Any] = {} if declared is None else declared.spec
            upload = _upload(declared) if declared is not None and root is None else None
            yield spec, VolumeFacts(None, None, upload) if root is None else _seen(root)
            source = spec.get("clone") or spec.get("backing") or {}
            if "volume" not in source:
                return
            identity = ResourceId("Volume", source["volume"], self.host, source.get("pool", identity.pool))

    def _xml(self, identity: ResourceId) -> Element | None:
        seen = self.observed.get(identity)
        text = seen and (seen.persistent or seen.live)
        return parse(text) if text else None


def of(host: str, resources: Iterable[Resource], observed: Mapping[ResourceId, Observed]) -> Catalogue:
    """The catalogue of `host` from all declared resources and from what was observed of it."""
    return Catalogue(host, {resource.id: resource for resource in resources if resource.id.host == host}, observed)


def _capacity(link: tuple[Mapping[str, Any], VolumeFacts]) -> int | None:
    spec, seen = link
    return amount(spec["capacity"]) if "capacity" in spec else seen.capacity


def _formats(chain: Iterable[tuple[Mapping[str, Any], VolumeFacts]]) -> Iterator[str]:
    """The format of a volume, and of those that it is a clone of."""
    for spec, seen in chain:
        known = spec.get("format") or ("qcow2" if "backing" in spec else seen.format)
        if known:
            yield known
        if "clone" not in spec:
            return


def _seen(root: Element) -> VolumeFacts:
    capacity, form = root.find("capacity"), root.find("target/format")
    unit = "bytes" if capacity is None else capacity.get("unit", "bytes")
    size = None if capacity is None or not capacity.text else int(capacity.text) * (1 if unit == "bytes" else UNITS[unit])
    return VolumeFacts(root.findtext("target/path"), None if form is None else form.get("type"), size)


def _upload(resource: Resource) -> int | None:
    """The size of a volume that is yet to be made from a file of this machine; None if it cannot be told."""
    if "upload" not in resource.spec:
        return None
    try:
        return virtual_size(absolute(resource.spec["upload"]["path"], resource.document.file))
    except ImageError:
        return None
