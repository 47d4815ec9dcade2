"""Whose traffic was what, by which name; what is seen of the host's network inside, and that the host's own stays as it was."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import unittest
from pathlib import Path

import harness
from test_network import OUTSIDE, NetworkCase

# What there is of a network namespace: compared as text.
LOOK = r"""
look() {
  {
    ip -d link; ip addr | sed 's/valid_lft.*//'; ip route show table all; ip -6 route show table all | sed 's/expires [^ ]*//'; ip rule; ip -6 rule; ip neigh; ip maddr; tc qdisc
    command -v nft > /dev/null && nft list ruleset; command -v iptables-save > /dev/null && iptables-save 2> /dev/null | grep -v '^#'
    for f in $(find /proc/sys/net -type f | sort); do echo "$f $(cat "$f" 2> /dev/null)"; done
    ss -Hanput; ss -Hanx | awk '{print $1, $2, $5}'; ss -Hanw; ss -Han0
  } > "$1" 2>&1
}
"""


class Whose(NetworkCase):
    def test_bytes_are_those_of_each_process(self) -> None:
        """Two processes to one destination, by TCP, by datagrams with and without connect(2)."""
        mock = self.base / "mock.toml"
        mock.write_text(f'[[mock]]\nlisten = "tcp:{OUTSIDE}:7"\nscript = [ {{ expect = "*", send = "0123456789" }} ]\n'
                        f'[[mock]]\nlisten = "udp:{OUTSIDE}:7"\nreply = "0123"\n[[mock]]\nlisten = "udp:{OUTSIDE}:8"\nreply = "01"\n', encoding="ascii")
        result = self.python(f"""
import os
def talk(size, times):
    for _ in range(times):
        s = socket.socket()
        s.settimeout(5)
        s.setblocking(size != 1)
        if size == 1:
            assert s.connect_ex(('{OUTSIDE}', 7)) == errno.EINPROGRESS
            s.setblocking(True)
        else:
            s.connect(('{OUTSIDE}', 7))
        s.sendall(b'x' * size + b'\\n')
        assert s.recv(100) == b'0123456789'
        s.close()
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(5)
        s.connect(('{OUTSIDE}', 7))
        s.send(b'y' * size)
        assert s.recv(100) == b'0123'
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(5)
        s.sendto(b'z' * size, ('{OUTSIDE}', 8))
        assert s.recv(100) == b'01'
child = os.fork()
talk(*((1000, 3) if child == 0 else (1, 2)))
if child == 0: os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""", "--mock", str(mock))
        for proto, port, small, large in (("tcp", 7, (4, 20), (3003, 30)), ("udp", 7, (2, 8), (3000, 12)), ("udp", 8, (2, 4), (3000, 6))):
            found = self.attempts(result, proto=proto, port=port)
            self.assertEqual(sorted((to["bytes_out"], to["bytes_in"]) for to in found), [small, large], found)
            self.assertEqual(len({to["process"] for to in found}), 2)
            self.assertEqual({to["verdict"] for to in found}, {"mocked"})
        small = self.attempts(result, proto="tcp", port=7, bytes_out=4)[0]
        self.assertEqual((small["process"], small["count"]), (1, 2))

    def test_unconnected_sockets_and_fast_open_have_an_owner(self) -> None:
        mock = self.base / "mock.toml"
        mock.write_text(f'[[mock]]\nlisten = "tcp:{OUTSIDE}:7"\nscript = [ {{ expect = "*", send = "ok" }} ]\n', encoding="ascii")
        result = self.python(f"""
s = socket.socket()
s.sendto(b'fast\\n', socket.MSG_FASTOPEN, ('{OUTSIDE}', 7))
assert s.recv(10) == b'ok'
""", "--mock", str(mock))
        to = self.the_attempt(result, port=7)
        self.assertEqual((to["bytes_out"], to["bytes_in"]), (5, 2))


class Datagrams(NetworkCase):
    """Mocked over UDP, with the clients that people use."""

    def test_syslog_statsd_and_time(self) -> None:
        harness.need("logger")
        mock = self.base / "mock.toml"
        mock.write_text("""
