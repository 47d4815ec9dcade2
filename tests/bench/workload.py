"""What is worked on: a repository, a package, a database."""
import os
import pwd
import shutil
import subprocess

import common


def make_repository(path, files):
    for i in range(files):
        directory = f"{path}/d{i // 1000:02}/e{i // 50:04}"
        if i % 50 == 0:
            os.makedirs(directory)
        with open(f"{directory}/f{i}.c", "w", encoding="ascii") as file:
            file.write(f"int f{i}(void) {{ return {i}; }}\n" * (1 + i % 40))
    git = ["git", "-C", path, "-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "files"]):
        subprocess.run([*git, *words], check=True)


def make_package(scratch, files):
    tree = f"{scratch}/package"
    os.makedirs(f"{tree}/DEBIAN")
    with open(f"{tree}/DEBIAN/control", "w", encoding="ascii") as file:
        file.write("Package: rehearse-bench\nVersion: 1\nArchitecture: all\nMaintainer: bench <bench@example.org>\n"
                   "Description: files to unpack\n")
    for i in range(files):
        directory = f"{tree}/usr/share/rehearse-bench/{i // 100:03}"
        if i % 100 == 0:
            os.makedirs(directory)
        with open(f"{directory}/{i}", "w", encoding="ascii") as file:
            file.write(f"line {i}\n" * (50 + i % 500))
    package = f"{scratch}/bench.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "-b", tree, package], stdout=common.NULL, check=True)
    return package


def reset_root(root):
    """An empty system for dpkg --root: the host's own packages are never touched."""
    shutil.rmtree(root, ignore_errors=True)
    for name in ("info", "updates", "triggers"):
        os.makedirs(f"{root}/var/lib/dpkg/{name}")
    for name in ("status", "available"):
        with open(f"{root}/var/lib/dpkg/{name}", "w", encoding="ascii"):
            pass
    subprocess.run(["sync", "-f", root], check=True)


class Database:
    """A PostgreSQL cluster with pgbench's tables, and a script that starts it, works on it and stops it."""

    def __init__(self, scratch):
        versions = sorted(os.listdir("/usr/lib/postgresql"))
        self.bin = f"/usr/lib/postgresql/{versions[-1]}/bin"
        self.top = f"{scratch}/database"
        os.mkdir(self.top)
        user = pwd.getpwnam("postgres")
        os.chown(self.top, user.pw_uid, user.pw_gid)
        subprocess.run(["chmod", "a+x", scratch, os.path.dirname(scratch)], check=True)
        self.as_user(f"{self.bin}/initdb -D {self.top}/data -A trust --no-sync >/dev/null")
        self.as_user(f"{self.start()} && {self.bin}/pgbench -h {self.top} -i -s 5 -q postgres 2>/dev/null; {self.stop()}")

    def as_user(self, script):
        subprocess.run(["su", "postgres", "-s", "/bin/sh", "-c", script], stdin=common.NULL, stdout=common.NULL, check=True)

    def start(self):
        return (f"{self.bin}/pg_ctl -w -s -D {self.top}/data -l {self.top}/log -o \"-k {self.top} -c listen_addresses= -c jit=off "
                f"-c autovacuum=off\" start")

    def stop(self):
        return f"{self.bin}/pg_ctl -w -s -D {self.top}/data -m fast stop"

    def script(self, transactions):
        """Its standard error ends with the seconds that the transactions took."""
        work = f"{self.bin}/pgbench -h {self.top} -n -c 2 -j 1 -t {transactions // 2} postgres >/dev/null"
        timed = f"a=$(date +%s%N); {work}; b=$(date +%s%N)"
        return ["su", "postgres", "-s", "/bin/sh", "-c", f"{self.start()} && {timed}; {self.stop()} && echo $(((b - a) / 1000)) >&2"]
