"""The JSON Schema validator of a kind, and the formats that Vireo adds. Says whether data fit, not in which words."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from reconciler.manifest import shape
from reconciler.manifest.elements import elements
from reconciler.manifest.quantity import amount, rate, seconds, size

FORMATS: dict[str, Callable[[str], object]] = {
    "vireo-quantity": amount,
    "vireo-size": size,
    "vireo-duration": seconds,
    "vireo-rate": rate,
    "vireo-elements": elements,
    "vireo-ip": ipaddress.ip_address,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
}


@lru_cache(maxsize=1024)
def expression(pattern: str) -> re.Pattern[str]:
    """`pattern` compiled as JSON Schema means it: a final $ is the very end, not also the place before a last line break."""
    return re.compile(pattern[:-1] + r"\Z" if pattern.endswith("$") and not pattern.endswith(r"\$") else pattern)


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not expression(pattern).search(instance):
        yield ValidationError("does not match")


def _most(_: Any, pairs: Mapping[str, str], instance: Any, __: Any) -> Iterator[ValidationError]:
    """`x-vireo-most`: a field -> the field beside it that it must not be more than; numbers, or quantities."""
    for name, limit in pairs.items() if isinstance(instance, dict) else ():
        value, most = _measured(instance.get(name)), _measured(instance.get(limit))
        if value is not None and most is not None and value > most:
            yield ValidationError(f"more than {limit}", path=[name])


def _measured(value: Any) -> int | None:
    """The number or the bytes that `value` stands for; None for what its own rule finds wrong, or that is not there."""
    if _is_integer(None, value):
        return int(value)
    try:
        return size(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _is_integer(_: Any, instance: Any) -> bool:
    return isinstance(instance, int) and not isinstance(instance, bool)


def _formats() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, function in FORMATS.items():
        checker.checks(name, raises=ValueError)(_format(function))
    return checker


def _format(function: Callable[[str], object]) -> Callable[[object], bool]:
    def holds(instance: object) -> bool:
        if isinstance(instance, str):
            function(instance)
        return True

    return holds


_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"pattern": _pattern, "x-vireo-most": _most},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
    format_checker=_formats(),
)


@cache
def validator(kind: str) -> Draft202012Validator:
    """The validator of a kind's whole document. Raises KeyError for a kind without a schema."""
    made: Draft202012Validator = _Validator(shape.of(kind).document, format_checker=_Validator.FORMAT_CHECKER)
    return made


def errors(kind: str, data: Any) -> list[ValidationError]:
    """What is wrong with `data` as a document of `kind`: [] in the usual case, which is found out faster."""
    check = validator(kind)
    return [] if check.is_valid(data) else list(check.iter_errors(data))
