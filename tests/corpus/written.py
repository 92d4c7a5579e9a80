"""The documents by hand, from the files beside this module: written/domains.xml, written/domains-of-disks.xml and their like."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

_FILES = Path(__file__).with_name("written")


def documents(kind: str) -> dict[str, str]:
    """Those of a kind (``domains``, ``networks``, ``pools``, ``volumes``), by name."""
    files = [_FILES / f"{kind}.xml", *sorted(_FILES.glob(f"{kind}-of-*.xml"))]
    found = [each for file in files for each in ElementTree.parse(file).getroot()]
    return {each.findtext("name") or "": ElementTree.tostring(each, encoding="unicode") for each in found}
