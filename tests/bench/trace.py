"""What recording costs: the same commands inside with and without a trace, in turn, beside strace and perf trace of the bare command.

The numbers of a command are those of its own wall time, so set-up does not count. `calls flood 1 N` makes N getppid calls and nothing else.
"""
import glob
import os
import shutil
import statistics
import subprocess
import sys

import common

COMPILED = "#include <map>\n#include <regex>\n#include <string>\nint main(int c, char** v) { std::map<std::string, int> m; " \
           "return std::regex_match(v[c - 1], std::regex(\"a+\")) ? m[\"a\"] : 0; }\n"
FLOOD = 300_000


def inside(rehearse, argv, *options):
    with open(rehearse.document, "wb") as out:  # without a trace the verdict is inconclusive: 12
        code = subprocess.run(rehearse.command(argv, *options), stdin=common.NULL, stdout=out, stderr=common.NULL, check=False).returncode
    if code not in (0, 12):
        raise SystemExit(f"{argv} could not be rehearsed: {code}")
    document = rehearse.read()
    if document["command"]["exit"] != 0:
        raise SystemExit(f"{argv} failed inside: {document['command']}")
    return document


def workloads(calls, scratch):
    source = f"{scratch}/compiled.cc"
    with open(source, "w", encoding="ascii") as file:
        file.write(COMPILED)
    loop = "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done"
    return {
        "getppid": ([calls, "flood", "1", str(FLOOD)], FLOOD),
        "dd bs=1": (["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=100000", "status=none"], 200_000),
        "find /usr": (["find", "/usr", "-xdev", "-newermt", "2100-01-01"], None),
        "shell loop": (["sh", "-c", loop], None),
        "g++ -c": (["g++", "-O1", "-c", source, "-o", "/dev/null"], None),
    }


def peers(argv, rounds):
    """Slowdown of the bare command under each peer that is there."""
    tools = {"strace -f": ["strace", "-f", "-o", "/dev/null"], "perf trace": ["perf", "trace", "-o", "/dev/null"]}
    bare = [common.wall(argv) for _ in range(rounds)]
    found = {}
    for name, tool in tools.items():
        if shutil.which(tool[0]) is None:
            continue
        try:
            found[name] = statistics.median(common.wall([*tool, *argv]) for _ in range(max(1, rounds // 3)))
        except subprocess.CalledProcessError:
            continue
    return statistics.median(bare), found


def measure(rehearse, calls, scratch, rounds):
    for name, (argv, number) in workloads(calls, scratch).items():
        traced, untraced, documents = [], [], []
        for i in range(rounds + 1):
            document = inside(rehearse, argv)
            plain = inside(rehearse, argv, "--no-trace")
            if i == 0:
                continue
            documents.append(document)
            traced.append(document["command"]["wall_s"])
            untraced.append(plain["command"]["wall_s"])
            rehearse.forget()
        trace = documents[-1]["trace"]
        if any(not d["trace"]["complete"] for d in documents):
            raise SystemExit(f"{name}: a trace is not complete: {[d['trace'] for d in documents]}")
        bare, others = peers(argv, rounds)
        print(f"trace: {name}, {trace['syscalls']:,} system calls, {trace['events']:,} events, "
              f"{trace['bytes'] / trace['events']:.1f} bytes an event, {sum(d['trace']['freezes'] for d in documents)} freezes")
        print(common.line("inside, traced", traced))
        print(common.line("inside, not traced", untraced))
        print(common.ratio("traced / not traced", traced, untraced, "dd 1.35, others 1.05"))
        calls_made = number or trace["syscalls"]
        extra = (statistics.median(traced) - statistics.median(untraced)) / calls_made * 1e9
        print(f"  {'nanoseconds a call':28} {extra:10.0f} ns   (wanted: 300 compact, 500 with paths)")
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
    binary, scratch, quick = sys.argv[1], sys.argv[2], sys.argv[3] == "1"
    calls = shutil.copy(f"{os.path.dirname(binary)}/tests/calls", f"{scratch}/calls")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)  # the caller gave us a mount namespace
    common.keep_programs()
    rehearse = common.Rehearse(binary, scratch)
    rounds = 3 if quick else 9
    measure(rehearse, calls, scratch, rounds)
    host_tax(rehearse, calls, rounds)
    review(rehearse, calls, 4_000_000 if quick else 50_000_000)


main()