[[mock]]
listen = "udp:logs.example.com:514"
datagrams = [ { expect = "<*>*" } ]
[[mock]]
listen = "udp:127.0.0.1:8125"
datagrams = [ { expect = "*:*|c" } ]
[[mock]]
listen = "udp:time.example.com:123"
datagrams = [ { expect_hex = "?? *", reply_hex = "24 01 03 e9 00000000 00000000 7f000001 {40:8} {40:8} {40:8} {40:8}" } ]
""", encoding="ascii")
        result = self.run_in(["bash", "-c", """
logger -n logs.example.com -P 514 -d -t deploy 'went well' 2>&1
printf 'deploys:1|c' > /dev/udp/127.0.0.1/8125; printf 'nonsense' > /dev/udp/127.0.0.1/8125
exec /usr/bin/python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
s.sendto(bytes([0x23]) + bytes(39) + b'mystamps', (socket.gethostbyname('time.example.com'), 123))
got = s.recv(100)
assert len(got) == 48 and got[24:32] == b'mystamps', got
"
"""], "--mock", str(mock))
        self.assertEqual(result.doc["command"]["exit"], 0, result.err)
        for port, name in ((514, "logs.example.com"), (123, "time.example.com")):
            to = self.attempts(result, port=port, probe=False)[0]
            self.assertEqual((to["verdict"], to["proto"], to["name"]), ("mocked", "udp", name), to)
        self.assertEqual({to["verdict"] for to in self.attempts(result, port=8125)}, {"mocked"})
        findings = [f for f in result.doc["verdict"]["findings"] if "nonsense" in str(f)]
        self.assertEqual(len(findings), 1, result.doc["verdict"]["findings"])
        bundle = Path(self.state) / "runs" / result.doc["id"]
        self.assertIn(b"went well", b"".join(base64.b64decode(json.loads(line)["request"]["body"]) for line in (bundle / "exchanges.jsonl").read_text().splitlines()[1:]))


class Names(NetworkCase):
    def test_a_name_of_the_hosts_file(self) -> None:
        """Looked up without the gate: as the clone's file has it, whether the action wrote it or the host had it."""
        result = self.python(f"""
open('/etc/hosts', 'a').write('\\n{OUTSIDE} Db.Internal other # comment\\n2001:db8::5 six.internal\\n')
assert socket.gethostbyname('db.internal') == '{OUTSIDE}'
assert socket.socket().connect_ex(('db.internal', 5432)) == errno.ECONNREFUSED
assert socket.socket(socket.AF_INET6).connect_ex(('six.internal', 5432)) == errno.ECONNREFUSED
assert socket.socket().connect_ex(('10.77.0.1', 1)) == errno.ECONNREFUSED
assert socket.socket().connect_ex(('127.0.0.1', 1)) == errno.ECONNREFUSED
""")
        for dst, name in ((OUTSIDE, "db.internal"), ("2001:db8::5", "six.internal")):
            to = self.the_attempt(result, dst=dst)
            self.assertEqual((to["name"], to["name_from"]), (name, "/etc/hosts"))
        for dst in ("10.77.0.1", "127.0.0.1"):
            self.assertEqual((self.the_attempt(result, dst=dst)["name"], self.the_attempt(result, dst=dst)["name_from"]), (None, None))
        text = self.call("show", result.doc["id"], json_out=False).out
        self.assertIn(f"db.internal:5432 ({OUTSIDE} by /etc/hosts)".encode(), text)

    def test_a_name_that_the_action_wrote_proves_nothing(self) -> None:
        """An expectation by that name does not cover the address that the action has given it."""
        expect = self.base / "expect.toml"
        expect.write_text('schema = "rehearse.expect/1"\n[expect]\nnet = ["tcp:repo.example.com:443"]\n', encoding="ascii")
        script = f"open('/etc/hosts', 'a').write('\\n{OUTSIDE} repo.example.com\\n'); socket.socket().connect_ex(('repo.example.com', 443))"
        result = self.python(script, "--expect", str(expect))
        self.assertEqual(self.the_attempt(result, dst=OUTSIDE)["name"], "repo.example.com")
        self.assertIn("expect.net", [f["rule"] for f in result.doc["verdict"]["findings"]])
        asked = self.python("socket.socket().connect_ex(('repo.example.com', 443))", "--expect", str(expect))
        self.assertNotIn("expect.net", [f["rule"] for f in asked.doc["verdict"]["findings"]])

    def test_names_that_a_removed_file_had(self) -> None:
        if not any(line.split()[:1] and line.split()[0] not in ("127.0.0.1", "127.0.1.1", "::1") and "." in line.split()[0] for line in Path("/etc/hosts").read_text().splitlines() if not line.startswith("#")):
            harness.skip("the host's /etc/hosts has no address but loopback's")
        address, name = next((line.split()[0], line.split()[1]) for line in Path("/etc/hosts").read_text().splitlines()
                             if line.split()[:1] and line.split()[0][0].isdigit() and "." in line.split()[0] and not line.startswith("127."))
        result = self.python(f"import os\nassert socket.socket().connect_ex(('{address}', 9)) == errno.ECONNREFUSED\nos.remove('/etc/hosts') if not os.path.ismount('/etc/hosts') else None")
        self.assertEqual(self.the_attempt(result, dst=address)["name"], name.lower())

    def test_a_rule_by_name_is_not_for_it(self) -> None:
        """What a file of the clone says passes nothing: the action can write it."""
        port = self.server()
        result = self.python(f"""
open('/etc/hosts', 'a').write('\\n127.0.0.9 passed.example\\n{OUTSIDE} passed.example\\n')
assert socket.socket().connect_ex(('{OUTSIDE}', {port})) == errno.ECONNREFUSED
""", "--pass", f"tcp:passed.example:{port}")
        self.assertEqual(self.the_attempt(result, dst=OUTSIDE)["verdict"], "denied")

    def server(self) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        return int(listener.getsockname()[1])


