"""Storage pools (virStoragePool*). Contents are never deleted; nothing is formatted unless the manifest says `build: true`."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.drivers.calls import find, flag, reach, with_flags
from reconciler.host.drivers.ownership import check_listed, taking_the_name, uuid_of
from reconciler.host.drivers.step import Driver, Step
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.state import Mark
from reconciler.xmltree.document import parse
from reconciler.xmltree.mark import digest
from reconciler.xmltree.merge import merge

_MAKES_A_FOLDER = frozenset({"dir", "netfs", "fs"})
"""Pool types whose building makes a folder and nothing else, as long as no overwrite flag is given."""


def _ours(step: Step) -> libvirt.virStoragePool | None:
    """The pool, or None if it is not there. Raises NotOursError."""
    conn = step.session.conn
    pool = find(step.session, "virStoragePoolLookupByUUIDString", conn.storagePoolLookupByUUIDString, uuid_of(step))
    if pool is not None:
        check_listed(step, pool.UUIDString())
    return pool


def _expect(step: Step) -> libvirt.virStoragePool:
    pool = _ours(step)
    if pool is None:
        raise HostError(f"{step.id} is not there any more", hint="plan again")
    return pool


def _definition(session: Session, pool: libvirt.virStoragePool) -> str:
    """The persistent definition; a driver that has one definition only (the test driver) does not know the flag."""
    return str(with_flags(session, "virStoragePoolGetXMLDesc", pool.XMLDesc, tries=(libvirt.VIR_STORAGE_XML_INACTIVE, 0)))


def _active(step: Step, pool: libvirt.virStoragePool) -> bool:
    return bool(step.call("virStoragePoolIsActive", pool.isActive))


def define(step: Step) -> None:
    """By virStoragePoolDefineXML, over the definition that is there. An active pool takes it up at its next start."""
    pool = _ours(step)
    persistent = None
    if pool is not None:
        persistent = _definition(step.session, pool)
    xml = merge(step.desired.xml, persistent, step.intent or None, step.rules)
    validate = flag("VIR_STORAGE_POOL_DEFINE_VALIDATE")
    with taking_the_name(step):
        with_flags(step.session, "virStoragePoolDefineXML", step.session.conn.storagePoolDefineXML, xml, tries=(validate, 0))


def start(step: Step) -> None:
    """By virStoragePoolCreate, making the pool's folder, or (only with `build: true`) what the pool's type is built of."""
    pool = _expect(step)
    if _active(step, pool):
        return
    create = libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD
    create_anew = libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE
    kind = parse(_definition(step.session, pool)).get("type")
    build = step.options.get("build")
    if build is False or (build is None and kind not in _MAKES_A_FOLDER):
        tries: tuple[int, ...] = (libvirt.VIR_STORAGE_POOL_CREATE_NORMAL,)
    elif build is None or kind in {"dir", "netfs"}:
        tries = (create, libvirt.VIR_STORAGE_POOL_CREATE_NORMAL)
    else:
        tries = (create_anew, libvirt.VIR_STORAGE_POOL_CREATE_NORMAL)
    try:
        with_flags(step.session, "virStoragePoolCreate", pool.create, tries=tries)
    except LibvirtCallError as error:
        if error.code == libvirt.VIR_ERR_STORAGE_POOL_BUILT:  # built before: it only has to be started
            step.call("virStoragePoolCreate", pool.create, libvirt.VIR_STORAGE_POOL_CREATE_NORMAL)
        elif not _active(step, pool):
            raise


def stop(step: Step) -> None:
    """By virStoragePoolDestroy: the contents stay. Whether guests use them is the planner's question."""
    pool = _ours(step)
    if pool is not None:
        reach(step.session, lambda: not _active(step, pool), "virStoragePoolDestroy", pool.destroy)


def restart(step: Step) -> None:
    """Stop and start, so that a changed definition takes effect."""
    stop(step)
    start(step)


def autostart(step: Step) -> None:
    """By virStoragePoolSetAutostart to what the manifest says."""
    if step.desired.autostart is not None:
        step.call("virStoragePoolSetAutostart", _expect(step).setAutostart, int(step.desired.autostart))


def undefine(step: Step) -> None:
    """By virStoragePoolUndefine; never virStoragePoolDelete. A transient pool has no definition to take away."""
    pool = _ours(step)
    if pool is not None and step.call("virStoragePoolIsPersistent", pool.isPersistent):
        step.call("virStoragePoolUndefine", pool.undefine)


def adopt(step: Step) -> None:
    """Nothing to do on the host but to see that the pool is there: it carries no mark, the inventory lists it."""
    _expect(step)


def settle(session: Session, mark: Mark) -> Mark:
    """`mark` with the UUID, and the digests of the definitions as libvirt has them now; unchanged if there is no such pool."""
    pool = find(session, "virStoragePoolLookupByName", session.conn.storagePoolLookupByName, mark.id.name)
    if pool is None:
        return mark
    readback = live = ""
    if session.call("virStoragePoolIsPersistent", pool.isPersistent):
        readback = digest(_definition(session, pool))
    if session.call("virStoragePoolIsActive", pool.isActive):
        live = digest(session.call("virStoragePoolGetXMLDesc", pool.XMLDesc, 0))
    return replace(mark, uuid=pool.UUIDString(), readback=readback, live=live)


DRIVERS: MappingProxyType[Verb, Driver] = MappingProxyType(
    {
        Verb.DEFINE: define,
        Verb.START: start,
        Verb.STOP: stop,
        Verb.RESTART: restart,
        Verb.AUTOSTART: autostart,
        Verb.UNDEFINE: undefine,
        Verb.ADOPT: adopt,
    }
)
