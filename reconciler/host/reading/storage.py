"""Reads pools and their volumes. Active pools of files are refreshed first: only then does libvirt know what is really there."""

from __future__ import annotations

import re
from typing import Any

import libvirt

from reconciler.errors import LibvirtCallError
from reconciler.host import failures
from reconciler.host.reading.bulk import chosen, each, inactive_xml, supported, unless_gone
from reconciler.host.session import Session
from reconciler.model.resource import ResourceId
from reconciler.model.state import Observed

POOL = "Pool"
VOLUME = "Volume"

REFRESHED = frozenset({"dir", "fs", "netfs"})
"""Pool types in which files come and go behind libvirt's back, and whose refresh only reads a directory."""

_TYPE = re.compile(r"<pool\b[^>]*\btype=['\"]([^'\"]+)")


def read_all(session: Session) -> list[Observed]:
    """All pools of the host, and the volumes of the active ones; one call a volume. Empty if the driver has no storage."""
    call, function = "virConnectListAllStoragePools", session.conn.listAllStoragePools
    pools: list[libvirt.virStoragePool] = supported(session, call, function, 0, otherwise=[])
    active = chosen(session, call, function, libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)
    transient = chosen(session, call, function, libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT)
    autostart = chosen(session, call, function, libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART)
    found: list[Observed] = []
    for pool in pools:
        uuid = pool.UUIDString()
        is_active, is_persistent, starts = uuid in active, uuid not in transient, uuid in autostart
        observed = unless_gone(
            _read_pool, session, pool, active=is_active, persistent=is_persistent, autostart=starts, refresh=True
        )
        if observed is not None:
            found.append(observed)
            found.extend(_read_volumes(session, pool) if observed.live is not None else [])
    return found


def read_pool(session: Session, identity: ResourceId, uuid: str) -> Observed | None:
    """The pool of that UUID, else the one of that name; None if there is neither. It is not refreshed."""
    conn = session.conn
    found = (
        unless_gone(session.call, "virStoragePoolLookupByUUIDString", conn.storagePoolLookupByUUIDString, uuid) if uuid else None
    )
    if found is None:
        found = _pool_named(session, identity.name)
    return None if found is None else unless_gone(_read_single, session, found)


def read_volume(session: Session, identity: ResourceId, _key: str) -> Observed | None:
    """The volume of that pool and name; None if it is not there, or its pool is not active."""
    pool = _pool_named(session, identity.pool)
    if pool is None or not unless_gone(session.call, "virStoragePoolIsActive", pool.isActive):
        return None
    volume = unless_gone(session.call, "virStorageVolLookupByName", pool.storageVolLookupByName, identity.name)
    return None if volume is None else unless_gone(_read_volume, session, identity.pool, volume)


def _pool_named(session: Session, name: str) -> libvirt.virStoragePool | None:
    return unless_gone(session.call, "virStoragePoolLookupByName", session.conn.storagePoolLookupByName, name)


def _read_single(session: Session, pool: libvirt.virStoragePool) -> Observed:
    active = bool(session.call("virStoragePoolIsActive", pool.isActive))
    persistent = bool(session.call("virStoragePoolIsPersistent", pool.isPersistent))
    autostart = persistent and bool(session.call("virStoragePoolGetAutostart", pool.autostart))
    return _read_pool(session, pool, active=active, persistent=persistent, autostart=autostart, refresh=False)


def _read_pool(
    session: Session, pool: libvirt.virStoragePool, *, active: bool, persistent: bool, autostart: bool, refresh: bool
) -> Observed:
    call, xml = "virStoragePoolGetXMLDesc", pool.XMLDesc
    inactive = inactive_xml(session, call, xml, libvirt.VIR_STORAGE_XML_INACTIVE) if persistent else None
    details: dict[str, Any] = {}
    if active and refresh and not session.facts.read_only and _type_of(inactive or session.call(call, xml, 0)) in REFRESHED:
        problem = _refresh(session, pool)
        if problem:
            details["refresh"] = problem
            active = bool(session.call("virStoragePoolIsActive", pool.isActive))
    return Observed(
        id=ResourceId(POOL, pool.name(), session.facts.name),
        uuid=pool.UUIDString(),
        state="active" if active else "inactive",
        persistent=inactive,
        live=session.call(call, xml, 0) if active else None,
        autostart=autostart if persistent else None,
        details=details,
    )


def _refresh(session: Session, pool: libvirt.virStoragePool) -> str:
    """Reads the pool's folder again; answers what libvirt says against it, "" if nothing.

    A folder that is gone makes the pool inactive; one in which a volume is being written is not refreshed:
    what libvirt knew counts.
    """
    try:
        session.call("virStoragePoolRefresh", pool.refresh, 0)
    except LibvirtCallError as error:
        if error.code in failures.ABSENT:
            raise
        return error.detail
    return ""


def _type_of(xml: str) -> str:
    match = _TYPE.search(xml)
    return match[1] if match else ""


def _read_volumes(session: Session, pool: libvirt.virStoragePool) -> list[Observed]:
    name = pool.name()
    try:
        volumes = session.call("virStoragePoolListAllVolumes", pool.listAllVolumes, 0)
    except LibvirtCallError as error:
        if error.code in failures.ABSENT or not unless_gone(session.call, "virStoragePoolIsActive", pool.isActive):
            return []  # stopped or removed since it was listed
        raise

    def read(volume: libvirt.virStorageVol) -> Observed:
        return _read_volume(session, name, volume)

    return each(session, read, volumes)


def _read_volume(session: Session, pool: str, volume: libvirt.virStorageVol) -> Observed:
    return Observed(
        id=ResourceId(VOLUME, volume.name(), session.facts.name, pool),
        uuid=volume.key(),
        state="present",
        persistent=session.call("virStorageVolGetXMLDesc", volume.XMLDesc, 0),
        live=None,
        autostart=None,
    )
