#!/usr/bin/env python3
"""Writes the seed corpora tests/data/fuzz/TARGET/*: a few small inputs each, enough to reach every branch's door."""
import base64, hashlib, json, os, struct, sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "fuzz")


def seed(target, name, content):
    directory = os.path.join(root, target)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def text(t):
    t = t if isinstance(t, bytes) else t.encode()
    return varint(len(t)) + t


HOSTILE = b"\x1b[2K\x1b]52;c;eA==\x07\xe2\x80\xaecod\xff\n\\'"
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in
    [(1, 6, 0xFFFFFFFF), (2, 4, 1000), (4, 4, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)])
CAPS = struct.pack("<IIIIII", 0x03000001, 1 << 13, 0, 0, 1 << 8, 100000)

# manifest: as src/effects/manifest.cc writes it
def attributes(size=10, xattrs=()):
    body = varint(7) + varint(2049) + varint(131) + varint(5) + varint(2 << 40) + varint(2 << 40)
    body += b"".join(varint(n) for n in (0o644, 0, 0, size, 8, 2)) + varint(131) + varint(0) + text("target")
    body += bytes(range(32)) + varint(len(xattrs))
    for name, value in xattrs:
        body += text(name) + text(value)
    return body + varint(16)

def record(kind, path, before=b"", after=b"", also=(), flags=0):
    body = varint(kind) + varint(0) + varint(flags | bool(before) | bool(after) * 2) + varint(0)
    body += text(path) + text("/from" if kind == 3 else "") + text("coreutils") + varint(len(also))
    body += b"".join(text(w) for w in also) + before + after
    return varint(len(body)) + body

records = [record(1, "/etc/new", after=attributes()), record(2, b"/gone/" + HOSTILE, before=attributes()),
           record(3, "/to", attributes(), attributes(12), ["overwrote", "mode"]),
           record(5, "/bin/ping", attributes(), attributes(10, [("security.capability", CAPS),
                  ("system.posix_acl_access", ACL), ("user.x", b"\x00")]), ["caps", "acl"], 12)]
MANIFEST = b"RHMANIF1" + b"".join(records) + varint(0) + varint(len(records)) + bytes(32)
seed("manifest", "four", MANIFEST)
seed("manifest", "empty", b"RHMANIF1" + varint(0) + varint(0) + bytes(32))
seed("manifest", "long_record", b"RHMANIF1" + varint(1 << 40) + b"x")

# changes as tests/fuzz/changes.h takes them: n-byte numbers and one-byte lengths
def number(n):
    raw = n.to_bytes(8, "big").lstrip(b"\0")
    return bytes([len(raw)]) + raw
def short(t):
    t = t if isinstance(t, bytes) else t.encode()
    return bytes([len(t)]) + t
def made_attributes(size, xattr=None):
    out = number(2049) + number(131) + b"\1" + number(3) + number(10**18) + number(10**18) + number(0o4755) + number(0)
    out += number(0) + number(size) + number(8) + number(1) + b"\0" + number(0x801) + short(HOSTILE) + b"\1" + short("c")
    return out + (b"\0" if xattr is None else bytes([1, xattr[0]]) + short(xattr[1])) + number(16)
def made(kind, file_type, path, before=b"", after=b"", also=b"\0"):
    flags = (4 if before else 0) | (8 if after else 0)
    return bytes([kind, file_type, flags]) + short(path) + short("/old") + short("pkg") + number(0) + also + before + after
changes = (made(1, 0, "/new", after=made_attributes(1 << 30, (2, CAPS))) + made(2, 1, HOSTILE, before=made_attributes(5)) +
           made(3, 0, "/to", made_attributes(1), made_attributes(2), b"\1\0") + made(0, 2, "/t", made_attributes(1), made_attributes(1)) +
           made(5, 0, "/m", made_attributes(1, (0, ACL)), made_attributes(1, (1, ACL))) + made(6, 5, "/same"))
seed("manifest_write", "six", number(77) + changes)
seed("report", "six_wide", bytes([120]) + changes)
seed("report", "six_pipe", bytes([0]) + changes)
seed("report", "many", bytes([40]) + made(4, 0, "/x" * 100, made_attributes(1), made_attributes(99)) * 9)

run = {"schema": "rehearse.run/1", "id": "20261124-020515-abcdef", "digest": "sha256:00", "created": "", "created_ns": 1795500315123456789,
       "host": {"name": "box\u202e", "kernel": "6.1.0", "boot_id": "b"}, "tool": {"version": "0.1.0"}, "profile": "shifted",
       "requester": {"uid": 0, "loginuid": 1000, "sudo_uid": None, "tty": "/dev/pts/0", "unit": None},
       "action": {"name": "n", "argv": ["sh", "\u001b[2J"], "argv_b64": ["c2g=", "/w=="], "cwd": "/", "uid": 0, "gid": 0,
                  "env": {"PATH": "/bin", "A": "\n"}, "claimed": None},
       "verdict": {"level": "yellow", "findings": [{"rule": "core.not-judged", "level": "yellow", "enforce": "soft",
                   "evidence": [{"kind": "file", "path": "/x"}, {"kind": "limit", "text": "t"}], "why": "w", "fix": "f"}]},
       "command": {"exit": 1, "signal": None, "timed_out": True, "error": None, "wall_s": 1.5, "user_s": 0.000000001, "sys_s": 0.0,
                   "max_rss_bytes": 1, "written_bytes": 2, "stdout_bytes": 3, "stderr_bytes": 4, "output_cut": True,
                   "leftover_processes": [{"pid": 42, "comm": "x", "argv": ["a", "b"]}]},
       "counts": {"created": 1, "modified": 2, "deleted": 3, "metadata": 4, "renamed": 5, "type": 6, "identical": 7},
       "fidelity": {"score": 0.9, "gaps": [{"what": "a", "why": "b", "cap": "inconclusive"}]}, "manifest_root": "aa",
       "limits": ["l"], "layers": [{"index": 0, "mountpoint": "/", "fstype": "ext4", "aliases": ["/mnt"]}],
       "phases": {"plan_s": 0.001, "build_s": 0.002, "run_s": 1e-9, "read_s": 0, "judge_s": 0}}
