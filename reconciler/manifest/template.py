"""The Jinja2 environment in which templates become XML: sandboxed, escaping, strict. Knows no kind and no field.

Mappings answer ``a.b`` with their field b and nothing else, so that a field named `update` or `items` is no trap. A missing
field is undefined, so is everything below it, and using it where a value is needed is an error: ask with ``is defined``, or
give a ``default(...)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
from jinja2 import ChainableUndefined, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from reconciler.manifest import assets
from reconciler.manifest.quantity import amount, seconds

_NAME = re.compile(r"[A-Za-z_][\w.:-]*\Z")


class Missing(ChainableUndefined, StrictUndefined):
    """A field that is not there: everything below it is not there either, and it has no value."""

    __slots__ = ()


class Environment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, in which the fields of a mapping come before anything that Python knows of it."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """``obj.attribute`` in a template."""
        if type(obj) is dict:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


@cache
def environment(folder: str | None) -> Environment:
    """The environment whose templates come from `folder` first, then from the built-in ones."""
    folders = ([folder] if folder else []) + [str(assets.folder("templates"))]
    made = Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=Missing,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
        cache_size=-1,
    )
    made.filters.update({"bytes": _bytes, "seconds": _seconds, "yesno": _yesno, "onoff": _onoff, "aslist": _aslist})
    made.globals["attrs"] = attrs
    return made


def attrs(fields: Mapping[str, Any] | None = None, /, **more: Any) -> Markup:
    """XML attributes, each with a blank before it: those that are defined. true and false are written yes and no."""
    out = []
    for name, value in {**(fields or {}), **more}.items():
        if value is None or isinstance(value, Undefined):
            continue
        if not _NAME.match(name):
            message = f'"{name}" cannot be the name of an attribute'
            raise jinja2.TemplateRuntimeError(message)
        text = _yesno(value) if isinstance(value, bool) else value
        out.append(f'{name}="{_escape(str(text))}"')
    return Markup("".join(f" {part}" for part in out))  # noqa: S704  names checked, values escaped above


def _finalize(value: Any) -> Any:
    """What a ``{{ }}`` writes: text comes out as itself, and what is not text but a question is refused."""
    if value is None or isinstance(value, bool | dict | list):
        message = f"a {type(value).__name__} cannot be written as text (yes or no: use |yesno or |onoff)"
        raise jinja2.TemplateRuntimeError(message)
    if isinstance(value, str) and not isinstance(value, Markup):
        return _escape(value)
    return value


def _escape(text: str) -> Markup:
    """`text` for an attribute or an element's content; line breaks and tabs survive XML's normalisation of attributes."""
    if isinstance(text, Markup):
        return text
    safe = str(escape(text))
    if "\n" in safe or "\t" in safe or "\r" in safe:
        safe = safe.replace("\n", "&#10;").replace("\t", "&#9;").replace("\r", "&#13;")
    return Markup(safe)  # noqa: S704  escaped above


# --- filters: what is undefined stays undefined, so that attrs() leaves it out ---------------------------------


def _bytes(value: Any) -> Any:
    """The bytes of a quantity: ``512MiB`` is 536870912."""
    return amount(value) if isinstance(value, str) else value


def _seconds(value: Any) -> Any:
    """The seconds of a duration: ``10m`` is 600."""
    return seconds(value) if isinstance(value, str) else value


def _yesno(value: Any) -> Any:
    """``yes`` for true, ``no`` for false."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _onoff(value: Any) -> Any:
    """``on`` for true, ``off`` for false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _aslist(value: Any) -> Any:
    """A list as it is, nothing as an empty one, anything else as a list of one."""
    if isinstance(value, Undefined) or value is None:
        return []
    return value if isinstance(value, list) else [value]
