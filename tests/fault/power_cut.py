"""Disks that lose their power: what is written to one or more disks is recorded in order (disk_recorder), and made into the disks as they may have been at any moment of it.

A disk has a volatile cache: what was written before its last flush is there, of what came later each 4 KiB block, or each 512 byte sector of a torn one, may be there or not, in any of the
versions that it had since.
"""

from __future__ import annotations

import dataclasses
import mmap
import os
import random
import struct
import subprocess
import time
from pathlib import Path
from typing import Iterator

import harness

BLOCK, SECTOR = 4096, 512
WRITE, FLUSH, MARK = 1, 2, 3
HEADER = struct.Struct("IIQQ")


@dataclasses.dataclass
class Kind:
    """One kind of filesystem: how it is made, brought to life after a cut, and examined."""

    make: list[str]
    size: str
    examine: list[str]
    torn: bool = True  # blocks may be torn


KINDS = {
    # Nothing is left for the kernel to initialize in the background: it would be most of the log.
    "ext4": Kind(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"], "48M", ["e2fsck", "-fn"]),
    # Replaying its log it takes a block whose first sector is new for new as a whole: no torn block of its own is survived, whoever wrote there.
    "xfs": Kind(["mkfs.xfs", "-q", "-f"], "320M", ["xfs_repair", "-n"], torn=False),
    "btrfs": Kind(["mkfs.btrfs", "-q", "-f"], "128M", ["btrfs", "check"]),
}


@dataclasses.dataclass
class Entry:
    kind: int
    disk: int
    offset: int
    length: int
    data: int  # where in the log


class Log:
    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.entries: list[Entry] = []
        self.marks: dict[str, int] = {}  # how many entries there were when it was set
        at = 0
        while at + HEADER.size <= len(self.bytes):
            kind, disk, offset, length = HEADER.unpack_from(self.bytes, at)
            at += HEADER.size
            self.entries.append(Entry(kind, disk, offset, length, at))
            if kind != FLUSH:
                at += length
            if kind == MARK:
                self.marks[self.bytes[at - length:at].decode()] = len(self.entries)

    def counts(self) -> str:
        writes = [e for e in self.entries if e.kind == WRITE]
        return f"{len(writes)} writes ({sum(e.length for e in writes) >> 10} KiB), {sum(e.kind == FLUSH for e in self.entries)} flushes"


def attach(file: Path) -> str:
    return subprocess.run(["losetup", "--find", "--show", file], check=True, capture_output=True, text=True).stdout.strip()


def detach(loop: str) -> None:
    subprocess.run(["losetup", "-d", loop], check=True)


def unmount(place: Path) -> None:
    """Whoever looks at every file of the host may hold it for a moment."""
    if os.path.ismount(place) and not harness.wait_for(lambda: subprocess.run(["umount", place], capture_output=True, check=False).returncode == 0):
        raise AssertionError(f"cannot unmount {place}")


class Disks:
    """One or more disks with a filesystem each, always mounted at the same places."""

    def __init__(self, base: Path, kind: str, count: int) -> None:
        self.base, self.kind, self.count = base, kind, count
        self.mounts = [base / f"disk{i}" for i in range(count)]
        for mount in self.mounts:
            mount.mkdir(exist_ok=True)
        self.loops: list[str] = []

    def mount(self, files: list[Path]) -> None:
        if self.kind == "btrfs":  # the kernel remembers a device by its id, and refuses one that has become older
            subprocess.run(["btrfs", "device", "scan", "--forget"], check=True, capture_output=True)
        for file, place in zip(files, self.mounts):
            self.loops.append(attach(file))
            command = ["mount", "-t", self.kind, self.loops[-1], place]
            if subprocess.run(command, check=False, capture_output=True).returncode == 0:
                continue
            # A block that is torn between two sectors may be the superblock: a person has that repaired from its copy.
            if self.kind == "ext4":
                subprocess.run(["e2fsck", "-fy", self.loops[-1]], check=False, capture_output=True)
            subprocess.run(command, check=True, capture_output=True)

    def unmount(self) -> None:
        for place in self.mounts:
            unmount(place)
        while self.loops:
            detach(self.loops.pop())


class Recorder:
    """The disks on their recorder, from an empty filesystem each on."""

    def __init__(self, base: Path, program: str, disks: Disks) -> None:
        self.base, self.disks = base, disks
        self.place, self.log_file = base / "recorder", base / "log"
        self.images = [base / f"image{i}" for i in range(disks.count)]
        self.place.mkdir(exist_ok=True)
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Fresh filesystems, not recorded: what is recorded begins with them."""
        kind = KINDS[self.disks.kind]
        for image in self.images:
            subprocess.run(["truncate", "-s", kind.size, image], check=True)
            subprocess.run([*kind.make, image], check=True, capture_output=True)

    def keep(self) -> list[Path]:
        """Copies of the images as they are: what the log builds on."""
        kept = [image.with_suffix(".base") for image in self.images]
        for image, copy in zip(self.images, kept):
            copy_sparse(image, copy)
        return kept

    def start(self) -> None:
        self.process = subprocess.Popen([self.program, self.place, self.log_file, *self.images])
        if not harness.wait_for(lambda: os.path.ismount(self.place) or self.process.poll() is not None) or self.process.poll() is not None:
            raise AssertionError("disk_recorder did not start")
        self.disks.mount([self.place / str(i) for i in range(self.disks.count)])

    def mark(self, name: str) -> None:
        fd = os.open(self.place / "mark", os.O_WRONLY)
        os.write(fd, name.encode())
        os.close(fd)

    def stop(self) -> None:
        self.disks.unmount()
        if self.process is not None:
            unmount(self.place)
            self.process.wait(timeout=30 * harness.SLOW)
            self.process = None


def copy_sparse(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


@dataclasses.dataclass
class Cut:
    at: int  # so many entries had been written
    seed: int
    fate: str  # of what was not flushed: lost, written, some, torn

    def __str__(self) -> str:
        return f"cut at entry {self.at}, seed {self.seed}, the unflushed {self.fate}"


class Replay:
    """Makes the disks of one cut after the other; the cuts go forward."""

    def __init__(self, log: Log, base: list[Path], deaf_from: int | None = None) -> None:
        """deaf_from: a lying disk, that forgets from this entry on what it was told to keep."""
        self.log, self.deaf_from = log, deaf_from
        self.durable = [path.with_suffix(".durable") for path in base]
        for source, copy in zip(base, self.durable):
            copy_sparse(source, copy)
        self.files = [open(path, "r+b", buffering=0) for path in self.durable]
        self.pending: list[list[Entry]] = [[] for _ in base]
        self.at = 0

    def close(self) -> None:
        for file in self.files:
            file.close()

    def _apply(self, fd: int, entry: Entry) -> None:
        os.pwrite(fd, self.log.bytes[entry.data:entry.data + entry.length], entry.offset)

    def _advance(self, to: int) -> None:
        assert to >= self.at
        for entry in self.log.entries[self.at:to]:
            if entry.kind == WRITE:
                self.pending[entry.disk].append(entry)
            elif entry.kind == FLUSH and (self.deaf_from is None or self.at < self.deaf_from):
                for written in self.pending[entry.disk]:
                    self._apply(self.files[entry.disk].fileno(), written)
                self.pending[entry.disk].clear()
            self.at += 1

    def make(self, cut: Cut, into: list[Path]) -> int:
        """Returns how many blocks' fate was open."""
        self._advance(cut.at)
        chance, blocks = random.Random(cut.seed), 0
        for disk, target in enumerate(into):
            copy_sparse(self.durable[disk], target)
            fd = os.open(target, os.O_WRONLY)
            for block, versions in sorted(self._open_blocks(disk).items()):
                blocks += 1
                self._settle(fd, block, versions, cut.fate, chance)
            os.close(fd)
        return blocks

    def _open_blocks(self, disk: int) -> dict[int, list[Entry]]:
        blocks: dict[int, list[Entry]] = {}
        for entry in self.pending[disk]:
            for piece in pieces(entry):
                blocks.setdefault(piece.offset // BLOCK, []).append(piece)
        return blocks

    def _settle(self, fd: int, block: int, versions: list[Entry], fate: str, chance: random.Random) -> None:
        if fate == "lost":
            return
        if fate == "torn" and chance.random() < 0.3:
            for sector in range(block * BLOCK, (block + 1) * BLOCK, SECTOR):
                for version in versions[:chance.randint(0, len(versions))]:
                    if version.offset <= sector < version.offset + version.length:
                        start = version.data + sector - version.offset
                        os.pwrite(fd, self.log.bytes[start:start + SECTOR], sector)
            return
        count = len(versions) if fate == "written" else chance.randint(0, len(versions))
        for version in versions[:count]:
            self._apply(fd, version)


def pieces(entry: Entry) -> Iterator[Entry]:
    at = entry.offset
    while at < entry.offset + entry.length:
        end = min((at // BLOCK + 1) * BLOCK, entry.offset + entry.length)
        yield Entry(WRITE, entry.disk, at, end - at, entry.data + at - entry.offset)
        at = end


def choose_cuts(log: Log, spans: list[tuple[str, str, float]], count: int, seed: int, torn: bool) -> list[Cut]:
    """So many cuts, in order. Each span between two marks gets its share of them; right at its end, when somebody has just been told of it, everything unflushed is lost."""
    chance = random.Random(seed)
    cuts = [Cut(log.marks[end], seed, "lost") for _, end, _ in spans]
    fates = ["lost", "written", "some", "some", "some"] + ["torn", "torn"] * torn
    whole = sum(weight for _, _, weight in spans)
    for begin, end, weight in spans:
        for _ in range(round(max(count - len(spans), 0) * weight / whole)):
            at = chance.randint(log.marks[begin], log.marks[end])
            cuts.append(Cut(at, chance.randrange(1 << 30), chance.choice(fates)))
    return sorted(cuts[-count:] if count < len(spans) else cuts, key=lambda cut: cut.at)


def examine(kind: str, files: list[Path]) -> list[str]:
    """What the filesystem's own examination objects to."""
    found = []
    for file in files:
        done = subprocess.run([*KINDS[kind].examine, file], capture_output=True, check=False)
        if done.returncode != 0:
            found.append(f"{' '.join(KINDS[kind].examine)}: exit {done.returncode}: {(done.stdout + done.stderr).decode(errors='replace')[-600:]}")
    return found


class Progress:
    """One line on a terminal, now and then a line elsewhere."""

    def __init__(self, what: str, whole: int) -> None:
        self.what, self.whole, self.begun, self.last = what, whole, time.monotonic(), 0.0

    def say(self, done: int) -> None:
        now = time.monotonic()
        if now - self.last < (0.2 if os.isatty(2) else 20) and done != self.whole:
            return
        self.last = now
        end = "\r" if os.isatty(2) and done != self.whole else "\n"
        os.write(2, f"{self.what}: {done}/{self.whole} cuts, {now - self.begun:.0f} s{end}".encode())
