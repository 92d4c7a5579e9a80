"""Which way a domain travels, and what is refused before any host is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import libvirt
import pytest

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.drivers.migration import refusals
from reconciler.host.drivers.migration.carrying import flags_of
from reconciler.host.drivers.migration.choosing import choose, resuming
from reconciler.host.drivers.migration.watching import progress_of
from reconciler.host.drivers.migration.wishes import contradictions
from reconciler.model.guest import Disk, Guest, Sharing
from reconciler.model.migration import Check, MigrationSpec, Preflight, Progress, Route

GUEST = Guest(uuid="u", name="g", active=True, persistent=True, paused=False, autostart=False)
SHARED = Disk("vda", "/s/a", Sharing.SHARED)
LOCAL = Disk("vdb", "/l/b", Sharing.SEPARATE)
IMAGE = Disk("hdc", "/l/c.iso", Sharing.SEPARATE, readonly=True)
DEFINED = {"persist-dest", "undefine-source"}
ALWAYS = DEFINED | {"abort-on-error"}


def route(guest: Guest = GUEST, peer: str = "qemu+tcp://there/system", address: str = "", **migration: Any) -> Route:
    return choose(MigrationSpec.of({"migration": migration}), Preflight(guest, (), peer, address))


@pytest.mark.parametrize(
    "migration, flags",
    [
        ({}, {"live"}),
        ({"mode": "live"}, {"live"}),
        ({"mode": "standard"}, set()),
        ({"live": False}, set()),
        ({"mode": "p2p"}, {"live", "peer2peer"}),
        ({"p2p": True}, {"live", "peer2peer"}),
        ({"mode": "tunnelled"}, {"live", "peer2peer", "tunnelled"}),
        ({"tunnelled": True}, {"live", "peer2peer", "tunnelled"}),
        ({"mode": "direct"}, {"live"}),
        ({"autoConverge": True, "compressed": True}, {"live", "auto-converge", "compressed"}),
        ({"postCopy": True}, {"live", "postcopy"}),
        ({"timeout": 5, "onTimeout": "post-copy"}, {"live", "postcopy"}),
        ({"parallel": 2, "tls": True}, {"live", "parallel", "tls"}),
        ({"unsafe": True}, {"live", "unsafe"}),
    ],
)
def test_a_running_guest_travels_as_asked_for(migration: dict[str, Any], flags: set[str]) -> None:
    chosen = route(**migration)
    assert set(chosen.flags) == flags | ALWAYS
    assert bool(chosen.peer) == ("peer2peer" in flags)
    assert flags_of(chosen)
    assert chosen.reasons


def test_a_stopped_domain_moves_as_a_definition_whatever_is_asked_for() -> None:
    stopped = replace(GUEST, active=False, disks=(SHARED,))
    assert route(stopped, bandwidth=5, postCopy=True).flags == ("offline", *sorted(DEFINED))
    peer = route(stopped, p2p=True)
    assert peer.peer
    assert peer.flags == ("offline", "peer2peer", *sorted(DEFINED))


def test_a_transient_guest_is_defined_nowhere() -> None:
    assert route(replace(GUEST, persistent=False)).flags == ("live", "abort-on-error")


def test_only_what_the_destination_does_not_see_is_copied() -> None:
    guest = replace(GUEST, disks=(SHARED, LOCAL, IMAGE))
    chosen = route(guest)
    assert chosen.copies == (LOCAL,)
    assert chosen.parameters == {"migrate_disks": ["vdb"]}
    assert "non-shared-disk" in chosen.flags
    assert "non-shared-inc" in route(guest, storage="copy-incremental").flags
    assert route(guest, storage="none").copies == ()
    assert "non-shared-disk" not in route(replace(GUEST, disks=(SHARED, IMAGE))).flags


def test_a_bandwidth_is_never_rounded_to_no_limit_at_all() -> None:
    assert route(bandwidth=1).parameters == {"bandwidth": 1}
    assert route(bandwidth=(5 << 20) + 1, postCopy=True).parameters == {"bandwidth": 6, "bandwidth.postcopy": 6}


def test_memory_goes_to_the_address_that_is_given_or_else_to_one_that_leads_there() -> None:
    assert route(uri="tcp://10.0.0.2:49200").parameters == {"migrate_uri": "tcp://10.0.0.2:49200"}
    assert route(address="tcp://there").parameters == {"migrate_uri": "tcp://there"}
    assert route(uri="qemu+tcp://there/system", p2p=True).parameters == {}
    assert route(address="tcp://there", tunnelled=True).parameters == {}


def test_what_forbids_it_is_told_all_at_once_with_the_first_remedy() -> None:
    checks = (
        Check.passes("hosts", "fine"),
        Check.fails("memory", "too little", "stop others"),
        Check.doubts("cpu", "unknown", "look"),
        Check.fails("network lan", "missing", "declare it"),
        Check.fails("network wan", "missing", "declare it", fatal=False),
    )
    with pytest.raises(HostError, match="g cannot be moved: memory: too little") as refused:
        choose(MigrationSpec(), Preflight(GUEST, checks))
    assert refused.value.detail == "memory: too little; stop others\nnetwork lan: missing; declare it"
    assert refused.value.hint == "stop others"


def test_a_post_copy_goes_on_whatever_the_checks_say() -> None:
    found = Preflight(GUEST, (Check.fails("name", "active there", "end it"),), "qemu+tcp://there/system")
    assert {"postcopy", "postcopy-resume"} < set(resuming(MigrationSpec(), found).flags)


@pytest.mark.parametrize(
    "migration",
    [
        {"mode": "direct", "p2p": True},
        {"mode": "tunnelled", "p2p": False},
        {"tunnelled": True, "uri": "tcp://there"},
        {"tunnelled": True, "parallel": 2},
        {"tunnelled": True, "postCopy": True},
        {"tunnelled": True, "storage": "copy"},
        {"tunnelled": True, "tls": True},
        {"parallel": 2, "postCopy": True},
        {"onTimeout": "suspend"},
    ],
)
def test_wishes_that_contradict_one_another_are_named(migration: dict[str, Any]) -> None:
    wrong = [(detail, remedy) for so, detail, remedy in contradictions(MigrationSpec.of({"migration": migration})) if so]
    assert len(wrong) == 1
    assert all(wrong[0])


def test_wishes_that_go_together_are_not_named() -> None:
    given = {"mode": "p2p", "uri": "tcp://there", "parallel": 2, "timeout": 3, "onTimeout": "force-converge"}
    assert not any(so for so, _, _ in contradictions(MigrationSpec.of({"migration": given})))


def test_what_is_left_out_of_a_manifest_is_as_usual() -> None:
    assert MigrationSpec.of({}) == MigrationSpec.of({"migration": {"p2p": "auto", "uri": None}}) == MigrationSpec()
    with pytest.raises(ValueError, match="sideways"):
        MigrationSpec.of({"migration": {"mode": "sideways"}})


def test_disks_come_first_and_their_rate_is_told() -> None:
    stats = {"disk_remaining": 5, "disk_bps": 7, "memory_bps": 9, "data_processed": 1, "data_remaining": 3, "data_total": 4}
    disks = progress_of(stats, post_copy=False)
    assert (disks.phase, disks.rate, disks.fraction) == ("copying disks", 7, 0.25)
    memory = progress_of(stats | {"disk_remaining": 0, "memory_iteration": 2, "downtime": 300}, post_copy=False)
    assert (memory.phase, memory.rate, memory.downtime, memory.iteration) == ("copying memory", 9, 0.3, 2)
    assert progress_of({}, post_copy=False).fraction is None


def test_progress_is_told_in_one_line() -> None:
    assert Progress("preparing").message == "preparing"
    told = Progress("copying memory", 45 << 20, 3 << 20, 64 << 20, 3 << 19, 0.3, 2).message
    assert told == "copying memory, pass 2, 45 MiB sent, 3 MiB left, 1.5 MiB/s, 300 ms of standstill expected"


@pytest.mark.parametrize(
    "code, message, word",
    [
        (libvirt.VIR_ERR_MIGRATE_UNSAFE, "Migration without shared storage is unsafe", "unsafe: true"),
        (
            libvirt.VIR_ERR_MIGRATE_UNSAFE,
            "Migration may lead to data corruption if disks use cache other than none",
            "cache `none`",
        ),
        (1, "unable to execute QEMU command 'migrate-set-capabilities': Postcopy is not supported", "userfaultfd"),
        (38, "Unable to resolve address 'node2' service '49155'", "DNS"),
        (38, "unable to connect to server at '10.99.0.77:49155': No route to host", "firewall"),
        (1, "Unable to find an unused port in range 'migration' (49152-49153)", "migration_port_max"),
        (70, "Hook script execution failed: refused by policy", "hook"),
        (9, "job 'migration out' failed: Certificate does not match the hostname wrong", "certificates"),
    ],
)
def test_libvirts_refusals_come_with_what_to_do(code: int, message: str, word: str) -> None:
    assert word in refusals.advice(LibvirtCallError("failed", call="virDomainMigrate3", code=code, detail=message, hint="other"))


def test_any_other_error_keeps_its_own_hint() -> None:
    assert refusals.advice(LibvirtCallError("failed", call="x", code=1, detail="something else", hint="other")) == "other"
