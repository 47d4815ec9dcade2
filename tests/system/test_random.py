"""Random file operations, natively on a copy and rehearsed: the change set predicts the native result exactly.

REHEARSE_SEQUENCES sets how many sequences are tried, REHEARSE_SEED the first of them.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import harness
from harness import Case
from prediction import compare, predict, read_tree

OPERATIONS = Path(__file__).with_name("random_operations.py")


def build(top: Path) -> None:
    """A tree with something of everything."""
    for directory in ("d1/d2/d3", "d1/other", "full", "empty"):
        (top / directory).mkdir(parents=True)
    for number in range(12):
        (top / f"full/f{number}").write_bytes(os.urandom(200 * number))
    for name in ("top", "d1/one", "d1/d2/two", "d1/d2/d3/three"):
        (top / name).write_text(name * 50)
    os.link(top / "top", top / "d1/linked")
    os.link(top / "top", top / "d1/d2/linked")
    os.symlink("one", top / "d1/link")
    os.mkfifo(top / "fifo")
    os.setxattr(top / "d1/one", "user.k", b"v")
    os.chown(top / "d1/one", 1000, 1000)
    (top / "d1/other").chmod(0o2750)
    with open(top / "sparse", "wb") as file:
        file.seek(1 << 22)
        file.write(b"end")


class Random(Case):
    def test_predicts_the_native_result(self) -> None:
        first = int(os.environ.get("REHEARSE_SEED", "1"))
        for seed in range(first, first + int(os.environ.get("REHEARSE_SEQUENCES", "60"))):
            with self.subTest(seed=seed):
                self.one_sequence(seed)

    def one_sequence(self, seed: int) -> None:
        subprocess.run(["rm", "-rf", self.base / "native", self.host], check=True)
        self.host.mkdir()
        build(self.host)
        subprocess.run(["cp", "-a", self.host, self.base / "native"], check=True)
        action = ["python3", "-I", str(OPERATIONS), str(seed), str(5 + seed % 40)]
        native = subprocess.run(action, cwd=self.base / "native", capture_output=True, check=True)
        top = harness.b(self.host)
        before = read_tree(top)
        result = self.run_in(action, "--cwd", str(self.host))
        self.assertIn(result.code, harness.RAN, result.err)
        self.assertEqual(result.err, native.stdout, "the operations themselves ended otherwise than natively")
        self.assertEqual(compare(read_tree(top), before), [], "the host changed")
        expected = {top + path[len(top) - len(b"host") + len(b"native"):]: entry for path, entry in read_tree(harness.b(self.base / "native")).items()}
        self.assertEqual(compare(predict(before, result.doc, top), expected), [], native.stdout.decode())
        self.check_before(result.doc, before)

    def check_before(self, document: harness.Document, before: dict[bytes, object]) -> None:
        for change in document["changes"]:
            if change["before"] is None or not harness.path_of(change).startswith(harness.b(self.host)):
                continue
            path = os.fsencode(change["from"]) if change["change"] == "renamed" and not change.get("from_b64") else harness.path_of(change)
            if path not in before or change["type"] != "file" or change["change"] == "type":
                continue
            self.assertEqual(change["before"]["sha256"].removeprefix("sha256:"), before[path].content.decode(), path)  # type: ignore[attr-defined]


if __name__ == "__main__":
    harness.main()
