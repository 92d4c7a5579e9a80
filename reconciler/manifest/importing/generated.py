"""What libvirt made of a domain's definition by itself, taken out again: defaults and devices that nobody asked for.

What is taken out here, libvirt makes again when the rest is defined anew. Pure; it knows no manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from reconciler.manifest.importing.plugging import parent_of, unplug
from reconciler.xmltree.document import Element, attributes, parse, serialize, tag, unset
from reconciler.xmltree.mark import NAMESPACE

_VALUES: Final = (
    ("vcpu", "placement", "static"),
    ("cpu/topology", "dies", "1"),
    ("cpu[@mode='host-model']", "check", "partial"),
    ("cpu[@mode='host-passthrough']", "check", "none"),
    ("cpu[@mode='host-passthrough']", "migratable", "on"),
    ("cpu[@mode='maximum']", "check", "none"),
    ("cpu[@mode='maximum']", "migratable", "on"),
    ("cpu[@mode='custom']", "match", "exact"),
    ("cpu/model", "fallback", "allow"),
    ("features/hyperv", "mode", "custom"),
    ("devices/video/model", "heads", "1"),
    ("devices/video/model", "primary", "yes"),
    ("devices/video/model[@type='vga']", "vram", "16384"),
    ("devices/video/model[@type='cirrus']", "vram", "16384"),
    ("devices/video/model[@type='bochs']", "vram", "16384"),
    ("devices/video/model[@type='vmvga']", "vram", "16384"),
    ("devices/video/model[@type='qxl']", "ram", "65536"),
    ("devices/video/model[@type='qxl']", "vram", "65536"),
    ("devices/video/model[@type='qxl']", "vgamem", "16384"),
    ("devices/disk/driver", "name", "qemu"),
    ("devices/watchdog", "action", "reset"),
    ("devices/serial/target", "type", "isa-serial"),
    ("devices/interface[@type='direct']/source", "mode", "vepa"),
    ("devices/*/address[@type='pci']", "domain", "0x0000"),
    ("devices/*/address[@type='pci']", "function", "0x0"),
    ("devices/graphics[@port='-1'][@autoport='yes']", "port", "-1"),
    ("devices/interface[@type='hostdev'][@managed='no']", "managed", "no"),
    ("devices/hostdev[@managed='no']", "managed", "no"),
)
_TEXTS: Final = (("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy"))
_BARE: Final = (  # devices that are taken out where they say this and nothing else
    ("devices/input", {"type": "mouse", "bus": "ps2"}),
    ("devices/input", {"type": "keyboard", "bus": "ps2"}),
    ("devices/memballoon", {"model": "virtio"}),
    ("clock", {"offset": "utc"}),
)
_SOUND: Final = {"vnc": "none", "spice": "spice", "sdl": ""}  # the backend that libvirt adds for the last one of these screens
_EMPTY: Final = ("devices/disk/driver",)
_LIVE: Final = (
    "resource",
    "seclabel",
    "devices/disk/backingStore",
    "devices/disk/mirror",
    "devices/interface/backenddomain",
)


def ungenerated(text: str, emulators: Mapping[tuple[str, str], str], *, live: bool = False) -> str:
    """The definition without what libvirt adds. `emulators` are the host's own, by (architecture, domain type).

    With `live` it is the definition of a running domain that has no other: without what only a running one shows.
    """
    domain = parse(text)
    unset(domain, "id")
    if live:
        _still(domain)
    _metadata(domain)
    unplug(domain)
    for path, name, value in _VALUES:
        for element in domain.iterfind(path):
            if element.get(name) == value:
                unset(element, name)
    for path, value in _TEXTS:
        _remove(found for found in domain.findall(path) if found.text == value)
    for path, said in _BARE:
        alike = [found for found in domain.findall(path) if said.items() <= attributes(found).items()]
        _remove(found for found in alike if len(alike) == 1 and not len(found) and attributes(found) == said)
    _remove(found for path in _EMPTY for found in domain.findall(path) if not len(found) and not found.attrib)
    _processor(domain)
    _boot(domain)
    _consoles(domain)
    _screens(domain)
    _emulator(domain, emulators)
    for source in domain.iterfind("devices/filesystem[@accessmode='passthrough']/source[@dir]"):
        unset(parent_of(source), "accessmode")
    for cdrom in domain.iterfind("devices/disk[@device='cdrom']"):
        _remove(cdrom.findall("readonly"))
    return serialize(domain)


def _remove(found: Iterable[Element]) -> None:
    for element in list(found):
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)


def _still(domain: Element) -> None:
    """What only a running domain has."""
    _remove(found for path in _LIVE for found in domain.findall(path))
    _remove(alias for alias in domain.findall("devices/*/alias") if not (alias.get("name") or "").startswith("ua-"))
    for source in domain.iterfind("devices/disk/source"):
        unset(source, "index")
    for target in domain.iterfind("devices/interface/target"):
        if (target.get("dev") or "").startswith(("vnet", "macvtap")):
            _remove([target])
    for source in domain.iterfind("devices/interface/source"):
        for name in ("portid", "bridge") if source.get("network") is not None else ():
            unset(source, name)
    for name in ("serial", "console"):
        for device in domain.iterfind(f"devices/{name}[@type='pty']"):
            _remove(device.findall("source"))
            unset(device, "tty")
    for graphics in domain.iterfind("devices/graphics[@autoport='yes']"):
        unset(graphics, "port")
        unset(graphics, "tlsPort")
    _remove(
        source
        for source in domain.findall("devices/channel[@type='unix']/source")
        if "/lib/libvirt/qemu/" in (source.get("path") or "") or "/run/libvirt/qemu/" in (source.get("path") or "")
    )


def _metadata(domain: Element) -> None:
    """Our own mark is no part of a manifest."""
    for metadata in domain.findall("metadata"):
        _remove(child for child in list(metadata) if tag(child).startswith(f"{{{NAMESPACE}}}"))
        if not len(metadata):
            _remove([metadata])


def _processor(domain: Element) -> None:
    cpu = domain.find("cpu")
    if cpu is None:
        return
    custom = cpu.get("mode") == "custom"
    if custom and cpu.get("check") == ("partial" if domain.get("type") == "kvm" else "none"):
        unset(cpu, "check")
    model = cpu.find("model")
    if not custom or model is None:
        return
    alone = len(cpu) == 1 and attributes(cpu) in ({"mode": "custom"}, {"mode": "custom", "check": "none"})
    if alone and model.text == "qemu64" and attributes(model) == {"fallback": "forbid"}:
        _remove([cpu])
        return
    unset(cpu, "mode")


def _boot(domain: Element) -> None:
    devices = domain.findall("os/boot")
    if [device.get("dev") for device in devices] == ["hd"]:
        _remove(devices)


def _consoles(domain: Element) -> None:
    """The first serial port's echo, and what its target says anyway."""
    consoles = domain.findall("devices/console")
    if domain.find("devices/serial") is not None and len(consoles) == 1:
        target = consoles[0].find("target")
        if target is not None and attributes(target) == {"type": "serial", "port": "0"}:
            _remove(consoles)
    _remove(domain.findall("devices/serial/target/model[@name='isa-serial']"))
    for device in domain.iterfind("devices/channel"):
        target = device.find("target")
        if target is not None:
            unset(target, "state")


