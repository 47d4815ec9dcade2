"""Reading a change set beside `rsync -naHAXc` of equal trees: the same files, changed the same way, caches warm, on ext4 in memory.

rsync compares checksums of what has the same size; rehearse reads every file on both sides, since the manifest keeps both
digests. The resident peak is that of the whole rehearse process, JSON of all changes included.
"""
import os
import subprocess
import sys

import common


def measure(rehearse, scratch, number, rounds):
    tool = [sys.executable, f"{os.path.dirname(os.path.abspath(__file__))}/change_tree.py"]
    before, after = f"{scratch}/{number}/before", f"{scratch}/{number}/after"
    subprocess.run([*tool, "make", before, str(number)], check=True)
    subprocess.run(["cp", "-a", before, after], check=True)
    subprocess.run([*tool, "change", after], check=True)
    reads, syncs, walls, resident, counts = [], [], [], [], {}
    for _ in range(rounds):
        with open(rehearse.document, "wb") as out:
            seconds, peak = common.peak_rss(rehearse.command([*tool, "change", before]), stdout=out)
        document = rehearse.read()
        counts = {name: count for name, count in document["counts"].items() if count}
        if document["command"]["exit"] != 0:
            raise SystemExit("the action failed inside")
        reads.append(document["phases"]["read_s"])
        walls.append(seconds - document["phases"]["run_s"])
        resident.append(peak)
        syncs.append(common.wall(["rsync", "-naHAXc", "--delete", "--itemize-changes", f"{after}/", f"{before}/"]))
        rehearse.forget()
    print(f"walk: {number:,} entries, " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    print(common.line("rehearse, phase read_s", reads))
    print(common.line("rehearse, all but the action", walls))
    print(common.line("rsync -naHAXc", syncs))
    print(common.ratio("rsync / rehearse read_s", syncs, reads, "at least 5"))
    print(f"  {'peak resident':28} {max(resident) / 2**20:10.1f} MiB   (wanted: under 100)")


def main():
    binary, scratch, quick = sys.argv[1], sys.argv[2], sys.argv[3] == "1"
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)  # the caller gave us a mount namespace
    for number, rounds, gigabytes, block in ((3_300, 15, 1, 4096), (100_000, 5, 4, 4096), (1_000_000, 1, 14, 2048)):
        if quick and number == 1_000_000:
            continue
        where = common.memory_filesystem(scratch, gigabytes, block)
        measure(common.Rehearse(binary, where), where, number, max(1, rounds // 3) if quick else rounds)
        subprocess.run(["umount", where], check=True)


main()
