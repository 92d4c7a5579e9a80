"""Amounts, rates and durations as people write them: `512MiB`, `1.5GB`, `100MiB/s`, `90s`. Pure text and numbers."""

from __future__ import annotations

import re
from fractions import Fraction

_BINARY = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_DECIMAL = ("kB", "MB", "GB", "TB", "PB", "EB")
UNITS: dict[str, int] = {
    "B": 1,
    **{unit: 1024 ** (power + 1) for power, unit in enumerate(_BINARY)},
    **{unit: 1000 ** (power + 1) for power, unit in enumerate(_DECIMAL)},
    "KB": 1000,
}
LARGEST = 2**63 - 1
SECONDS: dict[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_AMOUNT = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,19})?) ?([A-Za-z]*)\Z")
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)\Z")


def amount(text: str) -> int:
    """The bytes of a quantity such as ``1.5GiB``. Raises ValueError with a sentence that says how to write it."""
    match = _AMOUNT.match(text)
    if match is None:
        message = f'"{text}" is not a quantity; write a number and a unit, as in 512MiB'
        raise ValueError(message)
    number, unit = match.groups()
    factor = UNITS.get(unit)
    if factor is None:
        raise ValueError(_unit_message(text, number, unit))
    size = Fraction(number) * factor
    if size.denominator != 1:
        message = f'"{text}" is not a whole number of bytes; write it in a smaller unit'
        raise ValueError(message)
    if size > LARGEST:
        message = f'"{text}" is more than libvirt can count ({LARGEST} bytes)'
        raise ValueError(message)
    return int(size)


def size(text: str) -> int:
    """The bytes of a quantity that is more than nothing. Raises ValueError."""
    found = amount(text)
    if not found:
        message = f'"{text}" is nothing; a guest needs some'
        raise ValueError(message)
    return found


def rate(text: str) -> int:
    """The bytes a second of a rate such as ``100MiB/s``. Raises ValueError."""
    size, slash, second = text.partition("/")
    if not slash or second != "s":
        message = f'"{text}" is not a rate; write a quantity a second, as in 100MiB/s'
        raise ValueError(message)
    return amount(size)


def _unit_message(text: str, number: str, unit: str) -> str:
    if not unit:
        return f'"{text}" has no unit; write {number}MiB or {number}GiB, for example'
    letter = unit[0].upper()
    for binary, decimal in zip(_BINARY, _DECIMAL, strict=True):
        if binary[0] == letter:
            return f'"{unit}" is not a unit; write {number}{binary} (1024) or {number}{decimal} (1000)'
    return f'"{unit}" is not a unit; write one of {", ".join(("B", *_BINARY, *_DECIMAL))}'


def seconds(text: str) -> int | float:
    """The seconds of a duration such as ``90s``, ``10m``, ``1.5h``: a whole number where it is one. Raises ValueError."""
    match = _DURATION.match(text)
    if match is None:
        message = f'"{text}" is not a duration; write a number and s, m, h or d, as in 60s'
        raise ValueError(message)
    number, unit = match.groups()
    length = Fraction(number) * (Fraction(1, 1000) if unit == "ms" else SECONDS[unit])
    return int(length) if length.denominator == 1 else float(length)
