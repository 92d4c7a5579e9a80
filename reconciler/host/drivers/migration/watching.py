"""Watching a migration: how far it is, when it takes too long, when it must be given up; and doing so.

Nothing here knows how it began or what it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import libvirt

from reconciler.errors import ConnectionLostError, HostUnreachableError, LibvirtCallError
from reconciler.host.drivers.calls import find
from reconciler.host.drivers.migration.carrying import Carrier
from reconciler.host.drivers.migration.move import Move
from reconciler.host.session import Session
from reconciler.model.migration import OnTimeout, Progress

GLANCE = 0.1  # seconds between two looks
FORCED = 120_000  # milliseconds that the guest may stand still when it is made to converge
CUT = 1.0  # seconds between two attempts to abort


class Watch:
    """One migration that is being watched.

    After `follow`: `given_up` says why it was aborted, "" if it was not; `last` is the last progress; `suspended` that the guest
    was paused so that it got through.
    """

    def __init__(self, plan: Move) -> None:
        self._plan = plan
        self.given_up = ""
        self.suspended = False
        self.last = Progress("beginning")
        self._begin = self._moved = plan.clock()
        self._cut = float("-inf")
        self._pressed = self._tuned = self._switched = False

    def follow(self, carrier: Carrier) -> None:
        """Returns when the call has ended, however it did, and with it the migration.

        The source's daemon goes on with a peer-to-peer migration whose caller's connection broke: so does this.
        """
        self._begin = self._moved = self._plan.clock()
        while not carrier.done or (isinstance(carrier.error, ConnectionLostError) and self._goes_on()):
            self._look()
            self._plan.sleep(GLANCE)

    def give_up(self, carrier: Carrier) -> None:
        """Aborts it and waits until the call has ended, at most as long as patience lasts: the way out after an exception."""
        deadline = self._plan.clock() + self._plan.patience
        while not carrier.done and self._plan.clock() < deadline:
            self._abort()
            self._plan.sleep(GLANCE)

    def _goes_on(self) -> bool:
        try:
            self._plan.source.reconnect(patience=self._plan.patience)
        except HostUnreachableError:
            return False
        domain = self._domain()
        return bool(self._plan.route.peer) and domain is not None and bool(self._stats(domain))

    def _look(self) -> None:
        domain = self._domain()
        stats = {} if domain is None else self._stats(domain)
        now = self._plan.clock()
        if domain is not None and stats:
            self._tune(domain)
            self._progress(stats, now)
        if not self.given_up:
            self.given_up = self._reason(now)
        if self.given_up:
            self._abort()
        elif domain is not None and stats:
            self._hurry(domain, now)

    def _domain(self) -> libvirt.virDomain | None:
        source = self._plan.source
        try:
            return find(source, "virDomainLookupByUUIDString", source.conn.lookupByUUIDString, self._plan.uuid)
        except ConnectionLostError:  # the call ends by itself then, or goes on without us
            return None

    def _stats(self, domain: libvirt.virDomain) -> Mapping[str, Any]:
        try:
            stats: dict[str, Any] = self._plan.source.call("virDomainGetJobStats", domain.jobStats)
        except (LibvirtCallError, ConnectionLostError):  # it is just over
            return {}
        out = libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
        return stats if stats.get("type") and stats.get(libvirt.VIR_DOMAIN_JOB_OPERATION) == out else {}

    def _tune(self, domain: libvirt.virDomain) -> None:
        """virDomainMigrateSetMaxDowntime is no parameter of the call, and lasts as long as the job."""
        wanted = self._plan.spec.max_downtime
        if not self._tuned and wanted:
            self._try("virDomainMigrateSetMaxDowntime", domain.migrateSetMaxDowntime, max(1, round(wanted * 1000)))
        self._tuned = True

    def _progress(self, stats: Mapping[str, Any], now: float) -> None:
        progress = progress_of(stats, self._switched)
        if (progress.transferred, progress.remaining) != (self.last.transferred, self.last.remaining):
            self._moved = now
        self.last = progress
        self._plan.report(progress)

    def _reason(self, now: float) -> str:
        """Why it must be given up; "" to go on."""
        if self._plan.stopping():
            return "interrupted"
        if self._late(now) and self._plan.spec.on_timeout is OnTimeout.ABORT:
            return f"not through within {self._plan.spec.timeout:g} s"
        if not self._plan.route.peer and not alive(self._plan.destination):
            return f"the connection to {self._plan.destination.spec.name} is gone"
        if self.last.transferred and now - self._moved >= self._plan.patience:
            return f"nothing has been transferred for {self._plan.patience:g} s"
        return ""

    def _late(self, now: float) -> bool:
        timeout = self._plan.spec.timeout
        return timeout > 0 and now - self._begin >= timeout

    def _abort(self) -> None:
        """virDomainAbortJob, again and again: before the job has begun, and in post-copy, it is refused."""
        now, domain = self._plan.clock(), self._domain()
        if domain is not None and now - self._cut >= CUT and self._stats(domain):
            self._cut = now
            self._try("virDomainAbortJob", domain.abortJob)

    def _hurry(self, domain: libvirt.virDomain, now: float) -> None:
        """What is to be done at the timeout, once; and the switch to post-copy after the first pass."""
        if self._plan.spec.post_copy and self.last.iteration > 1:
            self._switch(domain)
        if self._pressed or not self._late(now):
            return
        self._pressed = True
        match self._plan.spec.on_timeout:
            case OnTimeout.SUSPEND:
                self.suspended = self._try("virDomainSuspend", domain.suspend)
            case OnTimeout.POST_COPY:
                self._switch(domain)
            case OnTimeout.FORCE_CONVERGE:
                self._try("virDomainMigrateSetMaxDowntime", domain.migrateSetMaxDowntime, FORCED)
            case OnTimeout.ABORT:
                pass

    def _switch(self, domain: libvirt.virDomain) -> None:
        if not self._switched:
            self._switched = self._try("virDomainMigrateStartPostCopy", domain.migrateStartPostCopy)

    def _try(self, name: str, function: Callable[..., object], *args: object) -> bool:
        """A call that may come too early or too late, which is no failure: the migration itself tells how it ended."""
        try:
            self._plan.source.call(name, function, *args)
        except (LibvirtCallError, ConnectionLostError):
            return False
        return True


def alive(session: Session) -> bool:
    """Whether the connection is still there, without asking the host."""
    try:
        return bool(session.conn.isAlive())
    except libvirt.libvirtError:
        return False


def progress_of(stats: Mapping[str, Any], post_copy: bool) -> Progress:  # noqa: FBT001  one of two facts
    """From virDomainGetJobStats, whose times are milliseconds. Disks are copied first, and memory waits for them."""

    def number(name: str) -> int:
        return int(stats.get(name, 0))

    disks = number(libvirt.VIR_DOMAIN_JOB_DISK_REMAINING) > 0
    passes = number(libvirt.VIR_DOMAIN_JOB_MEMORY_ITERATION)
    phase = "post-copy" if post_copy else "copying disks" if disks else "copying memory" if passes else "preparing"
    return Progress(
        phase=phase,
        transferred=number(libvirt.VIR_DOMAIN_JOB_DATA_PROCESSED),
        remaining=number(libvirt.VIR_DOMAIN_JOB_DATA_REMAINING),
        total=number(libvirt.VIR_DOMAIN_JOB_DATA_TOTAL),
        rate=number(libvirt.VIR_DOMAIN_JOB_DISK_BPS if disks else libvirt.VIR_DOMAIN_JOB_MEMORY_BPS),
        downtime=number(libvirt.VIR_DOMAIN_JOB_DOWNTIME) / 1000,
        iteration=passes,
        seconds=number(libvirt.VIR_DOMAIN_JOB_TIME_ELAPSED) / 1000,
    )
