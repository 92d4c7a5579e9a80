"""What a failed or interrupted migration leaves, and what of it can be mended without a risk to the guest or its data.

Looks again right before it acts. It never ends a guest that may be the only one, never starts or resumes one that may run
elsewhere, and never deletes a disk. That the domain is the project's own is the caller's finding.
"""

from __future__ import annotations

from types import MappingProxyType

import libvirt

from reconciler.errors import HostError
from reconciler.host.drivers.calls import find, flag, reach
from reconciler.host.drivers.migration.standing import Seen, Sight, Standing, look, see
from reconciler.host.session import Session

_MENDS = frozenset({Standing.HALF_ARRIVED, Standing.CUT_OFF, Standing.UNCONFIRMED, Standing.LEFT_HERE, Standing.LEFT_THERE})

BY_HAND = MappingProxyType(
    {
        Standing.SPLIT: "two guests destroy their disk: find out which is right and end the other one (virsh destroy NAME)",
        Standing.UNDECIDED: "if it never ran at the destination: virsh resume NAME at the source; else destroy it there",
        Standing.POST_COPY_FAILED: "mend the network between the hosts and move it again: its post-copy goes on; until then "
        "neither resume nor destroy it",
        Standing.LOST: "nothing can bring its memory back: end what is left of it (virsh destroy NAME), then start it anew",
        Standing.TWICE_STOPPED: "undefine it where it does not belong: virsh undefine NAME --keep-nvram",
        Standing.UNKNOWN: "see to the host that does not answer, then plan again; nothing is done until then",
        Standing.GONE: "apply again: it is defined and started anew",
        Standing.UNDER_WAY: "wait until the migration has ended, then plan again",
    }
)
"""What a person can do about what is not mended here."""


def heal(source: Session, destination: Session, uuid: str) -> tuple[Standing, str]:
    """Mends what can be mended: how it stands afterwards, and what was done ("" if nothing).

    Raises HostError if a call fails, or if a leftover definition has a saved state, which is never thrown away.
    """
    standing, here, _ = look(source, destination, uuid)
    if standing not in _MENDS:
        return standing, ""
    done = _mend(source, destination, uuid, standing, here)
    return look(source, destination, uuid)[0], done


def _mend(source: Session, destination: Session, uuid: str, standing: Standing, here: Sight) -> str:
    match standing:
        case Standing.HALF_ARRIVED:
            _destroy(destination, uuid)
            return f"what had arrived at {destination.spec.name} was taken away"
        case Standing.CUT_OFF:
            _resume(source, uuid)
            return f"the guest goes on at {source.spec.name}"
        case Standing.UNCONFIRMED:
            _destroy(source, uuid)
            if here.persistent:
                _undefine(source, destination, uuid)
            return f"what {source.spec.name} still held back was ended: the guest goes on at {destination.spec.name}"
        case Standing.LEFT_HERE:
            _undefine(source, destination, uuid)
            return f"the old definition at {source.spec.name} was taken away"
        case _:
            _undefine(destination, source, uuid)
            return f"the old definition at {destination.spec.name} was taken away"


def _destroy(session: Session, uuid: str) -> None:
    """virDomainDestroy of a process that is halted for a migration that has ended, and of no other."""
    domain = find(session, "virDomainLookupByUUIDString", session.conn.lookupByUUIDString, uuid)
    sight = see(session, uuid)
    if domain is None or sight.seen is not Seen.HALTED or sight.moving:
        return

    def ended() -> bool:
        return not find(session, "virDomainIsActive", domain.isActive)

    reach(session, ended, "virDomainDestroy", domain.destroy)


def _resume(session: Session, uuid: str) -> None:
    """virDomainResume of a guest that its own migration has halted, and that is nowhere else."""
    domain = session.call("virDomainLookupByUUIDString", session.conn.lookupByUUIDString, uuid)

    def goes_on() -> bool:
        return see(session, uuid).seen is Seen.RUNNING

    reach(session, goes_on, "virDomainResume", domain.resume)


def _undefine(session: Session, other: Session, uuid: str) -> None:
    """virDomainUndefineFlags of a definition that is nothing but left over. First the other host gets it, if it has none."""
    domain = find(session, "virDomainLookupByUUIDString", session.conn.lookupByUUIDString, uuid)
    if domain is None or see(session, uuid).seen is not Seen.STOPPED:
        return
    if session.call("virDomainHasManagedSaveImage", domain.hasManagedSaveImage):
        raise HostError(
            f"the old definition of {domain.name()} at {session.spec.name} has a saved state, so it is kept",
            hint=f"see whether it is still wanted, else give it up there: virsh managedsave-remove {domain.name()}",
        )
    right = other.call("virDomainLookupByUUIDString", other.conn.lookupByUUIDString, uuid)
    if not other.call("virDomainIsPersistent", right.isPersistent):
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
        xml = session.call("virDomainGetXMLDesc", domain.XMLDesc, flags)
        other.call("virDomainDefineXMLFlags", other.conn.defineXMLFlags, xml, 0)
    # NVRAM may lie on shared storage, where the guest needs it: it is never deleted here.
    session.call("virDomainUndefineFlags", domain.undefineFlags, flag("VIR_DOMAIN_UNDEFINE_KEEP_NVRAM"))


def told(standing: Standing, here: Sight, there: Sight, source: str, destination: str) -> str:
    """For a message: what each host has of the domain."""
    if standing is Standing.AT_SOURCE and here.seen is Seen.RUNNING:
        return f"it goes on running at {source}, and nothing of it is at {destination}"
    return f"{source}: {here.seen.value}; {destination}: {there.seen.value}"
