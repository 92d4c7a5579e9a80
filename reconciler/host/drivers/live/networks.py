"""Brings entries of a network's definition into the running network (virNetworkUpdate): the live definition only.

The persistent definition was given to libvirt before: what it has now is what the running network is brought to. What libvirt
refuses waits for the network's next start. Guests that are connected stay connected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from types import MappingProxyType

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.drivers.step import Step
from reconciler.xmltree.canonical import Canonical, canonical
from reconciler.xmltree.document import Element, parse, serialize
from reconciler.xmltree.paths import children, join
from reconciler.xmltree.rules import Rules

_ADD = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST
_DELETE = libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE
_MODIFY = libvirt.VIR_NETWORK_UPDATE_COMMAND_MODIFY
_LIVE = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE

_REFUSALS = frozenset(
    {
        libvirt.VIR_ERR_NO_SUPPORT,
        libvirt.VIR_ERR_INVALID_ARG,
        libvirt.VIR_ERR_XML_ERROR,
        libvirt.VIR_ERR_OPERATION_INVALID,
        libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
        libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
        libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
    }
)

SECTIONS: Mapping[str, int] = MappingProxyType(
    {
        "ip/dhcp/host": libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST,
        "ip/dhcp/range": libvirt.VIR_NETWORK_SECTION_IP_DHCP_RANGE,
        "dns/host": libvirt.VIR_NETWORK_SECTION_DNS_HOST,
        "dns/txt": libvirt.VIR_NETWORK_SECTION_DNS_TXT,
        "dns/srv": libvirt.VIR_NETWORK_SECTION_DNS_SRV,
        "portgroup": libvirt.VIR_NETWORK_SECTION_PORTGROUP,
        "forward/interface": libvirt.VIR_NETWORK_SECTION_FORWARD_INTERFACE,
    }
)
"""Path without keys of what can be updated. A way for one more is one more line here, and one in kinds/network_ways.py."""

_AROUND = frozenset({"ip", "ip/dhcp", "dns", "forward"})
_ECHOES = MappingProxyType({"forward/@dev": "forward"})  # an attribute that libvirt makes of the elements below


@dataclass(frozen=True, slots=True)
class Entry:
    """An element that virNetworkUpdate handles as a whole: its path, the same without keys, and what it says."""

    path: str
    plain: str
    element: Element
    content: Canonical

    @property
    def names(self) -> set[tuple[str, str]]:
        """By each of these alone libvirt takes a DHCP host for the one that is to be modified."""
        return {(name, self.content[name]) for name in ("@mac", "@name", "@ip") if name in self.content}

    def siblings(self, entries: Mapping[str, Entry]) -> list[Entry]:
        """The other ones of the same sort at the same place."""
        place = self.path.rpartition("/")[0]
        return [
            e for e in entries.values() if e.plain == self.plain and e.path != self.path and e.path.rpartition("/")[0] == place
        ]


@dataclass(slots=True)
class Running:
    """One running network. `reasons` says by path what libvirt did not take; `failures` are those that were no refusals."""

    step: Step
    network: libvirt.virNetwork
    live: Element
    reasons: dict[str, str] = field(default_factory=dict)
    failures: list[HostError] = field(default_factory=list)

    def look(self) -> None:
        """Read the live definition anew."""
        self.live = look(self.step, self.network)

    def attempt(self, command: int, entry: Entry) -> bool:
        """One virNetworkUpdate; whether libvirt took it."""
        element = _named(entry.element) if command == _DELETE and entry.plain == "dns/host" else entry.element
        section, parent, text = SECTIONS[entry.plain], self._parent(entry), serialize(element, pretty=False)
        try:
            self.step.call("virNetworkUpdate", self.network.update, command, section, parent, text, _LIVE)
        except LibvirtCallError as error:
            if error.code not in _REFUSALS:
                self.failures.append(error)
            self.reasons[entry.path] = error.detail
            return False
        self.reasons.pop(entry.path, None)
        return True

    def _parent(self, entry: Entry) -> int:
        """The number of the <ip> that an entry is in, as the running network counts them; -1 for one that is in none."""
        top = entry.path.partition("/")[0]
        subnets = [step for step, plain, _ in children(self.live, "", self.step.rules) if plain == "ip"]
        return subnets.index(top) if top in subnets else -1


def _named(record: Element) -> Element:
    """A DNS host by its address alone: with its names, libvirt would take others with one of the names for it as well."""
    out = deepcopy(record)
    for child in list(out):
        out.remove(child)
    return out


def look(step: Step, network: libvirt.virNetwork) -> Element:
    """The network's live definition."""
    return parse(step.call("virNetworkGetXMLDesc", network.XMLDesc, 0))


