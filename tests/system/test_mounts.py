"""Hosts with odd mounts, in a mount namespace of the test's own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil

import harness
from harness import Case, Document

SETUP = r"""
M="$B/m"; mkdir "$M"; mount -t tmpfs t "$M"; cd "$M"
odd=("sp ace" "co,mma" $'new\nline' 'back\slash' 'col:on')
for d in "${odd[@]}"; do mkdir "$d"; mount -t tmpfs x "$d"; echo hi > "$d/f"; done
"""
RUN = '"$REHEARSE" --state "$B/state" --json run -- sh -c "$ACTION" || test $? = 10 -o $? = 12'


class Mounts(Case):
    def rehearse_in(self, setup: str, action: str, after: str = "") -> Document:
        self.err = b""
        if (self.base / "m").exists():
            (self.base / "m").rmdir()  # of an earlier one, whose mounts went with it
        done = harness.PrivateMounts.run(f"{setup}\n{RUN}\n{after}", {"B": str(self.base), "REHEARSE": self.rehearse, "ACTION": action})
        self.err = done.stderr
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        return json.loads(done.stdout)

    def gaps(self, doc: Document) -> dict[str, str]:
        return {gap["what"]: gap["cap"] for gap in doc["fidelity"]["gaps"]}

    def paths(self, doc: Document) -> dict[bytes, str]:
        return {harness.path_of(entry): entry["change"] for entry in doc["changes"]}

    def test_odd_names(self) -> None:
        action = f"cd {self.base}/m && for d in *; do echo changed > \"$d/f\" && cat \"$d/f\" >&2; done"
        doc = self.rehearse_in(SETUP, action, 'for d in "${odd[@]}"; do test "$(cat "$d/f")" = hi; done')
        paths = self.paths(doc)
        for name in ("sp ace", "co,mma", "new\nline", "back\\slash", "col:on"):
            self.assertEqual(paths[os.fsencode(f"{self.base}/m/{name}/f")], "modified")
        self.assertEqual(self.err.count(b"changed"), 5)

    def test_file_mounts(self) -> None:
        setup = SETUP + 'echo same > "$B/src"; touch one; mount --bind "$B/src" one; mkdir other; mount -t tmpfs o other; echo far > other/file; touch two; mount --bind other/file two; umount other'
        action = f"cd {self.base}/m && cat one two >&2 && echo new > one && echo newer > two && cat one two >&2"
        doc = self.rehearse_in(setup, action, 'test "$(cat "$B/src")" = same; test "$(cat two)" = far')
        self.assertEqual(self.err.split(), [b"same", b"far", b"new", b"newer"])
        paths = self.paths(doc)
        self.assertEqual(paths[os.fsencode(f"{self.base}/src")], "modified")
        self.assertEqual(paths[os.fsencode(f"{self.base}/m/two")], "modified")

    def test_many_mounts(self) -> None:
        """So many that their layers are made on several threads; most of them have nothing done to them."""
        setup = SETUP + 'for i in $(seq 40); do mkdir n$i; mount -t tmpfs t n$i; echo $i > n$i/f; chmod 750 n$i; chown 1000:1000 n$i/f; done'
        action = (f"cd {self.base}/m && cat n[0-9]*/f | wc -l >&2 && stat -c %u:%g:%a n7/f n7 >&2 && echo new > n3/f && rm n17/f && mkdir -p n40/d/e"
                  " && chmod 700 n5 && setfattr -n user.mark -v 1 n6 && touch n8/gone && rm n8/gone && chown 1000 n40/d")
        doc = self.rehearse_in(setup, action, 'test "$(cat n3/f)" = 3; test -e n17/f')
        self.assertEqual(self.err.split()[:3], [b"40", b"1000:1000:644", b"0:0:750"])
        paths = {os.path.relpath(path, os.fsencode(f"{self.base}/m")).decode(): change for path, change in self.paths(doc).items()}
        paths.pop("n8", None)  # its times
        wanted = {"n3/f": "modified", "n17/f": "deleted", "n40/d": "created", "n40/d/e": "created", "n5": "metadata", "n6": "metadata"}
        self.assertEqual({path: change for path, change in paths.items() if path in wanted or change not in ("metadata", "identical")}, wanted)
        self.assertLessEqual(set(paths) - set(wanted), {"n17", "n40"})  # their times

    def test_a_directory_shown_twice_stays_one(self) -> None:
        setup = SETUP + 'mkdir data a; echo 1 > data/f; mount --bind data a'
        action = f"cd {self.base}/m && echo 2 > a/f && cat data/f >&2 && rm data/f && test ! -e a/f"
        doc = self.rehearse_in(setup, action, "test $(cat data/f) = 1")
        self.assertEqual(doc["command"]["exit"], 0)
        self.assertEqual(self.paths(doc)[os.fsencode(f"{self.base}/m/data/f")], "deleted")

    def test_covered_and_read_only(self) -> None:
        setup = SETUP + 'mkdir over ro; mount -t tmpfs a over; echo below > over/f; mount -t tmpfs b over; echo top > over/f; mount -t tmpfs r ro; echo x > ro/f; mount -o remount,ro ro'
        action = f"cd {self.base}/m && cat over/f >&2; touch ro/new 2>&1 | grep -o 'Read-only' >&2; mount -o remount,rw {self.base}/m/ro 2>/dev/null && touch ro/new; true"
        doc = self.rehearse_in(setup, action, "test $(cat over/f) = top; test ! -e ro/new")
        self.assertEqual(self.err.split()[:2], [b"top", b"Read-only"])

    def test_filesystems(self) -> None:
        kinds = [k for k in ("ext4", "xfs", "btrfs", "vfat") if shutil.which(f"mkfs.{k}") and harness.has_filesystem(k)]
        self.assertTrue(kinds)
        setup = SETUP
        for kind in kinds:
            force = {"ext4": "-q -F", "xfs": "-q -f", "btrfs": "-q -f", "vfat": ""}[kind]
            setup += f'truncate -s 320M "$B/{kind}.img"; mkfs.{kind} {force} "$B/{kind}.img" >/dev/null 2>&1; mkdir {kind}; mount -o loop "$B/{kind}.img" {kind}; echo {kind} > {kind}/f; mkdir {kind}/d; echo 1 > {kind}/d/x; dd if=/dev/urandom of={kind}/over bs=4k count=9 status=none; cp {kind}/over "$B/{kind}.over"\n'
        action = f"cd {self.base}/m && for k in {' '.join(kinds)}; do echo new >> $k/f && mv $k/d $k/e && dd if=/dev/zero of=$k/zero bs=1M count=1 2>/dev/null && dd if=/dev/zero of=$k/over bs=4k count=3 conv=notrunc 2>/dev/null && chmod 600 $k/f && cat $k/f >&2; done"
        doc = self.rehearse_in(setup, action, "\n".join(f"test $(cat {k}/f) = {k}; test -e {k}/d/x; cmp {k}/over \"$B/{k}.over\"; umount {k}" for k in kinds))
        self.assertEqual(doc["command"]["exit"], 0, self.err)
        paths = self.paths(doc)
        for kind in kinds:
            self.assertEqual(paths[os.fsencode(f"{self.base}/m/{kind}/f")], "modified")
            over = next(entry for entry in doc["changes"] if harness.path_of(entry) == os.fsencode(f"{self.base}/m/{kind}/over"))
            content = bytes(3 * 4096) + (self.base / f"{kind}.over").read_bytes()[3 * 4096:]
            self.assertEqual((over["change"], over["after"]["sha256"].removeprefix("sha256:")), ("modified", hashlib.sha256(content).hexdigest()))
            if kind != "vfat":
                self.assertEqual(paths[os.fsencode(f"{self.base}/m/{kind}/e")], "renamed")

    def test_squashfs(self) -> None:
        harness.need("mksquashfs")
        setup = SETUP + 'mksquashfs /etc/apt "$B/sq.img" -quiet -noappend >/dev/null; mkdir sq; mount -o loop "$B/sq.img" sq'
        doc = self.rehearse_in(setup, f"ls {self.base}/m/sq/sources.list.d >&2; touch {self.base}/m/sq/x 2>/dev/null || echo refused >&2", "umount sq")
        self.assertIn(b"refused", self.err)
        self.assertEqual(doc["command"]["exit"], 0)

    def test_a_pipe_in_an_image_is_not_the_hosts(self) -> None:
        """Also where the image cannot be idmapped: whoever reads from it outside gets nothing from inside."""
        harness.need("mksquashfs")
        setup = SETUP + """mkdir "$B/image" sq; mkfifo "$B/image/pipe"; echo text > "$B/image/file"; chmod 644 "$B/image/file"; chmod 666 "$B/image/pipe"
