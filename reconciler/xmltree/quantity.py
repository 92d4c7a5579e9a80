"""Amounts of memory, storage and time as libvirt writes them, brought to bytes and seconds. No paths, no rules."""

from __future__ import annotations

UNITS = {"b": 1, "bytes": 1, "byte": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "tb": 1000**4, "pb": 1000**5, "eb": 1000**6}
UNITS |= {name: 1024**n for n, letter in enumerate("kmgtpe", 1) for name in (letter, f"{letter}ib")}
UNITS |= {"seconds": 1, "minutes": 60, "hours": 3600}


def amount(text: str, unit: str, rounding: int = 1) -> str:
    """An amount in bytes or seconds, rounded up as libvirt does; a text that is no whole number stays as it is."""
    factor = UNITS.get(unit.lower())
    if factor is None or not text.isdigit():
        return text
    return round_up(int(text) * factor, rounding)


def round_up(size: int, step: int) -> str:
    """The next multiple of `step`, as text."""
    return str(-(-size // step) * step)


def binary(size: int) -> str:
    """An amount of bytes for people: in the largest binary unit that shows it exactly."""
    names = ("TiB", "GiB", "MiB", "KiB")
    return next((f"{size // UNITS[n.lower()]}{n}" for n in names if size and size % UNITS[n.lower()] == 0), f"{size}B")
