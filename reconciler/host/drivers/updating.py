"""Changes that take effect without a restart: a table of paths and the calls that set them, in both definitions at once.

A way for one more path is one more line in UPDATERS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libvirt

from reconciler.errors import HostError
from reconciler.host.drivers import domain as definitions
from reconciler.host.drivers.marking import affected, set_metadata
from reconciler.host.drivers.step import Step
from reconciler.xmltree import mark as marks
from reconciler.xmltree.document import Element, parse, serialize, tag
from reconciler.xmltree.paths import matches, without_keys


@dataclass(frozen=True, slots=True)
class Updater:
    """`function(step, domain, flags)` brings what the manifest says at `pattern` into the one definition that `flags` names.

    `flags` is VIR_DOMAIN_AFFECT_CONFIG or VIR_DOMAIN_AFFECT_LIVE. Setting what is set already must do no harm.
    """

    pattern: str
    function: Callable[[Step, libvirt.virDomain, int], None]


def _title(step: Step, domain: libvirt.virDomain, flags: int) -> None:
    _text(step, domain, "title", libvirt.VIR_DOMAIN_METADATA_TITLE, flags)


def _description(step: Step, domain: libvirt.virDomain, flags: int) -> None:
    _text(step, domain, "description", libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, flags)


def _text(step: Step, domain: libvirt.virDomain, element: str, what: int, flags: int) -> None:
    text = parse(step.desired.xml).findtext(element)
    step.call("virDomainSetMetadata", domain.setMetadata, what, text or None, None, None, flags)


def _metadata(step: Step, domain: libvirt.virDomain, flags: int) -> None:
    """Sets the manifest's elements, and takes out those that only the intent had; everybody else's stay, and our mark."""
    wanted = _elements(step.desired.xml)
    for uri in _elements(step.intent).keys() - wanted.keys():
        set_metadata(step.session, domain, None, "gone", uri, flags)
    for uri, element in wanted.items():
        # libvirt declares the prefix on the element: it must be one that the element does not declare itself.
        prefix = next(name for name in _PREFIXES if name not in element.nsmap)
        set_metadata(step.session, domain, serialize(element, pretty=False), prefix, uri, flags)


_PREFIXES = tuple(f"m{number}" for number in range(100))


def _elements(xml: str) -> dict[str, Element]:
    """The children of <metadata> by their namespace: libvirt keeps one of each, and none without."""
    children = parse(xml).iterfind("metadata/*") if xml else ()
    named = {tag(child)[1:].partition("}")[0]: child for child in children if tag(child).startswith("{")}
    named.pop(marks.NAMESPACE, None)
    return named


UPDATERS: tuple[Updater, ...] = (
    Updater("title", _title),
    Updater("description", _description),
    Updater("metadata/**", _metadata),
)


def update(step: Step) -> None:
    """Brings the paths that the action names into the persistent and the live definition, as far as the domain has them."""
    domain = definitions.expect(step)
    functions = dict.fromkeys(_way(step, path) for path in step.action.paths)
    for flags in affected(step.session, domain):
        for function in functions:
            function(step, domain, flags)


def _way(step: Step, path: str) -> Callable[[Step, libvirt.virDomain, int], None]:
    bare = without_keys(path)
    for updater in UPDATERS:
        if matches(updater.pattern, bare):
            return updater.function
    raise HostError(
        f"{step.id}: there is no way to change {path} without a new definition", hint="plan again; if this stays, it is a bug"
    )
