"""Reads domains: definitions, state, autostart, and what their XML does not say (managed save, snapshots, reasons)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import libvirt

from reconciler.host.reading.bulk import chosen, each, supported, unless_gone
from reconciler.host.reading.snapshots import read_snapshots
from reconciler.host.session import Session
from reconciler.model.resource import ResourceId
from reconciler.model.state import Observed
from reconciler.xmltree.mark import NAMESPACE

KIND = "Domain"

ACTIVE: Mapping[int, tuple[str, str]] = {
    libvirt.VIR_DOMAIN_NOSTATE: ("running", ""),
    libvirt.VIR_DOMAIN_RUNNING: ("running", ""),
    libvirt.VIR_DOMAIN_BLOCKED: ("running", ""),
    libvirt.VIR_DOMAIN_PAUSED: ("paused", ""),
    libvirt.VIR_DOMAIN_SHUTDOWN: ("running", "shutting-down"),
    libvirt.VIR_DOMAIN_PMSUSPENDED: ("running", "pmsuspended"),  # the guest's own sleep: resume() is no way out of it
    libvirt.VIR_DOMAIN_CRASHED: ("paused", "crashed"),  # kept for examination: on_crash preserve
}
"""State of an active domain in libvirt -> our state, and the reason that it carries."""

PAUSED_REASONS: Mapping[int, str] = {
    libvirt.VIR_DOMAIN_PAUSED_UNKNOWN: "unknown",
    libvirt.VIR_DOMAIN_PAUSED_USER: "user",
    libvirt.VIR_DOMAIN_PAUSED_MIGRATION: "migration",
    libvirt.VIR_DOMAIN_PAUSED_SAVE: "save",
    libvirt.VIR_DOMAIN_PAUSED_DUMP: "dump",
    libvirt.VIR_DOMAIN_PAUSED_IOERROR: "io-error",
    libvirt.VIR_DOMAIN_PAUSED_WATCHDOG: "watchdog",
    libvirt.VIR_DOMAIN_PAUSED_FROM_SNAPSHOT: "from-snapshot",
    libvirt.VIR_DOMAIN_PAUSED_SHUTTING_DOWN: "shutting-down",
    libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT: "snapshot",
    libvirt.VIR_DOMAIN_PAUSED_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_PAUSED_STARTING_UP: "starting-up",
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY: "postcopy",
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED: "postcopy-failed",
}

_LIVE_XML = re.compile(r"<domain\b[^>]*\bid=")
_NVRAM = re.compile(r"<nvram\b[^>]*>([^<]+)</nvram>")


@dataclass(frozen=True, slots=True)
class _Lists:
    """What filtered lists say of all domains: UUIDs."""

    transient: frozenset[str]
    autostart: frozenset[str]
    saved: frozenset[str]
    with_snapshots: frozenset[str]
    with_checkpoints: frozenset[str]


def read_all(session: Session) -> list[Observed]:
    """All domains of the host: two calls for each active persistent one, one for each other, and a few for the whole host."""
    domains = session.call("virConnectListAllDomains", session.conn.listAllDomains, 0)
    lists = _read_lists(session)
    states = _read_states(session)

    def read(domain: libvirt.virDomain) -> Observed | None:
        state = states.get(domain.UUIDString()) or _state(session, domain)
        return _read(session, domain, lists, state)

    return each(session, read, domains)


def read_one(session: Session, identity: ResourceId, uuid: str) -> Observed | None:
    """The domain of that UUID, else the one of that name; None if there is neither."""
    conn = session.conn
    found = unless_gone(session.call, "virDomainLookupByUUIDString", conn.lookupByUUIDString, uuid) if uuid else None
    if found is None:
        found = unless_gone(session.call, "virDomainLookupByName", conn.lookupByName, identity.name)
    return None if found is None else unless_gone(_read_single, session, found)


def _read_single(session: Session, domain: libvirt.virDomain) -> Observed | None:
    """One domain by questions to itself."""
    uuid = domain.UUIDString()
    state = _state(session, domain)
    persistent = session.call("virDomainIsPersistent", domain.isPersistent)
    autostart = persistent and session.call("virDomainGetAutostart", domain.autostart)
    saved = persistent and session.call("virDomainHasManagedSaveImage", domain.hasManagedSaveImage)

    def of(answer: object) -> frozenset[str]:
        return frozenset({uuid}) if answer else frozenset()

    itself = frozenset({uuid})
    lists = _Lists(of(not persistent), of(autostart), of(saved), itself, itself)
    return _read(session, domain, lists, state)


def _read(session: Session, domain: libvirt.virDomain, lists: _Lists, state: tuple[int, int]) -> Observed | None:
    uuid = domain.UUIDString()
    is_persistent = uuid not in lists.transient
    live = session.call("virDomainGetXMLDesc", domain.XMLDesc, 0) if _is_active(state) else None
    if live is not None and _LIVE_XML.match(live) is None:  # it ended since its state was read: libvirt gave the inactive XML
        live, state = None, (libvirt.VIR_DOMAIN_SHUTOFF, 0)
    persistent = None
    if is_persistent:
        persistent = session.call("virDomainGetXMLDesc", domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE)
    if persistent is None and live is None:
        return None
    managed_save = uuid in lists.saved
    word, reason = _word(state, active=live is not None, managed_save=managed_save)
    details: dict[str, Any] = {"managed_save": managed_save}
    if reason:
        details["reason"] = reason
    nvram = _NVRAM.search(live or persistent or "")
    if nvram is not None:
        details["nvram"] = nvram[1]
    if NAMESPACE in (persistent or live or ""):
        taken = read_snapshots(session, domain) if uuid in lists.with_snapshots else ()
        details["snapshots"] = tuple(each.value for each in taken)
        checkpoints = domain.listAllCheckpoints
        details["checkpoints"] = _held(session, "virDomainListAllCheckpoints", checkpoints, lists.with_checkpoints, uuid)
    return Observed(
        id=ResourceId(KIND, domain.name(), session.facts.name),
        uuid=uuid,
        state=word,
        persistent=persistent,
        live=live,
        autostart=uuid in lists.autostart if is_persistent else None,
        details=details,
    )


def _is_active(state: tuple[int, int]) -> bool:
    """Whether a domain in that state may have a live definition (a crashed one has it if it is kept)."""
    return bool(state[0] != libvirt.VIR_DOMAIN_SHUTOFF)


def _word(state: tuple[int, int], *, active: bool, managed_save: bool) -> tuple[str, str]:
    """Our state of a domain, and its reason ("" if it needs none)."""
    if not active:
        if managed_save:
            return "saved", ""
        crashed = state == (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED)
        return "stopped", "crashed" if crashed else ""
    word, reason = ACTIVE.get(state[0], ("running", ""))
    if state[0] == libvirt.VIR_DOMAIN_PAUSED:
        reason = PAUSED_REASONS.get(state[1], "unknown")
    return word, reason


def _held(session: Session, call: str, function: Callable[[], list[Any]], among: frozenset[str], uuid: str) -> int:
    """How many checkpoints a domain has; it is only asked if it is among those that have some."""
    return len(supported(session, call, function, otherwise=[])) if uuid in among else 0


def _read_lists(session: Session) -> _Lists:
    call, function = "virConnectListAllDomains", session.conn.listAllDomains
    return _Lists(
        transient=chosen(session, call, function, libvirt.VIR_CONNECT_LIST_DOMAINS_TRANSIENT),
        autostart=chosen(session, call, function, libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART),
        saved=chosen(session, call, function, libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE),
        with_snapshots=chosen(session, call, function, libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT),
        with_checkpoints=chosen(session, call, function, libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT),
    )


def _read_states(session: Session) -> dict[str, tuple[int, int]]:
    """UUID -> (state, reason) of all domains; empty where the driver has no bulk statistics (then each is asked)."""
    call, function = "virConnectGetAllDomainStats", session.conn.getAllDomainStats
    records: list[Any] = supported(session, call, function, libvirt.VIR_DOMAIN_STATS_STATE, 0, otherwise=[])
    return {
        domain.UUIDString(): (values["state.state"], values.get("state.reason", 0))
        for domain, values in records
        if "state.state" in values
    }


def _state(session: Session, domain: libvirt.virDomain) -> tuple[int, int]:
    state, reason = session.call("virDomainGetState", domain.state)
    return state, reason
