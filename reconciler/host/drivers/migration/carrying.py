"""The call that moves a domain, in a thread and over connections of its own, so that it can be watched and aborted meanwhile.

Connections of its own, because a call that lasts holds up the others on its connection now and then.
"""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import Any

import libvirt

from reconciler.errors import HostError
from reconciler.host.session import Session
from reconciler.model.migration import Route

_SUCH = "VIR_MIGRATE_"
FLAGS = MappingProxyType(
    {
        name.removeprefix(_SUCH).lower().replace("_", "-"): getattr(libvirt, name)
        for name in dir(libvirt)
        if name.startswith(_SUCH)
    }
)
"""VIR_MIGRATE_ numbers by their words, as far as the libvirt-python that is installed knows them."""


class Carrier:
    """One migration under way. Once it is `done`, `error` is how it failed, or None."""

    def __init__(self, source: Session, destination: Session, uuid: str, route: Route) -> None:
        self._source, self._destination, self._uuid, self._route = source, destination, uuid, route
        self._flags = flags_of(route)
        self._done = threading.Event()
        self._failure: Exception | None = None
        threading.Thread(target=self._run, name="vireo-migration", daemon=True).start()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    @property
    def error(self) -> HostError | None:
        """What the host could not do. Raises anything else."""
        if self._failure is None or isinstance(self._failure, HostError):
            return self._failure
        raise self._failure

    def _run(self) -> None:
        try:
            self._carry()
        except Exception as error:  # noqa: BLE001  it is for the thread that asks
            self._failure = error
        finally:
            self._done.set()

    def _carry(self) -> None:
        """virDomainMigrateToURI3 for peer-to-peer, which the source's daemon leads; else virDomainMigrate3, which we lead."""
        with _another(self._source) as source:
            domain = source.call("virDomainLookupByUUIDString", source.conn.lookupByUUIDString, self._uuid)
            parameters: dict[str, Any] = dict(self._route.parameters)
            if self._route.peer:
                peer = self._route.peer
                source.call("virDomainMigrateToURI3", domain.migrateToURI3, peer, parameters, self._flags)
                return
            with _another(self._destination) as destination:
                source.call("virDomainMigrate3", domain.migrate3, destination.conn, parameters, self._flags)


def _another(session: Session) -> Session:
    return Session.open(session.spec)


def flags_of(route: Route) -> int:
    """The route's flags as libvirt's number. Raises HostError for one that the installed libvirt-python is too old for."""
    number = 0
    for word in route.flags:
        if word not in FLAGS:
            raise HostError(f"the installed libvirt-python knows no migration flag `{word}`", hint="install a newer one")
        number |= FLAGS[word]
    return number
