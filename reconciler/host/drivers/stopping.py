"""Asking a guest to end, and waiting until it has: the one place where drivers wait for what only a guest can do."""

from __future__ import annotations

from types import MappingProxyType

import libvirt

from reconciler.errors import GuestTimeoutError, LibvirtCallError
from reconciler.host.drivers import domain as definitions
from reconciler.host.drivers import power
from reconciler.host.drivers.calls import with_flags
from reconciler.host.drivers.options import Shutdown
from reconciler.host.drivers.states import is_active, is_paused, state_of
from reconciler.host.drivers.step import Step

REPEAT = 5.0  # seconds between two requests: a guest that is booting does not hear the first ones
GLANCE = 0.2  # seconds between two looks at the state

METHODS = MappingProxyType(
    {
        "agent": libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
        "acpi": libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
        "initctl": libvirt.VIR_DOMAIN_SHUTDOWN_INITCTL,
        "signal": libvirt.VIR_DOMAIN_SHUTDOWN_SIGNAL,
        "paravirt": libvirt.VIR_DOMAIN_SHUTDOWN_PARAVIRT,
    }
)


def shutdown(step: Step) -> None:
    """By virDomainShutdownFlags by the manifest's methods, repeated until the guest has ended.

    When its time is over: virDomainDestroy if `shutdown.force`, else GuestTimeoutError, and the guest goes on.
    """
    domain = definitions.ours(step)
    if domain is not None:
        _end(step, domain, Shutdown.of(step.options))


def _end(step: Step, domain: libvirt.virDomain, how: Shutdown) -> None:
    begin = step.clock()
    asked = float("-inf")
    while is_active(step, domain):
        now = step.clock()
        if now - begin >= how.timeout:
            _give_up(step, how)
            return
        if now - asked >= REPEAT:
            asked = now
            _ask(step, domain, how.methods)
            step.report(f"waiting for the guest, at most {how.timeout - (now - begin):.0f} s more", None)
        step.sleep(min(GLANCE, how.timeout))


def _ask(step: Step, domain: libvirt.virDomain, methods: tuple[str, ...]) -> None:
    """By the first method that is taken. Raises the last one's error if none is and the guest is still there.

    A guest that hears nothing now (it is paused, or its process is just being ended for somebody else) may do so later.
    """
    failure: LibvirtCallError | None = None
    for method in methods:
        try:
            # A driver that knows no methods (the test driver) has one way only, which is 0.
            with_flags(step.session, "virDomainShutdownFlags", domain.shutdownFlags, tries=(METHODS[method], 0))
        except LibvirtCallError as error:
            failure = error
        else:
            return
    if failure is not None and failure.code != libvirt.VIR_ERR_OPERATION_INVALID and is_active(step, domain):
        raise failure


def _give_up(step: Step, how: Shutdown) -> None:
    if how.force:
        step.report("the guest did not end in time: destroying it", None)
        power.stop(step)
        return
    raise GuestTimeoutError(
        f"{step.id}: the guest has not shut down within {how.timeout:g} s",
        detail=f"asked by {', '.join(how.methods)}; it is still running, nothing was forced",
        hint="give it longer (shutdown.timeout), allow `shutdown.force: true`, or end it by hand: virsh destroy " + step.id.name,
    )


def restart(step: Step) -> None:
    """A graceful shutdown and a start, so that the definition takes effect; a guest that was paused is paused again.

    A transient domain is created anew from the manifest. One that is off already is just started.
    """
    domain = definitions.ours(step)
    paused = step.plan.desired_state == "paused"
    if domain is not None:
        if state_of(step, domain) in (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PMSUSPENDED):
            paused = paused or is_paused(step, domain)
            power.resume(step)  # a guest at rest hears no request
        _end(step, domain, Shutdown.of(step.options))
    if definitions.ours(step) is None:
        definitions.create(step)
    elif paused:
        power.start_paused(step)
    else:
        power.start(step)
