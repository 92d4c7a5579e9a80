"""XML that a manifest carries for other programs (a domain's `metadata:`): what libvirt will keep of it. Changes nothing."""

from __future__ import annotations

import re

from reconciler.xmltree.document import XmlError, parse
from reconciler.xmltree.mark import NAMESPACE

_PLACE = re.compile(r",? line \d+(?:, column \d+)?")  # libxml2 counts within our wrapping


def elements(text: str) -> None:
    """Whether `text` is elements that libvirt keeps in <metadata>: each in a namespace, no two in one. Raises ValueError."""
    try:
        root = parse(f"<metadata>{text}</metadata>")
    except XmlError as error:
        raise ValueError(f"not well-formed XML: {_PLACE.sub('', error.message)}") from None
    if not len(root) or any(part and part.strip() for part in (root.text, *(child.tail for child in root))):
        raise ValueError("must be one or more XML elements, and no text beside them")
    seen: set[str] = set()
    for child in root:
        namespace, brace, name = str(child.tag).removeprefix("{").rpartition("}")
        if not brace:
            raise ValueError(f"<{name}> is in no namespace: libvirt would drop it")
        if namespace == NAMESPACE:
            raise ValueError(f"the namespace {NAMESPACE} is Vireo's own")
        if namespace in seen:
            raise ValueError(f"two elements in the namespace {namespace}: libvirt would keep one")
        seen.add(namespace)