seed("run_json", "full", json.dumps(run))
del run["action"]["env"]
run["action"]["env_b64"] = [["QQ==", "/w=="]]
run["command"].update(exit=None, signal=9)
seed("run_json", "exact_env", json.dumps(run))
seed("run_json", "least", '{"schema":"rehearse.run/1","id":"x","verdict":{"level":"red"}}')
seed("run_json", "deep", '{"schema":' + "[" * 200)

del run["action"]["env_b64"]
run["action"].update(env={}, claimed="c", expect={"source": "e.toml", "level": "red", "wanted": [{"what": "exit", "values": ["0"]}]})
ran = {"argv": ["true"], "ran": True, "exit": 0, "signal": None, "timed_out": False, "error": None, "wall_s": 0.1, "stdout": "o", "stderr": "e",
       "process": 2, "changed": ["/x"]}
run.update(expectations=[{"what": "exit", "wanted": "0", "got": "1", "met": False}], probes=[{**ran, "expected_exit": 0, "met": True}],
           validations=[{**ran, "result": "invalid", "files": ["/etc/sudoers"], "before": "invalid", "before_said": "x"}],
           read_only={"enforced": False, "watched": True, "scratch": 2, "attempts_total": 1,
                      "attempts": [{"what": "file", "call": "openat()", "path": "/etc/x", "errno": "EROFS", "exe": "/bin/sh", "argv": ["sh"]}]})
seed("run_json", "expected", json.dumps(run))

EXPECT = """schema = "rehearse.expect/1"
[expect]
exit = 0
wall = "<30s"
memory = "<1GiB"
may_change = ["/etc/nginx/**", "/x"]
must_change = ["/x/*"]
must_not_change = ["/etc/passwd"]
net = ["api.example.com:80", "udp:10.0.0.0/8:53"]
units = ["nginx.service:restart", "manager:daemon-reload"]
level = "red"
[expect.accounts]
must = ["user-added:deploy", "member-added:deploy:*"]
[expect.packages]
may = []
must_not = ["removed:*"]
[[probe]]
run = ["nginx", "-t"]
exit = 1
timeout = "5s"
stdout = ["ok"]
"""
seed("expect_file", "whole", b"\x05/x/yz" + EXPECT.encode())
seed("expect_file", "patterns", b"\0schema = \"rehearse.failures/1\"\n[[failure]]\nkind = \"killed\"\nneedle = \"x\"\npattern = '(a|b)+x'\nsubject = \"file\"\nstrong = true\n")
seed("expect_file", "validators", b"\0schema = \"rehearse.validators/1\"\n[[validator]]\nfiles = [\"/etc/x/**\"]\nrun = [\"x\", \"{unit}\"]\nunsure = 'a|b'\ntimeout = \"1s\"\n")
seed("expect_file", "wrong", b"\0schema = \"rehearse.expect/1\"\n[expect]\nwal = 1\n")
SAID = b"sh: 1: nosuch: not found\ncat: gone: No such file or directory\nERROR:  relation \"x\" does not exist\nnginx: [emerg] x\n\xff\xfe\n"
seed("failures", "script", bytes([1, 1, 127, 0, 0, 2, 1, 0, 0, 1, 127, 0, 1, 9, 2, 1, 0, 1, 127, 1, 1, 5, 1, 2, 4]) + b"gone" + bytes([1, 0, 0, 1, 2, 0]) + SAID * 2)
seed("failures", "newline", bytes([1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 5]) + b"\ngone" + bytes([1, 0, 0, 0]) + b"\ngone: No such file\n" * 2)
seed("failures", "silent", bytes([0, 0, 1, 9, 1]))

MOUNTS = r"""24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
25 24 0:5 / /dev rw,nosuid - devtmpfs udev rw
26 24 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
27 26 0:23 / /sys/fs/cgroup/unified rw shared:2 master:3 - cgroup2 cgroup2 rw
28 26 0:24 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
29 24 8:2 /@home /home\040x rw propagate_from:2 - btrfs /dev/sdb rw,subvol=/@home
30 24 8:3 / /dev rw - tmpfs over rw
31 30 8:4 / / rw - tmpfs stacked rw
"""
seed("mountinfo", "hybrid", MOUNTS.encode() + b"\0" + b"4:pids:/user.slice\n0::/system.slice/x.service\n")
seed("mountinfo", "cycle", "1 2 0:1 / / rw - a b c\n2 1 0:1 / / rw - a b c\n3 3 0:1 / /x rw - a b c\n")
seed("mountinfo", "escapes", "1 0 0:1 / / rw - a b c\n2 1 0:2 /\\134\\012 /\\777\\04 rw - f\\040x s o\n")

seed("escape", "hostile", b"\x10" + HOSTILE)
seed("escape", "unicode", b"\x20" + "a\u0301漢字\U0001f600\u00ad\u0600\u2028\ue000\U000e0041\U0001bca0".encode())
seed("escape", "broken", b"\0" + b"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x80")
seed("escape", "base64", b"\x08" + b"Zm9vYmE=")
seed("escape", "quotes", b"\x08it's $x 'y' \\ \"")

