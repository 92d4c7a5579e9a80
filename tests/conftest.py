"""What all tests share: real and simulated libvirt hosts, a home of their own, and no silent skip in CI."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import libvirt
import pytest

from tests.lab import guest_image as guest
from tests.lab import nodes

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
LAB_FIXTURES = {"lab", "host_uri"}

hypothesis.settings.register_profile("vireo", deadline=None, derandomize=IN_CI, print_blob=True)
hypothesis.settings.load_profile("vireo")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write the golden files anew instead of comparing with them")


def pytest_configure() -> None:
    libvirt.registerErrorHandler(lambda _context, _error: None, None)  # libvirt prints every error on stderr otherwise


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if LAB_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.qemu)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI nothing is skipped: a test that could not run has shown nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and reporter and reporter.stats.get("skipped") and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what, counts in _counted(terminalreporter).items():
        terminalreporter.write_line(f"{what}: {', '.join(f'{count} {name}' for name, count in counts.items())}")
    if IN_CI and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("CI is set and tests were skipped (see above): that is a failure", red=True)


def _counted(terminalreporter: pytest.TerminalReporter) -> dict[str, Counter[str]]:
    """What tests have counted (as user properties), added up over all of them."""
    out: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for what, counts in report.user_properties if report.when == "call" else ():
                out.setdefault(what, Counter()).update(counts)
    return out


@pytest.fixture
def regenerate(request: pytest.FixtureRequest) -> bool:
    """True if golden files are to be written instead of compared with."""
    return bool(request.config.getoption("--regenerate"))


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE", "CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "xdg" / name.lower()))
    for name in ("VIREO_CONNECT", "LIBVIRT_DEFAULT_URI", "VIRSH_DEFAULT_CONNECT_URI"):
        monkeypatch.delenv(name, raising=False)


# --- libvirt's test driver ------------------------------------------------------------------------------------


@pytest.fixture
def test_uri(tmp_path: Path) -> str:
    """A test:/// host with nothing on it. Every connection has a host of its own, forgotten when it is closed."""
    node = tmp_path / "node.xml"
    node.write_text("<node/>\n")
    return f"test://{node}"


@pytest.fixture
def test_default() -> Iterator[str]:
    """test:///default, emptied and held open: all connections of this process see the same host during the test."""
    uri = "test:///default"
    connection = libvirt.open(uri)
    nodes.empty(connection)
    yield uri
    nodes.empty(connection)
    connection.close()


# --- real hosts -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def lab() -> Iterator[nodes.Lab]:
    """A lab of real libvirt hosts, each started when it is first asked for; skipped where none can be."""
    if reason := nodes.missing():
        pytest.skip(reason)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    the_lab = nodes.Lab(subnet=f"10.99.{worker}")
    yield the_lab
    the_lab.down()


@pytest.fixture
def host_uri(lab: nodes.Lab) -> Iterator[str]:
    """The URI of the lab's first node, with nothing on it."""
    lab.clean()
    yield lab.uri()
    lab.clean()


@pytest.fixture(scope="session")
def guest_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk image whose guest counts on its disk and obeys the power button (see tests/lab/guest_image.py)."""
    return guest.build(tmp_path_factory.mktemp("guest") / "count.img")


@pytest.fixture(scope="session")
def stubborn_guest_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same guest, deaf to the power button."""
    return guest.build(tmp_path_factory.mktemp("guest") / "stubborn.img", stubborn=True)
