"""Virtual networks (virNetwork*): definitions are merged over what is there, so that UUID, bridge name and MAC address stay."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.drivers.calls import find, flag, reach, with_flags
from reconciler.host.drivers.live import networks
from reconciler.host.drivers.ownership import check_listed, taking_the_name, uuid_of
from reconciler.host.drivers.replugging import plugged_again
from reconciler.host.drivers.step import Driver, Step
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.state import Mark
from reconciler.xmltree.mark import digest
from reconciler.xmltree.merge import merge


def _ours(step: Step) -> libvirt.virNetwork | None:
    """The network, or None if it is not there. Raises NotOursError."""
    conn = step.session.conn
    network = find(step.session, "virNetworkLookupByUUIDString", conn.networkLookupByUUIDString, uuid_of(step))
    if network is not None:
        check_listed(step, network.UUIDString())
    return network


def _expect(step: Step) -> libvirt.virNetwork:
    network = _ours(step)
    if network is None:
        raise HostError(f"{step.id} is not there any more", hint="plan again")
    return network


def _definition(session: Session, network: libvirt.virNetwork) -> str:
    """The persistent definition; a driver that has one definition only (the test driver) does not know the flag."""
    return str(with_flags(session, "virNetworkGetXMLDesc", network.XMLDesc, tries=(libvirt.VIR_NETWORK_XML_INACTIVE, 0)))


def _active(step: Step, network: libvirt.virNetwork) -> bool:
    return bool(step.call("virNetworkIsActive", network.isActive))


def define(step: Step) -> None:
    """By virNetworkDefineXMLFlags. An active network keeps its live definition until it is restarted."""
    network = _ours(step)
    persistent = None
    if network is not None:
        persistent = _definition(step.session, network)
    xml = merge(step.desired.xml, persistent, step.intent or None, step.rules)
    conn = step.session.conn
    validate = flag("VIR_NETWORK_DEFINE_VALIDATE")
    with taking_the_name(step):
        with_flags(step.session, "virNetworkDefineXMLFlags", conn.networkDefineXMLFlags, xml, tries=(validate, 0))


def update(step: Step) -> None:
    """Brings the action's paths into the running network (virNetworkUpdate); does nothing to one that is not active."""
    network = _expect(step)
    if _active(step, network):
        networks.bring(step, network, _target(step, network))


def _target(step: Step, network: libvirt.virNetwork) -> str:
    """What a running network is to become: its definition. A driver that shows the live one only: that, with what is declared."""
    try:
        return str(step.call("virNetworkGetXMLDesc", network.XMLDesc, libvirt.VIR_NETWORK_XML_INACTIVE))
    except LibvirtCallError as error:
        if error.code != libvirt.VIR_ERR_INVALID_ARG:
            raise
    return merge(step.desired.xml, _definition(step.session, network), step.intent or None, step.rules)


def start(step: Step) -> None:
    """By virNetworkCreate. Guests that ran on while it was stopped are plugged in again."""
    network = _expect(step)
    if not _active(step, network):
        with plugged_again(step, network):
            _create(step, network)


def _create(step: Step, network: libvirt.virNetwork) -> None:
    reach(step.session, lambda: _active(step, network), "virNetworkCreate", network.create)


def stop(step: Step) -> None:
    """By virNetworkDestroy. libvirt does not refuse it while guests are connected: whether they are is the planner's question."""
    network = _ours(step)
    if network is not None:
        reach(step.session, lambda: not _active(step, network), "virNetworkDestroy", network.destroy)


def restart(step: Step) -> None:
    """Stop and start, so that a changed definition takes effect; the guests that this cuts off are plugged in again."""
    network = _expect(step)
    with plugged_again(step, network):
        stop(step)
        _create(step, network)


def autostart(step: Step) -> None:
    """By virNetworkSetAutostart to what the manifest says."""
    if step.desired.autostart is not None:
        step.call("virNetworkSetAutostart", _expect(step).setAutostart, int(step.desired.autostart))


def undefine(step: Step) -> None:
    """By virNetworkUndefine. A transient network has no definition to take away."""
    network = _ours(step)
    if network is not None and step.call("virNetworkIsPersistent", network.isPersistent):
        step.call("virNetworkUndefine", network.undefine)


def adopt(step: Step) -> None:
    """Nothing to do on the host but to see that the network is there: it carries no mark, the inventory lists it."""
    _expect(step)


def settle(session: Session, mark: Mark) -> Mark:
    """`mark` with the UUID, and the digests of the definitions as libvirt has them now; unchanged if there is no such network."""
    network = find(session, "virNetworkLookupByName", session.conn.networkLookupByName, mark.id.name)
    if network is None:
        return mark
    readback = live = ""
    if session.call("virNetworkIsPersistent", network.isPersistent):
        readback = digest(_definition(session, network))
    if session.call("virNetworkIsActive", network.isActive):
        live = digest(session.call("virNetworkGetXMLDesc", network.XMLDesc, 0))
    return replace(mark, uuid=network.UUIDString(), readback=readback, live=live)


DRIVERS: MappingProxyType[Verb, Driver] = MappingProxyType(
    {
        Verb.DEFINE: define,
        Verb.UPDATE: update,
        Verb.START: start,
        Verb.STOP: stop,
        Verb.RESTART: restart,
        Verb.AUTOSTART: autostart,
        Verb.UNDEFINE: undefine,
        Verb.ADOPT: adopt,
    }
)
