"""What the benchmarks share: running rehearse, timing a peer, and one way to print numbers."""
import json
import os
import resource
import statistics
import subprocess
import time

NULL = subprocess.DEVNULL


class Rehearse:
    """Runs the product with a state directory of its own and returns the document of the run."""

    def __init__(self, binary, scratch):
        self.binary, self.state, self.document = binary, f"{scratch}/state", f"{scratch}/document.json"
        self.last = None

    def command(self, argv, *options):
        return [self.binary, "--state", self.state, "--json", "run", "--fail-on", "never", *options, "--", *argv]

    def run(self, argv, *options, stderr=NULL):
        """Wall time in seconds of the whole program, its document going to a file."""
        with open(self.document, "wb") as out:
            return wall(self.command(argv, *options), stdout=out, stderr=stderr)

    def read(self):
        """The last run's document without the list of changes, which may be long."""
        with open(self.document, "rb") as file:
            head, _, rest = file.read().partition(b'"changes":[')
        # The list ends at the last "]" before "fidelity".
        return json.loads(head + rest[rest.rindex(b'"fidelity"'):])

    def forget(self):
        """Removes the bundles; an upper with 100,000 files would fill the disk soon. What the state directory remembers of
        the host's packages stays, as it does between two runs."""
        subprocess.run([self.binary, "--state", self.state, "gc", "--all", "--force"], stdout=NULL, stderr=NULL, check=True)


def memory_filesystem(scratch, gigabytes, block):
    """An ext4 image in /dev/shm, mounted in the caller's private mount namespace: what is measured is the programs, not a
    disk that others use too. The mount namespace ends with the benchmark, and the loop device with it."""
    image = f"/dev/shm/{os.path.basename(os.path.dirname(scratch))}.img"
    with open(image, "wb") as file:
        os.truncate(file.fileno(), gigabytes << 30)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-b", str(block), "-O", "^has_journal", "-i", "4096",
                    image], check=True)
    where = f"{scratch}/memory"
    os.makedirs(where, exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, where], check=True)
    os.unlink(image)
    return where


def keep_programs():
    """A BPF filesystem in the caller's private mount namespace where the host has none; systemd mounts one on every host."""
    kind = subprocess.run(["stat", "-fc", "%T", "/sys/fs/bpf"], capture_output=True, text=True, check=True).stdout.strip()
    if kind != "bpf_fs":
        subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)


def timed(argv, **options):
    """As wall, whatever the exit status."""
    started = time.perf_counter()
    subprocess.run(argv, stdin=NULL, check=False, **{"stdout": NULL, "stderr": NULL, **options})
    return time.perf_counter() - started


def wall(argv, **options):
    started = time.perf_counter()
    subprocess.run(argv, stdin=NULL, check=True, **{"stdout": NULL, "stderr": NULL, **options})
    return time.perf_counter() - started


def peak_rss(argv, **options):
    """(wall seconds, peak resident bytes of this one process) of a command."""
    started = time.perf_counter()
    process = subprocess.Popen(argv, stdin=NULL, **{"stdout": NULL, "stderr": NULL, **options})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{argv[0]} failed with {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024


def line(name, values, unit=1e3, suffix="ms"):
    """Median, quartiles, minimum."""
    scaled = [value * unit for value in values]
    if len(scaled) == 1:
        return f"  {name:28} {scaled[0]:10.2f} {suffix}   (1 sample)"
    low, middle, high = statistics.quantiles(scaled, n=4, method="inclusive")
    return (f"  {name:28} median {middle:9.2f} {suffix}   quartiles {low:.2f} .. {high:.2f}   "
            f"min {min(scaled):.2f}   n {len(scaled)}")


def ratio(name, ours, theirs, target):
    of_medians = statistics.median(ours) / statistics.median(theirs)
    of_minima = min(ours) / min(theirs)
    return f"  {name:28} ratio of medians {of_medians:.3f}   of minima {of_minima:.3f}   (wanted: {target})"


def phases(documents):
    names = list(documents[0]["phases"])
    medians = (f"{name[:-2]} {statistics.median(d['phases'][name] for d in documents) * 1e3:.2f}" for name in names)
    return "  phases, median ms            " + "   ".join(medians)


def raise_open_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
