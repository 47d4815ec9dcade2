"""Promotion of what is rare and must be right all the same: packages, the root of a mount, endless paths, one bad object among many."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import harness
from promotion import DATA_ERROR, STALE, TRY_LATER, Image, PromoteCase, Tree, differences, main_in_private_mounts

# dpkg's own database, in a tree of its own.
DPKG = r"""
mkdir -p var/lib/dpkg/info var/lib/dpkg/updates var/lib/dpkg/triggers var/lib/dpkg/alternatives etc usr/share tmp
: >var/lib/dpkg/status; : >var/lib/dpkg/available; echo root:x:0:0::/root:/bin/sh >etc/passwd; echo kept >etc/other
"""


class Packages(PromoteCase):
    """dpkg with maintainer scripts, natively on one tree and promoted on another: they end alike."""

    def package(self, version: str) -> Path:
        top = self.base / f"pkg-{version}"
        (top / "DEBIAN").mkdir(parents=True)
        for directory in ("etc/trial.d", "usr/share/trial/deep", "usr/bin"):
            (top / directory).mkdir(parents=True)
        (top / "etc/trial.conf").write_text(f"version {version}\n")
        (top / "etc/trial.d/a").write_text("a\n")
        (top / "usr/share/trial/data").write_bytes(bytes(range(256)) * 64 * int(version))
        os.link(top / "usr/share/trial/data", top / "usr/share/trial/deep/again")
        (top / "usr/bin/trial").write_text("#!/bin/sh\necho trial\n")
        (top / "usr/bin/trial").chmod(0o4755)
        (top / "usr/share/trial/link").symlink_to("../../bin/trial")
        scripts = {
            "control": f"Package: trial\nVersion: {version}\nArchitecture: all\nMaintainer: t <t@example.org>\nDescription: trial\n",
            "conffiles": "/etc/trial.conf\n",
            "preinst": "#!/bin/sh\nset -e\necho preinst $1 >>$DPKG_ROOT/var/scripts\n",
            "postinst": "#!/bin/sh\nset -e\necho postinst $1 $2 >>$DPKG_ROOT/var/scripts\ngrep -q ^trial: $DPKG_ROOT/etc/passwd || echo trial:x:990:990::/:/bin/false >>$DPKG_ROOT/etc/passwd\n"
                        "mkdir -p $DPKG_ROOT/var/lib/trial; chown 990:4 $DPKG_ROOT/var/lib/trial; chmod 2750 $DPKG_ROOT/var/lib/trial; echo state >$DPKG_ROOT/var/lib/trial/state\n"
                        "chown 990:990 $DPKG_ROOT/usr/share/trial/data; setcap cap_net_raw=ep $DPKG_ROOT/usr/share/trial/data\n",
            "prerm": "#!/bin/sh\nset -e\necho prerm $1 >>$DPKG_ROOT/var/scripts\n",
            "postrm": "#!/bin/sh\nset -e\necho postrm $1 >>$DPKG_ROOT/var/scripts\nif [ \"$1\" = purge ]; then rm -rf $DPKG_ROOT/var/lib/trial; sed -i /^trial:/d $DPKG_ROOT/etc/passwd; fi\n",
        }
        for name, text in scripts.items():
            (top / "DEBIAN" / name).write_text(text)
            (top / "DEBIAN" / name).chmod(0o755 if text.startswith("#!") else 0o644)
        deb = self.base / f"trial_{version}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", top, deb], check=True, capture_output=True)
        return deb

    def test_install_upgrade_remove_purge(self) -> None:
        harness.need("dpkg", "dpkg-deb", "setcap")
        one, two = self.package("1"), self.package("2")
        image = Image(self, "ext4")
        top, native = image.mount / "tree", self.base / "native"
        top.mkdir()
        subprocess.run(["sh", "-euc", DPKG], cwd=top, check=True)
        subprocess.run(["cp", "-a", top, native], check=True)
        history = [Tree(top)]
        runs = []
        started = time.time_ns() - 20_000_000
        for words in (f"-i {one}", f"-i {two}", "--remove trial", f"-i {one}", "--purge trial"):
            with self.subTest(words=words):
                command = "dpkg --force-script-chrootless --log=/dev/null --root={} " + words
                subprocess.run(["sh", "-ec", command.format(native)], check=True, capture_output=True, stdin=subprocess.DEVNULL)
                run = self.try_out(command.format(top), "--no-trace", cwd=top)
                self.promote(run)
                self.assert_same(native, top, recent=started)
                self.assert_no_trace_of_overlay(top)
                history.append(Tree(top))
                runs.append(run)
        self.assertTrue((top / "var/scripts").read_text().endswith("postrm purge\n"), (top / "var/scripts").read_text())
        for run, before in zip(reversed(runs), reversed(history[:-1])):
            back = self.call("rollback", run.doc["id"])
            self.assertEqual(back.code, 0, (back.out[-2000:], back.err))
            self.assertEqual(differences(before, Tree(top)), [])


SETUP = r"""
echo one >f; mkdir d e; echo two >d/x; echo three >e/y; ln -s f link; ln f hard; chmod 640 f; touch -d 2001-02-03 f d e
"""
ACTION = r"""
echo more >>f; echo new >n; mkdir -p m/o; echo m >m/o/p; mv d dd; rm -r e; ln -sfn n link; chmod 751 .; setfattr -n user.root -v 1 .; mkfifo pipe; touch -d 2003-04-05 n
"""
OWN = [b"/state", b"/.rehearse", b"/lost+found"]


class MountRoot(PromoteCase):
    """Objects directly below the root of a mount, and the root itself."""

    def one(self, kind: str, apart: bool) -> None:
        image = Image(self, kind)
        if not apart:
            self.state = image.mount / "state"
        top = image.mount
        if not harness.takes_user_attributes(top):
            harness.skip(f"{kind} takes no user.* attributes on this kernel (tmpfs before 6.6)")
        subprocess.run(["sh", "-euc", SETUP + "touch -d 2000-01-01 ."], cwd=top, check=True)
        native = self.copy_of(top)
        started = time.time_ns() - 20_000_000
        subprocess.run(["sh", "-euc", ACTION], cwd=native, check=True)
        if not apart:
            self.state.mkdir(mode=0o700)
            subprocess.run(["touch", "-d", "2000-01-01", top], check=True)
        before = Tree(top, OWN)
        run = self.try_out(ACTION, "--no-trace", cwd=top)
        self.assertEqual(differences(before, Tree(top, OWN)), [])
        self.promote(run)
        self.assertEqual(differences(Tree(native, OWN), Tree(top, OWN), recent=started), [])
        for path in top.iterdir():
            if b"/" + harness.b(path.name) not in OWN and path.is_dir():
                self.assert_no_trace_of_overlay(path)
        self.assertFalse([x for x in os.listxattr(top) if "overlay" in x])
        back = self.call("rollback", run.doc["id"])
        self.assertEqual(back.code, 0, (back.out[-2000:], back.err))
        after = Tree(top, OWN)
        self.assertEqual(differences(before, after), [])
        self.assertEqual(before.numbers, after.numbers)

    def test_state_on_the_same_filesystem(self) -> None:
        for kind in ("ext4", "xfs", "btrfs"):
            with self.subTest(kind=kind):
                self.one(kind, False)
                self.state = self.base / "state"

    def test_state_elsewhere(self) -> None:
        for kind in ("ext4", "xfs", "btrfs", "tmpfs"):
            with self.subTest(kind=kind):
                self.one(kind, True)


class BesideMasks(PromoteCase):
    """Directories that hold a masked file are shown through the mask: what was listed there is the host's all the same."""

    def test_listed(self) -> None:
        (self.host / "d/deep").mkdir(parents=True)
        (self.host / "d/deep/secret").write_text("secret\n")
        (self.host / "d/deep/plain").write_text("plain\n")
        script, mask = "ls . d d/deep >n; stat d/deep >/dev/null; ls / /etc >/dev/null", ("--mask", str(self.host / "d/deep/secret"))
        self.promote(self.try_out(script, *mask))
        name = self.approve(self.try_out(script + "; echo more >>n", *mask))
        (self.host / "d/deep/new").write_text("new\n")
        result = self.call("promote", name)
        self.assertEqual(result.code, STALE, result.out)
        self.assertEqual([m["path"] for m in result.doc["moved"]], [str(self.host / "d/deep")])


