"""How a connection is opened: within a time limit, without asking anybody for a password, read-only if no more is granted."""

from __future__ import annotations

import queue
import threading
from urllib.parse import parse_qs, urlsplit

import libvirt

from reconciler.errors import HostUnreachableError
from reconciler.host import eventloop, failures

KEEPALIVE_INTERVAL = 5  # seconds between two signs of life
KEEPALIVE_COUNT = 3  # signs that may be missing: a daemon that hangs is noticed after 20 s


def connect(uri: str, timeout: float) -> tuple[libvirt.virConnect, bool]:
    """An open connection, kept alive, and whether it is read-only. Raises HostUnreachableError."""
    eventloop.ensure_running()
    try:
        conn = _open_within(uri, 0, timeout)
        read_only = _is_secretly_read_only(uri, conn)
    except libvirt.libvirtError as error:
        if not _lacks_rights(error):
            raise failures.unreachable(uri, error) from error
        try:
            conn = _open_within(uri, libvirt.VIR_CONNECT_RO, timeout)
        except libvirt.libvirtError:
            raise failures.unreachable(uri, error) from error
        read_only = True
    try:
        conn.setKeepAlive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)
    except libvirt.libvirtError as error:
        if error.get_error_code() not in failures.UNSUPPORTED:  # drivers within this process have no daemon to lose
            raise failures.unreachable(uri, error) from error
    return conn, read_only


def _open_within(uri: str, flags: int, timeout: float) -> libvirt.virConnect:
    """Runs virConnectOpenAuth in a thread of its own: it has no time limit, and a daemon that hangs would hold it for ever."""
    credentials = [[libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE], _no_answer, None]
    answer: queue.SimpleQueue[libvirt.virConnect | libvirt.libvirtError] = queue.SimpleQueue()
    given_up = threading.Event()

    def attempt() -> None:
        try:
            conn = libvirt.openAuth(unattended(uri), credentials, flags)
        except libvirt.libvirtError as error:
            answer.put(error)
            return
        answer.put(conn)
        if given_up.is_set():
            close(conn)

    threading.Thread(target=attempt, name="libvirt-open", daemon=True).start()
    try:
        result = answer.get(timeout=timeout)
    except queue.Empty:
        given_up.set()
        raise HostUnreachableError(
            f"cannot connect to {uri}",
            detail=f"no answer within {timeout:g} s",
            hint="the host or its libvirt daemon hangs, or the network swallows the packets: try `virsh -c URI list`",
        ) from None
    if isinstance(result, libvirt.libvirtError):
        raise result
    return result


def unattended(uri: str) -> str:
    """`uri` with libvirt's no_tty=1 for ssh, so that ssh fails instead of asking on the terminal."""
    parts = urlsplit(uri)
    if not parts.scheme.endswith(("+ssh", "+libssh", "+libssh2")) or "no_tty" in parse_qs(parts.query, keep_blank_values=True):
        return uri
    return f"{uri}{'&' if parts.query else '?'}no_tty=1"


def _no_answer(_credentials: object, _data: object) -> int:
    """Answers when libvirt asks for a name or a password: nobody is there to answer. Its own auth.conf is read before."""
    return -1


def _lacks_rights(error: libvirt.libvirtError) -> bool:
    return error.get_error_code() in failures.REFUSED or "Permission denied" in (error.get_error_message() or "")


def _is_secretly_read_only(uri: str, conn: libvirt.virConnect) -> bool:
    """Whether the socket that the URI names is the daemon's read-only one: opening it for writing succeeds all the same.

    Asked with a definition that is refused in any case: for lack of rights there, as bad XML everywhere else.
    """
    if "socket" not in parse_qs(urlsplit(uri).query):
        return False
    try:
        conn.defineXML("<none/>")
    except libvirt.libvirtError as error:
        return bool(error.get_error_code() == libvirt.VIR_ERR_OPERATION_DENIED)
    return False


def close(conn: libvirt.virConnect) -> None:
    """Closes a connection, in whatever state it is."""
    try:
        conn.close()
    except libvirt.libvirtError:  # closed before, or broken: either way there is nothing left to close
        return
