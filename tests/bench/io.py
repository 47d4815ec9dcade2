"""The same commands bare and inside, in turn. "first" is the first time in a fresh sandbox (its own dentries and inodes,
the host's caches warm), "again" repeats in the same sandbox. find is also run in a bare overlay of the same filesystem.
"""
import json
import os
import shutil
import subprocess
import sys

import common
from workload import make_package, make_repository, reset_root

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = """#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>
int main(int argc, char** argv) {
  std::map<std::string, std::vector<int>> m;
  std::regex r("([a-z]+)=([0-9]+)");
  for (int i = 1; i < argc; ++i) {
    std::smatch s; std::string a = argv[i];
    if (std::regex_match(a, s, r)) m[s[1]].push_back(std::stoi(s[2]));
  }
  for (auto& [k, v] : m) { std::sort(v.begin(), v.end(), std::greater<>()); std::cout << k << v.size(); }
}
"""


def last_line(text):
    return json.loads(text.strip().rsplit("\n", 1)[-1])


class Bench:
    def __init__(self, rehearse, scratch, rounds):
        self.rehearse, self.scratch, self.rounds = rehearse, scratch, rounds

    def bare(self, argv, times):
        run = subprocess.run([sys.executable, f"{HERE}/timed.py", str(times), *argv], stdin=common.NULL,
                             stderr=subprocess.PIPE, text=True, check=True)
        return last_line(run.stderr)

    def inside(self, argv, times):
        with open(f"{self.scratch}/stderr", "w+", encoding="utf-8") as errors:
            self.rehearse.run([sys.executable, f"{HERE}/timed.py", str(times), *argv], stderr=errors)
            errors.seek(0)
            seconds = last_line(errors.read())
        document = self.rehearse.read()
        if document["command"]["exit"] != 0 or document["command"]["wall_s"] < sum(seconds):
            raise SystemExit(f"{argv[0]} inside: {document['command']}")
        return seconds

    def compare(self, name, argv, first, again=None, prepare=lambda: None, overlay=False):
        times = 1 if again is None else 3
        taken = {"bare": [], "inside first": []}
        if again is not None:
            taken["inside again"] = []
        if overlay:
            taken["bare overlay first"] = []
        for i in range(self.rounds + 1):
            prepare()
            bare = self.bare(argv, times)
            prepare()
            inside = self.inside(argv, times)
            over = self.overlay(argv) if overlay else []
            if i == 0:
                continue  # the first round warms the caches
            taken["bare"] += bare[1:] or bare
            taken["inside first"].append(inside[0])
            if again is not None:
                taken["inside again"] += inside[1:]
            if overlay:
                taken["bare overlay first"] += over
        print(f"io: {name}")
        for kind, seconds in taken.items():
            print(common.line(kind, seconds))
        print(common.ratio("inside first / bare", taken["inside first"], taken["bare"], first))
        if again is not None:
            print(common.ratio("inside again / bare", taken["inside again"], taken["bare"], again))
        if overlay:
            print(common.ratio("bare overlay / bare", taken["bare overlay first"], taken["bare"], "for comparison"))
        self.rehearse.forget()

    def overlay(self, argv):
        """A fresh overlay over / without a sandbox: what overlayfs alone costs."""
        top = f"{self.scratch}/overlay"
        script = (f"mkdir -p {top}/up {top}/work {top}/all && mount -t overlay -o "
                  f"lowerdir=/,upperdir={top}/up,workdir={top}/work,redirect_dir=on,index=on,volatile none {top}/all && "
                  f"mount -t proc none {top}/all/proc && mount -t tmpfs none {top}/all/dev && "
                  f"touch {top}/all/dev/null && mount --bind /dev/null {top}/all/dev/null && "
                  f"exec chroot {top}/all \"$@\"")
        run = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", sys.executable, f"{HERE}/timed.py", "1", *argv],
                             stdin=common.NULL, stderr=subprocess.PIPE, text=True, check=False)
        shutil.rmtree(top)
        if run.returncode != 0:
            raise SystemExit(f"bare overlay: {run.stderr}")
        return last_line(run.stderr)


def main():
    binary, scratch, quick = sys.argv[1], sys.argv[2], sys.argv[3] == "1"
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    disk, scratch = scratch, common.memory_filesystem(scratch, 2, 4096)
    bench = Bench(common.Rehearse(binary, scratch), scratch, 3 if quick else 9)
    bench.compare("find /usr", ["find", "/usr"], "at most 1.2", "at most 1.2", overlay=True)
    repository = f"{scratch}/repository"
    files = 5_000 if quick else 30_000
    make_repository(repository, files)
    bench.compare(f"git status, {files:,} files", ["git", "-C", repository, "status", "--porcelain"], "at most 1.2", "at most 1.2")
    with open(f"{scratch}/a.cc", "w", encoding="ascii") as file:
        file.write(SOURCE)
    bench.compare("g++ -O2 of one file", ["g++", "-O2", "-c", f"{scratch}/a.cc", "-o", f"{scratch}/a.o"], "at most 1.05",
                  "at most 1.05")
    # On the disk, since its cost is fsync.
    on_disk = Bench(common.Rehearse(binary, disk), disk, bench.rounds)
    package, root = make_package(disk, 3_000), f"{disk}/root"
    on_disk.compare("dpkg -i, 3,000 files", ["dpkg", f"--root={root}", "--log=/dev/null", "-i", package], "below 1.0",
                  prepare=lambda: reset_root(root))
    # Last: it pushes everything else out of the page cache.
    bench.compare("tar c /usr | cat", ["sh", "-c", "tar c /usr | cat"], "at most 1.05", "at most 1.05")


main()
