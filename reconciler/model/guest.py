"""A domain that is to move to another host, and its disks, as they were found. Values only."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Sharing(enum.StrEnum):
    """Whether a disk's source is the very same thing on both hosts."""

    SHARED = "shared"
    SEPARATE = "separate"
    UNKNOWN = "unknown"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of the guest. `capacity` and `allocation` are bytes, 0 where they are not known; `why` tells how `sharing` is known.

    `folder` is the directory of a file, which must be reached at the destination, too; `there`: the destination has a file of
    this path. `optional`: the guest may lose it (startupPolicy). `labelled`: libvirt leaves its owner alone. `backing` is path
    and format of the file it is an overlay of.
    """

    target: str
    source: str
    sharing: Sharing
    why: str = ""
    folder: str = ""
    format: str = "raw"
    cache: str = ""
    readonly: bool = False
    optional: bool = False
    there: bool = False
    labelled: bool = False
    backing: tuple[str, str] | None = None
    capacity: int = 0
    allocation: int = 0


@dataclass(frozen=True, slots=True)
class Guest:
    """The domain that is to move, as it was when the hosts were looked at."""

    uuid: str
    name: str
    active: bool
    persistent: bool
    paused: bool
    autostart: bool
    disks: tuple[Disk, ...] = ()
