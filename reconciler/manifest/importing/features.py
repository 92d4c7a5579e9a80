"""The features of a domain: names, or names with their settings. A feature that the schema has no words for is left out."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest.importing.table import amount, integer, truth
from reconciler.xmltree.document import Element, tag

_STATES: Final = ("pvspinlock", "pmu", "vmport", "vmcoreinfo")
_FLAGS: Final = (
    "relaxed vapic vpindex runtime synic reset frequencies reenlightenment tlbflush ipi evmcs avic".split()  # noqa: SIM905
)


def _feature(feature: Element) -> Any:
    """A name, or a name with its setting; None if the schema has no words for it."""
    name = tag(feature)
    state = feature.get("state")
    match name:
        case "acpi" | "pae":
            return name
        case "apic":
            return {"apic": {"eoi": truth(feature.get("eoi") or "")}} if feature.get("eoi") else name
        case "gic":
            return {name: {"version": feature.get("version")}}
        case "ioapic":
            return {name: {"driver": feature.get("driver")}}
        case "smm":
            seg = amount("tseg")(feature)
            return {name: {"tseg": seg}} if seg else _switch(name, state)
        case "hyperv":
            return {name: _hyperv(feature)}
        case "kvm":
            return {name: _kvm(feature)}
        case _:
            return _switch(name, state) if name in _STATES else None


def _switch(name: str, state: str | None) -> Any:
    return name if state == "on" else {name: truth(state or "")}


def _kvm(feature: Element) -> dict[str, Any]:
    out: dict[str, Any] = {tag(child): truth(child.get("state") or "") for child in feature if tag(child) != "dirty-ring"}
    ring = feature.find("dirty-ring")
    return out if ring is None else {**out, "dirty-ring": integer(ring.get("size") or "")}


def _hyperv(feature: Element) -> dict[str, Any]:
    out: dict[str, Any] = {} if feature.get("mode") is None else {"mode": feature.get("mode")}
    for child in feature:
        name, on = tag(child), truth(child.get("state") or "")
        if name in _FLAGS:
            out[name] = on
        elif name == "spinlocks":
            out[name] = integer(child.get("retries") or "") if on else False
        elif name == "stimer":
            direct = child.find("direct")
            out[name] = on if direct is None else {"direct": truth(direct.get("state") or "")}
        elif name == "vendor_id":
            out[name] = child.get("value")
    return out


def features(domain: Element) -> list[Any] | None:
    """All of them, in the order of the definition."""
    made = [_feature(feature) for feature in domain.iterfind("features/*")]
    return [item for item in made if item is not None and item not in ({"hyperv": {}}, {"kvm": {}})] or None
