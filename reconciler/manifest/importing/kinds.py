"""Which table and which cleaning belong to a kind: what the engine asks for when it imports an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from reconciler.manifest.importing import domain, generated, network, pool, volume
from reconciler.manifest.importing.table import Item


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What must be known beside the XML.

    The host's emulators by (architecture, domain type); pool and name of its volumes by their paths; the paths of files that
    running guests use; the pool of a volume that is imported; whether the XML is that of a running object.
    """

    emulators: Mapping[tuple[str, str], str] = field(default_factory=dict)
    volumes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    pool: str = ""
    live: bool = False


@dataclass(frozen=True, slots=True)
class Importer:
    """How a kind is imported.

    `clean` takes out what libvirt generated; `kept` are the fields that stay typed where all else has to go into the overlay.
    """

    clean: Callable[[str, Surroundings], str]
    table: Callable[[Surroundings], Sequence[Item]]
    kept: frozenset[str]


IMPORTERS: Final[Mapping[str, Importer]] = {
    "Domain": Importer(
        lambda text, around: generated.ungenerated(text, around.emulators, live=around.live),
        lambda _: domain.TABLE,
        frozenset({"type", "uuid", "memory"}),
    ),
    "Network": Importer(
        lambda text, around: network.ungenerated(text, live=around.live),
        lambda _: network.TABLE,
        frozenset({"uuid", "mode"}),
    ),
    "Pool": Importer(lambda text, _: pool.ungenerated(text), lambda _: pool.TABLE, frozenset({"uuid", "type", "path", "source"})),
    "Volume": Importer(
        lambda text, around: volume.ungenerated(text, around.used),
        lambda around: volume.table(around.pool, around.volumes),
        frozenset({"capacity", "format", "preallocate", "permissions"}),
    ),
}