class LocalSockets(NetworkCase):
    def hooks(self) -> bool:
        check = next(check for check in self.call("doctor").doc["checks"] if check["id"] == "network.gate")
        said = "hooks in the kernel tell of local sockets" in check["what"]
        self.assertTrue(said or "of local sockets the trace tells" in check["what"], check)
        return said

    def test_connect_by_path_and_abstract_name(self) -> None:
        result = self.python("""
for name in ('/run/nobody.sock', '\\0rehearse-nobody'):
    assert socket.socket(socket.AF_UNIX).connect_ex(name) in (errno.ENOENT, errno.ECONNREFUSED), name
inside = socket.socket(socket.AF_UNIX); inside.bind('\\0mine'); inside.listen()
socket.socket(socket.AF_UNIX).connect('\\0mine')
""")
        found = {to["dst"]: (to["verdict"], to["errno"]) for to in self.attempts(result, proto="unix")}
        self.assertEqual(found, {"/run/nobody.sock": ("absent", "ENOENT"), "@rehearse-nobody": ("absent", "ECONNREFUSED")})

    def test_sendmsg_names_a_socket_behind_a_pointer(self) -> None:
        """The trace does not look there; the kernel's hook does."""
        if not self.hooks():
            harness.skip("this kernel has no hooks for local sockets")
        result = self.python("""
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for name in ('/run/nobody.sock', '\\0rehearse-nobody'):
    try: s.sendmsg([b'x'], [], 0, name)
    except OSError: pass
    else: assert False
""")
        self.assertEqual({to["dst"] for to in self.attempts(result, proto="unix")}, {"/run/nobody.sock", "@rehearse-nobody"})

    def test_the_kernels_copy_of_the_name_counts(self) -> None:
        """Another thread writes another name into the caller's memory all the time: what is reported is one of the two, as a whole, and
        with the hooks each call's own."""
        result = self.python("""
import ctypes, threading
libc = ctypes.CDLL(None, use_errno=True)
names = [b'\\1\\0/run/a.sock\\0', b'\\1\\0/run/b.sock\\0']
memory = ctypes.create_string_buffer(names[0], 110)
over = False
def change():
    n = 0
    while not over:
        n ^= 1
        ctypes.memmove(memory, names[n], len(names[n]))
thread = threading.Thread(target=change); thread.start()
for _ in range(300):
    s = socket.socket(socket.AF_UNIX)
    assert libc.connect(s.fileno(), memory, 110) == -1
    s.close()
over = True
thread.join()
""")
        found = self.attempts(result, proto="unix")
        self.assertLessEqual({to["dst"] for to in found}, {"/run/a.sock", "/run/b.sock"})
        self.assertEqual(sum(to["count"] for to in found), 300)


