"""What a domain is doing now, asked of libvirt, and suspending it. A transient domain that has ended is not active."""

from __future__ import annotations

import libvirt

from reconciler.host.drivers.calls import find, reach
from reconciler.host.drivers.step import Step


def state_of(step: Step, domain: libvirt.virDomain) -> int:
    """The VIR_DOMAIN_ number of virDomainGetState; VIR_DOMAIN_SHUTOFF for one that is not there any more."""
    found = find(step.session, "virDomainGetState", domain.state, 0)
    return libvirt.VIR_DOMAIN_SHUTOFF if found is None else int(found[0])


def is_active(step: Step, domain: libvirt.virDomain) -> bool:
    """Whether a guest exists, running or not."""
    return bool(find(step.session, "virDomainIsActive", domain.isActive))


def is_paused(step: Step, domain: libvirt.virDomain) -> bool:
    """Whether the guest is suspended."""
    return state_of(step, domain) == int(libvirt.VIR_DOMAIN_PAUSED)


def pause(step: Step, domain: libvirt.virDomain) -> None:
    """By virDomainSuspend, unless it is suspended."""
    reach(step.session, lambda: is_paused(step, domain), "virDomainSuspend", domain.suspend)
