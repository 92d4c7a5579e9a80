"""Secret values: put into the XML right before libvirt gets it, and kept out of every message. Nowhere else are they handled."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar
from xml.sax.saxutils import escape

from reconciler.errors import VireoError
from reconciler.host.session import Session

P = ParamSpec("P")
T = TypeVar("T")

_ENTITIES = {'"': "&quot;", "'": "&apos;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}


def reveal(xml: str, secrets: Mapping[str, str]) -> str:
    """`xml` with each placeholder replaced by its value, escaped for text and attributes alike."""
    if not secrets:
        return xml
    pattern = re.compile("|".join(re.escape(placeholder) for placeholder in sorted(secrets, key=len, reverse=True)))
    return pattern.sub(lambda found: escape(secrets[found.group(0)], _ENTITIES), xml)


def call_quietly(
    session: Session, secrets: Mapping[str, str], name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Session.call for a call whose arguments hold secret values: an error that repeats one of them has it blotted out."""
    try:
        return session.call(name, function, *args, **kwargs)
    except VireoError as error:
        if not secrets:
            raise
        failure = error
    _blot_out(failure, secrets)
    raise failure


def _blot_out(error: VireoError, secrets: Mapping[str, str]) -> None:
    """Libvirt's own exception hangs on ours as its cause, with the message as it was: it is cut off, too."""
    values = [form for value in secrets.values() if value for form in (value, escape(value, _ENTITIES))]
    for value in sorted(values, key=len, reverse=True):
        error.summary = error.summary.replace(value, "***")
        error.detail = error.detail.replace(value, "***")
        error.hint = error.hint.replace(value, "***")
    error.args = (error.summary,)
    error.__cause__ = None
    error.__context__ = None
