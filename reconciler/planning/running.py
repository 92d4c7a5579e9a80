"""The live column: what counts of a running object's definition, and what of it is only written down. Pure; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.kinds.kind import Kind, Way
from reconciler.model.state import Mark, Observed
from reconciler.xmltree.canonical import Canonical, canonical
from reconciler.xmltree.document import parse
from reconciler.xmltree.paths import rules_for, without_keys
from reconciler.xmltree.quantity import round_up
from reconciler.xmltree.rules import Rules


def run_in(text: str | None) -> str:
    """The number of the running object on its host (a domain's id): another one is another run."""
    return str(parse(text).get("id") or "") if text else ""


def run_of(observed: Observed) -> str:
    """The same of what was observed."""
    return run_in(observed.live)


def settled(kind: Kind, live: Canonical, whole: Canonical, persistent: Canonical) -> Canonical:
    """`live` made to agree where a running object differs by its nature and not because of a change.

    `whole` is all that it says. An amount above what it has at most is a change that waits.
    """
    out, rules, most = dict(live), kind.rules, {way.pattern: way.within for way in kind.ways if way.within}
    for path, value in persistent.items():
        plain = without_keys(path)
        about = rules_for(rules, plain)
        if value in about.automatic:
            parent = path.rpartition("/")[0] if path.endswith("/@mode") else path
            out |= {p: v for p, v in persistent.items() if p == path or p.startswith(f"{parent}/")}
        elif (
            _unshown(path, live, rules)
            or (about.volatile and not _exceeds(value, whole.get(most.get(plain, ""))))
            or _rounded(value, about.live_rounding) == live.get(path)
        ):
            out[path] = value
    return {path: value for path, value in out.items() if path in persistent or not rules_for(rules, without_keys(path)).volatile}


def _unshown(path: str, live: Canonical, rules: Rules) -> bool:
    """Whether a running device shows nothing at `path` because it lacks what the path is about (the medium of a drive)."""
    child = rules.only_with.get(without_keys(path))
    return child is not None and "/".join([*path.split("/")[:2], child]) not in live


def _rounded(value: str, step: int) -> str:
    return round_up(int(value), step) if step > 1 and value.isdigit() else value


def _exceeds(wanted: str | None, most: str | None) -> bool:
    return wanted is not None and most is not None and wanted.isdigit() and most.isdigit() and int(wanted) > int(most)


def late(way: Way, wanted: str | None, has: str | None, whole: Mapping[str, str]) -> bool:
    """Whether the running object, which says `whole`, can get `wanted` at its next start only, though the path has a live way."""
    absent = way.fixed and (wanted is None) != (has is None)
    return bool(absent) or (bool(way.within) and _exceeds(wanted, whole.get(way.within)))


def kept(declared: Canonical, beside: Canonical, rules: Rules) -> Canonical:
    """The values in `declared` that libvirt does not give back, of elements that are in `beside`."""
    return {p: v for p, v in declared.items() if rules_for(rules, without_keys(p)).write_only and p.rpartition("/")[0] in beside}


def in_force(declared: Canonical, mark: Mark | None, run: str) -> Canonical:
    """What a run has of a `declared` intent as far as is written down: not what it refused, but what it had before that."""
    if mark is None or mark.run != run:
        return declared
    return {**mark.retired, **{path: value for path, value in declared.items() if path not in mark.refused}}


def unbrought(kind: Kind, before: Mark, desired: str, run: str) -> Canonical:
    """Values that libvirt does not give back, as the run had them, where another one is desired now; "" where it had none."""
    wanted, intent = (canonical(parse(text), kind.rules) if text else {} for text in (desired, before.xml))
    had = in_force(intent, before, run)
    paths = {path for path in {**wanted, **had, **intent} if rules_for(kind.rules, without_keys(path)).write_only}
    return {path: had.get(path, "") for path in paths if wanted.get(path) != intent.get(path)}


def retired(mark: Mark | None, live: Canonical, desired: Canonical, persistent: Canonical) -> Canonical:
    """What left the manifest and the definition, and is still in the running object."""
    tops = () if mark is None else tuple(path for path in mark.retired if path not in desired and path not in persistent)
    return {path: value for path, value in live.items() if any(path == top or path.startswith(f"{top}/") for top in tops)}


def moved(path: str, mark: Mark | None, run: str) -> bool:
    """Whether the running object came to differ at `path` after it was last written down: it did not wait for anything there."""
    if mark is None or mark.waiting is None or not mark.live or mark.run != run:
        return False
    return not any(related(path, other) for other in (*mark.waiting, *mark.refused))


def related(path: str, other: str) -> bool:
    """Whether two paths are the same, or one is below the other."""
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")