def _screens(domain: Element) -> None:
    """Where a screen listens by default, and the sound that comes with it."""
    for graphics in domain.iterfind("devices/graphics"):
        unset(graphics, "passwd")
        listen = graphics.findall("listen")
        if len(listen) == 1:
            said = attributes(listen[0])
            if said == {"type": "address"}:
                _remove(listen)
            elif said.get("type") == "address" and said.get("address") == graphics.get("listen"):
                unset(graphics, "listen")
    _card(domain)
    screens = [graphics.get("type") or "" for graphics in domain.iterfind("devices/graphics")]
    backend = next((_SOUND[screen] for screen in reversed(screens) if screen in _SOUND), None if screens else "none")
    audio = domain.findall("devices/audio")
    if len(audio) == 1 and not len(audio[0]) and attributes(audio[0]) == {"id": "1", "type": backend}:
        _remove(audio)


def _card(domain: Element) -> None:
    """The card that a manifest with a screen has anyway."""
    found, kind = domain.findall("devices/video"), domain.find("os/type")
    usual = "vga" if kind is not None and kind.get("arch") in {"x86_64", "i686"} else "virtio"
    if domain.find("devices/graphics") is None or len(found) != 1 or len(found[0]) != 1:
        return
    if not len(found[0][0]) and attributes(found[0][0]) == {"type": usual}:
        _remove(found)


def _emulator(domain: Element, emulators: Mapping[tuple[str, str], str]) -> None:
    kind = domain.find("os/type")
    key = ("" if kind is None else kind.get("arch") or "", domain.get("type") or "")
    _remove(found for found in domain.findall("devices/emulator") if found.text == emulators.get(key))
