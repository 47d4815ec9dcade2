"""Every system call and process event of an action is in its trace, none twice and none of another run; what is lost is said."""

from __future__ import annotations

import base64
import collections
import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import harness
from harness import Case, Document, Result


SYSCALLS_PAGE = Path(__file__).resolve().parents[2] / "docs/syscalls.md"
# Calls that strace shows with more than rehearse, or otherwise: the rest of the line is the same.
SHOWN_OTHERWISE = {
    # Bytes that are moved are not recorded.
    "read", "write", "pread64", "pwrite64", "sendto", "recvfrom", "mq_timedsend", "msgsnd", "getrandom", "add_key", "kexec_file_load",
    # Pieces of what is moved: the pointer is shown.
    "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2", "vmsplice", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "process_vm_readv", "process_vm_writev", "process_madvise",
    # Structures and numbers behind pointers that are not decoded.
    "mincore", "sendfile", "splice", "copy_file_range", "accept", "accept4", "getsockname", "getpeername", "getsockopt", "semop", "semtimedop", "gettimeofday",
    "time", "getresuid", "getresgid", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "sigaltstack", "_sysctl", "sched_getaffinity", "sched_setaffinity",
    "get_thread_area", "set_thread_area", "timer_create", "mbind", "set_mempolicy", "get_mempolicy", "mq_notify", "mq_getsetattr", "migrate_pages", "move_pages", "perf_event_open",
    "name_to_handle_at", "open_by_handle_at", "getcpu", "io_cancel", "io_submit", "io_pgetevents", "io_uring_setup", "io_uring_register", "getdents", "getdents64", "prctl",
    "kexec_load",
    # Lists of words of a program that could not be executed.
    "execve", "execveat",
    # Which of two spellings of nothing, whether a needless argument is shown, names that this strace does not know.
    "socket", "socketpair", "arch_prctl", "create_module", "set_tid_address", "restart_syscall", "mq_open", "membarrier", "rseq",
    # Sets of signals whose size says that they are none, capabilities without a header that says how many there are, a name that is too long: shown though refused unread.
    "rt_sigprocmask", "rt_sigpending", "rt_sigtimedwait", "epoll_pwait", "epoll_pwait2", "signalfd", "signalfd4", "capget", "capset", "sethostname", "setdomainname",
}


class Trace(Case):
    calls = os.environ.get("CALLS", "")

    def setUp(self) -> None:
        super().setUp()
        if not os.access(self.calls, os.X_OK):
            harness.skip("CALLS does not name the program that makes known calls")
        # Where any user inside may execute it.
        self.program = shutil.copy(self.calls, self.host / "calls")

    def traced(self, *words: str, options: tuple[str, ...] = ()) -> Result:
        result = self.run_in([str(self.program), *words], *options)
        self.assertIn(result.code, harness.RAN, result.err)
        return result

    def events(self, *options: str, expect: int = 0) -> list[Document]:
        shown = self.call("trace", "last", *options)
        self.assertEqual(shown.code, expect, shown.err)
        return [json.loads(line) for line in shown.out.splitlines()]

    def complete(self, result: Result) -> Document:
        trace: Document = result.doc["trace"]
        self.assertEqual(trace["trouble"], [])
        self.assertTrue(trace["complete"])
        self.assertEqual(trace["lost"], 0)
        return trace

    def lines(self, *options: str) -> list[str]:
        shown = self.call("trace", "last", *options, json_out=False)
        self.assertEqual(shown.code, 0, shown.err)
        return shown.out.decode("ascii").splitlines()

    def test_same_calls_as_strace(self) -> None:
        """Name, arguments and result of every call of a program, as strace prints them for the same program."""
        harness.need("strace")
        self.complete(self.traced("basic"))
        ours = [plain(re.sub(r"^\[1\] [0-9.]+ ", "", line)) for line in self.lines() if "+++" not in line and "***" not in line]
        log = self.base / "strace"
        native = subprocess.run(["strace", "-qq", "-v", "-X", "abbrev", "-o", str(log), str(self.program), "basic"],
                                capture_output=True, check=False)
        if native.returncode != 0:
            harness.skip(f"strace does not work here: {native.stderr.decode(errors='replace').strip()}")
        theirs = [plain(line) for line in log.read_text(encoding="latin1").splitlines() if not line.startswith(("---", "+++"))]
        # Whatever lies behind a pointer is shown by strace and not by us: those calls are compared by name and result.
        self.assertEqual([head(line) for line in ours], [head(line) for line in theirs])
        different = [(o, t) for o, t in zip(ours, theirs) if o != t and "{" not in t and "[" not in t]
        for o, t in different:
            self.assertEqual((name(o), result_of(o)), (name(t), result_of(t)))
        # Only calls whose buffers strace prints differ at all.
        self.assertLessEqual({name(o) for o, _ in different}, {"read", "write", "pread64", "readlink", "getrandom", "execve", "mmap", "brk", "prctl", "rt_sigprocmask", "rseq"}, different)

    def observed_twice(self) -> tuple[list[str], list[str]]:
        """One process that makes every call there is, as strace and as rehearse saw it, between its two marks."""
        program = shutil.copy(os.environ["EVERY_CALL"], self.host / "every")
        log = self.host / "log"
        result = self.run_in(["timeout", "60", "sh", "-c", f"strace -o {log} -e signal=none -X abbrev -s 32 {program} 2>&1; cat {log} >&2"])
        self.complete(result)
        process = next(p["id"] for p in result.doc["processes"] if p["exe"] == str(program))
        ours = [re.sub(r"^\[\d+\] [0-9.]+ ", "", line) for line in self.lines("--process", str(process))]
        theirs = result.err.decode("latin1").splitlines()
        return between_marks(ours), between_marks(theirs)

    def test_every_call_that_can_be_made_as_strace_sees_it(self) -> None:
        """The same process is traced by both: name, every argument and result are the same, pointers and all."""
        harness.need("strace")
        ours, theirs = self.observed_twice()
        self.assertEqual(len(ours), len(theirs))
        numbers = {int(number): name for number, name in re.findall(r"\| (\d+) \| `(\w+)`", SYSCALLS_PAGE.read_text())}
        different: dict[str, list[tuple[str, str]]] = {}
        for our, their in zip(map(comparable, ours), map(comparable, theirs)):
            # What this strace has no name for is shown by number and in hex.
            unknown = re.match(r"syscall_0x([0-9a-f]+)\(", their)
            called = numbers[int(unknown[1], 16)] if unknown else name(their)
            self.assertEqual((name(our), result_of(our).split(" (")[0]), (called, result_of(their).split(" (")[0]), (our, their))
            if not unknown and our != their:
                different.setdefault(called, []).append((our, their))
        made = {name(line) for line in ours}
        left_out = dict(line.split(": ", 1) for line in subprocess.run([os.environ["EVERY_CALL"], "--left-out"], capture_output=True, text=True, check=True).stdout.splitlines())
        self.assertEqual(made | left_out.keys(), set(numbers.values()), "a system call that is neither made nor left out with a reason")
        print(f"{len(ours)} calls of {len(made)} names, {len(left_out)} left out; shown otherwise than by strace: {sorted(different)}")
        self.assertLessEqual(different.keys(), SHOWN_OTHERWISE, {k: v for k, v in different.items() if k not in SHOWN_OTHERWISE})

    def test_processes_are_complete(self) -> None:
        result = self.traced("families")
        self.complete(result)
        processes = {p["id"]: p for p in result.doc["processes"]}
        self.assertEqual(sorted(p["exit"] for p in processes.values()), [0, 11, 12, 13])
        self.assertEqual(processes[1]["threads"], 9)
        self.assertEqual(processes[1]["exe"], str(self.program))
        self.assertEqual(processes[1]["argv"], [str(self.program), "families"])
        marks = collections.Counter(e["strings"][0]["value"] for e in self.events() if e.get("name") == "access")
        wanted = {"/mark-vfork", "/mark-fork", "/mark-clone-parent", *(f"/mark-thread-{i}" for i in range(8))}
        self.assertEqual({mark: count for mark, count in marks.items() if mark.startswith("/mark")}, dict.fromkeys(wanted, 1))
        by_exit = {p["exit"]: p for p in processes.values()}
        self.assertEqual(by_exit[11]["parent"], 1)
        self.assertEqual(by_exit[12]["parent"], 1)
        self.assertEqual(by_exit[13]["parent"], 0, "CLONE_PARENT gives the child to the run's init")
        # Whoever made it is not rid of it by that.
        followed = self.events("--process", "1", "--follow")
        self.assertEqual(followed, self.events())
        start = next(e for e in followed if e["type"] == "start" and e["process"] == by_exit[13]["id"])
        self.assertEqual((start["parent"], start["maker"]), (0, 1))
        self.assertIn("started by [1] as a child of [0]", "".join(self.lines("--process", str(start["process"]))))
        where = f"proc.id = {start['process']} and proc.apid = {followed[0]['tid']}"
        self.assertTrue(self.events("--where", where), where)
        late = f"{start['time_s']}s"
        self.assertIn(start["process"], {e["process"] for e in self.events("--process", "1", "--follow", "--since", late)})

    def test_a_fork_is_counted_once(self) -> None:
        """In the parent, as by strace: in text, JSON lines, summary and counts of processes."""
        result = self.shell("for i in 1 2 3; do (true); done; /bin/true | /bin/true")
        self.complete(result)
        calls = [e for e in self.events() if e["type"] == "syscall"]
        forks = [e for e in calls if e["name"] in ("fork", "vfork", "clone", "clone3")]
        self.assertEqual((len(forks), min(e["result"] for e in forks) > 0), (5, True))
        self.assertEqual(sum(bool(re.search(r" (v?fork|clone3?)\(", line)) for line in self.lines()), 5)
        summary = {e["name"]: e["calls"] for e in self.events("--summary") if e["process"] == 0}
        self.assertEqual(sum(summary.get(name, 0) for name in ("fork", "vfork", "clone", "clone3")), 5)
        self.assertEqual(sum(summary.values()), len(calls))
        returned = collections.Counter(e["process"] for e in calls if e["result"] is not None or e["name"] == "rt_sigreturn")
        self.assertEqual({p["id"]: p["syscalls"] for p in result.doc["processes"]}, dict(returned))

    def test_exec_from_another_thread(self) -> None:
        result = self.traced("exec")
        self.complete(result)
        self.assertEqual(len(result.doc["processes"]), 1)
        process = result.doc["processes"][0]
        self.assertEqual(process["argv"], ["true", "from-a-thread"])
        self.assertEqual([program["exe"] for program in process["earlier"]], [str(self.program)])
        self.assertEqual(process["exit"], 0)

    def test_who_did_it_is_the_program_it_was_then(self) -> None:
        """Another program that takes over the process, or its maker, changes nothing about what was done before."""
        own = shutil.copy(sys.executable if os.path.isfile(sys.executable) else "/usr/bin/python3", self.host / "python")
        look = "import os\ntry: os.open('/dev/mem', 0)\nexcept OSError: pass\n"
        for name, script in (("itself", look + "os.execv('/usr/bin/lscpu', ['lscpu', '--version'])"),
                             ("its child", look.replace("import os", "import os, time\nif os.fork(): os.execv('/bin/sleep', ['sleep', '1'])\ntime.sleep(0.3)"))):
            with self.subTest(name):
                result = self.run_in([str(own), "-c", script])
                self.assertEqual(result.doc["verdict"]["level"], "red", result.doc["verdict"])
                self.assertIn(str(own), {attempt["exe"] for attempt in result.doc["attempts"]})
                processes = result.doc["processes"]
                self.assertEqual((processes[0]["exe"], [p["exe"] for p in processes[0]["earlier"]]), ("/usr/bin/lscpu" if name == "itself" else processes[0]["exe"], [str(own)]))
                self.assertEqual(processes[0]["earlier"][0]["argv"][:2], [str(own), "-c"])
                self.assertEqual(processes[0]["earlier"][0]["sha256"], hashlib.sha256(Path(own).read_bytes()).hexdigest())
                for child in processes[1:]:
                    self.assertEqual((child["exe"], child["forked"]), (str(own), True))
        shell = self.run_in(["bash", "-c", "(exec 3<>/dev/tcp/93.184.216.34/4444); exec true"])
        self.assertEqual(shell.doc["verdict"]["level"], "red", shell.doc["verdict"])
        self.assertEqual({n["exe"] for n in shell.doc["network"]}, {str(Path("/bin/bash").resolve())})

    def test_digest_is_of_what_was_executed_or_none(self) -> None:
        sleep = hashlib.sha256(Path("/bin/sleep").read_bytes()).hexdigest()
        x, copy = self.host / "x", f"cp /bin/sleep {self.host}/x; sleep 0.1"
        # It is known where the file is still there, or was read in time; of what is there now it never is.
        for script, wanted in ((f"{copy}; {x} 0.01", [sleep]),
                               (f"{copy}; {x} 0.01; cat /bin/true >{x}", [sleep, None]),
                               (f"cp /bin/sleep {x}; {x} 0.05", [sleep]),
                               (f"cp /bin/sleep {x}; {x} 0.01; cat /bin/true >{x}", [sleep, None]),
                               (f"{copy}; {x} 0.01; rm {x}; cat /etc/hostname >{self.host}/y", [sleep, None]),
                               ("cp -a /bin/sleep /dev/shm/e; mount --bind /dev/shm/e /usr/bin/id; /usr/bin/id 0.01", [sleep, None]),
                               (f"cp -a /usr/bin/id {self.host}/keep; cp /bin/sleep /usr/bin/id; /usr/bin/id 0.01; cp -a {self.host}/keep /usr/bin/id", [sleep, None])):
            with self.subTest(script):
                result = self.shell(script)
                digests = [p["sha256"] for p in result.doc["processes"] if p["argv"][1:] in (["0.01"], ["0.05"])]
                self.assertEqual(len(digests), 1)
                self.assertIn(digests[0], wanted)

    def test_a_filter_of_its_own_answers_in_the_kernels_place(self) -> None:
        """A copy that is said to be made and is not; a program that is said to be executed and is not."""
        program = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def fake(number):
    code = b''.join(struct.pack('=HBBI', *line) for line in ((0x20, 0, 0, 0), (0x15, 0, 1, number), (0x6, 0, 0, 0x00050000), (0x6, 0, 0, 0x7fff0000)))
    buffer = ctypes.create_string_buffer(code)
    filter = ctypes.create_string_buffer(struct.pack('=HxxxxxxQ', 4, ctypes.addressof(buffer)))
    assert libc.prctl(22, 2, filter, 0, 0) == 0
