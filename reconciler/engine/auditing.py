"""What was wiped from this machine: the audit's records, all of them or those of one resource."""

from __future__ import annotations

from reconciler.errors import UsageError
from reconciler.host import audit
from reconciler.host.audit import Record

__all__ = ["Record", "records"]


def records(name: str = "") -> tuple[tuple[Record, ...], int]:
    """Oldest first, and how many lines cannot be read. `name` is KIND/NAME, of a volume also Volume/POOL/NAME; "" means all.

    Raises HostError if the file cannot be read, UsageError if `name` is of another form.
    """
    found, damaged = audit.read()
    if not name:
        return found, damaged
    kind, slash, rest = name.partition("/")
    if not (kind and slash and rest):
        raise UsageError(f"{name!r} names no resource", hint="write KIND/NAME, such as Volume/web1.qcow2")
    return tuple(one for one in found if one.kind == kind and rest in {one.name, f"{one.pool}/{one.name}"}), damaged
