"""Small named texts kept on a host: what the inventory and the lock are made of. It does not know what they say.

They are libvirt secrets where the host's driver has them, else files (see filestore). The text stands in the secret's
description: so that one call writes it whole, and a read-only connection can read it (it may not read a secret's value).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Protocol
from xml.sax.saxutils import escape

import libvirt

from reconciler.errors import LibvirtCallError
from reconciler.host import failures
from reconciler.host.filestore import Entry, FileStore
from reconciler.host.session import Session
from reconciler.xmltree.document import parse

USAGE_TYPE = "ceph"  # the one usage type of libvirt whose name is free text and that no guest takes by accident


class Store(Protocol):
    """The texts of one host. Each method is atomic, also between processes and machines; the names of two never are equal."""

    def entries(self, prefix: str) -> list[Entry]:
        """All texts whose names begin with `prefix`."""
        ...

    def create(self, usage: str, text: str) -> Entry | None:
        """Keeps a new text; None if one of that name is there already."""
        ...

    def replace(self, entry: Entry, text: str) -> Entry | None:
        """Writes a new text into the very entry; None if it is not there any more."""
        ...

    def remove(self, entry: Entry) -> bool:
        """Removes the very entry, never a later one of the same name; False if it was not there any more."""
        ...


@dataclass(frozen=True, slots=True)
class SecretStore:
    """Texts in libvirt secrets: the usage is unique on a host, which makes `create` atomic; the handle is the secret's UUID."""

    session: Session

    def entries(self, prefix: str) -> list[Entry]:
        """All texts whose names begin with `prefix`: virConnectListAllSecrets, and virSecretGetXMLDesc for each that fits."""
        found = []
        for secret in self.session.call("virConnectListAllSecrets", self.session.conn.listAllSecrets):
            usage = secret.usageID() or ""
            if secret.usageType() != libvirt.VIR_SECRET_USAGE_TYPE_CEPH or not usage.startswith(prefix):
                continue
            text = self._read(secret)
            if text is not None:
                found.append(Entry(usage, secret.UUIDString(), text))
        return found

    def create(self, usage: str, text: str) -> Entry | None:
        """Keeps a new text: virSecretDefineXML with a fresh UUID, which libvirt refuses for a second one of that usage."""
        entry = Entry(usage, str(uuid.uuid4()), text)
        try:
            self._define(entry)
        except LibvirtCallError as error:
            if error.code == libvirt.VIR_ERR_INTERNAL_ERROR and "already defined for use" in error.detail:
                return None
            raise
        return entry

    def replace(self, entry: Entry, text: str) -> Entry | None:
        """Writes a new text into the very entry: virSecretDefineXML over the same UUID."""
        if self._lookup(entry) is None:
            return None
        changed = Entry(entry.usage, entry.handle, text)
        try:
            self._define(changed)
        except LibvirtCallError as error:
            if error.code == libvirt.VIR_ERR_INTERNAL_ERROR and "already defined for use" in error.detail:
                return None  # it went, and another took its name, between the two calls
            raise
        return changed

    def remove(self, entry: Entry) -> bool:
        """Removes the very entry: virSecretUndefine of its UUID."""
        secret = self._lookup(entry)
        if secret is None:
            return False
        try:
            self.session.call("virSecretUndefine", secret.undefine)
        except LibvirtCallError as error:
            if error.code in failures.ABSENT:
                return False
            raise
        return True

    def _define(self, entry: Entry) -> None:
        xml = (
            f"<secret ephemeral='no' private='no'><uuid>{entry.handle}</uuid><description>{escape(entry.text)}</description>"
            f"<usage type='{USAGE_TYPE}'><name>{escape(entry.usage)}</name></usage></secret>"
        )
        self.session.call("virSecretDefineXML", self.session.conn.secretDefineXML, xml)

    def _lookup(self, entry: Entry) -> libvirt.virSecret | None:
        try:
            return self.session.call("virSecretLookupByUUIDString", self.session.conn.secretLookupByUUIDString, entry.handle)
        except LibvirtCallError as error:
            if error.code in failures.ABSENT:
                return None
            raise

    def _read(self, secret: libvirt.virSecret) -> str | None:
        """The text; None if the secret went meanwhile."""
        try:
            return parse(self.session.call("virSecretGetXMLDesc", secret.XMLDesc)).findtext("description") or ""
        except LibvirtCallError as error:
            if error.code in failures.ABSENT:
                return None
            raise


def store_of(session: Session) -> Store:
    """Where this host's texts are: in its secrets, or in files of this machine's user if its driver has none."""
    if session.has_secrets:
        return SecretStore(session)
    return FileStore.of_host(session.spec.uri, world=session.world)
