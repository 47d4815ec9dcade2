"""Objects directly under `/`: promoted, as if done natively, taken back, promoted again. Only on a host that may be lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import harness
from promotion import Image, PromoteCase, Tree, differences, injected, main_in_private_mounts

MARK = "root-test-"
SETUP = """
echo one >M.file; ln M.file M.hard; echo two >M.gone; mkdir -p M.dir/sub M.away M.removed/deep; echo three >M.dir/sub/x; echo four >M.removed/deep/y; ln -s M.file M.link; chmod 640 M.file
setfattr -n user.a -v 1 M.dir; touch -d 2001-02-03 M.away M.gone
"""
ACTION = """
echo more >>M.file; rm M.gone; rm -r M.removed; mv M.away M.moved; echo five >M.dir/sub/new; mkdir -m 2750 M.made; echo six >M.made/z; chown 12:34 M.dir; rm M.link; ln -s M.made M.link
mkfifo M.fifo; ln M.file M.third; mkdir M.gone; echo seven >M.gone/in
"""


class Root(PromoteCase):
    def setUp(self) -> None:
        if not os.environ.get("REHEARSE_DISPOSABLE_HOST"):
            harness.skip("this host is not known to be disposable (REHEARSE_DISPOSABLE_HOST)")
        super().setUp()
        self.addCleanup(self.clear)
        self.clear()
        self.action = ACTION.replace("M.", MARK)
        subprocess.run(["sh", "-euc", SETUP.replace("M.", MARK)], cwd="/", check=True)
        self.native = self.base / "native"
        self.native.mkdir()
        # A copy with its times: what the action leaves alone has those of the setup.
        subprocess.run(["sh", "-euc", f'cp -a {MARK}* "$1"', "sh", self.native], cwd="/", check=True)
        self.before = self.look()

    def clear(self) -> None:
        """Also what a promotion that failed has left: no run sees it, and tests of the whole root would miss it."""
        subprocess.run(["sh", "-c", f"rm -rf /{MARK}* /.rehearse"], check=True)

    def look(self) -> Tree:
        """What this test has made under `/`, and `/` itself."""
        return Tree("/", {b"/" + name for name in map(os.fsencode, os.listdir("/")) if not name.startswith(MARK.encode())})

    def assert_native(self, started: int) -> None:
        native, promoted = Tree(self.native), self.look()
        native.entries[b""], times = promoted.entries[b""], promoted.entries[b""].mtime
        self.assertGreaterEqual(times, started, "the root's own time has moved, as it does natively")
        self.assertEqual(differences(native, promoted, recent=started), [])

    def test_promoted_and_back_and_again(self) -> None:
        started = time.time_ns() - 20_000_000
        subprocess.run(["sh", "-euc", self.action], cwd=self.native, check=True)
        run = self.try_out(self.action, cwd="/")
        self.assertEqual(differences(self.before, self.look()), [])
        self.promote(run)
        self.assert_native(started)
        self.assertFalse(Path("/.rehearse").exists(), "the upper lies on this filesystem: nothing else is needed")
        back = self.call("rollback", run.doc["id"])
        self.assertEqual(back.code, 0, (back.out[-3000:], back.err))
        self.assertEqual(differences(self.before, self.look()), [])
        self.promote(run)
        self.assert_native(started)

    def test_with_the_state_elsewhere(self) -> None:
        """Then what is new is copied, and what is old kept, in /.rehearse."""
        self.state = Image(self, "ext4", "1G").mount / "state"
        started = time.time_ns() - 20_000_000
        subprocess.run(["sh", "-euc", self.action], cwd=self.native, check=True)
        run = self.try_out(self.action, cwd="/")
        self.promote(run)
        self.assert_native(started)
        self.assertTrue(Path("/.rehearse").is_dir())
        back = self.call("rollback", run.doc["id"])
        self.assertEqual(back.code, 0, (back.out[-3000:], back.err))
        self.assertEqual(differences(self.before, self.look()), [])
        self.assertFalse(Path("/.rehearse").exists())

    def test_killed_half_way(self) -> None:
        harness.need("strace")
        run = self.try_out(self.action, cwd="/")
        name = self.approve(run)
        for number in (2, 5, 9):
            killed = subprocess.run([*injected(f"renameat2:signal=SIGKILL:when={number}"), *self.command("promote", name)],
                                    capture_output=True, check=False, stdin=subprocess.DEVNULL)
            self.assertIn(killed.returncode, (-signal.SIGKILL, 137), killed)
            recovered = self.call("recover")
            self.assertEqual(recovered.code, 0, (recovered.out, recovered.err))
            self.assertEqual(differences(self.before, self.look()), [])


if __name__ == "__main__":
    main_in_private_mounts()
