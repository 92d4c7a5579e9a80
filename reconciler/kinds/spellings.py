"""Equal spellings brought to one: pure functions from a value to its canonical form. An unknown form is left as it is."""

from __future__ import annotations

import ipaddress
import posixpath


def number(value: str) -> str:
    """Hexadecimal and decimal numbers as decimal: ``0x0a`` -> ``10``."""
    try:
        return str(int(value, 16 if value.lower().startswith("0x") else 10))
    except ValueError:
        return value


def lower(value: str) -> str:
    """UUIDs and MAC addresses: lower case."""
    return value.lower()


def cpuset(value: str) -> str:
    """A set of processor numbers in its shortest form: ``0,1,2,^1`` -> ``0,2``; ``0,1,2`` -> ``0-2``."""
    return ",".join(_ranges(numbers(value))) or value


def numbers(value: str) -> list[int]:
    """The numbers of a set, in order: ``0-3,^1`` -> 0, 2, 3. None of a text that is no such set."""
    chosen: set[int] = set()
    try:
        for part in value.replace(" ", "").split(","):
            if part.startswith("^"):
                chosen.discard(int(part[1:]))
            elif "-" in part:
                first, last = part.split("-", 1)
                chosen.update(range(int(first), min(int(last), 16384) + 1))
            else:
                chosen.add(int(part))
    except ValueError:
        return []
    return sorted(chosen)


def _ranges(numbers: list[int]) -> list[str]:
    out: list[tuple[int, int]] = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1] = (out[-1][0], n)
        else:
            out.append((n, n))
    return [str(a) if a == b else f"{a}-{b}" for a, b in out]


def address(value: str) -> str:
    """An IP address in its shortest form."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return value


def family(machine: str) -> str:
    """A machine type without its version: ``pc-i440fx-7.2`` -> ``pc-i440fx``."""
    head, _, version = machine.rpartition("-")
    return head if head and version[:1].isdigit() else machine


def bridging(mode: str) -> str:
    """Whose bridge a network of this forward mode uses: libvirt's own, or one (or a device) of the host."""
    return "host" if mode in {"bridge", "private", "vepa", "passthrough", "hostdev"} else "own"


def octal(mode: str) -> str:
    """A file mode without leading zeros, as libvirt and people write it differently: ``0711`` -> ``711``."""
    return mode.lstrip("0") or "0"


def location(path: str) -> str:
    """A file's path in one spelling: libvirt keeps doubled slashes and dots as they are given, and so do foreign definitions."""
    return posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else path
