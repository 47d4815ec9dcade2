"""What the tests of promotion share: a policy, a rehearsal, its approval by a person at a terminal, its promotion; trees with everything that is to be equal."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import pty
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterable

import harness
from harness import Case, Result

NOT_APPROVED, STALE, ROLLED_BACK, INCOMPLETE = 13, 14, 16, 17
DATA_ERROR, TRY_LATER = 65, 75


@dataclasses.dataclass
class Entry:
    """One object of a tree, with everything that a promotion is to bring over."""

    kind: str
    mode: int
    uid: int
    gid: int
    content: bytes
    size: int
    mtime: int
    xattrs: tuple[tuple[str, bytes], ...]
    rdev: int
    blocks_fewer_than_size: bool

    def row(self, times: bool) -> tuple[Any, ...]:
        return (self.kind, oct(self.mode), self.uid, self.gid, self.content, self.size, self.mtime if times else 0, self.xattrs, self.rdev, self.blocks_fewer_than_size)


class Tree:
    def __init__(self, top: str | Path, skip: Iterable[bytes] = ()) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.inodes: dict[tuple[int, int], set[bytes]] = {}
        self.numbers: dict[bytes, int] = {}
        self.skip = set(skip)
        fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
        self._visit(fd, b".", b"")
        os.close(fd)

    def _visit(self, directory: int, name: bytes, path: bytes) -> None:
        st = os.stat(name, dir_fd=directory, follow_symlinks=False)
        kind = stat.S_IFMT(st.st_mode)
        content, xattrs = b"", ()
        if kind == stat.S_IFLNK:
            content = os.readlink(name, dir_fd=directory)
        elif kind in (stat.S_IFREG, stat.S_IFDIR):
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
            if kind == stat.S_IFREG:
                with os.fdopen(os.dup(fd), "rb") as file:
                    content = hashlib.file_digest(file, "sha256").digest()
            xattrs = tuple(sorted((x, os.getxattr(fd, x)) for x in os.listxattr(fd) if not x.startswith("trusted.SGI_ACL")))
            if kind == stat.S_IFDIR:
                for entry in sorted(map(os.fsencode, os.listdir(fd))):
                    below = path + b"/" + entry
                    if below not in self.skip:
                        self._visit(fd, entry, below)
            os.close(fd)
        size = st.st_size if kind in (stat.S_IFREG, stat.S_IFLNK) else 0
        sparse = kind == stat.S_IFREG and st.st_size > 1 << 20 and st.st_blocks * 512 < st.st_size // 2
        self.entries[path] = Entry({stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "sock"}.get(kind, "dev"),
                                   stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, content, size, st.st_mtime_ns, xattrs,
                                   st.st_rdev if kind in (stat.S_IFCHR, stat.S_IFBLK) else 0, sparse)
        self.numbers[path] = st.st_ino
        if kind != stat.S_IFDIR:
            self.inodes.setdefault((st.st_ino, st.st_nlink), set()).add(path)

    def links(self) -> set[frozenset[bytes]]:
        return {frozenset(paths) for paths in self.inodes.values() if len(paths) > 1}


def differences(a: Tree, b: Tree, times: bool = True, recent: int | None = None) -> list[str]:
    """`recent`: times later than this are of the two actions themselves and only have to be late in both."""
    lines = [f"only left: {p!r}" for p in sorted(a.entries.keys() - b.entries.keys())]
    lines += [f"only right: {p!r}" for p in sorted(b.entries.keys() - a.entries.keys())]
    for path in sorted(a.entries.keys() & b.entries.keys()):
        left, right = a.entries[path], b.entries[path]
        late = recent is not None and left.mtime >= recent and right.mtime >= recent
        if left.row(times and not late) != right.row(times and not late):
            lines.append(f"{path!r}: {left.row(times)} != {right.row(times)}")
    lines += [f"hard links differ: {sorted(group)}" for group in sorted(a.links() ^ b.links(), key=sorted)]
    return lines


# Approvals of a lone root at a terminal also of runs that were not recorded.
LET_INCONCLUSIVE_PASS = '[approval.inconclusive]\nroles = ["root"]\nnot_requester = false\n'


class PromoteCase(Case):
    # In place of the rules that are shipped: these tests are about promotion, whatever the run did.
    shipped: str | None = LET_INCONCLUSIVE_PASS

    def setUp(self) -> None:
        super().setUp()
        if self.shipped is not None and os.environ.get("REHEARSE_PRIVATE_MOUNTS"):
            self.policy(self.shipped, Path("/usr/share/rehearse"))

    def policy(self, text: str, place: Path = Path("/etc/rehearse")) -> None:
        """Puts a file of policy in force, in this mount namespace only: an empty directory is all that the host sees."""
        files = self.base / f"policy{str(place).replace('/', '-')}"
        if not files.exists():
            if not place.exists():
                place.mkdir()
                self.addCleanup(place.rmdir)
            (files / "policy.d").mkdir(parents=True)
            subprocess.run(["mount", "--bind", files, place], check=True)
            self.addCleanup(lambda: harness.wait_for(lambda: subprocess.run(["umount", place], capture_output=True, check=False).returncode == 0))
        self.policy_file = files / "policy.d" / "test.toml"
        self.policy_file.write_text('schema = "rehearse.policy/1"\n' + text)

    def try_out(self, script: str, *options: str, cwd: str | Path | None = None, expect: int | None = 0) -> Result:
        return self.shell(script, "--cwd", str(cwd or self.host), *options, expect=expect)

    def at_terminal(self, *arguments: str) -> tuple[int, bytes]:
        """Calls rehearse with a terminal of its own, as a person does."""
        pid, master = pty.fork()
        if pid == 0:
            try:
                os.execv(self.command()[0], self.command(*arguments, json_out=False))
            finally:
                os._exit(127)
        output = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:
                break
            if not piece:
                break
            output += piece
        os.close(master)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output

    @staticmethod
    def name(run: Result) -> str:
        return f"{run.doc['id']}@{run.doc['digest']}"

    def approve(self, run: Result) -> str:
        name = self.name(run)
        code, output = self.at_terminal("approve", name, "--reason", "a test")
        self.assertEqual(code, 0, output)
        return name

    def promote(self, run: Result, *options: str, expect: int = 0) -> Result:
        result = self.call("promote", self.approve(run), *options)
        self.assertEqual(result.code, expect, (result.out[-3000:], result.err[-3000:]))
        return result

    def ledger(self, query: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self.state / "ledger.db")) as database:
            database.row_factory = sqlite3.Row
            return list(database.execute(query))

    def copy_of(self, top: Path) -> Path:
        copy = self.base / f"copy-{len(list(self.base.glob('copy-*')))}"
        subprocess.run(["cp", "-a", top, copy], check=True)
        return copy

    def assert_same(self, a: Tree | Path, b: Tree | Path, recent: int | None = None, times: bool = True) -> None:
        a, b = (x if isinstance(x, Tree) else Tree(x) for x in (a, b))
        self.assertEqual(differences(a, b, times, recent), [])

    def assert_no_trace_of_overlay(self, top: Path) -> None:
        found = subprocess.run(["getfattr", "-dR", "-h", "-m", "overlay", str(top)], capture_output=True, check=False)
        self.assertEqual(found.stdout, b"")
        whiteouts = subprocess.run(["find", str(top), "-xdev", "-type", "c"], capture_output=True, check=True)
        self.assertEqual(whiteouts.stdout, b"")

    def assert_nothing_staged(self, tops: Iterable[Path] = ()) -> None:
        """No staging leftovers after a promotion that came to nothing."""
        left = [str(p) for p in (self.state / "promotions").glob("*")] if (self.state / "promotions").is_dir() else []
        left += [str(p) for p in self.state.glob("runs/*/uppers/*/kept/*")]
        for top in tops:
            left += [str(p) for p in (top / ".rehearse").glob("*/*/*")]
        self.assertEqual(left, [])


class Image:
    """A filesystem of one kind in a file, mounted for one test."""

    MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"], "btrfs": ["mkfs.btrfs", "-q", "-f"], "ext4-128": ["mkfs.ext4", "-q", "-F", "-I", "128"], "vfat": ["mkfs.vfat"]}

    def __init__(self, case: Case, kind: str, size: str | None = None, name: str = "image") -> None:
        self.kind = kind
        self.mount = case.base / f"mnt-{name}-{kind}"
        self.file = case.base / f"{name}.{kind}"
        self.mount.mkdir()
        if kind == "tmpfs":
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size or '64M'},mode=755", "tmpfs", self.mount], check=True)
        elif kind == "ramfs":
            subprocess.run(["mount", "-t", "ramfs", "-o", "mode=755", "ramfs", self.mount], check=True)
        else:
            if not harness.has_filesystem(kind.split("-")[0]):
                harness.skip(f"this kernel has no {kind}")
            harness.need(self.MAKE[kind][0])
            subprocess.run(["truncate", "-s", size or {"ext4": "128M", "ext4-128": "64M", "xfs": "320M", "btrfs": "256M", "vfat": "64M"}[kind], self.file], check=True)
            subprocess.run([*self.MAKE[kind], self.file], check=True, capture_output=True)
            subprocess.run(["mount", "-o", "loop", self.file, self.mount], check=True)
        case.addCleanup(self.unmount)

    def unmount(self) -> None:
        harness.wait_for(lambda: subprocess.run(["umount", str(self.mount)], capture_output=True, check=False).returncode == 0)


def injected(fault: str) -> list[str]:
    """The words before a command in which strace is to do this (`inject=` of strace(1)). Who is traced cannot look for leaks."""
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-E", "LSAN_OPTIONS=detect_leaks=0", "-e", f"inject={fault}"]


def as_done(lines: list[str]) -> list[str]:
    """What a dry run says would be kept, as it is said when it is."""
    done = []
    for line in lines:
        what, would, place = line.partition(" would be kept as ")
        done.append(f"{what} {'are' if what.endswith(' bytes') else 'is'} kept as {place}" if would else line)
    return done


def main_in_private_mounts() -> None:
    """As harness.main, in a mount namespace of its own: what is mounted here must not live on in one that somebody else makes meanwhile."""
    if os.geteuid() == 0 and not os.environ.get("REHEARSE_PRIVATE_MOUNTS"):
        os.environ["REHEARSE_PRIVATE_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, "-B", *sys.argv])
    harness.main()
