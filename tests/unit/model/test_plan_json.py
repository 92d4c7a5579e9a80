"""The contract `vireo-plan/1` as docs/design.md states it: programs read it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import FORMAT, Action, HostPlan, Plan, ResourcePlan, Status, Verb
from reconciler.model.resource import Location, ResourceId
from reconciler.model.state import Desired

DESIGN = Path(__file__).parents[3] / "docs" / "design.md"
WEB = ResourceId("Domain", "web1", "node1")
DISK = ResourceId("Volume", "web1.qcow2", "node1", "images")
DESIRED = Desired(
    WEB, "<domain><secret/></domain>", "running", None, {}, "d", Location("a.yaml"), secrets={"placeholder": "s3cr3t"}
)
PLAN = Plan(
    "homelab",
    "2026-01-01T00:00:00Z",
    (HostPlan("node1", "qemu:///system", "u", reachable=True), HostPlan("node2", "x", "", reachable=False, error="no answer")),
    (
        ResourcePlan(
            WEB,
            Status.UPDATE,
            "running",
            "stopped",
            (Difference("memory", "1", "2", None, Cause.MANIFEST, Impact.DATA_LOSS),),
            desired=DESIRED,
            uuid="u",
            options={"a": 1},
            observed_digest="digest",
            note="a note",
        ),
        ResourcePlan(DISK, Status.IN_SYNC, "present", "present"),
    ),
    (
        Action("1", Verb.DEFINE, WEB, "because", Impact.NONE, paths=("memory",)),
        Action("2", Verb.DELETE, DISK, "because", Impact.DATA_LOSS, needs=("1",), blocked="no", consented=True),
    ),
)


def designed() -> dict[str, Any]:
    """The example of the design document."""
    text = DESIGN.read_text(encoding="utf-8")
    found = re.search(r"```json\n(\{\"format\": \"vireo-plan/1\".*?)```", text, re.DOTALL)
    assert found is not None
    example: dict[str, Any] = json.loads(found.group(1))
    return example


def test_the_plan_has_all_keys_of_the_design() -> None:
    example, plan = designed(), PLAN.to_json()
    assert plan.keys() == example.keys()
    assert plan["format"] == example["format"] == FORMAT
    assert plan["hosts"][0].keys() == example["hosts"][0].keys()
    assert plan["resources"][1].keys() == example["resources"][0].keys() | {"pool"}
    assert plan["resources"][0].keys() == example["resources"][0].keys() | {"note"}
    assert plan["resources"][0]["state"].keys() == example["resources"][0]["state"].keys()
    assert plan["resources"][0]["differences"][0].keys() == example["resources"][0]["differences"][0].keys()
    assert plan["actions"][0].keys() == example["actions"][0].keys() | {"paths"}
    assert plan["summary"].keys() == example["summary"].keys()


def test_the_words_are_those_of_the_design() -> None:
    text = DESIGN.read_text(encoding="utf-8")
    assert ", ".join(status.value for status in Status) in " ".join(text.split())
    assert [impact.label for impact in Impact] == ["none", "live", "restart", "recreate", "data-loss"]
    assert [Impact.parse(impact.label) for impact in Impact] == list(Impact)
    assert {cause.value for cause in Cause} == {"manifest", "drift", "pending-restart"}


def test_the_values_are_plain_data() -> None:
    plan = PLAN.to_json()
    assert json.loads(json.dumps(plan)) == plan
    assert plan["resources"][0]["differences"][0] == {
        "path": "memory",
        "desired": "1",
        "persistent": "2",
        "live": None,
        "cause": "manifest",
        "impact": "data-loss",
    }
    assert plan["actions"][1] == {
        "id": "2",
        "verb": "delete",
        "kind": "Volume",
        "name": "web1.qcow2",
        "host": "node1",
        "pool": "images",
        "reason": "because",
        "impact": "data-loss",
        "needs": ["1"],
        "blocked": "no",
        "paths": [],
    }
    assert plan["hosts"][1]["error"] == "no answer"


def test_no_document_and_no_secret_is_in_a_plan() -> None:
    text = json.dumps(PLAN.to_json())
    assert "s3cr3t" not in text
    assert "<domain>" not in text
    assert "s3cr3t" not in repr(PLAN)


def test_the_summary_counts_resources_and_actions() -> None:
    assert PLAN.summary() == {"create": 0, "update": 1, "delete": 0, "unchanged": 1, "actions": 1, "blocked": 1}
    assert [action.id for action in PLAN.runnable] == ["1"]
