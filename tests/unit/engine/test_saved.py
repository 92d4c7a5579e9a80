"""A plan in a file: read back as it was, without any secret, and never mistaken for something else."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.engine import saved
from reconciler.engine.pipeline import Options, Prepared, replan
from reconciler.errors import UsageError
from reconciler.model.difference import Impact
from reconciler.model.plan import FORMAT
from reconciler.model.resource import Ignore, Project
from reconciler.model.state import Desired, HostState
from reconciler.planning.allowance import Policy
from tests.unit.planning.building import CREATED, desired, domain, host, mark, observed, rid

ID = rid("Domain/d")
PROJECT = Project("shop", prune=True, prune_limit=3, allow="restart", ignore=(Ignore("domain/title", "because"),))
SECRET = desired(
    ID,
    domain(devices="<graphics type='vnc' passwd='vireo-secret-1'/>"),
    "running",
    secrets={"vireo-secret-1": "s3cr3t!"},
    labels={"tier": "a"},
    onDelete={"volumes": "retain"},
    protect=True,
)


def prepared(
    *wanted: Desired, state: HostState | None = None, policy: Policy | None = None, project: Project = PROJECT
) -> Prepared:
    paths = {("host", "/srv/p/v"): rid("Volume/p/v")}
    return replan(project, wanted, (state or host(),), policy or Policy(), paths, CREATED)


def written(tmp_path: Path, ready: Prepared, options: Options | None = None) -> Path:
    file = tmp_path / "plan.json"
    saved.save(ready, options or Options(), [str(tmp_path)], str(file))
    return file


@pytest.mark.parametrize(
    "policy",
    [
        Policy(),
        Policy(Impact.DATA_LOSS, prune=True, destroy=True, adopt=True, allow_mass_delete=True, targets=frozenset({"Domain/d"})),
    ],
)
def test_what_was_saved_is_read_back(tmp_path: Path, policy: Policy) -> None:
    ready = prepared(SECRET, policy=policy)
    found = saved.load_saved(str(written(tmp_path, ready, Options(connect="test:///default"))))
    assert found.policy == policy
    assert found.manifests.project == PROJECT
    assert [(spec.name, spec.uri) for spec in found.manifests.hosts] == [("host", "test:///default")]
    assert found.options.connect == "test:///default"
    assert found.desired == ready.desired
    assert found.volume_paths == ready.volume_paths
    assert found.created == CREATED
    assert found.fingerprint == saved.fingerprint(ready.plan)
    assert found.paths == (str(tmp_path),)


def test_the_same_hosts_give_the_same_fingerprint_and_moved_ones_another(tmp_path: Path) -> None:
    want = desired(ID, state="running")
    state = host(observed(ID, "stopped", owned=mark(want)))
    found = saved.load_saved(str(written(tmp_path, prepared(want, state=state))))
    project, policy, paths = found.manifests.project, found.policy, found.volume_paths

    def again(now: HostState) -> str:
        return saved.fingerprint(replan(project, found.desired, (now,), policy, paths, "later").plan)

    assert again(state) == found.fingerprint
    moved: list[Any] = [
        host(observed(ID, "running", owned=mark(want))),
        host(observed(ID, "stopped", owned=mark(want), autostart=True)),
        host(replace(observed(ID, "stopped", owned=mark(want)), persistent="<domain><title>x</title></domain>")),
        host(observed(ID, "stopped")),
        host(),
    ]
    assert all(again(now) != found.fingerprint for now in moved)


def test_no_secret_is_in_the_file_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = written(tmp_path, prepared(SECRET))
    assert "s3cr3t!" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_file_is_the_plan_as_programs_read_it(tmp_path: Path) -> None:
    ready = prepared(SECRET)
    data = json.loads(written(tmp_path, ready).read_text())
    assert {name: value for name, value in data.items() if name != saved.SAVED} == ready.plan.to_json()


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '"x"', "{}", f'{{"format": "{FORMAT}"}}', "\x00"])
def test_another_file_is_refused_as_no_plan(tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(UsageError, match="not a saved plan"):
        saved.load_saved(str(file))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError):
        saved.load_saved(str(file))


def test_a_plan_of_another_format_is_refused_with_both_named(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text('{"format": "vireo-plan/9"}')
    with pytest.raises(UsageError) as caught:
        saved.load_saved(str(file))
    assert "vireo-plan/9" in caught.value.summary
    assert FORMAT in caught.value.hint


def test_a_file_that_is_not_there_or_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        saved.load_saved(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="cannot write"):
        saved.save(prepared(), Options(), [], str(tmp_path / "no" / "plan.json"))


@given(st.data())
def test_a_file_with_a_part_missing_is_refused_or_whole(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("plan")
    content = json.loads(written(folder, prepared(SECRET)).read_text())
    part = data.draw(st.sampled_from(sorted(content[saved.SAVED].keys() - {"connect", "fingerprint"})))
    content[saved.SAVED][part] = data.draw(
        st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), min_size=1, max_size=2)
    )
    file = folder / "plan.json"
    file.write_text(json.dumps(content))
    try:
        saved.load_saved(str(file))
    except UsageError:
        return


@pytest.mark.parametrize(
    "name, value",
    [
        ("xml", domain(memory="<memory>131072</memory>")),
        ("state", "stopped"),
        ("options", {"shutdown": {"force": True}}),
        ("protect", False),
    ],
)
def test_a_wish_that_was_edited_in_the_file_is_not_the_one_that_was_planned(tmp_path: Path, name: str, value: Any) -> None:
    file = written(tmp_path, prepared(SECRET))
    data = json.loads(file.read_text())
    data["saved"]["desired"][0][name] = value
    file.write_text(json.dumps(data))
    found = saved.load_saved(str(file))
    again = replan(found.manifests.project, found.desired, (host(),), found.policy, found.volume_paths, found.created)
    assert saved.fingerprint(again.plan) != found.fingerprint
