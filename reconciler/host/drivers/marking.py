"""Our mark in a domain's metadata: put into a definition, set on a domain that is there, settled after an apply.

Live and persistent metadata are separate copies in libvirt; both carry the mark. Nothing else of a domain is changed here.
"""

from __future__ import annotations

from dataclasses import replace

import libvirt

from reconciler.errors import LibvirtCallError
from reconciler.host.drivers.calls import find
from reconciler.host.session import Session
from reconciler.model.state import Desired, Mark
from reconciler.xmltree import mark as marks
from reconciler.xmltree.document import parse, serialize

_TAG = f"{{{marks.NAMESPACE}}}{marks.ELEMENT}"


def intended(project: str, desired: Desired, uuid: str, before: Mark | None) -> Mark:
    """The mark of a domain about to be given `desired`: nothing read back yet, pending if it was before or is new.

    What is known of its running object stays so.
    """
    return Mark(
        project=project,
        id=desired.id,
        uuid=uuid,
        digest=desired.digest,
        xml=desired.declared or desired.xml,
        state=desired.state,
        autostart=desired.autostart,
        options=desired.options,
        pending=before is None or before.pending,
        protect=desired.protect,
        run="" if before is None else before.run,
        refused={} if before is None else before.refused,
        retired={} if before is None else before.retired,
    )


def embed(xml: str, mark: Mark) -> str:
    """A domain's XML with `mark` in its <metadata>, in the place of any other mark."""
    root = parse(xml)
    metadata = root.find("metadata")
    if metadata is None:
        metadata = parse("<metadata/>")
        root.append(metadata)
    for old in metadata.findall(_TAG):
        metadata.remove(old)
    metadata.append(parse(marks.write(mark)))
    return serialize(root)


def put(session: Session, domain: libvirt.virDomain, mark: Mark) -> None:
    """By virDomainSetMetadata with the mark, on the persistent and on the live definition, as far as the domain has them."""
    _set(session, domain, _bare(marks.write(mark)))


def remove(session: Session, domain: libvirt.virDomain) -> None:
    """Takes the mark out of the persistent and the live definition."""
    _set(session, domain, None)


def _set(session: Session, domain: libvirt.virDomain, text: str | None) -> None:
    for flags in affected(session, domain):
        set_metadata(session, domain, text, marks.PREFIX, marks.NAMESPACE, flags)


def set_metadata(session: Session, domain: libvirt.virDomain, text: str | None, prefix: str, uri: str, flags: int) -> None:
    """By virDomainSetMetadata of one element of namespace `uri` in one definition, or without `text` its removal.

    libvirt declares `prefix` on the element itself, and fails if the text does so, too.
    """
    element = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    try:
        session.call("virDomainSetMetadata", domain.setMetadata, element, text, prefix, uri, flags)
    except LibvirtCallError:
        if flags in affected(session, domain):  # else the guest ended meanwhile, and its live definition with it
            raise


def _bare(text: str) -> str:
    """The mark's element without its namespace: libvirt puts it in."""
    declared = f' xmlns:{marks.PREFIX}="{marks.NAMESPACE}"'
    return text.replace(declared, "", 1).replace(f"<{marks.PREFIX}:", "<").replace(f"</{marks.PREFIX}:", "</")


def affected(session: Session, domain: libvirt.virDomain) -> tuple[int, ...]:
    """The definitions that the domain has now: VIR_DOMAIN_AFFECT_CONFIG, VIR_DOMAIN_AFFECT_LIVE, or both, as separate flags."""
    flags = []
    if session.call("virDomainIsPersistent", domain.isPersistent):
        flags.append(libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    if session.call("virDomainIsActive", domain.isActive):
        flags.append(libvirt.VIR_DOMAIN_AFFECT_LIVE)
    return tuple(flags)


def settle(session: Session, mark: Mark) -> Mark:
    """`mark` with the digests of the definitions as they are now, also written into the domain; unchanged if it is not there."""
    domain = find(session, "virDomainLookupByUUIDString", session.conn.lookupByUUIDString, mark.uuid)
    if domain is None:
        return mark
    has = affected(session, domain)
    readback = live = ""
    if libvirt.VIR_DOMAIN_AFFECT_CONFIG in has:
        readback = marks.digest(session.call("virDomainGetXMLDesc", domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE))
    if libvirt.VIR_DOMAIN_AFFECT_LIVE in has:
        live = marks.digest(session.call("virDomainGetXMLDesc", domain.XMLDesc, 0))
    settled = replace(mark, readback=readback, live=live)
    put(session, domain, settled)
    return settled