mksquashfs "$B/image" "$B/sq.img" -quiet -noappend >/dev/null; mount -o loop "$B/sq.img" sq
cat sq/pipe > "$B/heard" & reader=$!; sleep 0.3"""
        doc = self.rehearse_in(setup, f"cat {self.base}/m/sq/file >&2; timeout 1 sh -c 'echo leaked > {self.base}/m/sq/pipe'", 'kill $reader; wait $reader || true; umount sq; test ! -s "$B/heard"')
        self.assertEqual((self.err, doc["command"]["exit"]), (b"text\n", 124))

    def test_kernel_interfaces_elsewhere(self) -> None:
        """Devices and proc of a jail: what they cover is not shown in their place, and who looks there is told."""
        jail = f"{self.base}/m/jail"
        setup = SETUP + "mkdir -p jail/dev jail/proc; echo covered > jail/dev/null; echo covered > jail/proc/version; mount --bind /dev/null jail/dev/null; mount -t proc proc jail/proc"
        for action, looked in (("true", set()), (f"cat {jail}/dev/null", {"dev/null"}), (f"cat {jail}/proc/version || true", {"proc"})):
            with self.subTest(action):
                doc = self.rehearse_in(setup, action, "umount jail/dev/null jail/proc")
                gaps = self.gaps(doc)
                self.assertEqual({name for name in ("dev/null", "proc") if gaps.get(f"mount {jail}/{name} hidden") == "inconclusive"}, looked, gaps)
                self.assertNotIn(b"covered", bytes(str(doc["command"]), "utf-8") + self.err)

    def test_what_finds_no_room_on_the_host_is_said(self) -> None:
        """Layers are on another filesystem, which may have room where the host's has none."""
        small, few = f"{self.base}/m/small", f"{self.base}/m/few"
        setup = SETUP + "mkdir small few; mount -t tmpfs -o size=4M s small; mount -t tmpfs -o nr_inodes=20 f few; head -c 3M /dev/zero > small/old"
        for action, room in ((f"head -c 10M /dev/zero > {small}/big", small), (f"cp {small}/old {small}/two", small), (f"for i in $(seq 30); do : > {few}/$i; done", few),
                             (f"head -c 512K /dev/zero > {small}/ok; head -c 3M /dev/zero > {small}/old; chmod 600 {small}/old", None), (f"rm {small}/old; head -c 3M /dev/zero > {small}/new", None),
                             (f"head -c 3M /dev/zero > {self.base}/m/co,mma/f", None)):
            with self.subTest(action):
                doc = self.rehearse_in(setup, action, "umount small few")
                self.assertEqual({what: cap for what, cap in self.gaps(doc).items() if what.startswith("room")}, {} if room is None else {f"room on {room}": "yellow"})

    def test_remote_filesystems_are_hidden_and_named(self) -> None:
        if not os.path.exists("/dev/fuse") or not os.path.exists("/usr/bin/bindfs"):
            harness.skip("no FUSE filesystem can be mounted here (needs /dev/fuse and bindfs)")
        fuse = f"{self.base}/m/fuse"
        for action, cap in (("true", "green"), (f"stat {self.base}/m/co,mma/f", "green"), (f"ls -A {fuse}", "inconclusive"),
                            (f"test -e {fuse}/passwd", "inconclusive"), (f"cd {fuse} && test -e passwd", "inconclusive"), (f"touch {fuse}/new", "inconclusive")):
            with self.subTest(action=action):
                doc = self.rehearse_in(SETUP + "mkdir fuse; bindfs /etc fuse", action, "umount fuse")
                self.assertEqual(self.gaps(doc).get(f"mount {fuse} hidden"), cap, self.gaps(doc))
                self.assertEqual(doc["verdict"]["level"] == "inconclusive", cap == "inconclusive", doc["verdict"])

    def test_what_containers_have_mounted(self) -> None:
        """Overlays, with mounts of their own in them: hidden, and of no concern to who does not look there."""
        merged = f"{self.base}/m/c/merged"
        setup = SETUP + 'mkdir c c/low c/merged "$B/rw"; mkdir "$B/rw/up" "$B/rw/work" c/low/data; mount -t overlay -o lowerdir=c/low,upperdir="$B/rw/up",workdir="$B/rw/work" overlay c/merged; echo x > c/merged/f; mount -t tmpfs v c/merged/data; echo y > c/merged/data/f'
        for action, hidden, absent in (("true", "green", "green"), (f"touch {self.base}/m/c/f", "green", "green"), (f"ls {merged}", "inconclusive", "green"),
                                       (f"cat {merged}/f", "inconclusive", "green"), (f"cat {merged}/data/f", "inconclusive", "inconclusive")):
            with self.subTest(action=action):
                doc = self.rehearse_in(setup, action, 'test $(cat c/merged/f c/merged/data/f | tr -d "\\n") = xy; umount c/merged/data c/merged; rm -r "$B/rw"')
                gaps = self.gaps(doc)
                self.assertEqual((gaps.get(f"mount {merged} hidden"), gaps.get(f"mount {merged}/data absent", "green")), (hidden, absent), gaps)
                self.assertEqual(doc["verdict"]["level"] == "inconclusive", hidden == "inconclusive", doc["verdict"])

    # A mount that is hidden, a bind of it, links into it, a file that lies in one, programs that need something in one.
    HIDDEN = SETUP + r"""mkdir big big2 d; mount -t ramfs r big; chmod 1777 big; echo data > big/f; cp /bin/dash big/interp; truncate -s 270M "$B/hole"; dd if=/dev/zero of=big/fill bs=1M count=260 status=none
mount --bind big big2; ln -s big lnk; ln -s "$PWD/big/f" far; ln -s lnk two; mkdir sub; ln -s ../big sub/up; printf '#!%s\n' "$PWD/big/interp" > script; chmod 755 script; touch one; mount --bind big/fill one; touch plain; chmod 1777 .
"""

    def test_each_way_of_looking_at_what_is_hidden(self) -> None:
        """Whoever asks, by whatever name and call: what is not shown as it is makes the run inconclusive."""
        m = f"{self.base}/m"
        python = "python3 -c 'import os, sys\ntry: {}\nexcept OSError as e: print(e)' >&2; true"
        looks = {
            "by its name": "cat big/f", "a test": "test -e big/none", "by a bind of it": "cat big2/f", "by a link": "test -e lnk/f", "by a link to a file": "cat far",
            "by links of links": "cat two/f", "by a link with ..": "cat sub/up/f", "in the directory": "cd big && test -e f", "in the link": "cd lnk && test -e f",
            "by one without rights": "setpriv --reuid 65534 --clear-groups mkdir big/x", "may I write": "test -w big", "a listing": "ls big2", "a filesystem's size": "stat -f big",
            "renamed into it": python.format('os.rename("plain", "big/x/y")'), "linked into it": python.format('os.link("plain", "big/x/y")'),
            "an interpreter": "./script", "a file that is a mount": "test -s one", "bound elsewhere": "mount --bind big d && test -e d/f",
        }
        for name, action in looks.items():
            with self.subTest(how=name):
                doc = self.rehearse_in(self.HIDDEN, f"cd {m}; {action} || true", "umount one big2 big")
                gaps = {what: cap for what, cap in self.gaps(doc).items() if what.startswith("mount ") and what.endswith(" hidden")}
                self.assertEqual(sorted(gaps), [f"mount {m}/{n} hidden" for n in ("big", "big2", "one")])
                self.assertIn("inconclusive", gaps.values(), gaps)
                self.assertEqual(doc["verdict"]["level"], "inconclusive")
        for action in ("ls -ld big .", "test -d lnk", "cat plain; echo x > new; ln -s big mine; rm mine"):
            with self.subTest(action=action):
                doc = self.rehearse_in(self.HIDDEN, f"cd {m}; {action}", "umount one big2 big")
                self.assertEqual(doc["verdict"]["level"] == "inconclusive", False, doc["verdict"])

    def test_a_host_that_changes_while_it_is_copied(self) -> None:
        """What was changed when it had been copied, and before the action began, has moved under the run."""
        setup = SETUP + r"""mkdir ram; mount -t ramfs r ram; echo old > ram/a; dd if=/dev/zero of=ram/fill bs=1M count=200 status=none
timeout 30 python3 -c 'import glob, os
while not glob.glob(os.environ["B"] + "/state/runs/*/copies/*/a"): pass
open("ram/a", "w").write("new\n")' &
"""
        doc = self.rehearse_in(setup, f"cat {self.base}/m/ram/a >&2", 'wait; cp ram/a "$B/after"; umount ram')
        if self.err == b"new\n" or (self.base / "after").read_text() != "new\n":
            harness.skip("the copy was not caught half made")
        self.assertIn(f"{self.base}/m/ram/a", str(doc["reads"]), doc["reads"])

    def test_what_cannot_be_idmapped_is_copied_or_hidden_and_named(self) -> None:
        """ramfs: small, it is copied; large, it is hidden. Written to inside, and as it was outside."""
        script = f"cd {self.base}/m && cat ram/f >&2; echo new > ram/f; ls -A big >&2; echo x > big/y"
        setup = SETUP + 'mkdir ram big; mount -t ramfs r ram; echo kept > ram/f; mount -t ramfs r2 big; dd if=/dev/zero of=big/f bs=1M count=260 status=none'
        doc = self.rehearse_in(setup, script, "test $(cat ram/f) = kept; test ! -e big/y; umount ram big")
        gaps = self.gaps(doc)
        self.assertEqual(gaps.get(f"mount {self.base}/m/ram copied"), "green", gaps)
        self.assertEqual(gaps.get(f"mount {self.base}/m/big hidden"), "inconclusive", gaps)
        self.assertEqual(doc["verdict"]["level"], "inconclusive")
        self.assertTrue(self.err.startswith(b"kept\n"), self.err)
        self.assertIn(b"Read-only", self.err)
        paths = self.paths(doc)
        self.assertEqual(paths.get(os.fsencode(f"{self.base}/m/ram/f")), "modified")
        self.assertFalse([path for path in paths if b"/m/big/" in path])

    def test_a_copy_that_is_only_read_is_as_good(self) -> None:
        doc = self.rehearse_in(SETUP + "mkdir ram; mount -t ramfs r ram; echo kept > ram/f", f"cat {self.base}/m/ram/f >&2", "umount ram")
        self.assertEqual((self.err, self.gaps(doc).get(f"mount {self.base}/m/ram copied")), (b"kept\n", "green"), self.gaps(doc))

    def test_a_copy_has_everything(self) -> None:
        """Pipes, sockets, devices, names of one object; what is written to it is as in a layer."""
        ram = f"{self.base}/m/ram"
        fill = """mkdir ram/d; echo x > ram/d/f; ln ram/d/f ram/g; ln -s g ram/l; mkfifo -m 640 ram/pipe; mknod ram/null c 1 3; chown 7:8 ram/pipe; touch -hd 2001-01-01 ram/l ram/pipe ram/d
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("ram/socket")'; """
        look = "find . -printf '%p %M %U:%G %n %T@ %l\\n' | sort"
        outside = self.base / "outside"
        action = f"cd {ram} && {look} | sed 's/^\\. .*/./' > /dev/fd/2; echo y >> g && cat d/f >&2; (echo z > pipe &) && cat pipe >&2"
        doc = self.rehearse_in(f'{SETUP} mkdir ram; mount -t ramfs r ram; {fill} (cd ram; {look}) | sed "s/^\\. .*/./" > "$B/outside"', action, "test $(cat ram/g) = x; umount ram")
        self.assertEqual(self.err, outside.read_bytes() + b"x\ny\nz\n")
        self.assertEqual(self.gaps(doc).get(f"mount {ram} copied"), "green", self.gaps(doc))
        self.assertEqual(self.paths(doc)[os.fsencode(f"{ram}/d/f")], "modified")


    def test_an_overlay_of_two_filesystems_has_all_its_objects(self) -> None:
        """Its files say that they are on another device than its directories."""
        setup = SETUP + ("mkdir low up ov low/d; echo a > low/top; ln low/top low/again; ln -s top low/link; echo b > low/d/f; mount -t tmpfs t up; mkdir up/u up/w;"
                         "mount -t overlay o -o lowerdir=low,upperdir=up/u,workdir=up/w ov")
        doc = self.rehearse_in(setup, f"cd {self.base}/m/ov && cat top link d/f >&2 && rm -r d && test $(stat -c %h again) = 2 && echo c >> again && cat top >&2",
                               "test $(cat ov/top) = a; umount ov up")
        self.assertEqual(self.err, b"a\na\nb\na\nc\n")
        paths = self.paths(doc)
        self.assertEqual(paths.get(os.fsencode(f"{self.base}/m/ov/d/f")), "deleted", paths)
        self.assertEqual(paths.get(os.fsencode(f"{self.base}/m/ov/again")), "modified", paths)

    def test_what_is_mounted_and_has_no_name_any_more(self) -> None:
        """As when /etc/resolv.conf is bound somewhere, and a new one takes its place."""
        setup = SETUP + "echo old > one; touch at; mount --bind one at; echo new > two; mv two one; mkdir gone dir; mount --bind gone dir; rmdir gone"
        doc = self.rehearse_in(setup, f"cd {self.base}/m && cat at one >&2; echo mine > at; cat at one >&2; ls dir", "test $(cat at) = old; umount at dir")
        self.assertEqual(self.err.split()[:4], [b"old", b"new", b"mine", b"new"])
        self.assertEqual(self.paths(doc).get(os.fsencode(f"{self.base}/m/at")), "modified")

    def test_what_overlayfs_takes_for_its_own_marks_is_said(self) -> None:
        doc = self.rehearse_in(SETUP + "mkdir store; echo a > store/a; mknod store/gone c 0 0", f"rm -r {self.base}/m/store || stat {self.base}/m/store/gone; true")
        self.assertEqual(self.gaps(doc).get(f"looked for in vain, and this host has it: {self.base}/m/store/gone"), "yellow", self.gaps(doc))
        self.assertNotEqual(doc["verdict"]["level"], "green")

    def test_an_unbindable_mount_is_hidden_and_named(self) -> None:
        setup = SETUP + "mkdir alone; mount -t tmpfs a alone; echo 1 > alone/f; mount --make-unbindable alone"
        doc = self.rehearse_in(setup, f"ls -A {self.base}/m/alone", "umount alone")
        self.assertEqual(self.gaps(doc).get(f"mount {self.base}/m/alone hidden"), "inconclusive", self.gaps(doc))

    def test_an_efi_system_partition(self) -> None:
        """vfat, which is no layer: copied; if it is large, shown as it is, read-only."""
        harness.need("mkfs.vfat")
        if not harness.has_filesystem("vfat"):
            harness.skip("this kernel has no vfat")
        setup = SETUP + 'truncate -s 320M "$B/esp.img"; mkfs.vfat "$B/esp.img" >/dev/null; mkdir esp; mount -o loop,umask=0077 "$B/esp.img" esp; echo one > esp/f; MORE'
        esp = f"{self.base}/m/esp"
        large = "dd if=/dev/zero of=esp/large bs=1M count=80 status=none; mkdir esp2; mount --bind esp esp2"
        for more, action, what, cap in ((":", f"cat {esp}/f >&2", "copied", "green"), (":", f"echo two > {esp}/f && cat {esp}/f >&2", "copied", "yellow"),
                                        (":", f"ln -s x {esp}/l && rm {esp}/l", "copied", "yellow"), (":", f"test -e {esp}/F || true", "copied", "yellow"),
                                        (large, f"cat {esp}2/f >&2; stat -c %u:%a {esp}/f >&2", "read-only", "green"),
                                        (large, f"echo two > {esp}/f || echo refused >&2", "read-only", "yellow"),
                                        (large, f"echo two > {esp}2/f || echo refused >&2; mount -o remount,rw {esp}2; touch {esp}2/new || echo refused >&2", "read-only", "yellow")):
            with self.subTest(action=action, large=more != ":"):
                doc = self.rehearse_in(setup.replace("MORE", more), action, 'test "$(cat esp/f)" = one; test ! -e esp/new; umount esp2 2>/dev/null || true; umount esp; rm "$B/esp.img"')
                self.assertEqual(self.gaps(doc).get(f"mount {esp} {what}"), cap, self.gaps(doc))
                if "cat" in action:
                    self.assertEqual(self.err, {":": b"two\n" if "two" in action else b"one\n", large: b"one\n0:700\n"}[more])
                self.assertEqual(self.err.count(b"refused"), action.count("refused"), self.err)
                self.assertEqual(doc["verdict"]["level"] == "green", cap == "green", doc["verdict"])

    def test_a_mount_can_be_hidden(self) -> None:
        done = harness.PrivateMounts.run(f'{SETUP}\nmkdir t; mount -t tmpfs t t; echo secret > t/f\n"$REHEARSE" --state "$B/state" --json run --hide "$PWD/t" -- ls -A "$PWD/t"', {"B": str(self.base), "REHEARSE": self.rehearse})
        self.assertIn(done.returncode, harness.RAN, done.stderr)
        self.assertEqual((json.loads(done.stdout)["command"]["exit"], done.stderr), (0, b""))

    def test_five_hundred_mounts(self) -> None:
        setup = SETUP + "for i in $(seq 500); do mkdir n$i; mount -t tmpfs n$i n$i; done"
        doc = self.rehearse_in(setup, f"cd {self.base}/m; for i in $(seq 500); do echo $i > n$i/f; done", "test ! -e n7/f")
        self.assertEqual(doc["counts"]["created"], 500)

    def test_every_line_of_the_plan_is_classified(self) -> None:
        done = harness.PrivateMounts.run(SETUP + '"$REHEARSE" --state "$B/state" --json run --plan -- true', {"B": str(self.base), "REHEARSE": self.rehearse})
        plan = json.loads(done.stdout)
        self.assertEqual(plan["schema"], "rehearse.plan/1")
        shown = {mount["mountpoint"]: mount["show"] for mount in plan["mounts"]}
        self.assertEqual((shown["/"], shown["/proc"]), ("layer", "fresh proc"))
        self.assertTrue(all(show for show in shown.values()))
        self.assertFalse(self.state.exists() and os.listdir(self.state))


if __name__ == "__main__":
    harness.main()