class Stores(PromoteCase):
    """What is kept on another filesystem than the bundle's: no run sees it, and it goes with its run."""

    def promoted(self, kind: str = "ext4") -> tuple[Image, harness.Result]:
        image = Image(self, kind)
        (image.mount / "f").write_text("old\n")
        (image.mount / "big").write_bytes(os.urandom(1 << 20))
        run = self.try_out("echo new >>f; echo x >>big; rm -rf lost+found", "--no-trace", cwd=image.mount)
        self.promote(run)
        return image, run

    def test_no_run_sees_it(self) -> None:
        image, run = self.promoted()
        store = image.mount / ".rehearse" / run.doc["id"]
        self.assertTrue((store / "kept").is_dir())
        before = Tree(image.mount)
        seen = self.try_out("ls -A >&2; test -e .rehearse && exit 3; find . | grep -c rehearse; rm -rf ./* .[!.]*; ls -A | wc -l", "--no-trace", cwd=image.mount)
        self.assertEqual((seen.err.split(), seen.doc["command"]["exit"]), ([b"big", b"f", b"0", b"0"], 0), seen.err)
        self.assertEqual(sorted(os.path.relpath(p, harness.b(image.mount)) for p in seen.changes), [b".", b"big", b"f"])
        self.assert_same(before, image.mount)
        # A directory of that name which is not rehearse's is like any other.
        self.call("rollback", run.doc["id"])
        self.assertFalse((image.mount / ".rehearse").exists())
        (image.mount / ".rehearse").mkdir(mode=0o755)
        self.assertEqual(self.try_out("test -d .rehearse", "--no-trace", cwd=image.mount).doc["command"]["exit"], 0)

    def test_an_action_cannot_plant_one(self) -> None:
        image = Image(self, "ext4")
        run = self.try_out("mkdir -m 700 .rehearse; echo x >.rehearse/f", "--no-trace", cwd=image.mount)
        result = self.call("promote", self.approve(run))
        self.assertEqual(result.code, DATA_ERROR, result.out)
        self.assertIn(b"belongs to rehearse itself", result.err)
        self.assertEqual(os.listdir(image.mount), ["lost+found"])

    def test_goes_with_its_run(self) -> None:
        for verb in ("rm", "gc"):
            with self.subTest(verb=verb):
                image, run = self.promoted("xfs" if verb == "gc" else "ext4")
                root = image.mount.stat().st_mtime_ns
                kept = self.call("gc", "--dry-run", "--all", "--force").doc
                bytes_ = next(r["bytes"] for r in kept["removed"] if r["id"] == run.doc["id"])
                bundle = subprocess.run(["du", "-sB1", str(self.state / "runs" / run.doc["id"])], capture_output=True, check=True, text=True).stdout.split()[0]
                self.assertGreaterEqual(bytes_, int(bundle) + (1 << 20), "the megabyte that is kept is counted")
                self.assertEqual(self.call("rm", "--force", run.doc["id"]).code if verb == "rm" else self.call("gc", "--all", "--force").code, 0)
                self.assertFalse((image.mount / ".rehearse").exists())
                self.assertEqual(image.mount.stat().st_mtime_ns, root)
                self.assertEqual((image.mount / "f").read_text(), "old\nnew\n")
                image.unmount()
                image.mount.rmdir()

    def test_not_while_its_filesystem_is_away(self) -> None:
        image, run = self.promoted()
        image.unmount()
        for words, code in ((["rm", "--force", run.doc["id"]], TRY_LATER), (["gc", "--all", "--force"], harness.FAILURE)):
            result = self.call(*words)
            self.assertEqual(result.code, code, result.err)
            self.assertIn(b"is not mounted", result.err)
        self.assertEqual(self.call("show", run.doc["id"]).code, 0)
        subprocess.run(["mount", "-o", "loop", image.file, image.mount], check=True)
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assertEqual((image.mount / "f").read_text(), "old\n")
        self.assertEqual(self.call("rm", run.doc["id"]).code, 0)

    def test_only_its_own(self) -> None:
        image, one = self.promoted()
        two = self.try_out("echo two >two; rm f", "--no-trace", cwd=image.mount)
        self.promote(two)
        self.assertEqual(sorted(os.listdir(image.mount / ".rehearse")), sorted(r.doc["id"] for r in (one, two)))
        self.assertEqual(self.call("rm", "--force", one.doc["id"]).code, 0)
        self.assertEqual(os.listdir(image.mount / ".rehearse"), [two.doc["id"]])
        self.assertEqual(self.call("rollback", two.doc["id"]).code, 0)
        self.assertEqual((image.mount / "f").read_text(), "old\nnew\n")
        self.assertFalse((image.mount / ".rehearse").exists())


