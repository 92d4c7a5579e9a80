"""Golden plans: manifests and what a host has in, the plan as people read it out (`--regenerate` writes it anew).

A case is a folder below tests/cases/plan with manifest.yaml (what is wanted), host.yaml (what the host has, and what the command
line says), plan.txt, and where it differs from manifest.yaml, applied.yaml (what was applied last). An object of the host has the
definition that the applied manifest gave it, changed as `persistent` and `live` say (text -> text). `snapshots` are those that it
has, with `overlays` (target -> file); those with `taken: vireo` are ours. `reverted` names the one that it was reverted to;
`wiping` says that the inventory does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.printers import plan_text
from reconciler.cli.printers.style import Symbols
from reconciler.kinds import KINDS
from reconciler.manifest import render, schema
from reconciler.manifest.catalogue import of
from reconciler.model.difference import Impact
from reconciler.model.plan import Plan
from reconciler.model.resource import ManifestSet, Project, ResourceId
from reconciler.model.snapshot import Snapshot, noted
from reconciler.model.state import Desired, HostFacts, HostState, Mark, Observed
from reconciler.planning import planner
from reconciler.planning.allowance import Policy
from reconciler.planning.identity import Settling, settle
from tests.unit.planning.building import CREATED, MACHINES

CASES = sorted(path.parent for path in (Path(__file__).parents[2] / "cases" / "plan").glob("*/*/manifest.yaml"))
WIDTH = 100


def wishes(manifests: ManifestSet, seen: Mapping[ResourceId, Observed]) -> tuple[dict[ResourceId, Desired], HostFacts]:
    (spec,) = manifests.hosts
    facts = HostFacts(spec.name, spec.uri, "u", "QEMU", 9000000, {"x86_64": ("qemu",)}, MACHINES)
    known = of(spec.name, manifests.resources, seen)
    return {each.id: render.render(each, manifests.project, facts, known) for each in manifests.resources}, facts


class Host:
    """What the host of a case has, made from what was applied to it."""

    def __init__(self, case: Path, project: Project, told: Mapping[str, Any]) -> None:
        file = case / "applied.yaml"
        manifests = schema.load([str(file if file.exists() else case / "manifest.yaml")], connect="test:///default")
        self.project = project
        self.applied, self.facts = wishes(manifests, {})
        self.objects = dict(map(self._object, told.get("objects", ())))
        self.gone = [self._mark(self._id(entry)) for entry in told.get("gone", ())]

    def state(self) -> HostState:
        listed = {mark.id: mark for mark in self.gone} | {i: o.mark for i, (o, _) in self.objects.items() if o.mark is not None}
        foreign = {id_: project for id_, (_, project) in self.objects.items() if project}
        return HostState(self.facts, {id_: seen for id_, (seen, _) in self.objects.items()}, listed, foreign)

    def _id(self, entry: Mapping[str, Any]) -> ResourceId:
        return ResourceId(entry["kind"], entry["name"], self.facts.name, entry.get("pool", ""))

    def _settled(self, id_: ResourceId) -> str:
        settling = Settling(self.project.name, id_, KINDS[id_.kind], MACHINES)
        return settle(self.applied[id_].xml, (), settling)

    def _uuid(self, id_: ResourceId) -> str:
        if id_.pool:
            return f"/srv/{id_.pool}/{id_.name}"
        return self._settled(id_).partition("<uuid>")[2].partition("<")[0]

    def _mark(self, id_: ResourceId) -> Mark:
        want = self.applied[id_]
        return Mark(
            self.project.name,
            id_,
            self._uuid(id_),
            want.digest,
            xml=self._settled(id_),
            state=want.state,
            autostart=want.autostart,
            options=want.options,
            protect=want.protect,
        )

    def _inventory(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        return {"reverted": entry.get("reverted", ""), "wiping": entry.get("wiping", False)}

    def _object(self, entry: Mapping[str, Any]) -> tuple[ResourceId, tuple[Observed, str]]:
        id_ = self._id(entry)
        lifecycle = KINDS[id_.kind].lifecycle
        text = entry.get("xml") or self._settled(id_)
        persistent = _changed(text, entry.get("persistent", {}))
        state = entry.get("state") or self.applied[id_].state
        live = _changed(persistent, entry.get("live", {})) if state in lifecycle.active else None
        owner = entry.get("owner", "ours")
        snapshots = [(Snapshot(s["name"], 5, state, overlays=s.get("overlays", {})), s) for s in entry.get("snapshots", ())]
        ours = {
            each.name: noted(str(each.created), said.get("way", "declared"))
            for each, said in snapshots
            if said.get("taken") == "vireo"
        }
        seen = Observed(
            id=id_,
            uuid=entry.get("uuid") or self._uuid(id_),
            state=state,
            persistent=None if entry.get("transient") else persistent,
            live=live,
            autostart=entry.get("autostart", False),
            mark=replace(self._mark(id_), snapshots=ours, **self._inventory(entry)) if owner == "ours" else None,
            details={"snapshots": tuple(each for each, _ in snapshots)},
        )
        return id_, (seen, owner if owner not in {"ours", "nobody"} else "")


def _changed(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in\n{text}"
        text = text.replace(old, new)
    return text


def plan_of(case: Path) -> Plan:
    told = yaml.safe_load((case / "host.yaml").read_text(encoding="utf-8")) or {}
    manifests = schema.load([str(case / "manifest.yaml")], connect="test:///default")
    state = Host(case, manifests.project, told).state()
    wanted, _ = wishes(manifests, state.resources)
    said = told.get("policy", {})
    policy = Policy(**{**said, "allow": Impact.parse(said.get("allow", manifests.project.allow))})
    return planner.plan(manifests.project, tuple(wanted.values()), [state], policy, CREATED, {})


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_the_plan_is_the_one_that_people_agreed_on(case: Path, *, regenerate: bool) -> None:
    text = "".join(f"{line.plain}".rstrip() + "\n" for line in plan_text.lines(plan_of(case), Symbols(), WIDTH))
    golden = case / "plan.txt"
    if regenerate:
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_planning_twice_gives_the_same_plan(case: Path) -> None:
    assert plan_of(case) == plan_of(case)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_cases(kind: str) -> None:
    assert len([case for case in CASES if case.parent.name == kind]) >= 5
