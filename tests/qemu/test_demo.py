"""A newcomer's first command does what it says, twice, and leaves nothing behind when it is taken down."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def folder() -> Iterator[Path]:
    parent = Path(tempfile.mkdtemp(prefix="vd-", dir="/tmp"))
    parent.chmod(0o755)
    yield parent / "demo"
    demo(parent / "demo", "down")
    shutil.rmtree(parent)


def demo(folder: Path, verb: str, **environment: str) -> subprocess.CompletedProcess[str]:
    everything = {**os.environ, "VIREO_DEMO_DIR": str(folder), **environment}
    done = subprocess.run(
        [ROOT / "scripts" / "demo.sh", verb],
        env=everything,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def running(uri: str) -> dict[str, int]:
    connection = libvirt.open(uri)
    found = {domain.name(): domain.ID() for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_RUNNING)}
    connection.close()
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("lab")  # skips where no lab can be
def test_the_demo_runs_a_guest_and_repeating_it_leaves_the_guest_alone(folder: Path) -> None:
    uri = f"qemu+unix:///system?socket={folder}/node1/run/libvirt/libvirt-sock"
    first = demo(folder, "up").stdout
    assert "Nothing to do" in first.split("--detailed-exitcode")[1]
    guests = running(uri)
    assert "hello" in guests
    assert demo(folder, "up").stdout.count("Nothing to do") == 3
    assert running(uri) == guests
    demo(folder, "down")
    assert not folder.exists()


@pytest.mark.slow
def test_the_demo_uses_the_host_that_is_named_and_takes_only_its_own_away(host_uri: str, folder: Path) -> None:
    connection = libvirt.open(host_uri)
    connection.defineXML("<domain type='qemu'><name>theirs</name><memory>1024</memory><os><type>hvm</type></os></domain>")
    demo(folder, "up", CONNECT=host_uri)
    assert "hello" in running(host_uri)
    assert not folder.exists()
    demo(folder, "down", CONNECT=host_uri)
    assert [domain.name() for domain in connection.listAllDomains()] == ["theirs"]
    assert connection.listAllNetworks() == []
    assert connection.listAllStoragePools() == []
    connection.close()