seed("json_writer", "object", bytes([8, 3, 1, 97, 1, 3]) + b"\xff\x00\x1b" + bytes([1, 98, 0, 7, 2, 5, 2]) + b"\xe2\x80" + bytes([4, 3, 1, 2, 3, 1, 99, 0, 1, 1]))
seed("json_writer", "string", bytes([5, 10]) + "\"\\\u202e\u007f\t\U000e0041".encode())
seed("json_writer", "seconds", bytes([4, 8]) + b"\xff" * 8)

seed("text_diff", "small", b"\3\0a\nb\nc\n\0a\nx\nc")
seed("text_diff", "letters", bytes([3, 1]) + bytes(range(0, 250, 7)))
seed("text_diff", "no_newline", b"\0\0a\nb\0a\nb\n")
seed("text_diff", "from_nothing", b"\3\0\0new\n")

for i, t in enumerate(["512", "1.5GiB", "64 k", "250ms", "2d", "-1", "1e9", "nan", "0x10", "999999999999T"]):
    seed("units", "word%d" % i, number(10 ** (2 * i)) + t.encode())
seed("units", "edge", number(999_960_000))
seed("units", "before_epoch", number((1 << 64) - 1_500_000))

PASSWD = "root:x:0:0:root:/root:/bin/bash\n# no\nwww:x:33:33:w:/var/www:/bin/false\n:x:7:7:::\nbad:x:4294967295:0:::\n"
GROUP = "root:x:0:\nadm:x:4:www,root\nwww:x:33:\nx:y:z\ndup:x:4:www\n"
for name in ("www", "0", "nobody", "77", ""):
    seed("users", "find_" + (name or "empty"), short(name) + PASSWD.encode() + b"\0" + GROUP.encode())

seed("run_options", "plain", "--timeout\n30s\n--memory=1G\n--env\nA=b\n--\nrm\n-rf\n--\n/")
seed("run_options", "words", "--plan\n--json\nls\n-l")
seed("run_options", "wrong", "--pids\n-5\n--cpus\nnan\n--tty\nnever\ntrue")
seed("run_options", "values", "--pids=18446744073709551616\n--cpus\n1e400\n--hide\n/a\n--mask\n/b\n--unmask\n/c\n--user\nx\n--cwd\n/\n--fail-on\nred\n--profile\nroot\n--\nx")

seed("overlay", "relative", short(b"\0\xfb\x1d\0\x01" + bytes(16) + b"\1\2\3\4\5\6\7\x08") + b"name")
seed("overlay", "absolute", short("") + b"/a/b")
seed("overlay", "forged", short(b"\0\xfb") + b"/../../etc")
seed("overlay", "zero", short("") + b"/a\0/b")
seed("overlay", "slashes", short("") + b"a/b")

seed("packages", "two", short("/usr/bin/ls") + b"/.\n/usr\n/usr/bin\n/usr/bin/ls\n\0/usr\n/bin/cat")

# calls as tests/fuzz/fuzz_decode.cc takes them
def call(nr, args, abi=0, result=-2, texts=(), blobs=(), argv=(), after=()):
    out = number(nr) + bytes([abi, 1]) + number(result & (1 << 64) - 1)
    for i in range(6):
        out += number(args[i] & (1 << 64) - 1 if i < len(args) else 0)
        known, blob, later = dict(texts).get(i), dict(blobs).get(i), dict(after).get(i)
        out += b"\0" if known is None else b"\1" + short(known) + b"\0"
        if known is None:
            out += b"\0" if blob is None else b"\1" + short(blob) + (b"\0" if later is None else b"\1" + short(later))
    return out + bytes([len(argv)]) + b"".join(short(a) for a in argv) + b"\2"
seed("decode", "openat", call(257, [-100, 4096, 0x80241, 0o644], texts=[(1, HOSTILE)]))
seed("decode", "connect", call(42, [3, 4096, 16], blobs=[(1, struct.pack("<H", 2) + b"\0\x50\x7f\0\0\1" + bytes(8))]))
seed("decode", "connect6", call(42, [3, 4096, 28], blobs=[(1, struct.pack("<HHI", 10, 5, 6) + bytes(range(20)))]))
seed("decode", "unix", call(49, [3, 4096, 9], blobs=[(1, b"\1\0\0ab\xff\x1b")]))
seed("decode", "packet", call(44, [3, 1, 2, 0, 4096, 20], blobs=[(4, struct.pack("<HHiHBB", 17, 0x300, 1, 1, 0, 6) + b"\1\2\3\4\5\6\7\7")]))
seed("decode", "netlink", call(45, [3, 1, 2, 0, 4096, 12], blobs=[(4, struct.pack("<HHII", 16, 0, 7, 9))]))
seed("decode", "clone3", call(435, [4096, 88], blobs=[(0, struct.pack("<11Q", 0x301200f00, 1, 2, 3, 17, 5, 6, 7, 8, 1, 4))]))
seed("decode", "execve", call(59, [4096, 8192, 1], texts=[(0, "/bin/sh")], argv=["sh", HOSTILE]))
seed("decode", "futex", call(202, [1, 0x189, 1, 0, 0, 0xffffffff], result=-516))
seed("decode", "futex_timeout", call(202, [1, 0x80, 1, 4096], result=-110, blobs=[(3, bytes(range(16)))]))
seed("decode", "poll", call(7, [4096, 2, 5], result=2, blobs=[(0, bytes(range(16)))], after=[(0, bytes(range(16)))]))
seed("decode", "select", call(23, [40, 4096, 0, 0, 4096], result=1, blobs=[(1, b"\x28\6"), (4, bytes(16))]))
seed("decode", "termios", call(16, [0, 0x5401, 4096], result=0, blobs=[(2, bytes(range(200, 216)))]))
for seeded in (61, 63, 98, 99, 100, 138, 247, 449):
    seed("decode", "struct%d" % seeded, call(seeded, [4096] * 5, result=1, blobs=[(i, bytes(range(140))) for i in range(5)]))
