"""The event loop of libvirt, once per process, in a thread of its own. Keepalive and events need it; nobody else runs one."""

from __future__ import annotations

import threading

import libvirt

_guard = threading.Lock()
_thread: threading.Thread | None = None


def ensure_running() -> None:
    """Registers libvirt's default loop and starts its thread, before the first connection is opened; later calls do nothing.

    Also silences libvirt's own error handler, which would print every error to standard error.
    """
    global _thread  # noqa: PLW0603  libvirt has one event loop per process, so this is the one global thing here
    with _guard:
        if _thread is not None:
            return
        libvirt.registerErrorHandler(_silent, None)
        libvirt.virEventRegisterDefaultImpl()
        _thread = threading.Thread(target=_run, name="libvirt-events", daemon=True)
        _thread.start()


def _run() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def _silent(_context: object, _error: object) -> None:
    """Nothing to say: libvirt's errors reach us as exceptions."""
