"""File operations that leave marks by which nothing can be lost unnoticed: chosen by seed among those that are valid, and applied.

As a script: applies the JSON list `argv[1]` of them below the working directory.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import stat
import subprocess
import sys
from typing import Any, Callable

Operation = list[Any]
NAMES = "abcdef"
DEEPEST = 3


def append(path: str, mark: str, mode: str = "a") -> None:
    with open(path, mode, encoding="ascii") as file:
        file.write(mark + "\n")


def write(path: str, mark: str) -> None:
    append(path, mark, "w")


def replace(path: str, mark: str) -> None:
    write(path + ".new", mark)
    os.rename(path + ".new", path)


def make_tree(path: str, mark: str) -> None:
    os.makedirs(path + "/c")
    write(path + "/a", mark)
    write(path + "/c/b", mark + "-below")


def exchange(one: str, other: str) -> None:
    os.rename(one, one + ".new")
    os.rename(other, one)
    os.rename(one + ".new", other)


def set_attribute(path: str, name: str, value: str) -> None:
    os.setxattr(path, name, value.encode())


def touch(path: str, seconds: int) -> None:
    os.utime(path, ns=(seconds * 10**9, seconds * 10**9 + 7), follow_symlinks=False)


def make_file_of(directory: str, mark: str) -> None:
    shutil.rmtree(directory)
    write(directory, mark)


def make_directory_of(file: str, mark: str) -> None:
    os.unlink(file)
    make_directory(file, mark)


def make_directory(path: str, mark: str) -> None:
    os.mkdir(path)
    write(path + "/a", mark)


def move_and_make_again(path: str, to: str, kind: str, mark: str) -> None:
    os.rename(path, to)
    {"file": write, "empty": lambda name, _: os.mkdir(name), "link": lambda name, target: os.symlink(target, name), "directory": make_directory}[kind](path, mark)


def replace_by_copy(directory: str) -> None:
    os.rename(directory, directory + ".old")
    subprocess.run(["cp", "-a", directory + ".old", directory], check=True)
    shutil.rmtree(directory + ".old")


VERBS: dict[str, Callable[..., None]] = {
    "append": append, "write": write, "replace": replace, "mkdir": os.mkdir, "make_tree": make_tree, "symlink": os.symlink, "mkfifo": os.mkfifo, "link": os.link,
    "unlink": os.unlink, "remove_tree": shutil.rmtree, "rename": os.rename, "exchange": exchange, "chmod": os.chmod, "set_attribute": set_attribute, "touch": touch,
    "make_file_of": make_file_of, "make_directory_of": make_directory_of, "move_and_make_again": move_and_make_again, "replace_by_copy": replace_by_copy}


def apply(operation: Operation) -> None:
    VERBS[operation[0]](*operation[1:])


def marks(top: str) -> dict[int, set[str]]:
    """Of each object of a tree, or the one that this is, by its inode: lines of files, targets of links, attributes that are named after a mark."""
    found: dict[int, set[str]] = {}
    paths = [top]
    while paths:
        path = paths.pop()
        st = os.lstat(path)
        of = found.setdefault(st.st_ino, set())
        if stat.S_ISREG(st.st_mode):
            with open(path, encoding="utf-8") as file:
                of.update(file.read().split())
        elif stat.S_ISLNK(st.st_mode):
            of.add(os.readlink(path))
        elif stat.S_ISDIR(st.st_mode):
            paths += [f"{path}/{name}" for name in os.listdir(path)]
        if stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode):
            of.update(name.removeprefix("user.") for name in os.listxattr(path) if name.startswith("user.") and name != "user.same")
    return found


class Generator:
    """Does what it chooses, below the working directory: what is valid depends on what was done."""

    BUILDS = ["create"] * 3 + ["tree"] * 2 + ["directory", "symlink", "link", "attribute", "fifo"]
    ACTS = (["move"] * 3 + ["move_directory"] * 3 + ["exchange"] * 2 + ["move_and_make_again"] * 2
            + ["create", "directory", "tree", "symlink", "link", "fifo", "overwrite", "append", "replace", "remove", "remove_tree", "move_over", "chmod", "attribute", "touch",
               "file_of_directory", "directory_of_file"])
    EDITS = ACTS + ["create"] * 2 + ["tree", "copy_of_directory"]

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.number = 0
        self.near: list[str] = []

    def pick(self, paths: list[str]) -> str:
        """Every second time one that earlier operations named, or one below such, if there is any."""
        named = [path for path in paths if any(below(path, near) for near in self.near)]
        return self.random.choice(named if named and self.random.random() < 0.5 else paths)

    def do(self, who: str, verbs: list[str], count: int) -> list[Operation]:
        """`who` begins each mark."""
        done = []
        for _ in range(count):
            for _ in range(50):  # what was drawn may not be possible
                operation = self.draw(who, self.random.choice(verbs))
                if operation:
                    apply(operation)
                    done.append(operation)
                    self.near += [word for word in operation[1:] if isinstance(word, str)]
                    break
        return done

    def build(self) -> None:
        """A tree in the working directory, every object with a time of its own."""
        self.do("o", self.BUILDS, self.random.randrange(6, 14))
        self.near = []
        for number, path in enumerate([*reversed(self.directories()), *self.others(), "."]):
            os.utime(path, ns=(10**18 + number * (10**9 + 1),) * 2, follow_symlinks=False)

    @staticmethod
    def walk() -> list[str]:
        found = []
        for directory, names, files in os.walk("."):
            names.sort()
            found += [os.path.join(directory, name)[2:] for name in sorted(names + files)]
        return found

    def directories(self) -> list[str]:
        return [path for path in self.walk() if os.path.isdir(path) and not os.path.islink(path)]

    def others(self) -> list[str]:
        return [path for path in self.walk() if os.path.islink(path) or not os.path.isdir(path)]

    def place(self) -> str:
        """A name that may be free."""
        parents = [path for path in self.directories() if path.count("/") + 1 < DEEPEST]
        parent = self.random.choice(["", *parents]) if self.random.random() < 0.6 else ""
        return self.pick([os.path.join(parent, name) for name in NAMES])

    def draw(self, who: str, verb: str) -> Operation | None:
        directories, others, place = self.directories(), self.others(), self.place()
        everything, files = directories + others, [path for path in others if os.path.isfile(path) and not os.path.islink(path)]
        free = not os.path.lexists(place)
        self.number += 1
        mark = f"{who}{self.number}"
        pick = self.pick
        if verb == "create" and free:
            return ["write", place, mark]
        if verb == "directory" and free:
            return ["mkdir", place]
        if verb == "tree" and free:
            return ["make_tree", place, mark]
        if verb == "symlink" and free:
            return ["symlink", mark, place]
        if verb == "fifo" and free:
            return ["mkfifo", place]
        if verb == "link" and free and (linked := [path for path in others if not os.path.islink(path)]):
            return ["link", pick(linked), place]
        if verb == "overwrite" and files:
            return ["write", pick(files), mark]
        if verb == "append" and files:
            return ["append", pick(files), mark]
        if verb == "replace" and others:
            return ["replace", pick(others), mark]
        if verb == "remove" and others:
            return ["unlink", pick(others)]
        if verb == "remove_tree" and directories:
            return ["remove_tree", pick(directories)]
        if verb in ("move", "move_directory", "move_and_make_again") and free and (movable := directories if verb == "move_directory" else everything):
            path = pick(movable)
            again = [self.random.choice(["file", "empty", "link", "directory"]), mark] if verb == "move_and_make_again" else []
            return None if below(place, path) else [verb if again else "rename", path, place, *again]
        if verb == "move_over" and place in others:
            path = pick(others)
            return None if os.path.samestat(os.lstat(path), os.lstat(place)) else ["rename", path, place]
        if verb == "exchange" and len(everything) > 1:
            one, other = pick(everything), pick(everything)
            return None if below(one, other) or below(other, one) else ["exchange", one, other]
        if verb == "chmod" and (no_links := [path for path in everything if not os.path.islink(path)]):
            return ["chmod", pick(no_links), self.random.choice([0o700, 0o750, 0o755, 0o711])]
        if verb == "attribute" and directories + files:
            return ["set_attribute", pick(directories + files), self.random.choice(["user.same", f"user.{mark}"]), mark]
        if verb == "touch" and everything:
            return ["touch", pick(everything), self.random.randrange(10**9)]
        if verb == "file_of_directory" and directories:
            return ["make_file_of", pick(directories), mark]
        if verb == "directory_of_file" and others:
            return ["make_directory_of", pick(others), mark]
        if verb == "copy_of_directory" and directories:
            return ["replace_by_copy", pick(directories)]
        return None


def below(path: str, directory: str) -> bool:
    return (path + "/").startswith(directory + "/")


if __name__ == "__main__":
    os.umask(0o022)
    for given in json.loads(sys.argv[1]):
        apply(given)
