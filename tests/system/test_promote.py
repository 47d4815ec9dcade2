"""Promotion: what was rehearsed comes onto the host exactly, or nothing does."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import fcntl
import hashlib
import itertools
import os
import random
import shlex
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable

import harness
import test_random
from harness import Result
from promotion import DATA_ERROR, LET_INCONCLUSIVE_PASS, NOT_APPROVED, ROLLED_BACK, STALE, TRY_LATER, Image, PromoteCase, Tree, as_done, differences, injected, main_in_private_mounts

SETUP = r"""
mkdir -p d/sub k/deep e; echo one >f; echo two >d/x; echo three >d/sub/y; echo four >k/deep/z; echo five >k/v
ln f hard; ln f d/hard; ln -s f link; mkfifo pipe; echo set >e/set; chmod 4755 e/set; chown 1000:1000 d/sub/y; touch -d 2001-02-03 f k
truncate -s 8M sparse; echo end >>sparse; setfattr -n user.a -v 1 f; setfattr -n user.b -v 2 d; mkdir -m 2750 e/s; echo big >e/s/g
cp -a f twin
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
    "moved_made_again_and_put_back": "mv d dd; mkdir d; mv dd/sub d/sub",
    "file_put_back_into_the_new": "mv d dd; mkdir d; mv dd/x d/x",
    "put_back_and_changed": "mv d dd; mkdir d; mv dd/sub d/sub; echo more >>d/sub/y; mv dd/x d/x; echo z >>d/x; echo n >d/sub/n",
    "put_back_deep_below": "mv k kk; mkdir -p k/deep; rmdir k/deep; mv kk/deep k/deep; mv kk k/old",
    "replaced_in_a_moved_directory": "mv d dd; rm -r dd/sub; mkdir dd/sub; echo again >dd/sub/again; rm dd/x; mkdir dd/x; echo in >dd/x/in",
    "replaced_in_a_moved_directory_by_one_from_elsewhere": "mv d dd; rm dd/x; mv e dd/x; rm dd/sub/y; mv k/deep dd/sub/y",
    "read_under_a_given_name": "mv d k/d2; cat k/d2/sub/y k/d2/x >r; mv k kk; cat kk/v >>r",
    "rename_into_new": "mkdir n; mv d n/d; mv f n/f; mv k/v n/v",
    "opaque": "rm -r d; mkdir d; echo other >d/x; mkdir d/sub2",
    "opaque_with_the_same_directories": "rm -r d k; mkdir -p d/sub k/deep; echo other >d/sub/n; mkdir k/deep/d2",
    "opaque_below_opaque": "rm -r d; mkdir -p d/sub; mv k d/sub/k; rm -r d/sub/k/deep; mkdir d/sub/k/deep; echo in >d/sub/k/deep/in",
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
    "hard_link_broken_alike": "cp -p hard h; mv h hard",
    "hard_link_joined_alike": "ln -f twin f",
    "hard_link_removed_and_written": "echo more >>f; rm f",
    "hard_link_metadata": "chmod 640 f; setfattr -n user.z -v 1 hard",
    "hard_links_into_new": "mkdir n; ln f n/f; ln d/x n/x",
    "sparse": "truncate -s 16M new; dd if=/dev/zero of=sparse bs=1 seek=4M count=1 conv=notrunc 2>/dev/null; echo x >>sparse",
    "symlinks": "ln -s /nowhere/at/all a; ln -sfn d link; ln -s $(printf 'x%.0s' $(seq 300)) long",
    "special": "mkfifo -m 640 p2; chown 1000 pipe; python3 -c \"import socket;s=socket.socket(socket.AF_UNIX);s.bind('sock')\"",
    "setuid": "chmod 6755 f; chmod 1777 d; cp d/x s; chmod 4711 s",
    "touch": "touch f d/x; touch -d 1999-01-01 d/sub; :>>k/v",
    "times_put_back": "echo n >k/n; touch -d 2001-02-03 k; touch -r d/sub t; rm d/sub/y; mkdir d/sub/z; touch -r t d/sub; touch -r k/deep t; mv k/deep/z k/deep/zz; touch -r t k/deep; rm t",
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
        self.assert_undo_was_tried(run)
        self.promote(run)  # and again
        self.assert_same(after, top)
        self.assertEqual([row["result"] for row in self.ledger("SELECT result FROM promotions")], ["done"] * 3)

    def assert_undo_was_tried(self, run: harness.Result) -> None:
        """Approving it has tried its rollback on a stand-in."""
        trial = self.call("show", run.doc["id"]).doc["rollback"]
        self.assertEqual((trial["verified"], trial["why"], trial["irreversible"]), (True, "", []))


def add_kinds() -> None:
    for name, script in ACTIONS.items():
        def test(self: Kinds, script: str = script) -> None:
            self.one(script, self.host)
        setattr(Kinds, f"test_{name}", test)


add_kinds()


