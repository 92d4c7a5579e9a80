"""On which host an object is to be, where its manifest names several by preference. Pure, and before anything is rendered.

It knows what manifests say of hosts, and nothing of what is on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.model.resource import HostSpec, HostUse

_ACTIVE = frozenset({"running", "paused"})


@dataclass(frozen=True, slots=True)
class Place:
    """`host` is where it is to be; `stopped`: and it is to be off there. `note` is what a person should know of it."""

    host: str
    stopped: bool = False
    note: str = ""


def place(preferred: Sequence[str], on_drain: str, hosts: Mapping[str, HostSpec]) -> Place:
    """The first host that is not drained; one that is ignored may have the object, so that it is looked for nowhere behind it.

    Where there is none, or `on_drain` says so, it stays on the first one.
    """
    first = preferred[0]
    if on_drain == "migrate":
        for name in preferred:
            if name not in hosts or hosts[name].use is not HostUse.DRAIN:
                note = f"{first} is drained: it is to be on {name} until that is over" if name != first else ""
                return Place(name, note=note)
    if first not in hosts or hosts[first].use is not HostUse.DRAIN:
        return Place(first)
    match on_drain:
        case "stop":
            return Place(first, stopped=True, note=f"{first} is drained, and onDrain: stop keeps it off meanwhile")
        case "ignore":
            return Place(first, note=f"{first} is drained, and onDrain: ignore keeps it there")
        case _:
            return Place(first, note=f"{first} is drained, and it has nowhere to go: name other `hosts`, or say `onDrain`")


def resting(spec: Mapping[str, Any]) -> dict[str, Any]:
    """`spec` of an object that is to be off: a transient one is not there then."""
    state = str(spec.get("state"))
    off = "undefined" if spec.get("persistent") is False else "stopped"
    return {**spec, "state": off if state in _ACTIVE else state}