LONG = r"""
import os
name = b'n' * 200
def down(levels):
    for i in range(levels):
        if not os.path.lexists(name): os.mkdir(name)
        os.chdir(name)
def write(path, text):
    with open(path, 'ab') as f: f.write(text)
"""
LONG_SETUP = LONG + "down(30); write('f', b'old'); os.mkdir('d'); write('d/x', b'x'); os.mkdir('gone'); write('gone/y', b'y')\n"
LONG_ACTIONS = {
    "modify": "down(30); write('f', b'more'); os.chmod('d', 0o700); os.setxattr('f', 'user.a', b'1')",
    "create": "down(30); os.mkdir('e'); os.chdir('e'); down(10); write('new', b'new')",
    "delete": "down(30); os.unlink('gone/y'); os.rmdir('gone')",
    "rename": "down(30); os.rename('d', 'moved'); os.rename('f', 'g'); os.link('g', 'h')",
    "create_all": "os.mkdir('top'); os.chdir('top'); down(40); write('new', b'new'); os.symlink('new', 'link')",
    "delete_all": "import shutil; shutil.rmtree(name)",
    "rename_top": "os.rename(name, b'r' * 200)",
}


class Copied(PromoteCase):
    """Filesystems that are shown as a copy, because no layer can be put over them."""

    def test_one_that_takes_everything(self) -> None:
        top = Image(self, "ramfs").mount / "top"
        top.mkdir()
        subprocess.run(["sh", "-euc", "echo one >f; mkdir d; echo x >d/x; ln -s f l; chmod 640 f"], cwd=top, check=True)
        native = self.copy_of(top)
        script = "cat l; ls d; echo two >>f; rm -r d; mkdir n; echo n >n/n; chown 7:7 n; chmod 4755 f"
        before = Tree(top)
        started = time.time_ns() - 20_000_000
        subprocess.run(["sh", "-euc", script], cwd=native, check=True, stdout=subprocess.DEVNULL)
        run = self.try_out(script, cwd=top)
        self.assertEqual(differences(before, Tree(top)), [])
        self.promote(run)
        self.assertEqual(differences(Tree(native), Tree(top), recent=started), [])
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assertEqual(differences(before, Tree(top)), [])

    def test_times_in_whole_seconds(self) -> None:
        """As small ext4 has them, /boot often. They are rounded, which is said, and what was edited in the same second is noticed."""
        top = Image(self, "ext4-128").mount / "top"
        top.mkdir()
        subprocess.run(["sh", "-euc", "echo one >f; ln f g; mkdir d; echo x >d/x; chmod 640 f; echo h >h"], cwd=top, check=True)
        native = self.copy_of(top)
        script = "echo two >>f; rm -r d; mkdir -p n/m; echo n >n/m/n; touch -d 2001-02-03T04:05:06.789 n/m/n; chown 7:7 n; chmod 4755 h; touch -d 2002-02-03T04:05:06.789 n"
        before = Tree(top)
        started = time.time_ns() - 1_020_000_000
        subprocess.run(["sh", "-euc", script], cwd=native, check=True)
        run = self.try_out(script, cwd=top)
        done = self.promote(run)
        self.assertIn("keeps times in steps of 1.0 s: so are those of what comes there", str(done.doc["notes"]))
        wanted = Tree(native)
        for entry in wanted.entries.values():
            entry.mtime -= entry.mtime % 1_000_000_000
        self.assertEqual(differences(wanted, Tree(top), recent=started), [])
        (top / "h").chmod(0o600)
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, [harness.path_of(moved) for moved in back.doc["moved"]]), (14, [os.fsencode(top / "h")]), back.out)
        (top / "h").chmod(0o4755)
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assertEqual(differences(before, Tree(top)), [])

    def test_one_that_does_not(self) -> None:
        top = Image(self, "vfat").mount
        (top / "f").write_text("one\n")
        (self.host / "g").write_text("one\n")
        run = self.try_out(f"echo two >{top}/f; echo two >g")
        token = self.approve(run)
        refused = self.call("promote", token)
        self.assertEqual((refused.code, f"{top} is a FAT filesystem".encode() in refused.err), (69, True), refused.err)
        self.assertEqual(((top / "f").read_text(), (self.host / "g").read_text()), ("one\n", "one\n"))
        rest = self.call("promote", token, "--except", str(top))
        self.assertEqual(rest.code, 0, rest.err)
        self.assertEqual(((top / "f").read_text(), (self.host / "g").read_text()), ("one\n", "two\n"))


