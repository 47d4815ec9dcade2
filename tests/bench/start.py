"""A whole `rehearse run -- true` beside bubblewrap and crun, interleaved; then again with 500 more mounts.

rehearse makes user, pid, network, ipc, uts, mount and cgroup namespaces, as bwrap --unshare-all (which includes the
user namespace) does. crun has no user namespace here: with one it cannot bind the host's root without an id map on
every mount. Its root is a recursive read-only bind of the host's root.
"""
import atexit
import json
import os
import subprocess
import sys

import common

BWRAP = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "true"]


def crun_bundle(scratch):
    bundle = f"{scratch}/crun"
    os.makedirs(f"{bundle}/rootfs")
    mounts = []
    for name in sorted(os.listdir("/")):
        path = f"/{name}"
        if os.path.islink(path):
            os.symlink(os.readlink(path), f"{bundle}/rootfs/{name}")
        elif os.path.isdir(path):
            os.mkdir(f"{bundle}/rootfs/{name}")
            if name not in ("proc", "dev"):
                mounts.append({"destination": path, "type": "bind", "source": path, "options": ["rbind", "ro"]})
    mounts.append({"destination": "/proc", "type": "proc", "source": "proc"})
    mounts.append({"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]})
    config = {
        "ociVersion": "1.0.0",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["true"], "cwd": "/",
                    "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "bench",
        "mounts": mounts,
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")]},
    }
    with open(f"{bundle}/config.json", "w", encoding="ascii") as file:
        json.dump(config, file)
    return bundle


def crun_command(bundle):
    """crun refuses a hybrid cgroup layout: there it runs in a mount namespace without the second hierarchy."""
    command = ["crun", "--cgroup-manager=disabled", "run", "--bundle", bundle]
    if os.path.isdir("/sys/fs/cgroup/unified"):
        holder = subprocess.Popen(["unshare", "-m", "sh", "-c", "umount /sys/fs/cgroup/unified && echo && exec sleep inf"],
                                  stdout=subprocess.PIPE)
        holder.stdout.readline()
        atexit.register(holder.kill)
        command = ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", *command]
    return command


def compare(rehearse, bundle, rounds):
    crun = crun_command(bundle)
    times = {"rehearse": [], "without a trace": [], "bwrap": [], "crun": []}
    documents = []
    works = subprocess.run([*crun, "bench-0"], stdin=common.NULL, capture_output=True, text=True, check=False)
    if works.returncode != 0:
        print(f"  crun does not run here: {(works.stderr or works.stdout).strip()}")
        del times["crun"]
    for i in range(rounds + 3):
        with open(os.devnull, "wb") as null:  # its verdict is inconclusive: 12
            untraced = common.timed(rehearse.command(["true"], "--no-trace"), stdout=null)
        sample = {"rehearse": rehearse.run(["true"]), "without a trace": untraced, "bwrap": common.wall(BWRAP)}
        if "crun" in times:
            sample["crun"] = common.wall([*crun, f"bench-{i + 1}"])
        if i >= 3:
            documents.append(rehearse.read())
            for name, seconds in sample.items():
                times[name].append(seconds)
    for name, values in times.items():
        print(common.line(name, values))
    print(common.ratio("rehearse / bwrap", times["rehearse"], times["bwrap"], "at most 1.0"))
    print(common.ratio("without a trace / bwrap", times["without a trace"], times["bwrap"], "at most 1.0"))
    if "crun" in times:
        print(common.ratio("rehearse / crun", times["rehearse"], times["crun"], "at most 1.0"))
    print(common.phases(documents))


def add_mounts(scratch, kind, number):
    for i in range(number):
        where = f"{scratch}/{kind}/{i}"
        os.makedirs(where)
        source = ["--bind", f"{scratch}/source"] if kind == "bind" else ["-t", "tmpfs", "none"]
        os.makedirs(f"{scratch}/source", exist_ok=True)
        subprocess.run(["mount", *source, where], check=True)


def main():
    binary, scratch, rounds = sys.argv[1], sys.argv[2], 20 if sys.argv[3] == "1" else 200
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)  # the caller gave us a mount namespace
    common.keep_programs()
    rehearse = common.Rehearse(binary, scratch)
    bundle = crun_bundle(scratch)
    for title, kind, number in (("this host's mounts", "", 0), ("and 500 bind mounts", "bind", 500),
                                ("and 500 tmpfs mounts", "tmpfs", 500)):
        if kind:
            add_mounts(scratch, kind, number)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            count = sum(1 for _ in file)
        print(f"start: `rehearse run -- true`, {title} ({count} in all)")
        compare(rehearse, bundle, rounds if not kind else max(rounds // 4, 5))
        rehearse.forget()
        if kind:
            for i in range(number):
                subprocess.run(["umount", f"{scratch}/{kind}/{i}"], check=True)


main()
