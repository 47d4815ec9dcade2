"""Limits hold, and the report says which one ended the action."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import subprocess

import harness
from harness import Case, Result


class Limits(Case):
    def rules(self, result: Result) -> list[str]:
        return [finding["rule"] for finding in result.doc["verdict"]["findings"]]

    def evidence(self, result: Result) -> str:
        return str(result.doc["verdict"]["findings"])

    def test_wall_time(self) -> None:
        result = self.shell("sleep 100", "--timeout", "300ms", expect=None)
        self.assertTrue(result.doc["command"]["timed_out"])
        self.assertLess(result.seconds, 5 * harness.SLOW)
        self.assertIn("wall time", self.evidence(result))

    def need_controller(self, name: str) -> None:
        checks = {check["id"]: check["status"] for check in self.call("doctor").doc["checks"]}
        if checks[f"cgroups.{name}"] != "ok":
            harness.skip(f"this host has no {name} controller")

    def test_processes(self) -> None:
        self.need_controller("pids")
        result = self.shell("for i in $(seq 100); do sleep 2 & done; wait", "--pids", "20", expect=None)
        self.assertIn("number of processes", self.evidence(result))

    def test_fork_bomb_dies(self) -> None:
        self.need_controller("pids")
        result = self.run_in(["python3", "-c", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass"], "--pids", "200", "--timeout", "2s")
        self.assertLess(result.seconds, 10 * harness.SLOW)
        self.assertIn(result.code, harness.RAN)
        self.assert_nothing_left()

    def test_memory(self) -> None:
        self.need_controller("memory")
        result = self.run_in(["python3", "-c", "x = bytearray(600 << 20)"], "--memory", "100M")
        self.assertIn("memory of 100 MiB", self.evidence(result))
        self.assertNotEqual(result.doc["command"]["exit"], 0)

    def test_written_bytes(self) -> None:
        result = self.shell(f"dd if=/dev/zero of={self.host}/big bs=1M count=3000; sleep 30", "--max-write", "50M", expect=None)
        self.assertIn("written bytes", self.evidence(result))
        self.assertLess(result.doc["command"]["written_bytes"], 3000 << 20)
        self.assertTrue(any("sampling" in line or "quota" in line for line in result.doc["limits"]), result.doc["limits"])

    def test_written_bytes_without_a_name(self) -> None:
        """A file that is removed while it is written, one that never had a name, one that only a mapping holds, one below very many directories."""
        fill = "for i in range(300): os.write(f, b'z' * (1 << 20)); time.sleep(0.005)\nos.close(f) if {close} else None\ntime.sleep(30)"
        unlinked = "import os, time, mmap; f = os.open('u', os.O_CREAT | os.O_RDWR); os.unlink('u')\n"
        for name, program in (("unlinked", unlinked + fill.format(close=0)), ("mapped", unlinked + "os.ftruncate(f, 1 << 20); m = mmap.mmap(f, 1 << 20)\n" + fill.format(close=1)),
                              ("never named", "import errno, os, sys, time\ntry: f = os.open('.', os.O_TMPFILE | os.O_RDWR)\nexcept OSError as e: sys.exit(77 if e.errno == errno.EOPNOTSUPP else 1)\n" + fill.format(close=0)),
                              ("deep", "import os, time\nfor i in range(2500): os.mkdir('d'); os.chdir('d')\nf = os.open('u', os.O_CREAT | os.O_RDWR)\n" + fill.format(close=0))):
            with self.subTest(name):
                result = self.run_in(["python3", "-c", program], "--max-write", "20M", "--cwd", str(self.host), "--timeout", "25s")
                if result.doc["command"]["exit"] == 77:
                    continue  # overlayfs makes no such files before Linux 6.3
                self.assertIn("core.limit-hit", self.rules(result))
                self.assertFalse(result.doc["command"]["timed_out"], result.doc["command"])

    def test_what_rehearse_makes_itself_is_not_written_by_the_action(self) -> None:
        result = self.run_in(["true"], "--max-write", "0")
        self.assertNotIn("core.limit-hit", self.rules(result))
        self.assertEqual(result.doc["command"]["written_bytes"], 0)
        result = self.shell(f"echo x >{self.host}/f; sleep 1.5", "--max-write", "0", expect=None)
        self.assertGreater(result.doc["command"]["written_bytes"], 0)

    def test_full_disk_reaches_the_action(self) -> None:
        harness.need("mkfs.ext4", "mount")
        script = (
            'truncate -s 200M "$B/img"; mkfs.ext4 -q -F -m 0 "$B/img"; mkdir "$B/small"; mount -o loop "$B/img" "$B/small"; mkdir -m 700 "$B/small/state"; '
            '"$REHEARSE" --state "$B/small/state" --json run -- sh -c "dd if=/dev/zero of=/var/tmp/rehearse-fill bs=1M; echo after" || test $? = 10 -o $? = 12'
        )
        done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse})
        result = Result(0, done.stdout, done.stderr, 0)
        self.assertTrue(b"No space left" in done.stderr or "free space" in self.evidence(result), done.stderr[-600:])
        self.assertIn("space", self.evidence(result))
        self.assertEqual(subprocess.run(["ls", "/var/tmp/rehearse-fill"], capture_output=True, check=False).returncode, 2)

    def test_all_space_taken_in_one_call(self) -> None:
        """Faster than any sample: the action is told ENOSPC, and the report is written and says so."""
        harness.need("mkfs.ext4", "mount", "python3")
        action = "import os; f = os.open('/var/tmp/rehearse-fill', os.O_RDWR | os.O_CREAT)\ntry: os.posix_fallocate(f, 0, 100 << 30)\nexcept OSError as e: os.write(2, b'told %d' % e.errno); os._exit(3)"
        script = (
            'truncate -s 200M "$B/img"; mkfs.ext4 -q -F -m 0 "$B/img"; mkdir "$B/small"; mount -o loop "$B/img" "$B/small"; mkdir -m 700 "$B/small/state"; '
            '"$REHEARSE" --state "$B/small/state" --json run -- python3 -c "$ACTION" || test $? = 10 -o $? = 12'
        )
        done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse, "ACTION": action})
        self.assertEqual(done.returncode, 0, done.stderr[-1000:])
        result = Result(0, done.stdout, done.stderr, 0)
        self.assertIn(b"told 28", done.stderr)
        self.assertIn(result.doc["command"]["exit"], (3, None), "told, and then at most killed")
        self.assertIn("space", str(result.doc["command"]) + self.evidence(result))
        self.assertIn("core.limit-hit", self.rules(result))
        self.assertIn(b"/var/tmp/rehearse-fill", result.changes)

    def on_image(self, size: str, script: str, after: str) -> subprocess.CompletedProcess[bytes]:
        """A run whose state directory is on an ext4 filesystem of that size, and what it leaves free of it, in MiB on standard error."""
        harness.need("mkfs.ext4", "mount", "fallocate")
        return harness.PrivateMounts.run(
            f'truncate -s {size} "$B/img"; mkfs.ext4 -q -F -m 0 "$B/img"; mkdir "$B/small"; mount -o loop "$B/img" "$B/small"; mkdir -m 700 "$B/small/state"; free() {{ echo "free $(($(stat -f -c "%a * %S" "$B/small") >> 20))" >&2; }}; free\n'
            f'"$REHEARSE" --state "$B/small/state" --json run -- sh -c "$S" || test $? = 10 -o $? = 12; free; {after}', {"B": str(self.base), "REHEARSE": self.rehearse, "S": script})

    def test_more_than_there_is_room_is_refused_at_once(self) -> None:
        """As a filesystem refuses it: nothing is taken, whatever the host's own disk would say is said to be a limit."""
        done = self.on_image("400M", "fallocate -l 100G /var/tmp/rehearse-fill; echo told $? >&2; truncate -s 100G /var/tmp/rehearse-sparse; fallocate -p -l 90G /var/tmp/rehearse-sparse; echo $? >&2", "true")
        self.assertEqual(done.returncode, 0, done.stderr[-1000:])
        self.assertIn(b"told 1\n", done.stderr)
        before, after = (int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith(b"free "))
        self.assertLess(before - after, 30)
        result = Result(0, done.stdout, done.stderr, 0)
        self.assertIn("disk space: it asked for more at once", self.evidence(result))
        self.assertEqual(result.doc["command"]["exit"], 0)
        self.assertNotIn("core.output-cut", self.rules(result))

    def test_what_went_past_the_reserve_is_given_back(self) -> None:
        done = self.on_image("400M", "for i in 1 2 3; do fallocate -l 150M /var/tmp/rehearse-fill$i; done; sleep 100", '"$REHEARSE" --state "$B/small/state" run -- true >&2 || test $? = 10')
        self.assertEqual(done.returncode, 0, done.stderr[-1000:])
        before, after = (int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith(b"free "))
        self.assertGreater(after, before // 3)
        result = Result(0, done.stdout, done.stderr, 0)
        self.assertEqual(result.doc["verdict"]["level"], "inconclusive")
        self.assertRegex(self.evidence(result), r"/var/tmp/rehearse-fill1: its content is not kept, the 150 MiB that it took are given back")
        self.assertEqual(self.change(result, "/var/tmp/rehearse-fill1", "created")["after"]["size"], 150 << 20)
        # Who killed it is known.
        self.assertNotIn("failure.killed", self.rules(result))

    def test_what_is_allocated_and_not_written_is_not_read(self) -> None:
        script = f"fallocate -l 12G {self.host}/big && echo x >{self.host}/small; ls -ls {self.host} >&2"
        if shutil.disk_usage(self.base).free < 40 << 30:
            harness.skip("not enough room")
        result = self.shell(script, expect=None)
        if result.doc["command"]["exit"] != 0 or b"big" not in result.err:
            harness.skip("this filesystem does not allocate")
        self.assertLess(result.doc["phases"]["read_s"], 2 * harness.SLOW)
        self.assertNotEqual(result.doc["verdict"]["level"], "inconclusive", self.evidence(result))
        big = self.change(result, f"{self.host}/big", "created")["after"]
        self.assertEqual((big["size"], big["sha256"]), (12 << 30, None))
        sparse = hashlib.sha256(b"rehearse.sparse/1\n" + (12 << 30).to_bytes(8, "little")).hexdigest()
        self.assertEqual(big["sparse_sha256"], sparse)

    def on_small_disk(self, size: str, action: str, after: str) -> subprocess.CompletedProcess[bytes]:
        """A run of a Python program whose state directory is a filesystem of that size; its status is that of the run."""
        harness.need("mount", "python3")
        script = (
            f'mkdir "$B/small"; mount -t tmpfs -o size={size},mode=700 none "$B/small"; "$REHEARSE" --state "$B/small" --json run -- python3 -c "$ACTION" || code=$?\n'
            f"{after}; exit ${{code:-0}}"
        )
        done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse, "ACTION": action})
        if b"cannot be idmapped" in done.stderr:
            harness.skip("this kernel cannot idmap a tmpfs")
        return done

    def test_trace_leaves_room_for_the_report(self) -> None:
        """What grows with the calls is given up; the report is there and says so."""
        action = "import os\nfor i in range(250000):\n  try: os.stat('/nowhere/%d' % i)\n  except OSError: pass"
        done = self.on_small_disk("7M", action, '"$REHEARSE" --state "$B/small" trace last > "$B/shown" 2>&1 || echo "trace $?" >&2')
        self.assertEqual(done.returncode, 12, done.stderr[-1000:])
        result = Result(0, done.stdout, done.stderr, 0)
        self.assertEqual(result.doc["command"]["exit"], 0)
        self.assertIn("the state directory's filesystem is full", str(result.doc["trace"]["trouble"]))
        self.assertGreater(result.doc["trace"]["lost"], 0)
        self.assertIn(b"trace 12", done.stderr)
        self.assertIn(b"trace cut here", (self.base / "shown").read_bytes()[-200:])

    def test_report_that_cannot_be_written(self) -> None:
        action = "import os\nos.mkdir('/var/tmp/rehearse-many')\nfor i in range(60000): os.close(os.open('/var/tmp/rehearse-many/' + str(i) + 'x' * 150, os.O_CREAT))"
        done = self.on_small_disk("9M", action, '"$REHEARSE" --state "$B/small" trace last >&2 || true')
        self.assertEqual(done.returncode, 73, done.stderr[-1000:])
        said = done.stderr.decode()
        self.assertRegex(said, r"rehearse: run [0-9a-f-]+ in \S+/small has ended and has no report: cannot write .*: No space left on device; .*rehearse [^;]*gc.*--state")
        self.assertRegex(said, r"there is no finished run: [0-9a-f-]+ has no report")

    def test_written_bytes_by_project_quota(self) -> None:
        harness.need("mkfs.ext4", "mkfs.xfs", "mount")
        tried = 0
        for kind, make, option in (("ext4", "mkfs.ext4 -q -F -O quota,project", "prjquota"), ("xfs", "mkfs.xfs -q -f", "pquota")):
            script = (
                f'truncate -s 600M "$B/{kind}"; {make} "$B/{kind}"; mkdir "$B/m"; mount -o loop,{option} "$B/{kind}" "$B/m" || exit 99; mkdir -m 700 "$B/m/state"\n'
                'for i in 1 2; do "$REHEARSE" --state "$B/m/state" --json run --max-write 20M -- sh -c "dd if=/dev/zero of=/var/tmp/rehearse-fill bs=1M count=100; stat -c %s /var/tmp/rehearse-fill >&2; sleep 0.3" '
                '> "$B/out" || test $? = 10 -o $? = 12; done; cat "$B/out"; "$REHEARSE" --state "$B/m/state" gc --all >&2; umount "$B/m"; rmdir "$B/m"'
            )
            with self.subTest(filesystem=kind):
                done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse})
                if done.returncode == 99:
                    subprocess.run(["rmdir", str(self.base / "m")], check=True)
                    continue
                tried += 1
                self.assertEqual(done.returncode, 0, done.stderr[-1000:])
                result = Result(0, done.stdout, done.stderr, 0)
                self.assertTrue(any("20 MiB by project quota" in line for line in result.doc["limits"]), result.doc["limits"])
                self.assertIn("quota", self.evidence(result))
                self.assertTrue(b"Disk quota exceeded" in done.stderr or b"No space left" in done.stderr, done.stderr)
                self.assertLessEqual(result.doc["command"]["written_bytes"], 20 << 20)
        if tried == 0:
            harness.skip("this kernel has no project quota")

    def test_limit_of_file_size_is_the_actions_alone(self) -> None:
        script = f"ulimit -Sf; ulimit -Hf; dd if=/dev/zero of={self.host}/big bs=1024 count=200 2>/dev/null; echo $?; stat -c %s {self.host}/big; cat /proc/self/status | grep SigIgn"
        limited = f"ulimit -Sf 100; ulimit -Hf 1000000; exec {shlex.join(self.command('run', '--', 'bash', '-c', script, json_out=False))}"
        done = subprocess.run(["bash", "-c", limited], capture_output=True, check=False)
        self.assertIn(done.returncode, harness.RAN, done.stderr)
        self.assertEqual(done.stdout.split()[:4], [b"100", b"1000000", b"153", b"102400"])
        hard = f"ulimit -f 0; exec {shlex.join(self.command('run', '--', 'true', json_out=False))}"
        done = subprocess.run(["bash", "-c", hard], capture_output=True, check=False)  # root without CAP_SYS_RESOURCE cannot raise it
        self.assertIn(done.returncode, (*harness.RAN, 73), done.stderr)
        if done.returncode == 73:
            self.assertIn(b"File too large; raise the limit of file size", done.stderr)
        tight = f"ulimit -Sf 0; exec {shlex.join(self.command('run', '--', 'true'))} | cat"
        done = subprocess.run(["bash", "-o", "pipefail", "-c", tight], capture_output=True, check=False)
        self.assertIn(done.returncode, harness.RAN, done.stderr)
        self.assertEqual(json.loads(done.stdout)["command"]["exit"], 0)

    def test_who_writes_for_nobody_is_told(self) -> None:
        """As in a pipeline whose reader has ended: the next write fails, also where the reader went while nothing was written."""
        gap = "standard output had no reader any more"
        for script, reader in (("yes", "head -1"), ("sleep 1; echo x; sleep 100", "true"), ("trap '' PIPE; sleep 1; while echo x; do :; done; exit 3", "true")):
            for options in ((), ("--tty", "always")):
                with self.subTest(script, options=options):
                    line = f"{shlex.join(self.command('run', *options, '--', 'sh', '-c', script, json_out=False))} | {reader}; exit ${{PIPESTATUS[0]}}"
                    done = subprocess.run(["bash", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * harness.SLOW, check=False)
                    self.assertEqual(done.returncode, harness.YELLOW, done.stderr)
                    doc = self.call("show", "last").doc
                    ended = (doc["command"]["signal"], doc["command"]["exit"])
                    self.assertEqual(ended, (1, None) if options else (None, 3) if "trap" in script else ended)
                    self.assertIn(ended, ((1, None), (13, None), (None, 141), (None, 3)))
                    self.assertIn((gap, "yellow"), [(row["what"], row["cap"]) for row in doc["fidelity"]["gaps"]])
                    self.assertLess(doc["command"]["wall_s"], 30 * harness.SLOW)
        read = subprocess.run(["bash", "-c", f"{shlex.join(self.command('run', '--', 'seq', '100000', json_out=False))} | tail -1"], capture_output=True, check=False)
        self.assertEqual(read.stdout, b"100000\n")
        self.assertNotIn(gap, str(self.call("show", "last").doc["fidelity"]))

    def test_output_is_kept_up_to_a_cap(self) -> None:
        result = self.run_in(["head", "-c", "40000000", "/dev/zero"])
        self.assertEqual(result.doc["command"]["exit"], 0)
        self.assertIn("core.output-cut", self.rules(result))
        self.assertEqual(result.err.count(b"\0"), 40_000_000)


if __name__ == "__main__":
    harness.main()
