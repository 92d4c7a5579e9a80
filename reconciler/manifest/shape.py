"""A kind's JSON Schema as one self-contained document, and the walk over a schema and the data that it describes.

What Vireo itself has to know of a field is written in the schema, nowhere else: its `default`, `writeOnly` (a secret), and
`x-vireo`, one word or a list of them: ``option`` (policy that does not show in the XML), ``duration``, ``rate``, ``file`` (a
path that starts from the manifest), ``unique`` (no two resources of a kind on a host share it), ``distinct`` (no two items of its
list share it), ``base`` (a volume that this one is made from: volume, pool), ``subnet`` (an address with its DHCP ranges).
`x-vireo-message` says in words what a rule is about; `x-vireo-most` is a rule: fields, and the field that each must not be more
than. Checks nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from reconciler.manifest import assets
from reconciler.model.resource import Path

Schema: TypeAlias = dict[str, Any]

SECRET = "secret"  # noqa: S105  the name of a mark
_COMMON = "common.json"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


@cache
def kinds() -> tuple[str, ...]:
    """The kinds that have a schema, in the order of their names."""
    names = []
    for path in sorted(assets.folder("schemas").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        name = schema.get("properties", {}).get("kind", {}).get("const")
        if name:
            names.append(name)
    return tuple(names)


@cache
def of(kind: str) -> Shape:
    """The shape of a kind. Raises KeyError for a kind without a schema."""
    path = assets.folder("schemas") / f"{kind.lower()}.json"
    if not path.is_file():
        raise KeyError(kind)
    schema = json.loads(path.read_text(encoding="utf-8"))
    if schema.get("properties", {}).get("kind", {}).get("const") != kind:
        raise KeyError(kind)
    return Shape(_bundled(schema))


def _bundled(schema: Schema) -> Schema:
    """`schema` with the shared definitions that it uses copied into its own $defs."""
    common = json.loads((assets.folder("schemas") / _COMMON).read_text(encoding="utf-8"))["$defs"]
    defs: Schema = dict(schema.get("$defs", {}))
    waiting = [schema]
    while waiting:
        for name in _localize(waiting.pop()):
            if name not in defs:
                defs[name] = common[name]
                waiting.append(common[name])
    return {**{key: value for key, value in schema.items() if key != "$defs"}, "$defs": dict(sorted(defs.items()))}


def _localize(node: Any) -> Iterator[str]:
    """Point every reference below `node` at the document itself; give the names of the definitions that it uses."""
    if isinstance(node, list):
        for item in node:
            yield from _localize(item)
    elif isinstance(node, dict):
        ref = node.get("$ref")
        if isinstance(ref, str):
            name = ref.rpartition("/")[2]
            if ref.startswith(_COMMON):
                node["$ref"] = f"#/$defs/{name}"
                yield name
            elif not ref.startswith("#/$defs/"):
                message = f"a schema may refer to its own $defs and to {_COMMON} only: {ref}"
                raise ValueError(message)
            else:
                yield name
        for value in node.values():
            yield from _localize(value)


class Shape:
    """One kind's schema. All methods give new data and change none."""

    def __init__(self, document: Schema) -> None:
        self.document = document
        self._defs: Mapping[str, Schema] = document["$defs"]
        self._telling: dict[int, bool] = {}

    def field(self, path: Sequence[str | int]) -> list[Schema]:
        """The schemas that describe `path`, of all branches."""
        found = self._all(self.document)
        for part in path:
            found = [below for schema in found for child in self._below(schema, part) for below in self._all(child)]
        return found

    def is_secret(self, path: Sequence[str | int]) -> bool:
        """Whether `path`, or something that it is part of, must never be shown."""
        return any(schema.get("writeOnly") for end in range(len(path)) for schema in self.field(path[: end + 1]))

    def flat(self, schema: Schema) -> list[Schema]:
        """`schema` and what it refers to or is made of, without alternatives."""
        return self._all(schema, alternatives=False)

    def filled(self, data: Any, at: Path = ()) -> Any:
        """`data`, which lies at `at`, with the defaults that the schema declares."""
        return self._fill(self.field(at), data)

    def marks(self, data: Any, at: Path = ()) -> list[tuple[Path, frozenset[str], Any]]:
        """The places in `data`, which lies at `at`, that the schema marks: path from the document's root, marks, value."""
        return list(self._marks(self.field(at), data, at))

    # --- the walk ----------------------------------------------------------------------------------------------

    def _fill(self, schemas: Sequence[Schema], data: Any) -> Any:
        facets = self._facets(schemas, data)
        if isinstance(data, list):
            return [self._fill(self._children(facets, index), item) for index, item in enumerate(data)] if facets else data
        if not isinstance(data, dict) or not facets:
            return data
        out = {}
        for key, value in data.items():
            below = self._children(facets, key)
            out[key] = self._fill(below, value) if below else value
        for facet in facets:
            for key, schema in facet.get("properties", {}).items():
                if key in out:
                    continue
                declared = [s for s in self._all(schema) if "default" in s]
                if declared:
                    out[key] = self._fill([schema], declared[0]["default"])
        return out

    def _marks(self, schemas: Sequence[Schema], data: Any, path: Path) -> Iterator[tuple[Path, frozenset[str], Any]]:
        facets = self._facets(schemas, data)
        words: set[str] = set()
        for facet in facets:
            mark = facet.get("x-vireo", ())
            words.update([mark] if isinstance(mark, str) else mark)
            if facet.get("writeOnly"):
                words.add(SECRET)
        if words:
            yield path, frozenset(words), data
        entries: Iterator[tuple[str | int, Any]] = iter(())
        if facets and isinstance(data, dict):
            entries = iter(data.items())
        elif facets and isinstance(data, list):
            entries = iter(enumerate(data))
        for part, value in entries:
            below = self._children(facets, part)
            if below:
                yield from self._marks(below, value, (*path, part))

    def _children(self, facets: Sequence[Schema], part: str | int) -> list[Schema]:
        return [child for facet in facets for child in self._below(facet, part) if self._tells(child)]

    @staticmethod
    def _below(schema: Schema, part: str | int) -> list[Schema]:
        if isinstance(part, int):
            child = schema.get("items")
        else:
            child = schema.get("properties", {}).get(part)
            if child is None:
                child = schema.get("additionalProperties")
        return [child] if isinstance(child, dict) else []

    def _facets(self, schemas: Sequence[Schema], data: Any) -> list[Schema]:
        """All schemas that apply to `data`: what is referred to, and of alternatives those that fit."""
        out: list[Schema] = []
        for schema in schemas:
            out.append(schema)
            if "$ref" in schema:
                out += self._facets([self._target(schema)], data)
            if "allOf" in schema:
                out += self._facets(schema["allOf"], data)
            for word in ("oneOf", "anyOf"):
                if word in schema:
                    out += self._facets([branch for branch in schema[word] if self._fits(branch, data)], data)
        return out

    def _fits(self, schema: Schema, data: Any) -> bool:
        """Whether `data` looks as if this alternative was meant: the type, what is required, and constants agree."""
        for facet in self._all(schema, alternatives=False):
            wanted = facet.get("type")
            if wanted is not None and not any(is_type(data, name) for name in ([wanted] if isinstance(wanted, str) else wanted)):
                return False
            if isinstance(data, dict):
                if any(name not in data for name in facet.get("required", ())):
                    return False
                for name, child in facet.get("properties", {}).items():
                    if name in data and "const" in child and child["const"] != data[name]:
                        return False
        return True

    def _all(self, schema: Schema, *, alternatives: bool = True) -> list[Schema]:
        out = [schema]
        if "$ref" in schema:
            out += self._all(self._target(schema), alternatives=alternatives)
        for word in ("allOf", "oneOf", "anyOf") if alternatives else ("allOf",):
            for part in schema.get(word, ()):
                out += self._all(part, alternatives=alternatives)
        return out

    def _target(self, schema: Schema) -> Schema:
        target: Schema = self._defs[schema["$ref"].rpartition("/")[2]]
        return target

    def _tells(self, schema: Schema) -> bool:
        """Whether anything at or below `schema` has a default or a mark: the rest need not be walked."""
        known = self._telling.get(id(schema))
        if known is not None:
            return known
        self._telling[id(schema)] = True  # while it is being found out: a schema may contain itself
        tells = bool(schema.keys() & {"default", "x-vireo", "writeOnly"})
        parts = [self._target(schema)] if "$ref" in schema else []
        for word in ("allOf", "oneOf", "anyOf"):
            parts += schema.get(word, ())
        parts += schema.get("properties", {}).values()
        parts += [schema[word] for word in ("items", "additionalProperties") if isinstance(schema.get(word), dict)]
        tells = tells or any(self._tells(part) for part in parts)
        self._telling[id(schema)] = tells
        return tells


def is_type(data: Any, name: str) -> bool:
    """Whether `data` is of the JSON Schema type `name`; a boolean is no number."""
    return isinstance(data, _TYPES[name]) and (name in {"boolean", "null"} or not isinstance(data, bool))
