"""Real libvirt hosts for tests: a private lab of libvirtd nodes with QEMU guests (TCG), gone when its process is gone.

The shell scripts beside this module do the work; here are only their lifetime and what a test needs to reach a node. Nothing
here touches the machine's own libvirt daemon. Needs root; `missing()` says what else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import libvirt

HERE = Path(__file__).parent
PROGRAMS = ("libvirtd", "virtlogd", "virsh", "qemu-system-x86_64", "qemu-img", "ip", "unshare", "nsenter", "flock")
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "blkio")
UNDEFINE = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
UNDEFINE_MORE = libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM


def missing() -> str:
    """Why no lab can be started on this machine; empty if one can."""
    if os.geteuid() != 0:
        return "the lab of real libvirt hosts needs root (namespaces and mounts of its own)"
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    return f"programs are missing: {', '.join(absent)} (make test installs them)" if absent else ""


def missing_cgroups() -> str:
    """Why no lab with cgroups can be started on this machine; empty if one can."""
    absent = [name for name in CONTROLLERS if not os.access(f"/sys/fs/cgroup/{name}/cgroup.procs", os.W_OK)]
    return missing() or (f"version 1 cgroup hierarchies are missing: {', '.join(absent)}" if absent else "")


class Lab:
    """Up to 99 nodes, each started when it is first asked for. A node is named by its number, from 1.

    The files below `images` are the same on all nodes, under the same path as outside and as /var/lib/libvirt/images.
    """

    def __init__(self, subnet: str = "10.99.0", *, cgroups: bool = False) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="vl-", dir="/tmp"))
        self.directory.chmod(0o755)  # QEMU runs as another user
        self.images = self.directory / "images"
        self._environment = {**os.environ, "LAB_SUBNET": subnet, "LAB_CGROUPS": str(int(cgroups))}
        self._nodes = 0
        # The reaper ends the lab when the pipe from this process closes: after `down`, and after a kill -9 of the tests too.
        self._reaper = subprocess.Popen(
            ["bash", "-c", 'read -r _; exec "$0" -p "$1"', str(HERE / "lab-down.sh"), str(self.directory)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def start(self, nodes: int = 1) -> None:
        """Makes sure that at least that many nodes are up, as after a power cut: what was defined on them stays."""
        self._script("lab-up.sh", "-n", str(nodes), str(self.directory))
        self._nodes = max(self._nodes, nodes)

    def socket(self, node: int = 1) -> Path:
        """The node's libvirt socket, reachable from outside the lab."""
        if node > self._nodes:
            self.start(node)
        return self.directory / f"node{node}" / "run" / "libvirt" / "libvirt-sock"

    def uri(self, node: int = 1) -> str:
        """The node's libvirt URI, reachable from outside the lab."""
        return f"qemu+unix:///system?socket={self.socket(node)}"

    def run(self, node: int, argv: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command inside the node (where `virsh` means the node's own daemon), with its output as text."""
        self.socket(node)
        return self._script("lab-run.sh", "-d", str(self.directory), f"node{node}", *argv, check=check)

    def restart(self, node: int = 1, *, kill: bool = False) -> None:
        """Restarts the node's libvirtd; its guests go on. `kill`: by SIGKILL, as a crash."""
        self._script("lab-restart.sh", "-d", str(self.directory), *(["-k"] if kill else []), f"node{node}")

    def kill_daemon(self, node: int = 1) -> None:
        """Kills the node's libvirtd and leaves it dead until `restart` or `ensure`; its guests go on."""
        self._script("lab-restart.sh", "-d", str(self.directory), "-k", "-s", f"node{node}")

    def ensure(self, node: int = 1) -> None:
        """Starts the node's libvirtd if it does not run."""
        self.socket(node)
        self._script("lab-restart.sh", "-d", str(self.directory), "-i", f"node{node}")

    def clean(self, node: int = 1) -> None:
        """Ends and forgets every domain, network, pool and secret of the node, and deletes all images."""
        self.ensure(node)
        connection = libvirt.open(self.uri(node))
        try:
            empty(connection)
        finally:
            connection.close()
        for entry in self.images.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def down(self) -> None:
        """Ends the lab: guests, daemons, namespaces and files. May be called again."""
        if self._reaper.stdin and not self._reaper.stdin.closed:
            self._reaper.stdin.close()
        self._reaper.wait(timeout=120)

    def _script(self, name: str, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(HERE / name), *argv]
        done = subprocess.run(
            command, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300
        )
        if check and done.returncode:
            message = f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
            raise AssertionError(message)
        return done


def empty(connection: libvirt.virConnect) -> None:
    """Ends and forgets every domain, network, pool and secret of a host that is there for tests only."""
    real = connection.getType() != "TEST"  # the test driver knows less
    domains = connection.listAllDomains()
    running = [domain for domain in domains if domain.isActive()]
    if running:
        with ThreadPoolExecutor(max_workers=8) as pool:  # QEMU takes a second to go
            list(pool.map(_destroy, running))
    for domain in domains:
        if _still(domain.isPersistent):
            domain.undefineFlags(UNDEFINE | UNDEFINE_MORE if real else UNDEFINE)
    for thing in (*connection.listAllNetworks(), *connection.listAllStoragePools()):
        if thing.isActive():
            thing.destroy()
        if _still(thing.isPersistent):
            thing.undefine()
    for secret in connection.listAllSecrets() if real else ():
        secret.undefine()


def _destroy(domain: libvirt.virDomain) -> None:
    try:
        domain.destroy()
    except libvirt.libvirtError as error:
        if error.get_error_code() not in {libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN}:  # has ended meanwhile
            raise


def _still(question: Any) -> bool:
    """The answer to `question`, or False if the object is not there any more (a transient one that was destroyed)."""
    gone = {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_NETWORK, libvirt.VIR_ERR_NO_STORAGE_POOL}
    try:
        return bool(question())
    except libvirt.libvirtError as error:
        if error.get_error_code() not in gone:
            raise
        return False
