"""Making single libvirt calls repeatable: absent objects, effects that are there already, flags that a host does not know.

Nothing here knows a kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

import libvirt

from reconciler.errors import LibvirtCallError
from reconciler.host import failures
from reconciler.host.drivers.placeholders import call_quietly
from reconciler.host.session import Session

P = ParamSpec("P")
T = TypeVar("T")


def find(session: Session, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """The object that a lookup call finds, or None if libvirt says that there is none. Nothing has an empty name or UUID."""
    if args and args[0] == "":
        return None
    try:
        return session.call(name, function, *args, **kwargs)
    except LibvirtCallError as error:
        if error.code in failures.ABSENT:
            return None
        raise


def reach(
    session: Session, effect: Callable[[], bool], name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Calls unless `effect` holds already. A call that fails while its effect came about by another hand is no failure."""
    if effect():
        return
    try:
        session.call(name, function, *args, **kwargs)
    except LibvirtCallError:
        if not effect():
            raise


def flag(name: str) -> int:
    """A libvirt constant, or 0 where the libvirt-python that is installed is too old to know it."""
    return int(getattr(libvirt, name, 0))


def with_flags(
    session: Session,
    name: str,
    function: Callable[..., T],
    *args: Any,
    tries: tuple[int, ...],
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> T:
    """Calls with the first of `tries` (flags as the last argument) that the host's driver knows.

    A driver that does not know a flag refuses the whole call with VIR_ERR_INVALID_ARG before doing anything. `secrets` are kept
    out of errors.
    """
    *others, last = dict.fromkeys(tries)
    for flags in others:
        try:
            return call_quietly(session, secrets, name, function, *args, flags)
        except LibvirtCallError as error:
            if error.code != libvirt.VIR_ERR_INVALID_ARG or "unsupported flags" not in error.detail:
                raise
    return call_quietly(session, secrets, name, function, *args, last)
