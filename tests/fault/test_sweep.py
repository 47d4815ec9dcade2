"""Fails the n-th call of every system call of set-up in turn: never half contained, never success, nothing left.

REHEARSE_SWEEP=full tries every call; otherwise at most three of each name, one on a slow host.
"""

from __future__ import annotations

import collections
import json
import os
import re
import shutil
import subprocess
import time

import harness
from harness import Case

# Failing these says nothing about set-up: process start and end, futex, at whose failure libc
# itself aborts, and wait4, without which the action's own shell waits for ever.
LEFT_ALONE = {"futex", "wait4", "exit", "exit_group", "execve", "restart_syscall", "rt_sigreturn", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "brk"}


class Sweep(Case):
    def setUp(self) -> None:
        super().setUp()
        harness.need("strace")
        self.hostile = str(self.base / "hostile")
        shutil.copy(os.environ["HOSTILE"], self.hostile)
        self.marker = self.host / "marker"
        # An injected failure may also meet the action, and leave one that does nothing: even that is not accepted here.
        self.policy = self.base / "nothing.toml"
        self.policy.write_text('schema = "rehearse.policy/1"\n[[rule]]\nid = "test.never"\nlevel = "yellow"\nwhy = "x"\nfix = "x"\n[rule.match.command]\nexit = 99\n')
        self.action = ["sh", "-c", f"for c in 2 6 10; do {self.hostile} $c; done >&2; touch {self.marker}"]

    def set_up_calls(self) -> collections.Counter[str]:
        """Calls of the supervisor until the action starts, by name."""
        trace = self.base / "trace"
        subprocess.run(["strace", "-o", str(trace), *self.command("run", "--", "true")], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        calls: collections.Counter[str] = collections.Counter()
        for line in trace.read_text(errors="replace").splitlines():
            if match := re.match(r"(\w+)\(", line):
                calls[match[1]] += 1
            if line.startswith("sendmsg("):
                break
        self.assertGreater(len(calls), 30)
        return calls

    def test_every_call_of_set_up(self) -> None:
        calls = self.set_up_calls()
        tried = 0
        for name, count in sorted(calls.items()):
            if name in LEFT_ALONE:
                continue
            chosen = range(1, count + 1)
            if harness.SLOW > 1:
                chosen = [count]  # type: ignore[assignment]
            elif os.environ.get("REHEARSE_SWEEP") != "full" and count > 3:
                chosen = [1, (count + 1) // 2, count]  # type: ignore[assignment]
            for n in chosen:
                with self.subTest(call=name, n=n):
                    self.inject(name, n)
                tried += 1
        print(f"{tried} failures injected into {len(calls)} system calls")
        self.call("gc")
        self.assert_nothing_left()

    def inject(self, name: str, n: int) -> None:
        started = time.monotonic()
        done = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={name}:error=EPERM:when={n}", *self.command("run", "--policy", str(self.policy), "--", *self.action)],
                              capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=30 * harness.SLOW)
        self.assertLess(time.monotonic() - started, (4 + 2) * harness.SLOW, "hangs")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn(b"SUCCEEDED", done.stderr)
        self.assertFalse(self.marker.exists(), "the action reached the host")
        if done.returncode not in harness.RAN:
            last = done.stderr.strip().splitlines()[-1:]
            self.assertTrue(last and last[0].startswith(b"rehearse: "), f"exit {done.returncode} without a line: {done.stderr[-300:]!r}")
        else:
            document = json.loads(done.stdout)
            self.assertNotEqual(document["verdict"]["level"], "green")


if __name__ == "__main__":
    harness.main()
