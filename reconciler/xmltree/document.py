"""Reading and writing XML safely: no entities, no DTD, no network, no comments. Nothing here knows libvirt."""

from __future__ import annotations

from typing import TypeAlias

from lxml import etree

Element: TypeAlias = etree._Element  # noqa: SLF001  lxml has no public name for the class of its elements


class XmlError(ValueError):
    """The text is not a well-formed, harmless XML document; `line` counts from 1 within the text."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=True,
        huge_tree=False,
    )


def parse(text: str) -> Element:
    """The root element of `text`, without comments and white space between elements. Raises XmlError."""
    try:
        root = etree.fromstring(text.encode(), _parser())
    except etree.XMLSyntaxError as error:
        line = error.position[0] if error.position else 1
        raise XmlError(str(error.msg or error), line) from None
    except ValueError as error:
        raise XmlError(str(error), 1) from None
    if root.getroottree().docinfo.doctype:
        message = "a document type declaration is not allowed"
        raise XmlError(message, 1)
    return root


def serialize(element: Element, *, pretty: bool = True) -> str:
    """The text of `element` as libvirt writes it: no declaration, two blanks of indent."""
    return etree.tostring(element, pretty_print=pretty, encoding="unicode", with_tail=False)


def tag(element: Element) -> str:
    """The element's name; with its namespace as ``{uri}name``."""
    name = element.tag
    if not isinstance(name, str):
        message = "not an element"
        raise TypeError(message)
    return name
