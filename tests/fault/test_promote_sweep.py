"""Kills a promotion, or fails it, at every system call in turn: after recovery the host is exactly as before or exactly as promoted.

REHEARSE_SWEEP=full tries every call; otherwise a few of each name, and every call that changes something on disk.
"""

from __future__ import annotations

import collections
import os
import re
import subprocess
import time
from pathlib import Path

import harness
from promotion import INCOMPLETE, PromoteCase, Tree, differences, main_in_private_mounts

SETUP = r"""
mkdir -p d/sub k/deep away; echo one >f; echo two >d/x; echo three >d/sub/y; echo four >k/deep/z; echo five >k/v; echo six >away/w
ln f hard; ln -s f link; chmod 640 d/x; setfattr -n user.a -v 1 f; touch -d 2001-02-03 f k away
"""
ACTION = r"""
echo more >>f; echo changed >d/x; rm -r k; mv away moved; echo seven >>moved/w; mkdir -p n/m; echo n >n/m/o; rm link; mkdir link; echo in >link/i
chmod 600 d/sub/y; setfattr -n user.b -v 2 d/sub; mkdir -m 700 outer; mv d/sub outer/sub
"""

# At their failure libc or the loader itself gives up, or nothing of the promotion is meant.
LEFT_ALONE = {"execve", "exit_group", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "rt_sigaction", "mmap", "munmap", "mprotect", "getrandom"}
CHANGING = {"renameat2", "rename", "linkat", "mkdirat", "unlinkat", "fsync", "fdatasync", "syncfs", "ftruncate", "write", "pwrite64", "fchownat", "chmod", "utimensat", "setxattr",
            "removexattr", "ioctl", "symlinkat", "mknodat", "unlink"}


class Disk:
    """One filesystem in a file, put back to the same bytes between two tries: inodes, times and all."""

    def __init__(self, case: PromoteCase, name: str) -> None:
        harness.need("mkfs.ext4")
        self.file, self.kept, self.mount = case.base / f"{name}.img", case.base / f"{name}.kept", case.base / name
        self.mount.mkdir()
        subprocess.run(["truncate", "-s", "24M", self.file], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.file], check=True)
        self.loop = subprocess.run(["losetup", "--find", "--show", self.file], check=True, capture_output=True, text=True).stdout.strip()
        case.addCleanup(lambda: (self.unmount(), subprocess.run(["losetup", "-d", self.loop], check=False)))
        self.attach()

    def attach(self) -> None:
        subprocess.run(["mount", self.loop, self.mount], check=True)

    def unmount(self) -> None:
        harness.wait_for(lambda: not os.path.ismount(self.mount) or subprocess.run(["umount", self.mount], capture_output=True, check=False).returncode == 0)

    def keep(self) -> None:
        self.unmount()
        subprocess.run(["cp", "--sparse=always", self.file, self.kept], check=True)
        self.attach()

    def restore(self) -> None:
        self.unmount()
        subprocess.run(["dd", f"if={self.kept}", f"of={self.loop}", "bs=1M", "conv=notrunc", "status=none"], check=True)
        self.attach()