class LongPaths(PromoteCase):
    """Paths longer than PATH_MAX."""

    def both(self, script: str, where: Path) -> None:
        subprocess.run(["python3", "-I", "-c", script], cwd=where, check=True)

    def test_each(self) -> None:
        for name, script in LONG_ACTIONS.items():
            with self.subTest(name=name):
                top, native = self.host / name, self.base / f"native-{name}"
                for tree in (top, native):
                    tree.mkdir()
                    self.both(LONG_SETUP, tree)
                    subprocess.run(["sh", "-c", "find . -depth -execdir touch -h -d 2001-01-01 {} +"], cwd=tree, check=True)
                started = time.time_ns() - 20_000_000
                self.both(LONG + script, native)
                before = Tree(top)
                run = self.run_in(["python3", "-I", "-c", LONG + script], "--cwd", str(top))
                self.assertEqual(run.doc["command"]["exit"], 0, run.err)
                self.assertEqual(differences(before, Tree(top)), [])
                self.promote(run)
                self.assertEqual(differences(Tree(native), Tree(top), recent=started), [])
                back = self.call("rollback", run.doc["id"])
                self.assertEqual(back.code, 0, (back.out[-2000:], back.err))
                self.assertEqual(differences(before, Tree(top)), [])


class Unobserved(PromoteCase):
    """What rehearse could not read of a run's changes cannot be promoted, whoever approves it."""

    def test_a_change_that_is_not_understood(self) -> None:
        (self.host / "d").mkdir()
        (self.host / "d/x").write_text("x")
        # The action writes overlayfs's own attribute as root of a namespace may not; somebody in the bundle may.
        script = "mv d moved; sleep 3"
        process = subprocess.Popen(self.command("run", "--no-trace", "--cwd", str(self.host), "--", "sh", "-c", script), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        pattern = f"runs/*/uppers/*/upper{self.host}/moved"
        self.assertTrue(harness.wait_for(lambda: list(self.state.glob(pattern))))
        moved = next(self.state.glob(pattern))
        self.assertTrue(harness.wait_for(lambda: "trusted.overlay.redirect" in os.listxattr(moved)))
        os.setxattr(moved, "trusted.overlay.redirect", b"nowhere")
        out, err = process.communicate(timeout=60 * harness.SLOW)
        run = harness.Result(process.returncode, out, err, 0)
        self.assertEqual(run.doc["verdict"]["level"], "inconclusive")
        self.assertIn("cannot be found below", run.doc["changes_unobserved"][0])
        code, said = self.at_terminal("approve", self.name(run), "--reason", "x")
        self.assertEqual(code, harness.INCONCLUSIVE, said)
        self.assertEqual(self.call("promote", self.name(run)).code, harness.INCONCLUSIVE)
        self.assertEqual(sorted(os.listdir(self.host)), ["d"])


class OneAmongMany(PromoteCase):
    """One object that may not be promoted among many that may (REHEARSE_MANY: how many): nothing is, in bounded memory and time."""

    COUNT = int(os.environ.get("REHEARSE_MANY", "20000"))
    MOST_BYTES = 1 << 30
    MOST_SECONDS = 60 * harness.SLOW

    ACTION = f"""
import os
for i in range({COUNT}):
    if i % 1000 == 0: os.mkdir('d%d' % (i // 1000))
    os.close(os.open('d%d/f%d' % (i // 1000, i), os.O_CREAT | os.O_WRONLY, 0o644))
"""

    def refused(self, name: str, words: bytes, *options: str) -> None:
        before = sorted(os.listdir(self.host))
        with subprocess.Popen(self.command("promote", name, "--stale-ignore", "/**", *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
            started = time.monotonic()
            assert process.stdout and process.stderr
            out, err = process.stdout.read(), process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.monotonic() - started
        self.assertEqual(process.returncode, DATA_ERROR, (out[-1000:], err))
        self.assertIn(words, err)
        self.assertEqual(err.count(b"\n"), 1, err)
        print(f"{words.decode()}: {seconds:.1f} s, {usage.ru_maxrss >> 10} MiB")
        self.assertLess(usage.ru_maxrss << 10, self.MOST_BYTES)
        self.assertLess(seconds, self.MOST_SECONDS)
        self.assertEqual(sorted(os.listdir(self.host)), before)
        self.assert_nothing_staged([self.host])

    def test_all(self) -> None:
        secret = self.host / "secret"
        secret.write_text("secret\n")
        # One rehearsal of each kind of bad object; the ones that are planted in the bundle share theirs.
        run = self.run_in(["python3", "-I", "-c", self.ACTION], "--cwd", str(self.host), "--no-trace")
        self.assertEqual(run.doc["command"]["exit"], 0, run.err)
        name = self.approve(run)
        upper = next((self.state / "runs" / run.doc["id"]).glob("uppers/*/upper" + str(self.host)))
        middle = upper / f"d{self.COUNT // 2000}"
        times = middle.stat()
        os.mknod(middle / "forged", 0o600 | 0o020000, os.makedev(0, 0))
        os.utime(middle, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.refused(name, b"has no record")
        os.unlink(middle / "forged")
        os.utime(middle, ns=(times.st_atime_ns, times.st_mtime_ns))
        os.setxattr(middle / f"f{self.COUNT // 2}", "user.overlay.opaque", b"y")
        self.refused(name, b"set of extended attributes")
        os.removexattr(middle / f"f{self.COUNT // 2}", "user.overlay.opaque")
        self.call("rm", run.doc["id"])
        masked = self.run_in(["python3", "-I", "-c", self.ACTION + "open('secret', 'a').write('more')\n"], "--cwd", str(self.host), "--no-trace", "--mask", str(secret))
        self.assertEqual(masked.doc["command"]["exit"], 0, masked.err)
        self.refused(self.approve(masked), b"masked file")
        self.call("rm", masked.doc["id"])
        own = self.run_in(["python3", "-I", "-c", self.ACTION + "os.setxattr('d0/f0', 'user.overlay.opaque', b'y')\n"], "--cwd", str(self.host), "--no-trace")
        if own.doc["command"]["exit"] == 0:
            self.refused(self.approve(own), b"user.overlay.opaque")


if __name__ == "__main__":
    main_in_private_mounts()
