"""Drift as text, JSON and Markdown."""

from __future__ import annotations

from dataclasses import replace

from reconciler.cli.printers import drift
from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import Plan, ResourcePlan, Status

from .conftest import Golden, plain, rid


def with_a_stopped_guest(plan: Plan) -> Plan:
    stopped = Difference("state", "running", "stopped", None, Cause.DRIFT, Impact.NONE)
    added = ResourcePlan(rid("Domain/web9"), Status.UPDATE, "running", "stopped", (stopped,))
    return replace(plan, resources=(*plan.resources, added))


def test_drift_as_text(everything: Plan, golden: Golden) -> None:
    plan = with_a_stopped_guest(everything)
    golden("drift.txt", plain(drift.lines(plan, drift.drifted(plan), 80)))


def test_drift_as_markdown(everything: Plan, golden: Golden) -> None:
    plan = with_a_stopped_guest(everything)
    golden("drift.md", drift.markdown(plan, drift.drifted(plan)))


def test_a_change_of_the_manifest_is_no_drift(everything: Plan) -> None:
    found = drift.drifted(everything)
    assert [(str(item.id), [d.path for d in item.differences]) for item in found] == [
        ("Domain/web1", ["devices/disk[vda]/driver/@cache"]),
    ]


def test_drift_as_json_has_the_drifted_resources_only(everything: Plan) -> None:
    body = drift.to_json(everything, drift.drifted(everything))
    assert body["format"] == "vireo-drift/1"
    assert [(r["kind"], r["name"], len(r["differences"])) for r in body["resources"]] == [("Domain", "web1", 1)]
    assert body["summary"] == {"resources": 9, "drifted": 1}
    assert "actions" not in body


def test_no_drift_is_one_line(empty: Plan) -> None:
    assert plain(drift.lines(empty, (), 80)) == "No drift: 2 resources looked at.\n"
