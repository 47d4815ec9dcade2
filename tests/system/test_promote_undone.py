"""A promotion or rollback that is taken back: nothing of it stays, and nothing of what somebody did meanwhile is lost or laid open."""

from __future__ import annotations

import collections
import contextlib
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Iterator

import harness
from promotion import INCOMPLETE, ROLLED_BACK, STALE, Image, PromoteCase, Tree, differences, injected, main_in_private_mounts


class Moved(PromoteCase):
    """A promotion that is taken back while, or after, somebody moves what it works in: nothing of it stays, and recovery ends."""

    COUNT = 40
    SETUP = "for i in $(seq 40); do mkdir -p d/s$i; echo old $i >d/s$i/f; echo gone $i >d/s$i/g; done; mkdir d/t away; touch -d 2001-02-03 d/s7 d"
    # Renames in this order: what goes (g), then what comes (f, n), then attributes.
    ACTION = "for i in $(seq 40); do echo new >>d/s$i/f; rm d/s$i/g; mkdir d/s$i/n; echo n >d/s$i/n/o; done; chmod 700 d/t; mv away d/came"

    def setUp(self) -> None:
        super().setUp()
        harness.need("strace")
        subprocess.run(["bash", "-euc", self.SETUP], cwd=self.host, check=True)
        self.old = Tree(self.host)
        self.name_ = self.approve(self.try_out(self.ACTION, cwd=self.host))

    def killed(self, when: str) -> None:
        done = subprocess.run([*injected(when), *self.command("promote", self.name_)], capture_output=True, check=False,
                              stdin=subprocess.DEVNULL)
        self.assertIn(done.returncode, (-9, 137), done.stderr)

    def recovered(self, way: str, *named: str) -> harness.Result:
        result = self.call("recover")
        self.assertEqual((result.code, [one["result"] for one in result.doc["recovered"]]), (0, [way]), (result.out, result.err))
        notes = result.doc["recovered"][0]["notes"]
        self.assertEqual(len(notes), len(named), notes)
        for words in named:
            self.assertTrue(any(words in note for note in notes), (words, notes))
        self.assertEqual(self.call("recover").doc["recovered"], [])
        return result

    @contextlib.contextmanager
    def mover(self, on_its_way: bool = True) -> Iterator[None]:
        """Somebody who moves the directory away and back all the time, and a symlink stands there meanwhile."""
        outside = self.base / "outside"
        outside.mkdir(exist_ok=True)
        stop = threading.Event()

        def loop() -> None:
            while not stop.is_set():
                os.rename(self.host / "d", self.base / "real")
                os.symlink(outside, self.host / "d")
                if on_its_way:
                    time.sleep(0.001)
                os.unlink(self.host / "d")
                os.rename(self.base / "real", self.host / "d")

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.assertEqual(list(outside.iterdir()), [])

    def assert_old(self) -> None:
        times = os.stat(self.host).st_mtime_ns
        now = Tree(self.host)
        now.entries[b""].mtime = self.old.entries[b""].mtime  # the mover has written there
        self.assertEqual(differences(self.old, now), [], times)

    def test_while_it_is_promoted(self) -> None:
        """From the middle of the renames on, and from the beginning."""
        ends: collections.Counter[int] = collections.Counter()
        for round_ in range(12):
            argv = self.command("promote", self.name_, "--accept", str(self.host))
            late = round_ % 4 != 3
            if late:
                argv = [*injected(f"renameat2:delay_enter=700000:when={10 + 10 * round_}"), *argv]
            with contextlib.ExitStack() as moved:
                if not late:
                    moved.enter_context(self.mover())
                process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                if late:
                    self.assertTrue(harness.wait_for(lambda: list((self.state / "promotions").glob("*.ready")) or process.poll() is not None))
                    time.sleep(0.3)
                    moved.enter_context(self.mover(round_ % 2 == 0))
                out, err = process.communicate(timeout=60 * harness.SLOW)
            code = process.returncode
            ends[code] += 1
            self.assertIn(code, (0, STALE, 16), (out[-2000:], err))
            if code == 0:
                self.assertEqual(self.call("rollback", "last").code, 0)
                self.name_ = self.approve(self.try_out(self.ACTION, cwd=self.host))
            self.assertEqual(self.call("recover").doc["recovered"], [])
            self.assert_old()
        print(dict(ends))

    def test_while_it_is_recovered(self) -> None:
        for number in (3, 30, 60, 100, 120):
            with self.subTest(number=number):
                self.killed(f"renameat2:signal=SIGKILL:when={number}")
                with self.mover(number % 20 == 0):
                    self.recovered("undone")
                self.assert_old()

    def test_away_for_good(self) -> None:
        self.killed("renameat2:signal=SIGKILL:when=100")
        os.rename(self.host / "d", self.base / "real")
        self.recovered("undone")
        os.rename(self.base / "real", self.host / "d")
        self.assert_old()

    def test_gone(self) -> None:
        self.killed("renameat2:signal=SIGKILL:when=50")
        subprocess.run(["rm", "-rf", self.host / "d/s40", self.host / "d/s39"], check=True)
        result = self.recovered("undone", "d/s40/g: its directory is gone; it is kept as", "d/s39/g: its directory is gone; it is kept as")
        kept = result.doc["recovered"][0]["notes"][0].split(" kept as ")[1]
        self.assertIn("gone", Path(kept).read_text())
        now = Tree(self.host)
        self.assertEqual(differences(self.old, now, times=False), [f"only left: {b'/d/s' + i + rest!r}" for i in (b"39", b"40") for rest in (b"", b"/f", b"/g")])

    def test_replaced_by_what_has_got_its_number(self) -> None:
        """A filesystem gives the number of what was removed to what is made next: it is somebody's all the same."""
        image = Image(self, "ext4", name="numbers")
        for where in ("same", "other"):
            for replace in ("mkdir f1; echo theirs >f1/q", "ln -s /theirs f1", "mkfifo f1", "echo theirs >f1"):
                with self.subTest(store=where, replace=replace):
                    top = (self.host if where == "same" else image.mount) / f"{where}-{len(list(image.mount.iterdir()))}-{len(list(self.host.iterdir()))}"
                    top.mkdir()
                    subprocess.run(["sh", "-euc", "for i in 1 2 3 4 5; do echo old >f$i; done"], cwd=top, check=True)
                    name = self.approve(self.try_out("for i in f*; do echo new >$i; done", *([] if where == "same" else ["--no-trace"]), cwd=top))
                    done = subprocess.run([*injected("renameat2:signal=SIGKILL:when=4"), *self.command("promote", name)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
                    self.assertIn(done.returncode, (-9, 137), done.stderr)
                    subprocess.run(["sh", "-euc", f"rm f1; {replace}"], cwd=top, check=True)
                    theirs = os.lstat(top / "f1")
                    result = self.recovered("undone", f"{top}/f1 had been ")
                    kept = os.lstat(result.doc["recovered"][0]["notes"][0].split(" is kept as ")[1])
                    self.assertEqual((kept.st_ino, kept.st_mode, kept.st_mtime_ns), (theirs.st_ino, theirs.st_mode, theirs.st_mtime_ns))
                    self.assertEqual((top / "f1").read_text(), "old\n")
                    self.assertNotEqual(self.call("rm", name.split("@")[0]).code, 0)

    def test_edited_meanwhile(self) -> None:
        """Also what was put into a directory that goes again is kept, and named by each recovery until one has come to its end."""
        self.killed("renameat2:signal=SIGKILL:when=110")
        (self.host / "d/s1/n/theirs").write_text("theirs\n")
        (self.host / "d/s2/n/o").write_text("edited\n")
        (self.host / "d/s1/f").write_text("written\n")
        subprocess.run(["sh", "-euc", "echo replaced >new; mv new d/s2/f; mkdir d/s3/g"], cwd=self.host, check=True)
        named = ["d/s1/n had been edited", "d/s2/n had been edited", "d/s1/f had been edited", "d/s2/f had been replaced", "d/s3/g had been made anew"]
        for call in ("renameat2:signal=SIGKILL:when=100", "fdatasync,fsync:signal=SIGKILL:when=1", "unlinkat,unlink:signal=SIGKILL:when=1"):
            done = subprocess.run([*injected(call), *self.command("recover")], capture_output=True, check=False)
            self.assertIn(done.returncode, (-9, 137), (call, done))
        result = self.recovered("undone", *named)
        kept = dict(note.split(" had been ", 1) for note in result.doc["recovered"][0]["notes"])
        place = {path.removeprefix(str(self.host)): Path(rest.split(" kept as ")[1]) for path, rest in kept.items()}
        self.assertEqual((place["/d/s1/n"] / "theirs").read_text() + (place["/d/s2/n"] / "o").read_text(), "theirs\nedited\n")
        self.assertEqual(place["/d/s1/f"].read_text() + place["/d/s2/f"].read_text(), "written\nreplaced\n")
        self.assertTrue(place["/d/s3/g"].is_dir())
        self.assertEqual(differences(self.old, Tree(self.host), times=False), [])

    # What moves neither the size nor the time of what it changes.
    QUIET_EDITS = {"mode": "chmod 640 {}", "owner": "chown -h 7 {}", "attribute": "setfattr -h -n trusted.theirs -v 1 {}", "ACL": "setfacl -m u:9:r {}",
                   "flag": "chattr +d {}", "bytes": "touch -r {0} ../stamp; printf '%s' XY | dd of={0} conv=notrunc status=none; touch -r ../stamp {0}",
                   "entry": "echo theirs >{}/theirs", "entry edited": "chmod 640 {}/y"}

    def test_edited_without_a_trace(self) -> None:
        """An edit of a new object that moves neither its size nor its time is kept and named as any other, and nothing else is."""
        image = Image(self, "ext4", name="quiet")
        setup = "for i in 1 2 3; do echo old >f$i; done; echo x >x; ln f2 hard; echo g >g; mkdir r; echo r >r/r"
        action = "for i in 1 2 3; do echo new >f$i; done; mkdir n; mkfifo p; ln -s /nowhere s; echo new >c; rm x; mkdir x; echo y >x/y; setfattr -n user.a -v 1 f3; mkdir -p k/m; mv f3 k/m/f3; mv g g2; mv r k/m/r"
        of_files = [kind for kind in self.QUIET_EDITS if not kind.startswith("entry")]
        where = {"f1": of_files, "f2": of_files, "c": of_files, "n": ["mode", "owner", "attribute", "ACL", "flag", "entry"], "x": ["mode", "owner", "attribute", "entry", "entry edited"],
                 "p": ["mode", "owner", "attribute"], "s": ["owner", "attribute"], "k": ["mode", "attribute", "entry"]}
        number = 0
        for store in ("same", "other"):
            for path, kinds in {"": ["nothing"], **where}.items():
                for kind in kinds:
                    if store == "other" and kind not in ("nothing", "mode", "bytes"):
                        continue
                    with self.subTest(store=store, path=path, kind=kind):
                        number += 1
                        top = (self.host if store == "same" else image.mount) / str(number)
                        top.mkdir()
                        subprocess.run(["sh", "-euc", setup], cwd=top, check=True)
                        name = self.approve(self.try_out(action, *([] if store == "same" else ["--no-trace"]), cwd=top))
                        old = Tree(top)
                        # Everything is in its place, and the journal does not know it.
                        done = subprocess.run([*injected("syncfs:signal=SIGKILL:when=2"), *self.command("promote", name)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
                        self.assertIn(done.returncode, (-9, 137), done.stderr)
                        # So that it does not come to its end: a renamed object is gone.
                        os.rename(top / "g2", top.parent / "g")
                        edit = self.QUIET_EDITS.get(kind, "true").format(path)
                        subprocess.run(["sh", "-euc", edit], cwd=top, check=True)
                        facts = os.lstat(top / path) if path else None
                        result = self.recovered("undone", "/g: somebody moved", *(f"{top}/{name} had been edited meanwhile; that is kept as " for name in {"": [], "f2": ["f2", "hard"]}.get(path, [path])))
                        if facts:
                            note = next(note for note in result.doc["recovered"][0]["notes"] if " is kept as " in note)
                            kept = os.lstat(note.split(" is kept as ")[1])
                            self.assertEqual((kept.st_ino, kept.st_mode, kept.st_uid), (facts.st_ino, facts.st_mode, facts.st_uid))
                            self.assertNotEqual(self.call("rm", name.split("@")[0]).code, 0)
                        os.rename(top.parent / "g", top / "g")
                        self.assertEqual(differences(old, Tree(top), times=False), [])

    def test_edited_while_it_is_rolled_back(self) -> None:
        """The same of old objects that a rollback had brought back when it was interrupted."""
        setup = "for i in 1 2 3; do echo old >f$i; done; mkdir x; echo x >x/x; ln f2 hard; setfattr -n user.old -v 1 f1"
        action = "for i in 1 2 3; do echo new >f$i; done; rm -r x; chmod 600 hard; setfattr -x user.old f1"
        for path, kinds in {"": ["nothing"], "f1": [kind for kind in self.QUIET_EDITS if not kind.startswith("entry")], "x": ["mode", "attribute", "entry"]}.items():
            for kind in kinds:
                with self.subTest(path=path, kind=kind):
                    subprocess.run(["sh", "-euc", f"rm -rf ./*; {setup}"], cwd=self.host, check=True)
                    run = self.try_out(action, cwd=self.host)
                    self.promote(run)
                    new = Tree(self.host)
                    done = subprocess.run([*injected("syncfs:signal=SIGKILL:when=2"), *self.command("rollback", run.doc["id"])], capture_output=True, check=False, stdin=subprocess.DEVNULL)
                    self.assertIn(done.returncode, (-9, 137), done.stderr)
                    self.assertEqual((self.host / "f1").read_text(), "old\n")
                    # So that it is not finished.
                    os.unlink(self.host / "f3")
                    subprocess.run(["sh", "-euc", self.QUIET_EDITS.get(kind, "true").format(path)], cwd=self.host, check=True)
                    self.recovered("undone", "f3 had been moved or removed meanwhile", *([f"{self.host}/{path} had been edited meanwhile; that is kept as "] if path else []))
                    self.assertEqual(differences(new, Tree(self.host), times=False), [])

    def test_renamed_and_replaced_by_what_has_got_its_number(self) -> None:
        image = Image(self, "ext4", name="numbers")
        top = image.mount / "top"
        top.mkdir()
        subprocess.run(["sh", "-euc", "echo old >a; echo old >b"], cwd=top, check=True)
        name = self.approve(self.try_out("mv a a2; mv b b2; echo n >n", cwd=top))
        done = subprocess.run([*injected("syncfs:signal=SIGKILL:when=2"), *self.command("promote", name)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertIn(done.returncode, (-9, 137), done.stderr)
        number = os.stat(top / "a2").st_ino
        subprocess.run(["sh", "-euc", "rm a2; echo theirs >a2; rm b2"], cwd=top, check=True)
        self.assertEqual(os.stat(top / "a2").st_ino, number)
        self.recovered("undone", "a: somebody moved, replaced or removed it", "b: somebody moved, replaced or removed it")
        self.assertEqual({path.name: path.read_text() for path in top.iterdir()}, {"a2": "theirs\n"})

    def test_promoted_again(self) -> None:
        """What was kept aside is there until the run goes, also where its place is not the run's own."""
        image = Image(self, "ext4")
        top = image.mount / "tree"
        top.mkdir()
        self.name_ = self.approve(self.try_out("mkdir n; echo n >n/o; echo f >f", "--no-trace", cwd=top))
        self.killed("renameat2:signal=SIGKILL:when=3")
        new = next(path for path in (top / "n", top / "f") if path.exists())
        with open(new / "theirs" if new.is_dir() else new, "a", encoding="ascii") as file:
            file.write("theirs\n")
        result = self.recovered("undone", f"{new} had been edited meanwhile")
        kept = Path(result.doc["recovered"][0]["notes"][0].split(" kept as ")[1])
        kept = kept / "theirs" if kept.is_dir() else kept
        run = self.name_.split("@")[0]
        self.assertEqual(self.call("rollback", run).code, 64)
        again = self.call("promote", self.name_, "--accept", str(image.mount))
        self.assertEqual((again.code, again.doc["id"]), (0, f"{run}/2"), again.err)
        self.assertTrue((top / "n/o").exists() and (top / "f").exists())
        self.assertEqual(self.call("rollback", run).code, 0)
        self.assertEqual(list(top.iterdir()), [])
        self.assertTrue(kept.read_text().endswith("theirs\n"), kept)
        collected = self.call("gc", "--all")
        self.assertEqual((collected.code, [s["id"] for s in collected.doc["spared"]]), (0, [run]), "what is somebody's own goes by a person's hand alone")
        self.assertIn(f"{new} had been edited meanwhile", str(collected.doc["spared"][0]["kept"]))
        refused = self.call("rm", run)
        self.assertEqual((refused.code, b"keeps what is not its own" in refused.err, b"--force" in refused.err), (75, True, True), refused.err)
        self.assertTrue(kept.read_text().endswith("theirs\n"), kept)
        self.assertEqual(self.call("rm", "--force", run).code, 0)
        self.assertFalse((image.mount / ".rehearse").exists())

    def test_removed_before_it_was_come_to(self) -> None:
        self.killed("renameat2:signal=SIGKILL:when=3")
        for path in ("d/s1/g", "d/s1/f", "d/s2/g", "d/s2/f", "d/s30/g", "d/s30/f"):
            (self.host / path).unlink()
        self.recovered("undone", "d/s1/g: somebody", "d/s2/g: somebody", "d/s30/g: somebody")

    def test_what_was_to_get_attributes_is_gone(self) -> None:
        """Everything was in place but these: it is put back."""
        self.killed("fchmodat,chmod,fchmod:signal=SIGKILL:when=1")
        self.assertTrue((self.host / "d/s1/n/o").exists())
        os.rmdir(self.host / "d/t")
        self.recovered("undone", "d/t: somebody moved, replaced or removed it meanwhile; its attributes are left")
        self.assertEqual(differences(self.old, Tree(self.host), times=False), ["only left: b'/d/t'"])


class Attributes(PromoteCase):
    """Attributes that somebody sets after a crash are his own, whichever way recovery goes."""

    def killed(self, setup: str, script: str, when: str) -> None:
        harness.need("strace", "setfattr", "setfacl")
        subprocess.run(["sh", "-euc", f"rm -rf ./*; {setup}"], cwd=self.host, check=True)
        name = self.approve(self.try_out(script, cwd=self.host))
        self.old = Tree(self.host)
        done = subprocess.run([*injected(when), *self.command("promote", name)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertIn(done.returncode, (-9, 137), done.stderr)

    def recovered(self, way: str, *words: str) -> None:
        result = self.call("recover")
        self.assertEqual((result.code, [one["result"] for one in result.doc["recovered"]]), (0, [way]), (result.out, result.err))
        notes = str(result.doc["recovered"][0]["notes"])
        for word in words:
            self.assertIn(word, notes)
        if not words:
            self.assertEqual(notes, "[]")
        self.assertEqual(self.call("recover").doc["recovered"], [])

    def rights(self, name: str) -> tuple[int, int]:
        st = (self.host / name).stat()
        return st.st_uid, st.st_mode & 0o7777

    def test_nothing_was_set(self) -> None:
        self.killed("echo a >f", "chmod 600 f; setfattr -n user.x -v 1 f", "setxattr:signal=SIGKILL:when=1")
        subprocess.run(["sh", "-euc", "chown 1:1 f; chmod 664 f; setfattr -n user.x -v mine f"], cwd=self.host, check=True)
        self.recovered("undone", "f: somebody set its owner, group, mode, user.x meanwhile")
        self.assertEqual((self.rights("f"), os.getxattr(self.host / "f", "user.x")), ((1, 0o664), b"mine"))

    def test_set_in_part(self) -> None:
        setup = "echo a >f; echo a >g; echo a >h; setfacl -m u:12:rw f"
        for edit, words, rights in (("chmod 666 f", "mode", (0, 0o666)), ("chmod 400 f", "mode", (0, 0o400)), ("chown 7 f", "owner", (7, 0o640)), ("true", "", (0, 0o664))):
            for script, when in (("setfacl -b f; chmod 640 f; echo b >>g; echo b >>h", "renameat2:signal=SIGKILL:when=3"),
                                 ("setfacl -b f; chmod 640 f; chmod 600 g h", "chmod:signal=SIGKILL:when=2")):
                with self.subTest(edit=edit, script=script):
                    self.killed(setup, script, when)
                    subprocess.run(["sh", "-euc", edit], cwd=self.host, check=True)
                    now = self.rights("f")
                    self.recovered("undone", *([f"f: somebody set its {words}"] if words else []))
                    if edit == "true":
                        self.assert_same(self.old, self.host)
                    self.assertEqual(self.rights("f"), now if words == "owner" else rights)

    def test_all_was_set(self) -> None:
        """Only the mark was missing: finished. With an edit since it is not what was promoted any more, and the rest goes back."""
        setup, script, when = "echo a >f; echo a >g", "chmod 600 f g", "syncfs:signal=SIGKILL:when=2"
        self.killed(setup, script, when)
        self.assertEqual((self.rights("f"), self.rights("g")), ((0, 0o600), (0, 0o600)))
        self.recovered("finished")
        self.assertEqual((self.rights("f"), self.rights("g")), ((0, 0o600), (0, 0o600)))
        self.killed(setup, script, when)
        (self.host / "f").chmod(0o440)
        self.recovered("undone", "f: somebody set its mode")
        self.assertEqual((self.rights("f"), self.rights("g")), ((0, 0o440), (0, 0o644)))

    def test_a_time_that_was_to_be_set(self) -> None:
        self.killed("echo a >f; echo a >g; touch -d 2001-01-01 f g", "touch -d 2002-02-02 f g", "utimensat:signal=SIGKILL:when=1")
        (self.host / "f").write_text("mine\n")
        edited = (self.host / "f").stat().st_mtime_ns
        self.recovered("undone")
        self.assertEqual(((self.host / "f").stat().st_mtime_ns, (self.host / "f").read_text()), (edited, "mine\n"))

    def test_what_was_to_be_undone_is_never_finished(self) -> None:
        """Both have the new mode, and the way back failed: recovery goes on with that."""
        subprocess.run(["sh", "-euc", "echo a >f; echo a >g"], cwd=self.host, check=True)
        name = self.approve(self.try_out("chmod 600 f g", cwd=self.host))
        old = Tree(self.host)
        harness.need("strace")
        # All is done and cannot be made durable; nor can the first be taken back.
        faults = [*injected("syncfs:error=EIO:when=2")[:-2], "-e", "inject=syncfs:error=EIO:when=2", "-e", "inject=chmod:error=EIO:when=3+"]
        done = subprocess.run([*faults, *self.command("promote", name)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, INCOMPLETE, (done.stdout[-2000:], done.stderr))
        self.assertEqual((self.rights("f"), self.rights("g")), ((0, 0o600), (0, 0o600)))
        self.recovered("undone")
        self.assert_same(old, self.host)
        self.assertEqual(self.call("promote", name).code, 0, "the approval was given back")


class Remedies(PromoteCase):
    """What the host refuses to an undo is named with what to do about it."""

    def setUp(self) -> None:
        super().setUp()
        harness.need("strace")
        self.image = Image(self, "ext4")

    def test_an_immutable_file(self) -> None:
        data = self.image.mount / "data"
        subprocess.run(["sh", "-euc", f"echo a >{data}; echo a >{data}2"], check=True)
        name = self.approve(self.try_out("chmod 600 data data2", "--no-trace", cwd=self.image.mount))
        old = Tree(self.image.mount)
        done = subprocess.run([*injected("chmod:signal=SIGKILL:when=2"), *self.command("promote", name)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode in (-9, 137), data.stat().st_mode & 0o777), (True, 0o600), done.stderr)
        subprocess.run(["chattr", "+i", data], check=True)
        try:
            told = self.call("list", json_out=False)
            remedy = f"(lsattr -d), or a security module forbids it: chattr -i -a {data}"
            self.assertIn(f"rehearse:   put that right, then: rehearse --state {self.state} recover", told.err.decode())
            for verb in (["recover"], ["promote", name], ["rollback", name.split("@", maxsplit=1)[0]]):
                result = self.call(*verb, json_out=False)
                said = (result.out + result.err).decode()
                self.assertEqual((result.code, remedy in said, f"then: rehearse --state {self.state} recover" in said), (INCOMPLETE, True, True), said)
            self.assertEqual(self.call("recover").doc["recovered"][0]["fix"], f"put that right, then: rehearse --state {self.state} recover")
        finally:
            subprocess.run(["chattr", "-i", data], check=True)
        self.assertEqual(self.call("recover").code, 0)
        self.assert_same(old, self.image.mount)
        self.assertEqual(self.call("promote", name).code, 0)

    def test_a_promotion_that_could_not_be_undone(self) -> None:
        subprocess.run(["sh", "-euc", "echo a >f; echo a >g"], cwd=self.host, check=True)
        name = self.approve(self.try_out("chmod 600 f g", cwd=self.host))
        faults = [*injected("syncfs:error=EIO:when=2")[:-2], "-e", "inject=syncfs:error=EIO:when=2", "-e", "inject=chmod:error=EPERM:when=3+"]
        done = subprocess.run([*faults, *self.command("promote", name, json_out=False)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, INCOMPLETE, done.stderr)
        self.assertIn(f"put that right, then: rehearse --state {self.state} recover".encode(), done.stdout)
        self.assertIn(f": chattr -i -a {self.host}/f\n".encode(), done.stdout)
        self.assertEqual(self.call("recover").code, 0)


class Away(PromoteCase):
    """A filesystem is not mounted when something is to be undone on it."""

    def test_what_was_prepared(self) -> None:
        image = Image(self, "ext4")
        self.host = image.mount / "t"
        self.host.mkdir()
        (self.host / "a").write_text("old\n")
        run = self.try_out("echo new >a")
        self.approve(run)
        name = self.name(run)
        subprocess.run([*injected("renameat2:signal=SIGKILL:when=1"), *self.command("promote", name)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertTrue(list(self.state.glob("promotions/*.new")))
        subprocess.run(["umount", str(image.mount)], check=True)
        done = self.call("recover", json_out=False)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn(f"the filesystem that was at {image.mount} is not mounted".encode(), done.out + done.err)
        subprocess.run(["mount", "-o", "loop", str(image.file), str(image.mount)], check=True)
        self.assertTrue(list((image.mount / ".rehearse" / run.doc["id"] / "new").iterdir()), "something was left there")
        again = self.call("promote", name)
        self.assertEqual(again.code, 0, again.err)
        self.assertEqual((self.host / "a").read_text(), "new\n")
        subprocess.run(["umount", str(image.mount)], check=True)
        back = self.call("rollback", run.doc["id"])
        self.assertEqual(back.code, 75, back.err)
        self.assertIn(f"rollback {run.doc['id']}".encode(), back.err)
        subprocess.run(["mount", "-o", "loop", str(image.file), str(image.mount)], check=True)
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assertEqual((self.host / "a").read_text(), "old\n")
        self.assertFalse((image.mount / ".rehearse").exists())


    def test_what_was_prepared_goes_with_the_run(self) -> None:
        """No journal names it any more."""
        for words in (("rm", "{run}", "--force"), ("gc", "--all", "--force")):
            with self.subTest(words=words):
                image = Image(self, "ext4", name=words[0])
                self.host = image.mount / "t"
                self.host.mkdir()
                (self.host / "a").write_text("old\n")
                name = self.approve(run := self.try_out("echo new >a"))
                subprocess.run([*injected("renameat2:signal=SIGKILL:when=1"), *self.command("promote", name)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
                subprocess.run(["umount", str(image.mount)], check=True)
                self.assertEqual(self.call("recover").code, 0)
                subprocess.run(["mount", "-o", "loop", str(image.file), str(image.mount)], check=True)
                self.assertTrue((image.mount / ".rehearse" / run.doc["id"]).exists())
                gone = self.call(*(word.format(run=run.doc["id"]) for word in words))
                self.assertEqual((gone.code, self.call("list").doc["runs"]), (0, []), (gone.out, gone.err))
                self.assertFalse((image.mount / ".rehearse").exists())


class Noticed(PromoteCase):
    """What somebody did between the crash and the recovery is kept and named, however quietly he did it."""

    def setUp(self) -> None:
        super().setUp()
        harness.need("strace", "setfattr", "chattr")

    def prepare(self, top: Path, setup: str, action: str, *options: str) -> str:
        top.mkdir(exist_ok=True)
        subprocess.run(["sh", "-euc", f"rm -rf ./*; {setup}"], cwd=top, check=True)
        return self.approve(self.try_out(action, *options, cwd=top))

    def killed(self, *argv: str, when: str = "syncfs:signal=SIGKILL:when=2", path: Path | None = None) -> None:
        """By default when everything is in its place, and the journal does not know it. `path`: only calls about that count."""
        done = subprocess.run([*injected(when), *(["-P", str(path)] if path else []), *self.command(*argv)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertIn(done.returncode, (-9, 137), done.stderr)

    def recovered(self, way: str = "undone") -> list[str]:
        result = self.call("recover")
        self.assertEqual((result.code, [one["result"] for one in result.doc["recovered"]]), (0, [way]), (result.out, result.err))
        self.assertEqual(self.call("recover").doc["recovered"], [])
        return result.doc["recovered"][0]["notes"]

    def places(self, notes: list[str], words: str) -> list[Path]:
        found = [Path(note.split(" is kept as ")[1]) for note in notes if words in note and " is kept as " in note]
        self.assertTrue(found, (words, notes))
        return found

    NEW_DIRECTORY = "mkdir -p n/m; echo o >n/o; ln n/o n/p; echo m >n/m/m; echo z >z"
    # What a directory that came new gets. All of it is older than the promotion.
    COMINGS = {"moved links": "mv a b n/", "a copy": "cp -a a b n/m/", "a directory": "mv old n/m/", "another name": "ln n/o n/m/alias", "a name of mine": "ln a n/m/",
               "bytes of one with two names": "touch -r n/o stamp; printf X | dd of=n/p conv=notrunc status=none; touch -r stamp n/o", "mode of one with two names": "chmod 640 n/p",
               "attribute of one with two names": "setfattr -n user.x -v 1 n/p", "removed": "rm n/p", "a setting of a directory": "setfattr -n user.x -v 1 n/m"}
    MINE = "echo mine >a; ln a b; mkdir old; echo older >old/f; touch -d 2001-02-03 a old/f old"

    def test_in_a_new_directory(self) -> None:
        for kind in ("root", "ext4", "xfs"):
            top = (Image(self, kind, name=kind).mount if kind != "root" else self.host) / "t"
            for what, edit in {"nothing": "true", **self.COMINGS}.items():
                if kind != "root" and what not in ("nothing", "moved links", "a directory", "bytes of one with two names"):
                    continue
                with self.subTest(filesystem=kind, what=what):
                    name = self.prepare(top, self.MINE, self.NEW_DIRECTORY, *(["--no-trace"] if kind != "root" else []))
                    self.killed("promote", name)
                    # So that it is not finished: a new file is gone.
                    subprocess.run(["sh", "-euc", f"rm z; {edit}"], cwd=top, check=True)
                    theirs = Tree(top / "n")
                    notes = self.recovered()
                    self.assertFalse((top / "n").exists())
                    if what == "nothing":
                        self.assertEqual([note for note in notes if not note.startswith(f"{top}/z:")], [])
                        continue
                    kept, = self.places(notes, f"{top}/n had been edited")
                    self.assertEqual(differences(theirs, Tree(kept), times=False), [])
                    self.assertIn("n had been edited", str(self.call("gc", "--all").doc["spared"]))
                    self.assertEqual(self.call("rm", "--force", name.split("@")[0]).code, 0)

    def test_in_a_new_directory_without_a_crash(self) -> None:
        """The promotion itself fails, and takes everything back."""
        for store in ("same", "other"):
            with self.subTest(store=store):
                top = (Image(self, "ext4").mount if store == "other" else self.host) / "t"
                name = self.prepare(top, self.MINE, "mkdir n; echo o >n/o; echo z >z1; echo z >z2; echo z >z3", *(["--no-trace"] if store == "other" else []))
                process = subprocess.Popen([*injected("renameat2:error=EIO:delay_enter=1500000:when=5"), *self.command("promote", name)],
                                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertTrue(harness.wait_for(lambda: (top / "n/o").exists() or process.poll() is not None))  # noqa: B023
                subprocess.run(["mv", "a", "b", "n/"], cwd=top, check=True)
                out, err = process.communicate(timeout=60 * harness.SLOW)
                self.assertEqual(process.returncode, ROLLED_BACK, (out, err))
                kept, = self.places(harness.json.loads(out)["kept"], f"{top}/n had been edited")
                self.assertEqual(((kept / "a").read_text(), sorted(path.name for path in top.iterdir())), ("mine\n", ["old"]))

    def test_in_a_directory_that_a_rollback_had_brought_back(self) -> None:
        setup = f"{self.MINE}; {self.NEW_DIRECTORY}"
        for what in ("nothing", "moved links", "a directory", "bytes of one with two names", "mode of one with two names"):
            with self.subTest(what=what):
                run = self.prepare(self.host, setup, "rm -r n z; echo w >w")
                self.assertEqual(self.call("promote", run).code, 0)
                self.killed("rollback", run.split("@")[0])
                subprocess.run(["sh", "-euc", f"rm z; {self.COMINGS.get(what, 'true')}"], cwd=self.host, check=True)
                theirs = Tree(self.host / "n")
                notes = self.recovered()
                self.assertEqual((sorted(path.name for path in self.host.iterdir() if path.name in "nwz")), ["w"])
                if what == "nothing":
                    self.assertEqual([note for note in notes if f"{self.host}/n" in note], [])
                    continue
                kept, = self.places(notes, f"{self.host}/n had been edited")
                self.assertEqual(differences(theirs, Tree(kept), times=False), [])

    def test_put_into_a_directory_while_it_goes(self) -> None:
        """By a promotion that removes it, and by a rollback of the one that made it: between the look and the rename."""
        for verb in ("promote", "rollback"):
            for edit in ("mv a b n/m/", "mv old n/"):
                with self.subTest(verb=verb, edit=edit):
                    setup = self.MINE + (f"; {self.NEW_DIRECTORY}" if verb == "promote" else "")
                    name = self.prepare(self.host, setup, "rm -r n z" if verb == "promote" else self.NEW_DIRECTORY)
                    argv = ["promote", name]
                    if verb == "rollback":
                        self.assertEqual(self.call(*argv).code, 0)
                        argv = ["rollback", name.split("@")[0]]
                    old = Tree(self.host / "n")
                    # Everything is ready, and the first rename is waited for.
                    process = subprocess.Popen([*injected("renameat2:delay_enter=1500000:when=2"), *self.command(*argv)],
                                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    self.assertTrue(harness.wait_for(lambda: list(self.state.glob("promotions/*.ready")) or process.poll() is not None))  # noqa: B023
                    subprocess.run(["sh", "-euc", edit], cwd=self.host, check=True)
                    out, err = process.communicate(timeout=60 * harness.SLOW)
                    self.assertEqual((process.returncode, b"changed meanwhile" in out + err), (STALE, True), (out, err))
                    came = "m/a" if "m/" in edit else "old/f"
                    self.assertTrue((self.host / "n" / came).exists(), list(self.host.rglob("*")))
                    self.assertTrue(set(old.entries) <= set(Tree(self.host / "n").entries))

    def test_what_was_written_to_a_file_that_was_rewritten(self) -> None:
        """Kept and named; and nothing is where nobody has written, however far it came."""
        lines = "seq 90000"
        for what, edit in {"nothing": "true", "appended": "echo theirs >>log", "in the midst": "printf THEIRS | dd of=log bs=1 seek=300000 conv=notrunc status=none",
                           "truncated": "echo theirs >log", "one line as it was": "seq 90000 | sed '700,$s/7/x/' >log; echo more >>log", "replaced": "rm log; echo theirs >log"}.items():
            for when in ("syncfs:signal=SIGKILL:when=2", "pwrite64:signal=SIGKILL:when=2"):
                with self.subTest(what=what, when=when):
                    name = self.prepare(self.host, f"{lines} >log", f"{lines} | sed 's/7/x/' >log.n; cat log.n >log; rm log.n; echo more >>log")
                    old = (self.host / "log").read_bytes()
                    with open(self.host / "log", "ab"):
                        self.killed("promote", name, "--held-open", "in-place", when=when, path=self.host / "log" if "pwrite" in when else None)
                    subprocess.run(["sh", "-euc", edit], cwd=self.host, check=True)
                    theirs = (self.host / "log").read_bytes()
                    self.assertTrue(theirs != old)
                    notes = self.recovered()
                    if what == "replaced":
                        kept, = [Path(note.split(" are kept as ")[1]) for note in notes if " are kept as " in note]
                        self.assertTrue((kept.read_bytes(), (self.host / "log").read_bytes()) == (old, theirs))
                        continue
                    self.assertTrue((self.host / "log").read_bytes() == old)
                    if what == "nothing" and "syncfs" in when:
                        self.assertEqual(notes, [])
                        continue
                    kept, = self.places(notes, "log held neither its old nor its new bytes")
                    self.assertTrue(kept.read_bytes() == theirs)

    def test_a_rewrite_that_was_not_come_to(self) -> None:
        name = self.prepare(self.host, "echo a >a; echo old >log", "echo b >a; echo new >log")
        with open(self.host / "log", "a", encoding="ascii") as daemon:
            self.killed("promote", name, "--held-open", "in-place", when="renameat2:signal=SIGKILL:when=2")
            daemon.write("theirs\n")
            daemon.flush()
        kept, = self.places(self.recovered(), "log held neither its old nor its new bytes")
        self.assertEqual((kept.read_text(), (self.host / "log").read_text()), ("old\ntheirs\n", "old\n"))

    def test_attributes_are_not_given_to_what_has_got_the_number(self) -> None:
        top = Image(self, "ext4").mount / "t"
        for make in ("echo secret >s", "mkdir s"):
            with self.subTest(make=make):
                setup = "echo a >s" if "echo" in make else "mkdir s"
                name = self.prepare(top, f"{setup}; chmod 644 s; chown 1000 s; touch f", "chmod 600 s; chown 0 s; rm f", "--no-trace")
                self.killed("promote", name)
                number = os.stat(top / "s").st_ino
                subprocess.run(["sh", "-euc", f"rm -r s; umask 077; {make}"], cwd=top, check=True)
                self.assertEqual(os.stat(top / "s").st_ino, number, "the filesystem gives the number out again")
                notes = self.recovered()
                st = os.stat(top / "s")
                self.assertEqual((st.st_uid, st.st_mode & 0o7777), (0, 0o600 if "echo" in make else 0o700))
                self.assertTrue(any(f"{top}/s: somebody moved, replaced or removed it" in note for note in notes), notes)

    def test_rights_do_not_come_back_to_what_was_written_meanwhile(self) -> None:
        name = self.prepare(self.host, "echo a >s; echo a >t; chmod 644 s t; echo f >f", "chmod 600 s t; rm f")
        self.killed("promote", name)
        subprocess.run(["sh", "-euc", "echo secret >s; touch f"], cwd=self.host, check=True)
        notes = self.recovered()
        self.assertEqual([os.stat(self.host / path).st_mode & 0o777 for path in "st"], [0o600, 0o644])
        self.assertIn("s: somebody wrote to it meanwhile; its attributes are left as they are", str(notes))

    def test_a_name_in_a_new_directory_whose_other_name_is_gone(self) -> None:
        """By the promotion, and by the rollback of one that removed both."""
        for verb in ("promote", "rollback"):
            for gone in ("rm a/h", "sed -i s/new/mine/ a/h"):
                with self.subTest(verb=verb, gone=gone):
                    make = "mkdir n; echo new >n/h; ln n/h a/h"
                    name = self.prepare(self.host, "mkdir a" + (f"; {make}" if verb == "rollback" else ""), make if verb == "promote" else "rm -r n a/h")
                    argv = ["promote", name]
                    if verb == "rollback":
                        self.assertEqual(self.call(*argv).code, 0)
                        argv = ["rollback", name.split("@")[0]]
                    self.killed(*argv)
                    subprocess.run(["sh", "-euc", f"{gone}; echo precious >>n/h; touch -d 2001-01-01 n/h"], cwd=self.host, check=True)
                    kept, = self.places(self.recovered(), f"{self.host}/n had been edited")
                    self.assertEqual((kept / "h").read_text(), "new\nprecious\n")

    def test_what_was_written_into_what_is_taken_away_is_given_back(self) -> None:
        """Though everything is done: by who has a removed directory, or an old file, open."""
        for what, write in (("directory", lambda here: (here / "mine").write_text("mine\n")), ("file", None)):
            with self.subTest(what=what):
                name = self.prepare(self.host, "mkdir d; echo x >d/x; echo a >a", "rm -r d; echo aa >a")
                here = os.open(self.host / "d", os.O_PATH)
                with open(self.host / "a", "a", encoding="ascii") as file:
                    self.killed("promote", name, "--held-open", "replace")
                    if write:
                        write(Path(f"/proc/self/fd/{here}"))
                    else:
                        file.write("mine\n")
                os.close(here)
                self.recovered()
                self.assertEqual(((self.host / "d/mine").exists(), (self.host / "a").read_text()), (what == "directory", "a\n" if write else "a\nmine\n"))

    def test_a_part_after_one_that_recovery_finished(self) -> None:
        """What came between is not taken for the run's own doing."""
        name = self.prepare(self.host, "mkdir d e; echo x >d/x; echo y >e/y", "ls d; cat d/* >e/y; echo xx >d/x")
        self.killed("promote", name, "--only", str(self.host / "d/x"))
        (self.host / "d/theirs").write_text("theirs\n")
        self.recovered("finished")
        self.assertEqual(self.at_terminal("approve", name, "--reason", "the rest")[0], 0)
        result = self.call("promote", name, "--only", str(self.host / "e/y"))
        self.assertEqual((result.code, os.fsencode(self.host / "d") in [harness.path_of(moved) for moved in result.doc["moved"]]), (STALE, True), result.out)

    def test_a_directory_is_not_opened_over_what_somebody_put_into_it(self) -> None:
        name = self.prepare(self.host, "mkdir d e; echo a >a", "chmod 700 d e; rm a; touch d/q f")
        self.killed("promote", name)
        subprocess.run(["sh", "-euc", "echo secret >d/secret; rm f"], cwd=self.host, check=True)
        notes = self.recovered()
        self.assertEqual([os.stat(self.host / path).st_mode & 0o777 for path in "de"], [0o700, 0o755])
        self.assertIn("d: somebody put something into it or took something out meanwhile; its attributes are left as they are", str(notes))

    def test_what_stands_in_place_of_a_renamed_object(self) -> None:
        """A recovery does not take for done what somebody has put there."""
        top = Image(self, "ext4").mount / "t"
        name = self.prepare(top, "echo old >a", "mv a b", "--no-trace")
        self.killed("promote", name)
        number = os.stat(top / "b").st_ino
        subprocess.run(["sh", "-euc", "rm b; echo theirs >b"], cwd=top, check=True)
        self.assertEqual(os.stat(top / "b").st_ino, number)
        notes = self.recovered()
        self.assertIn("somebody moved, replaced or removed it", str(notes))
        self.assertEqual({path.name: path.read_text() for path in top.iterdir()}, {"b": "theirs\n"})

    def test_a_rollback_knows_what_was_edited_before_recovery_finished_the_promotion(self) -> None:
        for edit in ("chmod 640 f", "touch -r f ../stamp; printf X | dd of=f conv=notrunc status=none; touch -r ../stamp f", "setfattr -n user.x -v 1 f"):
            with self.subTest(edit=edit):
                name = self.prepare(self.host, "echo old >f; echo old >g", "echo new >f; echo new >g")
                self.killed("promote", name)
                subprocess.run(["sh", "-euc", edit], cwd=self.host, check=True)
                self.assertEqual(self.recovered("finished"), [])
                run = name.split("@")[0]
                back = self.call("rollback", run)
                self.assertEqual((back.code, [harness.path_of(moved) for moved in back.doc["moved"]]), (STALE, [os.fsencode(self.host / "f")]), back.out)
                self.assertEqual(self.call("rollback", run, "--except", str(self.host / "f")).code, 0)
                # What the run promotes in parts knows its own renames.
                self.assertEqual((self.host / "g").read_text(), "old\n")

    def test_old_objects_whose_state_the_record_does_not_have(self) -> None:
        """After a redo, and where the run changed the type."""
        quiet = "touch -r f ../stamp; printf X | dd of=f conv=notrunc status=none; touch -r ../stamp f"
        for what, setup, action, edit in (("redo", "echo old >f; echo g >g", "echo new >f; rm g", quiet), ("type", "echo old >f; echo g >g", "rm f g; mkdir f; echo in >f/in", quiet),
                                          ("type, mode", "mkdir f; echo g >g", "rmdir f; echo new >f; rm g", "chmod 711 f")):
            with self.subTest(what=what):
                name = self.prepare(self.host, setup, action)
                self.assertEqual(self.call("promote", name).code, 0)
                run = name.split("@")[0]
                if what == "redo":
                    self.assertEqual(self.call("rollback", run).code, 0)
                    self.assertEqual(self.at_terminal("approve", name, "--reason", "again")[0], 0)
                    self.assertEqual(self.call("promote", name).code, 0)
                new = Tree(self.host)
                self.killed("rollback", run)
                subprocess.run(["sh", "-euc", f"rm g; {edit}"], cwd=self.host, check=True)
                facts = os.lstat(self.host / "f")
                kept, = self.places(self.recovered(), f"{self.host}/f had been edited")
                st = os.lstat(kept)
                self.assertEqual((st.st_ino, st.st_mode), (facts.st_ino, facts.st_mode))
                self.assertEqual(differences(new, Tree(self.host), times=False), [])

    def test_promoted_after_all(self) -> None:
        """What was taken back has left its directories as they were, also for a run that listed them; unless somebody has put something there."""
        for store in ("same", "other"):
            top = (Image(self, "ext4").mount if store == "other" else self.host) / "t"
            for way in ("failed", "killed", "killed, and somebody came"):
                with self.subTest(store=store, way=way):
                    name = self.prepare(top, "mkdir d e; for i in 1 2 3 4; do echo old >d/$i; done; mkdir e/e; mkdir gone; echo g >gone/g",
                                        "for f in d/* e/*; do test -d $f || echo new >$f; done; ls e gone; rm d/4; mkdir d/new; echo n >e/n; rm -r gone",
                                        *(["--no-trace"] if store == "other" else []))
                    old = Tree(top)
                    if way == "failed":
                        done = subprocess.run([*injected("renameat2:error=EIO:when=5"), *self.command("promote", name)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
                        self.assertEqual(done.returncode, ROLLED_BACK, done.stderr)
                    else:
                        self.killed("promote", name, when="renameat2:signal=SIGKILL:when=6")
                        if "came" in way:
                            (top / "e/theirs").write_text("theirs\n")
                        self.assertEqual(self.recovered(), [])
                    if "came" in way:
                        again = self.call("promote", name)
                        self.assertEqual(again.code, STALE, again.out)
                        self.assertIn([harness.path_of(moved) for moved in again.doc["moved"]], [[os.fsencode(top / "e")], [os.fsencode(top / "e/theirs")]])
                        continue
                    self.assertEqual(differences(old, Tree(top)), [])
                    again = self.call("promote", name)
                    self.assertEqual((again.code, again.doc["moved"]), (0, []), again.out)
                    self.assertEqual(((top / "d/1").read_text(), (top / "gone").exists()), ("new\n", False))


if __name__ == "__main__":
    main_in_private_mounts()
