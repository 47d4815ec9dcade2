"""A very long run: nothing lost, memory bounded, and how fast its trace is read."""
import os
import shutil
import subprocess
import sys

import common

OPENS = 10  # one call in so many is an open or a close


def main():
    binary, scratch, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    calls = shutil.copy(f"{os.path.dirname(binary)}/tests/calls", f"{scratch}/calls")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)  # the caller gave us a mount namespace
    common.keep_programs()
    rehearse = common.Rehearse(binary, scratch)
    opens = number // OPENS // 8
    plain = (number - 8 * opens) // 4
    script = f"{calls} flood 4 {plain} & {calls} open-flood 4 {opens}; wait"
    with open(rehearse.document, "wb") as document:
        seconds, peak = common.peak_rss(rehearse.command(["sh", "-c", script]), stdout=document)
    document = rehearse.read()
    trace = document["trace"]
    print(f"soak: {trace['syscalls']:,} system calls, {trace['events']:,} events in {seconds:.0f} s: {seconds / trace['syscalls'] * 1e9:.0f} ns a call, all CPUs\n"
          f"  lost {trace['lost']}, frozen {trace['freezes']} times for {trace['frozen_s']:.1f} s\n"
          f"  {trace['bytes'] / trace['events']:.2f} bytes an event ({trace['bytes'] / 2**20:.0f} MiB), {peak / 2**20:.0f} MiB resident at most")
    if not trace["complete"] or trace["lost"] != 0 or trace["syscalls"] < number:
        raise SystemExit(f"not complete: {trace['trouble']}")
    for expression in ("evt.type = getppid and evt.failed = true", "fd.name = /etc/shadow"):
        seconds, peak = common.peak_rss([binary, "--state", rehearse.state, "trace", "last", "--where", expression])
        print(f"  --where '{expression}': {trace['events'] / seconds / 1e6:.1f} million events a second, {peak / 2**20:.0f} MiB resident")
    rehearse.forget()


main()