seed("decode", "prctl", call(157, [22, 2, 1], result=0))
seed("decode", "unknown", call(500, [1, 2, 3], result=-3000))
seed("decode", "i386", call(11, [1, 2, 3], abi=1))
seed("decode", "x32", call(0x40000010, [1, 0x89ab1234, 3], abi=2, result=5))
# filter: a byte each for the event's type, name and numbers, then the filter
for i, t in enumerate(["evt.type in (open, openat, 'read') and not fd.name startswith /etc",
                       "(proc.pid = 0x2a or proc.aname[1] != bash) and evt.arg[path] icontains \"S\\x41\"",
                       "tolower(basename(fd.name)) = val(proc.name) or len(fd.name) > 017",
                       "fd.ip = 10.0.0.0/8 or fd.cip in (::1, 2001:db8::/32) or fd.port >= 1024",
                       "fd.name pmatch (/etc, /us*) or fd.name glob '/[!a-d]*\\\\?' or fd.name iglob *X*",
                       "fd.name regex '(/[^/]+)*x?' or fd.name bcontains 7f45 or fd.name bstartswith 2f",
                       "evt.time > 2026-11-24T10:00:00.5+01:00 or evt.time < 1.5 or evt.latency >= 10ms",
                       "evt.failed = true and evt.arg.size < 4096 and evt.res exists and evt.dir=>",
                       "b64(evt.args) contains x and evt.rawres intersects (-2, 0)", "proc.nmae = x", "((((not fd.name", "fd.name = 'x"]):
    seed("filter", "filter%d" % i, bytes([i, i * 7, i * 3]) + t.encode())

# trace: records as bpf/events.h has them, and a file of them without blocks
def record(kind, body, tid=100, nr=0, args=0, time=1000):
    body += b"\0" * (-len(body) % 8)
    return struct.pack("<IBBHQII", 24 + len(body), kind, 0, args, time, tid, nr) + body
def attachment(kind, content, arg=0, flags=0):
    return struct.pack("<BBBBI", kind, arg, flags, 0, len(content)) + content + b"\0" * (-len(content) % 8)
def exited(nr, args, result, *attachments):
    return record(1, struct.pack("<q%dQ" % len(args), result, *(a & (1 << 64) - 1 for a in args)) + b"".join(attachments), nr=nr, args=len(args))
def entered(nr, args, *attachments):
    return b"".join([record(2, struct.pack("<q%dQ" % len(args), 0, *(a & (1 << 64) - 1 for a in args)) + b"".join(attachments), nr=nr, args=len(args))])
def forked(parent, child, tgid=None, inner=2):
    return record(3, struct.pack("<IIIIQQ16s", parent, child, tgid or child, inner, 5, 0, b"sh"), tid=parent)
FILE = struct.pack("<QQQIIIIIIII", 131, 1 << 60, 10, 2049, 7, 0o100644, 1, 0, 0, 3, 0)
EXEC = record(4, struct.pack("<IIIIII16s", 100, 100, 8, 8, 1, 0, HOSTILE[:16]) + attachment(6, b"/usr/bin/x") + attachment(6, b"/bin/sh", 1)
              + attachment(5, struct.pack("<8IQ", *[2147483648] * 8, 1 << 21)) + attachment(3, FILE) + attachment(4, b"sh\0bin\0usr\0"))
ARGV = record(5, struct.pack("<II", 8, 0) + b"sh\0-c\0\xff\0")
DEAD = record(6, struct.pack("<IiIIQQQ", 100, 9, 1, 0, 5, 6, 7))
START = forked(1, 50, inner=1) + forked(50, 100) + EXEC + ARGV
OPEN = entered(257, [-100, 4096, 0, 0], attachment(1, HOSTILE, 1)) + exited(257, [-100, 4096, 0, 0], 3, attachment(1, b"/other", 1), attachment(3, FILE), attachment(4, HOSTILE + b"\0etc\0"))
SOCKET = entered(42, [3, 4096, 16], attachment(2, struct.pack("<H", 2) + b"\0\x50\x7f\0\0\1" + bytes(8), 1)) + exited(42, [3, 4096, 16], -111)
for name, records in {"open": START + OPEN + DEAD, "exec": START + exited(59, [1, 2, 3], 0) + forked(100, 101, 100) + DEAD,
                      "socket": START + exited(41, [2, 1, 0], 3) + SOCKET, "calls": START + exited(165, [1, 2, 3, 4, 5], -1) + exited(0xffffffff, [], 0) + exited(33, [3, 7], 7) + exited(3, [3], 0),
                      "signal": START + record(7, struct.pack("<iiIIII", 9, 0, 7, 7, 0, 0)) + record(8, HOSTILE[:16]) + record(9, struct.pack("<II", 5, 0)),
                      "unfinished": START + entered(231, [0]) + DEAD, "cut": START[:-9],
                      "times": START + record(6, struct.pack("<IiIIQQQ", 100, 9, 1, 0, 5, 6, 7), time=(1 << 63) + 5)}.items():
    seed("trace_events", name, records)
seed("trace_file", "empty", b"RHTRACE1" + struct.pack("<IIqq", 32, 1, 5, 6))
seed("trace_file", "head", b"RHTRACE1" + struct.pack("<IIqq", 32, 1, 5, 6) + struct.pack("<IIII", 0x42544852, 1, 8, 8) + bytes(168) + b"x" * 8)
seed("trace_file", "version", b"RHTRACE1" + struct.pack("<IIqq", 32, 9, 5, 6))

# dns: a byte of flags (1: nxdomain, 2: TCP), then the message; TCP in pieces, a byte of size before each
def dns_name(name):
    return b"".join(short(label) for label in name.split(".") if label) + b"\0"
