"""A hostile root inside: every case of the hostile program is contained and the host stays as it was."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess

import harness
from harness import HostCase


# What the report must list of each case: kind of attempt, and what its detail holds. All were denied, unless said otherwise.
ATTEMPTS: dict[str, list[tuple[str, ...]]] = {
    "1": [("sysctl", '"/proc/sys/kernel/core_pattern", O_WRONLY'), ("sysctl", "/proc/sys/vm/swappiness"), ("mount", 'umount2("/proc/sys"'),
          ("mount", "MS_REMOUNT|MS_BIND")],
    "2": [("raw device", f'"/dev/{name}", O_RDWR') for name in ("vda", "sda", "loop7", "mem")]
         + [("device", f'"/dev/{name}", O_RDWR') for name in ("kmsg", "fuse", "loop-control")],
    "3": [("sysctl", '(77, "swappiness"'), ("sysctl", "openat2(77, "), ("sysctl", "/proc/self/fd/77/dirty_ratio"), ("sysctl", '"panic_on_oom"'),
          ("sysctl", "/proc/self/cwd/laptop_mode"), ("sysctl", '"/tmp/link", O_WRONLY'), ("sysctl", '"/vm/stat_interval"'), ("root", "chroot", "contained")],
    "5": [("namespace", "/proc/1/ns/mnt"), ("namespace", "setns(")],
    "6": [("namespace", "unshare(CLONE_NEWUSER)"), ("namespace", "clone(child_stack=NULL, flags=CLONE_NEWUSER")],
    "7": [("raw device", '"/tmp/b", S_IFBLK'), ("raw device", '"/tmp/c", S_IFCHR'), ("raw device", '"/tmp/w"'), ("file", "trusted.overlay.opaque")],
    "8": [("file handle", "open_by_handle_at(")],
    "9": [("bpf", "BPF_MAP_CREATE"), ("perf", "perf_event_open("), ("userfault", "userfaultfd("), ("watch", "fanotify_init(")],
    "10": [("module", "init_module("), ("module", "finit_module("), ("module", 'delete_module("x"'), ("kexec", "kexec_load("), ("kexec", "kexec_file_load("),
           ("swap", 'swapon("/dev/null"'), ("swap", "swapoff("), ("accounting", 'acct("/tmp/acct")'), ("quota", "quotactl("), ("look", "syslog("),
           ("io", "iopl(3)"), ("io", "ioperm("), ("clock", "settimeofday("), ("clock", "clock_settime(CLOCK_REALTIME"), ("clock", "adjtimex("),
           ("reboot", "LINUX_REBOOT_CMD_CAD_OFF")],
    "11": [("key", 'add_key("user", "x"'), ("key", "keyctl("), ("key", 'request_key("user", "x"')],
    "13": [("call convention", "i386 getpid("), ("call convention", "x32 getppid()")],
    "15": [("terminal", "TIOCSTI"), ("terminal", "TIOCLINUX"), ("terminal", "TIOCSETD")],
    "16": [("process", "ADDR_NO_RANDOMIZE"), ("process", "modify_ldt(")],
    "17": [("socket", family) for family in ("AF_TIPC", "AF_ALG", "AF_VSOCK", "AF_XDP", "AF_RDS", "AF_CAN", "AF_BLUETOOTH")] + [("look", "NETLINK_SOCK_DIAG"), ("mount", "weirdfs")],
    "19": [("process", "PR_SET_MM")],
    "21": [("mount", f'"{name}"') for name in ("debugfs", "tracefs", "bpf", "securityfs", "configfs", "efivarfs", "devtmpfs", "sysfs", "pstore")] +
          [("kernel", '"/sys/kernel/uevent_seqnum"')],
    "23": [("mount", "umount2("), ("mount", "MS_REMOUNT|MS_BIND"), ("file", "O_TMPFILE")],
    "28": [("device control", "FS_IOC_SETFLAGS"), ("filesystem", "FIFREEZE"), ("filesystem", "FITRIM")],
    "49": [("io_uring", "io_uring_setup("), ("io_uring", "io_uring_enter("), ("io_uring", "io_uring_register(")] +
          [("mount", f"{name}(") for name in ("open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr")],
    "54": [("kill", "kill(-1, SIGKILL)"), ("kill", "kill(1, SIGKILL)", "contained"), ("kill", "SIGKILL)  on the host: "), ("ptrace", "PTRACE_SEIZE, 1"),
           ("ptrace", "process_vm_readv(1)"), ("ptrace", '"/proc/1/mem"')],
    "60": [("limits", "RLIMIT_CORE", "faked")],
    "61": [("filter listener", "SECCOMP_FILTER_FLAG_NEW_LISTENER"), ("module", "init_module(")],
    "69": [("probe", '"/proc/self/uid_map"', "contained"), ("probe", '"/proc/self/gid_map"', "contained"), ("probe", '"/proc/self/ns/net"', "contained")],
}
# What is no attempt is in the trace: an expression that must match.
TRACED = {
    "22": [f"evt.is_open_write = true and fd.name = {top}/rehearse-hostile-22" for top in ("/dev/shm", "/run", "/tmp", "/boot", "/home", "/var/tmp")],
    "29": ["evt.type = fcntl and fd.name = /etc/passwd and evt.failed = false"],
    "31": ["evt.type = fallocate and evt.failed = true and fd.name = /var/tmp/rehearse-hostile-31"],
    "47": ["evt.type = shmat and evt.res = EINVAL"],
    "52": ["evt.type = mount and evt.arg[2] = binfmt_misc"],
    "61": ["evt.type = rmdir and evt.arg.path = /etc/hidden and evt.res = EDOM", "evt.type = mkdir and evt.arg.path = /tmp/smuggled and evt.failed = false"],
}


class Hostile(HostCase):
    def setUp(self) -> None:
        super().setUp()
        program = os.environ.get("HOSTILE", "")
        if not os.access(program, os.X_OK):
            harness.skip("HOSTILE does not name the hostile program")
        self.program = str(self.base / "hostile")
        shutil.copy(program, self.program)

    def test_every_case(self) -> None:
        self.contain_every_case()

    def test_every_case_in_the_root_profile(self) -> None:
        # 31 is hard on the walk over the upper, which does not know of profiles: once is slow enough.
        self.contain_every_case("--profile=root", but=("31",))

    def test_shifted_ids_are_no_way_out_of_a_set_of_users(self) -> None:
        """Case 20: a setuid program gives what it gives on a host, and the report says that it did."""
        program = self.host / "as-root"
        shutil.copy("/bin/true", program)
        program.chmod(0o4755)
        script = f"import os\nif os.fork() == 0:\n  os.setresuid(65534, 65534, 65534)\n  os.execv('{program}', ['as-root'])\nos.wait()"
        processes = self.run_in(["python3", "-c", script]).doc["processes"]
        took = next(p for p in processes if p["exe"] == str(program))
        self.assertTrue(took["secure"])
        self.assertEqual(took["uid"], 0)

    def assert_reported(self, case: str, result: harness.Result) -> None:
        """The lines that the case must leave, in the document and in the trace."""
        attempts = result.doc["attempts"]
        without_i386 = False
        for what, part, *outcome in ATTEMPTS.get(case, []):
            if part == "i386 getpid(" and b"int 0x80: Segmentation fault" in result.err:
                without_i386 = True  # a confidential virtual machine's kernel gives a fault, not a refusal
                continue
            wanted = outcome[0] if outcome else "denied"
            found = [a for a in attempts if a["what"] == what and part in a["detail"] and a["result"] == wanted]
            self.assertTrue(found, (what, part, wanted, [(a["what"], a["detail"], a["result"]) for a in attempts]))
        for expression in TRACED.get(case, []):
            shown = self.call("trace", result.doc["id"], "--where", expression, json_out=False)
            self.assertEqual(shown.code, 0, shown.err)
            self.assertTrue(shown.out, expression)
        if case == "17" and os.path.exists("/proc/modules") and result.doc["profile"] == "shifted":  # else nobody may mount
            self.assertIn(("fs-weirdfs", "denied", "EPERM"), [(a["detail"].split()[-1], a["result"], a["errno"]) for a in attempts if a["what"] == "module autoload"])
            self.assertTrue([gap for gap in result.doc["fidelity"]["gaps"] if gap["what"] == "kernel modules: 1 not loaded"], result.doc["fidelity"])
        if case == "53":
            self.assertIn("core.limit-hit", [f["rule"] for f in result.doc["verdict"]["findings"]])
        if case == "63":
            self.assertEqual(len(result.doc["command"]["leftover_processes"]), 3)
        self.assertTrue(result.doc["trace"]["complete"], result.doc["trace"])
        if without_i386:
            harness.skip("no i386 system calls on this machine: their line is not expected, all else of the case was checked")

    def contain_every_case(self, *options: str, but: tuple[str, ...] = ()) -> None:
        cases = subprocess.run([self.program], capture_output=True, text=True, check=True).stdout.split()
        self.assertEqual(set(cases), ATTEMPTS.keys() | TRACED.keys() | {"53", "63"}, "a case of which no line is expected in the report")
        for case in cases:
            if case in but:
                continue
            with self.subTest(case=case):
                result = self.run_in([self.program, case], "--env", f"STATE={self.state}", "--env", "LOCK=/etc/passwd", "--env", f"OUTSIDE={os.getpid()}",
                                     "--timeout", f"{60 * harness.SLOW}s", *options)
                self.assertIn(result.code, harness.RAN, result.err)
                self.assertEqual(result.doc["command"]["exit"], 0, result.err.decode(errors="replace"))
                self.assert_reported(case, result)

    def test_nothing_of_the_cases_is_on_the_host(self) -> None:
        """What cases 22, 31 and 52 wrote is in the document at most."""
        for case in ("22", "31", "52"):
            result = self.run_in([self.program, case], "--timeout", "60s")
            self.assertIn(result.code, harness.RAN, result.err)
            found = subprocess.run("ls -d /*/rehearse-hostile-* /dev/shm/rehearse-hostile-* /var/tmp/rehearse-hostile-* /proc/sys/fs/binfmt_misc/rehearse-hostile 2>/dev/null",
                                   shell=True, capture_output=True, check=False).stdout
            self.assertEqual(found, b"")
            if case == "31":
                self.assertGreater(result.doc["counts"]["created"], 5300)
                self.assertEqual(self.call("rm", result.doc["id"]).code, 0)

    def test_locks_inside_do_not_hold_the_host(self) -> None:
        lock = self.host / "lock"
        lock.write_text("x")
        process = subprocess.Popen(self.command("run", "--env", f"LOCK={lock}", "--", self.program, "29"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stderr
        self.assertEqual(process.stderr.readline(), b"lock inside: taken\n")
        with open(lock, "rb+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.communicate(timeout=30)

    def test_stopped_and_orphaned_processes_are_named_and_end(self) -> None:
        result = self.run_in([self.program, "63"])
        self.assertEqual(len(result.doc["command"]["leftover_processes"]), 3)
        self.assert_nothing_left()

    def test_identity_as_the_host_sees_it(self) -> None:
        process = subprocess.Popen(self.command("run", "--", "sh", "-c", "echo up >&2; exec sleep 5.0625"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stderr
        process.stderr.readline()
        pids: list[str] = []

        def executing() -> bool:
            pids[:] = [p for p in os.listdir("/proc") if p.isdigit() and read(f"/proc/{p}/cmdline") == b"sleep\x005.0625\x00"]
            return len(pids) == 1

        self.assertTrue(harness.wait_for(executing), pids)
        status = read(f"/proc/{pids[0]}/status").decode()
        self.assertIn("Uid:\t2147483648\t2147483648\t2147483648\t2147483648", status)
        self.assertIn("Seccomp:\t2", status)
        self.assertRegex(status, r"Groups:\s*\n")
        bounding = int(next(line for line in status.splitlines() if line.startswith("CapBnd")).split()[1], 16)
        for dropped in (16, 17, 22, 25, 39):  # sys_module, sys_rawio, sys_boot, sys_time, bpf
            self.assertEqual(bounding >> dropped & 1, 0)
        process.communicate(timeout=20 * harness.SLOW)

    def test_upper_is_out_of_reach_of_other_users(self) -> None:
        run = self.shell(f"cp /bin/sh {self.host}/root-shell && chmod 4755 {self.host}/root-shell").doc["id"]
        upper = f"{self.state}/runs/{run}/uppers/0/upper{self.host}/root-shell"
        self.assertTrue(os.path.exists(upper))
        with self.assertRaises(PermissionError):
            subprocess.run([upper, "-c", "id"], capture_output=True, check=False, user=65534, group=65534, extra_groups=[])

    def test_clone_parent_and_sub_reapers_stay_in_the_run(self) -> None:
        script = "import os,ctypes\nl=ctypes.CDLL(None,use_errno=True)\npid=l.syscall(56, 0x8000|17, 0, 0, 0, 0)\nif pid==0:\n  import time; time.sleep(60)\nos.setsid() if os.fork()==0 else None"
        result = self.run_in(["python3", "-c", script])
        self.assertIn(result.code, harness.RAN)
        self.assert_nothing_left()

    def test_host_processes_are_not_there(self) -> None:
        result = self.shell(f"kill -9 {os.getpid()} 2>/dev/null; kill -0 {os.getpid()} 2>/dev/null && echo reached >&2; ls /proc | grep -c '^[0-9]' >&2")
        self.assertNotIn(b"reached", result.err)
        self.assertLess(int(result.err), 10)

    def test_unix_sockets_and_pipes_of_the_host(self) -> None:
        script = f"""import os,socket
s=socket.socket(socket.AF_UNIX)
try: s.connect('{self.host}/sock'); print('REACHED')
except OSError as e: print(e.errno)
try: os.open('{self.host}/fifo', os.O_WRONLY|os.O_NONBLOCK); print('REACHED')
except OSError as e: print(e.errno)
a=socket.socket(socket.AF_UNIX)
try: a.connect('\\0rehearse-abstract-test'); print('REACHED')
except OSError as e: print(e.errno)
"""
        import socket

        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.host / "sock"))
        listener.listen()
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind("\0rehearse-abstract-test")
        abstract.listen()
        os.mkfifo(self.host / "fifo")
        reader = os.open(self.host / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        result = self.run_in(["python3", "-c", script])
        os.close(reader)
        listener.close()
        abstract.close()
        self.assertEqual(result.err.split(), [b"111", b"6", b"111"])


def read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


if __name__ == "__main__":
    harness.main()
