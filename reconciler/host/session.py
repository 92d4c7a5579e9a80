"""One connection to a libvirt host: opened, kept alive, opened again when it broke; every call goes through it.

It knows nothing of kinds and plans. A Session may be used from several threads at once.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

import libvirt

from reconciler.errors import HostUnreachableError, LibvirtCallError, VireoError
from reconciler.host import failures
from reconciler.host.capabilities import read_facts
from reconciler.host.opening import close, connect
from reconciler.model.resource import HostSpec
from reconciler.model.state import HostFacts

P = ParamSpec("P")
T = TypeVar("T")

OPEN_TIMEOUT = 30.0  # seconds until a host that does not answer at all counts as unreachable
FIRST_DELAY = 0.2  # seconds before the second attempt to connect again
LONGEST_DELAY = 5.0

IN_MEMORY = frozenset({"TEST"})  # drivers (virConnectGetType) whose hosts live in the memory of one process
SHARED_IN_MEMORY = frozenset({"test:///default"})  # of these, the hosts that all connections of the process share


class Session:
    """A connection to one host. Make it with `open`; it is a context manager that closes itself.

    `facts` and `has_secrets` (libvirt secrets, not passwords) describe the host; `world` names a host that lives in this
    process's memory only (the test driver), and is "" for all others.
    """

    def __init__(self, spec: HostSpec, *, sleep: Callable[[float], None], clock: Callable[[], float], timeout: float) -> None:
        self.spec = spec
        self._sleep = sleep
        self._clock = clock
        self._timeout = timeout
        self._guard = threading.RLock()
        self._closed = False
        self.world = ""
        self._conn, read_only = connect(spec.uri, timeout)
        try:
            self.facts: HostFacts = self.call("virConnectGetCapabilities", read_facts, self._conn, spec, read_only)
            self.has_secrets: bool = self._supports("virConnectNumOfSecrets", self._conn.numOfSecrets)
            if self.facts.hypervisor in IN_MEMORY:
                self.world = "shared" if spec.uri in SHARED_IN_MEMORY else uuid.uuid4().hex
        except VireoError:
            self.close()
            raise

    @classmethod
    def open(
        cls,
        spec: HostSpec,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        timeout: float = OPEN_TIMEOUT,
    ) -> Session:
        """Connects to `spec.uri`; read-only if the host grants no more (facts.read_only). Never asks for a password.

        `timeout` is in seconds. Raises HostUnreachableError with a hint.
        """
        return cls(spec, sleep=sleep, clock=clock, timeout=timeout)

    @property
    def conn(self) -> libvirt.virConnect:
        """The connection now in use; another object after `reconnect`, so do not keep it."""
        return self._conn

    def call(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs one libvirt call; `name` is libvirt's name of it, for messages.

        Raises ConnectionLostError if the connection broke (whether the call took effect is unknown), else LibvirtCallError.
        """
        try:
            return function(*args, **kwargs)
        except libvirt.libvirtError as error:
            if failures.broke(error) or (failures.rpc(error) and not self._answers()):
                raise failures.lost(self.spec.uri, name, error) from error
            raise failures.failed(name, error) from error

    def require_write(self, what: str) -> None:
        """Raises LibvirtCallError if the connection is read-only; `what` completes "cannot ..."."""
        if self.facts.read_only:
            raise LibvirtCallError(
                f"cannot {what}: the connection to {self.spec.uri} is read-only",
                call="virConnectOpen",
                code=libvirt.VIR_ERR_OPERATION_DENIED,
                hint="use a connection with the right to change things (root, or the group `libvirt`)",
            )

    def reconnect(self, *, patience: float = 60.0) -> None:
        """Opens the connection again, with growing delays, for at most `patience` seconds; at once if it is well.

        All objects of the old connection are dead afterwards: look them up again. When several threads notice the loss, one of
        them opens and the others find it done. Raises HostUnreachableError.
        """
        with self._guard:
            if self._answers():
                return
            close(self._conn)
            deadline = self._clock() + patience
            delay = FIRST_DELAY
            while True:
                if self._closed:
                    raise HostUnreachableError(f"the connection to {self.spec.uri} was closed")
                try:
                    self._conn, _ = connect(self.spec.uri, min(self._timeout, max(1.0, deadline - self._clock())))
                except HostUnreachableError as error:
                    pause = delay * random.uniform(0.5, 1.5)  # noqa: S311  jitter, no secret
                    if self._clock() + pause > deadline:
                        raise HostUnreachableError(
                            f"{self.spec.uri} has not come back within {patience:g} s", detail=error.detail, hint=error.hint
                        ) from error
                    self._sleep(pause)
                    delay = min(delay * 2, LONGEST_DELAY)
                else:
                    return

    def close(self) -> None:
        """Closes the connection; calls after that raise ConnectionLostError. May be called twice."""
        self._closed = True
        with self._guard:
            close(self._conn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _answers(self) -> bool:
        """Whether the connection now in use is alive: asked of the daemon, because isAlive() may lag behind."""
        try:
            return bool(self._conn.isAlive()) and bool(self._conn.getLibVersion())
        except libvirt.libvirtError:
            return False

    def _supports(self, name: str, function: Callable[[], Any]) -> bool:
        try:
            self.call(name, function)
        except LibvirtCallError as error:
            if error.code in failures.UNSUPPORTED:
                return False
            raise
        return True
