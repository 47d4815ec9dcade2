"""What the system tests share: running rehearse, reading its document, comparing the host before and after."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Iterable, NoReturn

# Verdict codes. Most tests ask what a run did, and take whatever the policy says of it: the action ran.
GREEN, YELLOW, RED, INCONCLUSIVE = 0, 10, 11, 12
RAN = (GREEN, YELLOW, RED, INCONCLUSIVE)
FAILURE, USAGE, UNAVAILABLE, CANT_CREATE, NO_PERMISSION = 1, 64, 69, 73, 77
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Document = dict[str, Any]
# How many times longer than on a common machine things may take: an emulated one is slow.
SLOW = 10 if os.environ.get("REHEARSE_SLOW_HOST") else 1


def skip(reason: str) -> NoReturn:
    """Skips the test; where REHEARSE_MUST_RUN is set a skip is a failure."""
    if os.environ.get("REHEARSE_MUST_RUN"):
        raise AssertionError(f"must run, but: {reason}")
    raise unittest.SkipTest(reason)


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program, path=PATH) is None:
            skip(f"{program} is not installed")


def binary() -> str:
    path = os.environ.get("REHEARSE", "")
    if not path or not os.access(path, os.X_OK):
        raise FileNotFoundError(f"REHEARSE names no program that can be run: '{path}'")
    if os.geteuid() != 0:
        skip("needs root")
    return path


@dataclasses.dataclass
class Result:
    """How one call of rehearse ended."""

    code: int
    out: bytes
    err: bytes
    seconds: float

    @property
    def doc(self) -> Document:
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise AssertionError(f"no JSON on stdout (exit {self.code}): {error}; stderr: {self.err[-2000:]!r}") from None

    @property
    def changes(self) -> dict[bytes, Document]:
        return {path_of(entry): entry for entry in self.doc["changes"]}


def path_of(entry: Document) -> bytes:
    return base64.b64decode(entry["path_b64"]) if entry.get("path_b64") else os.fsencode(entry["path"])


def b(path: str | Path) -> bytes:
    return os.fsencode(path)


class Case(unittest.TestCase):
    """A test with a state directory of its own and a scratch directory that is part of the host."""

    maxDiff = 4000

    def setUp(self) -> None:
        self.rehearse = binary()
        self.base = Path(tempfile.mkdtemp(prefix="rehearse-test.", dir=os.environ.get("REHEARSE_TEST_DIR", "/var/tmp")))
        self.addCleanup(self.remove_base)
        self.base.chmod(0o755)
        self.state = self.base / "state"
        self.host = self.base / "host"
        self.host.mkdir()
        self.addCleanup(self.assert_nothing_left)

    def remove_base(self) -> None:
        # rm(1) and not shutil: some tests make paths longer than PATH_MAX. A run's child may still be marking its bundle.
        wait_for(lambda: subprocess.run(["rm", "-rf", "--one-file-system", str(self.base)], capture_output=True, check=False).returncode == 0)

    def command(self, *options: str, json_out: bool = True) -> list[str]:
        return [self.rehearse, "--state", str(self.state), *(["--json"] if json_out else []), *options]

    def call(self, *arguments: str, json_out: bool = True, timeout: float = 300 * SLOW, **popen: Any) -> Result:
        started = time.monotonic()
        popen.setdefault("stdin", subprocess.DEVNULL)
        if "input" in popen:
            del popen["stdin"]
        done = subprocess.run(self.command(*arguments, json_out=json_out), capture_output=True, timeout=timeout, check=False, **popen)
        return Result(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    def run_in(self, argv: Iterable[str], *options: str, **more: Any) -> Result:
        return self.call("run", *options, "--", *argv, **more)

    def shell(self, script: str, *options: str, expect: int | None = 0, **more: Any) -> Result:
        """Rehearses a shell script; `expect` is the script's own status, None for any."""
        result = self.run_in(["sh", "-c", script], *options, **more)
        self.assertIn(result.code, RAN, result.err.decode(errors="replace")[-3000:])
        if expect is not None:
            self.assertEqual(result.doc["command"]["exit"], expect, result.err.decode(errors="replace")[-3000:])
        return result

    def change(self, result: Result, path: str | Path | bytes, kind: str) -> Document:
        key = path if isinstance(path, bytes) else b(path)
        near = [p for p in result.changes if p.startswith(os.path.dirname(key))][:20]
        self.assertIn(key, result.changes, f"not in changes; near: {near}")
        entry = result.changes[key]
        self.assertEqual(entry["change"], kind, entry)
        return entry

    def assert_nothing_left(self) -> None:
        """No process, mount or cgroup of a run in this test's state directory."""
        runs = os.listdir(self.state / "runs") if (self.state / "runs").is_dir() else []
        deadline = time.monotonic() + 4 * SLOW
        while (left := leftovers(runs, self.base)) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(left, [])


