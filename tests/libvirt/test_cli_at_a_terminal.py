"""What a person at a terminal is asked, and what the answers do. Each command runs in a pseudo-terminal of its own."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MANIFEST = """\
apiVersion: vireo/v1
kind: Project
metadata: {name: lab}
spec: {}
---
apiVersion: vireo/v1
kind: Domain
metadata: {name: web1}
spec: {memory: 64MiB, os: {boot: [hd]}}
"""
LONGEST = 60.0


@dataclass
class Terminal:
    """A command in a terminal of 80 by 24 cells."""

    process: subprocess.Popen[bytes]
    master: int
    seen: str = field(default="")

    def wait_for(self, text: str) -> None:
        """Read until `text` has been shown since the last call."""
        end = time.monotonic() + LONGEST
        while text not in self.seen:
            assert self._read(end), self.seen
        self.seen = self.seen[self.seen.index(text) + len(text) :]

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def press_ctrl_c(self) -> None:
        """Until it is heard, as a person would: Python misses a signal that comes just before it begins to read."""
        self.process.send_signal(signal.SIGINT)
        while not select.select([self.master], [], [], 5.0)[0]:
            self.process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """The exit code, and what was shown since the last `wait_for`."""
        end = time.monotonic() + LONGEST
        while self._read(end):
            pass
        return self.process.wait(LONGEST), self.seen

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
        assert ready, self.seen
        try:
            data = os.read(self.master, 4096)
        except OSError:  # how Linux says that nobody has the terminal open any more
            return False
        self.seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode()).replace("\r\n", "\n")
        return bool(data)


@contextmanager
def terminal(*command: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "COLUMNS": "80",
        "LINES": "24",
        "LC_ALL": "C.UTF-8",
    }
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True)
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        os.close(master)


@pytest.fixture
def vireo(tmp_path: Path, test_uri: str) -> list[str]:
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "web1.yaml").write_text(MANIFEST)
    return [sys.executable, "-m", "reconciler", "-c", test_uri, "{}", str(folder)]


def command(vireo: list[str], name: str) -> list[str]:
    return [name if word == "{}" else word for word in vireo]


def test_apply_shows_the_plan_asks_and_does_it_after_a_yes(vireo: list[str]) -> None:
    with terminal(*command(vireo, "apply")) as screen:
        screen.wait_for("Plan: 1 to create, 0 to change, 0 to delete, 0 unchanged")
        screen.wait_for("Apply? [y/N]")
        screen.type("y\n")
        screen.wait_for("✓ define Domain/web1")
        screen.wait_for("✓ start Domain/web1")
        code, text = screen.end()
    assert "Apply: 2 done, 0 failed, 0 skipped" in text
    assert code == 0


@pytest.mark.parametrize("answer", ["n\n", "\n", "nonsense\n", "\x04"], ids=["no", "enter", "nonsense", "end"])
def test_anything_but_a_yes_does_nothing(vireo: list[str], answer: str) -> None:
    with terminal(*command(vireo, "apply")) as screen:
        screen.wait_for("Apply? [y/N]")
        screen.type(answer)
        code, text = screen.end()
    assert "Nothing was done." in text
    assert "define Domain/web1" not in text
    assert code == 1


def test_ctrl_c_at_the_question_does_nothing(vireo: list[str]) -> None:
    with terminal(*command(vireo, "apply")) as screen:
        screen.wait_for("Apply? [y/N] ")
        screen.press_ctrl_c()
        code, text = screen.end()
    assert "Interrupted." in text
    assert code == 130


APPLY_THEN_DESTROY = """
import sys
import libvirt
from reconciler.cli.app import run, run_process
held = libvirt.open("test:///default")  # a host of the test driver is gone with the last connection to it
words = ["-q", "-c", "test:///default"]
assert run([*words, "apply", sys.argv[1], "--yes"]) == 0
run_process([*words, "destroy", sys.argv[1]])
"""


@pytest.mark.parametrize("answer, code, last", [("lab\n", 0, "Apply: 2 done"), ("y\n", 1, "Nothing was done.")])
def test_destroy_wants_the_projects_name(vireo: list[str], answer: str, code: int, last: str) -> None:
    with terminal(sys.executable, "-c", APPLY_THEN_DESTROY, vireo[-1]) as screen:
        screen.wait_for("Plan: 0 to create, 0 to change, 1 to delete")
        screen.wait_for("Type the project's name to do it:")
        screen.type(answer)
        ended, text = screen.end()
    assert last in text
    assert ended == code


SIGNALLED = """
import sys, threading, time
from reconciler.cli.interrupt import Interrupt
stop = threading.Event()
with Interrupt(stop, lambda text: print(text, flush=True)):
    print("ready", flush=True)
    stop.wait({longest})
    print("stopping", flush=True)
    {then}
print("ended in order", flush=True)
"""


def test_the_first_ctrl_c_lets_the_actions_under_way_end() -> None:
    with terminal(sys.executable, "-c", SIGNALLED.format(longest=LONGEST, then="pass")) as screen:
        screen.wait_for("ready")
        screen.process.send_signal(signal.SIGINT)
        code, text = screen.end()
    assert "Ending after the actions under way." in text
    assert "ended in order" in text
    assert code == 0


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_ends_at_once(second: signal.Signals) -> None:
    with terminal(sys.executable, "-c", SIGNALLED.format(longest=LONGEST, then=f"time.sleep({LONGEST})")) as screen:
        screen.wait_for("ready")
        screen.process.send_signal(signal.SIGTERM)
        screen.wait_for("stopping")
        screen.process.send_signal(second)
        code, text = screen.end()
    assert "Ended at once." in text
    assert "ended in order" not in text
    assert code == 130
