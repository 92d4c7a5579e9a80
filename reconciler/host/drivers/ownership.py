"""Is it still ours? Asked of the host right before acting: of domains by their mark, of everything else by the inventory.

Nothing here changes a host.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import libvirt

from reconciler.errors import LibvirtCallError, NotOursError
from reconciler.host.drivers.step import Step
from reconciler.host.inventory import Inventory
from reconciler.model.state import Mark
from reconciler.xmltree import mark as marks
from reconciler.xmltree.document import parse

_HINT = "nothing was done to it: plan again; to take over what nobody owns, use --adopt"


def uuid_of(step: Step) -> str:
    """The UUID that the object has on the host, or will have: the plan's, else the one that planning put into the XML; or ""."""
    if step.plan.uuid or step.plan.desired is None:
        return step.plan.uuid
    return str(parse(step.plan.desired.xml).findtext("uuid") or "").strip().lower()


def listed(step: Step) -> Mark | None:
    """The inventory's entry for the resource, read anew from the host."""
    return Inventory.open(step.session, step.project).marks.get(step.id)


def check_listed(step: Step, uuid: str) -> None:
    """Raises NotOursError unless the inventory lists the object on the host, which has `uuid`, as this resource."""
    mark = listed(step)
    if mark is None:
        raise NotOursError(f"{step.id}: not in the inventory of project {step.project!r}", hint=_HINT)
    if (mark.uuid or uuid_of(step)) != uuid:
        raise NotOursError(f"{step.id}: another object has this name now", detail=f"its UUID is {uuid}", hint=_HINT)


def mark_of(step: Step, domain: libvirt.virDomain) -> Mark | None:
    """The mark that the domain carries, whoever's it is: the one of its persistent definition, if it has one."""
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE if step.call("virDomainIsPersistent", domain.isPersistent) else 0
    return marks.read(step.call("virDomainGetXMLDesc", domain.XMLDesc, flags), step.id.host)


def check_marked(step: Step, domain: libvirt.virDomain) -> Mark:
    """The domain's mark; if it carries none that can be read, the inventory's entry for this very domain.

    Raises NotOursError unless that says that this domain is this project's.
    """
    mark = mark_of(step, domain)
    if mark is None and (entry := listed(step)) is not None and entry.uuid == domain.UUIDString():
        return entry
    if mark is None:
        raise NotOursError(f"{step.id}: the domain carries no mark of ours", hint=_HINT)
    refuse_foreign(step, mark)
    if mark.uuid != domain.UUIDString():
        raise NotOursError(f"{step.id}: a clone that carries the mark of another domain ({mark.uuid})", hint=_HINT)
    return mark


def refuse_foreign(step: Step, mark: Mark | None) -> None:
    """Raises NotOursError if `mark` is another project's."""
    if mark is not None and mark.project != step.project:
        raise NotOursError(
            f"{step.id}: belongs to project {mark.project!r}", hint="nothing was done to it: name yours differently"
        )


@contextmanager
def taking_the_name(step: Step) -> Iterator[None]:
    """Around a define or create call: that the name belongs to another object by now becomes a NotOursError."""
    try:
        yield
    except LibvirtCallError as error:
        if error.code == libvirt.VIR_ERR_OPERATION_FAILED and "already exists with uuid" in error.detail:
            raise NotOursError(f"{step.id}: another object has this name now", detail=error.detail, hint=_HINT) from error
        raise
