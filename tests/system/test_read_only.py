"""Runs that may write nothing: what only reads passes, an attempt to write ends it and it is rehearsed in full."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import harness
from harness import Case, Document, Result

# Not below a directory for throwing things away, and never there on the host.
OUTSIDE = Path("/srv") / f"rehearse-test-{os.getpid()}"


class ReadOnlyCase(Case):
    def setUp(self) -> None:
        super().setUp()
        if not OUTSIDE.parent.is_dir():
            harness.skip(f"no {OUTSIDE.parent}")

    def read_only(self, script: str, *options: str, **more: object) -> Result:
        result = self.shell(script, "--read-only", *options, expect=None, **more)
        self.assertFalse(OUTSIDE.exists(), "written on the host")
        return result

    def proved(self, result: Result) -> Document:
        row = result.doc["read_only"]
        self.assertTrue(row["proved"], row)
        self.assertEqual(result.doc["changes"], [])
        return row

    def fell_back(self, result: Result) -> Document:
        """The first attempt."""
        row = result.doc["read_only"]
        self.assertFalse(row["enforced"] or row["proved"], row)
        self.assertGreater(row["attempts_total"], 0)
        finding = [f for f in result.doc["verdict"]["findings"] if f["rule"] == "core.not-read-only"]
        self.assertEqual([f["enforce"] for f in finding], ["advisory"])
        self.assertIn(b"rehearsed again in full", result.err)
        return row["attempts"][0]

    def report(self, result: Result) -> str:
        return self.call("show", result.doc["id"], json_out=False).out.decode()


class Host(ReadOnlyCase):
    def test_doctor_tries_it(self) -> None:
        check = next(check for check in self.call("doctor").doc["checks"] if check["id"] == "rehearsal.read-only")
        self.assertEqual(check["status"], "ok", check)
        self.assertIn("a write was refused, noticed and ended the run", check["what"])
        self.assertEqual([name for name in os.listdir(self.state.parent) if name.startswith(".rehearse-doctor")], [])


class WithoutAFile(ReadOnlyCase):
    def test_what_reaches_the_host_otherwise_is_a_write(self) -> None:
        harness.need("ip", "ipcrm")
        pipe = self.host / "pipe"
        os.mkfifo(pipe)
        for script, what in ((f"exec 3<>{pipe}; echo x >&3", "pipe"), ("ip link set lo down", "network configuration"), ("rm -f /dev/null", "device"),
                             ("mkdir /dev/shm/x", "file"), ("chown 5 /dev/pts", "file"), ("ipcrm -m 5; true", "ipc"), (f"chrt -o -p 0 {os.getpid()}; true", "host process")):
            with self.subTest(script):
                self.assertEqual(self.fell_back(self.read_only(script))["what"], what)
        self.proved(self.read_only("ip addr >/dev/null; ip route get 127.0.0.1 >/dev/null"))


class Reading(ReadOnlyCase):
    def test_what_only_reads_passes(self) -> None:
        result = self.read_only("grep -c root /etc/passwd; df / >/dev/null; ls -lR /etc >/dev/null; find /usr/share/doc -maxdepth 1 | wc -l")
        self.assertEqual(result.doc["command"]["exit"], 0)
        self.assertEqual(self.proved(result)["attempts"], [])
        self.assertEqual(result.doc["verdict"]["level"], "green", result.doc["verdict"]["findings"])
        self.assertIn("nothing changed is enforced, not observed", " ".join(self.report(result).split()))

    def test_what_asks_the_kernel_passes_too(self) -> None:
        # That what they would have seen of the host's sockets and processes was not there to be seen is said.
        harness.need("ss", "ps")
        result = self.read_only("ss -tln >/dev/null; ps ax >/dev/null; id; uptime; df >/dev/null", "--policy", "builtin")
        self.proved(result)
        self.assertEqual(result.doc["verdict"]["level"], "green", result.doc["verdict"]["findings"])
        self.assertEqual({attempt["what"] for attempt in result.doc["attempts"]}, {"look"})
        self.assertIn(("processes and sockets of this host", "green"), [(gap["what"], gap["cap"]) for gap in result.doc["fidelity"]["gaps"]])

    def test_scratch_is_thrown_away(self) -> None:
        result = self.read_only(f"t=$(mktemp); echo 1 >$t; mktemp -p {self.host}; echo 2 >/dev/shm/x; sort </etc/passwd >$t; wc -l <$t")
        self.assertEqual(result.doc["command"]["exit"], 0)
        row = self.proved(result)
        self.assertEqual((row["scratch"], 4096 <= row["scratch_bytes"] <= 1 << 20), (2, True))
        self.assertIn((str(self.host), "file"), {(os.path.dirname(left["path"]), left["type"]) for left in row["scratch_left"]})
        text = " ".join(self.report(result).split())
        self.assertIn("thrown away", text)
        self.assertIn(row["scratch_left"][0]["path"], text)
        self.assertNotIn("that nothing changed is enforced", text)
        self.assertIn("no file changes · 2 new in scratch, thrown away", text)
        self.assertNotIn("It changed nothing,", text)
        self.assertEqual(os.listdir(self.host), [])

    def test_as_another_user_and_in_the_root_profile(self) -> None:
        for options in (("--user", "65534"), ("--profile=root",)):
            self.proved(self.read_only("id -u; cat /etc/hostname", *options))
            attempt = self.fell_back(self.read_only(f"echo >{OUTSIDE} || true", *options))
            self.assertEqual(attempt["errno"], "EROFS")

    def test_nothing_can_be_mounted_writable_again(self) -> None:
        # Without a trace it is not ended: it may try on.
        result = self.read_only(f"mount -o remount,rw /; mount -o remount,bind,rw /; mount --bind / /mnt; echo >/mnt/{OUTSIDE}; echo >{OUTSIDE} && echo WROTE; true", "--no-trace")
        self.assertEqual(result.doc["changes"], [])
        self.assertNotIn(b"WROTE", result.err)

    def test_the_plan_says_it(self) -> None:
        plan = self.call("run", "--read-only", "--plan", "--", "true").doc
        shown = {m["mountpoint"]: m for m in plan["mounts"]}
        self.assertTrue(plan["action"]["read_only"])
        self.assertTrue(shown["/"]["read_only"])
        self.assertTrue(shown["/tmp"]["scratch"] and not shown["/tmp"]["read_only"])
        text = self.call("run", "--read-only", "--plan", "--", "true", json_out=False).out.decode()
        self.assertRegex(text, r"/tmp +\S+ +layer \d+, scratch: thrown away")
        self.assertNotIn("scratch", self.call("run", "--plan", "--", "true", json_out=False).out.decode())

    def test_without_a_trace_it_is_not_proved(self) -> None:
        result = self.read_only(f"echo >{OUTSIDE}; true", "--no-trace")
        row = result.doc["read_only"]
        self.assertEqual((row["enforced"], row["watched"], row["proved"]), (True, False, False))
        self.assertEqual(result.doc["changes"], [])
        self.assertIn("nothing was recorded", " ".join(self.report(result).split()))


class Writing(ReadOnlyCase):
    def test_an_attempt_ends_it_and_all_is_rehearsed(self) -> None:
        result = self.read_only(f"echo out; if ! echo new >{OUTSIDE}; then sleep 200; fi")
        self.assertLess(result.seconds, 60)
        attempt = self.fell_back(result)
        self.assertEqual((attempt["what"], attempt["path"], attempt["errno"]), ("file", str(OUTSIDE), "EROFS"))
        self.assertRegex(attempt["call"], r"^open(at)?\(.*O_WRONLY")
        self.assertEqual(os.path.realpath(attempt["exe"]), os.path.realpath("/bin/sh"))
        self.assertEqual(attempt["argv"][:2], ["sh", "-c"])
        self.change(result, OUTSIDE, "created")
        text = " ".join(self.report(result).split())
        self.assertIn("ended when it tried to. Then it was rehearsed again in full", text)
        self.assertIn(str(OUTSIDE), text)
        # The run that was ended is not among the runs, and the document is kept as it was.
        self.assertEqual([row["id"] for row in self.call("list").doc["runs"]], [result.doc["id"]])
        self.assertEqual(self.call("show", result.doc["id"]).doc["read_only"], result.doc["read_only"])

    def test_each_way_of_writing_counts(self) -> None:
        ways = {f"mkdir {OUTSIDE}": "file", f"ln -s x {OUTSIDE}": "file", "chmod 600 /etc/passwd": "file", "touch /etc/passwd": "file",
                "rm /etc/hostname": "file", "mv /etc/hostname /etc/h": "file", "test -w /etc/passwd": "file",
                "chown 1 /etc/passwd": "file", "echo 1 >/proc/sys/kernel/sysrq": "sysctl", "kill -9 1": "kill"}
        for script, what in ways.items():
            with self.subTest(script):
                attempt = self.fell_back(self.read_only(f"{script}; true"))
                self.assertEqual(attempt["what"], what)

    def test_what_others_left_in_scratch_is_not_scratch(self) -> None:
        mine = self.host / "mine"
        for script in (f"rm {mine}", f"echo more >>{mine}", f"mv {mine} {mine}2", f"chmod 600 {mine}"):
            with self.subTest(script):
                mine.write_text("a\n", encoding="ascii")
                mine.chmod(0o644)
                attempt = self.fell_back(self.read_only(script))
                self.assertIn("scratch directory", attempt["call"])
                self.assertTrue(attempt["path"].startswith(str(mine)))
                self.assertEqual(mine.read_text(encoding="ascii"), "a\n")

    def test_what_is_left_in_scratch_is_judged(self) -> None:
        harness.need("setcap", "fallocate", "python3")
        left = f"/tmp/{self.host.name}-left"
        ways = {f"cp /bin/true {left}; chmod 4755 {left}": ("setuid", "red"), f"cp /bin/true {left}; chmod g+s {left}": ("setuid", "red"),
                f"cp /bin/true {left}; setcap cap_net_raw=ep {left}": ("capabilities", "red"), f"fallocate -l 300M {left}": ("300 MiB", "yellow"),
                f"fallocate -l 150M {left}; fallocate -l 150M /var/tmp/{self.host.name}-left": ("300 MiB", "yellow")}
        for script, (word, level) in ways.items():
            with self.subTest(script):
                result = self.read_only(script, "--policy", "builtin")
                attempt = self.fell_back(result)
                self.assertIn(word, attempt["call"])
                self.assertEqual(attempt["path"], "" if "MiB" in word else left)
                self.assertEqual(result.doc["verdict"]["level"], level, result.doc["verdict"]["findings"])
                self.change(result, left, "created")
        # As much, or such files, for a while: nothing of it is left.
        row = self.proved(self.read_only(f"fallocate -l 300M {left}; rm {left}; cp /bin/true {left}; chmod 4755 {left}; {left}; rm {left}"))
        self.assertEqual((row["scratch"], row["scratch_left"]), (0, []))

    def test_what_it_was_given_to_read_is_given_again(self) -> None:
        script = f"read first; echo $first >{OUTSIDE}; cat >>{OUTSIDE}; cksum <{OUTSIDE}"
        data = b"line 1\n" + os.urandom(300_000)
        wanted = subprocess.run(["cksum"], input=data, capture_output=True, check=True).stdout.split()[0]
        with tempfile.TemporaryFile() as file:
            file.write(b"skipped" + data)
            file.seek(7)
            for source in ({"input": data}, {"stdin": file}):
                result = self.call("run", "--read-only", "--", "sh", "-c", script, **source)
                self.fell_back(result)
                self.assertIn(wanted, result.err)

    def test_more_than_is_kept_is_said(self) -> None:
        result = self.call("run", "--read-only", "--", "sh", "-c", f"head -c 20000000 >/dev/null; echo >{OUTSIDE}", input=b"x" * 20_000_001)
        self.assertEqual(result.code, harness.USAGE)
        self.assertRegex(result.err.splitlines()[-1], rb"standard input: .* cannot be read again.*--read-only")
        self.assertEqual(os.listdir(self.state / "runs"), [])

    def test_nothing_may_be_let_out(self) -> None:
        result = self.call("run", "--read-only", "--pass", "example.com:443", "--", "true")
        self.assertEqual(result.code, harness.USAGE)
        self.assertIn(b"--read-only: a network rule lets something out", result.err)

    def test_the_full_run_has_the_callers_umask(self) -> None:
        result = self.read_only(f"umask >{OUTSIDE}; umask", umask=0o027)
        self.fell_back(result)
        self.assertEqual(result.err.split()[-1], b"0027", result.err)
        self.assertEqual(self.change(result, OUTSIDE, "created")["after"]["mode"], "0640")

    def test_in_an_action_file(self) -> None:
        action = self.base / "look.toml"
        action.write_text('schema = "rehearse.action/1"\nname = "look"\nargv = ["cat", "/etc/hostname"]\nread_only = true\n', encoding="ascii")
        self.proved(self.call("run", "--action", str(action)))
        action.write_text(f'schema = "rehearse.action/1"\nname = "look"\nargv = ["touch", "{OUTSIDE}"]\nread_only = true\n', encoding="ascii")
        result = self.call("run", "--action", str(action))
        self.fell_back(result)
        self.change(result, OUTSIDE, "created")


if __name__ == "__main__":
    harness.main()
