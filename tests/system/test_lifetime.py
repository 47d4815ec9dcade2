"""How runs end: on signals, killed at any moment, fifty at once; nothing stays behind."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import shlex
import signal
import struct
import subprocess
import termios
import time
import unittest
from pathlib import Path

import harness
from harness import Case


def read_terminal(master: int, answers: dict[bytes, bytes] | None = None, seconds: float = 20) -> bytes:
    """What is written until the other side is gone; types each answer once its word was seen."""
    seen, left = b"", dict(answers or {})
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 0.5)[0]:
            continue
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
        for word in [word for word in left if word in seen]:
            os.write(master, left.pop(word))
    return seen


class Lifetime(Case):
    def start(self, *argv: str, options: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command("run", *options, "--", *argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def start_and_wait(self, script: str) -> subprocess.Popen[bytes]:
        process = self.start("sh", "-c", "echo up >&2; " + script)
        assert process.stderr
        self.assertEqual(process.stderr.readline(), b"up\n")
        return process

    def test_exit_status_of_the_command(self) -> None:
        self.assertEqual(self.shell("exit 3", expect=3).code, harness.YELLOW)
        self.assertEqual(self.run_in(["sh", "-c", "exit 3"], "--passthrough-exit").code, 3)
        self.assertEqual(self.run_in(["sh", "-c", "kill -9 $$"], "--passthrough-exit").code, 137)
        killed = self.run_in(["sh", "-c", "kill -9 $$"]).doc["command"]
        self.assertEqual((killed["exit"], killed["signal"]), (None, 9))
        self.assertEqual(self.run_in(["true"], "--fail-on", "never").code, 0)

    def test_signals_end_the_action(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = self.start_and_wait("sleep 100")
            started = time.monotonic()
            process.send_signal(number)
            out, _ = process.communicate(timeout=10 * harness.SLOW)
            self.assertLess(time.monotonic() - started, 5 * harness.SLOW)
            self.assertEqual(process.returncode, harness.INCONCLUSIVE)
            self.assertIn("core.unobserved", [f["rule"] for f in json.loads(out)["verdict"]["findings"]])

    def test_an_action_that_ignores_signals_is_killed(self) -> None:
        process = self.start_and_wait("trap '' TERM INT HUP; while :; do sleep 1; done")
        process.terminate()
        process.communicate(timeout=15 * harness.SLOW)
        self.assertEqual(process.returncode, harness.INCONCLUSIVE)

    def test_what_the_caller_ignores_stays_ignored(self) -> None:
        ignored = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)

        def as_nohup_in_the_background() -> None:
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)

        script = f"grep SigIgn /proc/self/status; echo go >&2; while ! test -e {self.host}/never; do sleep 0.2; n=$((n+1)); test $n = 10 && break; done; echo end"
        process = subprocess.Popen(self.command("run", "--", "sh", "-c", script, json_out=False), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=as_nohup_in_the_background)
        assert process.stderr
        self.assertEqual(process.stderr.readline(), b"go\n")
        for number in ignored:
            process.send_signal(number)
        out, err = process.communicate(timeout=60 * harness.SLOW)
        self.assertIn(process.returncode, harness.RAN, err)
        lines = out.split()
        self.assertEqual((lines[0], lines[-1]), (b"SigIgn:", b"end"), err)
        self.assertEqual(int(lines[1], 16), sum(1 << (number - 1) for number in ignored))
        plain = self.call("run", "--", "grep", "SigIgn", "/proc/self/status", json_out=False)
        self.assertEqual(int(plain.out.split()[1], 16), 0)

    def test_killed_at_many_moments(self) -> None:
        self.shell("true")  # the state directory is there even if all that follow die before they make it
        for delay_ms in (0, 1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 60):
            process = self.start("sh", "-c", f"echo x > {self.host}/marker; sleep 50")
            time.sleep(delay_ms / 1000)
            harness.kill_and_reap(process)
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        self.assertFalse((self.host / "marker").exists())
        # A sandbox that is still dying holds its run's lock: gc leaves it to the next one.
        def collected() -> bool:
            self.assertEqual(self.call("gc").code, 0)
            return not os.listdir(self.state / "active")

        self.assertTrue(harness.wait_for(collected), harness.lock_holders(self.state))
        self.assert_nothing_left()

    def test_the_newest_run_is_not_passed_over_in_silence(self) -> None:
        """While it is going on and when it was killed: `last` says which run it shows, and removes none instead."""
        first = self.shell("true").doc["id"]
        process = self.start_and_wait("sleep 50")
        rows = [(run["id"], run["state"]) for run in self.call("list").doc["runs"]]
        newest = rows[0][0]
        self.assertEqual(rows, [(newest, "running"), (first, "finished")])
        line = next(line for line in self.call("list", json_out=False).out.decode().splitlines() if line.startswith(newest))
        self.assertTrue(line.startswith(f"{newest}  running") and line.endswith("sleep 50'"), line)
        for state in ("running", "interrupted"):
            for verb in ("show", "explain", "diff"):
                done = self.call(verb, "last", json_out=False)
                self.assertIn(f"this is run {first}; {newest} is newer".encode(), done.err, verb)
            self.assertEqual(self.call("rm", "last", json_out=False).code, harness.USAGE)
            self.assertEqual([run["state"] for run in self.call("list").doc["runs"]], [state, "finished"])
            if state == "running":
                harness.kill_and_reap(process)
                self.assertTrue(harness.wait_for(lambda: self.call("list").doc["runs"][0]["state"] == "interrupted"))
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()

    def test_next_start_collects_a_killed_run(self) -> None:
        process = self.start_and_wait("sleep 50")
        harness.kill_and_reap(process)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        self.assertTrue(harness.wait_for(lambda: subprocess.run(["pgrep", "-f", "^sleep 50$"], capture_output=True, check=False).returncode == 1))
        self.shell("true")
        self.assert_nothing_left()
        states = [run["state"] for run in self.call("list").doc["runs"]]
        self.assertEqual(sorted(states), ["finished", "interrupted"])
        self.assertIn("sleep 50", str(next(run["argv"] for run in self.call("list").doc["runs"] if run["state"] == "interrupted")))

    def test_fifty_at_once(self) -> None:
        running = [self.start("sh", "-c", f"echo {i} > {self.host}/mine; sleep 0.2; cat {self.host}/mine >&2; ls {self.host} | wc -l >&2") for i in range(50)]
        ids = set()
        for i, process in enumerate(running):
            out, err = process.communicate(timeout=120 * harness.SLOW)
            self.assertIn(process.returncode, harness.RAN, err)
            self.assertEqual(err.split(), [str(i).encode(), b"1"])
            ids.add(json.loads(out)["id"])
        self.assertEqual(len(ids), 50)
        self.assertEqual(os.listdir(self.host), [])

    def test_daemons_are_reported_and_killed(self) -> None:
        result = self.shell("setsid sleep 4242 >/dev/null 2>&1 & true")
        left = result.doc["command"]["leftover_processes"]
        self.assertEqual([process["argv"] for process in left], [["sleep", "4242"]])
        # The number that it had inside, as everywhere else in the report.
        self.assertEqual([process["pid"] for process in left], [process["pid"] for process in result.doc["processes"] if process["argv"] == ["sleep", "4242"]])
        self.assertEqual(subprocess.run(["pgrep", "-f", "^sleep 4242$"], capture_output=True, check=False).returncode, 1)
        numbers = [process["id"] for process in result.doc["processes"] if process["argv"] == ["sleep", "4242"]]
        self.assertEqual([process["process"] for process in left], numbers)
        finding = next(f for f in result.doc["verdict"]["findings"] if f["rule"] == "core.leftover-processes")
        self.assertEqual([e["text"].split()[0] for e in finding["evidence"]], [f"[{number}]" for number in numbers])
        self.assertIn("core.leftover-processes", [f["rule"] for f in result.doc["verdict"]["findings"]])

    def test_double_fork_keeps_nobody_waiting(self) -> None:
        # Not before all of them are there: on a slow host the action would be over first.
        result = self.shell("(setsid sh -c 'sleep 300 & sleep 300' &) ; until test \"$(pgrep -xc sleep)\" = 2; do :; done; exit 0")
        self.assertLess(result.seconds, 5 * harness.SLOW)
        self.assertEqual(len(result.doc["command"]["leftover_processes"]), 3)

    def test_closed_standard_streams(self) -> None:
        """Closed to rehearse is closed to the action, as what is open for the other direction only."""
        said = self.base / "said"
        said.write_text("x\n", encoding="ascii")
        for redirect in ("<&- >&- 2>&-", "<&-", ">&-", "2>&-", f"0>>{said}", f"1<{said}"):
            for script in ("cat", "echo out", "echo err >&2"):
                command = ["sh", "-c", script]
                native, inside = (subprocess.run(["sh", "-c", f'exec "$@" {redirect}', "sh", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode
                                  for words in (command, self.command("run", "--", *command, json_out=False)))
                if (redirect, script) == (">&-", "cat"):
                    continue  # looks whether there is a descriptor at all
                with self.subTest(redirect=redirect, script=script):
                    self.assertIn(inside, (*harness.RAN, 1))
                    self.assertEqual(self.call("show", "last").doc["command"]["exit"] != 0, native != 0)
        # Beside a document its output goes to standard error: that there is none is nothing of the action's.
        subprocess.run(["sh", "-c", 'exec "$@" 2>&-', "sh", *self.command("run", "--", "echo", "out")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
        self.assertEqual(self.call("show", "last").doc["command"]["exit"], 0)

    def test_what_the_action_does_not_read_of_a_file_is_left(self) -> None:
        """For whoever shares the descriptor: a loop that reads its lines, and what follows."""
        lines = self.base / "lines"
        lines.write_text("".join(f"{i}\n" for i in range(50000)), encoding="ascii")
        run = shlex.join(self.command("run", "--", "true")) + " >&2"
        taking = shlex.join(self.command("run", "--", "head", "-c", "6")) + " >/dev/null 2>&1"
        reading = shlex.join(self.command("run", "--", "sh", "-c", "read a; read b; sleep 0.1")) + " >/dev/null"
        for script, want in ((f"for i in 1 2 3; do read line; echo $line; {run}; done", b"0\n1\n2\n"), (f"{taking}; head -n 2", b"3\n4\n"),
                             (f"read a; {reading}; head -n 1", b"3\n"), (f"{shlex.join(self.command('run', '--', 'cat'))} >/dev/null 2>&1; cat", b"")):
            with self.subTest(script=script), lines.open("rb") as file:
                self.assertEqual(subprocess.run(["sh", "-c", script], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout, want)

    def test_a_document_that_cannot_be_written_is_an_error(self) -> None:
        self.shell("touch /made")
        verbs = (("run", "--", "true"), ("run", "--plan", "--", "true"), ("list",), ("show", "last"), ("doctor",), ("gc", "--dry-run"), ("policy", "check"))
        for words in (*(self.command(*verb) for verb in verbs), [self.rehearse, "--help"], [self.rehearse, "list", "--version"]):
            for target, reason in ((">&-", b"is closed"), (">/dev/full", b"No space left")):
                with self.subTest(words=words, target=target):
                    done = subprocess.run(["sh", "-c", f"exec {shlex.join(words)} {target}"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
                    self.assertEqual((done.returncode, done.stdout), (1, b""), done.stderr)
                    self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                    self.assertIn(b"cannot write to standard output: ", done.stderr)
                    if "--plan" not in words and "run" in words:
                        self.assertIn(f"the run is kept: rehearse --state {self.state} show ".encode(), done.stderr)
                    else:
                        self.assertIn(reason, done.stderr)
        self.assertTrue(all(run["state"] == "finished" for run in self.call("list").doc["runs"]))

    def test_an_output_that_takes_nothing_stops_the_action(self) -> None:
        with open("/dev/full", "wb") as full:
            done = subprocess.run(self.command("run", "--", "sh", "-c", "trap '' PIPE; seq 100000; sleep 0.5; echo more || echo told >&2; true", json_out=False), stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertIn(b"told", done.stderr)
        self.assertIn(b"standard output", done.stderr)

    def test_end_of_input_reaches_an_action_on_a_terminal_of_its_own(self) -> None:
        for said in (b"", b"line\n", b"half a line"):
            done = subprocess.run(self.command("run", "-t", "always", "--", "sh", "-c", "cat > /tmp/said; echo \"<$(wc -c < /tmp/said)>\"", json_out=False), input=said, capture_output=True, timeout=60 * harness.SLOW, check=False)
            self.assertIn(b"<%d>" % len(said), done.stdout, said)

    def test_reader_of_the_output_goes_away(self) -> None:
        shell = " ".join([*map(lambda w: f"'{w}'", self.command("run", "--", "seq", "1", "200000", json_out=False)), "2>/dev/null | head -1"])
        self.assertEqual(subprocess.run(["sh", "-c", shell], capture_output=True, check=False, timeout=60 * harness.SLOW).stdout, b"1\n")

    def test_limits_and_signals_hold_while_nobody_reads_the_output(self) -> None:
        for end in ("limit", "signal"):
            options = ["--timeout", "1s"] if end == "limit" else []
            process = subprocess.Popen(self.command("run", *options, "--", "yes", json_out=False), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            assert process.stdout
            process.stdout.readline()
            if end == "signal":
                process.terminate()
            runs = self.state / "runs"
            ended = harness.wait_for(lambda: subprocess.run(["pgrep", "-x", "yes"], capture_output=True, check=False).returncode == 1, 8)
            process.stdout.close()
            process.wait(timeout=20)
            self.assertTrue(ended, (end, os.listdir(runs)))

    def test_a_terminal_left_in_any_state_shows_the_report(self) -> None:
        pid, master = pty.fork()
        if pid == 0:
            os.execv(self.rehearse, self.command("run", "--", "printf", r"\033]0;never ended", json_out=False))
        seen = read_terminal(master)
        os.waitpid(pid, 0)
        os.close(master)
        self.assertIn(b"\x18\x1b\\", seen[seen.index(b"never ended"):seen.index(b"GREEN")])

    def test_own_terminal_size_and_interrupt(self) -> None:
        pid, master = pty.fork()
        if pid == 0:
            os.execv(self.rehearse, self.command("run", "--", "sh", "-c", "test -t 0 && stty size; trap 'echo got-int; exit 5' INT; echo ready; sleep 30 & wait", json_out=False))
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        seen = read_terminal(master, {b"ready": b"\x03"})
        _, status = os.waitpid(pid, 0)
        os.close(master)
        self.assertIn(b"got-int", seen)
        self.assertEqual(os.waitstatus_to_exitcode(status), harness.YELLOW, seen[-800:])
        self.assertEqual(self.call("show", "last").doc["command"]["exit"], 5)

    def test_list_show_rm_gc(self) -> None:
        first, second = self.shell("echo 1").doc["id"], self.shell("echo 2").doc["id"]
        self.assertEqual({run["id"] for run in self.call("list").doc["runs"]}, {first, second})
        self.assertEqual(self.call("show", first).doc["id"], first)
        self.assertEqual(self.call("rm", first).code, 0)
        self.assertFalse((self.state / "runs" / first).exists())
        self.assertEqual(self.call("show", first).code, harness.USAGE)
        self.assertEqual(self.call("gc", "--keep", "0").code, 0)
        self.assertEqual(os.listdir(self.state / "runs"), [])

    def test_a_live_run_is_not_removed(self) -> None:
        process = self.start_and_wait(f"sleep {3 * harness.SLOW}")
        live = os.listdir(self.state / "runs")[0]
        self.assertNotEqual(self.call("rm", live).code, 0)
        self.call("gc", "--all")
        self.assertTrue((self.state / "runs" / live).exists())
        process.communicate(timeout=20 * harness.SLOW)
        self.assertIn(process.returncode, harness.RAN)

    def test_bundle_is_frozen(self) -> None:
        run = self.shell("true").doc["id"]
        self.assertTrue(harness.wait_for(lambda: (self.state / "runs" / run / "frozen").exists()))
        self.assertEqual(Path(self.state).stat().st_mode & 0o7777, 0o700)


if __name__ == "__main__":
    harness.main()
