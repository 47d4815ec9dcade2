"""What recording costs: the same commands inside with and without a trace, in turn, beside strace and perf trace of the bare command.

The numbers of a command are those of its own wall time, so set-up does not count. `calls flood 1 N` makes N getppid calls and nothing else.
trace.py BINARY SCRATCH QUICK [WORD...]: with words only the rows whose name has one of them, "host tax", "redis-benchmark" and "review" included.
"""
import glob
import os
import shutil
import statistics
import subprocess
import sys

import common
import workload

COMPILED = "#include <map>\n#include <regex>\n#include <string>\nint main(int c, char** v) { std::map<std::string, int> m; " \
           "return std::regex_match(v[c - 1], std::regex(\"a+\")) ? m[\"a\"] : 0; }\n"
FLOOD = 300_000


class Workload:
    """A command, and the seconds that it says its work took: its own wall time, unless it tells them on standard error."""

    def __init__(self, name, argv, calls=None, tells=False, prepare=lambda: None, limit="1.05", peers=True):
        self.name, self.argv, self.calls, self.tells, self.prepare, self.limit, self.peers = name, argv, calls, tells, prepare, limit, peers

    def seconds(self, document, errors):
        return int(errors.split()[-1]) / 1e6 if self.tells else document["command"]["wall_s"]


def inside(rehearse, argv, *options, errors=common.NULL):
    with open(rehearse.document, "wb") as out:  # without a trace the verdict is inconclusive: 12
        code = subprocess.run(rehearse.command(argv, *options), stdin=common.NULL, stdout=out, stderr=errors, check=False).returncode
    if code not in (0, 12):
        raise SystemExit(f"{argv} could not be rehearsed: {code}")
    document = rehearse.read()
    if document["command"]["exit"] != 0:
        raise SystemExit(f"{argv} failed inside: {document['command']}")
    return document


