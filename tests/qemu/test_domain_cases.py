"""Every golden case is a domain that a real libvirt accepts, and that is in sync right after it was applied."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.sax.saxutils import quoteattr

import libvirt
import pytest

from reconciler.cli.app import run
from tests.domain_cases import CASES, rendered

LACKING = "refused.txt"  # what libvirt says where the machine lacks what the case needs (another QEMU, TLS, KVM)
ELSEWHERE = {"policies", "hosts"}  # cases that name hosts of their own
STORAGE = """\
apiVersion: vireo/v1
kind: Pool
metadata: {name: default}
spec: {type: dir, path: /var/lib/libvirt/images/cases}
---
apiVersion: vireo/v1
kind: Volume
metadata: {name: root.qcow2}
spec: {pool: default, capacity: 1GiB, format: qcow2}
---
apiVersion: vireo/v1
kind: Volume
metadata: {name: sparse.img}
spec: {pool: default, capacity: 10GB, format: raw}
---
apiVersion: vireo/v1
kind: Network
metadata: {name: default}
spec: {mode: isolated, state: inactive}
"""


def refusal(connection: libvirt.virConnect, xml: str) -> str:
    """What libvirt says against defining `xml`; '' if it does it."""
    try:
        connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    except libvirt.libvirtError as error:
        return str(error)
    return ""


def with_secrets(xml: str, secrets: dict[str, str]) -> str:
    for placeholder, value in secrets.items():
        xml = xml.replace(f'"{placeholder}"', quoteattr(value))
    return xml


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_real_libvirt_accepts_it(case: Path, host_uri: str) -> None:
    [desired] = rendered(case)
    connection = libvirt.open(host_uri)
    said = refusal(connection, with_secrets(desired.xml, dict(desired.secrets)))
    connection.close()
    lacking = case / LACKING
    assert not said or (lacking.is_file() and lacking.read_text(encoding="utf-8").strip() in said), said


def test_everything_that_can_be_declared_is_in_sync_once_it_was_applied(
    host_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "storage.yaml").write_text(STORAGE, encoding="utf-8")
    for case in CASES:
        if case.name not in ELSEWHERE and not (case / LACKING).exists():
            shutil.copy(case / "manifest.yaml", folder / f"{case.name}.yaml")
    assert run(["apply", "--yes", str(folder), "-c", host_uri]) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert run(["plan", "-o", "json", str(folder), "-c", host_uri]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["actions"] == []
    assert {(resource["name"], resource["status"]) for resource in plan["resources"] if resource["status"] != "in-sync"} == set()
