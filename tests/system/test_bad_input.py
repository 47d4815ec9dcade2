"""A wrong request gets one clear line, the documented exit code, and costs nothing."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
from typing import Callable

import harness
from harness import Case, Result

# System calls that set-up needs, all younger than Linux 5.0.
YOUNG_CALLS = {"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "clone3": 435, "close_range": 436, "openat2": 437, "mount_setattr": 442}


def kernel_without(*numbers: int) -> Callable[[], None]:
    """For preexec_fn: to the program these calls do not exist (a seccomp filter answers ENOSYS)."""
    load_number, jump_if_equal, answer = 0x20, 0x15, 0x06
    program = [(load_number, 0, 0, 0)]
    for number in numbers:
        program += [(jump_if_equal, 0, 1, number), (answer, 0, 0, 0x00050000 | 38)]
    program.append((answer, 0, 0, 0x7FFF0000))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install() -> None:
        if libc.prctl(22, 2, header, 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
            raise OSError(ctypes.get_errno(), f"a filter of {len(code)} bytes")

    return install


def set_user_namespaces(value: str) -> None:
    with open("/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as limit:
        limit.write(value)


class BadInput(Case):
    def assert_refused(self, result: Result, code: int, *words: str) -> None:
        self.assertEqual(result.code, code, result.err)
        lines = result.err.decode(errors="replace").strip().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("rehearse: "), lines)
        for word in words:
            self.assertIn(word, lines[0])

    def refuse(self, *arguments: str, code: int = harness.USAGE, words: tuple[str, ...] = ()) -> None:
        self.assert_refused(self.call(*arguments, json_out=False), code, *words)

    def test_usage(self) -> None:
        self.refuse("run", words=("no command",))
        self.refuse("run", "--", words=("no command",))
        self.refuse("run", "--", "", words=("no command",))
        self.refuse("run", "--nonsense", "--", "true", words=("--nonsense",))
        self.refuse("nonsense", words=("nonsense",))
        self.refuse("--frob", words=("unknown option", "--frob"))
        self.refuse("--json", words=("no verb",))
        self.refuse("run", "--trace-buffer", "1T", "--", "true", words=("128K to 4M",))
        self.refuse("trace", "last", "--reads", "--summary", words=("--reads",))
        self.refuse("trace", "last", "--reads", "--where", "evt.failed = true", words=("--reads",))
        self.refuse("run", "--timeout", "soon", "--", "true", words=("soon",))
        self.refuse("run", "--memory", "much", "--", "true", words=("much",))
        self.refuse("run", "--hide", "/no/such/mount", "--", "true", words=("/no/such/mount",))
        self.refuse("run", "--user", "no-such-user", "--", "true", words=("no-such-user",))
        self.refuse("run", "--profile", "other", "--", "true", words=("profile",))
        for number in ("-3", "1e3", "2x", "99999999999999999999"):
            self.refuse("run", "--pids", number, "--", "true", words=("--pids", number))
        for number in ("x", "1,5", "nan", "inf", "1.5x"):
            self.refuse("run", "--cpus", number, "--", "true", words=("--cpus", number, "is not a number, such as 1.5"))
        self.refuse("run", "--cpus", "0", "--", "true", words=("between 0.01",))
        self.refuse("run", "--pids", str(4 * 1024 * 1024 + 1), "--", "true", words=("between 2",))
        self.refuse("list", "--limit", "-1", words=("--limit", "-1"))
        self.refuse("list", "--limit", "0", words=("--limit 0", "leave it out"))
        self.refuse("trace", "last", "--process", "0", words=("--process 0", "from 1"))
        self.refuse("gc", "--keep", "-1", words=("--keep", "-1"))
        self.assertFalse(self.state.exists() and os.listdir(self.state / "runs"))
        self.shell("true")
        self.refuse("show", "20990101-000000-ffffff", words=("20990101",))

    def test_an_empty_value_is_not_an_option_that_was_left_out(self) -> None:
        for option in ("--user", "--action", "--cwd", "--env", "--hide", "--expect", "--timeout", "--claim"):
            self.refuse("run", option, "", "--", "true", words=(option, "is empty", "leave it out"))
            self.refuse("run", option + "=", "--cwd", "/", "--", "true", words=(option, "is empty"))
        for arguments in (("show", "last", "--html", ""), ("export", "last", "-o", ""), ("export", "last", "--output="), ("list", "--state", ""),
                          ("list", "--color="), ("policy", "replay", "--candidate", ""), ("standing", "grant", "x", "--reason", "")):
            self.refuse(*arguments, words=(arguments[-2] if arguments[-1] == "" else arguments[-1].rstrip("="), "is empty"))
        self.refuse("show", "", words=("argument is empty",))
        self.refuse("--state", "", "list", words=("--state", "is empty"))
        for separator in ((), ("--",)):
            out = self.call("run", *separator, "printf", "[%s]", "", "--user=", json_out=False).out
            self.assertEqual(out, b"[][--user=]", "the command's words are its own")

    def test_version_is_an_option_of_all_verbs(self) -> None:
        version = self.call("--version", json_out=False).out
        for verb in (("run",), ("run", "--", "true"), ("list",), ("policy",), ("policy", "check"), ("standing",), ("standing", "list")):
            result = self.call(verb[0], "--version", *verb[1:], json_out=False)
            self.assertEqual((result.code, result.out), (0, version), result.err)

    def test_errors_are_json_on_request(self) -> None:
        result = self.call("run")
        self.assertEqual((result.code, result.doc["schema"], result.doc["exit"]), (64, "rehearse.error/1", 64))

    def test_command_that_cannot_run(self) -> None:
        missing = self.run_in(["no-such-command-anywhere"])
        shown = self.call("show", missing.doc["id"], json_out=False).out
        self.assertFalse([line for line in shown.splitlines() if line.startswith(b"  program")], "it never started")
        self.assertEqual(missing.doc["command"]["exit"], 127)
        self.assertIn("core.not-started", [f["rule"] for f in missing.doc["verdict"]["findings"]])
        self.assertEqual(self.run_in(["/etc/passwd"]).doc["command"]["exit"], 126)
        lost = self.host / "lost"
        lost.write_text("#!/no/such/interpreter\n")
        lost.chmod(0o755)
        command = self.run_in(["lost"], "--env", f"PATH={self.host}:{harness.PATH}").doc["command"]
        self.assertEqual(command["exit"], 127)
        self.assertIn("interpreter", command["error"])
        garbage = self.host / "garbage"
        garbage.write_bytes(b"\x7fELF\x00garbage" * 10)
        garbage.chmod(0o755)
        self.assertEqual(self.run_in([str(garbage)]).doc["command"]["exit"], 126)

    def test_a_script_without_a_first_line_is_the_shells(self) -> None:
        script = self.host / "script"
        script.write_text('echo "$0 $# $1" >&2; exit 3\n')
        script.chmod(0o755)
        for path in (str(script), "script"):
            result = self.run_in([path, "a b", "c"], "--env", f"PATH={self.host}:{harness.PATH}", "--user", "nobody")
            self.assertEqual((result.doc["command"]["exit"], result.err), (3, f"{script} 2 a b\n".encode()))
        script.write_text("")
        self.assertEqual(self.run_in([str(script)]).doc["command"]["exit"], 0)

    def test_ids_that_are_not_mapped(self) -> None:
        for number in ("2147483647", "4294967294"):
            self.refuse("run", "--user", number, "--", "true", words=("--user " + number, "2147483646"))
        self.assertEqual(self.call("run", "--user", "2147483646", "--", "id", "-u", json_out=False).out, b"2147483646\n")

    def test_a_rehearsal_inside_of_another(self) -> None:
        copy = self.host / "rehearse"
        shutil.copyfile(self.rehearse, copy)
        copy.chmod(0o755)
        for profile in ("shifted", "root"):
            result = self.shell(f"{copy} --state {self.host}/state run -- true", "--profile", profile, expect=harness.UNAVAILABLE)
            self.assertEqual(len(result.err.splitlines()), 1)
            self.assertIn(b"a rehearsal already", result.err)

    def test_two_mebibytes_of_arguments(self) -> None:
        words = ["x" * 100_000] * 19
        result = self.run_in(["sh", "-c", 'for w; do n=$((n+${#w})); done; echo $n >&2', "sh", *words])
        self.assertIn(result.code, harness.RAN, result.err[-300:])
        self.assertEqual(result.err.strip(), b"1900000")

    def test_not_root(self) -> None:
        copy = self.base / "rehearse"
        shutil.copyfile(self.rehearse, copy)
        copy.chmod(0o755)
        done = subprocess.run([str(copy), "run", "--", "true"], capture_output=True, check=False, user=65534, group=65534, extra_groups=[])
        self.assert_refused(Result(done.returncode, done.stdout, done.stderr, 0), harness.NO_PERMISSION, "root")

    def test_root_without_the_right_to_mount(self) -> None:
        done = subprocess.run(["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", *self.command("run", "--", "true")], capture_output=True, check=False)
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn(b"CAP_SYS_ADMIN; see `rehearse doctor`", done.stderr)

    def test_state_directory(self) -> None:
        self.state.mkdir(mode=0o777)
        self.state.chmod(0o777)
        self.refuse("run", "--", "true", code=78, words=(str(self.state),))
        self.state.rmdir()
        self.state.symlink_to("/etc")
        self.assertNotIn(self.call("run", "--", "true").code, harness.RAN)
        self.state.unlink()
        self.state.write_text("a file")
        self.assertIn(self.call("run", "--", "true").code, (64, 73, 78))
        self.state.unlink()
        self.state = type(self.state)("relative/state")
        self.refuse("run", "--", "true", words=("relative/state",))

    def test_a_directory_of_somebody_else_is_not_taken_over(self) -> None:
        (self.state / "trash/precious").mkdir(parents=True)
        self.state.chmod(0o700)
        for arguments in (("run", "--", "true"), ("gc", "--all"), ("list",)):
            self.refuse(*arguments, code=78, words=("not made by rehearse",))
        self.assertEqual(os.listdir(self.state), ["trash"])
        self.assertEqual(os.listdir(self.state / "trash"), ["precious"])
        self.state.chmod(0o755)
        self.refuse("list", code=78, words=("not made by rehearse",))

    def test_a_state_directory_named_in_a_roundabout_way_is_hidden(self) -> None:
        for number, prefix in enumerate(("/dev/shm/../..", "/proc/self/root")):
            state = f"{prefix}{self.base}/st{number}"
            done = subprocess.run([self.rehearse, "--state", state, "--json", "run", "--", "ls", "-A", f"{self.base}/st{number}"], capture_output=True, check=False)
            self.assertIn(done.returncode, harness.RAN, done.stderr)
            self.assertEqual(done.stderr, b"")

    def test_read_only_state_and_full_state(self) -> None:
        harness.need("mkfs.ext4")
        script = (
            'truncate -s 64M "$B/img"; mkfs.ext4 -q -F "$B/img"; mkdir "$B/s"; mount -o loop "$B/img" "$B/s"; mkdir -m 700 "$B/s/state"; mount -o remount,ro "$B/s"\n'
            'set +e; "$REHEARSE" --state "$B/s/state" run -- true; echo "code $?" >&2\n'
            'mount -o remount,rw "$B/s"; dd if=/dev/zero of="$B/s/fill" bs=1M 2>/dev/null; "$REHEARSE" --state "$B/s/state" run -- touch /ran; echo "code $?" >&2; ls "$B/s/state/runs" >&2'
        )
        done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse})
        lines = done.stderr.decode().strip().splitlines()
        self.assertEqual([line for line in lines if line.startswith("code")], ["code 73", "code 73"], lines)
        self.assertEqual(len(lines), 4, lines)

    def test_state_without_inodes(self) -> None:
        harness.need("mkfs.ext4")
        script = (
            'truncate -s 64M "$B/img"; mkfs.ext4 -q -F -N 64 "$B/img"; mkdir "$B/s"; mount -o loop "$B/img" "$B/s"; mkdir -m 700 "$B/s/state"\n'
            '"$REHEARSE" --state "$B/s/state" run -- true || true\n'
            'set +e; n=0; while true >"$B/s/fill$n"; do n=$((n+1)); done 2>/dev/null\n'
            'for free in 0 1 2 3 4 5 6 7 8; do "$REHEARSE" --state "$B/s/state" run -- true 2>&1 | tail -n 1; echo "code ${PIPESTATUS[0]}"; rm -f "$B/s/fill$free"; done; ls "$B/s/state/runs" | wc -l'
        )
        done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse})
        lines = done.stdout.decode().strip().splitlines()
        codes = {line: said for said, line in zip(lines, lines[1:]) if line.startswith("code ")}
        self.assertIn("code 73", codes, (lines, done.stderr))
        for said, line in zip(lines, lines[1:]):
            if line == "code 73":
                self.assertRegex(said, "inodes.*rehearse --state .* gc")
            elif line.startswith("code "):
                self.assertIn(int(line[5:]), harness.RAN, said)

    def test_kernel_too_old(self) -> None:
        lacking = {name: (number,) for name, number in YOUNG_CALLS.items()} | {"all of them": tuple(YOUNG_CALLS.values())}
        for name, numbers in lacking.items():
            with self.subTest(without=name):
                result = self.call("run", "--", "touch", f"{self.host}/ran", json_out=False, preexec_fn=kernel_without(*numbers))
                self.assert_refused(result, harness.UNAVAILABLE, "Function not implemented", "; ")
                self.assertEqual(os.listdir(self.state / "runs"), [])
                self.assert_nothing_left()
        doctor = self.call("doctor", preexec_fn=kernel_without(*YOUNG_CALLS.values()))
        self.assertEqual(doctor.code, harness.UNAVAILABLE)
        missing = [check for check in doctor.doc["checks"] if check["status"] == "missing"]
        self.assertTrue(any("Linux 6.1 or newer" in check["fix"] for check in missing), missing)
        self.assertFalse((self.host / "ran").exists())

    def test_no_user_namespaces(self) -> None:
        with open("/proc/sys/user/max_user_namespaces", encoding="ascii") as limit:
            before = limit.read()
        try:
            set_user_namespaces("0")
        except OSError:  # not permitted, or /proc/sys is read-only
            harness.skip("this root may not change user.max_user_namespaces")
        self.addCleanup(set_user_namespaces, before)
        self.refuse("run", "--", "true", code=harness.UNAVAILABLE, words=("max_user_namespaces",))


if __name__ == "__main__":
    harness.main()
