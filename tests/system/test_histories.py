"""Random histories: an action promoted, somebody's edits, the way back in parts and with what is named accepted. Nothing of anybody is lost."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import subprocess
from pathlib import Path

import harness
import histories
from harness import USAGE, Result
from promotion import DATA_ERROR, STALE, TRY_LATER, Image, PromoteCase, Tree, as_done, differences, injected, main_in_private_mounts

# What a rollback is killed at, and at most how many calls of it further on.
KILLED_AT = {"renameat2": 8, "renameat": 4, "rename": 4, "fsync": 8, "fdatasync": 8, "syncfs": 3, "unlinkat": 8, "utimensat": 8, "write": 8, "pwrite64": 8, "linkat": 4, "openat2": 60}


class Histories(PromoteCase):
    """Histories of random operations (histories.py) on filesystems of several kinds.

    REHEARSE_SEQUENCES sets how many are tried on each filesystem, REHEARSE_SEED the first of the first, REHEARSE_FILESYSTEMS where: with
    one of them and the seed that is told one history is done again. Every fifth has its rollbacks killed.
    """

    def test_histories(self) -> None:
        harness.need("strace")
        first = int(os.environ.get("REHEARSE_SEED", "1"))
        count = int(os.environ.get("REHEARSE_SEQUENCES", "10"))
        kinds = os.environ.get("REHEARSE_FILESYSTEMS", "ext4 xfs btrfs tmpfs").split()
        ends: collections.Counter[str] = collections.Counter()
        for number, kind in enumerate(kinds):
            self.mount = Image(self, kind).mount
            self.top = self.mount / "tree"
            if not harness.takes_user_attributes(self.mount):
                with self.subTest(filesystem=kind):
                    harness.skip(f"{kind} takes no user.* attributes on this kernel (tmpfs before 6.6), and the histories set some")
                continue
            for seed in range(first + number * count, first + (number + 1) * count):
                with self.subTest(filesystem=kind, seed=seed):
                    self.story: list[str] = []
                    try:
                        ends[self.one(seed)] += 1
                    except Exception as error:
                        error.add_note("\n".join([f"{kind}, seed {seed}:", *self.story]))
                        raise
        print(*(f"{times} {end}" for end, times in sorted(ends.items())), sep=", ", flush=True)

    def one(self, seed: int) -> str:
        """How it ended, where all is as it has to be."""
        made = histories.Generator(seed)
        self.random = made.random
        subprocess.run(["rm", "-rf", self.base / "native", self.top, self.mount / ".rehearse"], check=True)
        self.top.mkdir()
        with contextlib.chdir(self.top):
            made.build()
        original, own = Tree(self.top), histories.marks(str(self.top))
        subprocess.run(["cp", "-a", self.top, self.base / "native"], check=True)
        with contextlib.chdir(self.base / "native"):
            action = made.do("A", made.ACTS, self.random.randrange(1, 7))
        self.tell("action", *action)
        # Without a trace: what it read and where it looked is nothing that a rollback asks for.
        run = self.run_in(["python3", "-I", "-B", histories.__file__, json.dumps(action)], "--cwd", str(self.top), "--no-trace")
        self.assertIn(run.code, harness.RAN, run.err)
        self.assertEqual(run.doc["command"]["exit"], 0, run.err)
        self.assert_same(original, self.top)
        try:
            end = self.promoted(run, made, original, own, killed=seed % 5 == 0)
        finally:
            self.call("rm", "--force", run.doc["id"])
        self.assertFalse((self.mount / ".rehearse").exists(), "the store is gone with what it kept")
        return end

    def promoted(self, run: Result, made: histories.Generator, original: Tree, own: dict[int, set[str]], killed: bool) -> str:
        name = run.doc["id"]
        changed = [entry["path"] for entry in run.doc["changes"]]
        if all(entry["change"] == "identical" for entry in run.doc["changes"]):
            return "changed nothing"
        part = self.part(changed, ["--only"]) if self.random.random() < 0.3 else []
        done = self.tried("promote", self.approve(run), *part)
        if part and done.code in (USAGE, DATA_ERROR):
            self.assert_same(original, self.top)
            return "refused in part"
        self.assertEqual(done.code, 0, (done.out, done.err))
        if not done.doc["operations"]:
            self.assert_same(original, self.top)
            return "promoted nothing"
        after = histories.marks(str(self.top))
        edits = []
        if self.random.random() < 0.8:
            with contextlib.chdir(self.top):
                edits = made.do("E", made.EDITS, self.random.choice([1, 1, 1, 2, 3, 4]))
        self.tell("edits", *edits)
        # Marks of somebody, those of the action apart: what is there now, and what the promotion has put aside.
        everybodys = [*histories.marks(str(self.top)).values(), *(of for inode, of in own.items() if inode not in after)]
        wanted = {mark for of in everybodys for mark in of if not mark.startswith("A")}

        kept: list[str] = []
        if self.random.random() < 0.5:
            kept += self.taken_back(name, self.part(changed, []), killed) or []
        kept += self.taken_back(name, [], killed) or []
        final = Tree(self.top)
        if not edits:
            self.assertEqual((differences(original, final), kept), ([], []), "it is as it was before")
        again = self.tried("rollback", name)
        self.assertEqual(self.said(again)[:3], (0, [], []), "nothing to do")
        self.assert_same(final, self.top)
        self.assert_kept(kept, wanted)
        self.tried("gc", "--all")
        self.assert_same(final, self.top)
        self.assert_kept(kept, wanted)
        if kept:
            self.assertEqual(self.tried("rm", name).code, TRY_LATER)
            self.assert_kept(kept, wanted)
            return "kept something"
        self.assertEqual([str(left) for left in (self.mount / ".rehearse", self.state / "runs" / name) if left.exists()], [])
        return "taken back"

    def part(self, changed: list[str], only: list[str]) -> list[str]:
        """Options that name one or two of these paths; `only`: the option that takes just them."""
        chosen = self.random.sample(changed, self.random.randrange(1, min(3, len(changed) + 1)))
        return [word for path in chosen for word in ([*only, path] if self.random.random() < 0.5 else ["--except", path])]

    def taken_back(self, name: str, part: list[str], killed: bool) -> list[str] | None:
        """What is kept aside, when all that was named has been accepted; None: it cannot be taken back in this part."""
        at_once = self.random.random() < 0.5
        accepted: list[str] = []
        while True:
            before = Tree(self.top)
            options = [*part, *(word for path in accepted for word in ("--accept", path))]
            dry = self.tried("rollback", name, "--dry-run", *options)
            self.assert_same(before, self.top)
            if killed and dry.code == 0 and (kept := self.killed(name, options, before)) is not None:
                return kept
            real = self.tried("rollback", name, *options)
            self.assertEqual(self.said(dry), self.said(real), "a dry run says what will be")
            if real.code == 0:
                return real.doc["kept"]
            self.assert_same(before, self.top)
            if part and real.code == USAGE:
                return None
            self.assertEqual(real.code, STALE, (real.out, real.err))
            named = [moved["path"] for moved in real.doc.get("moved", []) if moved["path"] not in accepted]
            self.assertTrue(named and accepted != [str(self.top)], f"what is accepted is no obstacle: {real.out!r}")
            accepted = [str(self.top)] if at_once else [*accepted, self.random.choice(named)]

    @staticmethod
    def said(result: Result) -> tuple[object, ...]:
        """An error has none of the lists."""
        return (result.code, result.doc.get("operations"), as_done(result.doc.get("kept") or []), result.doc.get("left_alone") or [])

    def killed(self, name: str, options: list[str], before: Tree) -> list[str] | None:
        """Kills it anywhere and recovers. What is kept aside where it is over with that; None where it has not been."""
        kept = self.noted(name)
        call = self.random.choice(sorted(KILLED_AT))
        when = f"{call}:signal=SIGKILL:when={self.random.randrange(1, KILLED_AT[call])}"
        ended = subprocess.run([*injected(when), *self.command("rollback", name, *options)], capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode
        self.tell(f"rollback {name} {' '.join(options)} killed at {when}: {ended}")
        recovered = self.tried("recover")
        self.assertEqual(recovered.code, 0, (recovered.out, recovered.err))
        now = Tree(self.top)
        # What is given up because its directory is gone changes nothing in the tree.
        if ended != 0 and not differences(before, now) and kept == self.noted(name):
            return None
        again = self.tried("rollback", name, *options)
        self.assertEqual(self.said(again)[:2], (0, []), f"old or new as a whole: {differences(before, now)}")
        self.assert_same(now, self.top)
        return self.noted(name)

    def noted(self, name: str) -> list[str]:
        """What the run's bundle says is kept."""
        file = self.state / "runs" / name / "kept-aside"
        return [os.fsdecode(line) for line in file.read_bytes().split(b"\0") if line] if file.exists() else []

    def assert_kept(self, kept: list[str], wanted: set[str]) -> None:
        """All that is named is there; each mark is there or on the host."""
        places = [Path(line.split(" kept as ")[1]) for line in kept]
        self.assertEqual([str(place) for place in places if not os.path.lexists(place)], [], "kept, and not there")
        found = {mark for place in (self.top, *places) for of in histories.marks(str(place)).values() for mark in of}
        self.assertEqual(wanted - found, set(), f"lost; kept: {kept}")

    def tried(self, *words: str) -> Result:
        result = self.call(*words)
        self.tell(f"rehearse {' '.join(words)}: {result.code}")
        return result

    def tell(self, what: str, *operations: histories.Operation) -> None:
        self.story += [what, *(f"    {json.dumps(operation)}" for operation in operations)]


if __name__ == "__main__":
    main_in_private_mounts()