def bring(step: Step, network: libvirt.virNetwork, target: str) -> None:
    """Brings the action's paths in a running network to what `target` (its persistent definition) says.

    What is so already is left alone; what libvirt refuses is told by `step.refuse`. Raises the first other failure, after
    everything else was tried.
    """
    running = Running(step, network, look(step, network))
    wanted = parse(target)
    _change(running, wanted, [_ECHOES.get(path, path) for path in step.action.paths])
    if running.failures:
        raise running.failures[0]
    running.look()
    for path in _left(canonical(wanted, step.rules), canonical(running.live, step.rules), step.action.paths):
        told = (reason for entry, reason in running.reasons.items() if _related(entry, path))
        step.refuse(path, next(told, "only at its start does libvirt take this up"))


def _change(running: Running, target: Element, scopes: Collection[str]) -> None:
    """Deletes first, then modifies, then adds: what gives up an address or a name makes room for what takes it."""
    rules = running.step.rules
    everything = {entry.path: entry for entry in entries(running.live, rules)}
    there = {path: entry for path, entry in everything.items() if _about(path, scopes)}
    wanted = {entry.path: entry for entry in entries(target, rules) if _about(entry.path, scopes)}
    changed = [entry for path, entry in wanted.items() if path in there and entry.content != there[path].content]
    modified = [entry for entry in changed if _modifiable(entry, entry.siblings(everything))]
    replaced = [entry for entry in changed if entry not in modified]
    _all(running, _DELETE, [entry for path, entry in there.items() if path not in wanted])
    replaced = [entry for entry in replaced if running.attempt(_DELETE, there[entry.path])]
    _all(running, _MODIFY, modified)
    for entry in _all(running, _ADD, [*replaced, *(entry for path, entry in wanted.items() if path not in there)]):
        if entry.path in there:
            reason = running.reasons[entry.path]
            running.attempt(_ADD, there[entry.path])  # better the old one than none
            running.reasons[entry.path] = reason


def _all(running: Running, command: int, todo: list[Entry]) -> list[Entry]:
    """Tries each, and the refused ones again as long as others go through: one may be in another's way. Returns the rest."""
    while todo:
        rest = [entry for entry in todo if not running.attempt(command, entry)]
        if running.failures or len(rest) == len(todo):
            return rest
        todo = rest
    return []


def _modifiable(entry: Entry, others: Collection[Entry]) -> bool:
    """Whether libvirt can change an entry in place, and will not take another one for it."""
    if entry.plain == "portgroup":
        return True
    return entry.plain == "ip/dhcp/host" and "@id" not in entry.content and not any(entry.names & o.names for o in others)


def entries(root: Element, rules: Rules) -> Iterator[Entry]:
    """All entries of a network's definition."""
    yield from _below(root, "", "", rules)


def _below(element: Element, path: str, plain: str, rules: Rules) -> Iterator[Entry]:
    for step, below, child in children(element, plain, rules):
        if below in SECTIONS:
            yield Entry(join(path, step), below, child, canonical(child, rules, below))
        elif below in _AROUND:
            yield from _below(child, join(path, step), below, rules)


def _left(wanted: Canonical, there: Canonical, paths: Collection[str]) -> list[str]:
    """The topmost paths, at or below `paths`, at which two definitions differ."""
    different = {path for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path)}
    different = {path for path in different if any(path == one or path.startswith(f"{one}/") for one in paths)}
    absent = {path for path in different if (path in wanted) != (path in there)}
    return sorted(path for path in different if not any(path.startswith(f"{other}/") for other in absent))


def _about(path: str, scopes: Collection[str]) -> bool:
    return any(_related(path, scope) for scope in scopes)


def _related(path: str, other: str) -> bool:
    """Whether one path is the other, or a part of it."""
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")
