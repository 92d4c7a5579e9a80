"""What we know of each libvirt kind, as data. A new kind is one more module here (and a schema, a template, a driver, cases)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reconciler.kinds.domain import DOMAIN
from reconciler.kinds.kind import Kind
from reconciler.kinds.network import NETWORK
from reconciler.kinds.pool import POOL
from reconciler.kinds.volume import VOLUME

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in (POOL, VOLUME, NETWORK, DOMAIN)})
