"""Every golden case is a domain that a real libvirt accepts, with its own schema check switched on."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import quoteattr

import libvirt
import pytest

from tests.domain_cases import CASES, rendered


def with_secrets(xml: str, secrets: dict[str, str]) -> str:
    for placeholder, value in secrets.items():
        xml = xml.replace(f'"{placeholder}"', quoteattr(value))
    return xml


def refusal(connection: libvirt.virConnect, xml: str) -> str:
    """What libvirt says against defining `xml`; '' if it does it."""
    try:
        connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    except libvirt.libvirtError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_real_libvirt_accepts_it(case: Path, host_uri: str) -> None:
    [desired] = rendered(case)
    connection = libvirt.open(host_uri)
    said = refusal(connection, with_secrets(desired.xml, dict(desired.secrets)))
    connection.close()
    lacking = case / "refused.txt"  # what libvirt says where the machine lacks what the case needs (another QEMU, TLS, KVM)
    assert not said or (lacking.is_file() and lacking.read_text(encoding="utf-8").strip() in said), said
