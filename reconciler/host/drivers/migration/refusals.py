"""What a person can do about the errors with which libvirt and QEMU end a migration. Data only; the first that fits counts."""

from __future__ import annotations

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.hints import Hint, hint

MOVING = (
    Hint(
        libvirt.VIR_ERR_MIGRATE_UNSAFE,
        "without shared storage",
        "libvirt does not take this storage for shared: if it is, trust it (`migration: {unsafe: true}`), else let it be copied "
        "(`storage: auto`)",
    ),
    Hint(
        libvirt.VIR_ERR_MIGRATE_UNSAFE,
        "",
        "give the shared disks cache `none` or directsync, or trust the storage: `migration: {unsafe: true}`",
    ),
    Hint(
        None,
        r"[Pp]ostcopy is not supported",
        "the kernel does not let QEMU do post-copy: sysctl vm.unprivileged_userfaultfd=1 on both hosts, or `postCopy: false`",
    ),
    Hint(None, r"[Uu]nsupported compression method", "this libvirt has no such compression: leave `compressed` out"),
    Hint(
        None,
        r"Unable to resolve address",
        "the source does not know this name: put it into DNS or its /etc/hosts, or write `migration: {uri: tcp://ADDRESS}`",
    ),
    Hint(
        None,
        r"unused port in range",
        "all migration ports of the destination are taken: move fewer guests at once, or raise migration_port_max in qemu.conf",
    ),
    Hint(
        None,
        r"[Uu]nable to connect to server at .*(No route to host|Connection refused|timed out|Network is unreachable)",
        "the source does not reach the destination: open its firewall for ports 49152-49215 (for peer-to-peer also its daemon's)",
    ),
    Hint(
        None, r"Failed to bind socket", "this address or port is taken at the destination, or is not its own: choose another uri"
    ),
    Hint(None, r"unsupported scheme", "write the uri as tcp://HOST:PORT"),
    Hint(
        None, r"[Cc]ertificate|x509|TLS", "QEMU's certificates are missing or wrong: see default_tls_x509_cert_dir in qemu.conf"
    ),
    Hint(
        libvirt.VIR_ERR_HOOK_SCRIPT_FAILED,
        "",
        "the destination's hook (/etc/libvirt/hooks/qemu) refused it: ask its operator",
    ),
    Hint(
        None,
        r"missing features|guest CPU doesn't match",
        "choose another host, or a CPU model that both have, and restart the guest",
    ),
    Hint(
        None,
        r"unable to stat|Cannot access storage file",
        "the destination does not see this file: mount the shared storage there",
    ),
    Hint(
        None,
        r"Source and target image have different sizes",
        "the destination has a volume of this name already: delete it there",
    ),
    Hint(None, r"another migration job is already running", "somebody else is moving this domain: wait until that has ended"),
    Hint(
        None,
        r"Unable to (write to|read from) socket",
        "the destination's QEMU, or the network to it, failed: see its libvirt log",
    ),
)


def advice(error: HostError) -> str:
    """What to do about it: our own words for migrations first, else those for any call."""
    code = error.code if isinstance(error, LibvirtCallError) else 0
    return hint(MOVING, code, error.detail) or error.hint
