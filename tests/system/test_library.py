"""A program that links librehearse rehearses as the command line does."""

from __future__ import annotations

import json
import os
import subprocess

import harness
from harness import Case


class Library(Case):
    def setUp(self) -> None:
        super().setUp()
        self.program = os.environ.get("USE_LIBRARY", "")
        if not os.access(self.program, os.X_OK):
            harness.skip("USE_LIBRARY does not name the program")

    def test_rehearses_and_writes_the_document(self) -> None:
        done = subprocess.run([self.program, str(self.state), "sh", "-c", f"echo said; touch {self.host}/made; exit 3"], capture_output=True, check=False)
        self.assertIn(done.returncode, harness.RAN, done.stderr)
        document = json.loads(done.stdout)
        self.assertEqual(document["command"]["exit"], 3)
        self.assertIn(f"{self.host}/made", [change["path"] for change in document["changes"]])
        self.assertFalse((self.host / "made").exists())
        self.assertTrue(done.stderr.startswith(b"said\n"))
        self.assertEqual(self.call("show", "last").doc["id"], document["id"])

    def test_failures_are_values(self) -> None:
        done = subprocess.run([self.program, "relative", "true"], capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (harness.USAGE, 1))


if __name__ == "__main__":
    harness.main()
