"""What a person can do about libvirt's errors: two tables, tried in order; the first entry that fits counts. Data only."""

from __future__ import annotations

import re
from dataclasses import dataclass

import libvirt


@dataclass(frozen=True, slots=True)
class Hint:
    """What to do about errors of `code` (None: any) whose message matches `pattern`."""

    code: int | None
    pattern: str
    text: str

    def fits(self, code: int, message: str) -> bool:
        return self.code in (None, code) and re.search(self.pattern, message) is not None


OPENING = (
    Hint(
        None,
        r"socket.*No such file or directory",
        "is libvirtd running there, and is the path right? Start it: systemctl start libvirtd",
    ),
    Hint(None, r"socket.*Permission denied", "be root, or a member of the group that may use libvirt (usually `libvirt`)"),
    Hint(None, r"socket.*Connection refused", "libvirtd is not running behind this socket. Start it: systemctl start libvirtd"),
    Hint(None, r"Unable to resolve address|Could not resolve hostname", "the host's name is not known: check the URI, or DNS"),
    Hint(None, r"Host key verification failed", "log in once with ssh to accept the host's key"),
    Hint(
        None,
        r"Permission denied \(|Permission denied, please",
        "ssh must log in without asking: install a key (ssh-copy-id) or use an agent",
    ),
    Hint(
        None,
        r"Connection refused",
        "nothing listens there: check host and port in the URI, and that the host's daemon (sshd, libvirtd) runs",
    ),
    Hint(
        None, r"timed out|No route to host|Network is unreachable", "the host is down or cut off: check the network, and the URI"
    ),
    Hint(
        None,
        r"command not found|nc:|virt-ssh-helper",
        "the host lacks libvirt's own programs: install libvirt-daemon and libvirt-clients there",
    ),
    Hint(None, r"certificate", "TLS needs certificates: see libvirt's page on TLS, or use qemu+ssh://"),
    Hint(libvirt.VIR_ERR_AUTH_UNAVAILABLE, "", "polkit has nobody to ask: be root, or a member of the group `libvirt`"),
    Hint(
        libvirt.VIR_ERR_AUTH_FAILED,
        "",
        "the host did not accept our credentials; Vireo never asks for a password: see libvirt's auth.conf",
    ),
    Hint(libvirt.VIR_ERR_AUTH_CANCELLED, "", "the host wants a password; Vireo never asks for one: see libvirt's auth.conf"),
    Hint(libvirt.VIR_ERR_NO_CONNECT, "", "no such driver here: a URI looks like qemu:///system or qemu+ssh://root@host/system"),
    Hint(
        None,
        r"Unable to parse URI|unexpected .* URI path|no connection driver|not a valid",
        "a URI looks like qemu:///system or qemu+ssh://root@host/system",
    ),
)

CALLING = (
    Hint(
        libvirt.VIR_ERR_OPERATION_DENIED,
        "read only",
        "the connection is read-only: use one with the right to change things (root, or the group `libvirt`)",
    ),
    Hint(libvirt.VIR_ERR_ACCESS_DENIED, "", "the host's access rules forbid this to our user: see its polkit rules"),
    Hint(None, r"No space left on device|not enough free space", "free some space on the host, or use another pool"),
    Hint(
        None,
        r"unable to find any master var store|Unable to find any firmware",
        "install the host's UEFI firmware (package ovmf)",
    ),
    Hint(
        None,
        r"write\" lock|is another process using the image",
        "another guest uses this disk: stop it, or give each guest a disk of its own",
    ),
    Hint(
        None,
        r"could not get preferred machine|KVM is not available|Could not access KVM",
        "the host has no usable KVM: use `type: qemu`, or enable it",
    ),
    Hint(
        None, r"Network is already in use by interface", "choose another address range: an interface of the host has it already"
    ),
    Hint(None, r"bridge name '.*' already in use", "choose another bridge name: another network has it already"),
    Hint(
        None,
        r"already exists with uuid",
        "another object of this name is there: rename one of them, or take it over with --adopt",
    ),
    Hint(None, r"Storage source conflict with pool", "another pool uses the same folder or device: use that pool instead"),
    Hint(
        libvirt.VIR_ERR_STORAGE_VOL_EXIST,
        "",
        "the pool has a volume of this name: rename one of them, or take it over with --adopt",
    ),
    Hint(
        None,
        r"volume target path .* already exists",
        "a file of this name lies in the pool's folder: move it away, or use another name",
    ),
    Hint(
        None,
        r"cannot acquire state change lock",
        "another operation on this domain takes too long: see `virsh domjobinfo` on the host",
    ),
    Hint(libvirt.VIR_ERR_AGENT_UNRESPONSIVE, "", "the guest agent does not answer: is qemu-guest-agent running in the guest?"),
    Hint(libvirt.VIR_ERR_XML_INVALID_SCHEMA, "", "libvirt's schema does not know part of the XML: check the `xml:` field"),
    Hint(
        libvirt.VIR_ERR_CONFIG_UNSUPPORTED, "", "this libvirt or QEMU cannot do what the manifest asks for: the message says what"
    ),
    Hint(libvirt.VIR_ERR_NO_SUPPORT, "", "this host's libvirt driver cannot do that"),
    Hint(libvirt.VIR_ERR_NO_NETWORK, "", "the network is missing on the host: declare it, or name another one"),
    Hint(libvirt.VIR_ERR_NO_STORAGE_POOL, "", "the pool is missing on the host: declare it, or name another one"),
    Hint(libvirt.VIR_ERR_NO_STORAGE_VOL, "", "the volume is missing on the host: declare it, or name another one"),
    Hint(libvirt.VIR_ERR_SYSTEM_ERROR, r"No such file or directory", "a file that the definition names is missing on the host"),
    Hint(None, r"unexpectedly closed the monitor", "QEMU did not start: see /var/log/libvirt/qemu/ on the host"),
)


def hint(table: tuple[Hint, ...], code: int, message: str) -> str:
    """The text of the first hint that fits, else ""."""
    return next((entry.text for entry in table if entry.fits(code, message)), "")
