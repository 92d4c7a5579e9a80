"""Errors of libvirt in our words: which class, whether the connection broke, and what a person can do about it.

Only classification; nothing here calls a host.
"""

from __future__ import annotations

import re

import libvirt

from reconciler.errors import ConnectionLostError, HostError, HostUnreachableError, LibvirtCallError
from reconciler.host.hints import CALLING, OPENING, hint

ABSENT = frozenset(
    {
        libvirt.VIR_ERR_NO_DOMAIN,
        libvirt.VIR_ERR_NO_NETWORK,
        libvirt.VIR_ERR_NO_STORAGE_POOL,
        libvirt.VIR_ERR_NO_STORAGE_VOL,
        libvirt.VIR_ERR_NO_SECRET,
        libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT,
    }
)
"""Codes that say: the object is not there (any more)."""

UNSUPPORTED = frozenset({libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_OPERATION_UNSUPPORTED})
"""Codes that say: this host's driver cannot do that at all."""

REFUSED = frozenset(
    {
        libvirt.VIR_ERR_AUTH_FAILED,
        libvirt.VIR_ERR_AUTH_CANCELLED,
        libvirt.VIR_ERR_AUTH_UNAVAILABLE,
        libvirt.VIR_ERR_ACCESS_DENIED,
        libvirt.VIR_ERR_OPERATION_DENIED,
    }
)
"""Codes that say: there is such a host, but we may not (fully) use it."""

_LOST = re.compile(
    r"client socket is closed|End of file while reading data|Cannot (?:write|read|recv) data|keepalive timeout"
    r"|connection closed|Broken pipe|Connection reset by peer"
)


def broke(error: libvirt.libvirtError) -> bool:
    """Whether the error says that the connection itself is gone (it may not say so: then ask the connection)."""
    if error.get_error_code() == libvirt.VIR_ERR_INVALID_CONN:
        return True
    return rpc(error) and _LOST.search(error.get_error_message() or "") is not None


def rpc(error: libvirt.libvirtError) -> bool:
    """Whether the error comes from the transport: ours, or one that the host itself has with a third machine (migration)."""
    transport = error.get_error_domain() == libvirt.VIR_FROM_RPC
    return transport and error.get_error_code() in (libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_SYSTEM_ERROR)


def unreachable(uri: str, error: libvirt.libvirtError) -> HostUnreachableError:
    """The error for a connection that could not be opened."""
    message = error.get_error_message() or str(error)
    advice = hint(OPENING, error.get_error_code() or 0, message)
    return HostUnreachableError(f"cannot connect to {uri}", detail=message, hint=advice)


def lost(uri: str, call: str, error: libvirt.libvirtError) -> ConnectionLostError:
    """The error for a connection that broke during a call."""
    return ConnectionLostError(
        f"the connection to {uri} broke during {call}",
        detail=error.get_error_message() or str(error),
        hint="what the call did is seen when the host is observed again: run the same command once more",
    )


def failed(call: str, error: libvirt.libvirtError) -> HostError:
    """The error for a call that the host refused or could not do."""
    code = error.get_error_code() or 0
    message = error.get_error_message() or str(error)
    if code == libvirt.VIR_ERR_OPERATION_DENIED:
        summary = f"{call} is not allowed over this connection"
    else:
        summary = f"{call} failed: {message.splitlines()[0]}" if message else f"{call} failed"
    return LibvirtCallError(summary, call=call, code=code, detail=message, hint=hint(CALLING, code, message))
