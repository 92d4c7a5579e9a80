"""Domain verbs on the test driver, each of them repeated."""

from __future__ import annotations

from collections.abc import Iterator

import libvirt
import pytest

from reconciler.errors import GuestTimeoutError, HostError, NotOursError
from reconciler.host.drivers import DRIVERS, settle
from reconciler.host.drivers.updating import FAMILIES, SECTIONS, family_of
from reconciler.host.session import Session
from reconciler.kinds import KINDS
from reconciler.kinds.domain_ways import WAYS
from reconciler.model.plan import Verb
from reconciler.model.resource import HostSpec
from reconciler.model.state import Desired, Mark
from reconciler.xmltree import mark as marks
from tests.driving import Hands, desired, domain_xml

UUID = "11111111-2222-5333-8444-555555555555"
OTHER = "99999999-2222-5333-8444-555555555555"


@pytest.fixture
def hands(test_uri: str) -> Iterator[Hands]:
    with Session.open(HostSpec("host", test_uri)) as session:
        yield Hands(session)


def wanted(state: str = "running", inner: str = "", **options: object) -> Desired:
    return desired("Domain", "web1", domain_xml("web1", UUID, "test", inner), state=state, **options)


def state(hands: Hands) -> int:
    return int(hands.conn.lookupByName("web1").state()[0])


def test_every_transition_and_way_of_every_kind_has_a_driver() -> None:
    for name, kind in KINDS.items():
        verbs = {t.verb for t in kind.lifecycle.transitions} | {w.verb for w in kind.ways if not w.refusal} | {Verb.ADOPT}
        verbs |= {Verb.RESTART} if kind.restarts else set()
        assert verbs <= DRIVERS[name].keys(), name


def test_every_live_way_has_a_family_that_knows_its_call_or_is_a_device_or_section() -> None:
    for way in (way for way in WAYS if way.verb is Verb.UPDATE):
        device = way.pattern.startswith("devices/") and way.pattern.count("/") == 1
        assert (family_of(way.pattern.removesuffix("/**")) is None) is (device or way.pattern in SECTIONS), way.pattern


def test_every_family_is_in_the_table_of_ways() -> None:
    ways = {way.pattern for way in WAYS}
    patterns = {pattern for family in FAMILIES for pattern in family.patterns if "*p" not in pattern and "*q" not in pattern}
    assert patterns <= ways


def test_define_marks_the_domain_with_its_intent(hands: Hands) -> None:
    want = wanted()
    hands.twice(Verb.DEFINE, want)
    mark = marks.read(hands.conn.lookupByName("web1").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), "host")
    assert mark is not None
    assert (mark.project, mark.id, mark.uuid, mark.xml, mark.pending) == ("lab", want.id, UUID, want.xml, True)


def test_define_does_not_touch_a_domain_without_our_mark(hands: Hands) -> None:
    foreign = hands.conn.defineXML(domain_xml("web1", UUID, "test"))
    before = foreign.XMLDesc()
    with pytest.raises(NotOursError, match="no mark of ours"):
        hands.do(Verb.DEFINE, wanted(inner="<title>mine</title>"))
    assert foreign.XMLDesc() == before


def test_define_of_a_name_that_another_domain_has_says_so(hands: Hands) -> None:
    hands.conn.defineXML(domain_xml("web1", OTHER, "test"))
    with pytest.raises(NotOursError, match="another object has this name"):
        hands.do(Verb.DEFINE, wanted())


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.UNDEFINE, Verb.SHUTDOWN, Verb.DISCARD_SAVED, Verb.SUSPEND])
def test_a_domain_of_another_project_is_left_alone(hands: Hands, verb: Verb) -> None:
    Hands(hands.session, "another").do(Verb.DEFINE, wanted())
    hands.conn.lookupByName("web1").create()
    with pytest.raises(NotOursError, match="belongs to project 'another'"):
        hands.do(verb, wanted(), uuid=UUID)
    assert state(hands) == libvirt.VIR_DOMAIN_RUNNING


def test_forgetting_a_domain_leaves_the_mark_of_another_project_alone(hands: Hands) -> None:
    Hands(hands.session, "another").do(Verb.DEFINE, wanted())
    before = hands.conn.lookupByName("web1").XMLDesc()
    hands.do(Verb.FORGET, wanted(), uuid=UUID)
    assert hands.conn.lookupByName("web1").XMLDesc() == before