def leftovers(runs: list[str], base: Path) -> list[str]:
    left = [f"mount {line}" for line in mount_table() if str(base / "state") in line]
    for root in cgroup_roots():
        left += [f"cgroup {root}/rehearse/{run}" for run in runs if os.path.exists(f"{root}/rehearse/{run}")]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            groups = Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            continue
        left += [f"process {pid} of run {run}" for run in runs if f"rehearse/{run}" in groups]
    return left


def lock_holders(state: Path) -> str:
    """Who keeps the runs in `state` live, for the message of a failed test."""
    held = [f"{link} {Path(f'/proc/{pid}/stat').read_text()}" for pid in filter(str.isdigit, os.listdir("/proc"))
            for link in descriptors(pid) if str(state) in link]
    return "\n".join([*held, Path("/proc/locks").read_text()])


def descriptors(pid: str) -> list[str]:
    links = []
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    except OSError:
        pass
    return links


def mount_table() -> list[str]:
    """The mount table without the numbers that a remount elsewhere may renumber."""
    lines = Path("/proc/self/mountinfo").read_bytes().decode(errors="surrogateescape").splitlines()
    return sorted(" ".join(line.split()[2:6] + line.split(" - ")[1].split()[:2]) for line in lines)


def cgroup_roots() -> list[str]:
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        return [line.split()[1] for line in mounts if line.split()[2] in ("cgroup", "cgroup2")]


# Changed by the running system itself, not by what is tested.
# Where other programs of a host write whenever they like.
NOISY = ["/root/.pyenv", "/root/.rustup", "/root/.cargo", "/root/.config", "/root/.local", "/root/.npm", "/var/tmp", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/rehearse", "/var/lib/systemd", "/root/.cache", "/root/.ccache",
         "/var/spool", "/etc/mtab", "/var/lib/docker", "/var/lib/containerd"]
NOISY += [p for p in os.environ.get("REHEARSE_TEST_NOISY", "").split(":") if p]
NOISY_SYSCTLS = ("random", "dentry-state", "inode-nr", "inode-state", "file-nr", "ns_last_pid", "pty/nr", "conntrack_count", "cpufreq",
                 "stat_refresh", "keys/", "nr_hugepages", "usermodehelper", "sched_domain", "cad_pid", "bpf_stats", "aio-nr", "drop_caches", "quota/")


def _tree(top: str, with_content: bool, into: dict[str, tuple[Any, ...]]) -> None:
    stack = [top]
    while stack:
        directory = stack.pop()
        try:
            entries = list(os.scandir(directory))
        except OSError:
            continue
        for entry in entries:
            if any(entry.path == n or entry.path.startswith(n + "/") for n in NOISY):
                continue
            try:
                st = entry.stat(follow_symlinks=False)
                row: tuple[Any, ...] = (st.st_mode, st.st_uid, st.st_gid, st.st_ino, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_nlink)
                if with_content and stat.S_ISREG(st.st_mode) and st.st_size < 4 << 20:
                    row += (hashlib.sha256(Path(entry.path).read_bytes()).hexdigest(),)
            except OSError:
                continue
            if entry.is_dir(follow_symlinks=False):
                # A directory's own size and times follow from its entries, all of which are compared.
                row = row[:4]
                stack.append(entry.path)
            into[entry.path] = row


# README, "What contains the action": overlay, for the layers themselves, and what the gate's packet program hangs on
# (docs/network-rules.md). For the action itself none is loaded.
MAY_BE_LOADED = ("overlay", "sch_ingress", "cls_bpf")


def modules() -> list[str]:
    if not os.path.exists("/proc/modules"):
        return []
    return sorted(line.split()[0] for line in Path("/proc/modules").read_text().splitlines())


def load_filesystems() -> None:
    """What the tests that run beside mount: a module that they load must not look like the work of the one that compares."""
    for module in ("loop", "xfs", "btrfs", "vfat", "squashfs", "fuse") if shutil.which("modprobe") else ():
        subprocess.run(["modprobe", "-q", module], capture_output=True, check=False)


def snapshot(full: bool = True) -> dict[str, Any]:
    """What a rehearsal must not change on this host."""
    files: dict[str, tuple[Any, ...]] = {}
    for top, content in (("/etc", True), ("/root", True), ("/boot", False)) + ((("/usr", False), ("/var", False), ("/opt", False)) if full else ()):
        _tree(top, content, files)
    sysctls = {}
    for directory, _, names in os.walk("/proc/sys"):
        for name in names:
            path = f"{directory}/{name}"
            if any(n in path for n in NOISY_SYSCTLS):
                continue
            try:
                sysctls[path] = Path(path).read_bytes()
            except OSError:
                continue
    cgroups = {path: is_populated(path) for root in cgroup_roots() for path, _, _ in os.walk(root) if "rehearse" not in path}
    return {
        "files": files,
        # Promotions keep there what they replace: those of other tests come and go meanwhile.
        "root": sorted(name for name in os.listdir("/") if name != ".rehearse"),
        "mounts": [m for m in mount_table() if "/var/tmp" not in m],
        "sysctls": sysctls,
        "cgroups": cgroups,
        "links": sorted(os.listdir("/sys/class/net")),
        "modules": [m for m in modules() if not m.startswith(MAY_BE_LOADED)],
        "hostname": os.uname().nodename,
    }


