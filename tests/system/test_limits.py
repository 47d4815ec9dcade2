"""Limits hold, and the report says which one ended the action."""

from __future__ import annotations

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
        self.assertLess(result.seconds, 5)
        self.assertIn("wall time", self.evidence(result))

    def test_processes(self) -> None:
        result = self.shell("for i in $(seq 100); do sleep 2 & done; wait", "--pids", "20", expect=None)
        self.assertIn("number of processes", self.evidence(result))

    def test_fork_bomb_dies(self) -> None:
        result = self.run_in(["python3", "-c", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass"], "--pids", "200", "--timeout", "2s")
        self.assertLess(result.seconds, 10)
        self.assertIn(result.code, harness.RAN)
        self.assert_nothing_left()

    def test_memory(self) -> None:
        result = self.run_in(["python3", "-c", "x = bytearray(600 << 20)"], "--memory", "100M")
        self.assertIn("memory of 100 MiB", self.evidence(result))
        self.assertNotEqual(result.doc["command"]["exit"], 0)

    def test_written_bytes(self) -> None:
        result = self.shell(f"dd if=/dev/zero of={self.host}/big bs=1M count=3000; sleep 30", "--max-write", "50M", expect=None)
        self.assertIn("written bytes", self.evidence(result))
        self.assertLess(result.doc["command"]["written_bytes"], 3000 << 20)
        self.assertTrue(any("sampling" in line or "quota" in line for line in result.doc["limits"]), result.doc["limits"])

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

    def test_output_is_kept_up_to_a_cap(self) -> None:
        result = self.run_in(["head", "-c", "40000000", "/dev/zero"])
        self.assertEqual(result.doc["command"]["exit"], 0)
        self.assertIn("core.output-cut", self.rules(result))
        self.assertEqual(result.err.count(b"\0"), 40_000_000)


if __name__ == "__main__":
    harness.main()
