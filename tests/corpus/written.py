"""The documents by hand, from the files beside this module: written/domains.xml and its like."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

_FILES = Path(__file__).with_name("written")


def documents(kind: str) -> dict[str, str]:
    """Those of a kind (``domains``, ``networks``, ``pools``, ``volumes``), by name."""
    root = ElementTree.parse(_FILES / f"{kind}.xml").getroot()
    return {each.findtext("name") or "": ElementTree.tostring(each, encoding="unicode") for each in root}