class Sweep(PromoteCase):
    __test__ = False
    apart = False  # the state lies on another filesystem than what is promoted

    def setUp(self) -> None:
        super().setUp()
        harness.need("strace", "losetup")
        self.disks = [Disk(self, "disk")]
        self.state = self.disks[0].mount / "state"
        if self.apart:
            self.disks.append(Disk(self, "other"))
        self.top = self.disks[-1].mount / "tree"
        self.top.mkdir()
        subprocess.run(["sh", "-euc", SETUP], cwd=self.top, check=True)
        self.run_doc = self.try_out(ACTION, "--no-trace", cwd=self.top)
        self.name_ = self.approve(self.run_doc)
        self.old = Tree(self.top)
        for disk in self.disks:
            disk.keep()
        self.calls = self.count_calls()
        self.new = Tree(self.top)
        self.assertNotEqual(differences(self.old, self.new), [])

    def promote_command(self) -> list[str]:
        return self.command("promote", self.name_)

    def count_calls(self) -> collections.Counter[str]:
        trace = self.base / "trace"
        done = subprocess.run(["strace", "-f", "-o", trace, *self.promote_command()], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done)
        calls: collections.Counter[str] = collections.Counter()
        for line in trace.read_text(errors="replace").splitlines():
            if match := re.match(r"\d+ +(\w+)\(", line):
                calls[match[1]] += 1
        return calls

    def chosen(self, only: set[str] | None = None) -> list[tuple[str, int]]:
        full = os.environ.get("REHEARSE_SWEEP") == "full"
        picked = []
        for name, count in sorted(self.calls.items()):
            if name in LEFT_ALONE or (only is not None and name not in only):
                continue
            numbers = list(range(1, count + 1))
            most = int(os.environ.get("REHEARSE_SWEEP_EACH", "5")) if name in CHANGING else 2
            if not full and count > most:
                numbers = sorted({1 + i * (count - 1) // (most - 1) for i in range(most)})
            picked += [(name, n) for n in numbers]
        return picked

    def injected(self, what: str) -> subprocess.CompletedProcess[bytes]:
        for disk in self.disks:
            disk.restore()
        return subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={what}", *self.promote_command()], capture_output=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=120 * harness.SLOW)

    def which(self) -> str:
        now = Tree(self.top)
        # Inodes of the copies differ between two tries; everything else may not.
        if not (old := differences(self.old, now)):
            return "old"
        if not (new := differences(self.new, now)):
            return "new"
        self.fail(f"neither old nor new: against old {old}, against new {new}")

    def test_killed_at_every_call(self) -> None:
        ways: collections.Counter[str] = collections.Counter()
        for name, n in self.chosen():
            with self.subTest(call=name, n=n):
                done = self.injected(f"{name}:signal=SIGKILL:when={n}")
                self.assertIn(done.returncode, (0, -9, 137), done)
                recovered = self.call("recover")
                self.assertEqual(recovered.code, 0, (recovered.out, recovered.err))
                self.assertEqual([note for one in recovered.doc["recovered"] for note in one["notes"]], [], "nobody has done anything meanwhile")
                state = self.which()
                ways[state] += 1
                if state == "old":
                    self.assert_nothing_staged([self.top.parent])
                    if self.apart:
                        self.assertFalse((self.top.parent / ".rehearse").exists())
                self.assertEqual(list((self.state / "promotions").glob("*")), [])
                self.assertEqual(self.call("recover").doc["recovered"], [])
                if n % 5 == 0 and state == "old":  # the approval was not used up
                    again = self.call("promote", self.name_)
                    self.assertEqual(again.code, 0, (again.out, again.err))
                    self.assertEqual(self.which(), "new")
        print(f"killed at {sum(ways.values())} calls: {dict(ways)}")
        self.assertGreater(ways["old"], 0)
        self.assertGreater(ways["new"], 0)

    def test_failed_at_every_call(self) -> None:
        ways: collections.Counter[str] = collections.Counter()
        for name, n in self.chosen(CHANGING):
            error = ("ENOSPC", "EIO", "EROFS")[n % 3]
            with self.subTest(call=name, n=n, error=error):
                done = self.injected(f"{name}:error={error}:when={n}")
                self.assertIn(done.returncode, (0, 1, 14, 16, 17, 65, 69, 73, 75, 77), done)
                if done.returncode == INCOMPLETE or list((self.state / "promotions").glob("*")):
                    recovered = self.call("recover")
                    self.assertEqual(recovered.code, 0, (recovered.out, recovered.err))
                state = self.which()
                ways[state] += 1
                stands = done.returncode == 0 or b"what was done stands" in done.stderr  # only the report of it was lost
                self.assertEqual(state, "new" if stands else "old", done)
                if state == "old":
                    self.assert_nothing_staged([self.top.parent])
        print(f"failed at {sum(ways.values())} calls: {dict(ways)}")


class SameFilesystem(Sweep):
    __test__ = True


class OtherFilesystem(Sweep):
    __test__ = True
    apart = True


def load_tests(loader: object, tests: object, pattern: object) -> object:
    import unittest
    suite = unittest.TestSuite()
    for case in (SameFilesystem, OtherFilesystem):
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    return suite


if __name__ == "__main__":
    main_in_private_mounts()
