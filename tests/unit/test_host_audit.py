"""The audit of wipes: lines that are added, and read whatever happened to the file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.cli.app import run
from reconciler.engine import auditing
from reconciler.errors import HostError, UsageError
from reconciler.host import audit
from reconciler.host.audit import Record

ONE = Record(
    project="lab",
    kind="Volume",
    name="a.img",
    host="node1",
    uri="qemu:///system",
    pool="images",
    path="/srv/images/a.img",
    algorithm="zero",
    passes=1,
    verified=True,
    bytes=3 << 20,
    begun=1_767_225_600.0,
    ended=1_767_225_602.5,
    by="alice@desk",
    result="wiped",
)
TWO = replace(ONE, kind="Domain", name="web1", pool="", path="/srv/web1.save", verified=False, result="failed: no room")


def test_what_is_written_is_read_oldest_first() -> None:
    for record in (ONE, TWO):
        audit.append(record)
    assert audit.read() == ((ONE, TWO), 0)
    assert audit.path().stat().st_mode & 0o777 == 0o600
    assert '"ended": "2026-01-01T00:00:02.500+00:00"' in audit.path().read_text()


def test_a_line_that_was_cut_off_costs_only_itself(capsys: pytest.CaptureFixture[str]) -> None:
    audit.append(ONE)
    with audit.path().open("a") as file:
        file.write('{"format": 1, "kin')
    audit.append(TWO)
    assert audit.read() == ((ONE, TWO), 1)
    assert run(["audit"]) == 0
    assert "1 line of the audit cannot be read" in capsys.readouterr().err


def test_one_resource_is_found_by_its_name_and_its_pool() -> None:
    for record in (ONE, TWO, replace(ONE, pool="other")):
        audit.append(record)
    assert [one.pool for one in auditing.records("Volume/a.img")[0]] == ["images", "other"]
    assert [one.pool for one in auditing.records("Volume/other/a.img")[0]] == ["other"]
    assert auditing.records("Domain/web1")[0] == (TWO,)
    with pytest.raises(UsageError, match="names no resource"):
        auditing.records("web1")


def test_people_read_what_where_how_and_by_whom(capsys: pytest.CaptureFixture[str]) -> None:
    for record in (ONE, replace(TWO, passes=3)):
        audit.append(record)
    assert run(["audit"]) == 0
    head, first, second = (" ".join(line.split()) for line in capsys.readouterr().out.splitlines())
    assert head == "ENDED RESOURCE HOST FILE HOW SIZE RESULT BY"
    assert first == "2026-01-01 00:00:02 Volume/a.img node1 /srv/images/a.img zero 3.0 MiB wiped, read back alice@desk"
    assert "Domain/web1 node1 /srv/web1.save zero, 3 passes 3.0 MiB failed: no room alice@desk" in second


def test_an_audit_that_cannot_be_written_is_an_error() -> None:
    audit.path().parent.parent.mkdir(parents=True, exist_ok=True)
    audit.path().parent.write_text("no folder")
    with pytest.raises(HostError, match="cannot write the audit"):
        audit.append(ONE)
    with pytest.raises(HostError, match="cannot read the audit"):
        audit.read()
