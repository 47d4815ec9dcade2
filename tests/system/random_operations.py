"""Does `argv[2]` file operations below the working directory, chosen by seed `argv[1]` and what is there, by nothing else."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import socket
import stat
import sys

RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
LIBC = ctypes.CDLL(None, use_errno=True)
NAMES = [b"a", b"b", b"new file", b"\xff\xfe", b"tab\there", b"line\nbreak", "\u202ename".encode(), b"-rf", b"c" * 200, b".hidden"]


def paths(kind: str = "any") -> list[bytes]:
    found = []
    for directory, names, files in os.walk(b"."):
        names.sort()
        for name in sorted(names + files):
            path = os.path.join(directory, name)
            mode = os.lstat(path).st_mode
            if kind == "any" or (kind == "dir" and stat.S_ISDIR(mode)) or (kind == "file" and stat.S_ISREG(mode)) or (kind == "plain" and not stat.S_ISDIR(mode)):
                found.append(path)
    return found


class Operations:
    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.number = 0

    def pick(self, kind: str) -> bytes:
        return self.random.choice(paths(kind) or [b"."])

    def fresh(self) -> bytes:
        self.number += 1
        return os.path.join(self.random.choice([b".", *paths("dir")]), self.random.choice(NAMES) + b"%d" % self.number)

    def data(self) -> bytes:
        return self.random.randbytes(self.random.choice([0, 1, 100, 5000, 70000]))

    def create(self) -> None:
        with open(self.fresh(), "wb") as file:
            file.write(self.data())

    def append(self) -> None:
        with open(self.pick("file"), "ab") as file:
            file.write(self.data())

    def overwrite(self) -> None:
        with open(self.pick("file"), "r+b") as file:
            file.write(self.data())

    def rewrite_the_same(self) -> None:
        path = self.pick("file")
        with open(path, "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(data)

    def truncate(self) -> None:
        os.truncate(self.pick("file"), self.random.choice([0, 10, 1 << 22]))

    def mkdir(self) -> None:
        os.mkdir(self.fresh(), self.random.choice([0o755, 0o700, 0o2775, 0o1777]))

    def symlink(self) -> None:
        os.symlink(self.random.choice([b"target", b"../up", b"/nowhere/at/all", b"\xfe"]), self.fresh())

    def link(self) -> None:
        os.link(self.pick("plain"), self.fresh(), follow_symlinks=False)

    def special(self) -> None:
        path = self.fresh()
        if self.random.random() < 0.5:
            os.mkfifo(path, 0o640)
        else:
            with socket.socket(socket.AF_UNIX) as sock:
                here = os.getcwd()
                os.chdir(os.path.dirname(path))  # sun_path is short
                sock.bind(b"s%d" % self.number)
                os.chdir(here)

    def unlink(self) -> None:
        os.unlink(self.pick("plain"))

    def remove_tree(self) -> None:
        shutil.rmtree(self.pick("dir"))

    def remove_and_make_again(self) -> None:
        path = self.pick("dir")
        inner = [os.path.join(directory, name) for directory, names, _ in os.walk(path) for name in names]
        shutil.rmtree(path)
        os.mkdir(path)
        with open(os.path.join(path, b"again"), "wb") as file:
            file.write(self.data())
        # As a copy of another tree does: directories that it had before are there again, with other content.
        for directory in sorted(inner):
            if self.random.random() < 0.5 and os.path.isdir(os.path.dirname(directory)):
                os.mkdir(directory)
                with open(os.path.join(directory, b"again"), "wb") as file:
                    file.write(self.data())

    def replace_by_other_type(self) -> None:
        path = self.pick("any")
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
            os.symlink(b"was a directory", path)
        else:
            os.unlink(path)
            os.mkdir(path)

    def rename(self) -> None:
        os.rename(self.pick("any"), self.fresh())

    def rename_over(self) -> None:
        os.rename(self.pick("plain"), self.pick("plain"))

    def rename_and_write(self) -> None:
        path = self.fresh()
        os.rename(self.pick("file"), path)
        with open(path, "ab") as file:
            file.write(b"more")

    def move_and_make_again(self) -> None:
        path = self.pick("dir")
        os.rename(path, self.fresh())
        os.mkdir(path)
        with open(os.path.join(path, b"instead"), "wb") as file:
            file.write(self.data())

    def exchange(self) -> None:
        LIBC.renameat2(-100, self.pick("any"), -100, self.pick("any"), RENAME_EXCHANGE)

    def chmod(self) -> None:
        os.chmod(self.pick("any"), self.random.choice([0o600, 0o755, 0o711, 0o1777]))

    def chown(self) -> None:
        os.chown(self.pick("any"), self.random.choice([0, 33, 1000, 100000]), self.random.choice([0, 4, 1000]), follow_symlinks=False)

    def touch(self) -> None:
        os.utime(self.pick("any"), ns=(10**18, 10**18), follow_symlinks=False)

    def xattr(self) -> None:
        os.setxattr(self.pick("file"), "user.%d" % self.random.randrange(3), self.data()[:100])

    def acl(self) -> None:
        # version 2: user::rwx, user:1000:r--, group::r-x, mask::r-x, other::r--
        entries = [(1, 7, 0xFFFFFFFF), (2, 4, 1000), (4, 5, 0xFFFFFFFF), (16, 5, 0xFFFFFFFF), (32, 4, 0xFFFFFFFF)]
        value = (2).to_bytes(4, "little") + b"".join(t.to_bytes(2, "little") + p.to_bytes(2, "little") + i.to_bytes(4, "little") for t, p, i in entries)
        os.setxattr(self.pick("file"), "system.posix_acl_access", value)

    def one(self) -> None:
        verbs = [name for name in sorted(vars(Operations)) if name not in ("pick", "fresh", "data", "one") and not name.startswith("_")]
        verb = self.random.choice(verbs)
        try:
            getattr(self, verb)()
            print(verb)
        except OSError as error:  # as natively, or the trees differ
            print(verb, error.errno)


if __name__ == "__main__":
    os.umask(0o022)
    operations = Operations(sys.argv[1])
    for _ in range(int(sys.argv[2])):
        operations.one()
