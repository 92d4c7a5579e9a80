"""Laws of comparing and merging, on generated domains and networks: what "the plan after an apply is empty" stands on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.kinds import KINDS
from reconciler.kinds.kind import Kind
from reconciler.planning.compare import Sides, compare
from reconciler.xmltree.canonical import Canonical, canonical
from reconciler.xmltree.document import parse
from reconciler.xmltree.merge import merge, overlay
from reconciler.xmltree.paths import without_keys
from tests.unit.xmltree.generating import domains, generated, given_back, networks

Documents = tuple[Kind, st.SearchStrategy[str], Callable[[str], str]]
DOMAIN: Documents = (KINDS["Domain"], domains(), generated)
NETWORK: Documents = (KINDS["Network"], networks(), given_back)
both = pytest.mark.parametrize("documents", [DOMAIN, NETWORK], ids=["domain", "network"])
examples = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def mapping(kind: Kind, text: str) -> Canonical:
    return canonical(parse(text), kind.rules)


@both
@given(data=st.data())
@examples
def test_a_document_does_not_differ_from_itself(documents: Documents, data: st.DataObject) -> None:
    kind, texts, host = documents
    text = data.draw(texts)
    assert compare(kind, Sides(text, None, text, text), None) == ()
    assert compare(kind, Sides(text, text, host(text), host(text)), None) == ()


@both
@given(data=st.data())
@examples
def test_after_a_merge_nothing_differs(documents: Documents, data: st.DataObject) -> None:
    kind, texts, host = documents
    before, now, drifted = data.draw(texts), data.draw(texts), data.draw(texts)
    for there in (host(before), host(drifted), host(now)):
        merged = merge(now, there, before, kind.rules)
        assert compare(kind, Sides(now, now, merged, None), None) == ()


@both
@given(data=st.data())
@examples
def test_a_second_merge_changes_nothing(documents: Documents, data: st.DataObject) -> None:
    kind, texts, host = documents
    before, now = data.draw(texts), data.draw(texts)
    once = merge(now, host(before), before, kind.rules)
    assert mapping(kind, merge(now, once, now, kind.rules)) == mapping(kind, once)


@both
@given(data=st.data())
@examples
def test_what_is_declared_is_all_in_the_result(documents: Documents, data: st.DataObject) -> None:
    kind, texts, host = documents
    before, now = data.draw(texts), data.draw(texts)
    assert mapping(kind, now).items() <= mapping(kind, merge(now, host(before), before, kind.rules)).items()


@both
@given(data=st.data())
@examples
def test_without_a_change_everything_that_libvirt_and_others_gave_stays(documents: Documents, data: st.DataObject) -> None:
    kind, texts, host = documents
    text = data.draw(texts)
    there = host(text)
    kept, had = mapping(kind, merge(text, there, text, kind.rules)), mapping(kind, there)
    regenerated = {path for path in had if without_keys(path).startswith(("forward/interface", "devices/console"))}
    assert {path: value for path, value in had.items() if path not in regenerated}.items() <= kept.items()


@given(data=st.data())
@examples
def test_a_device_that_stays_keeps_its_address(data: st.DataObject) -> None:
    kind, texts, host = DOMAIN
    before, now = data.draw(texts), data.draw(texts)
    had, kept = mapping(kind, host(before)), mapping(kind, merge(now, host(before), before, kind.rules))
    first, second = mapping(kind, before), mapping(kind, now)
    moved = first["os/type/@machine"].rpartition("-")[0] != second["os/type/@machine"].rpartition("-")[0]
    for path in had:
        device = path.removesuffix("/address/@slot")
        same = all(
            first.get(f"{device}/{part}") == second.get(f"{device}/{part}") for part in ("@model", "target/@bus", "target/@type")
        )
        if path.endswith("/address/@slot") and "/source/" not in path and device in second and same and not moved:
            assert kept.get(path) == had[path], path


@both
@given(data=st.data())
@examples
def test_metadata_of_other_tools_is_never_lost(documents: Documents, data: st.DataObject) -> None:
    kind, texts, host = documents
    before, now = data.draw(texts), data.draw(texts)
    merged = merge(now, host(before), before, kind.rules)
    assert mapping(kind, merged)["metadata/{urn:other}tool"] == "mine"
    assert parse(merged).findtext("uuid") == parse(now).findtext("uuid")


@both
@given(data=st.data())
@examples
def test_what_left_the_manifest_is_taken_out(documents: Documents, data: st.DataObject) -> None:
    kind, texts, host = documents
    before, now = data.draw(texts), data.draw(texts)
    declared, result = mapping(kind, now), mapping(kind, merge(now, host(before), before, kind.rules))
    left = mapping(kind, before).keys() - declared.keys()
    emptied = {path for path in left if without_keys(path) in kind.rules.shared}
    assert not (left - emptied) & result.keys()


@given(data=st.data())
@examples
def test_a_device_of_an_owned_collection_that_nobody_declared_goes(data: st.DataObject) -> None:
    kind, texts, host = DOMAIN
    now, drifted = data.draw(texts), data.draw(texts)
    result = mapping(kind, merge(now, host(drifted), now, kind.rules))
    owned = {path for path in result if without_keys(path) in kind.rules.owned}
    assert owned <= mapping(kind, now).keys()


@both
@given(data=st.data())
@examples
def test_an_overlay_of_itself_or_of_nothing_changes_nothing(documents: Documents, data: st.DataObject) -> None:
    kind, texts, _ = documents
    text = data.draw(texts)
    assert mapping(kind, overlay(text, text, kind.rules)) == mapping(kind, text)
    assert mapping(kind, overlay(text, f"<{kind.root}/>", kind.rules)) == mapping(kind, text)


def converted(kind: Kind, base: str, over: str) -> set[str]:
    """The paths of elements of which the overlay makes another sort."""
    before, after = mapping(kind, base), mapping(kind, over)
    sorts = {f"{path}/{attribute}" for path, attribute in kind.rules.variants.items()}
    chosen = {path for path in after if without_keys(path) in sorts and before.get(path) != after[path]}
    return {path.rpartition("/")[0] for path in chosen}


@both
@given(data=st.data())
@examples
def test_an_overlay_wins_and_takes_out_only_what_another_sort_of_device_had(documents: Documents, data: st.DataObject) -> None:
    kind, texts, _ = documents
    base, over = data.draw(texts), data.draw(texts)
    result = mapping(kind, overlay(base, over, kind.rules))
    said = {path: value for path, value in mapping(kind, over).items() if value}
    assert mapping(kind, over).keys() <= result.keys()
    assert said.items() <= result.items()
    gone = mapping(kind, base).keys() - result.keys()
    assert all(any(path.startswith(f"{other}/") for other in converted(kind, base, over)) for path in gone)


@both
@given(data=st.data())
@examples
def test_every_difference_has_a_path_that_one_side_has(documents: Documents, data: st.DataObject) -> None:
    kind, texts, host = documents
    now, there = data.draw(texts), data.draw(texts)
    found = compare(kind, Sides(now, None, host(there), None), None)
    known = mapping(kind, now).keys() | mapping(kind, host(there)).keys()
    assert {difference.path for difference in found} <= known
    assert all(difference.desired != difference.persistent for difference in found)
    assert len({difference.path for difference in found}) == len(found)
