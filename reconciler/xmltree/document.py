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
        raise XmlError(str(error.msg or error), error.position[0]) from None
    except ValueError as error:
        raise XmlError(str(error), 1) from None
    if _doctype(root):
        message = "a document type declaration is not allowed"
        raise XmlError(message, 1)
    return root


def _doctype(root: Element) -> str:
    return str(getattr(root.getroottree().docinfo, "doctype", ""))


def serialize(element: Element, *, pretty: bool = True) -> str:
    """The text of `element` as libvirt writes it: no declaration, two blanks of indent."""
    return etree.tostring(element, pretty_print=pretty, encoding="unicode", with_tail=False)


def tag(element: Element) -> str:
    """The element's name; with its namespace as ``{uri}name``."""
    return str(element.tag)


def attributes(element: Element) -> dict[str, str]:
    """The element's attributes by name."""
    return {str(name): str(value) for name, value in element.attrib.items()}


def unset(element: Element, name: str) -> None:
    """Take an attribute away, if it is there."""
    if name in element.attrib:
        del element.attrib[name]
