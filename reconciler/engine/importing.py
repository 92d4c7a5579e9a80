"""Which objects of a host are imported, and their manifests, in the order in which things depend on each other."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from reconciler.engine.converting import Host, Imported, Refused
from reconciler.engine.hosts import Hosts
from reconciler.errors import HostError, UsageError
from reconciler.host.passwords import guarded
from reconciler.kinds import KINDS
from reconciler.model.resource import ResourceId
from reconciler.model.state import HostState, Observed

_LONGEST: Final = 200  # bytes of a file's name before its ending
_SHOWN: Final = 12
_UNSAFE: Final = re.compile(r"[^\w.+@=,-]")


@dataclass(frozen=True, slots=True)
class Selection:
    """What the command line asks for: names (or ``KIND/NAME``, ``Volume/POOL/NAME``), or everything; of some kinds only."""

    names: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset(KINDS)
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """The manifests, what no manifest can speak of, and what was passed over: object -> the project that owns it."""

    manifests: tuple[Imported, ...]
    refused: tuple[Refused, ...] = ()
    owned: Mapping[ResourceId, str] = field(default_factory=dict)


def read(hosts: Hosts, selection: Selection) -> Result:
    """The manifests of the chosen objects of the connected host. It changes nothing. Raises HostError, UsageError."""
    for error in hosts.errors.values():
        raise error
    [state] = hosts.observe()
    if state.error:
        raise HostError(f"{state.facts.name} cannot be observed", detail=state.error)
    chosen = _chosen(state, selection)
    free = [observed for observed in chosen if observed.id not in state.foreign_marks]
    session = hosts.sessions[state.facts.name]
    host = Host(state, guarded(session, [observed for observed in free if observed.id.kind == "Domain"]))
    done = [host.convert(observed) for observed in free]
    return Result(
        tuple(item for item in done if isinstance(item, Imported)),
        tuple(item for item in done if isinstance(item, Refused)),
        {observed.id: state.foreign_marks[observed.id] for observed in chosen if observed.id in state.foreign_marks},
    )


def _chosen(state: HostState, selection: Selection) -> list[Observed]:
    """The objects that are asked for, in order. Raises UsageError for a name that nothing has."""
    order = list(KINDS)
    found = sorted(
        (seen for seen in state.resources.values() if seen.id.kind in selection.kinds),
        key=lambda seen: (order.index(seen.id.kind), seen.id.pool, seen.id.name),
    )
    if selection.everything:
        return found
    unknown = [name for name in selection.names if not any(_is_called(seen.id, name) for seen in found)]
    if unknown:
        known = sorted({seen.id.name for seen in found} | {str(seen.id) for seen in found})
        near = difflib.get_close_matches(unknown[0], known, n=1)
        names = [str(seen.id) for seen in found]
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names[:_SHOWN])}" if names else "it has nothing"
        raise UsageError(f"{state.facts.name} has no {', '.join(unknown)}", hint=hint)
    return [seen for seen in found if any(_is_called(seen.id, name) for name in selection.names)]


def _is_called(identity: ResourceId, name: str) -> bool:
    kind, slash, rest = name.partition("/")
    own = (identity.name, f"{identity.pool}/{identity.name}") if identity.pool else (identity.name,)
    return name in own or (bool(slash) and kind.lower() == identity.kind.lower() and rest in own)


def file_names(manifests: Iterable[Imported]) -> dict[str, Imported]:
    """A file name for each manifest: ``domain-web1.yaml``, ``volume-POOL-NAME.yaml``; no two alike on any file system."""
    out: dict[str, Imported] = {}
    taken: set[str] = set()
    for manifest in manifests:
        identity = manifest.observed.id
        parts: Sequence[str] = [identity.kind.lower(), *([identity.pool] if identity.pool else []), identity.name]
        stem = _cut("-".join(_UNSAFE.sub(lambda found: quote(found.group(), safe=""), part) for part in parts))
        name, number = f"{stem}.yaml", 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}.yaml"
        taken.add(name.casefold())
        out[name] = manifest
    return out


def _cut(stem: str) -> str:
    return stem.encode()[:_LONGEST].decode(errors="ignore")
