"""Writes docs/manifests.md from schemas/*.json, every field of every kind, and docs/changes.md from the tables of ways in kinds/.

A test claims that the committed files are current.

Usage: python docs/generate.py [FOLDER]
"""

# ruff: noqa: INP001  a script, and no part of a package

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.kinds.kind import Way

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("Project", "Host", "Pool", "Volume", "Network", "Domain")
INTRODUCTION = """\
# Manifests: every kind, every field

<!-- Written by docs/generate.py from schemas/*.json: change those. -->

A manifest has `apiVersion: vireo/v1`, a `kind`, `metadata` and a `spec`. `vireo schema KIND` prints the same as JSON Schema, for
editors. A quantity is a number with a unit (`512MiB`, `10GB`), a duration likewise (`60s`). **Bold** fields are required. `[]`
in a path means each item of a list, `*` any name. What is marked *policy* says how Vireo treats the object and is no part of
libvirt's XML; what is marked *secret* is never shown, logged or written down.
"""
OFTEN = 3  # a definition that a kind uses so often is told once
Schema = dict[str, Any]


CHANGES = """\
# Changes: how each path changes while it is in use

<!-- Written by docs/generate.py from reconciler/kinds/*_ways.py: change those. -->

A change of the manifest is always written into the persistent definition. This table tells what becomes of the object that is
in use (a running guest, an active network): the first row that matches the path counts. Paths are those of `vireo plan`, without
the keys in brackets; `/**` is the path and everything below it. *Impact* is what it does to the guest: `none`, `live` (done
while it runs), `restart` (prepared, and shown as pending-restart until the next start, or done by a restart if
`update.restart: allowed` and `--allow restart` permit), `refused`. *Since* is the libvirt version that has the call.

A row says what libvirt can do in principle. What libvirt or QEMU refuses on the spot (another source of a disk that is no
removable medium, a device whose bus cannot be plugged, a full PCI bus) waits for the next start; the plan tells the reason and
does not try again. A device that a guest has to release is waited for (10 s); if it does not, the apply says so and fails, and
the next one goes on.

State and autostart stand in no definition: autostart is set by virDomainSetAutostart, virNetworkSetAutostart and
virStoragePoolSetAutostart, at any time and without an effect on what runs.
"""


def main(folder: Path) -> None:
    """Write both documents to `folder`."""
    (folder / "manifests.md").write_text(reference(), encoding="utf-8")
    (folder / "changes.md").write_text(changes(), encoding="utf-8")


def changes() -> str:
    """The whole text of docs/changes.md."""
    sys.path.insert(0, str(ROOT))
    from reconciler.kinds import KINDS

    out = [CHANGES]
    for kind in sorted(KINDS.values(), key=lambda kind: _rank(kind.name)):
        out += [f"## {kind.name}", "", "| path | impact | how | since | needs |", "|---|---|---|---|---|"]
        out += [_way(way) for way in kind.ways] + [""]
    return "\n".join(out)


def _way(way: Way) -> str:
    impact = "refused" if way.refusal else way.impact.label
    how = way.refusal or "; ".join(
        text for text in (way.how or "a new definition, taken up at the next start", way.grows_only) if text
    )
    return f"| {_code(way.pattern)} | {impact} | {_escaped(how)} | {way.since} | {_escaped(way.needs)} |"


def reference() -> str:
    """The whole text of docs/manifests.md."""
    schemas = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "schemas").glob("*.json"))}
    common = schemas.pop("common")["$defs"]
    kinds = sorted((schema for schema in schemas.values()), key=lambda schema: _rank(schema["title"]))
    return "\n".join([INTRODUCTION, *(_kind(schema, common) for schema in kinds)])


def _rank(kind: str) -> tuple[int, str]:
    return (ORDER.index(kind) if kind in ORDER else len(ORDER), kind)


def _kind(schema: Schema, common: Schema) -> str:
    kind, defs = schema["title"], {**common, **schema.get("$defs", {})}
    shared = _shared(schema, defs)
    defs = {name: {**one, "shared": kind} if name in shared else one for name, one in defs.items()}
    out = [f"## {kind}", "", schema["description"], ""]
    spec = schema["properties"]["spec"]
    out += _table({"metadata": schema["properties"]["metadata"]}, {"metadata"}, defs)
    whole = _whole(spec, defs)
    required = set(whole.get("required", ()))
    simple = {name: field for name, field in whole.get("properties", {}).items() if not _parts(field, defs)}
    out += [f"### {kind}: spec", "", *_table(simple, required, defs)]
    for name, field in whole.get("properties", {}).items():
        if name not in simple:
            out += [f"### {kind}: spec.{name}", "", *_table({name: field}, required, defs)]
    for name in shared:
        out += [f"### {kind}: {name}", "", "Used by several fields above.", ""]
        fields = {below.removeprefix("."): (part, need) for below, part, need in _parts({**defs[name], "shared": ""}, defs)}
        required = {below for below, (_, need) in fields.items() if need}
        out += _table({below: part for below, (part, _) in fields.items()}, required, defs)
    return "\n".join(out)


