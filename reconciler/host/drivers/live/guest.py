"""A running guest on its way to what its next start would make of it: both definitions, and what came of each path.

A call that libvirt or QEMU refuse is no failure: what it was for waits for the next start. A call that fails for another reason
(a file or a network that is missing) is one, but the other paths are tried first. Nothing here knows a device or a setting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import libvirt

from reconciler.errors import GuestTimeoutError, HostError, LibvirtCallError
from reconciler.host.drivers.placeholders import call_quietly, reveal
from reconciler.host.drivers.states import is_active
from reconciler.host.drivers.step import Step
from reconciler.xmltree.canonical import Canonical, canonical
from reconciler.xmltree.document import Element, parse
from reconciler.xmltree.merge import merge
from reconciler.xmltree.paths import children, rules_for, without_keys

LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
GLANCE = 0.2  # seconds between two looks at what a guest does
_SECURE = libvirt.VIR_DOMAIN_XML_SECURE

_REFUSALS = frozenset(
    {
        libvirt.VIR_ERR_INTERNAL_ERROR,  # QEMU's own refusals come as this
        libvirt.VIR_ERR_NO_SUPPORT,
        libvirt.VIR_ERR_INVALID_ARG,
        libvirt.VIR_ERR_OPERATION_FAILED,
        libvirt.VIR_ERR_XML_ERROR,
        libvirt.VIR_ERR_OPERATION_DENIED,
        libvirt.VIR_ERR_OPERATION_INVALID,
        libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
        libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
        libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
        libvirt.VIR_ERR_DEVICE_MISSING,
    }
)
_KERNEL = ": Invalid argument"  # of a cgroup: comes as VIR_ERR_SYSTEM_ERROR, as a missing file does
_SLOW = re.compile(r"(?i)in the process of unplug|tray .*(?:locked|not open|open tray)|(?:vcpu|device) unplug request timed out")


class EndedError(Exception):
    """The guest ended meanwhile: its next start takes up all that was to be changed."""


@dataclass(slots=True)
class Guest:
    """One running domain. `target` is its next start's definition with secret values in it, `live` the one it has now.

    `settled` are paths of which it is known that they do not come now, and why; `reached` those that are there in another form.
    """

    step: Step
    domain: libvirt.virDomain
    target: Element
    live: Element
    settled: dict[str, str] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    waiting: dict[str, None] = field(default_factory=dict)
    failures: list[HostError] = field(default_factory=list)

    @classmethod
    def of(cls, step: Step, domain: libvirt.virDomain) -> Guest:
        """The guest as it is now. Of a transient one the target is what the manifest makes of it."""
        running = step.call("virDomainGetXMLDesc", domain.XMLDesc, _SECURE)
        if step.call("virDomainIsPersistent", domain.isPersistent):
            wanted = step.call("virDomainGetXMLDesc", domain.XMLDesc, _SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE)
        else:
            wanted = reveal(merge(step.desired.xml, running, step.intent or None, step.rules), step.desired.secrets)
        return cls(step, domain, parse(wanted), parse(running))

    def look(self) -> None:
        """Read the live definition anew."""
        self.live = parse(self.step.call("virDomainGetXMLDesc", self.domain.XMLDesc, _SECURE))

    def wanted(self, place: str) -> Element | None:
        """The device at a place such as ``devices/disk[vda]`` in the target."""
        return self._device(self.target, place)

    def has(self, place: str) -> Element | None:
        """The same in the live definition as it was last read."""
        return self._device(self.live, place)

    def _device(self, root: Element, place: str) -> Element | None:
        devices = root.find("devices")
        name = place.partition("/")[2]
        found = () if devices is None else children(devices, "devices", self.step.rules)
        return next((child for step, _, child in found if step == name), None)

    def attempt(self, paths: Iterable[str], name: str, function: Callable[..., Any], *args: Any, patience: float = 0.0) -> bool:
        """One libvirt call for the sake of `paths`; whether it was taken. Raises EndedError and ConnectionLostError.

        What a guest only has to be ready for is tried again for `patience` seconds.
        """
        until = self.step.clock() + patience
        while (error := self._call(name, function, *args)) is not None:
            if _is_slow(error) and self.step.clock() < until:
                self.step.sleep(GLANCE)
                continue
            self._judge(paths, error)
            return False
        return True

    def attempt_all(self, name: str, function: Callable[..., Any], calls: Mapping[str, tuple[Any, ...]]) -> None:
        """One call for each path; a refused one again as long as others go through: one value may be in another's way."""
        rest = dict(calls)
        while rest:
            failed = {path: error for path, args in rest.items() if (error := self._call(name, function, *args)) is not None}
            if len(failed) == len(rest):
                for path, error in failed.items():
                    self._judge([path], error)
                return
            rest = {path: rest[path] for path in failed}

    def _judge(self, paths: Iterable[str], error: LibvirtCallError) -> None:
        """What an error means for the paths: the guest is slow, it is a refusal, or a failure."""
        if _is_slow(error):
            self.wait_for(paths)
        elif error.code in _REFUSALS or error.detail.endswith(_KERNEL):
            self.refuse(paths, error.detail)
        else:
            self.settled |= dict.fromkeys(paths, error.summary)
            self.failures.append(error)

    def _call(self, name: str, function: Callable[..., Any], *args: Any) -> LibvirtCallError | None:
        try:
            call_quietly(self.step.session, self.step.desired.secrets, name, function, *args)
        except LibvirtCallError as error:
            if not is_active(self.step, self.domain):
                raise EndedError from None
            return error
        return None

    def refuse(self, paths: Iterable[str], reason: str) -> None:
        """These paths wait for the next start."""
        for path in paths:
            self.settled[path] = reason
            self.step.refuse(path, reason)

    def wait_for(self, paths: Iterable[str]) -> None:
        """These paths wait for the guest, and the next apply tries again."""
        for path in paths:
            self.settled[path] = "the guest has not released it"
            self.waiting[path] = None

    def finish(self, paths: Iterable[str]) -> None:
        """See what the guest has of `paths` now. Raises the first failure; GuestTimeoutError for what the guest has not done."""
        self.look()
        wanted, has = canonical(self.target, self.step.rules), canonical(self.live, self.step.rules)
        for path in paths:
            about = rules_for(self.step.rules, without_keys(path))
            if path in self.settled or path in self.reached or about.volatile or about.write_only:
                continue
            if path not in wanted and not path.startswith("devices/") and _shows(has, path):
                self.refuse([path], self._why(path) or "its effect is taken back, but libvirt shows it until the guest restarts")
            elif path in wanted and has.get(path) != wanted[path]:
                self.refuse([path], self._why(path) or f"libvirt took it, but the guest has {has.get(path, 'nothing there')}")
        if self.failures:
            raise self.failures[0]
        if self.waiting:
            names = ", ".join(self.waiting)
            raise GuestTimeoutError(
                f"{self.step.id}: waiting for the guest, which has not released: {names}",
                detail="libvirt asked it to; the change is done as soon as the guest's system answers, or restarts",
                hint="apply again then; a restart of the guest also does it",
            )

    def _why(self, section: str) -> str:
        """What kept the parts of a section from coming."""
        return "; ".join(dict.fromkeys(why for path, why in self.settled.items() if path.startswith(f"{section}/")))


def _is_slow(error: LibvirtCallError) -> bool:
    return _SLOW.search(error.detail) is not None or error.code == libvirt.VIR_ERR_OPERATION_TIMEOUT


def _shows(mapping: Canonical, path: str) -> bool:
    """Whether there is anything at `path`: an element of which only run-time numbers are left is nothing."""
    return bool(mapping.get(path)) or any(other.startswith(f"{path}/") for other in mapping)
