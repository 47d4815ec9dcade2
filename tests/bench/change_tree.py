"""make DIR N: a tree of N files. change DIR: changes every one of them, the same way each time.

Of 20 files 16 get other content (8 of the same size), 1 is only given another mode, 1 is deleted, and 2 are new.
Sizes are those of a package tree: mostly a few KB, some tens of KB.
"""
import os
import sys

PER_DIRECTORY = 200
TEXT = b"".join(b"%08d a line of a configuration file or of a script\n" % i for i in range(2000))


def size_of(i, number):
    if number > 200_000:
        return 200 + i * 37 % 3000
    return (200 + i * 37 % 3000) if i % 10 else 4000 + i * 7919 % 60000


def path_of(root, i):
    return f"{root}/{i // PER_DIRECTORY // 100:03}/{i // PER_DIRECTORY:05}/file-{i:07}.conf"


def write(path, data):
    with open(path, "wb", buffering=0) as file:
        file.write(data)


def make(root, number):
    # Two of 20 are made by the change, so that it has `number` entries.
    for i in range(number):
        if i % PER_DIRECTORY == 0:
            os.makedirs(os.path.dirname(path_of(root, i)), exist_ok=True)
        if i % 20 < 18:
            write(path_of(root, i), (b"%08d" % i + TEXT)[:size_of(i, number)])
    write(f"{root}/number", b"%d" % number)


def change(root):
    with open(f"{root}/number", encoding="ascii") as file:
        number = int(file.read())
    for i in range(number):
        path, kind, size = path_of(root, i), i % 20, size_of(i, number)
        if kind < 8:
            write(path, (b"%08d" % (i + 1) + TEXT)[:size])
        elif kind < 16:
            write(path, (b"%08d" % (i + 1) + TEXT)[:size + 1 + i % 500])
        elif kind == 16:
            os.chmod(path, 0o600)
        elif kind == 17:
            os.unlink(path)
        else:
            write(path, (b"%08d" % i + TEXT)[:size])


if sys.argv[1] == "make":
    make(sys.argv[2], int(sys.argv[3]))
else:
    change(sys.argv[2])