def dns(name, kind, additional=b"", count=0, klass=1, flags=0x100):
    return struct.pack(">6H", 0x1234, flags, 1, 0, 0, count) + dns_name(name) + struct.pack(">HH", kind, klass) + additional
EDNS = b"\0" + struct.pack(">HHIH", 41, 4096, 0x8000, 12) + struct.pack(">HH", 10, 8) + b"cookie12"
for name, message in {"a": dns("www.example.com", 1), "mocked": dns("a.b", 1, EDNS, 1), "txt": dns("A.b", 16), "alias": dns("x.c", 28),
                      "loop": dns("l.d", 1), "gone": dns("n.d", 1), "srv": dns("s.d", 33), "mx": dns("m.d", 15), "any": dns("a.b", 255),
                      "local": dns("x.localhost", 28), "ptr": dns("1.0.0.127.in-addr.arpa", 12), "chaos": dns("version.bind", 16, klass=3),
                      "ptr6": dns(".".join("1" + "0" * 31) + ".ip6.arpa", 12), "update": dns("a.b", 6, flags=0x2800),
                      "pointer": dns("a.b", 1)[:12] + b"\xc0\x0c\0\1\0\1", "skipped": dns("a.b", 1, b"\3foo\xc0\x0c" + bytes(10) + EDNS, 2)}.items():
    seed("dns", name, b"\0" + message)
    framed = struct.pack(">H", len(message)) + message
    seed("dns", name + "_tcp", b"\3" + b"".join(bytes([6]) + framed[i:i + 7] for i in range(0, len(framed), 7)))
# dns_zone: mocks, each a name, a byte of type, a number and data
def mock(name, kind, data):
    return short(name) + bytes([["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT", "NXDOMAIN", "x"].index(kind)]) + number(60) + short(data)
seed("dns_zone", "hosts", mock("a.example", "A", "10.0.0.1") + mock("*.b.example", "AAAA", "2001:db8::1") + mock("*", "NXDOMAIN", ""))
seed("dns_zone", "alias", mock("a.example", "CNAME", "b.example.") + mock("c\\.d.example", "NS", "\\000.x"))
seed("dns_zone", "services", mock("a.example", "MX", "10 m.example") + mock("_x._tcp.e", "SRV", "0 5 443 w.example") + mock("5.0.0.10.in-addr.arpa", "PTR", "a.e"))
seed("dns_zone", "text", mock("a.example", "TXT", "v=spf1 -all") + mock("b.example", "TXT", '"a \\" b" "c"') + mock("a.example", "x", "y"))

# client_hello: a byte of piece size, then records
def block(content, size=2):
    return len(content).to_bytes(size, "big") + content
def extension(kind, content):
    return struct.pack(">H", kind) + block(content)
def hello(extensions):
    body = b"\3\3" + bytes(32) + block(b"", 1) + block(struct.pack(">HH", 0x1301, 0xc02f)) + block(b"\0", 1) + block(extensions)
    return b"\1" + block(body, 3)
def tls_record(content):
    return b"\x16\3\1" + block(content)
SNI = extension(0, block(b"\0" + block(b"api.example.com")))
ALPN = extension(16, block(block(b"h2", 1) + block(b"http/1.1", 1)))
HELLO = hello(SNI + ALPN + extension(43, block(b"\x3a\x3a\3\4\3\3", 1)) + extension(0xfe0d, b"x") + extension(10, block(b"\0\x1d")))
for name, content in {"whole": tls_record(HELLO), "records": b"".join(tls_record(HELLO[i:i + 9]) for i in range(0, len(HELLO), 9)),
                      "http": b"GET / HTTP/1.1\r\n", "twice": tls_record(hello(SNI + SNI)), "long": tls_record(b"\1\0\x80\0" + bytes(40))}.items():
    seed("client_hello", name, b"\x06" + content)
    seed("tls_server", name, b"\0" + b"".join(bytes([249]) + content[i:i + 250] for i in range(0, len(content), 250)))
# tls_server: 1, 2: with a client of these three options; then damage to its flights, or what both say
seed("tls_server", "damaged", bytes([1, 1, 1, 1, 1, 0, 60, 9, 0, 0, 1, 0, 7, 3]))
seed("tls_server", "damaged12", bytes([1, 1, 0, 0, 0, 1, 0, 40, 200, 0]))
for version in (0, 1):
    seed("tls_server", "talk%d" % version, bytes([2, 1, 1, version, 1]) + short("GET / HTTP/1.1") + b"\0\0" + short("HTTP/1.1 200 OK") + b"\1" + short("x" * 200) + b"\1\0\30\1" + b"tail")

# rules: a destination (protocol, 16 bytes, IPv4?, port, synthetic?, name?), then a rule a line
def destination(four, port, name=None):
    return b"\1" + bytes(16) + b"\1" + bytes(four) + number(port) + (b"\0\0" if name is None else b"\1\1" + bytes([len(name)]) + name.encode())
RULES = ["tcp:deb.example.org:443,bytes=500MiB,rate=10MiB/s,time=5m,record", "tcp:10.0.0.0/8:1000-2000", "udp:[2001:db8::]/32:*",
         "host-loopback:5432", "tcp:*.example.org:443", "tcp:*:25=ETIMEDOUT", "tcp:*:*=drop", "tcp:0.0.0.0/0:443"]
for i, rule in enumerate(RULES):
    seed("rules", "rule%d" % i, destination([93, 184, 216, 34], 443) + rule.encode())
seed("rules", "name", destination([198, 18, 0, 1], 443, "deb.example.org") + "\n".join(RULES).encode())
seed("rules", "private", destination([10, 0, 0, 5], 1500) + "\n".join(RULES[:5]).encode())
seed("rules", "loopback", destination([127, 0, 0, 1], 5432) + "\n".join(RULES[2:5]).encode())

