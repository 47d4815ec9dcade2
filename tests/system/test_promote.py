"""Promotion: what was rehearsed comes onto the host exactly, or nothing does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import harness
import test_random
from promotion import DATA_ERROR, NOT_APPROVED, STALE, TRY_LATER, Image, PromoteCase, Tree, differences

SETUP = r"""
mkdir -p d/sub k/deep e; echo one >f; echo two >d/x; echo three >d/sub/y; echo four >k/deep/z; echo five >k/v
ln f hard; ln f d/hard; ln -s f link; mkfifo pipe; echo set >e/set; chmod 4755 e/set; chown 1000:1000 d/sub/y; touch -d 2001-02-03 f k
truncate -s 8M sparse; echo end >>sparse; setfattr -n user.a -v 1 f; setfattr -n user.b -v 2 d; mkdir -m 2750 e/s; echo big >e/s/g
"""

# Each is done natively on a copy of the tree and rehearsed and promoted on the tree itself.
ACTIONS = {
    "create": "echo new >n; echo below >d/n",
    "create_directory": "mkdir -p n/m/o; echo 1 >n/1; echo 2 >n/m/2; chmod 700 n/m; ln -s ../f n/l; mkfifo n/p",
    "create_deep": "p=.; for i in $(seq 30); do p=$p/directory$i; mkdir $p; done; echo x >$p/file",
    "modify": "echo more >>d/x; echo changed >d/sub/y",
    "truncate": ": >d/sub/y",
    "delete": "rm d/x link pipe",
    "delete_directory": "rm -r k",
    "delete_everything": "rm -r d k e f hard link pipe sparse",
    "rename_file": "mv d/x d/renamed; mv k/v moved",
    "rename_directory": "mv k kk",
    "rename_into": "mv k d/sub/k",
    "rename_and_change_below": "mv d dd; echo more >>dd/x; rm dd/sub/y; echo new >dd/sub/n",
    "rename_twice": "mv d/sub k/s; mv k d/kk; echo z >>d/kk/deep/z",
    "rename_out_of_deleted": "mv d/sub keep; rm -r d; mv keep d",
    "rename_over": "mv -T d/sub e/s 2>/dev/null; rm -r e/s; mv d/sub e/s; mv f d/x",
    "swap_directories": "mv d t; mv k d; mv t k",
    "move_and_make_again": "mv d dd; mkdir d; echo instead >d/x",
    "rename_into_new": "mkdir n; mv d n/d; mv f n/f; mv k/v n/v",
    "opaque": "rm -r d; mkdir d; echo other >d/x; mkdir d/sub2",
    "file_to_directory": "rm d/x; mkdir d/x; echo in >d/x/in",
    "directory_to_file": "rm -r k; echo file >k",
    "directory_to_link": "rm -r k; ln -s d k",
    "link_to_file": "rm link; echo file >link",
    "fifo_to_file": "rm pipe; echo file >pipe",
    "metadata": "chmod 600 d/x; chown 33:4 d/sub/y; chmod 711 d; chown 1000 k; touch -d 2005-05-05 k/v; touch -d 2006-06-06 e",
    "xattrs": "setfattr -n user.c -v new f; setfattr -x user.b d; setfattr -n user.d -v dir d/sub; setfattr -n user.e -v 5 sparse",
    "acl": "setfacl -m u:1000:rw d/x; setfacl -d -m g:33:rx d/sub; setfacl -m u:33:r k/v; chmod g-w k/v",
    "capability": "setcap cap_net_raw=ep d/sub/y; cp d/sub/y c; setcap cap_chown=ep c",
    "hard_links": "echo more >>f",
    "hard_link_new": "ln d/x d/sub/linked; echo n >n; ln n k/n",
    "hard_link_removed": "rm hard",
    "hard_link_broken": "cp hard h; mv h hard; echo more >>hard",
    "hard_link_removed_and_written": "echo more >>f; rm f",
    "hard_link_metadata": "chmod 640 f; setfattr -n user.z -v 1 hard",
    "hard_links_into_new": "mkdir n; ln f n/f; ln d/x n/x",
    "sparse": "truncate -s 16M new; dd if=/dev/zero of=sparse bs=1 seek=4M count=1 conv=notrunc 2>/dev/null; echo x >>sparse",
    "symlinks": "ln -s /nowhere/at/all a; ln -sfn d link; ln -s $(printf 'x%.0s' $(seq 300)) long",
    "special": "mkfifo -m 640 p2; chown 1000 pipe; python3 -c \"import socket;s=socket.socket(socket.AF_UNIX);s.bind('sock')\"",
    "setuid": "chmod 6755 f; chmod 1777 d; cp d/x s; chmod 4711 s",
    "touch": "touch f d/x; touch -d 1999-01-01 d/sub; :>>k/v",
    "names": r"""python3 -c "
