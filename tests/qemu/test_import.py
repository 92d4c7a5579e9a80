"""Foreign objects of a real host, imported: adopting the manifests changes nothing, and elsewhere they make the same objects."""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import libvirt
import pytest

from benchmarks.import_foreign import define as define_foreign
from benchmarks.import_foreign import guests
from reconciler.cli.app import run
from reconciler.kinds import KINDS
from reconciler.xmltree.canonical import canonical
from reconciler.xmltree.document import parse
from reconciler.xmltree.paths import matches
from tests.corpus import written
from tests.domain_cases import CASES, ROOT, rendered
from tests.driving import domain_xml
from tests.lab.nodes import Lab

LONGEST_MEDIAN = 40  # lines
UNDEFINE = libvirt.VIR_DOMAIN_UNDEFINE_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
MADE_UP = ("devices/disk/serial", "metadata", "metadata/vireo:resource/**")  # identity that Vireo gives something new; its mark
NETWORK = """<network><name>{}</name></network>"""
RICH_NETWORK = """\
<network><name>rich</name><forward mode='nat'><nat><port start='2000' end='3000'/></nat></forward>
<bridge name='virbr77' stp='off' delay='2'/><mac address='52:54:00:77:00:01'/><mtu size='1400'/>
<domain name='rich.example' localOnly='yes'/>
<dns><forwarder addr='192.0.2.1'/><txt name='t.example' value='a b'/>
<srv service='ldap' protocol='tcp' target='a.example' port='389'/>
<host ip='10.77.0.2'><hostname>gw</hostname></host></dns>
<ip address='10.77.0.1' netmask='255.255.255.0' localPtr='yes'>
<dhcp><range start='10.77.0.10' end='10.77.0.20'><lease expiry='3600' unit='seconds'/></range>
<host mac='52:54:00:77:00:02' name='a' ip='10.77.0.5'/></dhcp></ip>
<ip family='ipv6' address='fd00:77::1' prefix='64'/><route address='10.78.0.0' prefix='16' gateway='10.77.0.2'/>
<bandwidth><inbound average='1000' peak='5000' burst='1024'/></bandwidth></network>"""


@pytest.fixture
def host(host_uri: str) -> Iterator[libvirt.virConnect]:
    connection = libvirt.open(host_uri)
    yield connection
    connection.close()


@pytest.fixture
def vireo(host_uri: str, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*words: str, code: int = 0) -> str:
        found = run([*words, "-c", host_uri])
        said = capsys.readouterr()
        assert found == code, said.err + said.out
        return said.out + (said.err if code else "")

    return call


def supply(host: libvirt.virConnect, text: str) -> None:
    """The networks, pools and volumes that definitions name."""
    for name in set(re.findall(r"network='([^']+)'", text)):
        host.networkDefineXML(NETWORK.format(name))
    for name in set(re.findall(r"pool='([^']+)'", text)):
        path = f"/var/lib/libvirt/images/import-{name}"
        pool = host.storagePoolDefineXML(f"<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>")
        pool.build(0)
        pool.create()
        for volume in set(re.findall(rf"pool='{re.escape(name)}' volume='([^']+)'", text)):
            pool.createXML(f"<volume><name>{volume}</name><capacity unit='MiB'>8</capacity></volume>")


def define(host: libvirt.virConnect, text: str) -> libvirt.virDomain | None:
    """A domain as somebody else defined it; None if this machine's libvirt refuses it."""
    try:
        return host.defineXML(text)
    except libvirt.libvirtError:
        return None


def definition(domain: libvirt.virDomain) -> str:
    return str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))


def compared(text: str) -> Mapping[str, str]:
    found = canonical(parse(text), KINDS["Domain"].rules)
    return {
        path: value for path, value in found.items() if not any(matches(one, re.sub(r"\[[^]]*]", "", path)) for one in MADE_UP)
    }


def foreign(host: libvirt.virConnect) -> dict[str, str]:
    """Every golden case that this machine accepts, as a foreign domain; what libvirt made of it by name."""
    texts = [rendered(case)[0].xml for case in CASES]
    texts += [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("tests/cases/Import/*/persistent.xml"))]
    defined = [domain for text in texts if (domain := define(host, text)) is not None]
    out = {domain.name(): definition(domain) for domain in defined}
    supply(host, " ".join(out.values()))
    return out


def actions(plan: str) -> list[tuple[str, str, str]]:
    return [(action["verb"], action["name"], action["impact"]) for action in json.loads(plan)["actions"]]