def workloads(calls, scratch, quick):
    source = f"{scratch}/compiled.cc"
    with open(source, "w", encoding="ascii") as file:
        file.write(COMPILED)
    loop = "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done"
    repository, files, root = f"{scratch}/repository", 3_000 if quick else 20_000, f"{scratch}/root"
    workload.make_repository(repository, files)
    package = workload.make_package(scratch, 1_000)
    workload.reset_root(root)
    transactions = 500 if quick else 4_000
    return [
        Workload("getppid", [calls, "flood", "1", str(FLOOD)], FLOOD, limit="none"),
        Workload("dd bs=1", ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=100000", "status=none"], 200_000, limit="1.35"),
        Workload("find /usr", ["find", "/usr", "-xdev", "-newermt", "2100-01-01"], limit="none"),
        Workload("shell loop", ["sh", "-c", loop]),
        Workload(f"git status, {files:,} files", ["git", "-C", repository, "status", "--porcelain"]),
        Workload("g++ -c", ["g++", "-O1", "-c", source, "-o", "/dev/null"]),
        Workload("dpkg -i, 1,000 files", ["dpkg", f"--root={root}", "--log=/dev/null", "-i", package], prepare=lambda: workload.reset_root(root)),
        # Its server is started by what is measured, so that a tracer of the command sees it too; too slow for those that stop at each call.
        Workload(f"pgbench, {transactions:,} transactions", workload.Database(scratch).script(transactions), tells=True, peers=False, limit="none"),
    ]


def peers(work, rounds):
    """Slowdown of the bare command under each peer that is there."""
    tools = {"strace -f": ["strace", "-f", "-o", "/dev/null"], "perf trace": ["perf", "trace", "-o", "/dev/null"]}

    def timed(argv):
        work.prepare()
        return common.wall(argv)

    bare = [timed(work.argv) for _ in range(rounds)]
    found = {}
    for name, tool in tools.items():
        if shutil.which(tool[0]) is None:
            continue
        try:
            found[name] = statistics.median(timed([*tool, *work.argv]) for _ in range(max(1, rounds // 3)))
        except subprocess.CalledProcessError:
            print(f"  {name:28} does not work here")
    return statistics.median(bare), found


def measure(rehearse, work, rounds):
    errors = f"{os.path.dirname(rehearse.document)}/errors"

    def once(*options):
        with open(errors, "w+", encoding="utf-8") as file:
            document = inside(rehearse, work.argv, *options, errors=file)
            file.seek(0)
            return document, work.seconds(document, file.read())

    traced, untraced, documents = [], [], []
    for i in range(rounds + 1):
        document, seconds = once()
        _, plain = once("--no-trace")
        if i == 0:
            continue
        documents.append(document)
        traced.append(seconds)
        untraced.append(plain)
        rehearse.forget()
    trace = documents[-1]["trace"]
    if any(not d["trace"]["complete"] for d in documents):
        raise SystemExit(f"{work.name}: a trace is not complete: {[d['trace'] for d in documents]}")
    print(f"trace: {work.name}, {trace['syscalls']:,} system calls, {trace['events']:,} events, "
          f"{trace['bytes'] / trace['events']:.1f} bytes an event, {sum(d['trace']['freezes'] for d in documents)} freezes")
    print(common.line("inside, traced", traced))
    print(common.line("inside, not traced", untraced))
    print(common.ratio("traced / not traced", traced, untraced, work.limit))
    calls_made = work.calls or trace["syscalls"]
    extra = (statistics.median(traced) - statistics.median(untraced)) / calls_made * 1e9
    print(f"  {'nanoseconds a call':28} {extra:10.0f} ns   (wanted: 300 compact, 500 with paths)")
    if not work.peers:
        return
    bare, others = peers(work, rounds)
    for peer, seconds in others.items():
        theirs = (seconds - bare) / calls_made * 1e9
        print(f"  {peer:28} {seconds / bare:10.2f} x bare, {theirs:.0f} ns a call"
              + (f": {theirs / extra:.0f} x the overhead of rehearse" if extra > 0 else ""))


def host_tax(rehearse, calls, rounds):
    """getppid outside while a run is traced, and after."""
    flood = [calls, "flood", "1", str(FLOOD)]
    before, during, after = [], [], []
    for _ in range(rounds):
        before.append(common.wall(flood))
        with subprocess.Popen(rehearse.command(["sleep", "60"]), stdout=common.NULL, stderr=common.NULL) as run:
            while not glob.glob(f"{rehearse.state}/runs/*/trace"):
                pass
            subprocess.run(["sleep", "0.5"], check=True)
            during.append(common.wall(flood))
            run.terminate()
            run.wait()
        after.append(common.wall(flood))
        rehearse.forget()
    print("trace: a process outside, 300,000 getppid")
    for name, values in (("before", before), ("while a run is traced", during), ("after", after)):
        print(common.line(name, values))
    tax = (statistics.median(during) - statistics.median(before)) / FLOOD * 1e9
    print(f"  {'host tax':28} {tax:10.0f} ns a call   (wanted: at most 200)")


class Redis:
    """A server outside any run, and how long its benchmark's clients take with it."""

    def __init__(self, scratch):
        self.socket = f"{scratch}/redis.sock"
        self.server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", scratch],
                                       stdin=common.NULL, stdout=common.NULL, stderr=common.NULL)
        while not os.path.exists(self.socket):
            pass

    def seconds(self, requests):
        return common.wall(["redis-benchmark", "-s", self.socket, "-t", "get,set", "-n", str(requests), "-c", "20", "-q"])

    def stop(self):
        self.server.terminate()
        self.server.wait()


def redis_tax(rehearse, scratch, rounds, requests):
    """redis-benchmark outside, in turn without a run, while one is traced, and after."""
    if shutil.which("redis-benchmark") is None or shutil.which("redis-server") is None:
        print("trace: redis-benchmark is not installed")
        return
    redis = Redis(scratch)
    redis.seconds(requests)
    before, during, after = [], [], []
    for _ in range(rounds):
        before.append(redis.seconds(requests))
        with subprocess.Popen(rehearse.command(["sleep", "60"]), stdout=common.NULL, stderr=common.NULL) as run:
            while not glob.glob(f"{rehearse.state}/runs/*/trace"):
                pass
            subprocess.run(["sleep", "0.5"], check=True)
            during.append(redis.seconds(requests))
            run.terminate()
            run.wait()
        after.append(redis.seconds(requests))
        rehearse.forget()
    redis.stop()
    print(f"trace: redis-benchmark outside, {requests:,} each of get and set")
    for name, values in (("before", before), ("while a run is traced", during), ("after", after)):
        print(common.line(name, values))
    print(common.ratio("during / before", during, before, "at most 1.03"))
    print(common.ratio("after / before", after, before, "1.0"))


def review(rehearse, calls, number):
    """How fast a filter goes through a long trace."""
    document = inside(rehearse, [calls, "flood", "2", str(number // 2)])
    events = document["trace"]["events"]
    command = [rehearse.binary, "--state", rehearse.state, "trace", "last", "--where", "evt.type = getppid and evt.failed = true"]
    seconds, peak = common.peak_rss(command)
    print(f"trace: --where over {events:,} events: {events / seconds / 1e6:.1f} million a second, {peak / 2**20:.0f} MiB resident   "
          f"(wanted: 10 million); {document['trace']['bytes'] / events:.2f} bytes an event")
    rehearse.forget()


def main():
    binary, scratch, quick, only = sys.argv[1], sys.argv[2], sys.argv[3] == "1", sys.argv[4:]
    calls = shutil.copy(f"{os.path.dirname(binary)}/tests/calls", f"{scratch}/calls")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)  # the caller gave us a mount namespace
    common.keep_programs()
    rehearse = common.Rehearse(binary, scratch)
    rounds = 3 if quick else 9

    def wanted(name):
        return not only or any(word in name for word in only)

    for work in workloads(calls, scratch, quick):
        if wanted(work.name):
            measure(rehearse, work, rounds)
    if wanted("host tax"):
        host_tax(rehearse, calls, rounds)
    if wanted("redis-benchmark"):
        redis_tax(rehearse, scratch, rounds, 20_000 if quick else 100_000)
    if wanted("review"):
        review(rehearse, calls, 4_000_000 if quick else 50_000_000)


main()
