#!/usr/bin/env python3
"""Promotion and rollback beside `rsync -aHAX` followed by `sync`, everything durable. Needs root.

usage: promote.py REHEARSE SCRATCH QUICK"""
import json, os, pty, shutil, statistics, subprocess, sys, time

binary, scratch, quick = sys.argv[1], sys.argv[2], sys.argv[3] == "1"
ROUNDS = 1 if quick else 3


def call(state, *words):
    done = subprocess.run([binary, "--state", state, "--json", *words], capture_output=True, stdin=subprocess.DEVNULL)
    return done.returncode, json.loads(done.stdout)


def approve(state, name):
    pid, master = pty.fork()
    if pid == 0:
        try:
            os.execv(binary, [binary, "--state", state, "approve", name, "--reason", "bench"])
        finally:
            os._exit(127)
    try:
        while os.read(master, 4096):
            pass
    except OSError:
        pass
    os.close(master)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def build(top, count):
    os.makedirs(top)
    for i in range(count):
        if i % 500 == 0:
            os.mkdir(f"{top}/d{i // 500}")
        with open(f"{top}/d{i // 500}/f{i}", "w") as file:
            file.write(f"old {i}\n" * 100)


def timed(work):
    started = time.monotonic()
    result = work()
    return time.monotonic() - started, result


def measure(label, home, where, action, prepare, rounds):
    """Seconds of: promotion, window, rollback, rsync of the same changes to a copy with sync."""
    rows = []
    for number in range(rounds):
        state, top = f"{home}/state{number}", f"{where}/tree{number}"
        prepare(top)
        copy, changed = f"{where}/copy{number}", f"{scratch}/changed{number}"
        subprocess.run(["cp", "-a", top, copy], check=True)
        code, document = call(state, "run", "--no-trace", "--fail-on", "never", "--cwd", top, "--", "python3", "-c", action)
        name = f"{document['id']}@{document['digest']}"
        subprocess.run(["cp", "-a", top, changed], check=True)
        subprocess.run(["python3", "-c", action], cwd=changed, check=True)
        approve(state, name)
        subprocess.run(["sync"], check=True)
        rsync, _ = timed(lambda: subprocess.run(["sh", "-c", f"rsync -aHAX {changed}/ {copy}/ && sync -f {copy}"], check=True))
        whole, (code, result) = timed(lambda: call(state, "promote", name, "--stale-ignore", f"{where}/copy*", "--stale-ignore", f"{where}/copy*/**"))
        assert code == 0, result["moved"]
        back, (code, undone) = timed(lambda: call(state, "rollback", document["id"]))
        assert code == 0, undone
        p = result["phases"]
        rows.append((whole, p["check_s"], p["prepare_s"], p["commit_s"], p["window_s"], back, rsync))
        for path in (state, top, copy, changed):
            shutil.rmtree(path)
    median = [statistics.median(column) for column in zip(*rows)]
    print("%-34s promote %7.3f s (check %.3f prepare %.3f commit %.3f, window %.4f)  rollback %7.3f  rsync+sync %7.3f  ratio %.2f"
          % (label, *median[:6], median[6], median[0] / median[6]))


def filesystem(name, size):
    """One in a file: what others change on the host's own disk meanwhile is not what is measured."""
    image, where = f"{scratch}/{name}.img", f"{scratch}/{name}"
    os.mkdir(where)
    subprocess.run(["truncate", "-s", size, image], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, where], check=True)
    return where


def let_inconclusive_pass():
    """What is not recorded can be approved only where the policy says so. In this mount namespace."""
    os.makedirs(f"{scratch}/policy/policy.d")
    with open(f"{scratch}/policy/policy.d/bench.toml", "w") as file:
        file.write('schema = "rehearse.policy/1"\n[approval.inconclusive]\nroles = ["root"]\nnot_requester = false\n')
    os.makedirs("/etc/rehearse", exist_ok=True)
    subprocess.run(["mount", "--bind", f"{scratch}/policy", "/etc/rehearse"], check=True)


let_inconclusive_pass()
MODIFY = "import os\nfor d, _, names in os.walk('.'):\n  for n in names:\n    open(os.path.join(d, n), 'a').write('new\\n')"
same, other = filesystem("same", "6G"), filesystem("other", "1G")
for count in (1000,) if quick else (1000, 10000):
    measure(f"{count} modified, same filesystem", same, same, MODIFY, lambda top, count=count: build(top, count), ROUNDS)
measure("1000 modified, other filesystem", same, other, MODIFY, lambda top: build(top, 1000), ROUNDS)


def big(top):
    os.makedirs(top)
    with open(f"{top}/big", "wb") as file:
        file.truncate(1 << 30)
        for at in range(0, 1 << 30, 1 << 24):
            file.seek(at)
            file.write(os.urandom(1 << 24))


measure("1 GiB file, same filesystem", same, same, "open('big', 'ab').write(b'x')", big, 1)
