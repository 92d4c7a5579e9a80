"""Moving a domain to another host, as values: what is asked for, what was found, what was chosen, how far it is, what came of it.

No libvirt here. The words for modes are libvirt's own.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.guest import Disk, Guest


class Mode(enum.StrEnum):
    """How a domain travels: ``auto`` chooses; ``standard`` stops the guest meanwhile, ``offline`` moves a definition only."""

    AUTO = "auto"
    STANDARD = "standard"
    LIVE = "live"
    P2P = "p2p"
    TUNNELLED = "tunnelled"
    DIRECT = "direct"
    OFFLINE = "offline"


class Storing(enum.StrEnum):
    """What becomes of disks: ``none`` asks nothing and trusts the user that the destination has them."""

    AUTO = "auto"
    SHARED = "shared"
    COPY = "copy"
    INCREMENTAL = "copy-incremental"
    NONE = "none"


class OnTimeout(enum.StrEnum):
    """What is done with a migration that is not through in time."""

    ABORT = "abort"
    SUSPEND = "suspend"
    POST_COPY = "post-copy"
    FORCE_CONVERGE = "force-converge"


@dataclass(frozen=True, slots=True)
class MigrationSpec:
    """A domain's ``migration:``. `bandwidth` is in bytes a second, `max_downtime` and `timeout` in seconds; 0 is no limit.

    `p2p` is None for ``auto``. `parallel` is the number of connections (0: one stream, as usual). `uri` is where the memory is
    sent (``tcp://host:port``), or for peer-to-peer the destination daemon as the source reaches it (``qemu+tcp://host/system``).
    `unsafe` trusts that disks are shared and coherent where libvirt does not; `tls` encrypts what QEMU sends to QEMU.
    """

    mode: Mode = Mode.AUTO
    live: bool = True
    p2p: bool | None = None
    tunnelled: bool = False
    storage: Storing = Storing.AUTO
    bandwidth: int = 0
    max_downtime: float = 0.0
    timeout: float = 0.0
    on_timeout: OnTimeout = OnTimeout.ABORT
    auto_converge: bool = False
    post_copy: bool = False
    parallel: int = 0
    compressed: bool = False
    uri: str = ""
    unsafe: bool = False
    tls: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> MigrationSpec:
        """From ``migration:`` of a domain's options, amounts as numbers (bytes, seconds); what is missing is as above.

        Raises ValueError for a word that none of the enumerations has.
        """
        given: Mapping[str, Any] = options.get("migration") or {}
        usual, p2p = cls(), given.get("p2p", "auto")
        return cls(
            mode=Mode(given.get("mode", usual.mode)),
            live=bool(given.get("live", usual.live)),
            p2p=None if p2p in ("auto", None) else bool(p2p),
            tunnelled=bool(given.get("tunnelled", usual.tunnelled)),
            storage=Storing(given.get("storage", usual.storage)),
            bandwidth=int(given.get("bandwidth") or 0),
            max_downtime=float(given.get("maxDowntime") or 0),
            timeout=float(given.get("timeout") or 0),
            on_timeout=OnTimeout(given.get("onTimeout", usual.on_timeout)),
            auto_converge=bool(given.get("autoConverge", usual.auto_converge)),
            post_copy=bool(given.get("postCopy", usual.post_copy)),
            parallel=int(given.get("parallel") or 0),
            compressed=bool(given.get("compressed", usual.compressed)),
            uri=str(given.get("uri") or ""),
            unsafe=bool(given.get("unsafe", usual.unsafe)),
            tls=bool(given.get("tls", usual.tls)),
        )

    @property
    def peer_to_peer(self) -> bool:
        """Whether the source's daemon is to speak with the destination's itself."""
        return self.p2p is True or self.through_daemons or self.mode is Mode.P2P

    @property
    def through_daemons(self) -> bool:
        """Whether the memory goes through both daemons' connection."""
        return self.tunnelled or self.mode is Mode.TUNNELLED


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table before a migration. `ok` is None where the answer cannot be had, or is a warning.

    A failure that is `fatal` forbids the migration; `remedy` says in one sentence what to do about it.
    """

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""
    fatal: bool = True

    @classmethod
    def passes(cls, name: str, detail: str) -> Check:
        return cls(name, ok=True, detail=detail)

    @classmethod
    def fails(cls, name: str, detail: str, remedy: str, *, fatal: bool = True) -> Check:
        return cls(name, ok=False, detail=detail, remedy=remedy, fatal=fatal)

    @classmethod
    def doubts(cls, name: str, detail: str, remedy: str = "") -> Check:
        return cls(name, ok=None, detail=detail, remedy=remedy, fatal=False)

    @property
    def forbids(self) -> bool:
        return self.ok is False and self.fatal


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found before anything was touched. `peer` is the destination's daemon as the source reaches it, "" if unknown.

    `address` is where the memory must be sent if libvirt's own choice cannot work, else "".
    """

    guest: Guest
    checks: tuple[Check, ...]
    peer: str = ""
    address: str = ""

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.forbids)


@dataclass(frozen=True, slots=True)
class Route:
    """How a domain will travel. `flags` are libvirt's VIR_MIGRATE_ names without the prefix, in small letters with hyphens.

    `parameters` go by the names of virDomainMigrate3's typed parameters. `peer` is the URI for peer-to-peer, else "".
    `copies` are the disks whose content travels, too. `reasons` tell a person why it was chosen so.
    """

    flags: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    peer: str = ""
    copies: tuple[Disk, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def offline(self) -> bool:
        return "offline" in self.flags


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: amounts in bytes, `rate` in bytes a second, `downtime` (expected) and `seconds` (so far) in seconds."""

    phase: str
    transferred: int = 0
    remaining: int = 0
    total: int = 0
    rate: int = 0
    downtime: float = 0.0
    iteration: int = 0
    seconds: float = 0.0

    @property
    def fraction(self) -> float | None:
        """From 0 to 1; None while libvirt has not counted."""
        return max(0.0, min(1.0, 1 - self.remaining / self.total)) if self.total else None

    @property
    def message(self) -> str:
        """For people: amounts in MiB, since libvirt's limits are."""
        parts = (
            self.phase,
            f"pass {self.iteration}" if self.iteration else "",
            f"{self.transferred >> 20} MiB sent, {self.remaining >> 20} MiB left" if self.total else "",
            f"{self.rate / (1 << 20):.1f} MiB/s" if self.rate else "",
            f"{self.downtime * 1000:.0f} ms of standstill expected" if self.downtime else "",
        )
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Moved:
    """A domain that is at its destination. `seconds` is the time of it all; `downtime` how long the guest stood still, if told.

    `copied` are the paths of disks whose old copy stays at the source; `made` the keys of the volumes made at the destination.
    `notes` tell what is not as it was.
    """

    seconds: float
    downtime: float | None
    transferred: int
    copied: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