def test_foreign_domains_are_adopted_without_a_change_and_made_again_elsewhere(
    host: libvirt.virConnect, vireo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = foreign(host)
    assert len(before) > 60
    folder = tmp_path / "imported"
    vireo("import", "--all", "--kind", "domain", "-o", str(folder))
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in folder.iterdir()]
    with capsys.disabled():
        print(f"\n{len(lines)} imported domains: {statistics.median(lines)} lines in the middle, {max(lines)} at most")  # noqa: T201
    assert statistics.median(lines) <= LONGEST_MEDIAN
    assert {action[::2] for action in actions(vireo("plan", str(folder), "--adopt", "-o", "json"))} == {("adopt", "none")}
    vireo("apply", str(folder), "--adopt", "--yes")
    assert actions(vireo("plan", str(folder), "-o", "json")) == []
    assert {name: compared(definition(host.lookupByName(name))) for name in before} == {n: compared(x) for n, x in before.items()}
    for domain in host.listAllDomains():
        domain.undefineFlags(UNDEFINE)
    for secret in host.listAllSecrets():
        secret.undefine()
    vireo("apply", str(folder), "--yes")
    assert actions(vireo("plan", str(folder), "-o", "json")) == []
    after = {domain.name(): compared(definition(domain)) for domain in host.listAllDomains()}
    assert after == {name: compared(text) for name, text in before.items()}
    for path in folder.iterdir():
        text = re.sub(r"\n  title: .*", "", path.read_text(encoding="utf-8"))
        path.write_text(text.replace("\nspec:\n", "\nspec:\n  title: another\n"), encoding="utf-8")
    vireo("apply", str(folder), "--yes")
    for domain in host.listAllDomains():
        assert compared(definition(domain)) == {**compared(before[domain.name()]), "title": "another"}


def test_a_running_domain_is_not_touched(host: libvirt.virConnect, vireo: Any, tmp_path: Path) -> None:
    devices = "<interface type='user'/><graphics type='vnc' passwd='s3cret'/><serial type='pty'/>"
    domain = define(host, domain_xml("guest", "4dea22b3-1d52-48f3-a516-782e98ab3fa0", devices=devices))
    assert domain is not None
    domain.create()
    domain.setAutostart(1)
    live, identity = domain.XMLDesc(0), domain.ID()
    folder = tmp_path / "imported"
    vireo("import", domain.name(), "-o", str(folder))
    [path] = folder.iterdir()
    written = path.read_text(encoding="utf-8")
    assert "s3cret" not in written
    assert "has a password on the host" in written
    assert "state: running\n  autostart: true" in written
    vireo("apply", str(folder), "--adopt", "--yes")
    assert actions(vireo("plan", str(folder), "-o", "json")) == []
    assert domain.ID() == identity
    assert compared(domain.XMLDesc(0)) == compared(live)
    assert "s3cret" in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert "belongs to the project imported" in vireo("import", domain.name(), code=1)
    assert domain.name() not in vireo("import", "--all")


def test_a_transient_domain_is_adopted_as_one(host: libvirt.virConnect, vireo: Any, tmp_path: Path) -> None:
    text = rendered(ROOT / "tests/cases/Domain/mynewvm")[0].xml
    text = re.sub(r"<disk type=\"volume\".*?</disk>", "", text, flags=re.DOTALL).replace('type="network"', 'type="user"')
    domain = host.createXML(re.sub(r"<source network[^>]*>", "", text))
    identity = domain.ID()
    folder = tmp_path / "imported"
    vireo("import", "--all", "-o", str(folder))
    assert {action[::2] for action in actions(vireo("plan", str(folder), "--adopt", "-o", "json"))} == {("adopt", "none")}
    vireo("apply", str(folder), "--adopt", "--yes")
    assert actions(vireo("plan", str(folder), "-o", "json")) == []
    assert domain.ID() == identity


def test_networks_pools_and_volumes_are_adopted_without_a_change(host: libvirt.virConnect, vireo: Any, tmp_path: Path) -> None:
    supply(host, "pool='p' volume='a.img'")
    pool = host.storagePoolLookupByName("p")
    pool.setAutostart(1)
    shape = "<capacity unit='MiB'>9</capacity><target><format type='qcow2'/><compat>1.1</compat></target>"
    base = pool.createXML(f"<volume><name>b.qcow2</name>{shape}</volume>")
    backing = f"<backingStore><path>{base.path()}</path><format type='qcow2'/></backingStore>"
    pool.createXML(f"<volume><name>c 1.qcow2</name>{shape}{backing}</volume>")
    networks = [host.networkDefineXML(text) for text in (NETWORK.format("plain"), RICH_NETWORK)]
    networks[0].create()
    before = [network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE) for network in networks]
    folder = tmp_path / "imported"
    vireo("import", "--all", "-o", str(folder))
    assert sorted(path.name for path in folder.iterdir()) == [
        "network-plain.yaml",
        "network-rich.yaml",
        "pool-p.yaml",
        "volume-p-a.img.yaml",
        "volume-p-b.qcow2.yaml",
        "volume-p-c%201.qcow2.yaml",
    ]
    assert "xml:" not in "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())
    assert {action[::2] for action in actions(vireo("plan", str(folder), "--adopt", "-o", "json"))} == {("adopt", "none")}
    vireo("apply", str(folder), "--adopt", "--yes")
    assert actions(vireo("plan", str(folder), "-o", "json")) == []
    assert [network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE) for network in networks] == before
    networks[0].destroy()
    for network in networks:
        network.undefine()
    for secret in host.listAllSecrets():
        secret.undefine()
    for path in folder.iterdir():
        if not path.name.startswith("network"):
            path.unlink()
    vireo("apply", str(folder), "--yes")
    again = [host.networkLookupByName(name).XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE) for name in ("plain", "rich")]
    rules = KINDS["Network"].rules
    assert [canonical(parse(text), rules) for text in again] == [canonical(parse(text), rules) for text in before]


