"""What a promotion asks of a service manager, and what takes it back, where that manager is a real one (test_promote_units.py has all else)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import harness
from promotion import PromoteCase, main_in_private_mounts

INCOMPLETE, DIVERGED = 17, 15
PLACE = Path("/etc/systemd/system")
SLEEP = "[Service]\nExecStart=/bin/sleep 999\n"
UNITS = {
    "rt-a.service": SLEEP,
    "rt-b.service": "[Unit]\nRequires=rt-a.service\nAfter=rt-a.service\n" + SLEEP,
    "rt-c.service": "[Unit]\nPartOf=rt-a.service\n" + SLEEP,
    "rt-d.service": "[Unit]\nBindsTo=rt-a.service\nAfter=rt-a.service\n" + SLEEP,
    "rt-conflict.service": "[Unit]\nConflicts=rt-a.service\n" + SLEEP,
    "rt-slow.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 6\n",
    "rt-bad-stop.service": SLEEP + "ExecStop=/bin/false\n",
}
FOUR = ["rt-a", "rt-b", "rt-c", "rt-d"]


def systemctl(*words: str) -> str:
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False).stdout


class RealUnits(PromoteCase):
    def setUp(self) -> None:
        if not os.environ.get("REHEARSE_DISPOSABLE_HOST") or not os.path.isdir("/run/systemd/system"):
            harness.skip("it starts and stops units: REHEARSE_DISPOSABLE_HOST and systemd as the service manager")
        super().setUp()
        for name, text in UNITS.items():
            (PLACE / name).write_text(text, encoding="ascii")
        (PLACE / "rt-alias.service").symlink_to("rt-a.service")
        self.addCleanup(self.clear)
        systemctl("daemon-reload")

    @staticmethod
    def clear() -> None:
        systemctl("stop", *UNITS, "rt-own.service")
        for path in PLACE.glob("rt-*"):
            path.unlink()
        systemctl("daemon-reload")
        systemctl("reset-failed")

    def states(self, *units: str) -> list[str]:
        return systemctl("is-active", *units).split()

    def back(self, run: harness.Result, expect: int = 0) -> list[str]:
        result = self.call("rollback", run.doc["id"])
        self.assertEqual(result.code, expect, (result.out, result.err))
        return [f"{u['result']} {u['request']} {u['unit']}".strip() for u in result.doc["units"]]

    def test_what_follows(self) -> None:
        systemctl("start", *FOUR)
        for request in ("stop rt-a", "start rt-conflict"):
            with self.subTest(request):
                run = self.try_out(f"systemctl {request}")
                self.promote(run)
                self.assertEqual(self.states(*FOUR), ["inactive"] * 4)
                self.back(run)
                self.assertEqual(self.states(*FOUR, "rt-conflict"), ["active"] * 4 + ["inactive"])
        systemctl("stop", *FOUR)
        run = self.try_out("systemctl start rt-b")
        self.promote(run)
        self.assertEqual(self.states("rt-a", "rt-b"), ["active"] * 2)
        self.assertEqual(self.back(run), ["done stop rt-b.service", "done stop rt-a.service"])
        self.assertEqual(self.states(*FOUR), ["inactive"] * 4)

    def test_what_follows_here_and_did_not_in_the_rehearsal(self) -> None:
        systemctl("start", "rt-a")
        run = self.try_out("systemctl stop rt-a")
        systemctl("start", *FOUR)
        self.promote(run)
        self.assertEqual(self.states(*FOUR), ["inactive"] * 4)
        self.back(run)
        self.assertEqual(self.states(*FOUR), ["active"] * 4)

    def test_an_alias(self) -> None:
        run = self.try_out("systemctl start rt-alias; systemctl stop rt-a")
        self.promote(run)
        self.assertEqual((self.back(run), self.states("rt-a")), ([], ["inactive"]))

    def test_exec_stop_is_there(self) -> None:
        """The unit's file and the program that stops it come and go with the run."""
        program, said = self.host / "stop", self.base / "said"
        script = f"printf '#!/bin/sh\\necho stopped >>{said}\\n' >{program}; chmod +x {program}; cd {PLACE}; printf '{SLEEP}ExecStop={program}\\n' >rt-own.service; systemctl daemon-reload; systemctl start rt-own"
        run = self.try_out(script.replace("\n", "\\n"))
        self.promote(run)
        self.assertEqual(self.states("rt-own"), ["active"])
        self.assertEqual(self.back(run), ["done stop rt-own.service", "done daemon-reload"])
        self.assertEqual((self.states("rt-own"), said.read_text(), program.exists()), (["inactive"], "stopped\n", False))
        self.promote(run)
        away = self.try_out(f"systemctl stop rt-own; rm {PLACE}/rt-own.service {program}; systemctl daemon-reload")
        self.promote(away)
        self.assertEqual((self.states("rt-own"), said.read_text(), program.exists()), (["inactive"], "stopped\n" * 2, False))
        self.assertEqual(self.back(away), ["done daemon-reload", "done start rt-own.service"])
        self.assertEqual(self.states("rt-own"), ["active"])

    def test_a_stop_that_ends_as_failed(self) -> None:
        run = self.try_out("systemctl start rt-bad-stop")
        self.promote(run)
        self.assertEqual(self.back(run, INCOMPLETE), ["failed stop rt-bad-stop.service", "done reset-failed rt-bad-stop.service"])
        self.assertEqual(self.states("rt-bad-stop"), ["inactive"])

    def test_cut_off_while_it_starts(self) -> None:
        run = self.try_out("systemctl start rt-slow")
        self.promote(run, "--unit-wait", "1s", expect=DIVERGED)
        self.assertEqual(self.back(run), ["done stop rt-slow.service", "done reset-failed rt-slow.service"])
        self.assertEqual(self.states("rt-slow"), ["inactive"])

    def test_killed_while_it_starts(self) -> None:
        run = self.try_out("systemctl start rt-slow")
        process = subprocess.Popen(self.command("promote", self.approve(run)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.assertTrue(harness.wait_for(lambda: self.states("rt-slow") == ["activating"]))
        process.kill()
        process.wait()
        recovered = self.call("recover")
        self.assertEqual(recovered.code, DIVERGED, recovered.out)
        self.assertEqual(self.back(run), ["done stop rt-slow.service", "done reset-failed rt-slow.service"])
        self.assertEqual(self.states("rt-slow"), ["inactive"])


if __name__ == "__main__":
    main_in_private_mounts()
