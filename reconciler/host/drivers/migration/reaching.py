"""How the source reaches the destination: the daemon for peer-to-peer, and the address to which QEMU sends the memory.

Whether one daemon reaches another is asked by a migration that cannot happen: libvirt connects first, and then refuses to move
a mere definition that is not to be kept. Nothing moves, whatever the answer.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.drivers.migration.pair import Pair
from reconciler.model.migration import Check, Mode

STREAMS = frozenset({"tcp", "rdma", "unix"})
"""Schemes of URIs to which QEMU can send a guest; any other one is a daemon's."""

PATIENCE = 20.0  # seconds; a host that is off costs the source 14

_CONNECTED = "offline migration must be specified with the persistent flag"
_NOWHERE = ("localhost", "")


def names_stream(uri: str) -> bool:
    """Whether a URI says where to send memory, and not which daemon to speak with."""
    return urlsplit(uri).scheme in STREAMS


def peer_of(pair: Pair) -> str:
    """The destination's daemon as the source can reach it; "" if the destination's URI is good on this machine only."""
    given = pair.spec.uri
    if given and not names_stream(given):
        return given
    uri = pair.destination.spec.uri
    return uri if urlsplit(uri).hostname else ""


def address_of(pair: Pair) -> str:
    """Where to send the memory, if the name that the destination calls itself by leads nowhere, or back; "" if libvirt knows."""
    if not _useless_name(pair):
        return ""
    host = urlsplit(peer_of(pair)).hostname
    return f"tcp://{host}" if host else ""


def _useless_name(pair: Pair) -> bool:
    here = pair.here("virConnectGetHostname", pair.source.conn.getHostname)
    there = pair.there("virConnectGetHostname", pair.destination.conn.getHostname)
    return there == here or there.split(".")[0] in _NOWHERE


def address(pair: Pair) -> Iterator[Check]:
    """The address of the stream between the two QEMUs."""
    if pair.offline or pair.spec.through_daemons:
        return
    uri = pair.spec.uri
    if uri and names_stream(uri):
        yield Check.passes("address", f"memory goes to {uri}")
    elif uri and not pair.spec.peer_to_peer:
        remedy = "write it as tcp://HOST:PORT"
        yield Check.fails("address", f"{uri} is no address that memory can be sent to", remedy)
    elif _useless_name(pair) and not address_of(pair):
        name = pair.there("virConnectGetHostname", pair.destination.conn.getHostname)
        detail = f"the destination calls itself {name or 'nothing'}, which does not lead there from the source"
        yield Check.fails("address", detail, "give it a host name of its own, or write `migration: {uri: tcp://HOST}`")
    else:
        name = pair.there("virConnectGetHostname", pair.destination.conn.getHostname)
        detail = f"the source must be able to resolve {name}" if not address_of(pair) else f"memory goes to {address_of(pair)}"
        yield Check.doubts("address", detail, "if it cannot, write `migration: {uri: tcp://HOST}`")


def peers(pair: Pair) -> Iterator[Check]:
    """Whether the source's daemon reaches the destination's, where that is needed."""
    if not pair.spec.peer_to_peer or pair.spec.mode is Mode.DIRECT:
        return
    peer = peer_of(pair)
    if not peer:
        detail = f"{pair.destination.spec.uri} leads to the destination from this machine only"
        yield Check.fails(
            "peer", detail, "write the URI that the source can use: `migration: {uri: qemu+ssh://root@HOST/system}`"
        )
        return
    error = _knock(pair, peer)
    if error is None:
        detail = f"the source had no answer from {peer} within {PATIENCE:g} s"
        yield Check.fails("peer", detail, "see whether a firewall is between them, or use p2p: false")
    elif _CONNECTED in error.detail:
        yield Check.passes("peer", f"the source's daemon reaches {peer}")
    elif isinstance(error, LibvirtCallError) and error.code in (
        libvirt.VIR_ERR_OPERATION_INVALID,
        libvirt.VIR_ERR_MIGRATE_UNSAFE,
    ):
        yield Check.doubts("peer", f"could not be asked: {error.detail}")
    else:
        remedy = "let the source's libvirtd log in there (listen_tcp, TLS or ssh keys), or use p2p: false"
        yield Check.fails("peer", f"the source's daemon does not reach {peer}: {error.detail}", remedy)


def _knock(pair: Pair, peer: str) -> HostError | None:
    """What the source's daemon says; None if it says nothing in time."""
    answer: queue.SimpleQueue[HostError] = queue.SimpleQueue()
    flags = libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_OFFLINE  # and not PERSIST_DEST: refused in any case

    def knock() -> None:
        try:
            pair.here("virDomainMigrateToURI3", pair.domain.migrateToURI3, peer, {}, flags)
        except HostError as error:
            answer.put(error)

    threading.Thread(target=knock, name="vireo-knock", daemon=True).start()
    try:
        return answer.get(timeout=PATIENCE)
    except queue.Empty:
        return None