def test_networks_that_run_are_adopted_without_a_change(host: libvirt.virConnect, vireo: Any, tmp_path: Path) -> None:
    running = 0
    for name, text in written.documents("networks").items():
        if name.startswith(("a-", "d-s", "r-", "f-n")):
            network = host.networkDefineXML(text)
            with contextlib.suppress(libvirt.libvirtError):  # of some the machine has not the device
                network.create()
                running += 1
    assert running > 20
    folder = tmp_path / "imported"
    vireo("import", "--all", "-o", str(folder))
    assert {action[::2] for action in actions(vireo("plan", str(folder), "--adopt", "-o", "json"))} == {("adopt", "none")}
    vireo("apply", str(folder), "--adopt", "--yes")
    assert actions(vireo("plan", str(folder), "-o", "json")) == []


def test_nothing_is_written_over_a_file_that_is_there(host: libvirt.virConnect, vireo: Any, tmp_path: Path) -> None:
    supply(host, "network='one' network='two'")
    (tmp_path / "network-two.yaml").write_text("mine", encoding="utf-8")
    assert "network-two.yaml is there already; nothing was written" in vireo("import", "--all", "-o", str(tmp_path), code=3)
    assert [path.name for path in tmp_path.iterdir()] == ["network-two.yaml"]
    assert "did you mean" in vireo("import", "onee", code=3)
    assert "name: one" in vireo("import", "Network/one")
    assert "name: two" not in vireo("import", "one", "--kind", "network")


def test_two_hundred_foreign_domains_are_adopted_and_no_guest_is_touched(
    host: libvirt.virConnect, vireo: Any, tmp_path: Path
) -> None:
    define_foreign(host, domains=200, running=3)
    before = guests(host)
    assert len(before) == 200
    assert len({guest.process for guest in before.values() if guest.process}) == 3
    folder = tmp_path / "imported"
    vireo("import", "--all", "-o", str(folder))
    assert guests(host) == before
    adoption = json.loads(vireo("plan", str(folder), "--adopt", "-o", "json"))
    assert [(action["verb"], action["impact"]) for action in adoption["actions"]] == [("adopt", "none")] * 201
    vireo("apply", str(folder), "--adopt", "--yes")
    plan = json.loads(vireo("plan", str(folder), "-o", "json"))
    assert plan["actions"] == []
    assert {resource["status"] for resource in plan["resources"]} == {"in-sync"}
    assert guests(host) == before


def test_the_import_of_foreign_domains_is_measured_and_leaves_nothing(host_uri: str, host: libvirt.virConnect) -> None:
    command = [sys.executable, "benchmarks/import_foreign.py", "--domains", "8", "--running", "1", "--repeat", "1"]
    done = subprocess.run(
        [*command, "--connect", host_uri],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for measure in ("floor", "import, written to files", "apply --adopt", "1 QEMU processes and 8 definitions are the same"):
        assert measure in done.stdout
    assert [*host.listAllDomains(), *host.listAllNetworks(), *host.listAllSecrets()] == []


def test_an_encrypted_volume_and_a_pool_within_a_pool_are_adopted_without_a_change(
    host: libvirt.virConnect, vireo: Any, tmp_path: Path, lab: Lab
) -> None:
    supply(host, "pool='p' volume='a.img'")
    outer = host.storagePoolLookupByName("p")
    (lab.images / "import-p" / "l.img").write_bytes(b"LUKS\xba\xbe\x00\x01".ljust(1 << 20, b"\0"))
    path = "/var/lib/libvirt/images/import-p/inner"
    inner = host.storagePoolDefineXML(f"<pool type='dir'><name>inner</name><target><path>{path}</path></target></pool>")
    inner.build(0)
    inner.create()
    inner.createXML("<volume><name>b.img</name><capacity unit='MiB'>1</capacity></volume>")
    outer.refresh()
    assert "<encryption format='luks'" in outer.storageVolLookupByName("l.img").XMLDesc()
    folder = tmp_path / "imported"
    vireo("import", "--all", "-o", str(folder))
    assert sorted(entry.name for entry in folder.iterdir()) == [
        "pool-inner.yaml",
        "pool-p.yaml",
        "volume-inner-b.img.yaml",
        "volume-p-a.img.yaml",
        "volume-p-inner.yaml",
        "volume-p-l.img.yaml",
    ]
    assert "format: dir" in (folder / "volume-p-inner.yaml").read_text(encoding="utf-8")
    assert '<encryption format="luks"' in (folder / "volume-p-l.img.yaml").read_text(encoding="utf-8")
    assert {action[::2] for action in actions(vireo("plan", str(folder), "--adopt", "-o", "json"))} == {("adopt", "none")}
    vireo("apply", str(folder), "--adopt", "--yes")
    assert actions(vireo("plan", str(folder), "-o", "json")) == []
