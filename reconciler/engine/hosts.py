"""The hosts of a project, opened and observed side by side. One that does not answer is noted, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.observe import observe
from reconciler.host.session import OPEN_TIMEOUT, Session
from reconciler.model.resource import HostSpec
from reconciler.model.state import HostFacts, HostState

T = TypeVar("T")
SIDE_BY_SIDE = 64  # hosts; threads that wait cost little, and some hosts that hang must not hold the others


@dataclass(frozen=True, slots=True)
class Hosts:
    """Open sessions by host name, and why the others could not be opened. `project` is empty for no project in particular."""

    project: str
    specs: tuple[HostSpec, ...]
    sessions: Mapping[str, Session]
    errors: Mapping[str, HostError]

    def on_each(self, work: Callable[[Session], T]) -> dict[str, T]:
        """The result of `work` for each open session, done side by side. Raises the first HostError."""
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="host") as pool:
            return dict(zip(self.sessions, pool.map(work, self.sessions.values()), strict=True))

    def observe(self) -> tuple[HostState, ...]:
        """What each host has now, in the order of the manifests; of a host that does not answer, why."""
        seen = self.on_each(self._observe_one)
        return tuple(seen.get(spec.name) or _unreachable(spec, self.errors[spec.name]) for spec in self.specs)

    def _observe_one(self, session: Session) -> HostState:
        try:
            return observe(session, self.project)
        except LibvirtCallError:
            raise
        except HostError as error:
            try:
                session.reconnect()
                return observe(session, self.project)
            except LibvirtCallError:
                raise
            except HostError:
                return _unreachable(session.spec, error)


def _unreachable(spec: HostSpec, error: HostError) -> HostState:
    why = f"{error.summary}: {error.more}" if error.more else error.summary
    return HostState(HostFacts(spec.name, spec.uri), error=f"{why} ({error.hint})" if error.hint else why)


@contextmanager
def connected(project: str, specs: Sequence[HostSpec], *, timeout: float = OPEN_TIMEOUT) -> Iterator[Hosts]:
    """Open all hosts side by side, each within `timeout` seconds, and close them at the end."""
    sessions: dict[str, Session] = {}
    errors: dict[str, HostError] = {}
    try:
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="open") as pool:
            for spec, opened in zip(specs, pool.map(lambda spec: _open(spec, timeout), specs), strict=True):
                if isinstance(opened, Session):
                    sessions[spec.name] = opened
                else:
                    errors[spec.name] = opened
        yield Hosts(project, tuple(specs), sessions, errors)
    finally:
        for session in sessions.values():
            session.close()


def _open(spec: HostSpec, timeout: float) -> Session | HostError:
    try:
        return Session.open(spec, timeout=timeout)
    except HostError as error:
        return error