def _shared(schema: Schema, defs: Schema) -> list[str]:
    """The definitions with fields of their own that a kind uses often: they are told once, at its end."""
    text = json.dumps(schema)
    return sorted(name for name, one in defs.items() if one.get("properties") and text.count(f'$defs/{name}"') >= OFTEN)


def _table(fields: Schema, required: set[str], defs: Schema) -> list[str]:
    rows = [row for name, field in fields.items() for row in _rows(name, field, defs, needed=name in required)]
    return ["| field | type | what it is | example |", "|---|---|---|---|", *rows, ""]


def _rows(path: str, field: Schema, defs: Schema, *, needed: bool) -> Iterator[str]:
    whole = _whole(field, defs)
    told = _escaped(str(whole.get("description", "")))
    if whole.get("default") not in (None, {}):
        told += f" Default: `{json.dumps(whole['default'])}`."
    if "option" in whole.get("x-vireo", ()):
        told += " *policy*"
    if whole.get("writeOnly"):
        told += " *secret*"
    examples = "<br>".join(_code(json.dumps(example, ensure_ascii=False)) for example in whole.get("examples", ())[:2])
    name = f"**`{path}`**" if needed else f"`{path}`"
    yield f"| {name} | {_type(field, defs)} | {told} | {examples} |"
    for below, part, need in _parts(field, defs):
        yield from _rows(f"{path}{below}", part, defs, needed=need)


def _parts(field: Schema, defs: Schema) -> list[tuple[str, Schema, bool]]:
    """The fields within a field, with what follows its path, and whether they are required."""
    whole = _whole(field, defs)
    if whole.get("shared"):
        return []
    out = [(f".{name}", part, name in whole.get("required", ())) for name, part in whole.get("properties", {}).items()]
    more = whole.get("additionalProperties")
    if isinstance(more, dict) and _parts(more, defs):
        out += [(f".*{below}", part, need) for below, part, need in _parts(more, defs)]
    if isinstance(whole.get("items"), dict):
        out += [(f"[]{below}", part, need) for below, part, need in _parts(whole["items"], defs)]
    branches = [_parts(branch, defs) for branch in (*whole.get("anyOf", ()), *whole.get("oneOf", ())) if _is_closed(branch, defs)]
    branches = [branch for branch in branches if branch]
    everywhere = set.intersection(*({name for name, _, _ in branch} for branch in branches)) if branches else set()
    for branch in branches:
        for name, part, need in branch:
            if name not in {told for told, _, _ in out}:  # what only one of the alternatives has is not required
                out.append((name, part, need and (name in everywhere or "." in name[1:])))
    return out


def _is_closed(branch: Schema, defs: Schema) -> bool:
    """Whether an alternative tells its fields, and not only which of them go together."""
    return "additionalProperties" in _whole(branch, defs) or "items" in branch or "$ref" in branch


def _whole(field: Schema, defs: Schema) -> Schema:
    """A field with what it refers to; what it says itself counts."""
    if "$ref" not in field:
        return field
    meant = _whole(defs[field["$ref"].rpartition("/")[2]], defs)
    return meant | {key: value for key, value in field.items() if key != "$ref"}


def _type(field: Schema, defs: Schema) -> str:
    whole = _whole(field, defs)
    if "enum" in whole:
        return ", ".join(f"`{value}`" for value in whole["enum"])
    if "const" in whole:
        return f"`{json.dumps(whole['const'])}`" if not isinstance(whole["const"], str) else f"`{whole['const']}`"
    alternatives = [*whole.get("anyOf", ()), *(whole.get("oneOf", ()) if "type" not in whole else ())]
    if alternatives:
        return " or ".join(dict.fromkeys(_type(branch, defs) for branch in alternatives))
    kind = whole.get("type", "any")
    if kind == "array":
        return f"list of {_type(whole['items'], defs)}" if whole.get("items") else "list"
    if kind == "object" and whole.get("shared"):
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{whole['shared'].lower()}-{name.lower()})"
    if kind == "object":
        return "mapping"
    if whole.get("format", "").startswith("vireo-"):
        return str(whole["format"].removeprefix("vireo-"))
    bounds = [f"{word} {whole[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in whole]
    return " ".join([{"string": "text", "boolean": "true, false", "integer": "number"}.get(str(kind), str(kind)), *bounds])


def _code(text: str) -> str:
    return f"`{_escaped(text)}`" if "`" not in text else f"``{_escaped(text)}``"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs")
