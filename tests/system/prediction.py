"""From a tree as it was and the changes a rehearsal reports, the tree as the same action would have left it natively."""

from __future__ import annotations

import base64
import collections
import dataclasses
import hashlib
import os
import stat
from typing import Any, Iterable, Sequence

import harness

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


@dataclasses.dataclass
class Object:
    type: str
    mode: int
    uid: int
    gid: int
    content: bytes  # digest, symlink target or device number
    size: int
    xattrs: dict[str, bytes]
    link: tuple[str, int] | None  # same value = same inode
    mtime: int | None  # None: not to be compared

    def row(self) -> tuple[Any, ...]:
        return (self.type, oct(self.mode), self.uid, self.gid, self.content, self.size, sorted(self.xattrs.items()))


Tree = dict[bytes, Object]


def read_tree(top: bytes, skip: Iterable[bytes] = ()) -> Tree:
    """Every object below and including `top`, by absolute path. By descriptor: paths may be longer than PATH_MAX."""
    skipped = set(skip)
    tree: Tree = {}
    device = os.lstat(top).st_dev

    def visit(directory: int, name: bytes, path: bytes) -> None:
        st = os.stat(name, dir_fd=directory, follow_symlinks=False)
        tree[path] = read_object(directory, name, st)
        if not stat.S_ISDIR(st.st_mode) or path in skipped or st.st_dev != device:
            return
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NOATIME, dir_fd=directory)
        try:
            for entry in os.listdir(fd):
                visit(fd, os.fsencode(entry), path.rstrip(b"/") + b"/" + os.fsencode(entry))
        finally:
            os.close(fd)

    visit(os.open("/", os.O_RDONLY), top, top)
    return tree


def read_object(directory: int, name: bytes, st: os.stat_result) -> Object:
    kind = TYPES[stat.S_IFMT(st.st_mode)]
    content, size, xattrs = b"", 0, {}
    link = ("l", st.st_ino) if st.st_nlink > 1 and kind != "dir" else None
    if kind == "file":
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME, dir_fd=directory)
        with os.fdopen(fd, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest().encode()
        size = st.st_size
    elif kind == "symlink":
        content = os.readlink(name, dir_fd=directory)
    elif kind == "device":
        content = str(st.st_rdev).encode()
    if kind in ("file", "dir"):
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME, dir_fd=directory)
        xattrs = {key: os.getxattr(fd, key) for key in os.listxattr(fd)}
        os.close(fd)
    return Object(kind, stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, content, size, xattrs, link, None)


def object_of(change: harness.Document) -> Object:
    after = change["after"]
    kind = change["type"]
    content = b""
    if kind == "file":
        content = after["sha256"].removeprefix("sha256:").encode()
    elif kind == "symlink":
        content = base64.b64decode(after["target_b64"]) if after.get("target_b64") else os.fsencode(after["target"])
    elif kind == "device":
        content = str(after["rdev"]).encode()
    xattrs = {name: base64.b64decode(value) for name, value in after["xattrs"].items()}
    link = ("u", after["link_group"]) if after.get("link_group") else None
    return Object(kind, int(after["mode"], 8), after["uid"], after["gid"], content, after["size"] if kind == "file" else 0, xattrs if kind in ("file", "dir") else {}, link, None)


def below(path: bytes, tops: Iterable[bytes]) -> bool:
    return any(path == top or path.startswith(top + b"/") for top in tops)


def predict(before: Tree, document: harness.Document, top: bytes, left_out: Sequence[bytes] = ()) -> Tree:
    """`left_out`: what lies below these is not part of the tree."""
    tree = dict(before)
    changes = [(harness.path_of(change), change) for change in document["changes"]]
    changes = [(path, change) for path, change in changes if path == top or path.startswith(top.rstrip(b"/") + b"/")]
    changes = [(path, change) for path, change in changes if not below(path, left_out)]
    for path, change in changes:  # named as the host has it: before anything moves
        if change["change"] == "deleted":
            if path not in tree:
                raise AssertionError(f"deleted, but was not there: {path!r}")
            del tree[path]
    sources = {source_of(change): path for path, change in changes if change["change"] == "renamed"}
    moved: Tree = {}
    for source, target in sources.items():
        for path in [p for p in tree if p == source or p.startswith(source + b"/")]:
            # What lies below a renamed directory moves with it, unless it was itself moved elsewhere.
            nearest = path
            while nearest not in sources:
                nearest = os.path.dirname(nearest)
            if nearest == source:
                moved[target + path[len(source):]] = before[path]
                tree.pop(path, None)
    tree |= moved
    # What was only opened is as it was, but for a new name that another record gives the object.
    names = collections.Counter(change["after"]["link_group"] for _, change in changes if change["after"])
    for path, change in changes:
        if change["change"] == "deleted" or (change["change"] == "identical" and not change["also"] and path in tree and (not change["after"]["link_group"] or names[change["after"]["link_group"]] < 2)):
            continue  # the latter was only opened for writing
        tree[path] = object_of(change)
    return tree


def source_of(change: harness.Document) -> bytes:
    return base64.b64decode(change["from_b64"]) if change.get("from_b64") else os.fsencode(change["from"])


def link_groups(tree: Tree, paths: Iterable[bytes]) -> set[frozenset[bytes]]:
    groups: dict[tuple[str, int], set[bytes]] = {}
    for path in paths:
        key = tree[path].link
        if key:
            groups.setdefault(key, set()).add(path)
    return {frozenset(group) for group in groups.values() if len(group) > 1}


def compare(predicted: Tree, native: Tree, ignore: Sequence[bytes] = ()) -> list[str]:
    """What differs, a line each. `ignore`: paths (and all below) whose content depends on time or chance."""

    lines = [f"only natively: {p!r} {native[p].type}" for p in sorted(native.keys() - predicted.keys()) if not below(p, ignore)]
    lines += [f"only in the prediction: {p!r} {predicted[p].type}" for p in sorted(predicted.keys() - native.keys()) if not below(p, ignore)]
    both = sorted(p for p in native.keys() & predicted.keys() if not below(p, ignore))
    lines += [f"{p!r}: predicted {predicted[p].row()}, natively {native[p].row()}" for p in both if predicted[p].row() != native[p].row()]
    for group in link_groups(predicted, both) ^ link_groups(native, both):
        lines.append(f"hard links differ: {sorted(group)}")
    return lines
