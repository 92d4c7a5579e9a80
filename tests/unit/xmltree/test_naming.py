"""What a definition names, wherever it stands."""

from __future__ import annotations

from reconciler.xmltree.document import parse
from reconciler.xmltree.naming import named

XML = """
<domain>
  <title>/a/title</title><description>/a/description</description>
  <metadata><x:y xmlns:x='urn:x' path='/in/metadata'>/in/metadata</x:y></metadata>
  <os><loader>/fw/code.fd</loader><nvram template='/fw/vars.fd'>/nvram/web1.fd</nvram><kernel> /boot/vmlinuz </kernel></os>
  <devices>
    <disk type='file' device='disk'><driver type='qcow2'/><source file='/i/top'/>
      <backingStore type='file'><source file='/i/below'/><backingStore/></backingStore>
      <mirror type='file'><source file='/i/copy'/></mirror></disk>
    <disk type='volume'><driver type='raw'/><source pool='p' volume='v'/></disk>
    <disk type='file' device='cdrom'><driver type='qcow2'/><source file='/i/cd.iso'/></disk>
    <disk type='file'><source file='/i/unsaid'/></disk>
    <disk type='volume'><driver type='qcow2'/><source pool='p' volume='top'/></disk>
    <disk type='network'><source protocol='nbd' name='x'/></disk>
    <filesystem><source dir='/srv/shared'/><target dir='tag'/></filesystem>
    <serial type='file'><source path='/log/console'/><log file='/log/copy'/></serial>
  </devices>
</domain>
"""


def test_every_path_counts_but_those_in_words_of_people() -> None:
    found = named(parse(XML))
    assert found.paths == {
        *("/fw/code.fd", "/fw/vars.fd", "/nvram/web1.fd", "/boot/vmlinuz", "/i/top", "/i/below", "/i/copy", "/i/cd.iso"),
        *("/i/unsaid", "/srv/shared", "/log/console", "/log/copy"),
    }
    assert found.volumes == {("p", "v"), ("p", "top")}
    assert found.folders == {"/srv/shared"}


def test_what_stands_below_a_file_matters_where_its_format_can_have_that() -> None:
    found = named(parse(XML))
    assert found.files == {"/i/top", "/i/cd.iso", "/i/unsaid", "/boot/vmlinuz"}
    assert found.standing == {"/i/top"}
    assert found.layered == {("p", "top")}


def test_a_snapshots_definition_is_looked_through_as_well() -> None:
    text = "<domainsnapshot><memory file='/m/one'/><domain><devices><disk><source file='/i/a'/></disk></devices></domain>"
    assert named(parse(f"{text}</domainsnapshot>")).paths == {"/m/one", "/i/a"}
