from __future__ import annotations

import libvirt
import pytest

from reconciler.errors import ConnectionLostError, HostUnreachableError, LibvirtCallError
from reconciler.host.opening import unattended
from reconciler.host.session import Session
from reconciler.model.resource import HostSpec

UNUSABLE = {
    "no driver of that name": ("nonsense", "qemu+ssh://"),
    "no socket": ("qemu+unix:///system?socket=/nonexistent/libvirt-sock", "systemctl start libvirtd"),
    "nothing listens": ("qemu+tcp://127.0.0.1:1/system", "nothing listens"),
    "unknown host": ("qemu+tcp://no-such-host.invalid/system", "name is not known"),
    "missing file of the test driver": ("test:///nonexistent/node.xml", ""),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_host_that_cannot_be_reached_is_an_error_with_advice(case: str) -> None:
    uri, advice = UNUSABLE[case]
    with pytest.raises(HostUnreachableError) as caught:
        Session.open(HostSpec("somewhere", uri))
    assert uri in caught.value.summary
    assert caught.value.detail
    assert advice in caught.value.hint


def test_the_facts_of_a_host_carry_the_manifests_name_of_it(test_uri: str) -> None:
    with Session.open(HostSpec("node7", test_uri)) as session:
        assert session.facts.name == "node7"
        assert session.facts.uri == test_uri
        assert session.facts.hypervisor == "TEST"
        assert session.facts.virt_types == {"i686": ("test",)}
        assert session.facts.libvirt_version >= 9_000_000
        assert not session.facts.read_only
        assert not session.has_secrets


def test_a_failed_call_names_the_call_the_code_and_libvirts_words(test_uri: str) -> None:
    with Session.open(HostSpec("node1", test_uri)) as session, pytest.raises(LibvirtCallError) as caught:
        session.call("virDomainLookupByName", session.conn.lookupByName, "ghost")
    error = caught.value
    assert (error.call, error.code) == ("virDomainLookupByName", libvirt.VIR_ERR_NO_DOMAIN)
    assert error.detail == "Domain not found"
    assert error.summary.startswith("virDomainLookupByName failed")


def test_what_the_driver_lacks_is_said_in_the_hint(test_uri: str) -> None:
    with Session.open(HostSpec("node1", test_uri)) as session, pytest.raises(LibvirtCallError) as caught:
        session.call("virConnectNumOfSecrets", session.conn.numOfSecrets)
    assert "driver cannot do that" in caught.value.hint


def test_a_closed_session_is_a_lost_connection(test_uri: str) -> None:
    session = Session.open(HostSpec("node1", test_uri))
    session.close()
    session.close()
    with pytest.raises(ConnectionLostError):
        session.call("virConnectListAllDomains", session.conn.listAllDomains)
    with pytest.raises(HostUnreachableError, match="was closed"):
        session.reconnect()


def test_the_host_of_the_test_driver_ends_with_its_last_session() -> None:
    spec = HostSpec("node1", "test:///default")
    with Session.open(spec) as session:
        session.conn.networkDefineXML("<network><name>extra</name></network>")
        with Session.open(spec) as other:
            assert {network.name() for network in other.conn.listAllNetworks()} == {"default", "extra"}
    with Session.open(spec) as session:
        assert {network.name() for network in session.conn.listAllNetworks()} == {"default"}


@pytest.mark.parametrize(
    "uri, opened",
    [
        ("qemu+ssh://root@node1/system", "qemu+ssh://root@node1/system?no_tty=1"),
        ("qemu+ssh://node1/system?keyfile=/k", "qemu+ssh://node1/system?keyfile=/k&no_tty=1"),
        ("qemu+ssh://node1/system?no_tty=0", "qemu+ssh://node1/system?no_tty=0"),
        ("qemu:///system", "qemu:///system"),
        ("qemu+tcp://node1/system", "qemu+tcp://node1/system"),
    ],
)
def test_ssh_is_told_not_to_ask_on_the_terminal(uri: str, opened: str) -> None:
    assert unattended(uri) == opened
