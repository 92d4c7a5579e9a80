"""Disks that go on in an overlay on top of the declared file, because of an external snapshot: that is no drift.

A declared document is raised to what its disks have become on the host before it is compared, and only then: what is written down
as applied is always what the manifest declares.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from xml.sax.saxutils import quoteattr

from reconciler.kinds import KINDS
from reconciler.kinds.kind import Kind
from reconciler.kinds.spellings import location
from reconciler.model.resource import ResourceId
from reconciler.model.state import Observed
from reconciler.planning.taken import held
from reconciler.xmltree.document import Element, attributes, parse, serialize, unset
from reconciler.xmltree.paths import part_of

_TARGET = "target/@dev"
_FILES = ("file", "dev")
_WHICH = (*_FILES, "pool", "volume")  # attributes of a source that say which file it is


class Layers:
    """Which file lies below which on a host, as far as its pools know. Looked up only when somebody asks."""

    def __init__(self, resources: Mapping[ResourceId, Observed]) -> None:
        self._resources = resources
        self._volumes: dict[str, Observed] | None = None
        self._names: dict[tuple[str, str], str] = {}
        self._over: dict[str, set[str]] | None = None

    def path(self, source: Element | None) -> str:
        """The file that a disk's source means; "" if it is none."""
        if source is None:
            return ""
        named = next((value for name in _FILES if (value := source.get(name))), "")
        pool, volume = source.get("pool"), source.get("volume")
        if not named and pool and volume:
            self._look()
            return self._names.get((pool, volume), "")
        return location(named) if named else ""

    def below(self, path: str) -> Iterator[str]:
        """The backing files below `path`, the nearest first."""
        volumes, done = self._look(), {path}
        while (seen := volumes.get(path)) is not None:
            backing = parse(seen.persistent).findtext("backingStore/path") if seen.persistent else None
            if not backing or location(backing) in done:
                return
            path = location(backing)
            done.add(path)
            yield path

    def above(self, path: str, declared: Collection[ResourceId] = ()) -> tuple[str, ...]:
        """The files that stand right on `path`, without volumes that are `declared`."""
        volumes = self._look()
        if self._over is None:
            self._over = {}
            for file, top in self._pairs(volumes):
                self._over.setdefault(file, set()).add(top)
        known = {self._names.get((id_.pool, id_.name)) for id_ in declared if id_.pool}
        return tuple(sorted(self._over.get(location(path), set()) - known))

    def _pairs(self, volumes: Mapping[str, Observed]) -> Iterator[tuple[str, str]]:
        """Each file that is a base, with one that stands on it: as the pools have it, and as guests use it."""
        for top in volumes:
            yield from ((file, top) for file in islice(self.below(top), 1))
        for id_, seen in self._resources.items():
            layered = KINDS[id_.kind].layered
            for text in (seen.persistent, seen.live):
                for disk in parse(text).iterfind(layered) if layered and text and "<backingStore" in text else ():
                    top = self.path(disk.find("source"))
                    for file in _chain(disk, top, self) if top else ():
                        yield file, top
                        top = file

    def _look(self) -> dict[str, Observed]:
        """All volumes by their paths."""
        if self._volumes is None:
            found = [(location(seen.uuid), id_, seen) for id_, seen in self._resources.items() if id_.pool and seen.uuid]
            self._volumes = {path: seen for path, _, seen in found}
            self._names = {(id_.pool, id_.name): path for path, id_, _ in found}
        return self._volumes


def resumed(kind: Kind, desired: str, snapshots: Collection[str], layers: Layers) -> str:
    """`desired` of an object that is to be made anew, each disk in the newest overlay of the `snapshots` that it had.

    Only where it is clear which one that is: by its name, and because nothing else stands on the files below.
    """
    want = parse(desired) if kind.layered and snapshots else None
    done = False
    for disk in () if want is None else by_target(kind, want).values():
        base = layers.path(disk.find("source"))
        top = _newest(base, snapshots, layers) if base and disk.find("readonly") is None else base
        if top != base:
            done = True
            _raise(disk, parse(f'<disk type="file"><driver type="qcow2"/><source file={quoteattr(top)}/></disk>'))
    return desired if want is None or not done else serialize(want)


