"""What an action does to files is in the document, exactly, and the host keeps its own."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import subprocess
import unittest

import harness
from harness import HostCase, Result, b


class Files(HostCase):
    def setUp(self) -> None:
        super().setUp()
        for name, text in (("keep", "old\n"), ("gone", "x"), ("mode", "m"), ("same", "same\n"), ("moved", "content\n")):
            (self.host / name).write_text(text)
        (self.host / "tree/sub").mkdir(parents=True)
        for name in ("a", "sub/b", "sub/c"):
            (self.host / "tree" / name).write_text(name)

    def test_each_kind_of_change(self) -> None:
        h = self.host
        result = self.shell(
            f"cd {h} && echo new > created && echo more >> keep && rm gone && chmod 600 mode && mv moved renamed && "
            "cat same > tmp && cat tmp > same && rm tmp && rm -r tree/sub && mkdir newdir && echo f > newdir/f && rm -f mode2; "
            "rm keep2 2>/dev/null; ln -s target link"
        )
        self.assertEqual(self.change(result, h / "created", "created")["after"]["size"], 4)
        modified = self.change(result, h / "keep", "modified")
        self.assertNotEqual(modified["before"]["sha256"], modified["after"]["sha256"])
        self.change(result, h / "gone", "deleted")
        mode = self.change(result, h / "mode", "metadata")
        self.assertEqual((mode["before"]["mode"], mode["after"]["mode"]), ("0644", "0600"))
        self.assertEqual(self.change(result, h / "renamed", "renamed")["from"], str(h / "moved"))
        self.assertNotIn(b(h / "moved"), result.changes)
        self.change(result, h / "same", "identical")
        for name in ("tree/sub", "tree/sub/b", "tree/sub/c"):
            self.change(result, h / name, "deleted")
        self.change(result, h / "newdir", "created")
        self.change(result, h / "newdir/f", "created")
        self.assertEqual(self.change(result, h / "link", "created")["after"]["target"], "target")
        counts = result.doc["counts"]
        self.assertEqual((counts["created"], counts["deleted"], counts["renamed"], counts["modified"], counts["metadata"]), (4, 4, 1, 1, 1))
        self.assertEqual((h / "keep").read_text(), "old\n")
        self.assertFalse((h / "created").exists())
        self.assertTrue((h / "tree/sub/b").exists())

    def test_opaque_directory_lists_what_it_hides(self) -> None:
        result = self.shell(f"cd {self.host} && rm -r tree && mkdir tree && echo z > tree/z")
        for name in ("tree/a", "tree/sub", "tree/sub/b", "tree/sub/c"):
            self.change(result, self.host / name, "deleted")
        self.change(result, self.host / "tree/z", "created")

    def test_a_directory_that_was_made_anew_below_one_that_was(self) -> None:
        """overlayfs marks only the upper one; nothing of the host shows below either."""
        result = self.shell(f"cd {self.host} && rm -r tree && mkdir -p tree/sub && echo z > tree/sub/z")
        for name in ("tree/a", "tree/sub/b", "tree/sub/c"):
            self.change(result, self.host / name, "deleted")
        self.change(result, self.host / "tree/sub/z", "created")
        self.assertIn("replaced", self.change(result, self.host / "tree/sub", "metadata")["also"])

    def test_renamed_directory_is_one_entry(self) -> None:
        result = self.run_in(["python3", "-c", f"import os; os.rename('{self.host}/tree', '{self.host}/tree2'); open('{self.host}/tree2/sub/b','a').write('!')"])
        self.assertIn(result.code, harness.RAN)
        self.assertEqual(self.change(result, self.host / "tree2", "renamed")["from"], str(self.host / "tree"))
        self.change(result, self.host / "tree2/sub/b", "modified")
        self.assertEqual(result.doc["counts"]["deleted"], 0)
        self.assertNotIn(b(self.host / "tree2/sub/c"), result.changes)

    def test_what_stood_where_a_directory_was_moved_to_is_deleted(self) -> None:
        (self.host / "d2/in").mkdir(parents=True)
        result = self.run_in(["python3", "-c", f"import os,shutil; os.chdir('{self.host}'); os.unlink('keep'); os.rename('tree','keep'); shutil.rmtree('d2'); os.mkdir('new'); os.rename('new','d2')"])
        self.assertEqual(result.doc["command"]["exit"], 0, result.err)
        kinds = {(change["path"], change["change"]) for change in result.doc["changes"]}
        self.assertIn((str(self.host / "keep"), "deleted"), kinds)
        self.assertIn((str(self.host / "keep"), "renamed"), kinds)
        self.assertIn((str(self.host / "d2/in"), "deleted"), kinds)
        self.assertEqual(result.doc["counts"]["renamed"], 1)

    def test_moved_away_and_back_is_no_rename(self) -> None:
        result = self.run_in(["python3", "-c", f"import os; os.chdir('{self.host}'); os.rename('tree','x'); os.rename('x','tree'); open('tree/a','a').write('!')"])
        self.assertEqual((result.doc["counts"]["renamed"], result.doc["counts"]["deleted"]), (0, 0))
        self.change(result, self.host / "tree/a", "modified")

    def test_many_directories_and_few_descriptors(self) -> None:
        result = self.run_in(["python3", "-c", f"import os; os.chdir('{self.host}'); [os.mkdir(f'w{{i}}') for i in range(700)]; os.rename('tree','zdir'); os.rename('keep','zfile')"],
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)))
        self.change(result, self.host / "zdir", "renamed")
        self.change(result, self.host / "zfile", "renamed")
        self.assertEqual(result.doc["counts"]["deleted"], 0)

    def test_holes_are_not_read_for_hours(self) -> None:
        result = self.shell(f"truncate -s 4T {self.host}/hole")
        self.assertLess(result.seconds, 20)
        after = self.change(result, self.host / "hole", "created")["after"]
        self.assertEqual((after["size"], after["sha256"], len(after["sparse_sha256"])), (4 << 40, None, 64))
        self.assertNotEqual(result.doc["verdict"]["level"], "inconclusive")

    def test_type_changes(self) -> None:
        result = self.shell(f"cd {self.host} && rm -r tree && echo file > tree && rm gone && mkdir gone && rm keep && ln -s mode keep")
        for name in ("tree", "gone", "keep"):
            self.change(result, self.host / name, "type")
        for name in ("tree/a", "tree/sub/c"):
            self.change(result, self.host / name, "deleted")

    def test_hardlinks_stay_one_file(self) -> None:
        for name in ("l2", "l3"):
            os.link(self.host / "keep", self.host / name)
        result = self.shell(f"echo more >> {self.host}/keep && cmp {self.host}/keep {self.host}/l3 && ln {self.host}/keep {self.host}/l4")
        groups = {self.change(result, self.host / name, kind)["after"]["link_group"]
                  for name, kind in (("keep", "modified"), ("l2", "modified"), ("l3", "modified"), ("l4", "created"))}
        self.assertEqual(len(groups), 1)
        self.assertNotIn(None, groups)

    def test_a_hardlink_is_called_one(self) -> None:
        """Also where the new name lies where anything may be made: the object is the host's."""
        if os.stat("/etc").st_dev != os.stat("/tmp").st_dev:
            harness.skip("/tmp is another file system than /etc")
        name = f"/tmp/{self.host.name}-link"
        result = self.run_in(["ln", "/etc/passwd", name])
        self.change(result, name, "created")
        self.assertNotEqual(result.doc["verdict"]["level"], "green")
        self.assertNotIn("safe.scratch", [f["rule"] for f in result.doc["verdict"]["findings"]])
        shown = self.call("show", result.doc["id"], json_out=False).out.decode()
        self.assertIn(f"{name}  hard link of /etc/passwd", shown)
        self.assertIn(f"= /etc/passwd  new hard link {name}", shown)
        diff = self.call("diff", result.doc["id"], json_out=False).out.decode()
        self.assertIn("new hard link of /etc/passwd", diff)
        self.assertIn(f"new hard link {name}", diff)

    def test_a_name_of_another_object_is_a_change(self) -> None:
        """Writing to one name does not reach the other any more, or reaches one that it did not."""
        def relinked(script: str, *names: str) -> Result:
            result = self.shell(f"cd {self.host} && {script}", "--policy", "builtin")
            found = {os.fsdecode(path): entry["also"] for path, entry in result.changes.items() if entry["change"] == "metadata"}
            self.assertEqual(found, {str(self.host / name): ["hardlink"] for name in names}, script)
            self.assertEqual((result.doc["counts"]["metadata"], result.doc["verdict"]["level"] == "green"), (len(names), not names))
            return result

        os.link(self.host / "keep", self.host / "l2")
        shutil.copy2(self.host / "keep", self.host / "twin")
        result = relinked("cp -p keep n && mv n l2", "l2")
        entry = self.change(result, self.host / "l2", "metadata")
        self.assertEqual((entry["before"]["nlink"], entry["after"]["nlink"]), (2, 1))
        for verb in ("show", "diff"):
            self.assertIn("another object, hard links 2→1", self.call(verb, result.doc["id"], json_out=False).out.decode())
        self.assertIn("m1 file", self.call("show", result.doc["id"], json_out=False).out.decode())
        relinked("rm keep && cp -p l2 keep", "keep")
        relinked("cp -p keep n && ln n l4 && mv n l2", "l2")  # of two names before and after, of other ones
        relinked("ln -f twin keep", "keep")
        relinked("ln -f keep twin", "twin")
        # One object has all the names, as before; a name of its own that was made anew; the same one.
        for script in ("cp -p keep n && ln -f n keep && ln -f n l2 && rm n", "cp -p twin n && mv n twin", "touch keep; : >>l2", "mv l2 n; mv n l2"):
            relinked(script)

    def test_what_is_allocated_is_a_change(self) -> None:
        harness.need("fallocate", "dd")
        (self.host / "sparse").touch()
        os.truncate(self.host / "sparse", 64 << 20)
        (self.host / "zeros").write_bytes(bytes(8 << 20))
        (self.host / "dense").write_bytes(os.urandom(8 << 20))
        subprocess.run(["fallocate", "-l", "64M", self.host / "reserved"], check=True)
        subprocess.run(["sh", "-c", "for i in $(seq 0 2 62); do printf x | dd of=pieces bs=1 seek=${i}M conv=notrunc status=none; done"], cwd=self.host, check=True)
        ways = {"fallocate -l 64M sparse": "sparse", "dd if=/dev/zero of=sparse bs=1M count=8 conv=notrunc status=none": "sparse", "fallocate -n -l 64M keep": "keep",
                "fallocate -d zeros": "zeros", "cp --sparse=never -p sparse n; mv n sparse": "sparse", "fallocate -l 64M sparse; chmod 600 sparse": "sparse"}
        for script, name in ways.items():
            with self.subTest(script):
                result = self.shell(f"cd {self.host} && {script}", "--policy", "builtin")
                self.assertIn("blocks", self.change(result, self.host / name, "metadata")["also"])
                self.assertEqual((result.doc["counts"]["metadata"], result.doc["verdict"]["level"]), (1, "yellow"))
                for verb in ("show", "diff"):
                    self.assertRegex(self.call(verb, result.doc["id"], json_out=False).out.decode(), "allocated [0-9].*→[0-9]")
        result = self.shell(f"cd {self.host} && touch *; for i in dense zeros sparse; do cp -p $i n; mv n $i; done; : >>keep; : >>reserved", "--policy", "builtin")
        self.assertEqual((result.doc["counts"]["metadata"], result.doc["verdict"]["level"]), (0, "green"), [entry for entry in result.doc["changes"] if entry["change"] != "identical"])

    def test_a_hardlink_whose_written_name_is_gone(self) -> None:
        os.link(self.host / "keep", self.host / "l2")
        os.link(self.host / "keep", self.host / "tree/l3")
        result = self.shell(f"cd {self.host} && echo more >> keep && rm keep && mkdir keep && mv tree forest")
        for name in ("l2", "forest/l3"):
            entry = self.change(result, self.host / name, "modified")
            self.assertEqual((entry["after"]["size"], entry["after"]["nlink"]), (9, 2))
            self.assertIn("hardlink", entry["also"])

    def test_setuid_bits_that_writing_clears_are_named(self) -> None:
        (self.host / "keep").chmod(0o4755)
        result = self.shell(f"echo more >> {self.host}/keep")
        self.assertEqual(self.change(result, self.host / "keep", "modified")["after"]["mode"], "0755")
        self.assertTrue(any(f"{self.host}/keep" in gap["what"] and gap["cap"] == "yellow" for gap in result.doc["fidelity"]["gaps"]))

    def test_a_program_that_the_host_executes(self) -> None:
        """There it cannot be written to; inside, the copy is. Putting another in its place works in both."""
        for name in ("busy", "replaced", "idle"):
            shutil.copy2("/bin/sleep", self.host / name)
        running = [subprocess.Popen([self.host / name, "60"]) for name in ("busy", "busy", "replaced")]
        try:
            script = f"cd {self.host}; for to in busy idle; do cat /bin/true > $to; done; cp /bin/true new; mv new replaced"
            result = self.shell(script)
        finally:
            for process in running:
                process.kill()
                process.wait()
        told = [gap for gap in result.doc["fidelity"]["gaps"] if "is being executed by" in gap["what"]]
        self.assertEqual([gap["cap"] for gap in told], ["yellow"])
        self.assertRegex(told[0]["what"], rf"^{self.host}/busy is being executed by busy \(pid \d+")

    def test_a_lock_that_the_host_holds(self) -> None:
        """Inside nobody is in the way: that the action would have waited, or been turned away, is said."""
        harness.need("python3")
        for name in ("flock", "posix", "other", "shared", "free"):
            (self.host / name).write_text("", encoding="ascii")
        with (self.host / "flock").open("rb") as flocked, (self.host / "posix").open("r+b") as posix, (self.host / "other").open("rb") as other, (self.host / "shared").open("rb") as shared:
            fcntl.flock(flocked, fcntl.LOCK_EX)
            fcntl.lockf(posix, fcntl.LOCK_EX)
            fcntl.flock(other, fcntl.LOCK_EX)
            fcntl.flock(shared, fcntl.LOCK_SH)
            script = ("import fcntl; [call(open(name, 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB) for name, call in "
                      "(('flock', fcntl.flock), ('posix', fcntl.lockf), ('other', fcntl.lockf), ('free', fcntl.flock))]; fcntl.flock(open('shared'), fcntl.LOCK_SH)")
            result = self.shell(f"cd {self.host}; python3 -c \"{script}\"")
            unlocked = self.shell(f"cat {self.host}/flock")
        self.assertEqual(result.doc["command"]["exit"], 0, result.err)
        told = {gap["what"].split()[0]: gap for gap in result.doc["fidelity"]["gaps"] if " is locked by " in gap["what"]}
        self.assertEqual({path: gap["cap"] for path, gap in told.items()}, {f"{self.host}/flock": "yellow", f"{self.host}/posix": "yellow"})
        self.assertIn(f"(pid {os.getpid()})", told[f"{self.host}/posix"]["what"])
        self.assertFalse(any("is locked by" in gap["what"] for gap in unlocked.doc["fidelity"]["gaps"]))

    def test_special_files_sparse_and_attributes(self) -> None:
        harness.need("setfacl", "setfattr", "setcap")
        result = self.shell(
            f"cd {self.host} && mkfifo p && truncate -s 1G sparse && setfattr -n user.k -v v mode && setfacl -m u:1000:r same && "
            "cp /bin/true t && chmod 4755 t && setcap cap_net_raw=ep t; touch -d 2001-01-01 gone; chown 1000:1000 keep; "
            "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('s')\"")
        self.assertEqual(self.change(result, self.host / "p", "created")["type"], "fifo")
        self.assertEqual(self.change(result, self.host / "s", "created")["type"], "socket")
        sparse = self.change(result, self.host / "sparse", "created")["after"]
        self.assertEqual(sparse["size"], 1 << 30)
        self.assertLess(sparse["blocks"], 100)
        self.assertEqual(self.change(result, self.host / "mode", "metadata")["after"]["xattrs"], {"user.k": "dg=="})
        self.assertIn("user:1000:r--", self.change(result, self.host / "same", "metadata")["after"]["acl"])
        self.assertIn("cap_net_raw", self.change(result, self.host / "t", "created")["after"]["caps"])
        self.assertIn("mtime", self.change(result, self.host / "gone", "metadata")["also"])
        self.assertEqual(self.change(result, self.host / "keep", "metadata")["after"]["uid"], 1000)

    def test_names_of_any_bytes(self) -> None:
        names = [b"new\nline", b"tab\there", b"-dash", b"\xff\xfe", b"e\x1b[2Jsc", b"x" * 255, "\u202egnp".encode(), b".. ", b"back\\slash"]
        script = "import os,sys\nfor n in %r: open(os.path.join(%r, n), 'w').write('1')" % (names, b(self.host))
        result = self.run_in(["python3", "-c", script])
        for name in names:
            self.change(result, b(self.host) + b"/" + name, "created")
        self.assertNotIn(b"\x1b", result.out)
        self.assertNotIn("\u202e".encode(), result.out)
        shown = self.call("show", "last", json_out=False)
        self.assertEqual(shown.code, 0, shown.err)
        self.assertNotIn(b"\x1b[2J", shown.out)
        self.assertNotIn("\u202e".encode(), shown.out)

    def test_path_longer_than_path_max(self) -> None:
        script = f"import os; os.chdir('{self.host}')\nfor i in range(60): os.mkdir('d' * 100); os.chdir('d' * 100)\nopen('leaf', 'w').write('1')"
        result = self.run_in(["python3", "-c", script])
        deepest = b(self.host) + (b"/" + b"d" * 100) * 60 + b"/leaf"
        self.change(result, deepest, "created")
        self.assertIn(b"+1\n", self.call("diff", "last", os.fsdecode(deepest), json_out=False).out)
        self.assertEqual(self.call("rm", result.doc["id"]).code, 0)
        self.assertFalse((self.state / "runs" / result.doc["id"]).exists())

    def test_diff_shows_text(self) -> None:
        result = self.shell(f"echo more >> {self.host}/keep; rm {self.host}/gone")
        shown = self.call("diff", result.doc["id"], str(self.host / "keep"), json_out=False)
        self.assertIn(b"+more", shown.out)
        self.assertNotIn(b"gone", shown.out)
        self.assertEqual(self.call("diff", "--exit-code", "last", json_out=False).code, 1)
        self.assertEqual(self.call("diff", "--exit-code", "last", str(self.host / "ke"), json_out=False).code, 0)

    def test_diff_of_a_damaged_bundle_is_an_error(self) -> None:
        result = self.shell(f"echo new > {self.host}/made; echo more >> {self.host}/keep")
        run = result.doc["id"]
        self.assertEqual(self.call("diff", run, json_out=False).code, 0)
        kept = next((self.state / "runs" / run / "uppers").glob("*/upper/**/made"))
        kept.write_text("other\n", encoding="ascii")
        for options in ({"json_out": False}, {}):
            done = self.call("diff", run, **options)
            self.assertEqual((done.code, b"is damaged" in done.err, b"+more" in done.out or "json_out" not in options), (65, True, True), done.out)

    def test_diff_of_each_name_of_an_object(self) -> None:
        """The layer has only the name that was written to."""
        (self.host / "far").mkdir()
        (self.host / "one").write_text("old\n")
        for name in ("two", "far/three"):
            os.link(self.host / "one", self.host / name)
        self.shell(f"echo new >> {self.host}/one")
        shown = self.call("diff", "last", json_out=False).out.decode()
        self.assertEqual(shown.count("+new"), 3, shown)
        self.assertNotIn("not the recorded one", shown)

    def test_diff_of_what_was_another_kind_of_object(self) -> None:
        h = self.host
        os.symlink("keep", h / "link")
        os.mkfifo(h / "pipe")
        self.shell(f"cd {h} && sed -i s/old/new/ link && rm -r pipe tree && echo p >pipe && echo t >tree && rm gone && ln -s keep gone")
        for name, lines in (("link", ["was a symlink, target keep", "now a file", "--- /dev/null", "+new"]), ("pipe", ["now a file", "--- /dev/null", "+p"]),
                            ("tree", ["now a file", "+t"]), ("gone", ["now a symlink", "target keep", "-x", "+++ /dev/null"])):
            shown = self.call("diff", "last", str(h / name), json_out=False).out.decode()
            for line in lines:
                self.assertIn(line + "\n", shown)
            self.assertNotIn("no digest", shown)

    def test_diff_of_paths_as_people_write_them(self) -> None:
        self.shell(f"echo more >>{self.host}/keep; cat {self.host}/same >>{self.host}/x; rm {self.host}/x; touch {self.host}/same")
        for path in (f"{self.host}//keep", f"{self.host}/tree/../keep", f"/{self.host}/./keep/"):
            shown = self.call("diff", "last", path, json_out=False)
            self.assertIn(b"+more\n", shown.out)
        for path, text in ((f"{self.host}/tree//a", "the run did not change it"), (f"{self.host}/same", "written or touched, yet nothing differs")):
            shown = self.call("diff", "--exit-code", "last", path, json_out=False)
            self.assertEqual((shown.code, shown.out.decode()), (0, f"{os.path.normpath(path)}: {text}\n"))

    def test_diff_below_a_renamed_directory(self) -> None:
        self.shell(f"cd {self.host} && mv tree tree9 && echo more >>tree9/sub/b && rm tree9/sub/c")
        for path in ("tree9/sub/b", "tree/sub/b"):
            shown = self.call("diff", "last", str(self.host / path), json_out=False).out
            self.assertIn(b"+sub/bmore\n", shown)
            self.assertIn(b"--- host" + b(self.host / "tree/sub/b") + b"\n+++ run" + b(self.host / "tree9/sub/b"), shown)
        self.assertNotIn(b"changed since", self.call("diff", "last", json_out=False).out)

    def test_a_time_that_was_set_is_named(self) -> None:
        (self.host / "inner").mkdir()
        self.shell(f"touch -d @0 {self.host}/keep {self.host}/inner; touch {self.host}/gone")
        shown = self.call("show", "last", json_out=False).out.decode()
        for name in ("keep", "inner"):
            self.assertRegex(shown, rf"m {self.host}/{name} +time 20\S+→1970-01-01T00:00:00")
        self.assertIn("1 more written or touched", shown)

    def test_flags_that_overlayfs_keeps_are_no_change(self) -> None:
        h = self.host
        (h / "tree/f").write_text("f")
        if subprocess.run(["chattr", "+a", h / "keep"], capture_output=True, check=False).returncode != 0:
            harness.skip("no append-only files here")
        self.addCleanup(subprocess.run, ["chattr", "-a", "-i", h / "keep", h / "tree", h / "tree/sub/b"], check=True)
        subprocess.run(["chattr", "+i", h / "tree", h / "tree/sub/b"], check=True)
        result = self.shell(f"cd {h}; echo more >>keep; echo w >>tree/f; lsattr -d keep tree | cut -c5,6")
        self.assertIn(b"-a\ni-\n", result.err)
        kept = self.change(result, h / "keep", "modified")
        self.assertEqual((kept["also"], kept["before"]["flags"] & 0x20, kept["after"]["flags"] & 0x20), ([], 0x20, 0x20))
        self.change(result, h / "tree/f", "modified")
        self.assertNotIn(b(h / "tree"), result.changes)

    def test_what_is_deleted_below_a_renamed_directory_has_the_host_s_name(self) -> None:
        h = self.host
        (h / "low/deep").mkdir(parents=True)
        for name in ("low/deep/c", "low/deep/d"):
            (h / name).write_text(name)
        result = self.shell(f"cd {h} && mv low/deep top && mv tree/sub low/deep && rm low/deep/c && rm -r top/d && mv tree forest && rm forest/a && mkdir forest/a")
        for name in ("tree/sub/c", "low/deep/d"):
            gone = self.change(result, h / name, "deleted")
            self.assertEqual(gone["before"]["ino"], (h / name).stat().st_ino)
        self.assertNotIn(b(h / "low/deep/c"), result.changes)
        shown = self.call("diff", "last", str(h / "tree/sub/c"), json_out=False).out
        self.assertIn(b"--- host" + b(h / "tree/sub/c") + b"\n+++ /dev/null\n", shown)
        self.assertIn(b"-sub/c\n", shown)

    def test_moving_a_package_s_files_first_does_not_hide_that_they_are_deleted(self) -> None:
        harness.need("dpkg")
        for script in ("rm -r /usr/share/base-files/*", "mv /usr/share/base-files /tmp/moved-away; rm -r /tmp/moved-away/*",
                       "mkdir /usr/share/new; mv /usr/share/base-files /usr/share/new/b; rm -r /usr/share/new/b/*"):
            with self.subTest(script):
                result = self.shell(script)
                self.assertEqual(self.change(result, "/usr/share/base-files/profile", "deleted")["package"], "base-files")
                self.assertIn("destroy.system-files", [finding["rule"] for finding in result.doc["verdict"]["findings"]])
                self.assertEqual(result.doc["verdict"]["level"], "red")
        moved = self.shell("mv /usr/share/base-files /tmp/moved-away; echo x >>/tmp/moved-away/profile")
        self.assertEqual(self.change(moved, "/tmp/moved-away", "renamed")["package"], "base-files")
        self.assertEqual(self.change(moved, "/tmp/moved-away/profile", "modified")["package"], "base-files")

    def beside(self, script: str, meanwhile: str) -> harness.Result:
        """Rehearses `script`, while `meanwhile` happens on the host once it is done."""
        command = self.command("run", "--", "sh", "-c", f"{script}; echo done; read answer")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            self.assertTrue(harness.wait_for(lambda: any(f.stat().st_size for f in self.state.glob("runs/*/output/stdout")), 60))
            subprocess.run(["sh", "-c", meanwhile], check=True)
            out, _ = run.communicate(b"go on\n", timeout=300)
        result = harness.Result(run.returncode, out, b"", 0)
        self.call("rm", result.doc["id"])
        return result

    def test_what_others_do_in_a_directory_above_is_no_change(self) -> None:
        inner = self.host / "inner"
        inner.mkdir()
        (inner / "old").write_text("old\n")
        os.utime(self.host, (1e9, 1e9))
        result = self.beside(f"echo x >{inner}/f", f"touch {self.host}/zzz; rm {self.host}/zzz")
        self.assertNotIn(b(self.host), result.changes)
        self.assertFalse([f for f in result.doc["verdict"]["findings"] if f["rule"] in ("core.base-moved", "log.backdated")])
        # What is told of a directory in which both have been is the action's part.
        result = self.beside(f"echo x >{inner}/f", f"touch {inner}/zzz; rm {inner}/zzz")
        self.assertEqual(self.change(result, inner, "identical")["also"], ["touched"])
        self.assertFalse([f for f in result.doc["verdict"]["findings"] if f["rule"] in ("core.base-moved", "log.backdated")])

    def test_a_file_without_a_name_leaves_its_directory_as_it_was(self) -> None:
        """It is copied up for it and stays empty, and somebody else is in the host's meanwhile."""
        os.utime(self.host, (1e9, 1e9))
        script = f"python3 -c \"import os; os.close(os.open('{self.host}', os.O_TMPFILE | os.O_RDWR))\" || exit 77"
        result = self.beside(script, f"touch {self.host}/zzz; rm {self.host}/zzz")
        if result.doc["command"]["exit"] == 77:
            harness.skip("overlayfs makes no such files before Linux 6.3")
        self.assertNotIn(b(self.host), result.changes)
        self.assertFalse([f for f in result.doc["verdict"]["findings"] if f["rule"] in ("core.base-moved", "log.backdated")])
        set_too = self.beside(f"{script}; sleep 0.1; touch -d @5 {self.host}", f"touch {self.host}/zzz; rm {self.host}/zzz")
        self.assertIn("mtime", self.change(set_too, self.host, "metadata")["also"])

    def test_a_time_that_the_action_set_is_told_though_others_were_there(self) -> None:
        inner = self.host / "inner"
        inner.mkdir()
        (inner / "old").write_text("old\n")
        for script in (f"touch -d 2001-01-01 {inner}", f"echo x >>{inner}/old; touch -d 2001-01-01 {inner}",
                       f"echo x >>{inner}/old; sleep 0.2; touch -m -d 2001-01-01 {inner}", f"echo x >{inner}/f; touch -d 2001-01-01 {inner}"):
            with self.subTest(script):
                result = self.beside(script, f"touch {inner}/zzz; rm {inner}/zzz")
                self.assertEqual(self.change(result, inner, "metadata")["also"], ["mtime"])

    def test_digest_is_of_the_effects(self) -> None:
        same = f"echo new > {self.host}/created; rm {self.host}/gone"
        first, second = (self.shell(same).doc for _ in range(2))
        self.assertEqual(first["digest"], second["digest"], self.what_differs(first, second))
        self.assertNotIn(self.shell(same).doc["digest"].replace("sha256:", ""), {self.shell(f"echo other > {self.host}/created").doc["digest"]})

    def what_differs(self, *runs: dict) -> list:
        """What of two equal runs is not the same, of all that the digest covers."""
        reads = [self.call("trace", run["id"], "--reads").out.splitlines() for run in runs]
        sides = [[json.dumps(item, sort_keys=True) for item in run["fidelity"]["gaps"] + run["layers"]] + read for run, read in zip(runs, reads)]
        return [sorted(set(one) - set(other)) for one, other in (sides, sides[::-1])]

    def test_ids_that_the_run_does_not_have(self) -> None:
        (self.base / "theirs").touch()
        os.chown(self.base / "theirs", 3000000000, 3000000000)
        for script, call in ((f"chmod 600 {self.base}/theirs", "fchmodat (chmod)"), (f"touch {self.base}/new; chown 3000000000 {self.base}/new", "fchownat (chown)")):
            with self.subTest(script):
                (gap,) = [g for g in self.shell(f"{script} || true").doc["fidelity"]["gaps"] if g["what"].startswith("user and group ids")]
                self.assertEqual((gap["what"], gap["cap"]), (f"user and group ids from 2147483647 on: {call}", "yellow"))
        gaps = self.shell(f"touch {self.base}/new; chown 4000:4000 {self.base}/new; chown -1 {self.base}/new || true; truncate -s -1 {self.base}/new").doc["fidelity"]["gaps"]
        self.assertEqual([g for g in gaps if g["what"].startswith("user and group ids")], [])

    def test_package_owner(self) -> None:
        harness.need("dpkg")
        owner = subprocess.run(["dpkg", "-S", "/etc/debian_version"], capture_output=True, text=True, check=True).stdout.split(":")[0]
        result = self.shell("echo x >> /etc/debian_version")
        self.assertEqual(self.change(result, "/etc/debian_version", "modified")["package"], owner)


if __name__ == "__main__":
    harness.main()