libc.prctl(38, 1, 0, 0, 0)
os.close(0)
os.open(sys.argv[1], os.O_RDWR)
other = os.open(sys.argv[2], os.O_RDWR)
fake(33)
libc.syscall(33, other, 0)
os.pwrite(0, b'evil', 0)
fake(59)
libc.syscall(59, b'/bin/true', None, None)
"""
        real, other = self.host / "real", self.host / "other"
        real.write_text("text\n")
        other.write_text("text\n")
        result = self.run_in(["python3", "-c", program, str(real), str(other)])
        self.complete(result)
        self.assertEqual({e["path"] for e in result.doc["changes"] if e["change"] == "modified"}, {str(real)})
        lines = self.lines()
        self.assertIn(f"<0: {real}>", next(line for line in lines if "pwrite64(0" in line))
        self.assertEqual(sum("*** now" in line for line in lines), 1)
        self.assertTrue(any("dup2(" in line and f"<{real}>" in line for line in lines), "what the descriptor is after all")

    def test_whose_rights_it_had(self) -> None:
        result = self.run_in(["python3", "-c", "import os; os.seteuid(1000); os.seteuid(0); os.seteuid(65534)"])
        self.assertEqual([change["uid"] for change in result.doc["processes"][0]["uids"]], [0, 1000, 0, 65534])
        shown = self.call("show", "last", json_out=False)
        self.assertIn("(uid 0 → 1000 → 0 → 65534)", shown.out.decode())

    def test_signals_to_groups_and_by_descriptor(self) -> None:
        outside = subprocess.Popen(["sleep", "100"], start_new_session=True)
        self.addCleanup(outside.kill)
        for script, what in ((f"kill -TERM -{outside.pid}; true", "kill"), (f"python3 -c 'import os; os.pidfd_open({outside.pid})'; true", "host process"),
                             ("python3 -c 'import os, signal; signal.pidfd_send_signal(os.pidfd_open(1), 9)'; true", "kill")):
            with self.subTest(script):
                result = self.shell(script)
                self.assertEqual([a["what"] for a in result.doc["attempts"] if a["what"] in ("kill", "host process")], [what], result.doc["attempts"])
                self.assertEqual(result.doc["verdict"]["level"] == "green", False)
                self.assertEqual("on the host: sleep" in str(result.doc["attempts"]), str(outside.pid) in script, result.doc["attempts"])
        for call, what in ((f"101, 16, {outside.pid}, 0, 0", "ptrace"), (f"310, {outside.pid}, 0, 0, 0, 0, 0", "ptrace"), (f"312, {outside.pid}, os.getpid(), 0, 0, 0", "ptrace"),
                           (f"297, {outside.pid}, {outside.pid}, 9, None", "kill")):
            with self.subTest(call):
                attempts = self.run_in(["python3", "-c", f"import ctypes, os; ctypes.CDLL(None).syscall({call})"]).doc["attempts"]
                self.assertEqual([(a["what"], "  on the host: sleep" in a["detail"]) for a in attempts], [(what, True)], attempts)
        own = self.shell("sleep 0.01 & wait; kill -TERM -$! 2>/dev/null; true")
        self.assertEqual([a for a in own.doc["attempts"] if a["what"] == "kill"], [], "a group that there was inside")
        self.assertIsNone(outside.poll())

    def test_a_device_by_another_name(self) -> None:
        device = next((d for d in ("/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/loop0") if os.path.exists(d)), "/dev/sda")
        link, tmp = self.host / "disk", self.host / "d"
        for script in (f"ln -s {device} {link}; dd if={link} of=/dev/null count=1; rm {link}", f"ln -s /dev {tmp}; dd if=/dev/zero of={tmp}/{device[5:]} conv=notrunc,nocreat count=1; rm {tmp}",
                       f"ln -s /dev {tmp}; rm {tmp}/{device[5:]}; rm {tmp}"):
            with self.subTest(script):
                result = self.shell(f"{script}; true")
                self.assertEqual([a["what"] for a in result.doc["attempts"]], ["raw device"], result.doc["attempts"])
        harmless = self.shell(f"ln -s {device} {link}; rm {link}; ln -s {device} {link}; mv {link} {tmp}")
        self.assertEqual(harmless.doc["attempts"], [], "the link itself is none")

    def test_killed_in_the_middle_of_a_call(self) -> None:
        result = self.traced("killed")
        self.complete(result)
        self.assertEqual([p["signal"] for p in result.doc["processes"][1:]], [signal.SIGKILL] * 3)
        for process, call in ((2, "read"), (3, "pause"), (4, "poll")):
            last = [e for e in self.events("--process", str(process)) if e["type"] == "syscall"][-1]
            self.assertEqual(last["name"], call)

    def test_calls_that_go_on_and_threads_that_die_in_calls(self) -> None:
        """A stopped sleep is one that goes on by restart_syscall; a handled signal ends one; exit_group ends threads in their calls."""
        result = self.traced("restarts")
        self.complete(result)
        processes = result.doc["processes"]
        self.assertEqual([(p["exit"], p["threads"]) for p in processes], [(0, 1), (21, 1), (22, 1), (23, 4)])
        def sleeps(process: int) -> list[tuple[str, str]]:
            return [(e["name"], e["errno"] or str(e["result"])) for e in self.events("--process", str(process)) if e.get("name") in ("nanosleep", "restart_syscall")]
        self.assertEqual(sleeps(2), [("nanosleep", "ERESTART_RESTARTBLOCK"), ("restart_syscall", "0")])
        self.assertEqual(sleeps(3)[0], ("nanosleep", "ERESTART_RESTARTBLOCK"))
        self.assertEqual([name for name, _ in sleeps(3)], ["nanosleep"], "a call that a handler has ended does not go on")
        self.assertIn(("rt_sigreturn", None), [(e["name"], e["result"]) for e in self.events("--process", "3") if e["type"] == "syscall"])
        last = [e for e in self.events("--process", "4") if e.get("name") in ("pause", "exit_group")]
        self.assertEqual(sorted(e["name"] for e in last), ["exit_group", "pause", "pause", "pause"])
        self.assertEqual({e["result"] for e in last if e["name"] == "exit_group"}, {None})
        self.assertEqual(len({e["tid"] for e in last}), 4)

    def test_refused_calls_are_there(self) -> None:
        harness.need("python3")
        script = "import ctypes,os; c=ctypes.CDLL(None,use_errno=True); [c.syscall(n,0,0,0) for n in (425,429,321,165,175)]"
        self.complete(self.run_in(["python3", "-c", script]))
        seen = {e["name"]: e["errno"] for e in self.events() if e["type"] == "syscall" and e["errno"]}
        self.assertEqual(seen.get("io_uring_setup"), "ENOSYS")
        self.assertEqual(seen.get("move_mount"), "ENOSYS")
        self.assertEqual(seen.get("bpf"), "EPERM")
        self.assertEqual(seen.get("init_module"), "EPERM")

    def test_opened_files_are_the_kernels(self) -> None:
        """A name that another thread changes all the time: the file that was opened is the one that is told."""
        names: set[str] = set()
        tampered = 0
        # On a busy host the other thread may hardly run.
        for _ in range(5):
            result = self.traced("flip", "20000")
            self.complete(result)
            for event in self.events("--where", "evt.type = openat and evt.failed = false and fd.name startswith /etc/"):
                names.add(event["fd"]["name"])
                tampered += event["tampered"]
                self.assertEqual(event["fd"]["ino"], os.stat(event["fd"]["name"]).st_ino)
            if tampered and len(names) == 2:
                break
        if harness.SLOW > 1 and len(names) == 1:
            harness.skip("the threads do not interleave on this machine")
        self.assertEqual(names, {"/etc/passwd", "/etc/shadow"})
        self.assertGreater(tampered, 0, "a name that changed between begin and return is not marked")
        finding = next(f for f in result.doc["verdict"]["findings"] if f["rule"] == "core.argument-tampering")
        self.assertRegex(str(finding["evidence"]), r'openat\(AT_FDCWD, "/etc/\w+", O_RDONLY\), in truth /etc/(passwd|shadow)')

    def test_a_name_that_is_there_for_the_kernel_alone(self) -> None:
        """Its page is away when the call begins and when it returns: it is copied late, and the trace and the report say so."""
        result = self.traced("absent")
        self.complete(result)
        self.assertEqual(result.doc["command"]["exit"], 0)
        opened = [e for e in self.events("--where", "evt.type = open")]
        self.assertEqual([(e["strings"][0]["seen"], e["unread"]) for e in opened], [("late", False)])
        path = opened[0]["strings"][0]["value"]
        self.assertRegex(path, r"^/tmp/rehearse-calls-\w{6}/fifo$")
        self.assertEqual(opened[0]["fd"]["name"], path, "the kernel's word and the late one")
        self.assertEqual(self.events("--where", "evt.late = true"), opened)
        self.assertIn(f'open("{path}", O_RDONLY) = 4<{path}>  !! an argument was read long after the call', "".join(self.lines("--where", "evt.late = true")))
        finding = next(f for f in result.doc["verdict"]["findings"] if f["rule"] == "core.argument-late")
        self.assertEqual([e["text"] for e in finding["evidence"]], [f'process 1: open("{path}", O_RDONLY), in truth {path}'])
        self.assertEqual(result.code, harness.YELLOW)

    def test_a_name_that_is_gone(self) -> None:
        """The page is never there again: the name is unknown, and nothing is made up."""
        result = self.traced("absent", "for-good")
        self.complete(result)
        opened = self.events("--where", "evt.unread = true")
        self.assertEqual([(e["name"], e["strings"]) for e in opened], [("open", [])])
        self.assertRegex(opened[0]["text"], r"^0x[0-9a-f]+, O_RDONLY$")
        self.assertRegex(opened[0]["fd"]["name"], r"^/tmp/rehearse-calls-\w{6}/fifo$", "what was opened is known all the same")
        self.assertIn("core.argument-unread", [f["rule"] for f in result.doc["verdict"]["findings"]])
        self.assertEqual(result.code, harness.YELLOW)

    def test_one_file_by_many_names(self) -> None:
        """Copied descriptors, working directories, roots and links of /proc: the kernel's own path is the one that is told."""
        self.complete(self.traced("places"))
        opened = [e for e in self.events() if e.get("name") == "openat" and e["result"] >= 0 and "passwd" in e["text"] or "link" in e.get("text", "") and e.get("name") == "openat"]
        self.assertEqual([e["fd"]["name"] for e in opened], ["/etc/passwd"] * 8, opened)
        self.assertEqual({e["fd"]["ino"] for e in opened}, {os.stat("/etc/passwd").st_ino})
        there = self.events("--where", "proc.cwd = /etc and evt.type = chroot")
        self.assertEqual(len(there), 1)

    def test_program_in_memory_under_a_false_name(self) -> None:
        result = self.traced("memfd")
        self.complete(result)
        process = result.doc["processes"][0]
        self.assertEqual(process["argv"], ["/usr/bin/innocent"])
        self.assertEqual(process["exe"], "/memfd:hidden")
        self.assertEqual([program["exe"] for program in process["earlier"]], [str(self.program)])

    def test_programs_that_are_gone_have_digests(self) -> None:
        """One that was only ever in memory, and one that was removed before the run ended."""
        sleep = Path("/bin/sleep").read_bytes()
        script = ("import os, subprocess\n"
                  "subprocess.run(['sh', '-c', 'cp /bin/sleep /var/tmp/dropped && /var/tmp/dropped 1; rm /var/tmp/dropped'])\n"
                  "fd = os.memfd_create('x')\nos.write(fd, open('/bin/sleep', 'rb').read())\nos.execve(fd, ['sleep', '1'], {})")
        result = self.run_in(["python3", "-c", script])
        self.complete(result)
        digests = {process["exe"]: process["sha256"] for process in result.doc["processes"]}
        wanted = hashlib.sha256(sleep).hexdigest()
        self.assertEqual((digests["/var/tmp/dropped"], digests["/memfd:x"]), (wanted, wanted))
        self.assertNotIn("/var/tmp/dropped", [change["path"] for change in result.doc["changes"]])

    def test_a_command_that_stops_has_not_ended(self) -> None:
        """For a tracer that it has not: on a host it would stand still too."""
        result = self.traced("traceme", options=("--timeout", "1s"))
        command = result.doc["command"]
        self.assertEqual((command["exit"], command["timed_out"], command["leftover_processes"]), (None, True, []), command)
        self.assertGreater(command["wall_s"], 0.9)

    def test_a_program_that_a_new_process_executes_has_its_name(self) -> None:
        """What the name is in has not been looked at by the child yet when it calls."""
        self.complete(self.traced("fork-exec"))
        (event,) = self.events("--where", "evt.type = execve and evt.arg.pathname = /bin/true")
        self.assertTrue(event["text"].startswith('"/bin/true", ["true"], 0x'), event)
        self.assertFalse(event["unread"])

    def test_execveat_is_called_that(self) -> None:
        """However the kernel numbers its return: with the arguments it was given, and found by its name."""
        self.complete(self.traced("memfd"))
        (line,) = self.lines("--where", "evt.type = execveat")
        self.assertRegex(line, r'execveat\(\d+, "", \["/usr/bin/innocent"\], 0x[0-9a-f]+(?: /\* .* \*/)?, AT_EMPTY_PATH\) = 0')
        self.assertEqual(len(self.events("--where", "evt.type = execve")), 1)

    def test_flood_of_opens_from_four_threads(self) -> None:
        number = 20_000 // harness.SLOW
        result = self.traced("open-flood", "4", str(number))
        trace = self.complete(result)
        self.assertGreaterEqual(trace["syscalls"], 8 * number)
        summary = self.call("trace", "last", "--where", "evt.type = openat and fd.name = /etc/passwd", "--summary", json_out=False).out.decode()
        self.assertRegex(summary, rf"(?m)^ +{4 * number} .* openat$")

    def test_process_that_shares_memory_and_descriptors(self) -> None:
        """CLONE_VM and CLONE_FILES without CLONE_THREAD: a process of its own, and one table of descriptors."""
        result = self.traced("share")
        self.complete(result)
        self.assertEqual([(p["id"], p["parent"], p["exit"], p["threads"]) for p in result.doc["processes"]], [(1, 0, 0, 1), (2, 1, 14, 1)])
        reads = [(e["process"], e["fd"]["name"]) for e in self.events() if e.get("name") == "read"]
        self.assertEqual(reads, [(1, "/etc/passwd"), (1, "/etc/group")])

    def test_descriptor_from_a_message_is_unknown(self) -> None:
        self.complete(self.traced("pass"))
        read = [e for e in self.events() if e.get("name") == "pread64"]
        self.assertEqual([(e["result"], e.get("fd")) for e in read], [(1, None)], "said to be what had the number before")

    def test_numbers_that_are_used_again(self) -> None:
        """The host hands out the same process ids again and again: each process is one of its own."""
        last = Path("/proc/sys/kernel/ns_last_pid")
        number = 200
        before = int(last.read_text())
        with open(self.base / "document", "wb") as document:
            process = subprocess.Popen(self.command("run", "--", str(self.program), "marks", str(number)), stdout=document, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60 * harness.SLOW
        while process.poll() is None and time.monotonic() < deadline:
            last.write_text(str(before))
        _, err = process.communicate(timeout=60 * harness.SLOW)
        result = Result(process.returncode, (self.base / "document").read_bytes(), err, 0)
        self.complete(result)
        self.assertEqual([p["exit"] for p in result.doc["processes"]], [0, *(i % 100 for i in range(number))])
        marked = [e for e in self.events() if e.get("name") == "access"]
        self.assertEqual([e["strings"][0]["value"] for e in marked], [f"/mark-{i}" for i in range(number)])
        self.assertEqual([e["process"] for e in marked], list(range(2, number + 2)))
        if len({e["tid"] for e in marked}) == number:
            harness.skip("the host handed out no process id twice")

    def test_large_environment(self) -> None:
        harness.need("python3")
        script = ("import os, resource; resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]));"
                  "os.execve('/bin/true', ['true', 'x' * 65536], {f'V{i}': 'y' * 130000 for i in range(32)})")
        result = self.run_in(["python3", "-c", script])
        self.complete(result)
        process = result.doc["processes"][0]
        self.assertEqual((process["exit"], process["argv"]), (0, ["true", "x" * 65536]))

    def test_privileged_attempts_and_secrets(self) -> None:
        result = self.shell("cat /etc/shadow > /dev/null; mount -t tmpfs none /mnt; unshare -U true; mknod /tmp/device b 8 0; cd /proc/sys/net/ipv4 && echo 1 > ip_forward; true")
        self.complete(result)
        attempts = {(a["what"], a["result"], a["errno"]): a["detail"] for a in result.doc["attempts"]}
        self.assertIn('mount("none", "/mnt", "tmpfs"', attempts[("mount", "contained", None)])
        self.assertEqual({a["what"]: a["capability"] for a in result.doc["attempts"]},
                         {"mount": "CAP_SYS_ADMIN", "namespace": None, "raw device": "CAP_MKNOD", "sysctl": None})
        self.assertEqual(attempts[("namespace", "denied", "EPERM")], "unshare(CLONE_NEWUSER)")
        self.assertIn("makedev(0x8, 0)", attempts[("raw device", "denied", "EPERM")])
        self.assertIn('"ip_forward"', attempts[("sysctl", "contained", None)], "a relative path hides a kernel parameter")
        self.assertEqual(len(attempts), 4, attempts)
        self.assertEqual(result.doc["counts"]["attempts"], 4)
        self.assertEqual(result.doc["reads"]["secrets"], ["/etc/shadow"])
        self.assertGreater(result.doc["reads"]["files"], 5)
        shown = self.call("show", "last", json_out=False).out.decode()
        self.assertIn("Privileged attempts", shown)
        self.assertRegex(shown, r"denied EPERM +namespace +unshare\(CLONE_NEWUSER\)")
        self.assertRegex(shown, r"Secrets read\n +/etc/shadow")

    def test_secrets_in_arguments_are_not_kept(self) -> None:
        words = ["--password=hunter2", "--token", "hunter2", "--token-file", "/etc/passwd", "db://me:hunter2@host/x", "API_KEY=hunter2", "plain"]
        self.complete(self.run_in(["sh", "-c", 'exec /bin/echo "$@"', "sh", *words]))
        process = self.call("show", "last").doc["processes"][0]
        self.assertEqual(process["argv"], ["/bin/echo", "--password=***", "--token", "***", "--token-file", "/etc/passwd",
                                           "db://me:***@host/x", "API_KEY=***", "plain"])
        self.assertTrue(process["argv_redacted"])
        shown = self.call("trace", "last", json_out=False)
        self.assertNotIn(b"hunter2", shown.out)

    def test_words_of_a_program_that_is_not_executed(self) -> None:
        many = " ".join(f"w{n}" for n in range(100))
        self.complete(self.shell(f"/bin/absent --token hunter2 '' -x; /etc/passwd {many}; /bin/absent $(head -c 600 /dev/zero | tr '\\0' l) end; true"))
        first, second, third = (e for e in self.events("--where", "evt.type = execve and evt.failed = true") if "absent" in e["text"] or "passwd" in e["text"])
        self.assertRegex(first["text"], r'^"/bin/absent", \["/bin/absent", "--token", "\*\*\*", "", "-x"\], 0x')
        self.assertEqual(first["errno"], "ENOENT")
        self.assertRegex(second["text"], r'^"/etc/passwd", \["/etc/passwd", "w0", .*"w62", \.\.\.\], 0x')
        self.assertEqual(second["errno"], "EACCES")
        self.assertRegex(third["text"], r'^"/bin/absent", \["/bin/absent", "l+"(\.\.\.)?, "end", \.\.\.\], 0x')

    def test_signals_of_the_kernel_and_of_rehearse(self) -> None:
        """A timer rings while anybody at all is on the CPU; whoever gets the signal is the one it is told of."""
        script = "import signal, time\nheard = []\nsignal.signal(signal.SIGALRM, lambda *_: heard.append(1))\nsignal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)\nwhile len(heard) < 20: time.sleep(1)\nsignal.setitimer(signal.ITIMER_REAL, 0)"
        self.complete(self.run_in(["python3", "-c", script]))
        alarms = self.events("--where", "signal.name = SIGALRM")
        self.assertGreaterEqual(len(alarms), 20)
        self.assertEqual({(alarm["sender"], alarm["process"], alarm["tid"] == alarm["target_tid"]) for alarm in alarms}, {("kernel", 1, True)})
        self.assertRegex(self.call("trace", "last", "--where", "signal.name = SIGALRM", json_out=False).out.decode(), r"--- SIGALRM to thread \d+, by the kernel ---")
        self.run_in(["sleep", "60"], "--timeout", "300ms")
        self.assertEqual([event["sender"] for event in self.events("--where", "signal.name = SIGKILL")], ["rehearse"])
        self.run_in(["sh", "-c", "sleep 60 & kill -TERM $!; wait"])
        self.assertEqual([event["sender"] for event in self.events("--where", "signal.name = SIGTERM")], ["process"])

    def test_a_signal_with_a_false_code_is_its_sender_s(self) -> None:
        """rt_sigqueueinfo(2) lets a process write itself a signal as the kernel's timers do."""
        script = ("import ctypes, os, signal, struct, sys\nsignal.signal(signal.SIGUSR1, lambda *_: sys.exit(0))\n"
                  "info = ctypes.create_string_buffer(struct.pack('iiii', signal.SIGUSR1, 0, int(sys.argv[1], 0), 0) + bytes(112))\n"
                  "assert ctypes.CDLL(None).syscall(129, os.getpid(), signal.SIGUSR1, info) == 0\nsignal.pause()")
        for code in ("-2", "0x80"):  # SI_TIMER, SI_KERNEL
            self.complete(self.run_in(["python3", "-c", script, code]))
            self.assertEqual([event["sender"] for event in self.events("--where", "signal.name = SIGUSR1")], ["process"], code)

    def test_what_a_call_overwrote_is_not_shown_as_what_it_read(self) -> None:
        script = ("import ctypes, struct\nlibc = ctypes.CDLL(None)\n"
                  "both = ctypes.create_string_buffer(struct.pack('QQ', 111, 222))\nassert libc.prlimit(0, 7, both, both) == 0\n"
                  "new = ctypes.create_string_buffer(struct.pack('QQ', 100, 222))\nold = ctypes.create_string_buffer(16)\nassert libc.prlimit(0, 7, new, old) == 0")
        self.complete(self.run_in(["python3", "-c", script]))
        one, other = self.events("--where", "evt.type = prlimit64")[-2:]
        self.assertRegex(one["text"], r"^0, RLIMIT_NOFILE, 0x[0-9a-f]+, \{rlim_cur=")
        self.assertTrue(one["overwritten"])
        self.assertEqual(other["text"], "0, RLIMIT_NOFILE, {rlim_cur=100, rlim_max=222}, {rlim_cur=111, rlim_max=222}")
        self.assertFalse(other["overwritten"])
        self.assertIn("!! an argument was overwritten", self.call("trace", "last", "--where", "evt.type = prlimit64", json_out=False).out.decode())

    def test_secrets_are_in_nothing_that_is_kept(self) -> None:
        """Given to the action as words and in its environment: it has them, and no file of the bundle or the ledger does."""
        script = 'test "$DB_PASSWORD$1" = hunter2--token=hunter2 && echo had them >&2; sleep 60 & exec sleep --help secret=hunter2 >/dev/null'
        result = self.run_in(["sh", "-c", script, "sh", "--token=hunter2"], "--env", "DB_PASSWORD=hunter2")
        self.complete(result)
        self.assertIn(b"had them", result.err)
        action = result.doc["action"]
        self.assertEqual((action["argv"][-1], action["env"]["DB_PASSWORD"], action["redacted"]), ("--token=***", "***", True))
        self.assertFalse(self.run_in(["true"]).doc["action"]["redacted"])
        self.assertTrue(harness.wait_for(lambda: (self.state / "runs" / result.doc["id"] / "frozen").exists()))
        found = subprocess.run(["grep", "-rlaF", "hunter2", str(self.state)], capture_output=True, text=True, check=False).stdout.split()
        self.assertEqual(found, [])
        self.assertNotIn(b"hunter2", self.call("trace", result.doc["id"], json_out=False).out + self.call("show", result.doc["id"], json_out=False).out)

    def test_secrets_in_scripts_are_in_nothing_that_is_kept(self) -> None:
        script = ("exec 2>/dev/null; mysql -u root --password hunter2 x; mysql -phunter2; tool --token 'hunter2'; curl -u me:hunter2 db://me:hunter2@h; "
                  "stat ssh://me:hunter2@host; exec ssh://me:hunter2@host")
        result = self.run_in(["sh", "-c", script])
        self.complete(result)
        shown = script.replace("hunter2", "***")
        self.assertEqual(result.doc["action"]["argv"], ["sh", "-c", shown])
        self.assertIn(f"'{shown}'".replace("'***'", "'\\''***'\\''"), self.call("show", "last", json_out=False).out.decode())
        self.assertTrue(harness.wait_for(lambda: (self.state / "runs" / result.doc["id"] / "frozen").exists()))
        found = subprocess.run(["grep", "-rlaF", "hunter2", str(self.state)], capture_output=True, text=True, check=False).stdout.split()
        self.assertEqual(found, [])
        for shows in (("trace",), ("trace", "--json"), ("trace", "--reads"), ("show",), ("show", "--json"), ("explain",)):
            self.assertNotIn(b"hunter2", self.call(shows[0], "last", *shows[1:], json_out=False).out, shows)

    def test_the_same_files_are_the_same_read_set(self) -> None:
        first, second = (self.run_in(["cat", "/etc/passwd"]).doc["reads"] for _ in range(2))
        self.assertEqual(first, second)
        self.assertNotEqual(first["root"], self.run_in(["cat", "/etc/group"]).doc["reads"]["root"])

    def reads(self) -> dict[str, Document]:
        shown = self.call("trace", "last", "--reads")
        self.assertEqual(shown.code, 0, shown.err)
        return {entry["path"]: entry for entry in map(json.loads, shown.out.splitlines())}

    def test_the_read_set_says_what_was_read_and_how(self) -> None:
        """Each path once, as it was at first use: by the kernel where it was opened, else as the host has it."""
        (self.host / "sub").mkdir()
        for name in ("read", "seen", "sub/entry", "rewritten", "gone"):
            (self.host / name).write_text(name)
        (self.host / "link").symlink_to("read")
        (self.host / "old").write_text("")
        script = f"""cd {self.host}; cat read ./rewritten; stat seen none >&2; ls sub; readlink link; test -e sub/entry
            echo new > rewritten; echo own > made; cat made; stat made; rm gone; cat gone; stat gone
            cp /bin/true mine; ./mine; (cd sub; stat ../seen; cat ../no/such); true"""
        host = str(self.host)
        def entry(name: str) -> Document:
            return reads.get(f"{host}/{name}", {"uses": []})
        # Where the kernel has taken a page of the caller away by the time the call returns, the host is asked instead.
        for _ in range(3):
            self.complete(self.shell(script))
            reads = self.reads()
            if all(entry(name).get("source") == "caller" for name in ("seen", "sub/entry")):
                break
        for name, use, source in (("read", "opened", "kernel"), ("rewritten", "opened", "kernel"), ("seen", "attributes", "caller"), ("sub", "listed", "kernel"),
                                  ("link", "present", "host"), ("sub/entry", "attributes", "caller")):
            self.assertIn(use, entry(name)["uses"], (name, sorted(reads)))
            self.assertEqual(entry(name)["source"], source, name)
            there = os.lstat(self.host / name)
            self.assertEqual((entry(name)["ino"], entry(name)["ctime_ns"], int(entry(name)["mode"], 8)), (there.st_ino, there.st_ctime_ns, there.st_mode), name)
        self.assertEqual(entry("read")["dev"], os.stat(self.host / "read").st_dev)
        self.assertTrue(entry("link")["link"])
        for name in ("none", "sub/../no/such"):
            self.assertEqual(entry(name)["uses"], ["absent"], name)
        # What the action made is not the host's; what it removed had been there.
        for name in ("made", "mine"):
            self.assertIn(entry(name)["uses"], ([], ["absent"]), name)
        self.assertNotIn("absent", entry("gone")["uses"])
        true = os.path.realpath("/bin/true")
        self.assertEqual([e["moved"] for e in reads.values() if e["moved"]], [])
        self.assertIn("opened", reads[true]["uses"])
        shells = [e for e in reads.values() if "executed" in e["uses"]]
        self.assertIn(os.path.realpath("/bin/sh"), [e["path"] for e in shells])
        self.assertTrue(any("ld-linux" in e["path"] for e in shells), [e["path"] for e in shells])
        for executed in shells:
            self.assertEqual(executed["sha256"], hashlib.sha256(Path(executed["path"]).read_bytes()).hexdigest(), executed["path"])

    def test_what_only_proves_presence_is_in_the_read_set(self) -> None:
        """A result, or a failure, that says there is something under the name."""
        for name in ("labelled", "watched", "plain", "script"):
            (self.host / name).write_text("#!/bin/sh\n")
        script = (f"import ctypes, os\nos.chdir('{self.host}')\nlibc = ctypes.CDLL(None)\nassert libc.inotify_add_watch(libc.inotify_init(), b'watched', 2) > 0\n"
                  "def failing(error, call, *words):\n    try: call(*words)\n    except OSError as wrong: assert wrong.errno == error, wrong\n"
                  "failing(61, os.getxattr, 'labelled', 'user.none')\nfailing(22, os.readlink, 'plain')\nfailing(13, os.execv, 'script', ['script'])\nfailing(2, os.readlink, 'none')")
        result = self.run_in(["python3", "-c", script])
        self.complete(result)
        self.assertEqual(result.doc["command"]["exit"], 0, result.err)
        reads = self.reads()
        for name in ("labelled", "watched", "plain", "script"):
            self.assertEqual(reads[f"{self.host}/{name}"]["uses"], ["present"], name)
        self.assertEqual(reads[f"{self.host}/none"]["uses"], ["absent"])

    def test_another_name_of_a_file_is_the_file(self) -> None:
        """One that the action made: by a hard link, by renaming, by a mount of its own."""
        (self.host / "linked").write_text("a")
        (self.host / "moved").write_text("b")
        result = self.shell(f"cd {self.host}; ln linked new; rm linked; cat new; mv moved there; cat there; ln /etc/shadow q; cat q > w; rm q w")
        self.complete(result)
        reads = self.reads()
        for name in ("linked", "moved"):
            self.assertIn("opened", reads[f"{self.host}/{name}"]["uses"], name)
        self.assertEqual(result.doc["reads"]["secrets"], ["/etc/shadow"])
        mounted = self.shell("unshare -m sh -c 'mount --bind /etc /mnt && cat /mnt/shadow > /dev/null'")
        self.assertEqual(mounted.doc["reads"]["secrets"], ["/etc/shadow"])
        # A name that is gone, or a file of its own, leads nowhere.
        own = self.shell(f"cd {self.host}; ln /etc/shadow q; rm q; echo a > q; cat q")
        self.assertEqual(own.doc["reads"]["secrets"], [])

    def test_executed_files_have_digests(self) -> None:
        """Also those that the action made itself."""
        result = self.shell(f"cp /bin/true {self.host}/mine; sleep 0.05; {self.host}/mine")
        self.complete(result)
        digests = {p["exe"]: p["sha256"] for p in result.doc["processes"]}
        want = hashlib.sha256(Path("/bin/true").read_bytes()).hexdigest()
        self.assertEqual(digests[f"{self.host}/mine"], want)
        shell = os.path.realpath("/bin/sh")
        self.assertEqual(digests[shell], hashlib.sha256(Path(shell).read_bytes()).hexdigest())

    def test_what_the_host_changes_meanwhile_is_a_finding(self) -> None:
        moving, still = self.host / "moving", self.host / "still"
        moving.write_text("a")
        still.write_text("a")
        time.sleep(0.05)
        run = subprocess.Popen(self.command("run", "--", "sh", "-c", f"cat {moving} {still}; echo ready; read x; cat {moving}"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert run.stdin is not None and run.stderr is not None and run.stdout is not None
        while b"ready" not in run.stderr.readline():
            pass
        moving.write_text("b")
        run.stdin.write(b"go\n")
        out, _ = run.communicate(timeout=60)
        doc = json.loads(out)
        # The first use is what counts, and that was before: only the later state shows it.
        self.assertEqual(doc["reads"]["moved"], [])
        again = subprocess.Popen(self.command("run", "--", "sh", "-c", f"echo ready; read x; cat {moving} {still}"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert again.stdin is not None and again.stderr is not None
        while b"ready" not in again.stderr.readline():
            pass
        moving.write_text("c")
        again.stdin.write(b"go\n")
        out, _ = again.communicate(timeout=60)
        doc = json.loads(out)
        self.assertEqual(doc["reads"]["moved"], [str(moving)])
        self.assertIn("core.read-moved", [f["rule"] for f in doc["verdict"]["findings"]])

    def test_where(self) -> None:
        self.complete(self.shell("cat /etc/passwd /no-such-file-here; true"))
        failed = self.events("--where", "evt.type = openat and evt.failed = true and proc.name = cat and evt.arg.path = /no-such-file-here")
        self.assertEqual([e["errno"] for e in failed], ["ENOENT"])
        self.assertEqual({e["comm"] for e in self.events("--where", "proc.aname[1] = sh and evt.type in (read, write)")}, {"cat"})
        self.assertTrue(self.events("--where", "fd.name = /etc/passwd and evt.type = read"))
        self.assertEqual(self.events("--where", "fd.name = /etc/passwd and evt.type = unlink"), [])
        wrong = self.call("trace", "last", "--where", "proc.nmae = cat", json_out=False)
        self.assertEqual(wrong.code, harness.USAGE)
        self.assertIn(b"proc.name", wrong.err)
        slip = self.call("trace", "last", "--where", "evt.type = opneat", json_out=False)
        self.assertEqual((slip.code, b"column 12" in slip.err, b"did you mean openat" in slip.err), (harness.USAGE, True, True), slip.err)
        fields = self.call("trace", "--fields", json_out=False)
        self.assertEqual(fields.code, 0)
        self.assertIn(b"fd.name", fields.out)

    def test_sockets_are_named_by_their_ends(self) -> None:
        """As libsinsp's fd.name: both ends of what was accepted, the server of what was connected, refused or only sent to."""
        script = ("import socket\ndef of(kind, v=socket.AF_INET): return socket.socket(v, kind)\n"
                  "a = of(socket.SOCK_STREAM); a.bind(('127.0.0.1', 5555)); a.listen(); b = of(socket.SOCK_STREAM); b.bind(('127.0.0.1', 4444)); b.connect(('127.0.0.1', 5555))\n"
                  "c = a.accept()[0]; b.send(b'x'); c.recv(1)\n"
                  "of(socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 6666)); of(socket.SOCK_STREAM, socket.AF_INET6).connect_ex(('::1', 7777))")
        self.complete(self.run_in(["python3", "-c", script]))

        def calls(where: str) -> list[str]:
            return [e["name"] for e in self.events("--where", f"evt.type in (bind, connect, accept4, sendto, recvfrom) and {where}")]

        self.assertEqual(calls('fd.name = "127.0.0.1:4444->127.0.0.1:5555"'), ["accept4", "recvfrom"])
        self.assertEqual(calls('fd.name = "127.0.0.1:5555"'), ["bind", "connect", "sendto"])
        self.assertEqual(calls('fd.name contains ":5555"'), ["bind", "connect", "accept4", "sendto", "recvfrom"])
        self.assertEqual(calls('fd.name = "127.0.0.1:6666"'), ["sendto"])
        self.assertEqual(calls('fd.name = "::1:7777"'), ["connect"])

    def test_words_that_are_no_text_are_kept_as_they_are(self) -> None:
        self.complete(self.run_in(["python3", "-c", f"import os; os.link('/bin/true', b'{self.host}/na\\xffme'); os.execv(b'{self.host}/na\\xffme', ['x', b'\\xfe'])"]))
        last = [e for e in self.events() if e["type"] == "exec"][-1]
        self.assertEqual((last["argv"], [base64.b64decode(word) for word in last["argv_b64"]]), (["x", "\ufffd"], [b"x", b"\xfe"]))
        self.assertEqual(base64.b64decode(last["comm_b64"]), b"na\xffme")

    def test_arguments_are_asked_by_name(self) -> None:
        """By the names of the manual pages, for what is shown; a name that no call has is refused."""
        self.complete(self.shell(f"echo > {self.host}/made"))
        for check in ("evt.arg.flags contains O_TRUNC", "evt.arg[2] contains O_TRUNC", "evt.arg.mode = 0666", f"evt.arg.pathname = {self.host}/made"):
            found = self.events("--where", f"evt.type = openat and evt.arg.path = {self.host}/made and {check}")
            self.assertEqual(len(found), 1, check)
        wrong = self.call("trace", "last", "--where", "evt.arg.falgs contains O_TRUNC", json_out=False)
        self.assertEqual((wrong.code, b"did you mean evt.arg.flags" in wrong.err), (harness.USAGE, True), wrong.err)

    def test_types_are_what_is_shown(self) -> None:
        """Calls that the table does not have are found by the name under which they are listed."""
        harness.need("python3")
        # A number that nobody has; int 0x80 with getpid's number for i386, which is the end of the process.
        code = bytes.fromhex("b814000000cd80c3")
        script = (f"import ctypes, mmap; ctypes.CDLL(None).syscall(600, 1, 2, 3); m = mmap.mmap(-1, 4096, prot=7); m.write({code!r}); "
                  "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()")
        self.complete(self.run_in(["python3", "-c", script]))
        # Where the kernel has no calls of i386 the interrupt is a fault, and there is nothing to be shown.
        faults = subprocess.run(["python3", "-c", script], capture_output=True, check=False).returncode == -signal.SIGSEGV
        for shown in ("syscall_0x258",) if faults else ("i386 getpid", "syscall_0x258"):
            (line,) = self.lines("--where", f"evt.type = '{shown}'")
            self.assertIn(f" {shown}(", line)
            # What the filter kills never ran: its number, put back in the result's place, is none.
            self.assertEqual(line.endswith("= ?"), shown.startswith("i386"), line)
        self.assertEqual(self.call("trace", "last", "--where", "evt.type = unknown").code, harness.USAGE)
        if faults:
            harness.skip("this kernel has no calls of i386; one without a name was checked")

    def test_pinned_programs_are_shared_and_cleaned_up(self) -> None:
        """With a BPF filesystem the programs stay loaded, but are attached only while a run is active."""
        script = (
            'mount -t bpf bpf /sys/fs/bpf || exit 77; run() { "$REHEARSE" --state "$B/state" --json run --fail-on never -- "$@"; }; '
            'run true > "$B/first"; run true > "$B/second"; '
            'ls /sys/fs/bpf/rehearse/*/ | tr "\\n" " "; echo; ls -A /sys/fs/bpf/rehearse/*/links | wc -l; '
            '"$REHEARSE" --state "$B/state" run -- sleep 100 > /dev/null 2>&1 & sleep 2; ls -A /sys/fs/bpf/rehearse/*/links | wc -l; kill -9 $!; wait $! || true; '
            'ls -A /sys/fs/bpf/rehearse/*/links | wc -l; run "$P" storm 20 > "$B/third"; ls -A /sys/fs/bpf/rehearse/*/links | wc -l; '
            'ls /sys/fs/bpf/rehearse/*/hooks | tr "\\n" " "; stat -c %i "$V2/rehearse"; '
            '"$REHEARSE" --state "$B/state" gc --all > /dev/null; ls -A /sys/fs/bpf | wc -l; ls "$V2" | grep -c "^rehearse$" || true'
        )
        # What is pinned in the host's own BPF filesystem keeps the groups' parent.
        self.traced("basic")
        self.assertEqual(self.call("gc", "--all").code, 0)
        unified = next((line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[2] == "cgroup2"), "/")
        done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse, "P": str(self.program), "V2": unified})
        if done.returncode == 77:
            harness.skip("no BPF filesystem can be mounted here")
        self.assertEqual(done.returncode, 0, done.stderr)
        names, after, during, killed, again, hooks, empty, parents = done.stdout.decode().splitlines()
        self.assertIn("on_sys_exit", names)
        self.assertEqual(after, "0", "attached while nothing runs")
        self.assertGreaterEqual(int(during), 7)
        self.assertGreaterEqual(int(killed), 7, "a killed run cannot detach")
        self.assertEqual(again, "0", "the next run detaches what a killed one left")
        kept, parent = hooks.split()
        self.assertEqual(kept, parent, "the hooks stay on one parent of all runs' groups")
        self.assertEqual(parents, "0", "gc --all leaves no group")
        self.assertIn(empty, ("0", "2"))  # maps.debug and progs.debug are the filesystem's own
        for document in ("first", "second", "third"):
            trace = json.loads((self.base / document).read_text())["trace"]
            self.assertEqual((trace["complete"], trace["lost"]), (True, 0), trace)
        self.assertEqual(len(json.loads((self.base / "third").read_text())["processes"]), 21)

    def test_by_file_process_and_time(self) -> None:
        mark = self.host / "mark"
        self.complete(self.shell(f"echo a > {mark}; cat {mark}; true"))
        touched = self.events("--file", str(mark))
        self.assertEqual([e["name"] for e in touched if e["name"] in ("openat", "write", "read")], ["openat", "write", "openat", "read", "read"])
        cat = next(e["process"] for e in touched if e["name"] == "read")
        self.assertEqual({e["process"] for e in self.events("--process", str(cat))}, {cat})
        everyone = self.events("--process", "1", "--follow")
        self.assertEqual(everyone, self.events())
        self.assertEqual(self.events("--since", "100s"), [])
        turned = self.call("trace", "last", "--since", "5", "--until", "1", json_out=False)
        self.assertEqual((turned.code, b"--until 1 is before --since 5" in turned.err), (harness.USAGE, True), turned.err)
        nobody = self.call("trace", "last", "--process", "999", json_out=False)
        self.assertEqual((nobody.code, b"no process of that number" in nobody.err), (harness.USAGE, True), nobody.err)
        summary = self.call("trace", "last", "--summary", json_out=False)
        self.assertRegex(summary.out.decode(), r"(?m)^ +\d+ .* openat$")

    def test_by_file_whatever_it_was_called(self) -> None:
        """A path is found by where it leads, however it was written, and so is what names it in other words."""
        etc = self.host / "etc"
        (etc / "sub").mkdir(parents=True)
        for name in ("group", "shells", "hosts", "issue", "motd", "services", "deep", "script"):
            (etc / name).write_text("#!/bin/sh\n")
        (etc / "script").chmod(0o755)
        result = self.shell(f"cd {etc}; rm -f group; chmod 777 shells; mv hosts hosts2; cd {self.host}; rm -f etc/issue; rm -f ./etc//motd; "
                            f"cd etc/sub; rm -f ../services; rm -rf ../sub/../deep; cd ..; ./script")
        self.complete(result)
        touching = {"group": "unlinkat", "shells": "fchmodat", "hosts": "renameat2", "hosts2": "renameat2", "issue": "unlinkat", "motd": "unlinkat", "services": "unlinkat", "deep": "unlinkat"}
        for name, call in touching.items():
            found = [e.get("name") for e in self.events("--file", str(etc / name))]
            self.assertIn(call, found, name)
            self.assertEqual(found, [e.get("name") for e in self.events("--file", f"{etc}/sub/..//./{name}")], "an argument in other words")
        for name in ("group", "issue", "services"):
            self.assertIn("unlinkat", [e["name"] for e in self.events("--where", f"fd.name = {etc / name} and evt.failed = false")], name)
        moved = self.events("--where", f"fs.path.source = {etc}/hosts and fs.path.target = {etc}/hosts2")
        self.assertEqual([e["name"] for e in moved], ["renameat2"])
        # The directory itself, from inside and outside it; where it was entered by a name that is relative to where it was.
        for spelled in (f"{etc}/", f"{etc}/sub/.."):
            self.assertEqual([e["name"] for e in self.events("--file", spelled)], [e["name"] for e in self.events("--file", str(etc))])
        self.assertEqual([e["name"] for e in self.events("--file", str(etc)) if e["name"] == "chdir"], ["chdir", "chdir"])
        self.assertEqual([e["name"] for e in self.events("--file", f"{etc}/sub") if e["name"] == "chdir"], ["chdir"])
        self.assertIn("exec", [e["type"] for e in self.events("--file", f"{etc}/script")])
        self.assertEqual(self.call("trace", "last", "--file", "group").code, harness.USAGE)

    def test_flood_with_a_small_buffer_freezes_and_loses_nothing(self) -> None:
        # On an emulated host the processor that would freeze may itself stand still.
        result = self.traced("flood", "4", "150000", options=("--trace-buffer", "128K" if harness.SLOW == 1 else "1M"))
        trace = self.complete(result)
        self.assertGreaterEqual(trace["syscalls"], 600_000)
        if harness.SLOW == 1:
            self.assertGreater(trace["freezes"], 0)
        self.assertEqual(sum(p["syscalls"] >= 150_000 for p in result.doc["processes"]), 4)

    def test_a_reader_that_stands_still_for_a_moment_loses_nothing(self) -> None:
        """As the processors of a virtual machine do: calls are held up in the kernel until there is room again."""
        for _ in range(10):
            result, longest = self.flood_with_stops(0.03)
            if longest < 0.08 and result.doc["trace"]["brakes"] != 0:
                break
        else:
            self.skipTest("this machine's own pauses are longer than what is tested")
        self.complete(result)
        self.assertGreater(result.doc["trace"]["braked_s"], 0)

    def flood_with_stops(self, seconds: float) -> tuple[Result, float]:
        """The result, and how long the longest stop was."""
        longest = 0.0
        with subprocess.Popen(self.command("run", "--trace-buffer", "128K", "--", str(self.program), "flood", "2", "1000000"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            time.sleep(0.3)
            for _ in range(8):
                begun = time.monotonic()
                process.send_signal(signal.SIGSTOP)
                time.sleep(seconds)
                process.send_signal(signal.SIGCONT)
                longest = max(longest, time.monotonic() - begun)
                time.sleep(0.02)
            out, err = process.communicate(timeout=100 * harness.SLOW)
        return Result(process.returncode, out, err, 0), longest

    def test_fork_storm(self) -> None:
        result = self.traced("storm", "1000")
        self.complete(result)
        self.assertEqual(len(result.doc["processes"]), 1001)
        self.assertEqual(result.doc["counts"]["processes"], 1001)

    def test_long_arguments_are_whole(self) -> None:
        long = "x" * 100_000
        result = self.run_in(["/bin/echo", long, "end"])
        self.complete(result)
        self.assertEqual(result.doc["processes"][0]["argv"], ["/bin/echo", long, "end"])

    def stopped_amid_a_flood(self) -> Result:
        """Stopped at a moment at which the action is not frozen, for longer than its calls can be held up."""
        with subprocess.Popen(self.command("run", "--trace-buffer", "128K", "--", str(self.program), "open-flood", "4", "30000000"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            self.assertTrue(harness.wait_for(lambda: is_frozen(process.pid), 20 * harness.SLOW))
            for _ in range(1000):
                process.send_signal(signal.SIGSTOP)
                time.sleep(0.005)  # until all of its threads have stopped
                if not is_to_freeze(process.pid):
                    break
                process.send_signal(signal.SIGCONT)
                time.sleep(0.002)
            time.sleep(6)
            process.send_signal(signal.SIGCONT)
            process.terminate()
            out, err = process.communicate(timeout=100 * harness.SLOW)
        return Result(process.returncode, out, err, 0)

    def test_loss_is_said_and_never_green(self) -> None:
        """Stopped, rehearse cannot read the rings: what the action does meanwhile is lost, and that is the verdict."""
        # Nothing is lost if nothing of it ran just then.
        for _ in range(8):
            result = self.stopped_amid_a_flood()
            if result.doc["trace"]["lost"] != 0:
                break
        self.assertNotEqual(result.doc["trace"]["lost"], 0)
        self.assertEqual(result.code, harness.INCONCLUSIVE)
        self.assertFalse(result.doc["trace"]["complete"])
        self.assertIn("were lost", str(result.doc["verdict"]["findings"]))

    def test_killed_rehearse_leaves_a_readable_trace(self) -> None:
        with subprocess.Popen(self.command("run", "--", str(self.program), "flood", "2", "100000000"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(3 * harness.SLOW)
            harness.kill_and_reap(process)
        run = next((self.state / "runs").iterdir()).name
        shown = self.call("trace", run, "--summary", json_out=False)
        self.assertEqual(shown.code, harness.INCONCLUSIVE, shown.err)
        self.assertIn(b"without its end mark", shown.err)
        self.assertRegex(shown.out.decode(), r"(?m)^ +\d{4,} .* getppid$")
        self.assertEqual(self.call("gc").code, 0)

    def flooding(self) -> subprocess.Popen[bytes]:
        """A run that fills its small rings until it is ended."""
        process = subprocess.Popen(self.command("run", "--trace-buffer", "128K", "--", str(self.program), "flood", "2", "100000000"),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertTrue(harness.wait_for(lambda: thread_of(process.pid, "trace-drain") and is_frozen(process.pid) is not None, 20))
        # init, the program, and the two that it starts.
        self.assertTrue(harness.wait_for(lambda: population(process.pid) >= 4, 20))
        time.sleep(0.3 * harness.SLOW)
        return process

    def test_killed_while_the_run_is_frozen(self) -> None:
        """The group freezes because its records are not read; then rehearse dies. Nothing stays frozen, or at all."""
        process = self.flooding()
        drain = StoppedThread(thread_of(process.pid, "trace-drain"))
        self.assertTrue(harness.wait_for(lambda: is_frozen(process.pid), 9))
        process.kill()
        drain.reap()
        process.communicate(timeout=30 * harness.SLOW)
        self.assert_nothing_left_alive()
        run = next((self.state / "runs").iterdir()).name
        shown = self.call("trace", run, "--summary", json_out=False)
        self.assertEqual(shown.code, harness.INCONCLUSIVE, shown.err)
        self.assertRegex(shown.out.decode(), r"(?m)^ +\d{3,} .* getppid$")
        self.assertTrue(harness.wait_for(lambda: self.call("gc").code == 0 and not os.listdir(self.state / "active")))

    def test_each_thread_stuck(self) -> None:
        """A thread that stands still, whichever: the run is not left frozen, and what is missing is said."""
        runs = {name: self.flooding() for name in ("reader", "governor", "both", "main")}
        self.addCleanup(self.call, "gc")
        for process in runs.values():
            self.addCleanup(process.kill)
        stopped = {
            "reader": StoppedThread(thread_of(runs["reader"].pid, "trace-drain")),
            "governor": StoppedThread(thread_of(runs["governor"].pid, "trace-governor")),
            "both": StoppedThread(thread_of(runs["both"].pid, "trace-drain")),
            "main": StoppedThread(runs["main"].pid),
        }
        # The governor has frozen that run and stands still before it can thaw it: the reader, back again, must end it.
        self.assertTrue(harness.wait_for(lambda: is_frozen(runs["both"].pid), 9))
        governor = StoppedThread(thread_of(runs["both"].pid, "trace-governor"))
        stopped["both"].resume()
        self.assertTrue(harness.wait_for(lambda: not is_populated(runs["reader"].pid), 20), "a run whose reader is stuck lives on")
        self.assertTrue(harness.wait_for(lambda: not is_populated(runs["both"].pid), 20), "a run whose governor is stuck is left frozen")
        governor.resume()
        stopped["reader"].resume()
        # Without a governor a run goes on, and loses records, unless it was frozen just then; it is ended as a person would.
        for name in ("governor", "main"):
            stopped[name].resume()
            if is_populated(runs[name].pid):
                runs[name].terminate()
        for name, process in runs.items():
            out, err = process.communicate(timeout=60 * harness.SLOW)
            with self.subTest(stuck=name):
                result = Result(process.returncode, out, err, 0)
                self.assertEqual(result.code, harness.INCONCLUSIVE, err)
                trace = result.doc["trace"]
                self.assertEqual(trace["complete"], not trace["trouble"])
                if name in ("reader", "both"):
                    self.assertIn("could not be read in time, and the run was killed", str(trace["trouble"]))
                elif trace["lost"]:
                    self.assertIn("were lost", str(trace["trouble"]))
                shown = self.call("trace", result.doc["id"], "--summary", json_out=False)
                self.assertIn(shown.code, (0, harness.INCONCLUSIVE), shown.err)
                self.assertRegex(shown.out.decode(), r"(?m)^ +\d{3,} .* getppid$")

    def assert_nothing_left_alive(self) -> None:
        runs = os.listdir(self.state / "runs")
        self.assertTrue(harness.wait_for(lambda: not any("process" in line for line in harness.leftovers(runs, self.base)), 8),
                        harness.leftovers(runs, self.base))

    def test_full_store_is_cut_and_said(self) -> None:
        """The file of the trace cannot grow any more; the action goes on, what is kept can be read, the verdict says it."""
        harness.need("setpriv")
        # Who may raise the limit does.
        script = 'trap "" XFSZ; ulimit -f 512; exec setpriv --bounding-set -sys_resource --inh-caps -sys_resource "$@"'
        done = subprocess.run(["sh", "-c", script, "sh", *self.command("run", "--", str(self.program), "flood", "4", "1000000")],
                              capture_output=True, check=False, timeout=200 * harness.SLOW)
        result = Result(done.returncode, done.stdout, done.stderr, 0)
        self.assertEqual(result.code, harness.INCONCLUSIVE, done.stderr)
        self.assertEqual(result.doc["command"]["exit"], 0)
        self.assertFalse(result.doc["trace"]["complete"])
        self.assertIn("were not kept", str(result.doc["trace"]["trouble"]))
        shown = self.call("trace", "last", "--summary", json_out=False)
        self.assertEqual(shown.code, harness.INCONCLUSIVE)
        self.assertIn(b"trace cut here", shown.err)
        self.assertRegex(shown.out.decode(), r"(?m)^ +\d{4,} .* getppid$")

    def test_a_disk_that_is_full(self) -> None:
        """Somebody else fills the disk on which the trace is written: what is kept can be read, and nothing is called complete."""
        harness.need("mkfs.ext4", "mount", "fallocate")
        # A sampled reserve may end the run first; that is honest too.
        script = (
            'truncate -s 160M "$B/img"; mkfs.ext4 -q -F -m 0 "$B/img"; mkdir "$B/small"; mount -o loop "$B/img" "$B/small"; mkdir -m 700 "$B/small/state"\n'
            '"$REHEARSE" --state "$B/small/state" --json run -- "$PROGRAM" flood 2 400000000 > "$B/document" & run=$!\n'
            'while [ -z "$(find "$B/small/state/runs" -name trace -size +64k 2>/dev/null)" ] && kill -0 $run; do sleep 0.05; done; fallocate -l 1T "$B/small/fill" 2>/dev/null || true\n'
            'sleep 0.2; wait $run && code=0 || code=$?; echo "code $code" >&2; rm -f "$B/small/fill"\n'
            '"$REHEARSE" --state "$B/small/state" trace last --summary || echo "trace $?" >&2'
        )
        done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse, "PROGRAM": str(self.program)})
        self.assertEqual(done.returncode, 0, done.stderr[-1000:])
        self.assertRegex(done.stdout.decode(), r"(?m)^ +\d{4,} .* getppid$", done.stderr)
        code = int(re.search(rb"code (\d+)", done.stderr)[1])  # type: ignore[index]
        self.assertNotEqual(code, harness.GREEN)
        text = (self.base / "document").read_bytes()
        if code == harness.CANT_CREATE:
            self.assertIn(b"No space left", text + done.stderr)
            return
        result = Result(code, text, done.stderr, 0)
        self.assertIn("space", str(result.doc["verdict"]["findings"]))
        self.assertEqual(result.doc["trace"]["complete"], not result.doc["trace"]["trouble"])

    def test_fifty_runs_at_once_do_not_cross(self) -> None:
        number = 50
        runs = []
        for i in range(number):
            script = f"test -e /mark-{i}; {self.program} storm 5; test -e /mark-{i}"
            with open(self.base / f"document-{i}", "wb") as document:
                runs.append(subprocess.Popen(self.command("run", "--trace-buffer", "256K", "--", "sh", "-c", script), stdout=document, stderr=subprocess.PIPE))
        for i, process in enumerate(runs):
            _, err = process.communicate(timeout=200 * harness.SLOW)
            result = Result(process.returncode, (self.base / f"document-{i}").read_bytes(), err, 0)
            self.assertIn(process.returncode, harness.RAN, err)
            self.complete(result)
            self.assertEqual(len(result.doc["processes"]), 7)
            shown = self.call("trace", result.doc["id"])
            marks = re.findall(rb'"/mark-(\d+)"', shown.out)
            self.assertEqual((set(marks), len(marks)), ({str(i).encode()}, 2))

    def test_without_a_trace(self) -> None:
        result = self.shell("true", "--no-trace")
        self.assertEqual(result.code, harness.INCONCLUSIVE)
        self.assertNotIn("trace", result.doc)
        self.assertIn("system calls were not recorded", str(result.doc["fidelity"]["gaps"]))
        shown = self.call("trace", "last")
        self.assertEqual(shown.code, 65)
        self.assertIn(b"has no trace", shown.err)

    def test_hostile_trace_file(self) -> None:
        """A reader is not hurt by a damaged file, and says where it stopped believing it."""
        self.complete(self.traced("storm", "50"))
        run = next((self.state / "runs").iterdir())
        whole = (run / "trace").read_bytes()
        harness.wait_for(lambda: (run / "frozen").exists())
        for at in (0, 5, 40, 100, len(whole) // 2, len(whole) - 10):
            (run / "trace").write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1:])
            shown = self.call("trace", run.name, json_out=False)
            self.assertIn(shown.code, (65, 12), (at, shown.err))
        (run / "trace").write_bytes(whole[:len(whole) - 300])
        self.assertIn(self.call("trace", run.name, json_out=False).code, (65, 12))


    def test_trace_of_another_run(self) -> None:
        """A file that is not the one with which a run was finished is not printed as that run's."""
        theirs, ours = (self.shell(script).doc["id"] for script in ("echo theirs", "echo ours"))
        runs = self.state / "runs"
        harness.wait_for(lambda: (runs / ours / "frozen").exists())
        own = (runs / ours / "trace").read_bytes()
        forged = (runs / theirs / "trace").read_bytes()
        (runs / ours / "trace").write_bytes(forged)
        for verb in (("trace", ours), ("trace", ours, "--summary"), ("export", ours, "--jsonl"), ("export", ours, "--pcap")):
            shown = self.call(*verb, json_out=False)
            self.assertEqual((shown.code, shown.out, len(shown.err.splitlines()[:1])), (65, b"", 1), shown.err)
            self.assertIn(b"its root is another", shown.err)
        # Without its end it is nobody's: what is printed is not called whole.
        for changed in (forged[:-10], own[:-10], own + b"garbage", own + own[32:]):
            (runs / ours / "trace").write_bytes(changed)
            shown = self.call("trace", ours, json_out=False)
            self.assertEqual(shown.code, 65, shown.err)
            self.assertIn(b"damaged", shown.err)
        (runs / ours / "trace").write_bytes(own)
        self.assertEqual(self.call("trace", ours, json_out=False).code, 0)

    def test_a_report_does_not_vouch_for_what_is_damaged(self) -> None:
        """`show` looks whether the files are those of the run, and shows nothing of a report that was changed."""
        theirs, ours = (self.shell(f"cat {path} > {self.host}/made").doc["id"] for path in ("/etc/group", "/etc/passwd"))
        runs = self.state / "runs"
        harness.wait_for(lambda: (runs / ours / "frozen").exists())
        self.assertEqual(self.call("list", json_out=False).code, 0)  # the ledger has taken them in
        bundle = runs / ours

        def shown(*options: str) -> harness.Result:
            return self.call("show", ours, *options, json_out=False)

        whole = shown()
        self.assertEqual((whole.code, b"proof     complete" in whole.out, b"not checked here: what is in the file" in whole.out), (0, True, True))
        self.assertNotIn(b"and the verdict", whole.out)
        for name in ("trace", "reads"):
            own = (bundle / name).read_bytes()
            for changed, said in (((runs / theirs / name).read_bytes(), b"root is another"), (own[:-20], b""), (own + b"more", b""), (None, b"is gone")):
                with self.subTest(name, changed=changed and len(changed)):
                    (bundle / name).unlink()
                    if changed is not None:
                        (bundle / name).write_bytes(changed)
                    for options in ((), ("--md",), ("--sarif",), ("--why",)):
                        result = shown(*options)
                        self.assertEqual(result.code, 65, result.err)
                        self.assertIn(b"the file " + name.encode(), result.err)
                        self.assertIn(said, result.err)
                        self.assertTrue(result.out)
                    self.assertNotIn(b"proof     complete", shown().out)
                    (bundle / name).unlink(missing_ok=True)
                    (bundle / name).write_bytes(own)
        own = (bundle / "reads").read_bytes()
        (bundle / "reads").write_bytes(own.replace(b"/etc/passwd", b"/etc/passwe"))
        result = shown()
        self.assertEqual((result.code, b"the file reads is damaged" in result.err), (65, True), result.err)
        (bundle / "reads").write_bytes(own)
        own = (bundle / "trace").read_bytes()
        (bundle / "trace").unlink()
        gone = self.call("trace", ours, json_out=False)
        self.assertEqual((gone.code, b"was recorded, and its file trace is gone" in gone.err), (65, True), gone.err)
        (bundle / "trace").symlink_to("../elsewhere")
        for verb in ("trace", "show"):
            self.assertEqual(self.call(verb, ours, json_out=False).code, 65)
        (bundle / "trace").unlink()
        (bundle / "trace").write_bytes(own)

        own = (bundle / "run.json").read_bytes()
        level = json.loads(own)["verdict"]["level"]
        other = "red" if level == "green" else "green"
        digest = json.loads(own)["digest"]
        forged = digest[:-1] + ("0" if digest[-1] != "0" else "1")
        for changed in (own.replace(f'"verdict":{{"level":"{level}"'.encode(), f'"verdict":{{"level":"{other}"'.encode()), own.replace(digest.encode(), forged.encode()), own.replace(b'"cwd":"', b'"cwd":"/elsewhere', 1),
                        own.replace(b'"why":"', b'"why":"Never mind. ', 1), own + b"\n"):
            self.assertNotEqual(changed, own)
            (bundle / "run.json").write_bytes(changed)
            for options in ((), ("--md",), ("--why",)):
                result = shown(*options)
                self.assertEqual((result.code, result.out, b"run.json has been changed" in result.err), (65, b"", True), result.err)
        (bundle / "run.json").write_bytes(own)

        own = (bundle / "manifest").read_bytes()
        for changed in ((runs / theirs / "manifest").read_bytes(), None):
            (bundle / "manifest").unlink()
            if changed is not None:
                (bundle / "manifest").write_bytes(changed)
            result = shown()
            self.assertEqual((result.code, result.out, ours.encode() in result.err, b"rehearse again" in result.err), (65, b"", True, True), result.err)
        for verb in ("diff", "explain"):
            result = self.call(verb, ours, json_out=False)
            self.assertEqual((result.code, b"manifest is gone" in result.err), (65, True), result.err)
        (bundle / "manifest").write_bytes(own)
        self.assertEqual(shown().code, 0)
        for file in self.state.glob("ledger.db*"):
            file.unlink()
        self.assertEqual(shown().code, 0)


class StoppedThread:
    """One thread of another process, standing still while the others go on (ptrace, from this thread only)."""

    libc = ctypes.CDLL(None, use_errno=True)
    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
    WALL = 0x40000000

    def __init__(self, tid: int) -> None:
        self.tid = tid
        self.ptrace(self.SEIZE)
        self.ptrace(self.INTERRUPT)
        os.waitpid(tid, self.WALL)

    def ptrace(self, request: int) -> None:
        if self.libc.ptrace(request, self.tid, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace({request:#x}) of {self.tid}")

    def resume(self) -> None:
        self.ptrace(self.DETACH)

    def reap(self) -> None:
        """After its process was killed."""
        os.waitpid(self.tid, self.WALL)


def thread_of(pid: int, name: str) -> int:
    """The thread of that name, 0 if there is none."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        if Path(f"/proc/{pid}/task/{tid}/comm").read_text() == f"{name}\n":
            return int(tid)
    return 0


def group_of(pid: int) -> Path | None:
    """The cgroup2 directory of the run that process `pid` supervises; its workers are in its own."""
    def group_line(process: int) -> str:
        return next((line[3:] for line in Path(f"/proc/{process}/cgroup").read_text().splitlines() if line.startswith("0::")), "")

    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        line = group_line(child)
        for root in harness.cgroup_roots() if line != group_line(pid) else ():
            group = Path(root + line)
            if (group / "cgroup.freeze").exists():
                return group
    return None


def events_of(pid: int) -> str | None:
    """What cgroup.events says of its run; None if it has no group (yet, or any more: it may go at every moment)."""
    try:
        group = group_of(pid)
        return None if group is None else (group / "cgroup.events").read_text()
    except OSError:
        return None


def population(pid: int) -> int:
    """How many processes live in its run."""
    try:
        group = group_of(pid)
        return 0 if group is None else len((group / "cgroup.procs").read_text().split())
    except OSError:
        return 0


def is_frozen(pid: int) -> bool | None:
    """Whether its run is frozen; None if it has none yet."""
    events = events_of(pid)
    return None if events is None else "frozen 1" in events


def is_to_freeze(pid: int) -> bool:
    """Whether its governor has asked for that, whatever has come of it by now."""
    try:
        group = group_of(pid)
        return group is None or (group / "cgroup.freeze").read_text().strip() != "0"
    except OSError:
        return True


def is_populated(pid: int) -> bool:
    """Whether anything lives in its run."""
    return "populated 1" in (events_of(pid) or "")


def between_marks(lines: list[str]) -> list[str]:
    lines = [line for line in lines if not line.startswith(("---", "===", "+++", "***"))]
    marks = [i for i, line in enumerate(lines) if line.startswith("close(-77777)")]
    return lines[marks[0] + 1:marks[1]]


def comparable(line: str) -> str:
    """Without what only one of two observers of a call tells."""
    line = re.sub(r"  !! .*$", "", line)
    line = re.sub(r"  <-?\d+: .*>$", "", line)
    line = re.sub(r"(= \d+)<.*>$", r"\1", line)
    if name(line) not in ("poll", "ppoll", "select", "pselect6"):  # what the others have filled in since they began is not told
        line = re.sub(r"(= \d+) \(.*\)$", r"\1", line)
    return re.sub(r"\)\s+= ", ") = ", line)


def plain(line: str) -> str:
    """What differs between two runs of the same program, made equal."""
    line = re.sub(r"  <.*>$|  !! .*$", "", line)
    line = re.sub(r"(= \d+)<.*>$", r"\1", line)
    line = re.sub(r"rehearse-calls-\d+", "rehearse-calls-X", line)
    line = re.sub(r"0x[0-9a-f]{6,}", "0xP", line)
    line = re.sub(r"/\* \d+ vars \*/", "/* N vars */", line)
    line = re.sub(r"\s+= ", " = ", line)
    if name(line) in ("getpid", "getppid", "set_tid_address", "kill", "gettid"):
        line = re.sub(r"\d+", "N", line)
    return line


def name(line: str) -> str:
    return line.split("(", 1)[0]


def result_of(line: str) -> str:
    return line.rsplit(" = ", 1)[-1]


def head(line: str) -> str:
    return f"{name(line)} = {result_of(line)}"


if __name__ == "__main__":
    harness.main()
