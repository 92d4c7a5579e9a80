"""Writes docs/manifests.md from schemas/*.json: every field of every kind. A test claims that the committed file is current.

Usage: python docs/generate.py [FILE]
"""

# ruff: noqa: INP001  a script, and no part of a package

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def main(target: Path) -> None:
    """Write the reference to `target`."""
    target.write_text(reference(), encoding="utf-8")


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
    for branch in (*whole.get("anyOf", ()), *whole.get("oneOf", ())):
        if "additionalProperties" in _whole(branch, defs) or "items" in branch or "$ref" in branch:
            out += [part for part in _parts(branch, defs) if part[0] not in {name for name, _, _ in out}]
    return out


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
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "manifests.md")
