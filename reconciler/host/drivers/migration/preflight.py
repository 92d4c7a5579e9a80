"""Everything that can be asked before a migration, so that it fails before anything is touched. Asking only.

The one trace it may leave for a moment is an empty volume (sharing.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from reconciler.errors import LibvirtCallError
from reconciler.host.drivers.migration import disks, guests, hosts, networks, reaching, sharing, wishes
from reconciler.host.drivers.migration.pair import Pair
from reconciler.host.session import Session
from reconciler.model.migration import Check, MigrationSpec, Preflight, Storing

QUESTIONS: tuple[tuple[str, Callable[[Pair], Iterable[Check]]], ...] = (
    ("hosts", hosts.hosts),
    ("options", wishes.wishes),
    ("state", guests.state),
    ("name", guests.identity),
    ("hypervisor", hosts.hypervisor),
    ("machine", hosts.machine),
    ("cpu", hosts.processor),
    ("memory", hosts.memory),
    ("networks", networks.networks),
    ("devices", guests.devices),
    ("belongings", guests.belongings),
    ("graphics", guests.displays),
    ("secrets", disks.secrets),
    ("snapshots", guests.past),
    ("jobs", guests.jobs),
    ("address", reaching.address),
    ("peer", reaching.peers),
)
"""In the order in which a person wants to read them. Disks come last: they are the only ones that write."""


def examine(source: Session, destination: Session, uuid: str, spec: MigrationSpec) -> Preflight:
    """The whole table for one domain. Raises HostError if the domain is not at the source, or a host does not answer."""
    pair = Pair.of(source, destination, uuid, spec)
    found = [check for name, question in QUESTIONS for check in _ask(name, question(pair))]
    guest = pair.guest
    if not any(check.forbids and check.name in ("hosts", "rights") for check in found):
        known = () if spec.storage is Storing.NONE else sharing.disks(pair)
        guest = replace(guest, disks=known)
        found.extend(_ask("disks", disks.storing(pair, known)))
        found.extend(_ask("caches", disks.caches(pair, known)))
    return Preflight(guest, tuple(found), reaching.peer_of(pair), reaching.address_of(pair))


def _ask(name: str, answers: Iterable[Check]) -> Iterator[Check]:
    """A question that a host refuses to answer is no failure of the migration, but is shown."""
    try:
        yield from answers
    except LibvirtCallError as error:
        yield Check.doubts(name, f"could not be asked: {error.detail or error.summary}", error.hint)
