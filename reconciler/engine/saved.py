"""A plan in a file: the JSON contract, and what is needed to make the same plan again and see whether the hosts moved.

No secret value is in the file: manifests are read again for those, and they must still be the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reconciler.engine import pipeline
from reconciler.engine.hosts import Hosts
from reconciler.engine.pipeline import Options, Prepared
from reconciler.errors import StalePlanError, UsageError
from reconciler.model.difference import Impact
from reconciler.model.plan import FORMAT, Plan
from reconciler.model.resource import HostLimits, HostSpec, HostUse, Ignore, Location, ManifestSet, Project, ResourceId
from reconciler.model.state import Desired
from reconciler.planning.allowance import Policy

SAVED = "saved"


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a plan file holds. `manifests` has the project and its hosts only; `fingerprint` names what was planned and seen."""

    paths: tuple[str, ...]
    manifests: ManifestSet
    options: Options
    policy: Policy
    desired: tuple[Desired, ...]
    volume_paths: Mapping[tuple[str, str], ResourceId]
    fingerprint: str
    created: str


def fingerprint(plan: Plan) -> str:
    """A digest over all that was observed, all that is wished and all that is to be done."""
    text = plan.to_json() | {"created": ""}
    seen = [
        [str(r.id), r.id.host, r.observed_digest, None if r.desired is None else _desired_json(r.desired)] for r in plan.resources
    ]
    return hashlib.sha256(json.dumps([text, seen], sort_keys=True).encode()).hexdigest()


def save(prepared: Prepared, options: Options, paths: Sequence[str], file: str) -> None:
    """Write the plan to `file`, readable by its owner only. Raises UsageError where it cannot be written."""
    data = prepared.plan.to_json() | {
        SAVED: {
            "paths": [str(Path(path).absolute()) for path in paths],
            "project": dataclasses.asdict(prepared.project),
            "hosts": [dataclasses.asdict(host) for host in _hosts_of(prepared)],
            "connect": options.connect,
            "policy": _policy_json(prepared.policy),
            "desired": [_desired_json(desired) for desired in prepared.desired],
            "volume_paths": [[host, path, *_id_json(id_)] for (host, path), id_ in prepared.volume_paths.items()],
            "fingerprint": fingerprint(prepared.plan),
        }
    }
    try:
        target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(target, "w", encoding="utf-8") as out:
            json.dump(data, out, indent=1)
            out.write("\n")
    except OSError as error:
        message = f"cannot write {file}: {error.strerror}"
        raise UsageError(message) from None


def load_saved(file: str) -> SavedPlan:
    """Read a plan file. Raises UsageError if it is none."""
    try:
        data = json.loads(Path(file).read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise UsageError(f"{file} is a plan of another format: {data['format']}", hint=f"this version reads {FORMAT}")
        return _saved(data)
    except OSError as error:
        message = f"cannot read {file}: {error.strerror}"
        raise UsageError(message) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{file} is not a saved plan", hint="make one with: vireo plan PATH... --out FILE") from None


def _saved(data: Mapping[str, Any]) -> SavedPlan:
    saved = data[SAVED]
    project = saved["project"]
    ignore = tuple(Ignore(**rule) for rule in project["ignore"])
    hosts = tuple(_host(host) for host in saved["hosts"])
    return SavedPlan(
        paths=tuple(saved["paths"]),
        manifests=ManifestSet(Project(**{**project, "ignore": ignore}), hosts, ()),
        options=Options(connect=saved["connect"]),
        policy=_policy(saved["policy"]),
        desired=tuple(_desired(entry) for entry in saved["desired"]),
        volume_paths={(host, path): ResourceId(*rest) for host, path, *rest in saved["volume_paths"]},
        fingerprint=saved["fingerprint"],
        created=data["created"],
    )


def _hosts_of(prepared: Prepared) -> list[HostSpec]:
    known = {spec.name: spec for spec in prepared.hosts}
    return [known.get(s.facts.name) or HostSpec(s.facts.name, s.facts.uri) for s in prepared.states]


def _host(data: Mapping[str, Any]) -> HostSpec:
    return HostSpec(**{**data, "limits": HostLimits(**data["limits"]), "use": HostUse(data["use"])})


def prepare_saved(saved: SavedPlan, hosts: Hosts) -> Prepared:
    """The same plan again against the hosts as they are now. Raises StalePlanError if it is not the same."""
    desired = _with_secrets(saved)
    fresh = pipeline.replan(saved.manifests.project, desired, hosts.observe(), saved.policy, saved.volume_paths, saved.created)
    if fingerprint(fresh.plan) != saved.fingerprint:
        raise StalePlanError(
            "the plan does not fit the hosts any more; nothing was done",
            detail=f"it was made at {saved.created}, and something changed since",
            hint="make a new plan and look at it",
        )
    return fresh


def _with_secrets(saved: SavedPlan) -> tuple[Desired, ...]:
    """The wishes with their secret values, which only the manifests hold."""
    if not any(_needs_secrets(desired) for desired in saved.desired):
        return saved.desired
    known = {
        value: text
        for desired in pipeline.check(pipeline.load(saved.paths, saved.options))
        for value, text in desired.secrets.items()
    }
    out = []
    for desired in saved.desired:
        needed = _needs_secrets(desired)
        if not needed <= known.keys():
            raise StalePlanError("a secret value changed since the plan was made; nothing was done", hint="make a new plan")
        out.append(replace(desired, secrets={name: known[name] for name in needed}))
    return tuple(out)


def _needs_secrets(desired: Desired) -> set[str]:
    return set(desired.secrets)


def _policy_json(policy: Policy) -> dict[str, Any]:
    targets = None if policy.targets is None else sorted(policy.targets)
    return dataclasses.asdict(policy) | {"allow": policy.allow.label, "targets": targets}


def _policy(data: Mapping[str, Any]) -> Policy:
    targets = None if data["targets"] is None else frozenset(data["targets"])
    return Policy(**{**data, "allow": Impact.parse(data["allow"]), "targets": targets})


def _id_json(id_: ResourceId) -> list[str]:
    return [id_.kind, id_.name, id_.host, id_.pool]


def _desired_json(desired: Desired) -> dict[str, Any]:
    return {
        "id": _id_json(desired.id),
        "xml": desired.xml,
        "state": desired.state,
        "autostart": desired.autostart,
        "options": dict(desired.options),
        "digest": desired.digest,
        "source": [desired.source.file, desired.source.line, desired.source.column],
        "protect": desired.protect,
        "adopt": desired.adopt,
        "labels": dict(desired.labels),
        "note": desired.note,
        "secret_names": sorted(desired.secrets),
    }


def _desired(data: Mapping[str, Any]) -> Desired:
    names = dict.fromkeys(data["secret_names"], "")
    fields = {name: value for name, value in data.items() if name != "secret_names"}
    return Desired(**{**fields, "id": ResourceId(*data["id"]), "source": Location(*data["source"]), "secrets": names})