class Decisions(PromoteCase):
    def run_once(self) -> harness.Result:
        (self.host / "f").write_text("old\n")
        return self.try_out("echo new >>f")

    def test_without_a_decision(self) -> None:
        run = self.run_once()
        result = self.call("promote", self.name(run))
        self.assertEqual(result.code, NOT_APPROVED, result.err)
        self.assertEqual((self.host / "f").read_text(), "old\n")
        dry = self.call("promote", self.name(run), "--dry-run")
        self.assertEqual((dry.code, bool(dry.doc["operations"])), (0, True))
        self.assertIn("it would not be promoted now: ", "\n".join(dry.doc["notes"]))
        self.assertEqual((self.host / "f").read_text(), "old\n")
        self.approve(run)
        self.assertEqual(self.call("promote", self.name(run), "--dry-run").doc["notes"], [])
        with open(f"{self.state}/runs/{run.doc['id']}/trace", "r+b") as trace:
            trace.seek(-1, os.SEEK_END)
            last = trace.read(1)[0]
            trace.seek(-1, os.SEEK_END)
            trace.write(bytes([last ^ 1]))
        self.assertEqual(self.call("promote", self.name(run), "--dry-run").code, DATA_ERROR)

    def test_an_output_that_takes_nothing(self) -> None:
        """What was done is done, and whoever reads the code is told that there is no report of it."""
        for verb in ("promote", "rollback"):
            with self.subTest(verb=verb), open("/dev/full", "wb") as full:
                run = self.run_once() if verb == "promote" else run
                argv = [self.rehearse, "--state", self.state, verb, "--json", self.approve(run) if verb == "promote" else run.doc["id"]]
                done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
                self.assertEqual((done.returncode, f"what was done stands, see: rehearse --state {self.state} show {run.doc['id']}".encode() in done.stderr), (1, True), done.stderr)
                self.assertEqual((self.host / "f").read_text(), "old\nnew\n" if verb == "promote" else "old\n")

    def test_a_limit_on_the_size_of_files(self) -> None:
        run = self.run_once()
        argv = shlex.join([str(self.rehearse), "--state", str(self.state), "promote", "--json", self.approve(run)])
        done = subprocess.run(["sh", "-c", f"ulimit -S -f 0; {argv} | cat"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
        self.assertIn(b'"result":"promoted"', done.stdout, done.stderr)

    def test_only_a_person_at_a_terminal_decides(self) -> None:
        run = self.run_once()
        self.assertEqual(self.call("approve", self.name(run), "--reason", "x").code, harness.NO_PERMISSION)
        for words in (("--reason", " "), ("--reason", "x", "--expires", "0")):
            self.assertEqual(self.at_terminal("approve", self.name(run), *words)[0], harness.USAGE, words)
        self.assertEqual(self.call("promote", self.name(run)).code, NOT_APPROVED)

    def test_rejected_expired_used(self) -> None:
        run = self.run_once()
        self.approve(run)
        self.assertEqual(self.at_terminal("reject", self.name(run), "--reason", "no")[0], 0)
        self.assertEqual(self.call("promote", self.name(run)).code, NOT_APPROVED)
        self.assertEqual(self.at_terminal("approve", self.name(run), "--reason", "yes", "--expires", "1ms")[0], 0)
        time.sleep(0.05)
        self.assertEqual(self.call("promote", self.name(run)).code, NOT_APPROVED)
        self.promote(run)
        self.assertEqual(self.call("promote", self.name(run)).code, NOT_APPROVED)
        rows = self.ledger("SELECT d.*, (SELECT promotion FROM decision_uses u WHERE u.decision = d.id) AS used_by FROM decisions d ORDER BY id")
        self.assertEqual([(row["verb"], row["used_by"]) for row in rows],
                         [("approved", None), ("rejected", None), ("approved", None), ("approved", f"{run.doc['id']}/1")])
        self.assertEqual(rows[0]["reason"], "a test")
        self.assertTrue(rows[0]["tty"].startswith("/dev/pts/"))

    def test_a_full_disk_uses_no_approval_up(self) -> None:
        """Wherever the space ends: with room again the approval is there, and the ledger speaks of one promotion."""
        image = Image(self, "tmpfs", "24M")
        for i in range(800):
            (self.host / f"f{i}").write_text("old\n")
        self.state = image.mount / "state"
        run = self.try_out("for f in f*; do echo new >>$f; done")
        name = self.approve(run)
        filler, refused = image.mount / "filler", collections.Counter()
        for left in range(20, 420, 20):
            with open(filler, "wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 65536)
                    file.flush()
            os.truncate(filler, filler.stat().st_size - (left << 10))
            result = self.call("promote", name)
            refused[result.code] += 1
            os.unlink(filler)
            if result.code == 0:
                break
            self.assertEqual((self.host / "f0").read_text(), "old\n", result.err)
            self.assertEqual(self.call("recover").code, 0)
            uses = self.ledger("SELECT verb FROM decision_uses ORDER BY id")
            self.assertEqual([row["verb"] for row in uses], ["used", "released"] * (len(uses) // 2), (left, result.err))
        self.assertGreater(refused[73], 0, refused)
        if not refused[0]:
            self.assertEqual(self.call("promote", name).code, 0)
        self.assertEqual((self.host / "f799").read_text(), "old\nnew\n")
        print(dict(refused))

    def test_names(self) -> None:
        run = self.run_once()
        for name, code in ((run.doc["id"], 64), (f"{run.doc['id']}@abc", 64), (f"{run.doc['id']}@{'0' * 64}", NOT_APPROVED), ("nothing@" + "0" * 64, 64)):
            result = self.call("promote", name)
            self.assertEqual(result.code, code, (name, result.err))
            self.assertEqual(result.err.count(b"\n"), 1)
        self.approve(run)
        self.assertEqual(self.call("promote", f"{run.doc['id']}@{run.doc['digest'].removeprefix('sha256:')[:12]}").code, 0)

    def test_a_changed_bundle_is_refused(self) -> None:
        """One bit in any file that a promotion reads."""
        (self.host / "big").write_bytes(b"b" * 20_000_000)
        (self.host / "d").mkdir()
        run = self.try_out("echo new >f; echo x >>big; mkdir n; echo in >n/in; chmod 700 d; ln -s f l")
        name = self.approve(run)
        bundle = self.state / "runs" / run.doc["id"]
        upper = next(bundle.glob("uppers/*/upper" + str(self.host)))
        before = Tree(self.host)
        files = [bundle / "run.json", bundle / "manifest", bundle / "reads", bundle / "policy.json", bundle / "trace", upper / "f", upper / "big", upper / "n/in"]
        for file in files:
            size = file.stat().st_size
            for at in sorted({0, size // 3, size // 2, size - 1}):
                with self.subTest(file=file.name, at=at):
                    st = file.stat()
                    self.flip(file, at)
                    result = self.call("promote", name)
                    self.assertIn(result.code, (DATA_ERROR, NOT_APPROVED), (result.out, result.err))
                    self.assert_same(before, self.host)
                    self.flip(file, at)
                    os.utime(file, ns=(st.st_atime_ns, st.st_mtime_ns))
        for script in ("chmod 4755 f", "chown 1 f", "setfattr -n user.x -v 1 f", "touch f", "echo planted >n/planted", "rm n/in", "ln -sfn /etc l", "mkdir f2; mv f f2", "setfattr -n trusted.overlay.redirect -v /etc n"):
            with self.subTest(script=script):
                subprocess.run(["cp", "-a", upper, self.base / "kept"], check=True)
                subprocess.run(["sh", "-ec", script], cwd=upper, check=True)
                result = self.call("promote", name)
                if "trusted" in script:  # overlayfs's own attributes are never taken over
                    self.assertEqual(result.code, 0, result.err)
                    self.assert_no_trace_of_overlay(self.host)
                    break
                self.assertEqual(result.code, DATA_ERROR, (result.out, result.err))
                self.assert_same(before, self.host)
                subprocess.run(["sh", "-ec", "rm -rf $1; cp -a $2 $1; rm -rf $2", "sh", upper, self.base / "kept"], check=True)

    @staticmethod
    def flip(file: Path, at: int) -> None:
        with open(file, "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1]))


def await_process(words: bytes) -> None:
    """Until a process runs these words, each ended by a NUL."""
    for _ in range(3000):
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if process.read_bytes() == words:
                    return
        time.sleep(0.02)
    raise AssertionError(f"{words!r} never ran")


class Stale(PromoteCase):
    """Each fact that moves is named, and nothing changes."""

    def setUp(self) -> None:
        super().setUp()
        subprocess.run(["sh", "-euc", "mkdir d k empty; echo one >f; echo two >d/x; echo three >d/y; echo tool >t; echo 1 >k/x; echo 2 >k/y"], cwd=self.host, check=True)

    def moves(self, action: str, on_host: str, path: str, *options: str, before: str = "") -> harness.Result:
        run = self.try_out(action)
        name = self.approve(run)
        subprocess.run(["sh", "-euc", on_host], cwd=self.host, check=True)
        host = Tree(self.host)
        result = self.call("promote", name, *options)
        self.assertEqual(result.code, STALE, (result.out[-2000:], result.err))
        self.assertIn(str(self.host / path), [moved["path"] for moved in result.doc["moved"]])
        for moved in result.doc["moved"]:
            self.assertTrue(moved["then"] and moved["now"] and moved["use"], moved)
        self.assert_same(host, self.host)
        self.assertEqual(self.call("recover").doc["recovered"], [])
        self.last = name
        return result

    def test_edited(self) -> None:
        result = self.moves("echo more >>f", "echo edit >>f", "f")
        moved = next(m for m in result.doc["moved"] if m["path"].endswith("/f"))
        self.assertIn("sha256:", moved["then"])
        self.assertIn("sha256:", moved["now"])
        again = self.call("promote", self.last, "--accept", str(self.host / "f"))
        self.assertEqual((again.code, again.doc["accepted"][0]), (0, str(self.host / "f")), again.err)
        self.assertEqual((self.host / "f").read_text(), "one\nmore\n")
        self.assertEqual(self.call("rollback", "last").code, 0)
        self.assertEqual((self.host / "f").read_text(), "one\nedit\n")

    def test_only_read(self) -> None:
        self.moves("cat f >g; echo 'x  y'", "echo edit >>f", "f")
        self.assertFalse((self.host / "g").exists())
        said = self.call("promote", self.last, json_out=False).out
        again = next(line for line in said.splitlines() if line.startswith(b"again  rehearse ")).split(None, 2)[2].decode()
        done = subprocess.run([self.rehearse, *shlex.split(again)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode in harness.RAN, b"x  y" in done.stdout), (True, True), (done.stdout, done.stderr))

    def test_replaced_with_the_same(self) -> None:
        run = self.try_out("echo more >>f")
        subprocess.run(["sh", "-euc", "cp -p f n; mv n f"], cwd=self.host, check=True)
        self.promote(run, "--accept", str(self.host))  # as a fact that was read it has moved; as one written over it has not
        self.assertEqual((self.host / "f").read_text(), "one\nmore\n")

    def test_metadata(self) -> None:
        self.moves("echo more >>f", "chmod 600 f", "f")

    def test_removed(self) -> None:
        self.moves("echo more >>f", "rm f", "f")

    def test_appeared(self) -> None:
        self.moves("echo new >n", "echo theirs >n", "n")
        self.assertEqual((self.host / "n").read_text(), "theirs\n")

    def test_looked_for_in_vain(self) -> None:
        self.moves("test -e config || echo default >n", "echo x >config", "config")

    def test_listed(self) -> None:
        self.moves("ls d >n", "echo new >d/new", "d")

    def test_executed(self) -> None:
        (self.host / "tool").write_text("#!/bin/sh\necho result\n")
        (self.host / "tool").chmod(0o755)
        self.moves("./tool >n", "echo '#' >>tool", "tool")

    def test_a_symlink_that_was_followed(self) -> None:
        """To read, to write, to execute, to make something below: it leads elsewhere now."""
        for action in ("cat current/x >n", "echo more >>current/x", "current/tool >n", "mkdir current/n", "chmod 600 current/x", "cat again/x >n", "cd current; cat x >../n"):
            with self.subTest(action):
                subprocess.run(["sh", "-euc", "rm -rf r1 r2 n current again; mkdir r1 r2; for r in r1 r2; do echo $r >$r/x; printf '#!/bin/sh\necho %s\n' $r >$r/tool; chmod 755 $r/tool; done; "
                                              "ln -s r1 current; ln -s current again"], cwd=self.host, check=True)
                self.moves(action, "ln -sfn r2 current", "current")

    def test_a_symlink_that_leads_to_where_it_led(self) -> None:
        os.symlink("d", self.host / "current")
        run = self.try_out("cat current/x >n; echo more >>current/y; ln -s current own; cat own/x >>n; rm own")
        self.promote(run)
        self.assertEqual((self.host / "n").read_text() + (self.host / "d/y").read_text(), "two\ntwo\nthree\nmore\n")

    def test_entry_of_a_deleted_directory(self) -> None:
        self.moves("rm -r k", "echo new >k/new", "k/new", "--accept", str(self.host / "k"))

    def test_deleted_directory_is_gone(self) -> None:
        self.moves("rm k/x; echo more >>k/y", "rm -r k", "k/y")
        self.assert_no_trace_of_overlay(self.host)

    def test_renamed_directory_was_changed(self) -> None:
        self.moves("mv d moved", "echo new >d/new", "d")

    def test_target_of_a_rename_appeared(self) -> None:
        self.moves("mv d moved", "mkdir moved", "moved")

    def test_parent_became_a_symlink(self) -> None:
        (self.base / "elsewhere").mkdir()
        subprocess.run(["cp", "-a", self.host / "d/x", self.base / "elsewhere"], check=True)
        self.moves("echo more >>d/x", f"mv d old; ln -s {self.base}/elsewhere d", "d/x")
        self.assertEqual((self.base / "elsewhere/x").read_text(), "two\n")

    def test_parent_became_a_symlink_below_new_files(self) -> None:
        (self.base / "elsewhere").mkdir()
        self.moves("echo new >empty/n", f"rmdir empty; ln -s {self.base}/elsewhere empty", "empty/n")
        self.assertEqual(list((self.base / "elsewhere").iterdir()), [])

    def test_type(self) -> None:
        self.moves("chmod 700 empty", "rmdir empty; echo file >empty", "empty")

    def test_without_a_trace_the_whole_mount_counts(self) -> None:
        image = Image(self, "ext4")
        (image.mount / "f").write_text("f")
        (image.mount / "other").write_text("other")
        run = self.try_out("echo more >>f", "--no-trace", cwd=image.mount)
        name = self.approve(run)
        (image.mount / "other").write_text("changed")
        result = self.call("promote", name)
        self.assertEqual((result.code, [m["path"] for m in result.doc["moved"]]), (STALE, [str(image.mount / "other")]))
        self.assertEqual(self.call("promote", name, "--accept", str(image.mount / "other")).code, 0)

    def test_without_a_trace_directories_count_too(self) -> None:
        for number, (edit, path) in enumerate((("rm -r q", ""), ("rm q/x", "q"), ("mkdir new", "new"), ("chmod 700 q", "q"), ("echo >d/new", "d"), ("rmdir d/e", "d"))):
            with self.subTest(edit=edit):
                image = Image(self, ("ext4", "tmpfs")[number % 2], name=f"image{number}")
                top = image.mount
                subprocess.run(["sh", "-euc", "echo f >f; mkdir q d d/e; echo x >q/x"], cwd=top, check=True)
                name = self.approve(self.try_out("echo more >>f; chmod 700 d", "--no-trace", cwd=top))
                time.sleep(0.02)
                subprocess.run(["sh", "-euc", edit], cwd=top, check=True)
                result = self.call("promote", name)
                self.assertEqual(result.code, STALE, result.out)
                self.assertIn(str(top / path), [m["path"] for m in result.doc["moved"]])
                self.assertEqual(self.call("promote", name, "--accept", str(top)).code, 0)

    def test_what_its_own_promotion_has_moved(self) -> None:
        """In parts, back, and again: the run's own doings are no reason against the rest, somebody else's are."""
        for trace in ([], ["--no-trace"]):
            with self.subTest(trace=trace):
                image = Image(self, "ext4", name="traced" if not trace else "untraced")
                top = image.mount / "top"
                subprocess.run(["sh", "-euc", f"mkdir {top}; cd {top}; mkdir a b; echo 1 >a/x; echo 1 >a/gone; echo 1 >b/y; ln a/x a/x2; ln -s ../b/y a/to-y; ln -s a dir; ln -s ../a/gone b/to-gone"], check=True)
                before = Tree(top)
                run = self.try_out("ls . a b >/dev/null; cat a/x a/gone b/y >/dev/null; test -s a/to-y; test -s dir/gone; test -s b/to-gone; test ! -e a/new; echo 2 >a/new; rm a/gone; mv a/x2 a/x3; chmod 700 a; echo 2 >b/y; echo 2 >b/n", *trace, cwd=top)
                self.promote(run, "--only", str(top / "a"))
                self.promote(run, "--except", str(top / "a"))
                promoted = Tree(top)
                for _ in range(2):
                    self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
                self.assert_same(before, top)
                self.promote(run)
                self.assertEqual(differences(promoted, Tree(top), times=False), [])
                self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
                self.promote(run, "--only", str(top / "a"))
                time.sleep(0.02)
                (top / "a/theirs").touch()
                result = self.call("promote", self.approve(run), "--except", str(top / "a"))
                self.assertEqual((result.code, {m["path"] for m in result.doc["moved"]} - {str(top / "a/theirs")}), (STALE, {str(top / "a")}), result.out)

    def test_images_that_are_mostly_hole(self) -> None:
        """Their digest costs what is in them, does not depend on how zeros are stored, and is enough to promote by."""
        self.assertEqual(subprocess.run(["truncate", "-s", "64G", str(self.host / "old.img")], check=False).returncode, 0)
        subprocess.run(["sh", "-euc", "echo boot | dd of=old.img bs=1 seek=20G conv=notrunc status=none"], cwd=self.host, check=True)
        run = self.try_out("truncate -s 100G new.img; echo boot | dd of=new.img bs=1 seek=40G conv=notrunc status=none; dd if=/dev/zero of=old.img bs=1M seek=21000 count=3 conv=notrunc status=none; rm f")
        after = {c["path"]: c for c in run.doc["changes"]}
        old = after[str(self.host / "old.img")]
        self.assertEqual((old["change"], old["also"], run.doc["verdict"]["level"] == "inconclusive"), ("metadata", ["blocks"], False), run.doc["verdict"])
        done = self.promote(run)
        self.assertEqual([left["path"] for left in done.doc["left_out"]], [old["path"]])  # of that change only the times are
        self.assertLess((self.host / "old.img").stat().st_blocks, 100)
        digest = after[str(self.host / "new.img")]["after"]["sparse_sha256"]
        block = b"boot\n".ljust(4096, b"\0")
        self.assertEqual(hashlib.sha256(b"rehearse.sparse/1\n" + (100 << 30).to_bytes(8, "little") + ((40 << 30) // 4096).to_bytes(8, "little") + block).hexdigest(), digest)
        new = self.host / "new.img"
        with new.open("rb") as file:
            file.seek(40 << 30)
            self.assertEqual((new.stat().st_size, file.read(5), new.stat().st_blocks < 100), (100 << 30, b"boot\n", True))
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assertFalse(new.exists())
        self.promote(run)
        with new.open("r+b") as file:
            file.seek(50 << 30)
            file.write(b"edit")
        self.assertEqual(self.call("rollback", run.doc["id"]).code, STALE)

    def test_accepted_though_it_is_gone(self) -> None:
        for script, left in (("rm f", []), ("rm -r d", []), ("echo new >>f", ["f"]), ("rm d/x; echo new >f", ["d", "f"])):
            with self.subTest(script=script):
                subprocess.run(["sh", "-euc", "rm -rf ./*; mkdir d; echo one >f; echo two >d/x"], cwd=self.host, check=True)
                name = self.approve(self.try_out(script))
                subprocess.run(["sh", "-euc", "rm -rf f d/x; " + ("rmdir d" if "-r" in script else "true")], cwd=self.host, check=True)
                self.assertEqual(self.call("promote", name).code, STALE)
                done = self.call("promote", name, "--accept", str(self.host))
                self.assertEqual((done.code, [n for n in left if not (self.host / n).exists()]), (0, []), done.out)
                self.assertFalse((self.host / "d/x").exists() or (not left and (self.host / "f").exists()))
                gone = Tree(self.host)
                self.assertIn(self.call("rollback", name.split("@")[0]).code, (0, harness.USAGE))
                if left:
                    self.assertFalse((self.host / "f").exists(), gone.entries)

    def test_accepted_in_the_place_of_something_new(self) -> None:
        """What somebody had made there meanwhile is back after the rollback of the whole run."""
        image = Image(self, "xfs", "512M", "appeared")
        for host in (self.host, image.mount):
            for number, theirs in enumerate(("echo theirs >b/n", "ln -s nowhere b/n", "mkdir b/n; echo in >b/n/in; touch -d 2002-02-02 b/n", "mkfifo b/n")):
                for ours in ("echo new >n", "mkdir n; echo new >n/new"):
                    with self.subTest(theirs=theirs, ours=ours, host=host):
                        place = host / f"{number}{len(ours)}"
                        (place / "d").mkdir(parents=True)
                        (place / "f").write_text("old\n")
                        name = self.approve(self.try_out(f"mv d b; cd b; {ours}; echo more >>../f", cwd=place))
                        subprocess.run(["sh", "-euc", theirs.replace("b/", "d/")], cwd=place, check=True)
                        before = Tree(place)
                        done = self.call("promote", name, "--accept", str(place))
                        self.assertEqual(done.code, 0, (done.out, done.err))
                        self.assertEqual(self.call("rollback", name.split("@", maxsplit=1)[0], "--dry-run").code, 0)
                        back = self.call("rollback", name.split("@", maxsplit=1)[0])
                        self.assertEqual(back.code, 0, (back.out, back.err))
                        self.assert_same(before, place)

    def test_what_no_option_lets_pass(self) -> None:
        result = self.moves("rm -r d", "echo theirs >d/new", "d/new")
        self.assertEqual([m["acceptable"] for m in result.doc["moved"] if m["path"].endswith("/d/new")], [False])
        self.assertIn("rehearse again: what is at", result.doc["fix"])
        self.assertEqual(self.call("promote", self.last, "--accept", str(self.host)).code, STALE)

    def test_says_what_moved(self) -> None:
        """Not only that something did; and a path that was named for nothing is told."""
        (self.host / "f").write_text("old\n")
        (self.host / "g").write_text("old\n")
        for edit, words in (("chmod 600 f", "mode 0644 -> 0600"), ("chown 33:4 f", "owner 0 -> 33, group 0 -> 4"), ("setfattr -n user.x -v 1 f", "user.x added"), ("echo more >>f", "size 4 -> 9")):
            with self.subTest(edit=edit):
                subprocess.run(["sh", "-euc", "rm -f f; echo old >f; chmod 644 f"], cwd=self.host, check=True)
                run = self.try_out("cat f >h; chmod 640 f; echo new >g")
                name = self.approve(run)
                subprocess.run(["sh", "-euc", edit], cwd=self.host, check=True)
                result = self.call("promote", name)
                moved, = [m for m in result.doc["moved"]]  # once, though it was read and written
                self.assertEqual((result.code, words in moved["now"]), (STALE, True), moved)
        subprocess.run(["sh", "-euc", "rm -f f; echo old >f"], cwd=self.host, check=True)
        done = self.promote(self.try_out("chmod 640 f"), "--accept", str(self.host / "nothing"))
        self.assertIn(f"--accept {self.host}/nothing was not needed: nothing there has moved", done.doc["notes"])

    def test_a_time_that_the_run_did_not_set_stays(self) -> None:
        (self.host / "f").write_text("old\n")
        run = self.try_out("chmod 640 f")
        name = self.approve(run)
        os.utime(self.host / "f", (1_000_000_000, 1_000_000_000))
        self.assertEqual(self.call("promote", name).code, 0)
        st = (self.host / "f").stat()
        self.assertEqual((st.st_mode & 0o777, st.st_mtime), (0o640, 1_000_000_000))
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        st = (self.host / "f").stat()
        self.assertEqual((st.st_mode & 0o777, st.st_mtime), (0o644, 1_000_000_000))

    def test_what_is_in_effect_is_not_called_stale(self) -> None:
        (self.host / "f").write_text("old\n")
        run = self.try_out("echo n >n; echo new >>f")
        self.promote(run)
        again = self.call("promote", self.approve(run))
        self.assertEqual((again.code, b"an earlier promotion of the run is in effect" in again.err, f"rollback {run.doc['id']}".encode() in again.err), (TRY_LATER, True, True), (again.out, again.err))

    def test_what_was_let_go_is_named(self) -> None:
        run = self.try_out("mkdir n; echo n >n/n")
        name = self.approve(run)
        subprocess.run(["sh", "-euc", "mkdir n; echo precious >n/keep"], cwd=self.host, check=True)
        done = self.call("promote", name, "--accept", str(self.host / "n"))
        note = next(note for note in done.doc["notes"] if note.startswith(f"{self.host}/n: what was there since the rehearsal is kept as "))
        self.assertEqual((Path(note.split(" is kept as ")[1].removesuffix(" for a rollback")) / "keep").read_text(), "precious\n")
        self.assertIn(run.doc["id"], [r["id"] for r in self.call("gc", "--all", "--force", "--dry-run").doc["removed"]])
        self.assertEqual((self.call("gc", "--all").doc["removed"], self.call("gc", "--keep", "0").doc["removed"]), ([], []))
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assertEqual((self.host / "n/keep").read_text(), "precious\n")

    def test_what_was_let_pass_is_on_record(self) -> None:
        run = self.try_out("cat d/x t >n; echo more >>f")
        subprocess.run(["sh", "-euc", "echo edit >>d/x; echo edit >>f; touch t"], cwd=self.host, check=True)
        done = self.promote(run, "--stale-ignore", f"{self.host}/d/**", "--stale-ignore", f"{self.host}/t", "--accept", str(self.host / "f"), "--held-open", "replace")
        self.assertIn({"path": str(self.host / "d/x"), "why": "stale_ignore (--stale-ignore)"}, done.doc["not_compared"])
        detail = self.ledger("SELECT detail FROM promotions")[0]["detail"]
        for words in (f"accepted although it had moved: {self.host}/f", f"--stale-ignore {self.host}/d/**", "--held-open replace"):
            self.assertIn(words, detail)

    def test_the_policy_says_what_may_move(self) -> None:
        self.policy(f'{LET_INCONCLUSIVE_PASS}[promote]\nstale_ignore = ["{self.host}/d/**"]\n')
        run = self.try_out("cat d/x >n")
        (self.host / "d/x").write_text("edit\n")
        for options in (["--dry-run"], []):
            done = self.promote(run, *options)
            self.assertIn({"path": str(self.host / "d/x"), "why": "stale_ignore (policy)"}, done.doc["not_compared"])
        self.policy_file.write_text(f'schema = "rehearse.policy/1"\n{LET_INCONCLUSIVE_PASS}[promote]\nstale_ignore = ["relative"]\n')
        self.assertEqual(self.call("promote", self.name(run), "--dry-run").code, 78)

    def test_changed_while_it_ran(self) -> None:
        flag = self.host / "flag"
        meanwhile = threading.Thread(target=lambda: (await_process(b"sleep\0003.017\0"), (self.host / "f").write_text("meanwhile\n")))
        meanwhile.start()
        run = self.try_out("cat f >/dev/null; sleep 3.017; echo more >>f")
        meanwhile.join()
        time.sleep(0.2)
        result = self.call("promote", self.approve(run))
        self.assertEqual(result.code, STALE, result.out)
        self.assertEqual((self.host / "f").read_text(), "meanwhile\n")
        self.assertFalse(flag.exists())


class Obstacles(PromoteCase):
    """What stands in the way is found before anything changes."""

    def refused(self, run: harness.Result, code: int, words: bytes, top: Path, *options: str) -> None:
        before = Tree(top)
        result = self.call("promote", self.approve(run), *options)
        self.assertEqual(result.code, code, (result.out, result.err))
        self.assertIn(words, result.err)
        self.assertEqual(result.err.count(b"\n"), 1)
        self.assert_same(before, top)
        self.assert_nothing_staged([top])

    def test_read_only(self) -> None:
        image = Image(self, "ext4")
        (image.mount / "f").write_text("f")
        run = self.try_out("echo more >>f", "--no-trace", cwd=image.mount)
        subprocess.run(["mount", "-o", "remount,ro", image.mount], check=True)
        self.refused(run, 69, b"mounted read-only", image.mount)

    def test_space(self) -> None:
        image = Image(self, "tmpfs", "10M")
        (image.mount / "db").write_bytes(os.urandom(5 << 20))
        run = self.try_out("dd if=/dev/zero of=db bs=1M count=20 2>/dev/null", "--no-trace", cwd=image.mount, expect=None)
        if run.doc["command"]["exit"] != 0:
            harness.skip("the mirror is as small as the mount")
        self.refused(run, 73, b"needs 20 MiB", image.mount)

    def test_immutable(self) -> None:
        (self.host / "f").write_text("f")
        (self.host / "g").write_text("g")
        run = self.try_out("echo more >>g; echo more >>f")
        name = self.approve(run)
        subprocess.run(["chattr", "+i", self.host / "f"], check=True)
        self.addCleanup(subprocess.run, ["chattr", "-i", self.host / "f"], check=True)
        result = self.call("promote", name, "--accept", str(self.host))
        self.assertNotEqual(result.code, 0)
        self.assertEqual((self.host / "g").read_text(), "g")

    def test_immutable_since_the_run(self) -> None:
        """Whatever the action did to it, or to what it lies in: refused before anything changes, and promoted when the flag is gone."""
        for number, (script, flagged) in enumerate((("chmod 600 f; chmod 600 g", "g"), ("echo b >>f", "f"), ("rm f", "f"), ("mv f x", "f"), ("rm -r d", "d/e/f"),
                                                    ("echo new >d/e/n", "d/e"), ("rm -r d; echo d >d", "d/e"), ("setfattr -n user.x -v 1 d", "d"))):
            with self.subTest(script=script, flagged=flagged):
                top = self.host / str(number)
                top.mkdir()
                subprocess.run(["sh", "-euc", "echo a >f; echo a >g; mkdir -p d/e; echo a >d/e/f"], cwd=top, check=True)
                name = self.approve(self.try_out(script, cwd=top))
                subprocess.run(["chattr", "+i", top / flagged], check=True)
                before = Tree(top)
                try:
                    result = self.call("promote", name)
                    self.assertEqual((result.code, f"{top / flagged} is immutable".encode() in result.err, b"chattr -i" in result.err), (77, True, True), result.err)
                    self.assert_same(before, top)
                finally:
                    subprocess.run(["chattr", "-i", top / flagged], check=True)
                self.assertEqual(self.call("promote", name).code, 0)

    def test_immutable_at_the_last_moment(self) -> None:
        harness.need("strace")
        (self.host / "f").write_text("f")
        name = self.approve(self.try_out("echo more >>f"))
        done = subprocess.run([*injected("renameat2:error=EPERM:when=2"), *self.command("promote", name)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, b"chattr -i" in done.stdout), (ROLLED_BACK, True), done.stdout)

    def test_mount_over_what_is_to_go(self) -> None:
        (self.host / "d").mkdir()
        (self.host / "d/f").write_text("f")
        for script in ("rm -r d", "rm d/f; rmdir d; echo >d"):
            with self.subTest(script=script):
                run = self.try_out(script)
                name = self.approve(run)
                subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.host / "d"], check=True)
                try:
                    result = self.call("promote", name)
                    self.assertEqual((result.code, b"is a mount point" in result.err), (69, True), result.err)
                finally:
                    subprocess.run(["umount", self.host / "d"], check=True)

    def test_mount_over_a_parent(self) -> None:
        """What it hides is not said to be gone, and nobody is led to accept that."""
        (self.host / "d/sub").mkdir(parents=True)
        (self.host / "d/sub/f").write_text("f")
        for script in ("echo more >>d/sub/f", "rm d/sub/f", "echo new >d/sub/new", "chmod 600 d/sub/f", "mv d/sub/f d/sub/g"):
            for options in ((), ("--no-trace",)):
                with self.subTest(script=script, options=options):
                    run = self.try_out(script, *options)
                    name = self.approve(run)
                    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.host / "d"], check=True)
                    try:
                        for more in ((), ("--dry-run",), ("--accept", str(self.host / "d"))):
                            result = self.call("promote", name, *more)
                            self.assertEqual((result.code, f"{self.host}/d is a mount point now, which hides it".encode() in result.err), (69, True), (more, result.out, result.err))
                    finally:
                        subprocess.run(["umount", self.host / "d"], check=True)
                    if not options:  # without a trace whatever goes on beside it on this filesystem counts
                        self.assertEqual(self.call("promote", name, "--dry-run").code, 0)

    def test_mount_upon_what_gets_attributes(self) -> None:
        (self.host / "d").mkdir()
        (self.host / "d/f").write_text("f")
        for script, upon, words in (("chmod 700 d", ["-t", "tmpfs", "tmpfs"], "is a mount point now, which hides it"), ("chmod 600 d/f; echo n >d/n", None, "is mounted read-only")):
            with self.subTest(script=script):
                name = self.approve(self.try_out(script))
                subprocess.run(["mount", *(upon or ["--bind", self.host / "d"]), self.host / "d"], check=True)
                try:
                    if upon is None:
                        subprocess.run(["mount", "-o", "remount,bind,ro", self.host / "d"], check=True)
                    result = self.call("promote", name)
                    self.assertEqual((result.code, words.encode() in result.err), (69, True), (result.out, result.err))
                finally:
                    subprocess.run(["umount", self.host / "d"], check=True)

    def test_a_directory_that_is_mounted_upon_itself(self) -> None:
        """As services do that want a mount of their own: it hides nothing."""
        (self.host / "d").mkdir()
        (self.host / "d/f").write_text("f\n")
        before = Tree(self.host)
        subprocess.run(["mount", "--bind", self.host / "d", self.host / "d"], check=True)
        try:
            run = self.try_out("echo more >>d/f; echo new >d/n")
            self.promote(run)
            self.assertEqual(((self.host / "d/f").read_text(), (self.host / "d/n").read_text()), ("f\nmore\n", "new\n"))
            back = self.call("rollback", run.doc["id"])
            self.assertEqual(back.code, 0, (back.out, back.err))
        finally:
            subprocess.run(["umount", self.host / "d"], check=True)
        self.assert_same(before, self.host)

    def test_mount_point_inside(self) -> None:
        (self.host / "d/m").mkdir(parents=True)
        run = self.try_out("mv d moved")
        name = self.approve(run)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.host / "d/m"], check=True)
        self.addCleanup(subprocess.run, ["umount", self.host / "d/m"], check=True)
        result = self.call("promote", name, "--accept", str(self.host))
        self.assertEqual(result.code, 69, (result.out, result.err))
        self.assertTrue((self.host / "d").exists())

    def test_mount_points_of_another_namespace(self) -> None:
        """What is mounted there would go along with the old object."""
        for script, point in (("echo new >f", "f"), ("rm f", "f"), ("rm -r d", "d/x"), ("mv d e", "d/x")):
            with self.subTest(script=script):
                subprocess.run(["sh", "-euc", "rm -rf ./*; mkdir d; echo one >f; echo two >d/x"], cwd=self.host, check=True)
                run = self.try_out(script)
                inside = f"mount --bind /etc/hostname {self.host}/{point}; echo ready; exec sleep 300"
                with subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", inside], stdout=subprocess.PIPE) as other:
                    assert other.stdout
                    other.stdout.readline()
                    self.refused(run, 69, f"is a mount point to pid {other.pid}".encode(), self.host)
                    done = self.call("promote", self.approve(run), "--held-open", "replace")
                    self.assertEqual(done.code, 0, done.err)
                    self.assertIn(f"to pid {other.pid}", "\n".join(done.doc["notes"]))
                    other.kill()
                self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)

    def test_package_manager_at_work(self) -> None:
        (self.host / "var/lib/dpkg").mkdir(parents=True)
        (self.host / "var/lib/dpkg/lock").touch()
        run = self.try_out("echo x >var/lib/dpkg/status")
        # Another process: this one loses a lock when it closes any descriptor of the file.
        holder = "import fcntl, sys, time; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX); print('locked', flush=True); time.sleep(300)"
        with subprocess.Popen([sys.executable, "-c", holder, self.host / "var/lib/dpkg/lock"], stdout=subprocess.PIPE) as dpkg:
            assert dpkg.stdout
            dpkg.stdout.readline()
            self.refused(run, TRY_LATER, b"package manager", self.host)
            dpkg.kill()
        self.promote(run)

    def test_held_open(self) -> None:
        log = self.host / "log"
        for how, expected in (("refuse", None), ("replace", "one\naction\n"), ("in-place", "one\naction\ndaemon\n")):
            with self.subTest(how=how):
                log.write_text("one\n")
                with open(log, "a", encoding="ascii") as daemon:
                    inode = log.stat().st_ino
                    run = self.try_out("echo action >>log")
                    if expected is None:
                        self.refused(run, TRY_LATER, f"pid {os.getpid()}".encode(), self.host)
                        continue
                    before = Tree(self.host)
                    done = self.promote(run, "--held-open", how)
                    self.assertIn("held open for writing", " ".join(done.doc["notes"]))
                    daemon.write("daemon\n")
                    daemon.flush()
                    self.assertEqual(log.read_text(), expected)
                    self.assertEqual(log.stat().st_ino == inode, how == "in-place")
                back = self.call("rollback", run.doc["id"])
                self.assertEqual(back.code, STALE, back.out)  # the daemon's line is not to be lost silently
                self.assertEqual(self.call("rollback", run.doc["id"], "--accept", str(log)).code, 0)
                if how == "in-place":
                    self.assert_same(before, self.host)

    def test_in_place_over_what_a_daemon_wrote(self) -> None:
        """What is written over is said, and where it is kept."""
        log = self.host / "log"
        log.write_text("l1\nl2\n")
        with open(log, "a", encoding="ascii") as daemon:
            run = self.try_out("echo mine >>log")
            daemon.write("l4\n")
            daemon.flush()
            done = self.promote(run, "--held-open", "in-place", "--accept", str(log))
        note = next(n for n in done.doc["notes"] if "is written over; all of it is kept as " in n)
        self.assertEqual((Path(note.split(" kept as ")[1]).read_text(), log.read_text()), ("l1\nl2\nl4\n", "l1\nl2\nmine\n"))

    def test_the_name_of_the_store_is_taken(self) -> None:
        image = Image(self, "ext4")
        (image.mount / "f").write_text("f")
        name = self.approve(self.try_out("echo more >>f", "--no-trace", cwd=image.mount))
        for make in ("ln -s /etc .rehearse", "echo >.rehearse"):
            with self.subTest(make=make):
                times = (image.mount.stat().st_atime_ns, image.mount.stat().st_mtime_ns)
                subprocess.run(["sh", "-euc", make], cwd=image.mount, check=True)
                result = self.call("promote", name, "--accept", str(image.mount))
                self.assertEqual((result.code, b".rehearse is no directory" in result.err, b"rm " in result.err), (78, True, True), result.err)
                (image.mount / ".rehearse").unlink()
                os.utime(image.mount, ns=times)
        self.assertEqual(self.call("promote", name).code, 0)

    def test_held_open_whatever_becomes_of_its_name(self) -> None:
        """The object goes with the directory that it is in, or under another name: its writer is lost all the same."""
        lost = ("rm d/db", "rm -r d", "rm -r d; echo x >d", "mv d/db d/1; echo tail >>d/1", "mv d/db d/1; : >d/1", "ln d/db d/l; echo q >>d/l; rm d/db", "mv d e; rm e/db")
        kept = (("mv d/db d/1", "d/1"), ("mv d e", "e/db"), ("mv d/db t; rm -r d; mkdir d; mv t d/db", "d/db"))
        for number, (script, where) in enumerate([(one, None) for one in lost] + list(kept)):
            with self.subTest(script=script):
                top = self.host / str(number)
                (top / "d").mkdir(parents=True)
                (top / "d/db").write_text("one\n")
                with open(top / "d/db", "r+", encoding="ascii") as writer:
                    run = self.try_out(script, cwd=top)
                    if where is None:
                        self.refused(run, TRY_LATER, b"d/db is held open for writing by", self.host)
                        continue
                    self.promote(run)
                    writer.write("two\n")
                    writer.flush()
                    self.assertEqual((top / where).read_text(), "two\n")

    def test_held_open_by_a_loop_device(self) -> None:
        harness.need("mkfs.ext4")
        image, at = self.host / "img", self.base / "at"
        at.mkdir()
        subprocess.run(["truncate", "-s", "16M", image], check=True)
        subprocess.run(["mkfs.ext4", "-qF", image], check=True)
        run = self.try_out("printf XX | dd of=img bs=1 seek=8000000 conv=notrunc 2>/dev/null")
        subprocess.run(["mount", "-o", "loop", image, at], check=True)
        try:
            # What the mount itself has written makes it stale besides.
            self.refused(run, TRY_LATER, f", mounted at {at}".encode(), self.host, "--accept", str(image))
        finally:
            subprocess.run(["umount", at], check=True)

    def test_held_open_where_no_descriptor_is_seen(self) -> None:
        log = self.host / "log"
        log.write_text("one\n")
        run = self.try_out("echo two >>log")
        # Its first thread has ended: what /proc shows of the process by itself is empty.
        half = ("import ctypes,sys,threading,time; f=open(sys.argv[1],'a'); t=threading.Thread(target=lambda: (print(flush=True), time.sleep(300))); t.start(); "
                "time.sleep(0.3); ctypes.CDLL(None).pthread_exit(None)")
        with subprocess.Popen([sys.executable, "-c", half, log], stdout=subprocess.PIPE) as process:
            try:
                process.stdout.readline()
                self.assertTrue(harness.wait_for(lambda: "(zombie)" in Path(f"/proc/{process.pid}/status").read_text()))
                self.refused(run, TRY_LATER, f"(pid {process.pid}".encode(), self.host)
            finally:
                process.kill()
        one, other = socket.socketpair()
        with one, other:
            with open(log, "a", encoding="ascii") as file:
                socket.send_fds(one, [b"x"], [file.fileno()])
            self.refused(run, TRY_LATER, b"held open for writing by the kernel or somebody not found", self.host)
        self.promote(run)

    def test_running_program_and_bind_mounted_file(self) -> None:
        program = self.host / "sleeper"
        subprocess.run(["cp", "/bin/sleep", program], check=True)
        with subprocess.Popen([program, "300"]) as sleeper:
            try:
                done = self.promote(self.try_out("cp /bin/true sleeper"))
                self.assertIn("being executed", " ".join(done.doc["notes"]))
            finally:
                sleeper.kill()

    def test_selection(self) -> None:
        run = self.try_out("mkdir foo foobar; echo 1 >foo/x; echo 2 >foobar/x; ln foo/x foo/y; mkdir k; echo 3 >k/z")
        self.promote(run, "--only", str(self.host / "foo"))
        self.assertEqual(sorted(os.listdir(self.host)), ["foo"])
        self.promote(run, "--except", str(self.host / "foo"), "--except", str(self.host / "k/z"), "--accept", str(self.host))
        self.assertEqual(sorted(os.listdir(self.host)), ["foo", "foobar", "k"])
        self.assertEqual(os.listdir(self.host / "k"), [])
        for option in ("--only", "--except"):
            slip = self.call("promote", self.approve(run), option, str(self.host / "fooo"))
            self.assertEqual((slip.code, b"/fooo: the run changed nothing there" in slip.err), (harness.USAGE, True), slip.err)
        for options in ([], ["--except"]):
            slip = self.call("rollback", run.doc["id"], *options, str(self.host / "fooo"))
            self.assertEqual((slip.code, b"/fooo: promoting the run did nothing there" in slip.err), (harness.USAGE, True), slip.err)
        one = self.try_out("echo a >>foo/x; mv foobar moved; rm -r k")
        for options, words in ((["--only", str(self.host / "foo/x")], b"one file"), (["--only", str(self.host / "moved")], b"renamed from"), (["--only", "foo"], b"absolute")):
            result = self.call("promote", self.approve(one), *options)
            self.assertIn(result.code, (64, 65), result.out)
            self.assertIn(words, result.err)

    def test_a_mask_goes_with_its_file(self) -> None:
        """Moved, linked, in a directory that is moved: what stands for a secret never takes its place."""
        for script, refused in (("mv s s.bak", "s.bak"), ("ln s bak; rm s", "bak"), ("ln s bak", "bak"), ("mv d e; mv e/s e/s2", "e/s2"), ("mv s s.bak; echo new >s", "s.bak"),
                                ("mv s other", "other"), ("mv s s.bak; echo more >>s.bak", "s.bak"), ("mv s other; echo new >s", "other"),
                                ("mv d/s other; rm -r d; echo >d", "other"), ("ln s b; echo x >t; mv t s", "b")):
            for trace in ("--trace", "--no-trace"):
                with self.subTest(script, trace=trace):
                    subprocess.run(["sh", "-euc", "rm -rf *; mkdir d; echo secret >s; echo secret >d/s; echo other >other"], cwd=self.host, check=True)
                    before = Tree(self.host)
                    run = self.try_out(script, "--mask", str(self.host / "s"), "--mask", str(self.host / "d/s"), *([trace] if trace == "--no-trace" else []))
                    masked = [entry["path"] for entry in run.doc["changes"] if entry["masked"] and entry["change"] != "deleted"]
                    self.assertIn(str(self.host / refused), masked)
                    name = self.approve(run)
                    result = self.call("promote", name)
                    self.assertEqual((result.code, b"is a masked file" in result.err), (DATA_ERROR, True), result.err)
                    self.assertEqual(differences(before, Tree(self.host)), [])
                    # Nor without what stands for it now.
                    for left_out in (masked, [str(self.host / "s")]):
                        left = self.call("promote", name, *(word for path in left_out for word in ("--except", path)))
                        for file in (self.host / "s", self.host / "other"):
                            self.assertNotIn(file.exists() and file.read_text(), ("", False), left.err)

    def test_overlay_attributes_of_the_action(self) -> None:
        run = self.try_out("echo x >f; setfattr -n user.overlay.opaque -v y f", expect=None)
        if run.doc["command"]["exit"] != 0:
            return
        self.refused(run, DATA_ERROR, b"user.overlay.opaque", self.host)

    def test_two_at_once(self) -> None:
        (self.host / "f").write_text("0\n")
        names = [self.approve(self.try_out(f"echo {i} >>f")) for i in range(2)]
        started = [subprocess.Popen(self.command("promote", name), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) for name in names]
        codes = sorted(p.wait() for p in started)
        for p in started:
            p.communicate()
        self.assertEqual(codes, [0, STALE])
        self.assertIn((self.host / "f").read_text(), ("0\n0\n", "0\n1\n"))

    def test_ends_when_it_is_told_to(self) -> None:
        """While it waits, and until everything is ready: nothing has changed, and the approval is not used up. After that it goes on to its end."""
        harness.need("strace")
        (self.host / "f").write_text("old\n")
        name = self.approve(self.try_out("echo new >f; echo n >n; echo m >m"))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number, when="waiting"), open("/run/rehearse/promotion.lock", "a+", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                process = subprocess.Popen(self.command("promote", name, "--wait", "5m"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                time.sleep(0.5)
                self.assertIsNone(process.poll())
                process.send_signal(number)
                out, err = process.communicate(timeout=20 * harness.SLOW)
                self.assertEqual((process.returncode, f"stopped by {number.name}".encode() in err, b"nothing was changed" in err), (128 + number, True, True), (out, err))
            with self.subTest(signal=number, when="preparing"):
                # What was staged is being made durable.
                process = self.delayed("syncfs:delay_enter=1500000:when=1", name)
                self.assertTrue(harness.wait_for(lambda: list(self.state.glob("promotions/*.new"))))
                self.tell(process, number)
                out, err = process.communicate(timeout=20 * harness.SLOW)
                self.assertEqual((process.returncode, b"nothing of the host has changed" in err), (128 + number, True), (out, err))
                self.assertEqual((self.call("recover").doc["recovered"], list((self.state / "promotions").iterdir())), ([], []))
            self.assertEqual((self.host / "f").read_text(), "old\n")
        process = self.delayed("renameat2:delay_enter=1500000:when=2", name)
        self.assertTrue(harness.wait_for(lambda: list(self.state.glob("promotions/*.ready"))))
        self.tell(process, signal.SIGINT)
        out, err = process.communicate(timeout=20 * harness.SLOW)
        self.assertEqual((process.returncode, b"too late to stop" in err), (0, True), (out, err))
        self.assertEqual((self.host / "f").read_text(), "new\n")

    def delayed(self, fault: str, name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*injected(fault), *self.command("promote", name)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def tell(self, tracer: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """To what the tracer traces: itself it passes nothing on."""
        traced = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text(encoding="ascii").split()
        os.kill(int(traced[0]), number)

    def test_says_who_holds_the_lock(self) -> None:
        import fcntl
        run = self.try_out("echo x >f")
        name = self.approve(run)
        os.makedirs("/run/rehearse", 0o700, exist_ok=True)
        with open("/run/rehearse/promotion.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # What is written there is believed of who has the lock, and of nobody else.
            for words, said in ((f"pid {os.getpid()}, run somebody", f"another promotion (pid {os.getpid()}, run somebody) is going on"),
                                ("pid 4711, run somebody", f"the lock of promotions, /run/rehearse/promotion.lock, is held by pid {os.getpid()} (python3"),
                                (f"pid {os.getpid()}1, run somebody", f"is held by pid {os.getpid()} (python3")):
                lock.seek(0)
                lock.truncate()
                lock.write(words)
                lock.flush()
                result = self.call("promote", name, "--wait", "100ms")
                self.assertEqual((result.code, said in result.err.decode(), "4711" in result.err.decode()), (TRY_LATER, True, False), result.err)
                # A dry run waits for nobody.
                start = time.monotonic()
                dry = self.call("promote", name, "--wait", "1h", "--dry-run")
                self.assertEqual((dry.code, dry.doc["result"], [o["what"] for o in dry.doc["operations"] if o["path"] == str(self.host / "f")]), (0, "dry run", ["put"]), dry.err)
                self.assertTrue(any(said in note for note in dry.doc["notes"]), dry.doc["notes"])
                self.assertLess(time.monotonic() - start, 30 * harness.SLOW)
        # Its taker is gone, and what he has left behind has it.
        holder = subprocess.Popen(["flock", "/run/rehearse/promotion.lock", "sh", "-c", "echo; sleep 600"], stdout=subprocess.PIPE)
        assert holder.stdout is not None
        holder.stdout.readline()
        children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text(encoding="ascii").split()
        try:
            holder.kill()
            holder.wait()
            result = self.call("promote", name, "--wait", "100ms")
            self.assertEqual((result.code, b"is held by a process that is not known" in result.err), (TRY_LATER, True), result.err)
        finally:
            for child in children:
                for below in Path(f"/proc/{child}/task/{child}/children").read_text(encoding="ascii").split():
                    os.kill(int(below), signal.SIGKILL)
                os.kill(int(child), signal.SIGKILL)
        holder.stdout.close()
        self.promote_and_back(name)

    def promote_and_back(self, name: str) -> None:
        self.assertTrue(harness.wait_for(lambda: self.call("promote", name).code == 0))
        with open("/run/rehearse/promotion.lock", "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            dry = self.call("rollback", name.split("@", maxsplit=1)[0], "--wait", "1h", "--dry-run")
            self.assertEqual((dry.code, "is held by pid" in str(dry.doc["notes"])), (0, True), dry.err)
        self.assertEqual(self.call("rollback", name.split("@", maxsplit=1)[0]).code, 0)


class Many(PromoteCase):
    """So many files that several threads look at them: the one that is not as the others is found."""

    COUNT = 700
    ACTION = "for f in d*/f*; do echo new >>$f; done; rm d2/f2; setfacl -m u:77:r d3/f3"

    def make(self, top: Path) -> harness.Result:
        for d in range(7):
            (top / f"d{d}").mkdir(parents=True)
        for i in range(self.COUNT):
            (top / f"d{i % 7}/f{i}").write_text(f"old {i}\n")
        os.link(top / "d0/f0", top / "d1/second")
        return self.try_out(self.ACTION, *([] if top == self.host else ["--no-trace"]), cwd=top)

    def test_as_natively(self) -> None:
        for kind in ("host", "xfs", "tmpfs"):
            with self.subTest(filesystem=kind):
                top = self.host if kind == "host" else Image(self, kind).mount
                before_run = self.base / f"native-{kind}"
                run = self.make(top)
                before = Tree(top)
                subprocess.run(["cp", "-a", top, before_run], check=True)
                subprocess.run(["sh", "-euc", self.ACTION], cwd=before_run, check=True)
                self.promote(run)
                self.assertEqual(subprocess.run(["rsync", "-aHAXnc", "--no-times", "--out-format=%n", "--delete", "--exclude=.rehearse", "--exclude=lost+found", "--omit-dir-times", f"{before_run}/", f"{top}/"], capture_output=True, check=True).stdout, b"")
                self.assertEqual((top / "d0/f0").stat().st_ino, (top / "d1/second").stat().st_ino)
                self.assert_no_trace_of_overlay(top)
                self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
                self.assert_same(before, top)

    def test_one_that_has_moved(self) -> None:
        run = self.make(self.host)
        (self.host / "d4/f641").write_text("mine\n")
        (self.host / "d5/f698").unlink()
        before = Tree(self.host)
        result = self.call("promote", self.approve(run))
        moved = sorted(os.path.relpath(one["path"], self.host) for one in result.doc["moved"])
        self.assertEqual((result.code, moved), (STALE, ["d4/f641", "d5", "d5/f698"]), result.err)  # d5 was listed
        self.assert_same(before, self.host)

    def test_one_that_is_written_to(self) -> None:
        run = self.make(self.host)
        with open(self.host / "d6/f699", "a", encoding="ascii"):
            result = self.call("promote", self.approve(run))
        self.assertEqual(result.code, TRY_LATER, result.err)
        self.assertIn(f"{self.host}/d6/f699 is held open for writing".encode(), result.err)

    def test_one_whose_copy_was_changed(self) -> None:
        run = self.make(self.host)
        name = self.approve(run)
        upper = next(self.state.glob(f"runs/{run.doc['id']}/uppers/*/upper{self.host}"))
        before = Tree(self.host)
        copy = upper / "d1/f50"
        st = copy.stat()
        copy.write_text("0ld 50\nnew\n")
        os.utime(copy, ns=(st.st_atime_ns, st.st_mtime_ns))
        result = self.call("promote", name)
        self.assertEqual(result.code, DATA_ERROR, result.err)
        self.assertIn(b"d1/f50: the run's copy has another content", result.err)
        self.assert_same(before, self.host)

    def test_one_whose_copy_has_other_attributes(self) -> None:
        """Also where it is copied, and would get the recorded ones anyway."""
        image = Image(self, "ext4", name="copied")
        run = self.make(image.mount)
        name = self.approve(run)
        upper = next(self.state.glob(f"runs/{run.doc['id']}/uppers/*/upper/d1/f50")).parent
        before = Tree(image.mount)
        for change, back in (("chmod 4755 f50", "chmod 644 f50"), ("setfattr -n user.x -v 1 f50", "setfattr -x user.x f50"), ("chattr +i f50", "chattr -i f50"),
                             ("mv f50 ../f50; ln -s x f50", "rm f50; mv ../f50 f50")):
            with self.subTest(change=change):
                subprocess.run(["sh", "-euc", change], cwd=upper, check=True)
                result = self.call("promote", name)
                subprocess.run(["sh", "-euc", back], cwd=upper, check=True)
                self.assertEqual(result.code, DATA_ERROR, (result.out, result.err))
                self.assert_same(before, image.mount)
        self.assertEqual(self.call("promote", name).code, 0)

    def test_one_that_is_immutable(self) -> None:
        run = self.make(self.host)
        subprocess.run(["chattr", "+i", self.host / "d4/f641"], check=True)
        self.addCleanup(subprocess.run, ["chattr", "-i", self.host / "d4/f641"], check=True)
        result = self.call("promote", self.approve(run), "--accept", str(self.host / "d4/f641"))
        self.assertEqual(result.code, 77, result.err)
        self.assertIn(b"d4/f641 is immutable", result.err)


class Readers(PromoteCase):
    def test_never_a_missing_or_half_file(self) -> None:
        count = 2000
        for i in range(count):
            (self.host / f"f{i}").write_text("old " * 500)
        run = self.try_out("for f in f*; do printf 'new %.0s' $(seq 700) >$f.n; cat $f.n >$f; rm $f.n; done")
        name = self.approve(run)
        wrong: list[str] = []
        rounds = [0]
        stop = threading.Event()
        old, new = "old " * 500, "new " * 700

        def read() -> None:
            while not stop.is_set():
                for i in range(count):
                    try:
                        text = (self.host / f"f{i}").read_text()
                    except OSError as error:
                        wrong.append(str(error))
                        continue
                    if text not in (old, new):
                        wrong.append(f"f{i}: {len(text)} bytes")
                rounds[0] += 1

        reader = threading.Thread(target=read)
        reader.start()
        result = self.call("promote", name)
        stop.set()
        reader.join()
        self.assertEqual(result.code, 0, result.out[-500:])
        self.assertEqual((wrong[:5], (self.host / "f0").read_text()), ([], new))
        print(f"{rounds[0]} rounds of reading; window {result.doc['phases']['window_s']} s")


class Races(PromoteCase):
    """A host that goes on changing between the check and the last rename."""

    COUNT = 600  # so many that several threads look at them

    def prepare(self) -> str:
        (self.host / "d").mkdir()
        for i in range(self.COUNT):
            (self.host / f"d/f{i}").write_text(f"old {i}\n")
        self.old = Tree(self.host)
        return self.approve(self.try_out("for f in d/*; do echo new >>$f; done; echo n >d/n"))

    def promote_while(self, name: str, disturb: Callable[[], None]) -> int:
        stop = threading.Event()

        def loop() -> None:
            while not stop.is_set():
                disturb()

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            self.last = self.call("promote", name, "--accept", str(self.host))
            return self.last.code
        finally:
            stop.set()
            thread.join()

    def test_parent_swapped_for_a_symlink(self) -> None:
        name = self.prepare()
        outside = self.base / "outside"
        subprocess.run(["cp", "-a", self.host / "d", outside], check=True)
        before = Tree(outside)
        for _ in range(5):
            def swap() -> None:
                os.rename(self.host / "d", self.host / "real")
                os.symlink(outside, self.host / "d")
                os.unlink(self.host / "d")
                os.rename(self.host / "real", self.host / "d")

            code = self.promote_while(name, swap)
            self.assertIn(code, (0, STALE, 16), self.last.err)
            recovered = self.call("recover")
            self.assertEqual(recovered.code, 0, (code, recovered.out[-2000:], recovered.err[-1000:]))
            self.assert_same(before, outside)
            texts = {(self.host / f"d/f{i}").read_text().replace(str(i), "#", 1) for i in range(self.COUNT)}
            self.assertEqual(texts, {"old #\nnew\n"} if code == 0 else {"old #\n"})
            self.assertEqual((self.host / "d/n").exists(), code == 0)
            if code == 0:
                break

    def test_nobodys_edit_is_lost(self) -> None:
        name = self.prepare()
        edits: list[tuple[str, str]] = []
        rng = random.Random(1)

        def edit() -> None:
            file, line = f"f{rng.randrange(self.COUNT)}", f"edit {len(edits)}\n"
            if rng.random() < 0.7:
                with open(self.host / "d" / file, "a", encoding="ascii") as f:
                    f.write(line)
            else:
                text = (self.host / "d" / file).read_text()
                (self.host / "d/tmp").write_text(text + line)
                os.rename(self.host / "d/tmp", self.host / "d" / file)
            edits.append((file, line))
            time.sleep(0.0005)

        # A file that is open for writing at the moment of the check refuses, and that is said: once more, then.
        for _ in range(20):
            code = self.promote_while(name, edit)
            if code != TRY_LATER:
                break
            self.assertIn("open for writing", self.last.err)
        self.assertIn(code, (0, STALE, 16, 17), self.last.err)
        self.assertEqual(self.call("recover").code, 0)
        kept = b"".join(p.read_bytes() for p in self.state.glob("runs/*/uppers/**/*") if p.is_file() and not p.is_symlink())
        lost = [(file, line) for file, line in edits if line not in (self.host / "d" / file).read_text() and line.encode() not in kept]
        self.assertEqual(lost, [], f"exit {code}, {len(edits)} edits")
        print(f"exit {code}, {len(edits)} edits")

    def before_the_renames(self, verb: str, name: str, disturb: Callable[[], object]) -> Result:
        """Calls the verb, and `disturb` when everything has been looked at and nothing been renamed."""
        # The first rename is that of the journal.
        argv = [*injected("renameat2:delay_enter=700000:when=2"), *self.command(verb, name)]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertTrue(harness.wait_for(lambda: list((self.state / "promotions").glob("*.ready")) or process.poll() is not None))
        time.sleep(0.2)
        disturb()
        out, err = process.communicate(timeout=60 * harness.SLOW)
        return Result(process.returncode, out, err, 0)

    def test_attributes_alone_edited_before_the_renames(self) -> None:
        harness.need("strace", "setfattr", "setfacl")
        setup = "mkdir d e g; for i in f gone d/in e/moves l both; do echo $i >$i; done; ln l l2; setfattr -n user.mine -v 1 f"
        action = "echo new >>f; rm gone; chmod 700 d; mv e/moves g/moves; chmod 600 g/moves; echo new >>l; chmod 604 both; mkdir n"
        edits = {"a replaced file": "setfattr -n user.theirs -v 2 f", "its attribute removed": "setfattr -x user.mine f", "a removed file": "setfacl -m u:12:r gone",
                 "a directory that gets attributes": "setfattr -n user.theirs -v 2 d", "a file that gets attributes": "setfattr -n user.theirs -v 2 both",
                 "a renamed file that gets attributes": "setfacl -m u:12:r e/moves", "a file with two names": "setfattr -n user.theirs -v 2 l2"}
        for what, edit in edits.items():
            with self.subTest(what=what):
                subprocess.run(["sh", "-euc", f"rm -rf ./*; {setup}"], cwd=self.host, check=True)
                name = self.approve(self.try_out(action, cwd=self.host))
                result = self.before_the_renames("promote", name, lambda: subprocess.run(["sh", "-euc", edit], cwd=self.host, check=True))
                self.assertEqual(result.code, STALE, (result.out, result.err))
                now = Tree(self.host)
                subprocess.run(["sh", "-euc", f"mkdir was; cd was; {setup}; {edit}"], cwd=self.base, check=True)
                self.assertEqual(differences(Tree(self.base / "was"), now, times=False), [])
                subprocess.run(["rm", "-rf", self.base / "was"], check=True)

    def test_attributes_alone_edited_before_a_rollback(self) -> None:
        harness.need("strace", "setfattr")
        for target in ("f", "both", "d"):
            with self.subTest(target=target):
                subprocess.run(["sh", "-euc", "rm -rf ./*; mkdir d; echo f >f; echo both >both"], cwd=self.host, check=True)
                run = self.try_out("echo new >>f; chmod 604 both; chmod 700 d", cwd=self.host)
                self.promote(run)
                promoted = Tree(self.host)
                edit = ["setfattr", "-n", "user.theirs", "-v", "2", self.host / target]
                result = self.before_the_renames("rollback", run.doc["id"], lambda: subprocess.run(edit, check=True))
                self.assertEqual(result.code, STALE, (result.out, result.err))
                self.assertEqual(os.getxattr(self.host / target, "user.theirs"), b"2")
                os.removexattr(self.host / target, "user.theirs")
                self.assert_same(promoted, self.host, times=False)

    def test_rights_do_not_come_back_to_content_that_was_edited(self) -> None:
        """Whoever was given a set-user-ID program may have written to it, and put its time back."""
        program = self.host / "program"
        program.write_bytes(b"trusted")
        os.chmod(program, 0o4755)
        run = self.try_out("chown daemon program", cwd=self.host)
        self.promote(run)
        times = program.stat()
        time.sleep(0.05)
        for content, code in ((b"hostile", STALE), (b"trusted", 0)):
            program.write_bytes(content)
            os.utime(program, ns=(times.st_atime_ns, times.st_mtime_ns))
            result = self.call("rollback", run.doc["id"])
            self.assertEqual(result.code, code, (content, result.out, result.err))
            self.assertEqual(program.read_bytes(), content)
            self.assertEqual(stat.S_IMODE(program.stat().st_mode), 0o755 if code else 0o4755)
        self.assertEqual(program.stat().st_uid, 0)


class Rollbacks(PromoteCase):
    def test_refuses_what_changed_since_and_offers_the_rest(self) -> None:
        """Whatever somebody did to one path after the promotion stays, all the rest can go back, and accepted it goes too."""
        edits = {"echo edit >>a": "a", "rm a": "a", "chmod 640 a": "a", "cp a a2; mv a2 a": "a", "echo theirs >d": "d", "echo more >n/more": "n/more",
                 "echo edit >>n/n": "n/n", "rm -r n": "n", "rm -r n; echo theirs >n": "n"}
        for number, (edit, path) in enumerate(edits.items()):
            with self.subTest(edit=edit):
                place = self.host / str(number)
                place.mkdir()
                subprocess.run(["sh", "-euc", "echo 1 >a; echo 2 >b; mkdir d; echo 3 >d/c"], cwd=place, check=True)
                before = Tree(place)
                run = self.try_out("echo x >>a; echo x >>b; rm -r d; mkdir n; echo n >n/n", cwd=place)
                self.promote(run)
                subprocess.run(["sh", "-euc", edit], cwd=place, check=True)
                edited = Tree(place)
                result = self.call("rollback", run.doc["id"])
                self.assertEqual(result.code, STALE, result.out)
                self.assertEqual([m["path"] for m in result.doc["moved"]], [str(place / path)])
                self.assert_same(edited, place)
                rest = self.call("rollback", run.doc["id"], "--except", str(place / path.split("/", maxsplit=1)[0]))
                self.assertEqual(rest.code, 0, rest.out)
                self.assertEqual((place / "b").read_text(), "2\n")
                self.assertEqual([d for d in differences(edited, Tree(place)) if repr(path.encode()) in d], [])
                accepted = self.call("rollback", run.doc["id"], "--accept", str(place / path))
                self.assertEqual(accepted.code, 0, accepted.out)
                self.assertEqual(accepted.doc["accepted"], [str(place / path)])
                Path(place / "a2").unlink(missing_ok=True)
                self.assert_same(before, place, times="a2" not in edit)
                if "theirs" in edit:
                    kept = accepted.doc["kept"][0].split(" is kept as ")[1]
                    self.assertEqual(Path(kept).read_text(), "theirs\n")

    def test_a_directory_whose_time_it_set_is_gone(self) -> None:
        """With what was in it its time is given up: nothing of the promotion is left, and an older one can be taken back."""
        image = Image(self, "ext4", "64M", "times")
        for host in (self.host, image.mount):
            for parts in ((("a",), ("d",)), ((),)):
                with self.subTest(host=host, parts=parts):
                    place = host / f"gone{len(parts)}{len(parts[0])}"
                    (place / "d").mkdir(parents=True)
                    subprocess.run(["sh", "-euc", "echo orig >a; echo q >d/q; echo x >d/x"], cwd=place, check=True)
                    run = self.try_out("echo run >a; echo n >d/new; rm d/x", cwd=place)
                    for part in parts:
                        done = self.call("promote", self.approve(run), *(word for name in part for word in ("--only", str(place / name))))
                        self.assertEqual(done.code, 0, (done.out, done.err))
                    (place / "d").rename(place / "moved")
                    accepted = self.call("rollback", run.doc["id"], "--accept", str(place))
                    self.assertEqual(accepted.code, 0, (accepted.out, accepted.err))
                    for _ in parts:
                        last = self.call("rollback", run.doc["id"])
                        self.assertEqual(last.code, 0, (last.out, last.err))
                    self.assertEqual((last.doc["result"], (place / "a").read_text()), ("nothing to do", "orig\n"))
                    self.assertEqual(self.call("rm", run.doc["id"], *(("--force",) if accepted.doc["kept"] else ())).code, 0)

    def test_a_directory_whose_time_it_moved_is_gone(self) -> None:
        """No record of its own was chosen; it was renamed away, or another one stands at its name: --accept takes the rest back."""
        for kind in ("ext4", "xfs", "btrfs"):
            image = Image(self, kind, name="moved")
            for away in ("mv d moved", "mv d moved; mkdir d", "rm -r d"):
                with self.subTest(kind=kind, away=away):
                    place = image.mount / str(len(away))
                    (place / "d").mkdir(parents=True)
                    subprocess.run(["sh", "-euc", "echo orig >a; echo q >d/q; echo x >d/x; touch -d 2001-01-01 d"], cwd=place, check=True)
                    run = self.try_out("echo run >a; echo n >d/new; rm d/x", cwd=place)
                    self.promote(run, "--only", str(place / "d/new"), "--only", str(place / "a"))
                    subprocess.run(["sh", "-euc", away], cwd=place, check=True)
                    refused = self.call("rollback", run.doc["id"])
                    self.assertEqual((refused.code, [m["path"] for m in refused.doc["moved"]]), (STALE, [str(place / "d/new")]), refused.out)
                    now = Tree(place)
                    accepted = self.call("rollback", run.doc["id"], "--accept", str(place))
                    self.assertEqual(accepted.code, 0, (accepted.out, accepted.err))
                    self.assertEqual((place / "a").read_text(), "orig\n")
                    (place / "a").write_text("run\n")
                    self.assertEqual([d for d in differences(now, Tree(place), times=False)], [])
                    self.assertEqual(self.call("rollback", run.doc["id"]).doc["result"], "nothing to do")

    def test_somebody_has_taken_the_old_name(self) -> None:
        """Of what the run renamed: it is found before anything changes, and accepted it makes room, whatever it is."""
        made = ("echo theirs >a", "mkdir a; echo theirs >a/x", "ln -s theirs a", "echo theirs >a; ln a other")
        actions = ("mv a b; echo x >>c", "mv a b; echo x >>b; echo x >>c", "mv a t; mv b a; mv t b; mv a b2; echo x >>c", "mkdir n; mv a n/a; echo x >>c")
        turn = itertools.cycle(range(len(made)))
        for kind in ("ext4", "xfs", "btrfs"):
            image = Image(self, kind, name="taken")
            for number, action in enumerate(actions):
                for old in ("file", "directory"):
                    if old == "directory" and ">>b" in action:
                        continue
                    new = made[next(turn)]
                    with self.subTest(kind=kind, action=action, old=old, new=new):
                        place = image.mount / f"{number}{old}"
                        place.mkdir()
                        what = "echo own >a; echo b >b" if old == "file" else "mkdir a b; echo own >a/f; echo b >b/f"
                        subprocess.run(["sh", "-euc", what + "; echo c >c" + ("; rm -r b" if "t; mv b" not in action else "")], cwd=place, check=True)
                        before = Tree(place)
                        run = self.try_out(action, cwd=place)
                        self.promote(run)
                        subprocess.run(["sh", "-euc", new], cwd=place, check=True)
                        now = Tree(place)
                        for options in (("--dry-run",), ()):
                            refused = self.call("rollback", run.doc["id"], *options)
                            self.assertEqual((refused.code, [m["path"] for m in refused.doc["moved"]]), (STALE, [str(place / "a")]), refused.out)
                        self.assert_same(now, place)
                        accepted = self.call("rollback", run.doc["id"], "--accept", str(place / "a"))
                        self.assertEqual((accepted.code, accepted.doc["accepted"]), (0, [str(place / "a")]), (accepted.out, accepted.err))
                        [line] = accepted.doc["kept"]
                        kept = Path(line.split(" is kept as ")[1])
                        self.assertTrue(line.startswith(f"{place}/a: "), line)
                        theirs = os.readlink(kept) if kept.is_symlink() else (kept / "x" if kept.is_dir() else kept).read_text().strip()
                        self.assertEqual(theirs, "theirs")
                        (place / "other").unlink(missing_ok=True)
                        self.assert_same(before, place, times=False)
                        self.assertEqual(self.call("rollback", run.doc["id"]).doc["result"], "nothing to do")
                        spared = [s["kept"] for s in self.call("gc", "--all").doc["spared"] if s["id"] == run.doc["id"]]
                        self.assertEqual((spared, kept.is_symlink() or kept.exists()), ([[line]], True))

    def test_a_part_that_would_strand_the_rest(self) -> None:
        """A directory goes back together with what the run changed in it, and what came out of it goes back with it: else 64, naming both."""
        cases = (("mkdir d; echo 1 >d/f; echo orig >d/g", "mv d e; echo n >e/n; echo 2 >e/g; chmod 600 e/f",
                  (("--except", "e/n"), ("--except", "e/g"), ("--except", "e/f"), ("--except", "e/n", "--except", "e/g", "--except", "e/f"))),
                 ("mkdir d; echo 1 >d/f; echo 2 >d/x", "mv d e; rm e/x", (("d/x",),)),
                 ("mkdir d; echo 1 >d/x; echo 2 >d/y", "mv d/x z; rm -r d", (("z", "d/x"),)),
                 ("mkdir a; echo 1 >a/f", "mkdir n; echo n >n/n; mv a n/a", (("--except", "n/a", "--except", "a"),)))
        image = Image(self, "ext4", name="parts")
        for number, (made, action, selections) in enumerate(cases):
            place = image.mount / str(number)
            place.mkdir()
            subprocess.run(["sh", "-euc", made], cwd=place, check=True)
            before = Tree(place)
            run = self.try_out(action, cwd=place)
            self.promote(run)
            now = Tree(place)
            for selection in selections:
                with self.subTest(action=action, selection=selection):
                    words = [w if w.startswith("-") else str(place / w) for w in selection]
                    for options in (("--dry-run",), ()):
                        refused = self.call("rollback", run.doc["id"], *options, *words)
                        self.assertEqual((refused.code, b"both or neither" in refused.err), (64, True), (refused.out, refused.err))
                    self.assert_same(now, place)
            self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
            self.assert_same(before, place)

    def test_attributes_in_a_renamed_directory(self) -> None:
        """They go back where the object is: the rename may stay."""
        image = Image(self, "ext4", name="inside")
        for number, (made, action, part, rest) in enumerate((
                ("mkdir d; echo 1 >d/f; chmod 644 d/f", "mv d e; chmod 600 e/f", "e/f", "e"),
                ("mkdir -p d/s; echo 1 >d/s/f; chmod 644 d/s/f", "mv d e; echo n >e/s/n; chmod 600 e/s/f", "e/s", "e"))):
            with self.subTest(action=action):
                place = image.mount / str(number)
                place.mkdir()
                subprocess.run(["sh", "-euc", made], cwd=place, check=True)
                before = Tree(place)
                run = self.try_out(action, cwd=place)
                self.promote(run)
                for options in (("--dry-run",), ()):
                    done = self.call("rollback", run.doc["id"], str(place / part), *options)
                    self.assertEqual(done.code, 0, (done.out, done.err))
                self.assertEqual(sorted(p.name for p in place.iterdir()), ["e"])
                self.assertEqual([(p.name, p.stat().st_mode & 0o777) for p in (place / part).parent.rglob("*") if p.is_file()], [("f", 0o644)])
                self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
                self.assert_same(before, place)
                self.assertEqual(self.call("rollback", run.doc["id"]).doc["result"], "nothing to do")

    def test_accepted_whatever_became_of_its_directories(self) -> None:
        """What a dry run lets pass is done: there is a place for everything, on the host or in what is named as kept."""
        cases = {
            ("mkdir -p p/d; echo 1 >p/d/x", "mv p q; rm q/d/x", "rmdir q/d"): {"kept": ["1"]},
            ("mkdir -p p/d; echo 1 >p/d/x", "mv p q; mv q/d/x x", "rmdir q/d"): {"x": "1"},
            ("mkdir c; echo 1 >c/x", "mv c b; mkdir c; echo n >c/n; mv b/x x", "mv b z"): {"x": "1", "c": None},
            ("mkdir b c; echo 1 >b/x; echo 2 >c/y", "mv c tmp; mv b c; mv tmp b; mv b/y y", "mv b z"): {"y": "2", "b/x": "1"},
            ("mkdir cur next; echo 1 >cur/d; echo 2 >next/conf", "rm -r cur; mv next cur; echo 3 >>cur/conf", "mv cur z"): {"cur/d": "1", "kept": ["2"], "z/conf": "2\n3"},
            ("mkdir -p p/d; echo 1 >p/d/f; chmod 644 p/d/f", "mv p/d d2; chmod 600 d2/f", "rmdir p"): {"d2/f": "1"},
            ("mkdir -p p/d/s; echo 1 >p/d/s/f", "mv p/d d2; echo n >d2/s/n", "rmdir p"): {"d2/s/f": "1", "d2/s/n": None},
            ("mkdir -p c/x d; echo 1 >d/1", "rm -r d; mv c/x d; echo n >d/n", "rm -r c"): {"d/1": "1", "d/n": None},
            ("mkdir -p c/x d; echo 1 >d/1; echo i >c/x/i", "rm -r d; mv c/x d", "rm -r c"): {"d/1": "1", "d/i": None, "keeps": ["i"]},
        }
        for kind in ("ext4", "xfs", "btrfs"):
            image = Image(self, kind, name="homes")
            for number, ((made, action, edit), then) in enumerate(cases.items()):
                with self.subTest(kind=kind, action=action, edit=edit):
                    place = image.mount / str(number)
                    place.mkdir()
                    subprocess.run(["sh", "-euc", made], cwd=place, check=True)
                    run = self.try_out(action, cwd=place)
                    self.promote(run)
                    subprocess.run(["sh", "-euc", edit], cwd=place, check=True)
                    self.assertEqual(self.call("rollback", run.doc["id"]).code, STALE)
                    dry = self.call("rollback", run.doc["id"], "--dry-run", "--accept", str(place))
                    accepted = self.call("rollback", run.doc["id"], "--accept", str(place))
                    self.assertEqual((dry.code, accepted.code), (0, 0), (accepted.out, accepted.err))
                    self.assertEqual((as_done(dry.doc["kept"]), dry.doc["left_alone"]), (accepted.doc["kept"], accepted.doc["left_alone"]))
                    kept = [Path(line.split(" is kept as ")[1]) for line in accepted.doc["kept"]]
                    for path, content in then.items():
                        if path == "kept":
                            self.assertEqual([p.read_text().strip() for p in kept], content)
                        elif path == "keeps":
                            self.assertEqual([c.name for p in kept for c in p.iterdir()], content)
                            self.assertEqual(accepted.doc["left_alone"], [])
                        elif content is None:
                            self.assertFalse((place / path).exists(), path)
                        else:
                            self.assertEqual((place / path).read_text().strip(), content)
                    self.assertEqual(self.call("rollback", run.doc["id"]).doc["result"], "nothing to do")

    def test_times_and_attributes_that_are_somebodys(self) -> None:
        """They are no more overwritten in silence than contents are; accepted, what the promotion set goes back, and no more."""
        image = Image(self, "ext4", name="theirs")
        place = image.mount / "p"
        place.mkdir()
        subprocess.run(["sh", "-euc", "echo o >f; touch -d 2001-01-01 f; echo 1 >g; chmod 644 g; mkdir d; chmod 755 d"], cwd=place, check=True)
        run = self.try_out("touch -d 2005-01-01 f; chmod 600 g; chmod 700 d; mkdir n; mkfifo n/p", cwd=place)
        self.promote(run)
        with open(place / "f", "a", encoding="ascii") as file:
            file.write("mine\n")
        mine = (place / "f").stat().st_mtime_ns
        for name in "gd":
            os.setxattr(place / name, "user.x", b"precious")
            os.chown(place / name, 5, -1)
        subprocess.run(["sh", "-euc", "touch -r n/p ref; rm n/p; echo precious >n/p; touch -r ref n/p"], cwd=place, check=True)
        moved = ["d", "f", "g", "n/p"]
        self.assertEqual([m["path"] for m in sorted(self.call("rollback", run.doc["id"]).doc["moved"], key=lambda m: m["path"])], [str(place / name) for name in moved])
        accepted = self.call("rollback", run.doc["id"], "--accept", str(place))
        self.assertEqual((accepted.code, accepted.doc["accepted"]), (0, [str(place / name) for name in moved]), (accepted.out, accepted.err))
        self.assertEqual(((place / "f").read_text(), (place / "f").stat().st_mtime_ns), ("o\nmine\n", mine))
        for name, mode in (("g", 0o600), ("d", 0o700)):
            # Whoever gave it away decides who may do what with it.
            self.assertEqual((os.getxattr(place / name, "user.x"), (place / name).stat().st_uid, (place / name).stat().st_mode & 0o777), (b"precious", 5, mode))
        self.assertEqual(sorted(line.split(": ")[0] for line in accepted.doc["left_alone"]), [str(place / name) for name in "dfg"])
        [kept] = accepted.doc["kept"]
        self.assertEqual(Path(kept.split(" is kept as ")[1]).read_text(), "precious\n")

    def test_obstacles_at_an_old_name(self) -> None:
        """What would not let itself be put aside is found before anything changes, and the time of the directory stays as it was."""
        image = Image(self, "ext4", name="aside")
        obstacles = {"echo v >a; chattr +i a": (77, "chattr -i a; rm a"), "mkdir a; mount -t tmpfs x a": (69, "umount a; rmdir a"),
                     "mkdir -p a/m; mount -t tmpfs x a/m": (69, "umount a/m; rm -r a")}
        for number, (made, action) in enumerate((("mkdir a", "mv a b"), ("echo 1 >a", "rm a"), ("echo 1 >a", "mv a t; mv t b"))):
            for edit, (code, undo) in obstacles.items():
                with self.subTest(action=action, edit=edit):
                    place = image.mount / f"{number}{code}{len(edit)}"
                    place.mkdir()
                    subprocess.run(["sh", "-euc", made], cwd=place, check=True)
                    run = self.try_out(action, cwd=place)
                    self.promote(run)
                    subprocess.run(["sh", "-euc", edit], cwd=place, check=True)
                    try:
                        time_before = place.stat().st_mtime_ns
                        for options in (("--dry-run",), ()):
                            refused = self.call("rollback", run.doc["id"], "--accept", str(place), *options)
                            self.assertEqual((refused.code, str(place / "a").encode() in refused.err), (code, True), (refused.out, refused.err))
                        self.assertEqual(place.stat().st_mtime_ns, time_before)
                    finally:
                        subprocess.run(["sh", "-euc", undo], cwd=place, check=True)
                    self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)

    def test_takes_back_what_somebody_has_emptied(self) -> None:
        """Somebody has removed what the promotion put into a new directory: nobody's edit is lost with it."""
        before = Tree(self.host)
        run = self.try_out("mkdir n; echo n >n/n")
        self.promote(run)
        (self.host / "n/n").unlink()
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assert_same(before, self.host)

    def test_attributes_of_what_somebody_has_replaced(self) -> None:
        subprocess.run(["sh", "-euc", "echo 1 >a; echo 2 >b; chmod 644 a b"], cwd=self.host, check=True)
        run = self.try_out("chmod 600 a b")
        self.promote(run)
        subprocess.run(["sh", "-euc", "cp -p a a2; mv a2 a; rm b"], cwd=self.host, check=True)
        result = self.call("rollback", run.doc["id"])
        self.assertEqual((result.code, sorted(m["path"] for m in result.doc["moved"])), (STALE, [str(self.host / n) for n in "ab"]))
        # Its attributes are those of another object, which may have other names.
        accepted = self.call("rollback", run.doc["id"], "--accept", str(self.host))
        self.assertEqual(accepted.code, 0, accepted.out)
        self.assertEqual((self.host / "a").stat().st_mode & 0o777, 0o600)
        self.assertIn(f"{self.host}/a: it is another object now", str(accepted.doc["left_alone"]))
        self.assertIn(f"{self.host}/b: it is gone", str(accepted.doc["left_alone"]))
        again = self.call("rollback", run.doc["id"])
        self.assertEqual((again.code, again.doc["operations"]), (0, []), again.out)

    def test_what_was_given_up_is_in_nobodys_way(self) -> None:
        """Two promotions of one run: what is gone of the later one does not keep the earlier one from going back."""
        (self.host / "a").write_text("1\n")
        run = self.try_out("echo 2 >a; mkdir n; echo n >n/n")
        self.promote(run, "--only", str(self.host / "a"))
        self.promote(run, "--only", str(self.host / "n"))
        subprocess.run(["rm", "-r", self.host / "n"], check=True)
        self.assertEqual(self.call("rollback", run.doc["id"]).code, STALE)
        later = self.call("rollback", run.doc["id"], "--accept", str(self.host / "n"))
        self.assertEqual((later.code, len(later.doc["notes"]), "an older one stays in effect" in str(later.doc["notes"])), (0, 1, True), later.out)
        earlier = self.call("rollback", run.doc["id"])
        self.assertEqual((earlier.code, earlier.doc["notes"], (self.host / "a").read_text()), (0, [], "1\n"), earlier.out)

    def test_a_rewritten_file_that_was_replaced_or_edited(self) -> None:
        for edit in ("rm a; ln other a", "echo edit >>a"):
            with self.subTest(edit=edit):
                subprocess.run(["sh", "-euc", "rm -f a other; echo 1 >a; echo precious >other"], cwd=self.host, check=True)
                run = self.try_out("echo 2 >a")
                with open(self.host / "a", "a", encoding="ascii"):
                    self.promote(run, "--held-open", "in-place")
                subprocess.run(["sh", "-euc", edit], cwd=self.host, check=True)
                now = (self.host / "a").read_text()
                tried = self.call("rollback", run.doc["id"], "--dry-run", "--accept", str(self.host / "a"))
                accepted = self.call("rollback", run.doc["id"], "--accept", str(self.host / "a"))
                self.assertEqual(as_done(tried.doc["kept"]), accepted.doc["kept"])
                self.assertEqual((accepted.code, (self.host / "other").read_text()), (0, "precious\n"), accepted.out)
                if "ln" in edit:
                    self.assertIn("it is another file now", str(accepted.doc["left_alone"]))
                    self.assertEqual((self.host / "a").read_text(), "precious\n")
                    self.assertEqual(Path(accepted.doc["kept"][0].split(": its old bytes are kept as ")[1]).read_text(), "1\n")
                else:
                    self.assertEqual((self.host / "a").read_text(), "1\n")
                    self.assertEqual(Path(accepted.doc["kept"][0].split(" is kept as ")[1]).read_text(), now)
                self.assertEqual([s["kept"] for s in self.call("gc", "--all").doc["spared"] if s["id"] == run.doc["id"]], [accepted.doc["kept"]])

    def test_what_has_got_the_number_of_a_renamed_object(self) -> None:
        """It is not the one that was renamed: it does not go back in its place."""
        for kind in ("ext4", "xfs"):
            image = Image(self, kind, name=f"numbers-{kind}")
            for number, (replace, path) in enumerate((("rm b; echo theirs >b", "b"), ("rm b; mkdir b; echo theirs >b/q", "b"), ("rm b; ln -s /theirs b", "b"),
                                                      ("rm -r e; mkdir e; echo theirs >e/q", "e"), ("rm -r e; echo theirs >e", "e"))):
                with self.subTest(filesystem=kind, replace=replace):
                    top = image.mount / str(number)
                    top.mkdir()
                    subprocess.run(["sh", "-euc", "echo orig >a; mkdir d; echo in >d/in"], cwd=top, check=True)
                    run = self.try_out("mv a b; mv d e", "--no-trace", cwd=top)
                    self.promote(run)
                    time.sleep(0.05)  # longer than a tick: filesystems' times are no finer
                    subprocess.run(["sh", "-euc", replace], cwd=top, check=True)
                    before = Tree(top)
                    back = self.call("rollback", run.doc["id"])
                    self.assertEqual((back.code, [moved["path"] for moved in back.doc["moved"]]), (STALE, [str(top / path)]), back.out)
                    self.assert_same(before, top)

    def test_a_directory_that_is_gone_or_renamed_over(self) -> None:
        subprocess.run(["sh", "-euc", "mkdir d a b; echo 1 >d/a; echo 1 >c; echo b >b/f; echo a >a/f"], cwd=self.host, check=True)
        run = self.try_out("echo 2 >d/a; echo 2 >c; rm -r a; mv b a")
        self.promote(run)
        subprocess.run(["sh", "-euc", "rm -r d; mv a mine; mkdir a; echo theirs >a/t"], cwd=self.host, check=True)
        self.assertEqual(self.call("rollback", run.doc["id"]).code, STALE)
        accepted = self.call("rollback", run.doc["id"], "--accept", str(self.host))
        self.assertEqual(accepted.code, 0, accepted.out)
        self.assertEqual(((self.host / "c").read_text(), (self.host / "a/f").read_text(), (self.host / "mine/f").read_text()), ("1\n", "a\n", "b\n"))
        self.assertIn("its directory is gone; the old object is kept as ", str(accepted.doc["kept"]))
        kept = next(line for line in accepted.doc["kept"] if line.startswith(f"{self.host}/a:")).split(" is kept as ")[1]
        self.assertEqual((Path(kept) / "t").read_text(), "theirs\n")

    def test_obstacles_are_found_before_anything_changes(self) -> None:
        image = Image(self, "ext4")
        top = image.mount / "tree"
        for script, on, off, code, words in (
                ("echo c >>f; rm db", ["mount", "-o", "remount,ro", image.mount], ["mount", "-o", "remount,rw", image.mount], 69, "is mounted read-only"),
                ("chmod 600 f", ["chattr", "+i", top / "f"], ["chattr", "-i", top / "f"], 77, "f is immutable"),
                ("echo c >>f", ["chattr", "+i", top / "f"], ["chattr", "-i", top / "f"], 77, "f is immutable"),
                ("rm d/x", ["chattr", "+i", top / "d"], ["chattr", "-i", top / "d"], 77, "d is immutable"),
                ("mv d e", ["mount", "--bind", "/etc", top / "e"], ["umount", top / "e"], 69, "is a mount point")):
            with self.subTest(script=script):
                subprocess.run(["sh", "-euc", f"rm -rf {top}; mkdir {top}; cd {top}; echo a >f; echo a >db; mkdir d; echo a >d/x"], check=True)
                before = Tree(top)
                run = self.try_out(script, "--no-trace", cwd=top)
                self.promote(run)
                promoted = Tree(top)
                subprocess.run(on, check=True)
                try:
                    result = self.call("rollback", run.doc["id"])
                    self.assertEqual((result.code, words in result.err.decode()), (code, True), (result.out, result.err))
                    self.assertEqual(self.call("recover").doc["recovered"], [])
                finally:
                    subprocess.run(off, check=True)
                self.assert_same(promoted, top)
                back = self.call("rollback", run.doc["id"])
                self.assertEqual(back.code, 0, (back.out, back.err))
                self.assert_same(before, top)

    def test_failed_half_way(self) -> None:
        harness.need("strace")
        subprocess.run(["sh", "-euc", "echo a >f; echo a >g"], cwd=self.host, check=True)
        run = self.try_out("echo b >>f; echo b >>g")
        self.promote(run)
        done = subprocess.run([*injected("renameat2:error=EIO:when=3"), *self.command("rollback", run.doc["id"])], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, ROLLED_BACK, done.stdout)
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)

    def test_a_directory_that_was_replaced_by_its_copy(self) -> None:
        """What stands where something was removed is not in its way if it goes first, with its directory."""
        for number, (setup, script) in enumerate((("mkdir etc; echo 1 >etc/conf", "cp -a etc etc.new; echo 2 >etc.new/conf; mv etc etc.old; mv etc.new etc; rm etc.old/conf"),
                                                  ("mkdir a; echo 1 >a/f", "mv a b; mkdir a; echo 2 >a/f; rm b/f"))):
            with self.subTest(script=script):
                top = self.host / str(number)
                top.mkdir()
                subprocess.run(["sh", "-euc", setup], cwd=top, check=True)
                before = Tree(top)
                run = self.try_out(script, cwd=top)
                self.promote(run)
                self.assertTrue(self.call("show", run.doc["id"]).doc["rollback"]["verified"])
                back = self.call("rollback", run.doc["id"])
                self.assertEqual(back.code, 0, back.out)
                self.assert_same(before, top)
                # And what somebody made at the place that it does come to is.
                again = self.try_out(script, cwd=top)
                self.promote(again)
                place = next(p for p in (top / "etc.old/conf", top / "b/f") if p.parent.exists())
                place.write_text("mine\n")
                refused = self.call("rollback", again.doc["id"])
                self.assertEqual((refused.code, [m["path"] for m in refused.doc["moved"]]), (STALE, [str(place)]), refused.out)
                accepted = self.call("rollback", again.doc["id"], "--accept", str(place))
                self.assertEqual(accepted.code, 0, accepted.out)
                self.assertEqual(differences(before, Tree(top), times=False), [])

    def test_the_directory_of_the_old_name_is_gone(self) -> None:
        for number, script in enumerate(("mv a/b c", "mv a/b c; chmod 700 c", "mv a/b t; echo >a/b; mv t c; rm a/b; echo n >a/n; mv a/n n")):
            with self.subTest(script=script):
                top = self.host / str(number)
                subprocess.run(["sh", "-euc", f"mkdir -p {top}/a/b; echo 1 >{top}/a/b/f; echo 2 >{top}/g"], check=True)
                run = self.try_out(script + "; echo 3 >g", cwd=top)
                self.promote(run)
                subprocess.run(["rm", "-r", top / "a"], check=True)
                result = self.call("rollback", run.doc["id"], "--dry-run")
                self.assertEqual((result.code, [(m["path"], m["now"]) for m in result.doc["moved"]]), (STALE, [(str(top / "a/b"), "its directory is gone")]), result.out)
                self.assertNotIn(b"rehearse again", result.out)
                done = self.call("rollback", run.doc["id"], "--accept", str(top / "a/b"))
                self.assertEqual((done.code, "it stays where it is" in str(done.doc["left_alone"])), (0, True), done.out)
                self.assertEqual(((top / "c/f").read_text(), (top / "g").read_text(), (top / "n").exists()), ("1\n", "2\n", False))
                self.assertEqual(self.call("rollback", run.doc["id"]).doc["result"], "nothing to do")

    def test_says_what_became_of_a_directory(self) -> None:
        (self.host / "d").mkdir()
        (self.host / "d/f").write_text("1\n")
        run = self.try_out("echo 2 >d/f")
        self.promote(run)
        subprocess.run(["sh", "-euc", "mv d e; ln -s e d"], cwd=self.host, check=True)
        result = self.call("rollback", run.doc["id"])
        self.assertEqual((result.code, [m["now"] for m in result.doc["moved"]]), (STALE, ["its directory is a symlink now"]), result.out)
        self.assertIn(b"changed since the promotion (1)", self.call("rollback", run.doc["id"], json_out=False).out)

    def test_is_not_given_up_without_a_word(self) -> None:
        run = self.try_out("echo 2 >f; echo 3 >g")
        self.promote(run)
        refused = self.call("rm", run.doc["id"])
        self.assertEqual((refused.code, b"is promoted" in refused.err, b"rm --force" in refused.err), (TRY_LATER, True, True), refused.err)
        self.assertEqual(self.call("rollback", run.doc["id"], str(self.host / "f")).code, 0)
        self.assertEqual(self.call("rm", run.doc["id"]).code, TRY_LATER)
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assertEqual(self.call("rm", run.doc["id"]).code, 0)

    def test_refuses_what_somebody_writes_to(self) -> None:
        (self.host / "f").write_text("old\n")
        run = self.try_out("echo new >>f; mkdir n; echo in >n/x; mv f g; echo more >>g")
        before = Tree(self.host)
        self.promote(run)
        promoted = Tree(self.host)
        for name in ("g", "n/x"):
            with open(self.host / name, "a", encoding="ascii"):
                result = self.call("rollback", run.doc["id"])
                self.assertEqual((result.code, f"{name} is held open for writing by".encode() in result.err), (TRY_LATER, True), result.err)
                self.assert_same(promoted, self.host)
        with open(self.host / "g", "a", encoding="ascii"):
            done = self.call("rollback", run.doc["id"], "--held-open", "replace")
            self.assertEqual(done.code, 0, done.err)
            self.assertIn("keeps writing to the old file", " ".join(done.doc["notes"]))
        self.assert_same(before, self.host)

    def test_the_rest_is_offered_as_a_command(self) -> None:
        subprocess.run(["sh", "-euc", "echo old >f; echo old >'a b'"], cwd=self.host, check=True)
        run = self.try_out("echo new >f; echo new >'a b'; mkdir -p n/m; echo n >n/m/n")
        self.promote(run)
        subprocess.run(["sh", "-euc", "echo theirs >>'a b'; chmod 600 n/m/n; echo t >n/m/theirs"], cwd=self.host, check=True)
        result = self.call("rollback", run.doc["id"])
        now = {os.fsdecode(harness.path_of(m)).removeprefix(f"{self.host}/"): (m["now"], m["owner"]) for m in result.doc["moved"]}
        self.assertEqual((result.code, sorted(now)), (STALE, ["a b", "n/m/n", "n/m/theirs"]), now)
        self.assertIn("edited since: size 4 -> 11, content, written ", now["a b"][0])
        self.assertIn("edited since: mode 0644 -> 0600", now["n/m/n"][0])
        self.assertIn("made since: file, 2 bytes", now["n/m/theirs"][0])
        self.assertEqual(now["n/m/n"][1], "uid 0")
        command = result.doc["rest"]
        self.assertEqual(command, f"rollback {run.doc['id']} --except '{self.host}/a b' --except {self.host}/n")
        done = self.call(*shlex.split(command))
        self.assertEqual((done.code, (self.host / "f").read_text(), (self.host / "a b").read_text()), (0, "old\n", "new\ntheirs\n"), done.err)

    def test_what_is_in_effect_is_shown(self) -> None:
        run = self.try_out("echo f >f; echo g >g")
        id_ = run.doc["id"]

        def shown() -> tuple[bool, bool, bool]:
            row = next(row for row in self.call("list").doc["runs"] if row["id"] == id_)
            lines = subprocess.run([harness.binary(), "--state", str(self.state), "list"], capture_output=True, check=True).stdout.decode().splitlines()
            return row["promoted"], "[promoted]" in next(line for line in lines if line.startswith(id_)), bool(self.call("show", id_).doc.get("in_effect"))

        self.assertEqual(shown(), (False, False, False))
        self.promote(run)
        self.assertEqual(shown(), (True, True, True))
        self.assertEqual(self.call("rollback", id_, str(self.host / "f")).code, 0)
        self.assertEqual(shown(), (True, True, True), "g is there")
        text = subprocess.run([harness.binary(), "--state", str(self.state), "show", id_], capture_output=True, check=False).stdout.decode()
        self.assertIn("; in effect on the host", text)
        self.assertEqual(self.call("rollback", id_).code, 0)
        self.assertEqual(shown(), (False, False, False))

    def test_names_of_one_file_go_together(self) -> None:
        """Taken back under one of its names alone, a file would be two."""
        subprocess.run(["sh", "-euc", "echo old >a; ln a b; ln a c; echo old >other"], cwd=self.host, check=True)
        before = Tree(self.host)
        run = self.try_out("echo new >>a; ln a d; mkdir n; ln a n/x; echo new >other")
        self.promote(run)
        id_ = run.doc["id"]
        names = [str(self.host / name) for name in "abcd"]
        self.assertEqual(len({os.stat(name).st_ino for name in names}), 1)
        names.append(str(self.host / "n"))
        for words in ([names[0]], [names[3]], names[1:], names[:4], ["--except", names[1]]):
            result = self.call("rollback", id_, *words)
            self.assertEqual((result.code, b"are one object: one of them is left out; select both or neither" in result.err), (64, True), (words, result.out, result.err))
        os.chmod(names[2], 0o600)
        stale = self.call("rollback", id_)
        self.assertEqual(stale.code, STALE, stale.err)
        self.assertEqual(stale.doc["rest"], f"rollback {id_} " + " ".join(f"--except {name}" for name in names))
        self.assertEqual(self.call(*shlex.split(stale.doc["rest"])).code, 0)
        self.assertEqual(((self.host / "other").read_text(), len({os.stat(name).st_ino for name in names[:4]})), ("old\n", 1))
        os.chmod(names[2], 0o644)
        back = self.call("rollback", id_, *names)
        self.assertEqual(back.code, 0, (back.out, back.err))
        self.assert_same(before, self.host)

    def test_a_tree_of_further_names_goes_with_the_files(self) -> None:
        subprocess.run(["sh", "-euc", "mkdir d; for i in $(seq 300); do echo $i >d/$i; done"], cwd=self.host, check=True)
        before = Tree(self.host)
        run = self.try_out("cp -al d n; touch n; chmod 700 n; echo new >>n/7")
        self.promote(run)
        for words in ([str(self.host / "n")], [str(self.host / "d")], ["--except", str(self.host / "d/7")]):
            result = self.call("rollback", run.doc["id"], *words)
            self.assertEqual((result.code, b"are one object: one of them is left out" in result.err), (64, True), (words, result.out[-900:], result.err))
        both = self.call("rollback", run.doc["id"], str(self.host / "d"), str(self.host / "n"), "--dry-run")
        self.assertEqual(both.code, 0, (both.out[-900:], both.err))
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assert_same(before, self.host)

    def test_bytes_that_come_back_need_room(self) -> None:
        """What is rewritten is not renamed: a full filesystem is named before anything is done, or when it is."""
        harness.need("strace")
        image = Image(self, "ext4", "32M")
        self.host = image.mount / "t"
        self.host.mkdir()
        (self.host / "log").write_bytes(os.urandom(4 << 20))
        before = Tree(self.host)
        run = self.try_out("echo short >log")
        with open(self.host / "log", "a", encoding="ascii"):
            self.promote(run, "--held-open", "in-place")
        filler = image.mount / "filler"
        subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=64K"], check=False, capture_output=True)
        for more in ((), ("--dry-run",)):
            full = self.call("rollback", run.doc["id"], *more)
            self.assertEqual((full.code, f"{image.mount} needs 4.0 MiB for what is to come back and has ".encode() in full.err), (73, True), (full.out, full.err))
        filler.unlink()
        # Rehearse works in a mount of its own, in which the path begins at the filesystem's root.
        done = subprocess.run([*injected("pwrite64:error=ENOSPC:when=1"), "-P", "/t/log", *self.command("rollback", run.doc["id"], json_out=False)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, ROLLED_BACK, (done.stdout, done.stderr))
        self.assertIn(f"writing to {self.host}/log: ".encode(), done.stdout)
        self.assertIn(f"make room on {image.mount}\n".encode(), done.stdout)
        self.assertEqual((self.host / "log").read_text(), "short\n")
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assert_same(before, self.host)

    def test_the_rest_keeps_what_was_asked_for(self) -> None:
        """Whatever is offered works when it is pasted, and takes back nothing that was not asked for."""
        subprocess.run(["sh", "-euc", "mkdir d e; echo old >d/f; echo old >d/g; echo old >e/f; mkdir r; echo r >r/r; echo q >\"q'uote\""], cwd=self.host, check=True)
        run = self.try_out("for f in d/f d/g e/f \"q'uote\"; do echo new >\"$f\"; done; mv r r2; echo new >r2/n")
        self.promote(run)
        id_ = run.doc["id"]
        for edit, words, rest in (("echo t >>d/f", [str(self.host / "d"), "--no-units", "--held-open", "replace"], f"rollback {id_} {self.host}/d --except {self.host}/d/f --held-open replace --no-units"),
                                  ("echo t >>d/f", ["--except", str(self.host / "e")], f"rollback {id_} --except {self.host}/e --except {self.host}/d/f"),
                                  ("echo t >>r2/n", [str(self.host / "e"), str(self.host / "r"), str(self.host / "r2")], None),
                                  ("echo t >>\"q'uote\"", [], None)):
            subprocess.run(["sh", "-euc", edit], cwd=self.host, check=True)
            stale = self.call("rollback", id_, *words)
            self.assertEqual((stale.code, stale.doc["kept"]), (STALE, []), stale.out)
            if rest:
                self.assertEqual(stale.doc["rest"], rest)
            tried = self.call(*shlex.split(stale.doc["rest"]), "--dry-run")
            self.assertEqual((tried.code, bool(tried.doc["operations"])), (0, True), (stale.doc["rest"], tried.out, tried.err))
            for operation in tried.doc["operations"]:
                self.assertFalse(words and words[0].startswith("/") and not harness.path_of(operation).decode().startswith((*words, str(self.host))), operation)
        text = subprocess.run([harness.binary(), "--state", str(self.state), "rollback", id_], capture_output=True, check=False).stdout.decode()
        line = next(line for line in text.splitlines() if line.startswith("rest  "))
        shown = subprocess.run(["bash", "-c", line.removeprefix("rest  ").replace("rehearse", harness.binary(), 1) + " --dry-run"], capture_output=True, check=False)
        self.assertEqual(shown.returncode, 0, (line, shown.stderr))

    def test_the_run_may_come_last(self) -> None:
        (self.host / "f").write_text("old\n")
        run = self.try_out("echo new >f; echo n >n")
        self.assertEqual(self.call("promote", "--only", str(self.host / "f"), self.approve(run)).code, 0)
        self.assertFalse((self.host / "n").exists())
        self.assertEqual(self.call("rollback", "--except", str(self.host / "n"), run.doc["id"]).code, 64, "nothing was promoted there")
        self.assertEqual(self.call("rollback", "--accept", str(self.host / "f"), run.doc["id"]).code, 0)
        for verb in ("promote", "rollback"):
            self.assertEqual(self.call(verb, "--accept", "/etc").code, 64)

    def test_paths_and_dry_run(self) -> None:
        subprocess.run(["sh", "-euc", "echo 1 >a; mkdir d; echo 2 >d/b"], cwd=self.host, check=True)
        before = Tree(self.host)
        run = self.try_out("echo x >>a; echo x >>d/b; mv d e")
        self.promote(run)
        promoted = Tree(self.host)
        dry = self.call("rollback", run.doc["id"], "--dry-run")
        self.assertEqual((dry.code, dry.doc["result"]), (0, "dry run"))
        self.assert_same(promoted, self.host)
        one = self.call("rollback", run.doc["id"], str(self.host / "a"))
        self.assertEqual(one.code, 0, one.out)
        self.assertEqual((self.host / "a").read_text(), "1\n")
        self.assertTrue((self.host / "e").exists())
        rest = self.call("rollback", run.doc["id"])
        self.assertEqual(rest.code, 0, rest.out)
        self.assertEqual(differences(before, Tree(self.host)), [], (one.out, rest.out))

    def test_tried_before_it_is_needed(self) -> None:
        """On a stand-in in memory: the host is not touched, and no mount stays."""
        image = Image(self, "tmpfs")
        (image.mount / "f").write_text("old")
        (image.mount / "d").mkdir()
        run = self.try_out("echo new >>f; mv d e; mkfifo p", "--no-trace", cwd=image.mount)
        self.assertFalse(self.call("show", run.doc["id"]).doc["rollback"]["verified"])
        before, mounts = Tree(image.mount), Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        code, said = self.at_terminal("approve", self.name(run), "--reason", "x")
        self.assertEqual(code, 0, said)
        self.assertIn(b"rollback  verified in ", said)
        self.assertIn(b"which lies in memory: not after a reboot", said)
        self.assert_same(before, image.mount)
        self.assertEqual(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape"), mounts)
        shown = self.call("show", run.doc["id"]).doc["rollback"]
        self.assertTrue(shown["verified"])
        self.assertGreater(shown["seconds"], 0)
        self.assertIn(b"rollback  verified in ", self.call("show", run.doc["id"], json_out=False).out)
        self.assertEqual(self.ledger("SELECT verified FROM undo_trials")[0]["verified"], 1)

    def test_the_commands_that_are_printed_can_be_pasted(self) -> None:
        (self.host / "f").write_text("old")
        run = self.try_out("echo new >f")
        code, said = self.at_terminal("approve", self.name(run), "--reason", "x")
        self.assertEqual(code, 0, said)
        for word, content in ((b"next", "new\n"), (b"back", "old")):
            command = next(line for line in said.splitlines() if line.startswith(word + b"  rehearse ")).split(None, 2)[2].decode()
            done = subprocess.run([self.rehearse, *shlex.split(command)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
            self.assertEqual((done.returncode, (self.host / "f").read_text()), (0, content), (command, done.stderr))
            said = done.stdout
        again = self.call("promote", self.name(run), json_out=False)
        self.assertIn(f": rehearse --state {self.state} ".encode(), again.err, "what an error advises, too")

    def test_a_part_leaves_the_rest_its_way_back(self) -> None:
        """What a rollback of a part clears away is its own: the old objects of the rest stay, wherever the store is."""
        for kind in ("root", "ext4", "xfs", "tmpfs"):
            with self.subTest(filesystem=kind):
                top = (Image(self, kind).mount if kind != "root" else self.host) / "tree"
                top.mkdir()
                setup = "echo old-a >a; echo old-b >b; echo old-c >c; mkdir d; echo old-d >d/x; ln a a2; echo t >t; mkdir e"
                subprocess.run(["sh", "-euc", setup], cwd=top, check=True)
                before = Tree(top)
                run = self.try_out("echo new >a; echo new >b; rm c; rm -r d; echo file >d; rm t; mkdir t; rm -r e; echo n >n; chmod 600 a", *([] if kind == "root" else ["--no-trace"]), cwd=top)
                self.promote(run)
                for part in (["n"], ["b", "t"], ["d", "e"]):
                    done = self.call("rollback", run.doc["id"], *(str(top / name) for name in part))
                    self.assertEqual(done.code, 0, (part, done.out, done.err))
                (top / "c").write_text("theirs\n")
                rest = self.call("rollback", run.doc["id"], "--except", str(top / "c"))
                self.assertEqual((rest.code, (top / "a").read_text()), (0, "old-a\n"), (rest.out, rest.err))
                self.assertEqual(self.call("rollback", run.doc["id"]).code, STALE)
                (top / "c").unlink()
                last = self.call("rollback", run.doc["id"])
                self.assertEqual(last.code, 0, (last.out, last.err))
                self.assertEqual(differences(before, Tree(top), times=False), [])
                self.assertFalse((top.parent / ".rehearse").exists(), "nothing is left to be kept")
                self.promote(run)
                self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
                self.assertEqual(self.call("rm", run.doc["id"]).code, 0)

    def test_a_part_of_what_has_no_old_object(self) -> None:
        """Nothing lies in the store any more, and the rest is known by it all the same."""
        image = Image(self, "ext4")
        (image.mount / "f").write_text("f")
        (image.mount / "f").chmod(0o644)
        run = self.try_out("echo n >n; chmod 600 f; echo >m", "--no-trace", cwd=image.mount)
        self.promote(run)
        for part in ("n", "m", "f"):
            done = self.call("rollback", run.doc["id"], str(image.mount / part))
            self.assertEqual(done.code, 0, (part, done.out, done.err))
        rest = self.call("rollback", run.doc["id"])  # times of directories
        self.assertEqual((rest.code, sorted(os.listdir(image.mount))), (0, ["f", "lost+found"]), (rest.out, rest.err))

    def test_a_part_of_what_was_rewritten(self) -> None:
        for kind in ("root", "ext4"):
            with self.subTest(filesystem=kind):
                top = Image(self, kind).mount if kind != "root" else self.host
                subprocess.run(["sh", "-euc", "echo old >a; echo old >b"], cwd=top, check=True)
                run = self.try_out("echo new >a; echo new >b", *([] if kind == "root" else ["--no-trace"]), cwd=top)
                with open(top / "a", "a", encoding="ascii"), open(top / "b", "a", encoding="ascii"):
                    self.promote(run, "--held-open", "in-place")
                for part in ("b", "a"):
                    done = self.call("rollback", run.doc["id"], str(top / part))
                    self.assertEqual((done.code, (top / part).read_text()), (0, "old\n"), (done.out, done.err))

    def test_what_is_kept_aside_is_there(self) -> None:
        """Wherever the store is, and whatever is promoted, taken back or cleared away after that."""
        for kind in ("root", "ext4", "xfs", "tmpfs"):
            with self.subTest(filesystem=kind):
                top = (Image(self, kind).mount if kind != "root" else self.host) / "tree"
                top.mkdir()
                subprocess.run(["sh", "-euc", "for i in a b c e; do echo old >$i; done"], cwd=top, check=True)
                run = self.try_out("for i in a b e; do echo new >$i; done; rm c; mkdir n; echo n >n/n", *([] if kind == "root" else ["--no-trace"]), cwd=top)
                self.promote(run)
                subprocess.run(["sh", "-euc", "echo mine >>a; rm b; echo mine >b; echo mine >c; echo mine >n/mine; echo mine >>n/n"], cwd=top, check=True)
                lines = []
                for part in (["a"], ["b", "n"], []):  # with the rest in effect, and after it
                    done = self.call("rollback", run.doc["id"], *(str(top / name) for name in part), "--accept", str(top))
                    self.assertEqual(done.code, 0, (done.out, done.err))
                    lines += done.doc["kept"]
                self.assertEqual(len(lines), 5, lines)

                def assert_kept() -> None:
                    for line in lines:
                        self.assertIn("mine\n", Path(line.split(" is kept as ")[1]).read_text(), line)

                assert_kept()
                self.assertEqual([(top / name).read_text() for name in "abce"], ["old\n"] * 4)
                self.assertEqual(sorted(next(s["kept"] for s in self.call("gc", "--all").doc["spared"] if s["id"] == run.doc["id"])), sorted(lines))
                redo = self.call("promote", self.approve(run))
                self.assertEqual(redo.code, DATA_ERROR if kind == "root" else 0, (redo.out, redo.err))
                self.assertEqual(b"was kept aside" in redo.err, kind == "root", redo.err)
                if kind != "root":
                    self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
                assert_kept()
                self.assertEqual(self.call("rm", run.doc["id"]).code, TRY_LATER)
                self.assertEqual(self.call("rm", "--force", run.doc["id"]).code, 0)

    def test_a_failed_one_is_tried_again(self) -> None:
        """Copies that it had made of edits are no obstacle to the next."""
        harness.need("strace")
        for kind in ("root", "ext4"):
            with self.subTest(filesystem=kind):
                top = Image(self, kind).mount if kind != "root" else self.host
                subprocess.run(["sh", "-euc", "echo old >a; echo old >b"], cwd=top, check=True)
                run = self.try_out("echo new >a; echo new >b", *([] if kind == "root" else ["--no-trace"]), cwd=top)
                with open(top / "a", "a", encoding="ascii"):
                    self.promote(run, "--held-open", "in-place")
                with open(top / "a", "a", encoding="ascii") as file:
                    file.write("mine\n")
                words = self.command("rollback", run.doc["id"], "--accept", str(top / "a"))
                done = subprocess.run([*injected("renameat2:error=EIO:when=2"), *words], capture_output=True, check=False, stdin=subprocess.DEVNULL)
                self.assertEqual((done.returncode, (top / "a").read_text()), (ROLLED_BACK, "new\nmine\n"), done.stdout)
                again = self.call("rollback", run.doc["id"], "--accept", str(top / "a"))
                self.assertEqual((again.code, (top / "a").read_text(), (top / "b").read_text()), (0, "old\n", "old\n"), (again.out, again.err))
                self.assertEqual(Path(again.doc["kept"][0].split(" is kept as ")[1]).read_text(), "new\nmine\n")

    def test_interrupted_at_its_end(self) -> None:
        """Recovery clears away no more than the rollback would have."""
        harness.need("strace")
        for kind in ("ext4", "tmpfs"):
            with self.subTest(filesystem=kind):
                top = Image(self, kind).mount / "tree"
                top.mkdir()
                subprocess.run(["sh", "-euc", "for i in a b c; do echo old-$i >$i; done"], cwd=top, check=True)
                before = Tree(top)
                run = self.try_out("for i in a b c; do echo new >$i; done; mkdir n; echo n >n/n", *([] if kind == "root" else ["--no-trace"]), cwd=top)
                self.promote(run)
                (top / "b").write_text("mine\n")
                # At the first renameat2 after those of the operations: when its journal goes to the run.
                words = self.command("rollback", run.doc["id"], "--except", str(top / "a"), "--accept", str(top / "b"))
                done = subprocess.run([*injected("renameat2:signal=SIGKILL:when=5"), *words], capture_output=True, check=False, stdin=subprocess.DEVNULL)
                self.assertIn(done.returncode, (-9, 137), done.stdout)
                recovered = self.call("recover").doc["recovered"]
                self.assertEqual([one["result"] for one in recovered], ["finished"])
                kept = next(s["kept"] for s in self.call("gc", "--all").doc["spared"] if s["id"] == run.doc["id"])
                self.assertEqual(Path(kept[0].split(" is kept as ")[1]).read_text(), "mine\n")
                back = self.call("rollback", run.doc["id"])
                self.assertEqual(back.code, 0, (back.out, back.err))
                self.assertEqual(differences(before, Tree(top), times=False), [])
                self.assertEqual(Path(kept[0].split(" is kept as ")[1]).read_text(), "mine\n")

    def test_interrupted_and_undone(self) -> None:
        """What was to be kept aside has its place again: nothing is named that is not there."""
        harness.need("strace")
        for number, when in enumerate(("renameat2:signal=SIGKILL:when=3", "renameat2:signal=SIGKILL:when=1")):  # with a rename done; before the first
            for kind in ("root", "ext4"):
                with self.subTest(when=when, filesystem=kind):
                    top = (Image(self, kind, name=f"image{number}").mount if kind != "root" else self.host) / str(number)
                    top.mkdir()
                    subprocess.run(["sh", "-euc", "for i in a b c; do echo old-$i >$i; done"], cwd=top, check=True)
                    run = self.try_out("for i in a b c; do echo new >$i; done", *([] if kind == "root" else ["--no-trace"]), cwd=top)
                    self.promote(run)
                    for name in "abc":
                        (top / name).write_text("mine\n")
                    edited = Tree(top)
                    words = self.command("rollback", run.doc["id"], "--accept", str(top))
                    done = subprocess.run([*injected(when), *words], capture_output=True, check=False, stdin=subprocess.DEVNULL)
                    self.assertIn(done.returncode, (-9, 137), done.stdout)
                    self.assertEqual([one["result"] for one in self.call("recover").doc["recovered"]], ["undone"])
                    self.assert_same(edited, top)
                    self.assertEqual((self.state / "runs" / run.doc["id"] / "kept-aside").read_bytes(), b"")
                    back = self.call("rollback", run.doc["id"], "--accept", str(top))
                    self.assertEqual((back.code, [(top / name).read_text() for name in "abc"]), (0, ["old-a\n", "old-b\n", "old-c\n"]), (back.out, back.err))
                    self.assertEqual([Path(line.split(" is kept as ")[1]).read_text() for line in back.doc["kept"]], ["mine\n"] * 3)

    def test_written_into_while_it_is_taken_back(self) -> None:
        """What comes into a new directory after it was looked at is not swept away with it."""
        harness.need("strace")
        for kind in ("root", "ext4", "tmpfs"):
            with self.subTest(filesystem=kind):
                top = (Image(self, kind).mount if kind != "root" else self.host) / "tree"
                top.mkdir()
                (top / "f").write_text("old\n")
                run = self.try_out("echo new >f; mkdir -p n/m; echo n >n/m/n", *([] if kind == "root" else ["--no-trace"]), cwd=top)
                self.promote(run)
                promoted = Tree(top)
                argv = [*injected("renameat2:delay_enter=900000:when=2"), *self.command("rollback", run.doc["id"])]
                with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                    self.assertTrue(harness.wait_for(lambda: bool(list((self.state / "promotions").glob("*.ready"))) or process.poll() is not None))
                    time.sleep(0.2)
                    (top / "n/m/theirs").write_text("theirs\n")
                    out, err = process.communicate(timeout=60 * harness.SLOW)
                self.assertEqual((process.returncode, b"n/m/theirs was changed meanwhile" in out + err), (STALE, True), (out, err))
                self.assertEqual((top / "n/m/theirs").read_text(), "theirs\n")
                (top / "n/m/theirs").unlink()
                self.assertEqual(differences(promoted, Tree(top), times=False), [])
                self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)

    def test_again_when_all_is_back(self) -> None:
        for kind in ("root", "ext4", "tmpfs"):
            with self.subTest(filesystem=kind):
                image = Image(self, kind) if kind != "root" else None
                top = image.mount if image else self.host
                subprocess.run(["sh", "-euc", "echo old >a; echo old >b"], cwd=top, check=True)
                run = self.try_out("echo new >a; echo new >b", *([] if kind == "root" else ["--no-trace"]), cwd=top)
                for options in (["--only", str(top / "a")], []):
                    self.promote(run, *options)
                    self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
                    for _ in range(2):
                        again = self.call("rollback", run.doc["id"])
                        self.assertEqual((again.code, again.doc["result"]), (0, "nothing to do"), again.err)
                if image and kind == "ext4":
                    subprocess.run(["umount", image.mount], check=True)
                    self.assertEqual(self.call("rollback", run.doc["id"]).doc["result"], "nothing to do")
                    subprocess.run(["mount", "-o", "loop", image.file, image.mount], check=True)
                self.assertEqual(self.call("rm", run.doc["id"]).code, 0)

    def test_names_what_was_written_into_a_removed_tree(self) -> None:
        """By somebody who had it open: a file in it is as much somebody's as one that was removed by itself."""
        for number, script in enumerate(("echo x >>a; rm -r d; rm b", "rm -r d", "rm -r d; echo file >d")):
            for kind in ("root", "ext4", "xfs", "tmpfs"):
                with self.subTest(script=script, filesystem=kind):
                    top = (Image(self, kind, name=f"late{number}").mount if kind != "root" else self.host) / str(number)
                    top.mkdir()
                    subprocess.run(["sh", "-euc", "mkdir -p d/e; echo q >d/e/q; ln d/e/q d/l; echo r >d/r; echo s >d/s; echo a >a; echo b >b"], cwd=top, check=True)
                    before = Tree(top)
                    run = self.try_out(script, *([] if kind == "root" else ["--no-trace"]), cwd=top)
                    names = ["d/r", "d/e/q"] + ["a"] * ("a" in script)
                    with contextlib.ExitStack() as stack:
                        files = [stack.enter_context(open(top / name, "a", encoding="ascii")) for name in names]
                        inside = os.open(top / "d/e", os.O_RDONLY)
                        self.promote(run, "--held-open", "replace")
                        for file in files:
                            file.write("late\n")
                        os.close(os.open("made", os.O_WRONLY | os.O_CREAT, dir_fd=inside))
                        os.close(inside)
                    wanted = sorted(str(top / name) for name in [*names, "d/l", "d/e/made"])
                    refused = self.call("rollback", run.doc["id"])
                    self.assertEqual((refused.code, sorted(m["path"] for m in refused.doc["moved"])), (STALE, wanted), refused.out)
                    some = self.call("rollback", run.doc["id"], "--accept", str(top / "d/e"), "--accept", str(top / "a"))
                    self.assertEqual((some.code, sorted(m["path"] for m in some.doc["moved"])), (STALE, [str(top / "d/l"), str(top / "d/r")]), some.out)
                    accepted = self.call("rollback", run.doc["id"], "--accept", str(top))
                    self.assertEqual((accepted.code, sorted(accepted.doc["accepted"])), (0, wanted), accepted.out)
                    self.assertEqual([(top / name).read_text()[-5:] for name in names], ["late\n"] * len(names))
                    (top / "d/e/made").unlink()
                    for name in names:
                        os.truncate(top / name, 2)
                    self.assertEqual(differences(before, Tree(top), times=False), [])

    def test_of_a_removed_tree_that_nobody_touched(self) -> None:
        """Neither one that failed and was undone, nor a part that went back, is somebody's doing."""
        harness.need("strace")
        image = Image(self, "ext4")
        top = image.mount / "tree"
        top.mkdir()
        subprocess.run(["sh", "-euc", "mkdir -p d/e; echo q >d/e/q; echo x >d/e/x; echo h >h; ln h d/h; echo f >f"], cwd=top, check=True)
        before = Tree(top)
        run = self.try_out("mv d/e/x x; rm -r d; rm h; echo g >>f", "--no-trace", cwd=top)
        self.promote(run)
        done = subprocess.run([*injected("renameat2:error=EIO:when=5"), *self.command("rollback", run.doc["id"])], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, ROLLED_BACK, done.stdout)
        for part in ("h", "f"):
            self.assertEqual(self.call("rollback", run.doc["id"], str(top / part)).code, 0, part)
        back = self.call("rollback", run.doc["id"])
        self.assertEqual(back.code, 0, back.out)
        self.assertEqual(differences(before, Tree(top), times=False), [])

    def test_promoted_again_before_it_is_taken_back(self) -> None:
        """What the run had is on the host by then: nobody has changed the bundle."""
        for path, edit in (("a", "echo mine >>a"), ("n", "echo mine >>n"), ("d/n", "echo mine >>d/n")):
            with self.subTest(path=path):
                subprocess.run(["sh", "-euc", "rm -rf *; echo old >a; echo old >b"], cwd=self.host, check=True)
                run = self.try_out("echo new >a; echo n >n; mkdir d; echo n >d/n; echo new >b")
                self.promote(run, "--except", str(self.host / "b"))
                subprocess.run(["sh", "-euc", edit], cwd=self.host, check=True)
                now = Tree(self.host)
                again = self.call("promote", self.approve(run), "--except", str(self.host / "b"), "--accept", str(self.host))
                self.assertEqual((again.code, b"is in effect" in again.err, b"bundle was changed" in again.err), (TRY_LATER, True, False), (again.out, again.err))
                self.assertIn(f"rollback {run.doc['id']}".encode(), again.err)
                self.assert_same(now, self.host)
                self.promote(run, "--only", str(self.host / "b"))
                for _ in range(2):
                    back = self.call("rollback", run.doc["id"], "--accept", str(self.host))
                    self.assertEqual(back.code, 0, (back.out, back.err))
                self.assertEqual([(p.name, p.read_text()) for p in sorted(self.host.iterdir())], [("a", "old\n"), ("b", "old\n")])

    def test_of_what_was_never_promoted(self) -> None:
        run = self.try_out("true")
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 64)


class Clear(PromoteCase):
    """A person is told what is, where, and what to do about it."""

    def test_what_is_approved_is_not_collected(self) -> None:
        run, other = self.try_out("echo f >f"), self.try_out("echo g >g")
        name = self.approve(run)
        for options in (["--keep", "0"], ["--all"], ["--older-than", "0s"], ["--max-size", "0"]):
            with self.subTest(options=options):
                said = self.call("gc", *options, "--dry-run", json_out=False).out.decode()
                self.assertIn("; 1 of them approved, kept until that is used or expires\n", said)
                result = self.call("gc", *options, "--dry-run").doc
                self.assertEqual(([gone["id"] for gone in result["removed"]], result["kept_approved"]), ([other.doc["id"]], 1))
        forced = self.call("gc", "--all", "--force", "--dry-run")
        self.assertEqual({gone["id"]: gone["approved"] for gone in forced.doc["removed"]}, {run.doc["id"]: True, other.doc["id"]: False})
        self.assertIn(b"; it is approved, and cannot be promoted any more", self.call("gc", "--all", "--force", "--dry-run", json_out=False).out)
        self.assertEqual(self.call("gc", "--all").code, 0)
        self.assertEqual(self.call("promote", name).code, 0)
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assertEqual([gone["id"] for gone in self.call("gc", "--all").doc["removed"]], [run.doc["id"]], "the approval is used")
        for end in (["--expires", "1ms"], None):
            last = self.try_out("echo f >f")
            self.assertEqual(self.at_terminal("approve", self.name(last), "--reason", "a test", *(end or []))[0], 0)
            if end is None:
                self.assertEqual(self.at_terminal("revoke", self.name(last), "--reason", "a test")[0], 0)
            time.sleep(0.01)
            self.assertEqual([gone["id"] for gone in self.call("gc", "--all").doc["removed"]], [last.doc["id"]])

    def test_which_entry_of_a_listed_directory_came_or_went(self) -> None:
        for edit, words in (("echo >new", "; came since: new (uid 0)"), ("rm a", "; gone since: a"), ("mv ../o 'an old one'", "; came or was edited since: 'an old one' (uid 0)"),
                            ("mv a z", "; gone since: a; came or was edited since: z (uid 0)"), ("rm b", "which one is not on record"), ("chmod 700 .", "; mode 0755 -> 0700"),
                            ("chown 33 .", "; its attributes were changed, not its entries"), ("for i in 0 1 2 3 4 5 6 7 8 9; do echo >n$i; done", "n7 (uid 0) and 2 more")):
            with self.subTest(edit=edit):
                subprocess.run(["sh", "-euc", "rm -rf d o; mkdir -m 755 d; echo >d/a; echo >d/b; echo >o; sleep 0.02"], cwd=self.host, check=True)
                name = self.approve(self.try_out("ls d >f; cat d/a"))
                time.sleep(0.02)
                subprocess.run(["sh", "-euc", edit], cwd=self.host / "d", check=True)
                facts = {m["path"]: m["now"] for m in self.call("promote", name).doc["moved"]}
                self.assertIn(words, facts[str(self.host / "d")])

    def test_values_that_differ_are_labelled(self) -> None:
        """By when they were so: what the run would do is nothing that has happened on the host."""
        run = self.try_out("echo new >f; cat g >h; ls . >l")
        name = self.approve(run)
        (self.host / "f").write_text("theirs\n")
        self.assertEqual(self.call("promote", name).code, STALE)
        said = self.call("promote", name, json_out=False).out.decode()
        self.assertRegex(said, rf"(?m)^  {self.host}/f  \(the run changed it\)\n      when rehearsed  nothing\n      now             file, 7 bytes.*\n      owner           uid 0$")
        self.assertRegex(said, rf"(?m)^  {self.host}  \(the run listed it\)\n      when rehearsed  directory.*\n      now             directory.*; came since: f")
        self.assertEqual(self.call("promote", name, "--accept", str(self.host)).code, 0)
        (self.host / "f").write_text("again\n")
        back = self.call("rollback", run.doc["id"], json_out=False).out.decode()
        self.assertRegex(back, rf"(?m)^  {self.host}/f\n      when promoted   .*\n      now             ")

    def test_untraced_too(self) -> None:
        for edit, words in (("rm d/a", "; an entry came, went or has got another name"), ("chmod 700 d", "; its attributes were changed, not its entries")):
            with self.subTest(edit=edit):
                subprocess.run(["sh", "-euc", "rm -rf d; mkdir d; echo >d/a; sleep 0.02"], cwd=self.host, check=True)
                name = self.approve(self.try_out("echo >f", "--no-trace"))
                time.sleep(0.02)
                subprocess.run(["sh", "-euc", edit], cwd=self.host, check=True)
                facts = {m["path"]: m["now"] for m in self.call("promote", name).doc["moved"]}
                self.assertIn(words, facts[str(self.host / "d")])

    def test_what_is_promoted_already(self) -> None:
        """Its approval is used: that it is there is the better answer than that it wants one."""
        run = self.try_out("echo f >f; echo g >g")
        id_, name = run.doc["id"], self.name(run)
        self.promote(run)
        for options in ([], ["--only", str(self.host / "f")]):
            again = self.call("promote", name, *options)
            self.assertEqual((again.code, f"it is promoted already, by {id_}/1, and is in effect" in again.err.decode(), f"rollback {id_}" in again.err.decode()), (NOT_APPROVED, True, True), again.err)
        said = self.at_terminal("approve", name, "--reason", "a test")[1].decode()
        self.assertIn(f"note  it is promoted already, by {id_}/1, and is in effect; it can be promoted anew after: rehearse --state {self.state} rollback {id_}", said)
        self.assertEqual(self.call("rollback", id_, str(self.host / "f")).code, 0)
        self.assertIn("note  a part of it is promoted already and in effect: ", self.at_terminal("approve", name, "--reason", "a test")[1].decode())
        self.assertEqual(self.call("rollback", id_).code, 0)
        self.assertNotIn("note  ", self.at_terminal("approve", name, "--reason", "a test")[1].decode())
        self.assertEqual(self.call("promote", name, "--only", str(self.host / "f")).code, 0)
        rest = self.call("promote", name)
        self.assertEqual((rest.code, b"was used by" in rest.err), (NOT_APPROVED, True), "a part does not stand for all of it")

    def test_the_plan_is_what_would_be_done(self) -> None:
        """Where something has come or gone, and may go, that is in the list of operations."""
        (self.host / "gone").write_text("old\n")
        (self.host / "edit").write_text("old\n")
        name = self.approve(self.try_out("echo n >n; rm gone; echo new >edit; echo m >m"))
        subprocess.run(["sh", "-euc", "rm gone edit; echo theirs >n"], cwd=self.host, check=True)
        plan = self.call("promote", name, "--accept", str(self.host), "--dry-run")
        self.assertEqual(plan.code, 0, plan.out)
        done = self.call("promote", name, "--accept", str(self.host))
        self.assertEqual(done.code, 0, done.out)
        for result in (plan, done):
            self.assertEqual({o["path"].removeprefix(f"{self.host}/"): o["what"] for o in result.doc["operations"] if o["path"] != str(self.host)}, {"n": "replace", "edit": "put", "m": "put"})

    def test_diff_of_what_the_run_did_not_change(self) -> None:
        self.try_out("echo f >f")
        (self.host / "g").write_text("g\n")
        for json_out in (True, False):
            result = self.call("diff", "last", str(self.host / "f"), str(self.host / "g"), json_out=json_out)
            self.assertEqual((result.code, f"{self.host}/g: the run did not change it" in result.err.decode(), b"+f" in result.out), (harness.USAGE, True, True), result.err)
        asked = self.call("diff", "last", str(self.host / "g"), "--exit-code")
        self.assertEqual((asked.code, asked.doc["changes"], asked.doc["unchanged"]), (0, [], [{"path": str(self.host / "g"), "why": "the run did not change it"}]))

    def test_a_glob_that_matches_nothing_is_told(self) -> None:
        image = Image(self, "ext4")
        (image.mount / "r").write_text("r\n")
        slip = f"{image.mount}/typo/**"
        for trace in ([], ["--no-trace"]):
            with self.subTest(trace=trace):
                name = self.approve(self.try_out("cat r >f", *trace, cwd=image.mount))
                time.sleep(0.02)
                (image.mount / "r").write_text("edit\n")
                stale = self.call("promote", name, "--stale-ignore", slip)
                self.assertEqual((stale.code, any(note.startswith(f"--stale-ignore {slip} matches nothing") for note in stale.doc["notes"])), (STALE, True), stale.doc["notes"])
                dry = self.call("promote", name, "--stale-ignore", f"{image.mount}/r", "--stale-ignore", slip, "--dry-run")
                self.assertEqual((dry.code, [note.split()[1] for note in dry.doc["notes"] if "matches nothing" in note]), (0, [slip]), dry.doc)

    def test_no_system_call_where_a_path_leads_nowhere(self) -> None:
        for edit, words in (("rm -r d", "it is gone"), ("mv d e; ln -s e d", "it is a symlink now"), ("rm -r d; echo >d", "no directory any more")):
            with self.subTest(edit=edit):
                subprocess.run(["sh", "-euc", "rm -rf d e; mkdir -p d/s; echo >d/s/f"], cwd=self.host, check=True)
                name = self.approve(self.try_out("echo new >d/s/f"))
                subprocess.run(["sh", "-euc", edit], cwd=self.host, check=True)
                result = self.call("promote", name)
                said = str(result.doc["moved"]) + result.doc["why"]
                self.assertEqual((result.code, "openat" in said, words in said), (STALE, False, True), said)

    def test_one_operation(self) -> None:
        (self.host / "f").write_text("old\n")
        run = self.try_out("chmod 600 f")
        said = self.call("promote", self.approve(run), json_out=False).out.decode()
        self.assertIn("\n1 operation; checked in ", said)

    def test_a_rollback_of_nothing(self) -> None:
        """Where all that there was is left out, none has been made."""
        run = self.try_out("echo n >n; echo m >m")
        self.promote(run)
        for options in (["--except", str(self.host / "n"), "--except", str(self.host / "m")], ["--except", str(self.host)]):
            before = Tree(self.host)
            result = self.call("rollback", run.doc["id"], *options)
            self.assertEqual((result.code, result.doc["result"], result.doc["id"]), (0, "nothing to do", None), result.out)
            self.assert_same(before, self.host)
            self.assertEqual([row["kind"] for row in self.ledger("SELECT kind FROM promotions")], ["promote"])
            said = self.call("rollback", run.doc["id"], *options, json_out=False).out.decode()
            self.assertIn(f"nothing to do  {run.doc['id']}\n  everything that is in effect is left out\n", said)
        self.assertEqual(self.call("rollback", run.doc["id"], str(self.host / "n")).doc["id"], f"{run.doc['id']}/2")
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)


class Random(PromoteCase):
    """Random operations (random_operations.py) natively and promoted; then back, and some again.

    REHEARSE_SEQUENCES sets how many are tried on each filesystem, REHEARSE_SEED the first, REHEARSE_FILESYSTEMS where.
    """

    def test_sequences(self) -> None:
        first = int(os.environ.get("REHEARSE_SEED", "1"))
        count = int(os.environ.get("REHEARSE_SEQUENCES", "4"))
        kinds = os.environ.get("REHEARSE_FILESYSTEMS", "root ext4 xfs btrfs tmpfs").split()
        for kind in kinds:
            image = Image(self, kind) if kind != "root" else None
            top = image.mount / "tree" if image else self.host
            if not harness.takes_user_attributes(top.parent):
                with self.subTest(filesystem=kind):
                    harness.skip(f"{kind} takes no user.* attributes on this kernel (tmpfs before 6.6), and the sequences set some")
                continue
            for seed in range(first, first + count):
                # Without a trace everything on the changed mount is compared, which a busy root never survives.
                options = ["--no-trace"] if image and seed % 2 else []
                with self.subTest(filesystem=kind, seed=seed):
                    self.one(seed, top, options)

    def through_own_links(self, run: harness.Result) -> list[str]:
        """What was looked at through a symlink that the action made and took away again has no path on the host."""
        tried = self.call("promote", self.name(run), "--dry-run")
        moved = tried.doc["moved"] if tried.code == STALE else []
        gone = [harness.path_of(m) for m in moved if m["use"] == "looked at" and m["now"] == "nothing"]
        return [word for path in gone if not os.path.lexists(path) for word in ("--accept", os.fsdecode(path))]

    def natively(self, promoted: harness.Result, top: Path) -> Tree:
        """But for blocks of files that a promotion says it leaves as they are on the host."""
        native, now = Tree(self.base / "native"), Tree(top)
        for left in promoted.doc["left_out"]:
            path = os.fsencode(harness.path_of(left)).removeprefix(os.fsencode(top))
            self.assertIn("allocated", left["why"])
            native.entries[path] = dataclasses.replace(native.entries[path], blocks_fewer_than_size=now.entries[path].blocks_fewer_than_size)
        return native

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
        promoted = self.promote(run, *self.through_own_links(run))
        trial = self.call("show", run.doc["id"]).doc["rollback"]
        self.assertEqual((trial["verified"], trial["why"]), (True, ""), native.stdout.decode())
        wanted = self.natively(promoted, top)
        self.assertEqual(differences(wanted, Tree(top), recent=started), [], native.stdout.decode())
        back = self.call("rollback", run.doc["id"])
        self.assertEqual(back.code, 0, (back.out[-3000:], back.err, native.stdout))
        self.assertEqual(differences(before, Tree(top)), [], native.stdout.decode())
        self.assertFalse((top.parent / ".rehearse").exists(), "the store is gone with what it kept")
        if seed % 3 == 0:
            self.promote(run, *self.through_own_links(run))
            self.assertEqual(differences(wanted, Tree(top), recent=started), [], native.stdout.decode())
            self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)


if __name__ == "__main__":
    main_in_private_mounts()