# http: what is done with the bytes (parser, service, recorder), then its input
CURL = b"GET /a/1 HTTP/1.1\r\nHost: x\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"
CHUNKED = b"PUT /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"
seed("http", "requests", b"\0\x05\1" + CURL + CHUNKED + b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
seed("http", "replies", b"\0\x05\0" + REPLY + b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not Found\r\n\r\nto the end")
seed("http", "broken", b"\0\x20\1GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
def steps(*pieces):
    return b"".join(p if isinstance(p, bytes) and len(p) < 3 else b"\4" + short(p) for p in pieces)
seed("http", "service", b"\1" + steps(CURL, CURL.replace(b"/a/1", b"/1x"), CHUNKED))
for path in (b"/1x", b"/2x", b"/3x", b"/4x", b"/other"):
    seed("http", "fault" + path[1:].decode(), b"\1" + steps(CURL.replace(b"/a/1", path).replace(b"*/*", b"application/json"), b"\2\5", CURL, b"\1\x40", b"\3", b"\0"))
seed("http", "recorder", b"\2" + b"\1" + short(CURL + CHUNKED) + b"\0" + short(REPLY + REPLY) + b"\1" + short(CURL) + b"\0" + short(b"HTTP/1.0 200 OK\r\n\r\nend"))
seed("http", "recorder_stream", b"\2" + b"\0" + short(b"220 hello\r\n") + b"\1" + short(b"EHLO x\r\n") + b"\0" + short(b"250 ok\r\n"))
seed("http", "recorder_switch", b"\2" + b"\1" + short(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n") + b"\0" + short(b"HTTP/1.1 200 OK\r\n\r\nbytes"))

# smtp: a script or the sink, then steps
seed("smtp", "mail", b"\0" + steps(b"EHLO x\r\nMAIL FROM:<a@b> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<c@d>\r\nDATA\r\n", b"..x\r\n.\r\nRSET\r\nQUIT\r\n"))
seed("smtp", "large", b"\0" + steps(b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\n", b"x" * 240, b"\r\n.\r\n"))
seed("smtp", "wrong", b"\0" + steps(b"GET / HTTP/1.1\r\n", b"VRFY a\nHELP\nNOOP\nSTARTTLS\nAUTH PLAIN\n", b"\2\3", b"DATA\r\n"))
seed("smtp", "script", b"\1" + steps(b"USER me\r\nany\nabxcy\n"))
seed("smtp", "script_wrong", b"\1" + steps(b"\2\2", b"PASS me\r\n", b"\3"))

# mock_file: a mock or an action file, then its text
MOCK = """[[pass]]
to = "tcp:deb.example.org:443"
bytes = "500MiB"
record = true
[[deny]]
to = "tcp:*:25"
errno = "ETIMEDOUT"
[[mock]]
listen = "tcp:api.example.com:80"
http = [ { method = "POST", path = "/hooks/*", headers = { X = "a*" }, status = 202, body = "ok", reply_headers = { Y = ["1", "2"] } } ]
[[mock]]
listen = "tcp:127.0.0.1:21"
tls = true
script = [ { send = "220" }, { expect = "USER *", send = "331" } ]
"""
seed("mock_file", "mock", b"\1" + MOCK.encode())
seed("mock_file", "others", b"\1" + b'[[mock]]\nlisten = "tcp:*:25"\nsmtp = { name = "mx", max_size = "1M" }\n[[mock]]\nlisten = "tcp:a:1"\nreply = "x"\n'
     b'[[mock]]\ndns = [ { name = "a.b", type = "MX", data = "10 c.d", ttl = 5 }, { name = "a", type = "AAAA", data = "::1" } ]\n')
seed("mock_file", "faults", b"\1" + b'[[mock]]\nlisten = "tcp:a:1"\n[[mock.http]]\nbody_file = "comm"\nlatency = "200ms"\n[[mock.http]]\nbody = "ab"\nfault = "truncate"\n')
seed("mock_file", "action", b'\0name = "x"\n[limits]\nwall = "5m"\n[[pass]]\nto = "host-loopback:5432"\n')
seed("mock_file", "unknown", b'\1[[mock]]\nlisten = "tcp:a:1"\nhttp = [ { stats = 1 } ]\n')

# exchange: what a client of the replay sends, then the file
def exchange(kind, request, reply):
    part = lambda head, headers, body: {"head": head, "headers": [{"name": n, "value": v} for n, v in headers], "body": base64.b64encode(body).decode(), "body_bytes": len(body)}
    return json.dumps({"connection": 1, "time_s": 0.5, "proto": "tcp", "dst": "198.18.0.1", "port": 80, "name": "a.example", "rule": "m.toml:1", "kind": kind,
                       "outcome": "served", "remark": "", "redacted": 0, "request": part(*request), "reply": part(*reply)}).encode() + b"\n"
FILE_HEAD = b'{"schema":"rehearse.exchanges/1"}\n'
seed("exchange", "http", short(CURL) + FILE_HEAD + exchange("http", ("GET /a/1 HTTP/1.1", [("Authorization", "x"), ("Referer", "http://a:b@c/?token=d")], b""), ("HTTP/1.1 200 OK", [("Content-Length", "2")], b"ok")))
seed("exchange", "stream", short(b"hello") + FILE_HEAD + exchange("stream", ("", [], b""), ("", [], b"220\r\n")) + exchange("stream", ("", [], b"hello"), ("", [], b"\xff")) + b'{"dropped":3}\n')
seed("exchange", "smtp", short(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n") + FILE_HEAD + exchange("smtp", ("MAIL FROM:<a@b>", [("RCPT TO", "<c@d>")], b"x\r\n"), ("250", [], b"")))

# gate_log: what the worker writes; first_bytes: the length of a piece less one, then what a client says
GATE_LOG = [{"schema": "rehearse.gate/1"},
            {"type": "dns", "name": "a.b", "qtype": "A", "answer": "synthetic", "addresses": ["198.18.0.1"], "time_ns": 5, "count": 1},
            {"type": "connection", "id": 1, "protocol": "tcp", "address": "198.18.0.1", "port": 80, "client_address": "127.0.0.1", "client_port": 9,
             "name": "a.b", "sni": "", "http_host": "a.b", "http_path": "/", "verdict": "mocked", "rule": "m.toml:1", "bytes_out": 1, "bytes_in": 2,
             "begun_ns": 6, "ended_ns": 7, "error": ""},
            {"type": "totals", "questions": 1, "connections": 1}]
seed("gate_log", "whole", b"".join(json.dumps(line).encode() + b"\n" for line in GATE_LOG))
seed("gate_log", "raw", b"".join(json.dumps(line).encode() + b"\n" for line in [GATE_LOG[0], dict(GATE_LOG[2], sni_b64="/w==", verdict="denied", protocol="udp")]))
seed("first_bytes", "http", b"\2" + CURL)
seed("first_bytes", "absolute", b"\xffGET http://a.b:80/x HTTP/1.1\r\nHost: c\r\n\r\n")
seed("first_bytes", "tls", b"\x10\x16\x03\x01\x00\x35\x01\x00\x00\x31\x03\x03" + bytes(33) + b"\x00\x02\x13\x01\x01\x00\x00\x06\xff\x01\x00\x01\x00\x00")
seed("first_bytes", "other", b"\0EHLO x\r\n")

# dbus: messages as sd-bus sends them
def dbus_value(out, kind, value):
    def pad(n):
        out.extend(b"\0" * (-len(out) % n))
    if kind in "sog":
        if kind != "g":
            pad(4)
        raw = value.encode()
        out.extend((bytes([len(raw)]) if kind == "g" else struct.pack("<I", len(raw))) + raw + b"\0")
    elif kind in "buid":
        pad(4)
        out.extend(struct.pack("<i" if kind == "i" else "<I", value))
    elif kind == "t":
        pad(8)
        out.extend(struct.pack("<Q", value))
    elif kind == "y":
        out.append(value)
    elif kind == "v":
        dbus_value(out, "g", value[0])
        dbus_value(out, value[0], value[1])
    elif kind[0] == "a":
        pad(4)
        at = len(out)
        out.extend(bytes(4))
        pad(8 if kind[1] in "({t" else 4 if kind[1] in "sobui" else 1)
        begin = len(out)
        for element in value:
            dbus_value(out, kind[1:], element)
        out[at:at + 4] = struct.pack("<I", len(out) - begin)
    else:
        pad(8)
        for field, part in zip(dbus_fields(kind[1:-1]), value):
            dbus_value(out, field, part)
def dbus_fields(signature):
    fields, depth, begin = [], 0, 0
    for i, c in enumerate(signature):
        depth += (c in "({") - (c in ")}")
        if depth == 0 and c != "a":
            fields.append(signature[begin:i + 1])
            begin = i + 1
    return fields
def dbus_call(member, signature="", values=(), path="/org/freedesktop/systemd1", interface="org.freedesktop.systemd1.Manager", kind=1):
    body = bytearray()
    for field, value in zip(dbus_fields(signature), values):
        dbus_value(body, field, value)
    out = bytearray(b"l" + bytes([kind, 0, 1]) + struct.pack("<II", len(body), 7))
    dbus_value(out, "a(yv)", [(1, ("o", path)), (3, ("s", member)), (2, ("s", interface))] + ([(8, ("g", signature))] if signature else []))
    return bytes(out) + b"\0" * (-len(out) % 8) + bytes(body)
UNIT, PROPERTIES = "/org/freedesktop/systemd1/unit/web_2eservice", "org.freedesktop.DBus.Properties"
CALLS = {
    "start": dbus_call("StartUnit", "ss", ("web.service", "replace")), "isolate": dbus_call("StartUnit", "ss", ("t.target", "isolate")), "stop": dbus_call("StopUnit", "ss", ("web.service", "replace")),
    "reload": dbus_call("Reload"), "enqueue": dbus_call("EnqueueUnitJob", "sss", ("x.service", "reload-or-restart", "fail")), "get": dbus_call("Get", "ss", ("org.freedesktop.systemd1.Unit", "Id"), UNIT, PROPERTIES),
    "all": dbus_call("GetAll", "s", ("",), UNIT, PROPERTIES), "manager": dbus_call("GetAll", "s", ("",), interface=PROPERTIES), "list": dbus_call("ListUnitsByPatterns", "asas", (["active"], ["w*", "[!a]?"])),
    "files": dbus_call("ListUnitFilesByPatterns", "asas", ([], ["*"])), "enable": dbus_call("EnableUnitFiles", "asbb", (["web.service"], 0, 1)), "default": dbus_call("SetDefaultTarget", "sb", ("a.target", 1)),
    "kill": dbus_call("KillUnit", "ssi", ("web.service", "all", 9)), "set": dbus_call("SetUnitProperties", "sba(sv)", ("web.service", 1, [("CPUWeight", ("t", 5))])), "state": dbus_call("GetUnitFileState", "s", ("web.service",)),
    "transient": dbus_call("StartTransientUnit", "ssa(sv)a(sa(sv))", ("b.service", "fail", [("ExecStart", ("a(sasb)", [("/bin/a", ["a", "b c"], 0)]))], [("c.timer", [("Unit", ("s", "b.service"))])])),
    "reexec": dbus_call("Reexecute"), "names": dbus_call("ListUnitsByNames", "as", (["a.service", "absent.service"],)), "freeze": dbus_call("FreezeUnit", "s", ("web.service",)), "reset": dbus_call("ResetFailed"),
}
HANDSHAKE = b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"
for name, message in CALLS.items():
    seed("dbus", name, message)
    seed("systemd_manager", name, b"\1" + short("enabled\n") + short("Created symlink /a -> /b.\n") + short("[Unit]\nRequires=dep.service\nConflicts=web.service\n") + b"\1" + message + CALLS["all"])
seed("dbus", "handshake", b"DATA\r\nOK 00112233445566778899aabbccddeeff\r\n")
seed("dbus", "big_endian", b"B\1\0\1\0\0\0\4\0\0\0\1\0\0\0\x2b\1\1o\0\0\0\0\1/\0\0\0\0\0\0\0\3\1s\0\0\0\0\1A\0\0\0\0\0\0\0\10\1g\0\1u\0\0\0\0\0\0\0\0\0\0\x2a")
seed("systemd_manager", "handshake", b"\0" + short("x.service static -\n") + short("Failed to enable unit, unit x.service does not exist.\n") + short("[Service]\nType=oneshot\n") + b"\0" + HANDSHAKE + CALLS["files"] + CALLS["enable"] + CALLS["start"])
def journal(*records):
    out, check = b"RHJOURN1", b"\0" * 32
    for record in records:
        check = hashlib.sha256(check + record).digest()
        out += varint(len(record)) + record + check[:16]
    return out
def text(value):
    return varint(len(value)) + value
HEADER = b"\1\0" + text(b"20260101-000000-abcdef") + b"\1\0" + text(b"sha256:00") + b"\1\1\2" + text(b"boot")
VOLUME = b"\2\1" + text(b"/srv") + b"\0" + text(b"token") + b"\2"
EXCHANGE = b"\3\1\0\0\0" + b"\1" + text(b"upper/a") + b"\0" + text(b"a") + b"\0" + text(b"") + b"\5\2\2\3" * 2
MOVE = b"\3\0\1\4\0" + b"\0" + text(b"d/\xff") + b"\1" + text(b"kept/p1-0") + b"\0" + text(b"") + b"\7\2\2\3\0\0\0\0"
seed("journal", "whole", journal(HEADER, VOLUME, EXCHANGE, MOVE, b"\4\1\0", b"\4\2\2"))
NOTE = b"\5\7\1\2" + text(b"handle")
seed("journal", "noted", journal(HEADER, VOLUME, NOTE, EXCHANGE.replace(b"\3\1\0\0", b"\3\1\0\20") + b"\xff\xff\xff\xff\x0f\0"))
seed("journal", "begun", journal(HEADER))
seed("journal", "outside", journal(HEADER, VOLUME, EXCHANGE.replace(b"upper/a", b"../../a")))
seed("journal", "torn", journal(HEADER, VOLUME, EXCHANGE)[:-3])

# policy: the text of a policy file
POLICY = """schema = "rehearse.policy/1"
[limits]
per_hour = { deletes = 200, bytes_written = "2GiB" }
[[rule]]
id = "priv.setuid-new"
level = "red"
enforce = "hard"
mode = "shadow"
why = "w"
fix = "f"
refs = ["T1"]
[rule.match.file]
path = ["/etc/cron.d/**", "**/.ssh/authorized_keys"]
not_path = "/etc/x"
change = ["created", "modified"]
mode_gain = ["setuid"]
size = ">= 2GiB"
at_least = 2
[rule.match.net]
port = "1..1023"
[[exception]]
rule = "priv.setuid-new"
path = "/usr/lib/x"
action = "a"
owner = "alice"
reason = "r"
expires = 2027-03-01
[approval.yellow]
need = 1
roles = ["operators"]
not_requester = true
ttl = "4h"
[[test]]
name = "t"
bundle = "b"
expect = { verdict = "yellow", rules = ["a.b"], not_rules = [] }
"""
seed("policy", "whole", POLICY.encode())
seed("policy", "green", b'schema = "rehearse.policy/1"\n[[rule]]\nid = "a.b"\nlevel = "green"\nwhy = "w"\n[rule.match.only]\nfiles = ["/**"]\nunits = ["*:*"]\n')
seed("policy", "word", b'schema = "rehearse.policy/1"\n[[rule]]\nid = "a.b"\nlevel = "yellow"\nwhy = "w"\n[rule.match.file]\ntype = "fiel"\n')
seed("policy", "ranges", b'schema = "rehearse.policy/1"\n[[rule]]\nid = "a.b"\nlevel = "yellow"\nwhy = "w"\n[rule.match.cost]\nwall = ["<30s", "1m..2m"]\nat_most = 0\n')
seed("policy", "later", b'schema = "rehearse.policy/1"\n[standing]\n')

# words: settings of git, and a byte of length before each word of a command
GIT = ('[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n[remote "origin"]\n\turl = https://a.example/x\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n',
       "[core]\n\thooksPath = /tmp/x\n", "# [alias]\n[alias]\nx = !sh\n", '[remote "a\\\nb"]\nurl=ext::sh', "[include]\npath = x\n", "[core] bare = true\n", "bare\n")
for i, text in enumerate(GIT):
    seed("words", "git%d" % i, text.encode())
for i, words in enumerate((("-p", "1,2"), ("--pid=7",), ("aux",), ("-C", "nginx"), ("-eo", "pid"), ("%d", "/"), ("-printf", "%5D%%d"), ("--listed-incremental=x",))):
    seed("words", "ps%d" % i, b"".join(bytes([len(w)]) + w.encode() for w in words))
