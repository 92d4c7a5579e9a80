"""Reading many objects with few calls: filtered lists instead of questions per object, and several calls on the way at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import libvirt

from reconciler.errors import LibvirtCallError
from reconciler.host import failures
from reconciler.host.session import Session

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")

AT_ONCE = 5
"""Calls on the way over one connection: as many as libvirtd serves by default (max_client_requests)."""

_NO_SUCH_FILTER = failures.UNSUPPORTED | {libvirt.VIR_ERR_INVALID_ARG}


def chosen(session: Session, call: str, function: Callable[[int], Iterable[Any]], flag: int) -> frozenset[str]:
    """The UUIDs of the objects that a list call gives for a filter flag; none if the host's driver does not know the filter."""
    try:
        return frozenset(found.UUIDString() for found in session.call(call, function, flag))
    except LibvirtCallError as error:
        if error.code in _NO_SUCH_FILTER:
            return frozenset()
        raise


def supported(session: Session, call: str, function: Callable[..., T], *args: Any, otherwise: T) -> T:
    """What a call answers; `otherwise` if the host's driver does not have it."""
    try:
        return session.call(call, function, *args)
    except LibvirtCallError as error:
        if error.code in failures.UNSUPPORTED:
            return otherwise
        raise


def inactive_xml(session: Session, call: str, function: Callable[[int], str], flag: int) -> str:
    """The inactive definition: the XML for `flag`, or the only XML there is where the driver does not know the flag (test)."""
    try:
        return session.call(call, function, flag)
    except LibvirtCallError as error:
        if error.code != libvirt.VIR_ERR_INVALID_ARG:
            raise
        return session.call(call, function, 0)


def unless_gone(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What `function` answers; None if libvirt says that the object is not there (any more)."""
    try:
        return function(*args, **kwargs)
    except LibvirtCallError as error:
        if error.code in failures.ABSENT:
            return None
        raise


def each(session: Session, function: Callable[[S], T | None], items: Iterable[S]) -> list[T]:
    """`function` of each item, in order, without those that are gone (None)."""

    def read(item: S) -> T | None:
        return unless_gone(function, item)

    if session.world:  # within this process a call waits for nothing
        answers = map(read, items)
        return [answer for answer in answers if answer is not None]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="observe") as pool:
        return [answer for answer in pool.map(read, items) if answer is not None]
