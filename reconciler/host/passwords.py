"""Which domains have a password for a screen. Only that they have one is told: no value leaves this module."""

from __future__ import annotations

import re
from collections.abc import Iterable

import libvirt

from reconciler.host.reading.bulk import unless_gone
from reconciler.host.session import Session
from reconciler.model.resource import ResourceId
from reconciler.model.state import Observed

_PASSWORD = re.compile(r"<graphics\b[^>]*\bpasswd=")


def guarded(session: Session, domains: Iterable[Observed]) -> frozenset[ResourceId]:
    """Those of `domains` that have a password (virDomainGetXMLDesc with VIR_DOMAIN_XML_SECURE).

    One call for each that has a screen. A read-only connection may not ask: then it is not known of any.
    """
    if session.facts.read_only:
        return frozenset()
    return frozenset(one.id for one in domains if "<graphics" in (one.persistent or one.live or "") and _has(session, one))


def _has(session: Session, observed: Observed) -> bool:
    conn = session.conn
    domain = unless_gone(session.call, "virDomainLookupByUUIDString", conn.lookupByUUIDString, observed.uuid)
    if domain is None:
        return False
    flags = libvirt.VIR_DOMAIN_XML_SECURE | (libvirt.VIR_DOMAIN_XML_INACTIVE if observed.persistent else 0)
    text = unless_gone(session.call, "virDomainGetXMLDesc", domain.XMLDesc, flags)
    return _PASSWORD.search(text or "") is not None
