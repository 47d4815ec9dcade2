#!/usr/bin/env python3
"""A virtual machine without KVM, unattended: console to a file, control through a virtio port, see vm-agent.

vm.py start STATE KERNEL_DIR ROOT_IMAGE PAYLOAD_IMAGE   both disks are left as they were
vm.py sh STATE SCRIPT [SECONDS]                         output streamed, exit code passed on
vm.py stop STATE                                        power off, or kill

VM_THREADS: as QEMU's tcg,thread= takes it (multi by default).
"""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

BOOT_SECONDS = 300


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Control:
    def __init__(self, state: Path, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(state / "ctl"))
        self.buffer = b""

    def line(self) -> bytes:
        while b"\n" not in self.buffer:
            self.socket.settimeout(max(0.05, self.deadline - time.monotonic()))
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def send(self, script: str) -> None:
        self.socket.sendall(base64.b64encode(script.encode()) + b"\n")


def start(state: Path, kernel: Path, root: Path, payload: Path) -> None:
    # cx16 is left out: the emulated cmpxchg16b of qemu 7.2 crashes Linux 6.12.
    command = ["qemu-system-x86_64", "-machine", "q35", "-accel", f"tcg,thread={os.environ.get('VM_THREADS', 'multi')}", "-cpu", "Nehalem,-cx16", "-smp", "2", "-m", "3G",
               "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-kernel", str(kernel / "vmlinuz"), "-initrd", str(kernel / "initrd"),
               "-serial", f"file:{state}/console", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
               "-chardev", f"socket,id=ctl,path={state}/ctl,server=on,wait=off", "-device", "virtserialport,chardev=ctl,name=ctl",
               "-append", "console=ttyS0 quiet loglevel=4 systemd.show_status=0 net.ifnames=0 mitigations=off tsc=reliable no_timer_check random.trust_cpu=1 panic=-1"]
    for name, image in (("root", root), ("payload", payload)):
        command += ["-drive", f"file={image},format=raw,if=none,id={name},cache=unsafe,snapshot=on", "-device", f"virtio-blk-pci,drive={name},serial={name}"]
    for name in ("ctl", "console"):
        (state / name).unlink(missing_ok=True)
    with open(state / "log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    (state / "pid").write_text(str(process.pid))
    while not (state / "ctl").exists():
        if process.poll() is not None:
            sys.exit((state / "log").read_text())
        time.sleep(0.05)
    control = Control(state, BOOT_SECONDS)
    try:
        while b"@@READY" not in control.line():
            pass
    except (socket.timeout, EOFError, OSError):
        sys.exit("the guest's agent does not answer; console:\n" + (state / "console").read_text(errors="replace")[-3000:])


def sh(state: Path, script: str, seconds: float) -> int:
    control = Control(state, seconds)
    control.send(script)
    pending = None
    try:
        while True:
            line = control.line()
            if line.startswith(b"@@READY"):
                continue
            if line.startswith(b"@@RC "):
                if pending:
                    sys.stdout.buffer.write(pending + b"\n")
                return int(line.split()[1])
            if pending is not None:
                sys.stdout.buffer.write(pending + b"\n")
                sys.stdout.buffer.flush()
            pending = line
    except socket.timeout:
        print(f"vm.py: no end after {seconds:.0f} s")
    except (EOFError, ConnectionResetError):
        print("vm.py: the virtual machine is gone; console:\n" + (state / "console").read_text(errors="replace")[-3000:])
    return 1


def stop(state: Path) -> None:
    pid = int((state / "pid").read_text())
    try:
        Control(state, 10).send("systemctl poweroff --no-block")
    except OSError:
        os.kill(pid, signal.SIGKILL)
    for wait in range(1200):
        if not alive(pid):
            (state / "pid").unlink()
            return
        if wait == 600:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def main() -> int:
    verb, state = sys.argv[1], Path(sys.argv[2])
    rest = sys.argv[3:]
    if verb == "start":
        start(state, *map(Path, rest))
    elif verb == "sh":
        return sh(state, rest[0], float(rest[1]) if len(rest) > 1 else 600)
    elif verb == "stop":
        stop(state)
    return 0


if __name__ == "__main__":
    sys.exit(main())