def test_a_clone_that_carries_our_mark_is_not_ours(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    xml = hands.conn.lookupByName("web1").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    hands.conn.defineXML(xml.replace(f"<uuid>{UUID}", f"<uuid>{OTHER}").replace("<name>web1", "<name>copy"))
    with pytest.raises(NotOursError, match="a clone that carries the mark"):
        hands.do(Verb.UNDEFINE, wanted(), uuid=OTHER)


def test_start_and_stop_may_be_repeated(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    hands.twice(Verb.START, wanted())
    assert state(hands) == libvirt.VIR_DOMAIN_RUNNING
    hands.twice(Verb.STOP, wanted())
    assert state(hands) == libvirt.VIR_DOMAIN_SHUTOFF


def test_start_paused_suspends_where_the_driver_cannot_start_paused(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    hands.twice(Verb.START_PAUSED, wanted("paused"))
    assert state(hands) == libvirt.VIR_DOMAIN_PAUSED
    hands.twice(Verb.RESUME, wanted())
    assert state(hands) == libvirt.VIR_DOMAIN_RUNNING
    hands.twice(Verb.SUSPEND, wanted("paused"))
    assert state(hands) == libvirt.VIR_DOMAIN_PAUSED


def test_save_restore_and_discard_may_be_repeated(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    hands.do(Verb.START, wanted())
    hands.twice(Verb.SAVE, wanted("saved"))
    assert hands.conn.lookupByName("web1").hasManagedSaveImage()
    hands.twice(Verb.RESTORE, wanted())
    assert state(hands) == libvirt.VIR_DOMAIN_RUNNING
    hands.do(Verb.SAVE, wanted("saved"))
    hands.twice(Verb.RESTORE_PAUSED, wanted("paused"))
    assert state(hands) == libvirt.VIR_DOMAIN_PAUSED
    hands.do(Verb.SAVE, wanted("saved"))
    hands.twice(Verb.DISCARD_SAVED, wanted("stopped"))
    assert not hands.conn.lookupByName("web1").hasManagedSaveImage()


def test_restore_without_a_saved_state_does_not_boot_anew(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    with pytest.raises(HostError, match="its saved state is gone"):
        hands.do(Verb.RESTORE, wanted())
    assert state(hands) == libvirt.VIR_DOMAIN_SHUTOFF


def test_shutdown_of_one_that_is_off_is_done(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    hands.do(Verb.START, wanted())
    hands.twice(Verb.SHUTDOWN, wanted("stopped"))
    assert state(hands) == libvirt.VIR_DOMAIN_SHUTOFF


def test_a_guest_without_time_is_not_forced_unless_asked(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    hands.do(Verb.START, wanted())
    with pytest.raises(GuestTimeoutError, match="within 0 s") as error:
        hands.do(Verb.SHUTDOWN, wanted("stopped", shutdown={"timeout": 0}))
    assert "force" in error.value.hint
    assert state(hands) == libvirt.VIR_DOMAIN_RUNNING
    hands.do(Verb.SHUTDOWN, wanted("stopped", shutdown={"timeout": 0, "force": True}))
    assert state(hands) == libvirt.VIR_DOMAIN_SHUTOFF


@pytest.mark.parametrize("paused", [False, True])
def test_restart_keeps_running_or_paused(hands: Hands, paused: bool) -> None:
    want = wanted("paused" if paused else "running")
    hands.do(Verb.DEFINE, want)
    hands.do(Verb.START_PAUSED if paused else Verb.START, want)
    before = hands.conn.lookupByName("web1").ID()
    hands.do(Verb.RESTART, want)
    assert hands.conn.lookupByName("web1").ID() != before
    assert state(hands) == (libvirt.VIR_DOMAIN_PAUSED if paused else libvirt.VIR_DOMAIN_RUNNING)


def test_a_transient_domain_is_created_and_gone_after_stop(hands: Hands) -> None:
    hands.twice(Verb.CREATE, wanted(persistent=False))
    domain = hands.conn.lookupByName("web1")
    assert not domain.isPersistent()
    assert marks.read(domain.XMLDesc(), "host") is not None
    before = domain.ID()
    hands.do(Verb.RESTART, wanted(persistent=False))
    assert hands.conn.lookupByName("web1").ID() != before
    hands.twice(Verb.STOP, wanted())
    assert not hands.conn.listAllDomains()


def test_a_transient_domain_can_be_created_paused(hands: Hands) -> None:
    hands.twice(Verb.CREATE, wanted("paused", persistent=False))
    assert state(hands) == libvirt.VIR_DOMAIN_PAUSED


def test_define_makes_a_running_transient_domain_persistent(hands: Hands) -> None:
    hands.do(Verb.CREATE, wanted(persistent=False))
    hands.twice(Verb.DEFINE, wanted())
    domain = hands.conn.lookupByName("web1")
    assert domain.isPersistent()
    assert domain.isActive()


def test_undefine_of_what_is_gone_is_done(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    hands.twice(Verb.UNDEFINE, wanted("undefined"), uuid=UUID)
    assert not hands.conn.listAllDomains()


def test_autostart_follows_the_manifest(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    for value in (True, True, False, None):
        hands.do(Verb.AUTOSTART, wanted(autostart=value))
        assert bool(hands.conn.lookupByName("web1").autostart()) is bool(value)


def test_adopt_marks_both_definitions_and_changes_nothing_else(hands: Hands) -> None:
    foreign = hands.conn.defineXML(domain_xml("web1", UUID, "test"))
    foreign.create()
    before = [foreign.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE)]
    hands.twice(Verb.ADOPT, wanted(), uuid=UUID)
    after = [foreign.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE)]
    assert [marks.strip(text) for text in after] == [marks.strip(text) for text in before]
    for text in after:
        mark = marks.read(text, "host")
        assert mark is not None
        assert (mark.project, mark.uuid) == ("lab", UUID)
    hands.do(Verb.FORGET, wanted(), uuid=UUID)
    assert marks.read(foreign.XMLDesc(), "host") is None


def test_adopt_refuses_what_another_project_owns(hands: Hands) -> None:
    Hands(hands.session, "another").do(Verb.DEFINE, wanted())
    with pytest.raises(NotOursError, match="belongs to project 'another'"):
        hands.do(Verb.ADOPT, wanted(), uuid=UUID)


def test_title_description_and_metadata_change_live_and_keep_what_others_wrote(hands: Hands) -> None:
    mine = "<metadata><a:app xmlns:a='urn:a'><a:tier>%s</a:tier></a:app><o:old xmlns:o='urn:o'/></metadata>"
    first = wanted(inner=mine % "demo")
    hands.do(Verb.DEFINE, first)
    domain = hands.conn.lookupByName("web1")
    domain.create()
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<x>1</x>", "f", "urn:foreign", 3)
    second = wanted(
        inner="<title>Web &amp; more</title><description>d</description>"
        "<metadata><a:app xmlns:a='urn:a'><a:tier>prod</a:tier></a:app></metadata>"
    )
    paths = ("title", "description", "metadata/{urn:a}app/{urn:a}tier", "metadata/{urn:o}old")
    hands.do(Verb.DEFINE, second, uuid=UUID, intent=first.xml)
    hands.twice(Verb.UPDATE, second, uuid=UUID, intent=first.xml, paths=paths)
    for flags in (libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG):
        assert domain.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None, flags) == "Web & more"
        assert domain.metadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, None, flags) == "d"
        assert "prod" in domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "urn:a", flags)
        assert "1" in domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "urn:foreign", flags)
        with pytest.raises(libvirt.libvirtError, match="metadata"):
            domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "urn:o", flags)
    assert marks.read(domain.XMLDesc(), "host") is not None
    hands.do(Verb.DEFINE, wanted(), uuid=UUID, intent=second.xml)
    hands.do(Verb.UPDATE, wanted(), uuid=UUID, intent=second.xml, paths=("title",))
    with pytest.raises(libvirt.libvirtError, match="not present"):
        domain.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def test_a_path_without_a_live_way_is_refused_before_anything_changes(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    with pytest.raises(HostError, match="no way to change memory"):
        hands.do(Verb.UPDATE, wanted(inner="<title>t</title>"), uuid=UUID, paths=("title", "memory"))
    assert "<title>" not in hands.conn.lookupByName("web1").XMLDesc()


def test_settle_writes_digests_that_hold_until_the_definition_moves(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    hands.do(Verb.START, wanted())
    mark = hands.settle(wanted(), UUID)
    domain = hands.conn.lookupByName("web1")
    for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
        assert marks.read(domain.XMLDesc(flags), "host") == mark
    assert mark.readback == marks.digest(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    assert mark.live == marks.digest(domain.XMLDesc(0))
    domain.setVcpusFlags(1, libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "new", None, None, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    assert mark.readback != marks.digest(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))


def test_settle_of_what_is_gone_changes_nothing(hands: Hands) -> None:
    mark = Mark(project="lab", id=wanted().id, uuid=UUID, readback="r")
    assert settle(hands.session, mark) == mark
