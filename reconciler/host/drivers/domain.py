"""Domains as definitions (virDomainDefineXML and its kin): define, create, adopt, autostart, undefine. No power, see power.py.

A definition is always merged over the one that is there, under the same UUID, and never follows an undefine: PCI addresses, MAC
addresses, NVRAM, snapshots and graphics passwords stay.
"""

from __future__ import annotations

import libvirt

from reconciler.errors import HostError
from reconciler.host.drivers import marking
from reconciler.host.drivers.calls import find, flag, with_flags
from reconciler.host.drivers.options import deletes_data
from reconciler.host.drivers.ownership import check_marked, mark_of, refuse_foreign, taking_the_name, uuid_of
from reconciler.host.drivers.placeholders import reveal
from reconciler.host.drivers.states import is_active, pause
from reconciler.host.drivers.step import Step
from reconciler.model.state import Mark
from reconciler.xmltree.merge import merge
from reconciler.xmltree.validate import is_costly


def lookup(step: Step) -> libvirt.virDomain | None:
    """The domain of the plan's UUID, whoever's it is; None if it is not there."""
    return find(step.session, "virDomainLookupByUUIDString", step.session.conn.lookupByUUIDString, uuid_of(step))


def ours(step: Step) -> libvirt.virDomain | None:
    """The domain, or None if it is not there. Raises NotOursError."""
    domain = lookup(step)
    if domain is not None:
        check_marked(step, domain)
    return domain


def expect(step: Step) -> libvirt.virDomain:
    """The domain. Raises NotOursError, and HostError if it is not there."""
    domain = ours(step)
    if domain is None:
        raise HostError(f"{step.id} is not there any more", hint="plan again")
    return domain


def define(step: Step) -> None:
    """By virDomainDefineXMLFlags. A running guest is not touched: it takes the definition up at its next start.

    A running transient domain becomes persistent by it.
    """
    domain = lookup(step)
    before = check_marked(step, domain) if domain is not None else None
    persistent = None
    if domain is not None and step.call("virDomainIsPersistent", domain.isPersistent):
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
        persistent = step.call("virDomainGetXMLDesc", domain.XMLDesc, flags)
    _give(step, merge(step.desired.xml, persistent, step.intent or None, step.rules), before)


def _give(step: Step, xml: str, before: Mark | None) -> None:
    conn = step.session.conn
    tries = (_validating(step, "VIR_DOMAIN_DEFINE_VALIDATE"), 0)
    secrets = step.desired.secrets
    with taking_the_name(step):
        with_flags(
            step.session,
            "virDomainDefineXMLFlags",
            conn.defineXMLFlags,
            _complete(step, xml, before),
            tries=tries,
            secrets=secrets,
        )


def _complete(step: Step, xml: str, before: Mark | None) -> str:
    """`xml` with our mark and with the secret values in their places: for libvirt's eyes only."""
    mark = marking.intended(step.project, step.desired, uuid_of(step), before)
    return marking.embed(reveal(xml, step.desired.secrets), mark)


def _validating(step: Step, name: str) -> int:
    return 0 if step.options.get("validate") is False or is_costly(step.desired.xml) else flag(name)


def create(step: Step) -> None:
    """By virDomainCreateXML: a transient domain, paused if that is the wanted state."""
    domain = ours(step)
    if domain is not None and is_active(step, domain):
        return
    conn = step.session.conn
    text = _complete(step, step.desired.xml, None)
    validate = _validating(step, "VIR_DOMAIN_START_VALIDATE")
    paused = libvirt.VIR_DOMAIN_START_PAUSED if step.desired.state == "paused" else 0
    tries = (paused | validate, paused, 0)
    with taking_the_name(step):
        made = with_flags(step.session, "virDomainCreateXML", conn.createXML, text, tries=tries, secrets=step.desired.secrets)
    if paused:
        pause(step, made)  # a driver that cannot start paused (the test driver) has started it running


def adopt(step: Step) -> None:
    """Sets our mark on a domain that nobody owns; nothing else of it changes, not even its intent is known yet."""
    domain = lookup(step)
    if domain is None:
        raise HostError(f"{step.id} is not there any more", hint="plan again")
    mark = mark_of(step, domain)
    if mark is not None and mark.uuid == domain.UUIDString():
        refuse_foreign(step, mark)
        return
    marking.put(step.session, domain, Mark(project=step.project, id=step.id, uuid=domain.UUIDString()))


def autostart(step: Step) -> None:
    """By virDomainSetAutostart to what the manifest says."""
    if step.desired.autostart is not None:
        step.call("virDomainSetAutostart", expect(step).setAutostart, int(step.desired.autostart))


def forget(step: Step) -> None:
    """Takes our mark off; the domain goes on as it is. One that is not ours any more is left alone."""
    domain = lookup(step)
    mark = None if domain is None else mark_of(step, domain)
    if domain is not None and mark is not None and (mark.project, mark.uuid) == (step.project, domain.UUIDString()):
        marking.remove(step.session, domain)


def undefine(step: Step) -> None:
    """By virDomainUndefineFlags. A running persistent domain goes on as a transient one, with its NVRAM.

    Snapshot and checkpoint metadata go with the definition: that they may is the planner's decision. NVRAM and TPM state stay
    unless `onDelete.volumes` gives the domain's data up. Raises HostError for one whose data are to be kept and that somebody has
    saved meanwhile.
    """
    domain = ours(step)
    if domain is None or not step.call("virDomainIsPersistent", domain.isPersistent):
        return
    gives_up = deletes_data(step.options) and not is_active(step, domain)
    if not deletes_data(step.options) and step.call("virDomainHasManagedSaveImage", domain.hasManagedSaveImage):
        raise HostError(f"{step.id}: it was saved meanwhile, and its memory would be lost", hint="plan again")
    basic = libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | (libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE if gives_up else 0)
    full = basic | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    nvram = libvirt.VIR_DOMAIN_UNDEFINE_NVRAM if gives_up else libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
    tpm = flag("VIR_DOMAIN_UNDEFINE_TPM" if gives_up else "VIR_DOMAIN_UNDEFINE_KEEP_TPM")
    # A driver that knows nothing of NVRAM or TPM refuses those flags; one that does refuses to leave them out where they matter.
    tries = (full | nvram | tpm, full | nvram, full, basic)
    with_flags(step.session, "virDomainUndefineFlags", domain.undefineFlags, tries=tries)
