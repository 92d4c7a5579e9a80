from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.host.inventory import Inventory, projects, survey
from reconciler.host.rebuild import rebuild
from reconciler.host.session import Session
from reconciler.model.resource import HostSpec, ResourceId
from reconciler.model.state import Mark
from reconciler.xmltree import mark as marks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def session(host_uri: str) -> Iterator[Session]:
    with Session.open(HostSpec("node1", host_uri)) as opened:
        yield opened


def mark(name: str, *, size: int = 0, digest: str = "d") -> Mark:
    text = random.Random(name).randbytes(size // 2).hex()  # noqa: S311  no secret
    return Mark("demo", ResourceId("Network", name, "node1"), f"uuid-{name}", digest=digest, xml=text)


def test_the_inventory_is_in_secrets_of_its_usage_and_survives_the_session(session: Session, host_uri: str) -> None:
    Inventory.open(session, "demo").write([mark("a")])
    assert [secret.usageID() for secret in session.conn.listAllSecrets()] == ["vireo/demo/inventory/0"]
    with Session.open(HostSpec("renamed", host_uri)) as other:
        (kept,) = Inventory.open(other, "demo").marks.values()
        assert kept.id == ResourceId("Network", "a", "renamed")
        assert projects(other) == ["demo"]


def test_a_large_inventory_is_spread_over_secrets_and_leaves_none_behind(session: Session) -> None:
    everything = [mark(f"n{number}", size=4_000) for number in range(100)]
    inventory = Inventory.open(session, "demo")
    inventory.write(everything)
    assert len(session.conn.listAllSecrets()) > 3
    assert survey(session).marks["demo"] == {entry.id: entry for entry in everything}
    inventory.forget([entry.id for entry in everything])
    assert session.conn.listAllSecrets() == []


def test_another_secret_that_happens_to_have_such_a_name_is_left_alone(session: Session) -> None:
    session.conn.secretDefineXML("<secret><usage type='ceph'><name>vireo-something</name></usage></secret>")
    session.conn.secretDefineXML("<secret><usage type='volume'><volume>vireo/demo/inventory/0</volume></usage></secret>")
    Inventory.open(session, "demo").write([mark("a")])
    assert list(Inventory.open(session, "demo").marks) == [mark("a").id]
    assert len(session.conn.listAllSecrets()) == 3


def test_rebuild_finds_the_domains_of_a_lost_inventory(session: Session) -> None:
    own = Mark("demo", ResourceId("Domain", "web1", "node1"), "4dea22b3-1d52-4d8f-a3b7-7f2a4b1b9d10", digest="d")
    session.conn.defineXML(
        f"<domain type='qemu'><name>web1</name><uuid>{own.uuid}</uuid><metadata>{marks.write(own)}</metadata>"
        "<memory unit='MiB'>16</memory><os><type arch='x86_64'>hvm</type></os></domain>"
    )
    session.conn.networkDefineXML("<network><name>lan</name></network>")
    assert rebuild(session, "demo") == [own]
    assert Inventory.open(session, "demo").marks == {own.id: own}


WRITER = """
import itertools, random, sys
from reconciler.host.inventory import Inventory
from reconciler.host.session import Session
from reconciler.model.resource import HostSpec, ResourceId
from reconciler.model.state import Mark

with Session.open(HostSpec("node1", sys.argv[1])) as session:
    inventory = Inventory.open(session, "demo")
    print("ready", flush=True)
    for turn in itertools.count():
        size = random.choice([10, 5_000, 25_000])
        name = f"moving{random.randrange(8)}"
        text = random.randbytes(size).hex()
        inventory.write([Mark("demo", ResourceId("Network", name, "node1"), "uuid", digest=str(turn), xml=text)])
        if turn % 5 == 4:
            inventory.forget([ResourceId("Network", name, "node1")])
"""


def test_kill_9_at_any_moment_leaves_an_inventory_that_has_everything(session: Session, host_uri: str) -> None:
    fixed = {entry.id: entry for entry in (mark(f"fixed{number}", size=8_000) for number in range(20))}
    Inventory.open(session, "demo").write(fixed.values())
    for _ in range(15):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, host_uri], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0, 0.3))  # noqa: S311  the moment of the kill is what must not matter
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
        now = Inventory.open(session, "demo").marks
        assert fixed.items() <= now.items()
        assert {identity.name for identity in now.keys() - fixed.keys()} <= {f"moving{number}" for number in range(8)}
    inventory = Inventory.open(session, "demo")
    inventory.forget(list(inventory.marks))
    assert session.conn.listAllSecrets() == []