import os
for n in (b'new\nline', b'tab\t', b'-rf', b'\xff\xfe', b'\xe2\x80\xae', b' .. ', b'...', b'q'*255):
    open(b'd/'+n,'wb').write(n); os.mkdir(b'k/'+n)
" """,
}


class Kinds(PromoteCase):
    """One test a kind of change, on the filesystem of the state directory."""

    def build(self, top: Path) -> None:
        subprocess.run(["sh", "-euc", SETUP], cwd=top, check=True)

    def one(self, script: str, top: Path) -> None:
        self.build(top)
        native = self.copy_of(top)
        started = time.time_ns() - 20_000_000
        subprocess.run(["sh", "-c", script], cwd=native, check=True)
        before = Tree(top)
        run = self.try_out(script, cwd=top)
        self.assert_same(before, top)
        done = self.promote(run)
        self.assertEqual(done.doc["result"], "promoted")
        self.assert_same(native, top, recent=started)
        self.assert_no_trace_of_overlay(top)
        after = Tree(top)
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, back.doc["result"]), (0, "rolled back"), (back.out[-3000:], back.err))
        self.assert_same(before, top)
        self.assertEqual(before.numbers, Tree(top).numbers, "the objects themselves are back")
        self.assertEqual(self.call("rollback", run.doc["id"]).doc["result"], "nothing to do")
        self.promote(run)  # and again
        self.assert_same(after, top)
        self.assertEqual([row["result"] for row in self.ledger("SELECT result FROM promotions")], ["done"] * 3)


def add_kinds() -> None:
    for name, script in ACTIONS.items():
        def test(self: Kinds, script: str = script) -> None:
            self.one(script, self.host)
        setattr(Kinds, f"test_{name}", test)


add_kinds()


class Random(PromoteCase):
    """Random operations (random_operations.py) natively and promoted; then back.

    REHEARSE_SEQUENCES sets how many are tried on each filesystem, REHEARSE_SEED the first, REHEARSE_FILESYSTEMS where.
    """

    def test_sequences(self) -> None:
        first = int(os.environ.get("REHEARSE_SEED", "1"))
        count = int(os.environ.get("REHEARSE_SEQUENCES", "6"))
        kinds = os.environ.get("REHEARSE_FILESYSTEMS", "root ext4 xfs btrfs tmpfs").split()
        for kind in kinds:
            image = Image(self, kind) if kind != "root" else None
            top = image.mount / "tree" if image else self.host
            # Without a trace everything on the changed mount is compared, which a busy root never survives.
            options = ["--no-trace"] if image else []
            for seed in range(first, first + count):
                with self.subTest(filesystem=kind, seed=seed):
                    self.one(seed, top, options)

    def one(self, seed: int, top: Path, options: list[str]) -> None:
        subprocess.run(["rm", "-rf", self.base / "native", top], check=True)
        top.mkdir()
        test_random.build(top)
        subprocess.run(["cp", "-a", top, self.base / "native"], check=True)
        before = Tree(top)
        action = ["python3", "-I", str(Path(__file__).with_name("random_operations.py")), str(seed), str(5 + seed % 40)]
        started = time.time_ns() - 20_000_000
        native = subprocess.run(action, cwd=self.base / "native", capture_output=True, check=True)
        run = self.run_in(action, "--cwd", str(top), *options)
        self.assertIn(run.code, harness.RAN, run.err)
        if any(gap["what"].startswith("setuid") for gap in run.doc["fidelity"]["gaps"]):
            return  # a write inside clears the bit, which is reported and not repaired
        self.assert_same(before, top)
        self.promote(run)
        self.assertEqual(differences(Tree(self.base / "native"), Tree(top), recent=started), [], native.stdout.decode())
        back = self.call("rollback", run.doc["id"])
        self.assertEqual(back.code, 0, (back.out[-3000:], back.err, native.stdout))
        self.assertEqual(differences(before, Tree(top)), [], native.stdout.decode())
        self.assertFalse((top.parent / ".rehearse").exists(), "the store is gone with what it kept")


if __name__ == "__main__":
    harness.main()
