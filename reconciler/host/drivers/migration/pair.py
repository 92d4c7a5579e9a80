"""The two hosts and the domain between them, as all checks of one migration see them. Reading only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import libvirt

from reconciler.errors import HostError
from reconciler.host.drivers.calls import find
from reconciler.host.session import Session
from reconciler.model.guest import Guest
from reconciler.model.migration import MigrationSpec, Mode
from reconciler.xmltree.document import Element, parse

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pair:
    """`root` is the domain's live definition, or its only one; `guest` has no disks yet (sharing.py finds them)."""

    source: Session
    destination: Session
    domain: libvirt.virDomain
    root: Element
    guest: Guest
    spec: MigrationSpec

    @classmethod
    def of(cls, source: Session, destination: Session, uuid: str, spec: MigrationSpec) -> Pair:
        """Looks the domain up at the source. Raises HostError if it is not there."""
        domain = find(source, "virDomainLookupByUUIDString", source.conn.lookupByUUIDString, uuid)
        if domain is None:
            raise HostError(f"{source.spec.name} has no domain {uuid}", hint="look where it is: vireo status")
        state = source.call("virDomainGetState", domain.state)[0]
        active = bool(source.call("virDomainIsActive", domain.isActive))
        persistent = bool(source.call("virDomainIsPersistent", domain.isPersistent))
        guest = Guest(
            uuid=uuid,
            name=domain.name(),
            active=active,
            persistent=persistent,
            paused=state == libvirt.VIR_DOMAIN_PAUSED,
            autostart=persistent and bool(source.call("virDomainGetAutostart", domain.autostart)),
        )
        return cls(source, destination, domain, parse(source.call("virDomainGetXMLDesc", domain.XMLDesc, 0)), guest, spec)

    @property
    def offline(self) -> bool:
        """Whether only a definition moves."""
        return not self.guest.active or self.spec.mode is Mode.OFFLINE

    def here(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One call at the source."""
        return self.source.call(name, function, *args, **kwargs)

    def there(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One call at the destination."""
        return self.destination.call(name, function, *args, **kwargs)

    def text(self, path: str) -> str:
        """The text at a path of the definition, "" if it is not there."""
        return (self.root.findtext(path) or "").strip()