class Inside(NetworkCase):
    def test_nothing_of_the_hosts_sockets_is_seen(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        local = socket.socket(socket.AF_UNIX)
        self.addCleanup(local.close)
        local.bind("\0rehearse-test-host-socket")
        port = listener.getsockname()[1]
        result = self.shell("for f in tcp tcp6 udp udp6 raw unix dev route arp netlink packet if_inet6 snmp; do echo \"== $f\"; cat /proc/net/$f; done; echo == ss; ss -Hanput; ss -Hanx; echo == links; ls /sys/class/net")
        text = result.err.decode(errors="replace")
        self.assertIn("== tcp", text)
        self.assertNotIn(f":{port:04X} ", text)
        self.assertNotIn(f":{port} ", text.split("== ss")[1])
        self.assertNotIn("rehearse-test-host-socket", text)
        self.assertNotIn("/run/", text.split("== unix")[1].split("== dev")[0].replace("/run/systemd/private", ""))
        self.assertEqual(text.split("== links")[1].split(), ["lo"])


class Host(NetworkCase):
    """In a network namespace of its own that nobody else changes meanwhile, as the host's."""

    def test_the_hosts_network_is_as_before(self) -> None:
        harness.need("unshare", "ip", "ss")
        mock = self.base / "mock.toml"
        mock.write_text('[[mock]]\nlisten = "tcp:mocked.example:80"\nhttp = [ {} ]\n[[mock]]\nlisten = "udp:*:514"\nreply = "ok"\n', encoding="ascii")
        action = self.base / "action.sh"
        action.write_text("""
ip link add d0 type dummy 2> /dev/null; ip addr add 10.9.9.9/32 dev lo; ip route add 10.8.0.0/16 dev lo; ip link set lo mtu 1400; ip rule add from 10.9.9.9 table 7
nft add table inet t 2> /dev/null; iptables -A INPUT -j DROP 2> /dev/null
echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; sysctl -q -w net.ipv4.tcp_syncookies=0
python3 - << 'EOF'
import socket
for n in range(40):
    s = socket.socket()
    s.settimeout(3)
    try: s.connect(('mocked.example', 80)); s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); s.recv(10)
    except OSError: pass
    s.connect_ex(('192.0.2.1', 80))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try: s.sendto(b'x', ('192.0.2.1', 514))
    except OSError: pass
EOF
""", encoding="ascii")
        run = " ".join(self.command("run", "--mock", str(mock), "--pass", "tcp:*:443", "--pass", "host-loopback:1-65535"))
        gc = " ".join(self.command("gc"))
        script = LOOK + f"""
ip link set lo up
mkdir -p /sys/fs/cgroup 2> /dev/null
{run} -- true > /dev/null 2>&1
look {self.base}/before
for options in "" "--network-mirror" "--profile=root"; do {run} $options -- sh {action} > {self.base}/doc 2> {self.base}/err; echo "ran $?"; done
look {self.base}/after
{run} -- sh -c 'sh {action}; echo acted; sleep 100' > /dev/null 2> {self.base}/err & pid=$!
for i in $(seq 600); do grep -q acted {self.base}/err && break; sleep 0.05; done
kill -9 $pid; wait $pid
{gc} > /dev/null 2>&1
for i in $(seq 100); do [ -z "$(ss -Hanput)" ] && break; sleep 0.05; done
look {self.base}/killed
cat {self.base}/err
"""
        done = subprocess.run(["unshare", "-n", "bash", "-c", script], capture_output=True, text=True, check=False, timeout=200 * harness.SLOW)
        self.assertEqual(done.stdout.count("ran "), 3, done.stdout + done.stderr)
        for code in [line.split()[1] for line in done.stdout.splitlines() if line.startswith("ran ")]:
            self.assertIn(int(code), harness.RAN, done.stdout + done.stderr)
        self.assertIn("acted", done.stdout)
        before = (self.base / "before").read_text()
        self.assertIn("ip_forward", before)
        for name in ("after", "killed"):
            self.assertEqual(before.splitlines(), (self.base / name).read_text().splitlines(), name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
