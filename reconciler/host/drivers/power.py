"""A domain's power: start, stop, pause, save and their reverses. No definitions, see domain.py; no waiting, see stopping.py.

Each verb looks at the state first, and does nothing if its effect is there: drivers answer a call in the wrong state with
different errors.
"""

from __future__ import annotations

import libvirt

from reconciler.errors import HostError
from reconciler.host.drivers import domain as definitions
from reconciler.host.drivers.calls import reach, with_flags
from reconciler.host.drivers.states import is_active, is_paused, pause, state_of
from reconciler.host.drivers.step import Step


def start(step: Step) -> None:
    """By virDomainCreateWithFlags. If the domain has a saved state by now, it is restored: nothing is lost."""
    domain = definitions.expect(step)
    reach(step.session, lambda: is_active(step, domain), "virDomainCreateWithFlags", domain.createWithFlags, 0)


def start_paused(step: Step) -> None:
    """The same with VIR_DOMAIN_START_PAUSED; a driver without it (the test driver) starts and suspends."""
    domain = definitions.expect(step)
    _start_paused(step, domain)


def _start_paused(step: Step, domain: libvirt.virDomain) -> None:
    if is_active(step, domain):
        return
    with_flags(step.session, "virDomainCreateWithFlags", domain.createWithFlags, tries=(libvirt.VIR_DOMAIN_START_PAUSED, 0))
    pause(step, domain)


def restore(step: Step) -> None:
    """Start from the managed save; a guest that was saved while paused is resumed."""
    domain = _saved(step)
    reach(step.session, lambda: is_active(step, domain), "virDomainCreateWithFlags", domain.createWithFlags, 0)
    _resume(step, domain)


def restore_paused(step: Step) -> None:
    """Start from the managed save, paused."""
    _start_paused(step, _saved(step))


def _saved(step: Step) -> libvirt.virDomain:
    domain = definitions.expect(step)
    if not is_active(step, domain) and not _has_image(step, domain):
        raise HostError(f"{step.id}: its saved state is gone", hint="plan again: it would boot anew now")
    return domain


def _has_image(step: Step, domain: libvirt.virDomain) -> bool:
    return bool(step.call("virDomainHasManagedSaveImage", domain.hasManagedSaveImage, 0))


def suspend(step: Step) -> None:
    """By virDomainSuspend."""
    pause(step, definitions.expect(step))


def resume(step: Step) -> None:
    """By virDomainResume; virDomainPMWakeup for a guest that has put itself to sleep."""
    _resume(step, definitions.expect(step))


def _resume(step: Step, domain: libvirt.virDomain) -> None:
    if state_of(step, domain) == libvirt.VIR_DOMAIN_PMSUSPENDED:
        step.call("virDomainPMWakeup", domain.pMWakeup, 0)
    elif is_paused(step, domain):
        reach(step.session, lambda: not is_paused(step, domain), "virDomainResume", domain.resume)


def stop(step: Step) -> None:
    """By virDomainDestroy, as pulling the plug. A transient domain is gone afterwards."""
    domain = definitions.ours(step)
    if domain is not None:
        reach(step.session, lambda: not is_active(step, domain), "virDomainDestroy", domain.destroy)


def save(step: Step) -> None:
    """By virDomainManagedSave. Restoring brings back the state it had, running or paused."""
    domain = definitions.expect(step)
    step.report("saving the guest's memory", None)
    reach(
        step.session,
        lambda: not is_active(step, domain) and _has_image(step, domain),
        "virDomainManagedSave",
        domain.managedSave,
        0,
    )


def discard_saved(step: Step) -> None:
    """By virDomainManagedSaveRemove: what the guest had in memory is lost."""
    domain = definitions.ours(step)
    if domain is not None:
        reach(step.session, lambda: not _has_image(step, domain), "virDomainManagedSaveRemove", domain.managedSaveRemove, 0)
