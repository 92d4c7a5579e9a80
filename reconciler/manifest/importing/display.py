"""What a person sees, hears and touches of a domain: screens, cards, sound, input. Tables only."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest.importing.device import PLACE, SOUND_OF, VIRTIO, VIRTIO_DRIVER
from reconciler.manifest.importing.table import Item, Items, Made, Part, Row, integer, size, truth
from reconciler.xmltree.document import Element

_BUSES: Final = {"mouse": "usb", "tablet": "usb", "keyboard": "usb", "passthrough": "virtio"}


def _listen(graphics: Element) -> Any:
    """Where it listens: an address alone, or the whole element."""
    found = graphics.findall("listen")
    if not found:
        return graphics.get("listen")
    listen = {str(name): str(value) for name, value in found[0].attrib.items()}
    return listen["address"] if listen.keys() == {"type", "address"} and graphics.get("listen") is None else listen


def _port(attribute: str) -> Any:
    def make(graphics: Element) -> int | None:
        port = integer(graphics.get(attribute) or "")
        return port if port is not None and port > 0 else None

    return make


def _autoport(graphics: Element) -> bool | None:
    """Said where the template would say something else."""
    said = truth(graphics.get("autoport") or "")
    listen = graphics.find("listen")
    remote = graphics.get("type") in {"vnc", "spice"} and (listen is None or listen.get("type") in {"address", "network"})
    fixed = _port("port")(graphics) is not None or _port("tlsPort")(graphics) is not None
    return None if not remote or said is (not fixed) else said


def _compressed(name: str) -> Part:
    return Part(name, name, (Row("compression", "@compression"),))


GRAPHICS: Final[tuple[Item, ...]] = (
    Row("type", "@type"),
    Made("port", "@port", _port("port")),
    Made("autoport", "@autoport", _autoport),
    Made("tlsPort", "@tlsPort", _port("tlsPort")),
    Row("websocket", "@websocket", integer),
    Made("listen", "listen", _listen),
    Row("keymap", "@keymap"),
    Row("sharePolicy", "@sharePolicy"),
    Row("powerControl", "@powerControl", truth),
    Row("defaultMode", "@defaultMode"),
    Part("channels", "channel", (Row("name", "@name"), Row("mode", "@mode")), each=True),
    *(_compressed(name) for name in ("image", "jpeg", "zlib")),
    Part("playback", "playback", (Row("compression", "@compression", truth),)),
    Part("streaming", "streaming", (Row("mode", "@mode"),)),
    Part("clipboard", "clipboard", (Row("copypaste", "@copypaste", truth),)),
    Part("mouse", "mouse", (Row("mode", "@mode"),)),
    Part("filetransfer", "filetransfer", (Row("enable", "@enable", truth),)),
    Part("gl", "gl", (Row("enable", "@enable", truth), Row("rendernode", "@rendernode"))),
    SOUND_OF,
    Row("display", "@display"),
    Row("xauth", "@xauth"),
    Row("fullscreen", "@fullscreen", truth),
    Row("p2p", "@p2p", truth),
)


def _kib(text: str) -> str | None:
    return size(int(text) * 1024) if text.isdigit() else None


VIDEO: Final[tuple[Item, ...]] = (
    Row("model", "model/@type"),
    *(Row(name, f"model/@{name}", _kib) for name in ("ram", "vram", "vram64", "vgamem")),
    Row("heads", "model/@heads", integer),
    Row("primary", "model/@primary", truth),
    Part(
        "acceleration",
        "model/acceleration",
        (Row("accel3d", "@accel3d", truth), Row("rendernode", "@rendernode")),
    ),
    Part("resolution", "model/resolution", (Row("x", "@x", integer), Row("y", "@y", integer))),
    Part("driver", "driver", (Row("name", "@name"), *VIRTIO[:3])),
    *PLACE,
)

SOUND: Final[tuple[Item, ...]] = (Row("model", "@model"), Items("codecs", "codec", "@type"), SOUND_OF, *PLACE)

_STREAM: Final[tuple[Item, ...]] = (
    Row("mixingEngine", "@mixingEngine", truth),
    Row("fixedSettings", "@fixedSettings", truth),
    Row("voices", "@voices", integer),
    Row("bufferLength", "@bufferLength", integer),
    Part(
        "settings",
        "settings",
        (Row("frequency", "@frequency", integer), Row("channels", "@channels", integer), Row("format", "@format")),
    ),
    Row("dev", "@dev"),
)
AUDIO: Final[tuple[Item, ...]] = (
    Row("id", "@id", integer),
    Row("type", "@type"),
    Row("timerPeriod", "@timerPeriod", integer),
    Row("serverName", "@serverName"),
    Row("driver", "@driver"),
    Row("path", "@path"),
    Part("input", "input", _STREAM),
    Part("output", "output", _STREAM),
)


def _bus(device: Element) -> str | None:
    bus = device.get("bus")
    return None if bus == _BUSES.get(device.get("type") or "") else bus


def _source(device: Element) -> dict[str, Any] | None:
    source = device.find("source")
    if source is None:
        return None
    out: dict[str, Any] = {"dev": source.get("evdev") or source.get("dev")}
    out |= {name: source.get(name) for name in ("grab", "grabToggle") if source.get(name)}
    return out if source.get("repeat") is None else {**out, "repeat": truth(source.get("repeat") or "")}


INPUT: Final[tuple[Item, ...]] = (
    Row("type", "@type"),
    Made("bus", "@bus", _bus),
    Row("model", "@model"),
    Made("source", "source", _source),
    VIRTIO_DRIVER,
    *PLACE,
)
