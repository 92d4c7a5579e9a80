"""The hands: for each kind, each verb as libvirt calls. They decide nothing that planning decides, but they protect.

Every verb looks the object up again by its UUID (a volume: its key) and makes sure that it is still ours before it changes
anything; every verb does nothing if its effect is there already, so that one that was interrupted can be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reconciler.host.drivers import domain, marking, migrating, network, pool, power, stopping, updating, volume
from reconciler.host.drivers.snapshots import deleting, reverting, taking
from reconciler.host.drivers.step import Driver, Step
from reconciler.host.drivers.wiping import domains
from reconciler.host.drivers.wiping.volumes import check_wipe
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.state import Mark

__all__ = ["CHECKS", "DRIVERS", "Driver", "Step", "settle"]

_DOMAIN: Mapping[Verb, Driver] = MappingProxyType(
    {
        Verb.DEFINE: domain.define,
        Verb.CREATE: domain.create,
        Verb.ADOPT: domain.adopt,
        Verb.FORGET: domain.forget,
        Verb.AUTOSTART: domain.autostart,
        Verb.WIPE: domains.wipe,
        Verb.DELETE: domains.delete,
        Verb.UNDEFINE: domain.undefine,
        Verb.UPDATE: updating.update,
        Verb.START: power.start,
        Verb.START_PAUSED: power.start_paused,
        Verb.RESTORE: power.restore,
        Verb.RESTORE_PAUSED: power.restore_paused,
        Verb.RESUME: power.resume,
        Verb.SUSPEND: power.suspend,
        Verb.STOP: power.stop,
        Verb.SAVE: power.save,
        Verb.DISCARD_SAVED: power.discard_saved,
        Verb.SHUTDOWN: stopping.shutdown,
        Verb.RESTART: stopping.restart,
        Verb.SNAPSHOT: taking.take,
        Verb.DELETE_SNAPSHOT: deleting.delete,
        Verb.REVERT: reverting.revert,
        Verb.MIGRATE: migrating.migrate,
    }
)

DRIVERS: Mapping[str, Mapping[Verb, Driver]] = MappingProxyType(
    {"Pool": pool.DRIVERS, "Volume": volume.DRIVERS, "Network": network.DRIVERS, "Domain": _DOMAIN}
)
"""Kind -> verb -> function. FORGET is the inventory's alone for all kinds but domains, which carry a mark to take off."""

CHECKS: Mapping[tuple[str, Verb], Driver] = MappingProxyType(
    {("Volume", Verb.WIPE): check_wipe, ("Domain", Verb.WIPE): domains.check_wipe}
)
"""(kind, verb) -> what is to be found out before anything of a plan is done. Raises HostError if the host cannot do the verb."""

_SETTLE = MappingProxyType({"Pool": pool.settle, "Volume": volume.settle, "Network": network.settle, "Domain": marking.settle})


def settle(session: Session, mark: Mark) -> Mark:
    """After the last action of a resource: `mark` with `uuid`, `readback` and `live` (digests) as the host has them now.

    A domain's is also written into its metadata, live and persistent. The mark comes back unchanged if the object is not there.
    """
    return _SETTLE[mark.id.kind](session, mark)
