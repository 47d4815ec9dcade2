"""`rm -rf /`, rehearsed, and a root with little room. Only on a host that may be lost."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess

import harness
from harness import Case, b

# What the running host itself keeps changing.
LIVE = (b"/run", b"/var/log", b"/tmp", b"/var/lib/systemd", b"/var/tmp", b"/opt/rehearse", b"/var/cache")
KERNEL = ("proc", "sysfs", "devtmpfs", "cgroup2", "bpf", "tracefs", "debugfs", "securityfs", "hugetlbfs", "binfmt_misc", "autofs")


def mounts() -> list[tuple[bytes, str]]:
    """Mount points and types."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        return [(os.fsencode(line.split()[4]), line.split(" - ")[1].split()[0]) for line in table]


def is_below(path: bytes, tops: tuple[bytes, ...]) -> bool:
    return any(path == top or path.startswith(top + b"/") for top in tops)


def everything() -> dict[bytes, tuple[object, ...]]:
    """Each object of the host but the kernel's own, with content."""
    found: dict[bytes, tuple[object, ...]] = {}
    stack = [b"/"]
    left_out = (b"/dev", *(at for at, kind in mounts() if kind in KERNEL))
    while stack:
        with os.scandir(stack.pop()) as listing:
            entries = list(listing)
        for entry in entries:
            if is_below(entry.path, left_out):
                continue
            try:
                st = entry.stat(follow_symlinks=False)
                row: tuple[object, ...] = (st.st_mode, st.st_uid, st.st_gid, st.st_ino, st.st_nlink)
                if stat.S_ISREG(st.st_mode):
                    with open(entry.path, "rb") as file:
                        row += (st.st_size, st.st_mtime_ns, hashlib.sha256(file.read()).digest() if not is_below(entry.path, LIVE) else b"")
                elif stat.S_ISLNK(st.st_mode):
                    row += (os.readlink(entry.path),)
                elif stat.S_ISDIR(st.st_mode):
                    stack.append(entry.path)
            except FileNotFoundError:
                continue
            found[entry.path] = row
    return found


def ancestors(path: bytes) -> list[bytes]:
    found = []
    while path not in (b"/", b""):
        found.append(path)
        path = os.path.dirname(path)
    return found


class WholeRoot(Case):
    def setUp(self) -> None:
        if not os.environ.get("REHEARSE_DISPOSABLE_HOST"):
            harness.skip("this host is not known to be disposable (REHEARSE_DISPOSABLE_HOST)")
        super().setUp()

    def test_everything_is_removed_inside_and_nothing_outside(self) -> None:
        before = everything()
        result = self.run_in(["rm", "-rf", "--no-preserve-root", "/"])
        self.assertIn(result.code, harness.RAN, result.err[-2000:])
        after = everything()
        changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path) and not is_below(path, LIVE)]
        self.assertEqual(changed, [])
        # As on a bare host: mount points are busy, so rm fails.
        self.assertEqual(result.doc["command"]["exit"], 1)
        self.assertIsNone(result.doc["command"]["error"])
        busy = {path for at in [*(at for at, _ in mounts()), b(self.state)] for path in ancestors(at)}
        deleted = {path for path, entry in result.changes.items() if entry["change"] == "deleted"}
        # Not counted: the mount points' parents, rehearse's state, and what came or went while the action ran.
        expected = {path for path in before.keys() & after.keys() if path not in busy and not is_below(path, (b(self.state), b"/opt/rehearse", b"/run"))}
        missing = expected - deleted
        self.assertEqual(sorted(missing)[:20], [], f"{len(missing)} of {len(expected)} deleted paths are not in the document")
        self.assertEqual(result.doc["counts"]["deleted"], len(deleted))
        invented = {path for path in deleted if path not in before and not is_below(path, LIVE)}
        self.assertEqual(sorted(invented)[:20], [])
        print(f"{len(deleted)} deleted paths in the document")
        # The host still works.
        self.assertEqual(subprocess.run(["sh", "-c", "ls / | grep -c usr"], capture_output=True, check=False).stdout, b"1\n")


class NearlyFullRoot(Case):
    """State, host and action share a disk on which little is free."""

    def setUp(self) -> None:
        if not os.environ.get("REHEARSE_OWN_DISK"):
            harness.skip("the root is not known to be a disk of this host's own (REHEARSE_OWN_DISK)")
        super().setUp()
        self.assertEqual(os.stat("/").st_dev, os.stat(self.base).st_dev)
        disk = os.statvfs("/")
        self.reserve = min(disk.f_blocks * disk.f_frsize // 20, 1 << 30)

    def free(self) -> int:
        disk = os.statvfs("/")
        return disk.f_bavail * disk.f_frsize

    def leave(self, wanted: int) -> None:
        with open(self.base / "fill", "ab") as fill:
            os.posix_fallocate(fill.fileno(), fill.tell(), self.free() - wanted)
        self.assertLess(abs(self.free() - wanted), 16 << 20)

    def test_little_room(self) -> None:
        self.shell("true")
        self.leave(self.reserve + (60 << 20))
        result = self.shell(f"dd if=/dev/zero of={self.host}/big bs=1M count=2000; sleep 60", expect=None)
        self.assertIn("space", str(result.doc["verdict"]["findings"]))
        self.assertLess(result.doc["command"]["written_bytes"], 2000 << 20)
        self.assertGreater(self.free(), self.reserve // 4)
        self.assertFalse((self.host / "big").exists())
        self.assertEqual(self.call("gc", "--all").code, 0)
        kept = os.listdir(self.state / "runs")

        self.leave(self.reserve // 2)
        refused = self.call("run", "--", "touch", f"{self.host}/ran", json_out=False)
        self.assertEqual(refused.code, harness.CANT_CREATE, refused.err)
        lines = refused.err.decode().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("free", lines[0])
        self.assertEqual(os.listdir(self.state / "runs"), kept)
        self.assertFalse((self.host / "ran").exists())

        (self.base / "fill").unlink()
        self.change(self.shell(f"touch {self.host}/ran"), self.host / "ran", "created")


if __name__ == "__main__":
    harness.main()