def _newest(base: str, snapshots: Collection[str], layers: Layers) -> str:
    """The last of the overlays on `base` that are named as Vireo names them."""
    top = base
    while len(over := layers.above(top)) == 1 and any(over[0] in (f"{base}.{name}", f"{top}.{name}") for name in snapshots):
        top = over[0]
    return top


def raised(kind: Kind, desired: str, intent: str | None, observed: Observed | None, layers: Layers) -> tuple[str, str | None]:
    """`desired` and `intent` with each disk whose file is below the one that the host uses for it now at that one.

    A disk of which the manifest changed the file since it was applied stays as it is declared. Where the definition names another
    file than the running guest uses, an overlay of the running guest counts: the next start without it would lose what is in it.
    """
    definition = None if observed is None else observed.persistent or observed.live
    if not kind.layered or observed is None or definition is None:
        return desired, intent
    want = parse(desired)
    hosts = [by_target(kind, parse(text)) for text in (definition, observed.live) if text]
    elsewhere = {
        target: found
        for target, disk in by_target(kind, want).items()
        if (found := [host[target] for host in hosts if _moved(disk, host.get(target), layers)])
    }
    if not elsewhere:
        return desired, intent
    before = None if intent is None else parse(intent)
    wanted, applied = by_target(kind, want), {} if before is None else by_target(kind, before)
    done = False
    for target, found in elsewhere.items():
        disk, old = wanted[target], applied.get(target)
        base = layers.path(disk.find("source"))
        if before is not None and (old is None or layers.path(old.find("source")) != base):
            continue
        top = next((one for one in found if _stands_on(base, one, found, _overlays(observed, target), layers)), None)
        if top is not None:
            done = True
            for one in (disk, old):
                _raise(one, top)
    if not done:
        return desired, intent
    return serialize(want), None if before is None else serialize(before)


def _stands_on(base: str, disk: Element, all_of_it: list[Element], overlays: set[str], layers: Layers) -> bool:
    """Whether the file of `disk` is an overlay over `base`, as far as anybody on the host knows what is below it."""
    top = layers.path(disk.find("source"))
    below = {*layers.below(top), *(path for one in all_of_it for path in _chain(one, top, layers))}
    return base in below or (not below and top in overlays)


def _moved(disk: Element, there: Element | None, layers: Layers) -> bool:
    """Whether the host uses another file for the disk than the one that is declared."""
    source, other = disk.find("source"), None if there is None else there.find("source")
    if source is None or other is None or attributes(source) == attributes(other):
        return False
    base, top = layers.path(source), layers.path(other)
    return bool(base) and bool(top) and base != top


def by_target(kind: Kind, root: Element) -> dict[str, Element]:
    """The disks of a definition by their targets."""
    return {target: disk for disk in root.iterfind(kind.layered) if (target := part_of(disk, _TARGET))}


def _chain(disk: Element, top: str, layers: Layers) -> Iterator[str]:
    """The backing files that a definition itself names below `top`."""
    if layers.path(disk.find("source")) != top:
        return
    store = disk.find("backingStore")
    while store is not None:
        path = layers.path(store.find("source"))
        if path:
            yield path
        store = store.find("backingStore")


def _overlays(observed: Observed, target: str) -> set[str]:
    """The files that the object's own snapshots made the disk go on in."""
    return {location(snapshot.overlays[target]) for snapshot in held(observed) if target in snapshot.overlays}


def _raise(disk: Element | None, top: Element) -> None:
    """Give a declared disk the file, and the format of the file, that the host's has."""
    source = None if disk is None else disk.find("source")
    files = top.find("source")
    if disk is None or source is None or files is None:
        return
    disk.set("type", top.get("type") or "file")
    for name in _WHICH:
        unset(source, name)
        if name in files.attrib:
            source.set(name, str(files.get(name)))
    driver, form = disk.find("driver"), part_of(top, "driver/@type")
    if driver is not None and form and "type" in driver.attrib:
        driver.set("type", form)
    for store in disk.findall("backingStore"):
        disk.remove(store)
