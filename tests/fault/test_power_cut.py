"""Cuts the power of the disks under a rehearsal, its approval, promotion, rollback and second promotion: what comes up again is old or new, as it was acknowledged, and everything works.

Of some, what recovers is cut again. REHEARSE_CUTS: so many cuts a filesystem (20), REHEARSE_SEED, REHEARSE_CUT_FS: "ext4 xfs btrfs". scripts/powercut tries hundreds.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import threading
import time
import uuid
from pathlib import Path
from typing import Iterator

import harness
import promotion
from power_cut import KINDS, Cut, Disks, Log, Progress, Recorder, Replay, choose_cuts, examine, unmount
from promotion import PromoteCase, Tree, differences

SETUP = r"""
mkdir -p d/sub k/deep away many; echo one >f; echo two >d/x; echo three >d/sub/y; echo four >k/deep/z; echo five >k/v; echo six >away/w; mkfifo p
for i in $(seq 60); do echo "the old text of $i" >many/$i; done; head -c 300000 /dev/zero | tr '\0' o >big; truncate -s 3M sparse; echo end >>sparse; chown 12:34 many/7
ln f hard; ln -s f link; chmod 640 d/x; setfattr -n user.a -v 1 f; setfacl -m u:12:r d/x; touch -d 2001-02-03 f k away
"""
ACTION = r"""
for i in $(seq 30); do echo "the new text of $i, which is longer" >many/$i; done; rm many/4?; for i in $(seq 61 70); do echo "new $i" >many/$i; done; head -c 500000 /dev/zero | tr '\0' n >big
echo more >>f; echo changed >d/x; rm -r k; mv away moved; echo seven >>moved/w; mkdir -p n/m; echo n >n/m/o; rm link; mkdir link; echo in >link/i; rm p; mkfifo -m 600 q
chmod 600 d/sub/y; setfattr -n user.b -v 2 d/sub; mkdir -m 700 outer; mv d/sub outer/sub; truncate -s 5M sparse; echo x >>sparse; chown 56 many/50
"""
# When each may have been cut, and what may be found then. The marks are set between two calls of rehearse.
SPANS = [("start", "ran", 1, {"old"}), ("ran", "approved", 1, {"old"}), ("approved", "promoted", 6, {"old", "new"}), ("promoted", "left", 1, {"new"}),
         ("left", "back", 4, {"old", "new"}), ("back", "approved again", 1, {"old"}), ("approved again", "promoted again", 3, {"old", "new"}), ("promoted again", "end", 1, {"new"})]
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Neighbour:
    """Somebody else on the same disks, who wants his own files durable: so that the filesystems write down what is half done."""

    def __init__(self, places: list[Path]) -> None:
        self.files = [open(place / "neighbour", "wb", buffering=0) for place in places]
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self) -> None:
        number = 0
        while not self.over.wait(0.001):
            number += 1
            for file in self.files:
                os.pwrite(file.fileno(), str(number).encode(), number % 4096)
                os.fsync(file.fileno())

    def stop(self) -> None:
        self.over.set()
        self.thread.join()
        for file in self.files:
            file.close()


def brief(verb: str, out: bytes, err: bytes) -> str:
    """What a call that failed said, without its lists."""
    try:
        document = json.loads(out)
        said = str({key: document.get(key) for key in ("exit", "why", "recovered", "not_undone", "kept")}) + str(document.get("moved", [])[:3])
    except ValueError:
        said = out[-500:].decode(errors="replace")
    return f"{verb}: {said} {err[-500:].decode(errors='replace')}"


class PowerCut(PromoteCase):
    __test__ = False
    kind = ""
    count = 1  # disks: with two, the state lies on the first and what is promoted on the second
    fault = ""  # of the disk or of the calls that make something durable, for the proof that this test sees one

    def setUp(self) -> None:
        super().setUp()
        harness.need("losetup", "setfacl", "strace")
        self.recorder_program = os.environ.get("DISK_RECORDER", "")
        if not os.access(self.recorder_program, os.X_OK):
            harness.skip("disk_recorder is not built: libfuse3-dev is not installed")
        for device in ("/dev/fuse", "/dev/loop-control"):
            if not os.path.exists(device):
                harness.skip(f"this host has no {device}")
        if self.kind not in Path("/proc/filesystems").read_text().split() and subprocess.run(["modprobe", "-q", self.kind], check=False).returncode != 0:
            harness.skip(f"this kernel has no {self.kind}")
        harness.need(f"mkfs.{self.kind}")
        self.ram = self.base / "ram"
        self.ram.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3G,mode=700", "tmpfs", self.ram], check=True)
        self.addCleanup(unmount, self.ram)
        # Other numbers of devices after the cut than before.
        subprocess.run(["truncate", "-s", "1M", self.ram / "spare"], check=True)
        self.disks = Disks(self.ram, self.kind, self.count)
        self.addCleanup(self.disks.unmount)
        self.recorder = Recorder(self.ram, self.recorder_program, self.disks)
        self.addCleanup(self.recorder.stop)
        self.state = self.disks.mounts[0] / "state"
        self.top = self.disks.mounts[-1] / "tree"
        self.boot_id = self.ram / "boot_id"

    def delayed(self, command: list[str]) -> list[str]:
        """Time for the neighbour between two steps; or with the call that makes things durable doing nothing."""
        slow = "inject=renameat2,fsync,fdatasync,syncfs:delay_enter=1500"
        if self.fault == "careless":
            slow = "inject=fsync,fdatasync,syncfs:retval=0"
        return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", slow, *command]

    def step(self, verb: str, *arguments: str) -> None:
        done = subprocess.run(self.delayed(self.command(verb, *arguments)), capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, brief(verb, done.stdout, done.stderr))

    def record(self) -> None:
        recorder = self.recorder
        recorder.make()
        self.base_images = recorder.keep()
        recorder.start()
        self.top.mkdir()
        subprocess.run(["sh", "-euc", SETUP], cwd=self.top, check=True)
        self.old = Tree(self.top)
        subprocess.run(["sync", "-f", self.top], check=True)
        recorder.mark("start")
        neighbour = Neighbour(self.disks.mounts)
        try:
            run = self.try_out(ACTION, cwd=self.top)
            recorder.mark("ran")
            self.name_ = self.approve(run)
            self.run_id = run.doc["id"]
            recorder.mark("approved")
            self.step("promote", self.name_)
            recorder.mark("promoted")
            self.new = Tree(self.top)
            recorder.mark("left")
            self.step("rollback", self.run_id)
            recorder.mark("back")
            self.assert_same(self.top, self.old)
            self.approve(run)
            recorder.mark("approved again")
            self.step("promote", self.name_)
            recorder.mark("promoted again")
            self.assert_same(self.top, self.new)
        finally:
            neighbour.stop()
        self.assertNotEqual(differences(self.old, self.new), [])
        recorder.stop()
        self.log = Log(recorder.log_file)
        self.addCleanup(self.log.bytes.close)
        self.log.marks["end"] = len(self.log.entries)

    def test_cuts(self) -> None:
        begun = time.monotonic()
        self.record()
        recorded = time.monotonic() - begun
        cuts = self.cuts()
        deaf = self.log.marks["approved"] if self.fault == "lying" else None
        replay = Replay(self.log, self.base_images, deaf)
        self.addCleanup(replay.close)
        failed: list[str] = []
        found = {"old": 0, "new": 0}
        blocks = 0
        what = f"{self.kind}, {'one disk' if self.count == 1 else 'two disks'}{', ' + self.fault if self.fault else ''}"
        progress = Progress(what, len(cuts))
        with self.other_boot():
            for number, cut in enumerate(cuts):
                files = [self.ram / f"cut{i}" for i in range(self.count)]
                blocks += replay.make(cut, files)
                try:
                    found[self.come_up(cut, number, files)] += 1
                except (AssertionError, subprocess.CalledProcessError, OSError, sqlite3.Error) as error:
                    failed.append(f"{cut} ({self.span_of(cut)[0]}..{self.span_of(cut)[1]}): {error}")
                finally:
                    self.disks.unmount()
                progress.say(number + 1)
                if self.fault and failed:
                    break
        print(f"{what}: recorded in {recorded:.1f} s, cut in {time.monotonic() - begun - recorded:.1f} s")
        print(f"{what}: {len(cuts)} cuts over {self.log.counts()}; {blocks} blocks were open; found old {found['old']}, new {found['new']}, wrong {len(failed)}")
        if self.fault:
            self.assertNotEqual(failed, [], "nothing was noticed of a disk that keeps nothing")
            print(f"noticed, as it should be: {failed[0][:300]}")
            return
        self.assertEqual(failed, [])
        replay.close()
        self.cut_recoveries(what)

    def cut_recoveries(self, what: str) -> None:
        """The power that fails again while what the first cut left is being recovered: some cuts of some recoveries."""
        chance = random.Random(int(os.environ.get("REHEARSE_SEED", "1")) + 1)
        wanted = int(os.environ.get("REHEARSE_CUTS", "20")) // 20
        if wanted < 2:  # a sample
            wanted = int(self.kind == "ext4" and self.count == 1)
        if wanted == 0:
            return
        replay = Replay(self.log, self.base_images)
        self.addCleanup(replay.close)
        (self.ram / "again").mkdir()
        recorder = Recorder(self.ram / "again", self.recorder_program, self.disks)
        self.addCleanup(recorder.stop)
        begun, first = time.monotonic(), sorted(chance.randint(self.log.marks[begin], self.log.marks[end])
                                                for begin, end in [("approved", "promoted"), ("left", "back")] for _ in range(64 * wanted))
        recoveries, found, failed = 0, {"old": 0, "new": 0}, []
        with self.other_boot():
            for at in first:
                cut = Cut(at, chance.randrange(1 << 30), "some")
                replay.make(cut, recorder.images)
                again = self.recorded_recovery(cut, recorder) if recoveries < wanted else None
                if again is None:
                    continue
                recoveries += 1
                inner = Replay(again, [image.with_suffix(".base") for image in recorder.images])
                seconds = choose_cuts(again, [("start", "recovered", 1)], 6, chance.randrange(1 << 30), KINDS[self.kind].torn)
                for second in seconds:
                    files = [self.ram / f"cut{i}" for i in range(self.count)]
                    inner.make(second, files)
                    try:
                        found[self.come_up(cut, second.at, files)] += 1
                    except (AssertionError, subprocess.CalledProcessError, OSError, sqlite3.Error) as error:
                        failed.append(f"{cut}, then while it recovered {second}: {error}")
                    finally:
                        self.disks.unmount()
                inner.close()
                again.bytes.close()
        print(f"{what}: {recoveries} recoveries cut at {sum(found.values()) + len(failed)} moments in {time.monotonic() - begun:.1f} s; found old {found['old']}, new {found['new']}, wrong {len(failed)}")
        self.assertGreater(recoveries, 0)
        self.assertEqual(failed, [])

    def recorded_recovery(self, cut: Cut, recorder: Recorder) -> Log | None:
        """What a recovery on the disks of that cut writes; nothing if there is nothing to recover."""
        self.boot_id.write_text(f"{uuid.UUID(int=random.Random(cut.seed).getrandbits(128))}\n")
        recorder.keep()
        recorder.start()
        try:
            if not list((self.state / "promotions").glob("*.ready")):
                return None
            recorder.mark("start")
            neighbour = Neighbour(self.disks.mounts)
            try:
                self.step("recover")
            finally:
                neighbour.stop()
            recorder.mark("recovered")
        finally:
            recorder.stop()
        return Log(recorder.log_file)

    def cuts(self) -> list[Cut]:
        count = int(os.environ.get("REHEARSE_CUTS", "20"))
        spans = [(begin, end, weight) for begin, end, weight, _ in SPANS]
        return choose_cuts(self.log, spans, max(count // 2, 1), int(os.environ.get("REHEARSE_SEED", "1")), KINDS[self.kind].torn)

    def span_of(self, cut: Cut) -> tuple[str, str, float, set[str]]:
        """The last span that had begun: at its very beginning what came before is acknowledged."""
        return [span for span in SPANS if self.log.marks[span[0]] <= cut.at][-1]

    @contextlib.contextmanager
    def other_boot(self) -> Iterator[None]:
        self.boot_id.write_text("")
        subprocess.run(["mount", "--bind", self.boot_id, BOOT_ID], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", BOOT_ID], check=True)

    def come_up(self, cut: Cut, number: int, files: list[Path]) -> str:
        """What the host finds after the cut; fails if that is not as it should be."""
        self.boot_id.write_text(f"{uuid.UUID(int=random.Random(cut.seed).getrandbits(128))}\n")
        spare = subprocess.run(["losetup", "--find", "--show", self.ram / "spare"], check=True, capture_output=True, text=True).stdout.strip() if number % 2 else ""
        try:
            self.disks.mount(files)
            _, _, _, allowed = self.span_of(cut)
            known = cut.at >= self.log.marks["approved"] or self.state.exists()
            if known:
                self.recover()
            state = self.which()
            self.assertIn(state, allowed)
            self.check_ledger(cut, state)
            self.assertEqual(list((self.state / "promotions").glob("*")), [])
            if state == "old" and cut.at < self.log.marks["left"]:
                self.assert_nothing_staged([self.top.parent])
            if state == "old" and self.count > 1:
                self.assertFalse((self.top.parent / ".rehearse").exists(), "a store is left where nothing is kept")
            if known:
                self.go_on(cut, state)
        finally:
            self.disks.unmount()
            if spare:
                subprocess.run(["losetup", "-d", spare], check=True)
        self.assertEqual(examine(self.kind, files), [])
        return state

    def recover(self) -> None:
        for _ in range(2):
            recovered = self.call("recover")
            self.assertEqual(recovered.code, 0, brief("recover", recovered.out, recovered.err))
        self.assertEqual(recovered.doc["recovered"], [])

    def which(self) -> str:
        now = Tree(self.top)
        if not (old := differences(self.old, now)):
            return "old"
        if not (new := differences(self.new, now)):
            return "new"
        self.fail(f"neither old nor new: against old {old[:5]}, against new {new[:5]}")

    def check_ledger(self, cut: Cut, state: str) -> None:
        """The last word about this run's promotions is what the host shows."""
        if cut.at < self.log.marks["approved"]:
            return
        rows = self.ledger("SELECT id, kind, result FROM promotions")
        rows = sorted(((int(row["id"].split("/")[1]), row["kind"], row["result"]) for row in rows))
        self.assertNotIn("begun", [result for _, _, result in rows], rows)
        self.assertNotIn("incomplete", [result for _, _, result in rows], rows)
        done = [kind for _, kind, result in rows if result == "done"]
        self.assertEqual("new" if done and done[-1] == "promote" else "old", state, rows)

    def go_on(self, cut: Cut, state: str) -> None:
        """The host is as good as any: what was promoted can be taken back, what was approved promoted."""
        marks = self.log.marks
        if state == "new":
            back = self.call("rollback", self.run_id)
            self.assertEqual(back.code, 0, brief("rollback", back.out, back.err))
            self.assertEqual(self.which(), "old")
        elif marks["approved"] <= cut.at < marks["left"] or cut.at >= marks["approved again"]:
            again = self.call("promote", self.name_)
            self.assertEqual(again.code, 0, brief("promote", again.out, again.err))
            self.assertEqual(self.which(), "new")
        elif cut.at >= marks["ran"]:
            # Until somebody approves it a run is made durable in the background.
            shown = self.call("show", self.run_id)
            self.assertIn(shown.code, (0, *harness.RAN, promotion.DATA_ERROR), brief("show", shown.out, shown.err))


def cases() -> Iterator[type[PowerCut]]:
    for kind in os.environ.get("REHEARSE_CUT_FS", "ext4 xfs btrfs").split():
        for count in (1, 2):
            yield type(f"{kind.capitalize()}{('Together', 'Apart')[count - 1]}", (PowerCut,), {"kind": kind, "count": count, "__test__": True})
    for fault in ("lying", "careless"):
        yield type(f"Seen{fault.capitalize()}", (PowerCut,), {"kind": "ext4", "count": 1, "fault": fault, "__test__": True})


def load_tests(loader: object, tests: object, pattern: object) -> object:
    import unittest
    suite = unittest.TestSuite()
    for case in cases():
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    return suite


if __name__ == "__main__":
    promotion.main_in_private_mounts()
