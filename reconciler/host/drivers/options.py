"""The parts of a manifest that drivers read from Desired.options, with their types. Reading only: defaults are the schema's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shutdown:
    """How a guest is asked to end: `timeout` in seconds for all of it, `methods` in the order in which they are tried."""

    timeout: float = 60.0
    methods: tuple[str, ...] = ("agent", "acpi")
    force: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Shutdown:
        """From ``shutdown: {timeout, method, force}``, the timeout in seconds; what is missing (in an old mark) is as above."""
        given = options.get("shutdown") or {}
        return cls(
            timeout=float(given.get("timeout", cls().timeout)),
            methods=tuple(given.get("method") or cls().methods),
            force=bool(given.get("force", False)),
        )


@dataclass(frozen=True, slots=True)
class Upload:
    """A local file that becomes a volume's content. `sha256` is in lower case, "" if it is not to be checked."""

    path: str
    sha256: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Upload | None:
        """From ``upload: {path, sha256}``."""
        given = options.get("upload")
        return cls(path=given["path"], sha256=(given.get("sha256") or "").lower()) if given else None


@dataclass(frozen=True, slots=True)
class Clone:
    """The volume that a new one is copied from; `pool` is "" for the new one's own."""

    volume: str
    pool: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Clone | None:
        """From ``clone: {volume, pool}``."""
        given = options.get("clone")
        return cls(volume=given["volume"], pool=given.get("pool") or "") if given else None


@dataclass(frozen=True, slots=True)
class Wipe:
    """How a volume's content is destroyed: by libvirt's `algorithm`, `passes` times, and looked at afterwards if `verify`."""

    algorithm: str = "zero"
    passes: int = 1
    verify: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Wipe:
        """From ``wipe: {algorithm, passes, verify}``; what is missing is as above."""
        given = options.get("wipe") or {}
        return cls(
            algorithm=str(given.get("algorithm") or cls().algorithm),
            passes=int(given.get("passes") or cls().passes),
            verify=bool(given.get("verify", cls().verify)),
        )


def deletes_data(options: Mapping[str, Any]) -> bool:
    """Whether a domain's ``onDelete.volumes`` gives up its data (``delete``, ``wipe``) instead of retaining it."""
    policy: Mapping[str, Any] = options.get("onDelete") or {}
    return str(policy.get("volumes", "retain")) != "retain"