def is_populated(group: str) -> bool:
    try:
        return Path(f"{group}/cgroup.procs").read_bytes() != b""
    except OSError:
        return False


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    found = []
    for part, old in before.items():
        new = after[part]
        if part == "cgroups":
            # A group that holds processes comes and goes with them: whoever started those did that.
            found += [f"cgroups: gone {x}" for x in old if x not in new and not old[x]]
            found += [f"cgroups: new {x}" for x in new if x not in old and not new[x]]
        elif isinstance(old, dict):
            found += [f"{part}: {k}: {old.get(k)} -> {new.get(k)}" for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]
        elif isinstance(old, (set, list)):
            found += [f"{part}: gone {x}" for x in old if x not in new] + [f"{part}: new {x}" for x in new if x not in old]
        elif old != new:
            found.append(f"{part}: {old} -> {new}")
    return found


class Bystanders:
    """Processes of the host that have nothing to do with any run: they live on, and nothing about them changes. (Of others nobody
    knows whether they end by themselves.)"""

    def __init__(self) -> None:
        self.processes = [subprocess.Popen(["sleep", "infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **who)
                          for who in ({}, {"user": 65534, "group": 65534, "extra_groups": []})]
        wait_for(lambda: all(Path(f"/proc/{p.pid}/comm").read_text() == "sleep\n" for p in self.processes))

    def state(self) -> dict[str, Any]:
        return {f"process {p.pid}": self.of(p.pid) for p in self.processes}

    @staticmethod
    def of(pid: int) -> tuple[Any, ...]:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            # State, parent, group, session, terminal; priority, nice, threads; start; processor's class.
            chosen = [fields[i] for i in (0, 1, 2, 3, 4, 15, 16, 17, 19, 38)]
            files = [Path(f"/proc/{pid}/{name}").read_text() for name in ("cgroup", "oom_score_adj", "limits", "cmdline", "uid_map")]
            status = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(("Uid", "Gid", "Groups", "Cap", "SigP", "ShdP", "SigB", "SigI", "SigC", "Cpus_allowed:", "Seccomp:", "TracerPid"))]
            spaces = [os.readlink(f"/proc/{pid}/ns/{name}") for name in ("mnt", "net", "pid", "user", "uts", "ipc", "cgroup")]
        except OSError as error:
            return (f"gone: {error}",)
        return (*chosen, *files, *status, *spaces)

    def end(self) -> None:
        for process in self.processes:
            kill_and_reap(process)


class HostCase(Case):
    """As Case; the host is compared before the first test of the class and after the last."""

    whole_host = False  # also every object below /usr, /var and /opt: slow

    @classmethod
    def setUpClass(cls) -> None:
        binary()
        load_filesystems()
        cls.bystanders = Bystanders()
        cls.before = snapshot(cls.whole_host) | {"processes": cls.bystanders.state()}

    @classmethod
    def tearDownClass(cls) -> None:
        changed = differences(cls.before, snapshot(cls.whole_host) | {"processes": cls.bystanders.state()})
        cls.bystanders.end()
        if changed:
            raise AssertionError("the host changed:\n" + "\n".join(changed[:50]))


class PrivateMounts:
    """A shell in a mount namespace of its own; what it mounts vanishes with it."""

    @staticmethod
    def run(script: str, env: dict[str, str], timeout: float = 300 * SLOW) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["unshare", "-m", "--propagation", "private", "bash", "-euo", "pipefail", "-c", script], env={**os.environ, **env},
                              capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)


def wait_for(condition: Any, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds * SLOW
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def kill_and_reap(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> int:
    process.send_signal(number)
    return process.wait(timeout=30 * SLOW)


def has_filesystem(kind: str) -> bool:
    """Whether this kernel mounts it, a module being loaded if there is one."""
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "-q", kind], check=False, stderr=subprocess.DEVNULL)
    return kind in Path("/proc/filesystems").read_text(encoding="ascii").split()


def takes_user_attributes(directory: Path) -> bool:
    probe = directory / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.k", b"v")
    except OSError:
        return False
    finally:
        probe.unlink()
    return True


def main() -> NoReturn:
    """Runs the module's tests. 77 when every one was skipped, with the reasons."""
    # A line a test: what reads the output for skips and reasons goes by the name.
    runner = unittest.TextTestRunner(verbosity=2, descriptions=False)
    program = unittest.main(module="__main__", exit=False, testRunner=runner)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.skipped and len(result.skipped) >= max(result.testsRun, 1):
        sys.exit(77)
    sys.exit(0)
