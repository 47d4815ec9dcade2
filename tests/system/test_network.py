"""Nothing leaves but through the gate, and every attempt is in the report: what was asked, by whom, what became of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import unittest
from pathlib import Path

import harness
from harness import Case, Document, Result

OUTSIDE = "93.184.216.34"
OUTSIDE6 = "2606:2800:220:1::1"

OVER_TLS = '[[mock]]\nlisten = "tcp:secure.example.com:443"\ntls = true\nhttp = [ { path = "/**", body = "over tls" } ]\n'


class NetworkCase(Case):
    def python(self, script: str, *options: str) -> Result:
        result = self.run_in(["/usr/bin/python3", "-c", "import errno, socket, sys, time\n" + script], *options)
        self.assertIn(result.code, harness.RAN, result.err)
        self.assertTrue(result.doc["trace"]["complete"], result.doc["trace"]["trouble"])
        self.assertEqual(result.doc["command"]["exit"], 0, result.err.decode(errors="replace"))
        return result

    def attempts(self, result: Result, **fields: object) -> list[Document]:
        return [to for to in result.doc["network"] if all(to[key] == value for key, value in fields.items())]

    def the_attempt(self, result: Result, **fields: object) -> Document:
        found = self.attempts(result, **fields)
        self.assertEqual(len(found), 1, (fields, result.doc["network"]))
        return found[0]


class Network(NetworkCase):
    """What is denied, which is all that no rule is for."""

    def test_connections_are_denied_at_once_and_recorded(self) -> None:
        result = self.python(f"""
def attempt(family, *to):
    s = socket.socket(family, socket.SOCK_STREAM)
    begun = time.monotonic()
    code = s.connect_ex(to)
    assert time.monotonic() - begun < 1, to
    assert code == errno.ECONNREFUSED, (to, errno.errorcode.get(code, code))
attempt(socket.AF_INET, '{OUTSIDE}', 443)
attempt(socket.AF_INET, '{OUTSIDE}', 443)
attempt(socket.AF_INET, '169.254.169.254', 80)
attempt(socket.AF_INET6, '{OUTSIDE6}', 443)
attempt(socket.AF_INET6, '::ffff:{OUTSIDE}', 8443)
s = socket.socket()
s.setblocking(False)
assert s.connect_ex(('{OUTSIDE}', 22)) == errno.ECONNREFUSED
""")
        for dst, port, count in ((OUTSIDE, 443, 2), ("169.254.169.254", 80, 1), (OUTSIDE6, 443, 1), (OUTSIDE, 8443, 1), (OUTSIDE, 22, 1)):
            to = self.the_attempt(result, dst=dst, port=port)
            self.assertEqual((to["verdict"], to["proto"], to["errno"], to["count"], to["process"]), ("denied", "tcp", "ECONNREFUSED", count, 1))
        self.assertEqual(result.doc["counts"]["denied"], 6)

    def test_datagrams_are_denied_and_recorded(self) -> None:
        result = self.python(f"""
def refused(call):
    try:
        call()
    except OSError as error:
        assert error.errno == errno.ECONNREFUSED, error
    else:
        raise AssertionError('it was sent')
four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
refused(lambda: four.sendto(b'x', ('{OUTSIDE}', 123)))
refused(lambda: four.sendmsg([b'x'], [], 0, ('{OUTSIDE}', 124)))
refused(lambda: four.connect(('{OUTSIDE}', 125)))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
refused(lambda: six.sendto(b'x', ('{OUTSIDE6}', 126)))
refused(lambda: six.sendto(b'x', ('::ffff:{OUTSIDE}', 127)))
refused(lambda: four.sendto(b'x', ('224.0.0.251', 5353)))
""")
        for dst, port in ((OUTSIDE, 123), (OUTSIDE, 124), (OUTSIDE, 125), (OUTSIDE6, 126), (OUTSIDE, 127), ("224.0.0.251", 5353)):
            to = self.the_attempt(result, dst=dst, port=port)
            self.assertEqual((to["verdict"], to["proto"], to["errno"]), ("denied", "udp", "ECONNREFUSED"), to)

    def test_fast_open_and_multipath_are_no_way_round(self) -> None:
        result = self.python(f"""
s = socket.socket()
try:
    s.sendto(b'x', socket.MSG_FASTOPEN, ('{OUTSIDE}', 443))
except OSError as error:
    assert error.errno == errno.ECONNREFUSED, error
else:
    raise AssertionError('it was sent')
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
assert s.connect_ex(('{OUTSIDE}', 444)) == errno.ECONNREFUSED
try:
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)  # IPPROTO_MPTCP
except OSError:
    sys.exit(0)
assert s.connect_ex(('{OUTSIDE}', 445)) == errno.ECONNREFUSED
""")
        for port in (443, 444):
            self.assertEqual(self.the_attempt(result, dst=OUTSIDE, port=port)["verdict"], "denied")

    def test_what_would_have_been_reached_on_this_host(self) -> None:
        """A local service of the host is not there inside, and is named; one started inside is reached."""
        with contextlib.ExitStack() as stack:
            tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            path = self.host / "service"
            local = stack.enter_context(socket.socket(socket.AF_UNIX))
            local.bind(str(path))
            local.listen()
            (self.host / "way").symlink_to(self.host)
            abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
            abstract.bind(f"\0rehearse-test-{os.getpid()}")
            abstract.listen()
            port = tcp.getsockname()[1]
            result = self.python(f"""
assert socket.socket().connect_ex(('127.0.0.1', {port})) == errno.ECONNREFUSED
assert socket.socket(socket.AF_UNIX).connect_ex('{path}') == errno.ECONNREFUSED
assert socket.socket(socket.AF_UNIX).connect_ex('{self.host}/way/service') == errno.ECONNREFUSED
assert socket.socket(socket.AF_UNIX).connect_ex('\\0rehearse-test-{os.getpid()}') == errno.ECONNREFUSED
assert socket.socket(socket.AF_UNIX).connect_ex('/run/nobody/here') == errno.ENOENT
inside = socket.create_server(('0.0.0.0', {port}))
s = socket.create_connection(('127.0.0.1', {port}))
assert s.getpeername() == ('127.0.0.1', {port})
""")
        me = f"(pid {os.getpid()}"
        to = self.the_attempt(result, proto="tcp", dst="127.0.0.1", port=port)
        self.assertEqual((to["verdict"], to["errno"]), ("denied", "ECONNREFUSED"))
        self.assertIn(me, to["reached"])
        for way in (str(path), f"{self.host}/way/service"):
            reached = self.the_attempt(result, proto="unix", dst=way)
            self.assertEqual(reached["verdict"], "denied")
            self.assertIn(me, reached["reached"])
        self.assertIn(me, self.the_attempt(result, proto="unix", dst=f"@rehearse-test-{os.getpid()}")["reached"])
        missing = self.the_attempt(result, proto="unix", dst="/run/nobody/here")
        self.assertEqual((missing["verdict"], missing["errno"], missing["reached"]), ("absent", "ENOENT", None))
        shown = self.call("show", "last", json_out=False).out.decode()
        self.assertIn("would have reached", shown)
        self.assertIn(f"tcp 127.0.0.1:{port}", shown)

    def test_the_unspecified_address_is_loopback(self) -> None:
        """The kernel connects to 127.0.0.1 and ::1 then: so does the gate."""
        result = self.python("""
def attempt(family, address, listener):
    server = socket.create_server((listener, 0), family=family)
    port = server.getsockname()[1]
    assert socket.socket(family).connect_ex((address, port)) == 0, address
    server.close()
attempt(socket.AF_INET, '0.0.0.0', '127.0.0.1')
attempt(socket.AF_INET6, '::', '::1')
assert socket.socket(socket.AF_INET).connect_ex(('0.0.0.0', 7)) == errno.ECONNREFUSED
assert socket.socket(socket.AF_INET6).connect_ex(('::', 7)) == errno.ECONNREFUSED
""")
        self.assertEqual(sorted((to["dst"], to["port"], to["verdict"]) for to in result.doc["network"] if to["proto"] == "tcp"),
                         [("127.0.0.1", 7, "absent"), ("::1", 7, "absent")])

    def test_a_socket_of_this_host_under_another_name(self) -> None:
        """A name that the action gave it, or a descriptor, leads to the host's socket; where nothing tells what was met it is not known."""
        path, own = self.host / "service", self.host / "own"
        with socket.socket(socket.AF_UNIX) as local:
            local.bind(str(path))
            local.listen()
            result = self.python(f"""
import os
import signal
def refused(name):
    assert socket.socket(socket.AF_UNIX).connect_ex(name) == errno.ECONNREFUSED, name
os.chdir('{self.host}')
refused('service')
refused('/proc/self/fd/%d' % os.open('{path}', os.O_PATH))
os.symlink('{path}', 'link')
refused('{self.host}/link')
os.symlink('../' + os.path.basename('{self.host}'), 'way')
refused('{self.host}/way/service')
os.link('service', 'hard')
refused('{self.host}/hard')
os.rename('hard', 'renamed')
refused('{self.host}/renamed')
os.mknod('{self.host}/made', 0o140666)
refused('{self.host}/made')
inside = socket.socket(socket.AF_UNIX); inside.bind('{own}.new'); inside.close()
os.rename('{own}.new', '{own}')
refused('{own}')
""")
            found = {(to["dst"], to["verdict"], to["reached"]) for to in self.attempts(result, proto="unix") if to["dst"].startswith(str(self.host))}
        service = [reached for dst, verdict, reached in found if (dst, verdict) == (str(path), "denied")]
        self.assertEqual(len(service), 1, found)
        self.assertIn(f"(pid {os.getpid()}", service[0])
        self.assertEqual(sum(to["count"] for to in self.attempts(result, proto="unix", dst=str(path))), 6, found)
        self.assertIn((f"{self.host}/made", "denied", "not known"), found)
        self.assertIn((f"{own}.new", "absent", None), found)
        self.assertEqual(result.doc["verdict"]["level"], "yellow")

    def test_packets_made_by_hand_are_in_the_report(self) -> None:
        """No hook sees what a raw socket sends; the gate does, and takes none of it on."""
        result = self.python(f"""
import struct
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
to = socket.inet_aton('{OUTSIDE}')
udp = struct.pack('>HHHH', 4000, 99, 9, 0) + b'x'
raw.sendto(struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton('127.0.0.1'), to) + udp, ('{OUTSIDE}', 0))
time.sleep(0.3)
""")
        to = self.the_attempt(result, dst=OUTSIDE, port=99)
        self.assertEqual((to["verdict"], to["proto"], to["process"], to["bytes_out"]), ("denied", "udp", 0, 0))

    def test_other_kinds_of_sockets(self) -> None:
        result = self.python("""
for family, kind in ((40, socket.SOCK_STREAM), (38, socket.SOCK_SEQPACKET), (44, socket.SOCK_RAW), (16, socket.SOCK_RAW)):
    try:
        socket.socket(family, kind, 9 if family == 16 else 0)
    except OSError:
        continue
    raise AssertionError(family)
""")
        asked = [to["dst"] for to in self.attempts(result, proto="other", verdict="denied")]
        for family in ("AF_VSOCK", "AF_ALG", "AF_XDP"):
            self.assertTrue(any(family in dst for dst in asked), (family, asked))

    def test_two_runs_do_not_see_each_others_attempts(self) -> None:
        results: dict[int, Result] = {}
        def run(port: int) -> None:
            results[port] = self.python(f"""
for _ in range(200):
    socket.socket().connect_ex(('{OUTSIDE}', {port}))
""")
        threads = [threading.Thread(target=run, args=(port,)) for port in (1001, 1002, 1003)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for port, result in results.items():
            self.assertEqual([(to["port"], to["count"]) for to in result.doc["network"]], [(port, 200)])


class Gate(NetworkCase):
    """What is answered, mocked, passed and replayed."""

    def serve(self, answer: bytes) -> int:
        """A service of the host on loopback that says `answer` to whatever comes; its port."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        client.recv(65536)
                        client.sendall(answer)
        threading.Thread(target=run, daemon=True).start()
        return int(server.getsockname()[1])

    def mock(self, text: str) -> str:
        path = self.base / "mock.toml"
        path.write_text(text)
        return str(path)

    def test_names_are_answered_and_stand_by_the_attempt(self) -> None:
        result = self.python("""
four = socket.getaddrinfo('www.example.com', 443, socket.AF_INET, socket.SOCK_STREAM)[0][4]
assert four[0].startswith('198.18.') or four[0].startswith('198.19.'), four
assert four == socket.getaddrinfo('www.example.com', 443, socket.AF_INET, socket.SOCK_STREAM)[0][4]
six = socket.getaddrinfo('www.example.com', 443, socket.AF_INET6, socket.SOCK_STREAM)[0][4]
assert six[0].startswith('2001:2:'), six
assert socket.socket().connect_ex(four) == errno.ECONNREFUSED
assert socket.socket(socket.AF_INET6).connect_ex(six) == errno.ECONNREFUSED
socket.gethostbyname('only-asked.example.org')
try:
    socket.gethostbyname('nobody.invalid')
except socket.gaierror:
    pass
else:
    raise AssertionError('nobody.invalid exists')
assert socket.gethostbyname('localhost') == '127.0.0.1'
""")
        denied = self.attempts(result, name="www.example.com", verdict="denied", proto="tcp")
        self.assertEqual([(to["port"], to["errno"]) for to in denied], [(443, "ECONNREFUSED")] * 2)
        asked = {(q["name"], q["type"]): q["answer"] for q in result.doc["dns"]}
        self.assertEqual(asked[("only-asked.example.org", "A")], "synthetic")
        self.assertEqual(asked[("nobody.invalid", "A")], "nxdomain")
        shown = self.call("show", "last", json_out=False).out.decode()
        self.assertIn("tcp www.example.com:443", shown)
        self.assertIn("looked up only-asked.example.org", shown)

    def test_what_a_name_below_localhost_says_goes_to_the_server_that_is_asked(self) -> None:
        harness.need("dig")
        for name, options, level in (("c2VjcmV0.localhost", (), "yellow"), ("localhost", (), "green"), ("127.65.66.67", ("-x",), "yellow"), ("127.0.0.1", ("-x",), "green")):
            result = self.run_in(["dig", "+short", "+tries=1", "+time=3", "@8.8.8.8", *options, name])
            self.assertEqual(({q["answer"] for q in result.doc["dns"]}, result.doc["verdict"]["level"]), ({"local"}, level), name)

    def test_any_name_server_over_udp_and_tcp(self) -> None:
        harness.need("dig")
        for options in (("@8.8.8.8",), ("@8.8.8.8", "+tcp"), ("@2001:4860:4860::8888",), ("@127.0.0.53",)):
            result = self.run_in(["dig", "+short", "+tries=1", "+time=3", *options, "a.example.com", "A"])
            self.assertEqual(result.doc["command"]["exit"], 0, (options, result.err))
            self.assertRegex(result.err.decode(), r"198\.1[89]\.", options)
            self.assertEqual(result.doc["network"], [], options)

    def test_a_mock_of_loopback_answers_the_unspecified_address(self) -> None:
        mock = self.mock("""
[[mock]]
listen = "tcp:127.0.0.1:8099"
http = [ { method = "GET", path = "/x", status = 200, body = "from the mock" } ]
""")
        result = self.run_in(["curl", "-sS", "http://0.0.0.0:8099/x"], "--mock", mock)
        self.assertEqual(result.doc["command"]["exit"], 0, result.err)
        self.assertEqual(self.the_attempt(result, port=8099)["verdict"], "mocked")

    def test_mocked_http(self) -> None:
        harness.need("curl")
        mock = self.mock("""
[[mock]]
listen = "tcp:api.example.com:80"
http = [ { method = "POST", path = "/hooks/*", status = 202, body = "taken" } ]
""")
        result = self.run_in(["sh", "-c", "curl -sS -d x=1 http://api.example.com/hooks/7 && curl -sS -o /dev/null -w ' %{http_code}' http://api.example.com/none"], "--mock", mock)
        self.assertEqual(result.doc["command"]["exit"], 0, result.err)
        self.assertIn(b"taken 501", result.err)
        to = self.the_attempt(result, verdict="mocked", process=self.process(result, "curl"))
        self.assertEqual((to["name"], to["port"], to["http_path"]), ("api.example.com", 80, "/hooks/7"))
        self.assertIn("core.mock-unmatched", [f["rule"] for f in result.doc["verdict"]["findings"]])
        self.assertEqual(result.doc["counts"]["mocked"], 2)

    def process(self, result: Result, name: str) -> int:
        return next(int(p["id"]) for p in result.doc["processes"] if p["exe"].endswith(name))

    def test_mocked_https_is_trusted_inside_only(self) -> None:
        harness.need("curl")
        before = {p: p.read_bytes() for p in Path("/etc/ssl/certs").glob("*") if p.is_file()}
        mock = self.mock(OVER_TLS)
        script = "import urllib.request; print(urllib.request.urlopen('https://secure.example.com/x').read())"
        result = self.run_in(["sh", "-c", f"curl -sS https://secure.example.com/ && /usr/bin/python3 -c \"{script}\""], "--mock", mock)
        self.assertEqual(result.doc["command"]["exit"], 0, result.err)
        self.assertEqual(result.err.count(b"over tls"), 2, result.err)
        self.assertEqual({to["sni"] for to in self.attempts(result, verdict="mocked")}, {"secure.example.com"})
        self.assertEqual(result.doc["changes"], [])
        self.assertTrue(any("authority" in gap["what"] for gap in result.doc["fidelity"]["gaps"]))
        self.assertEqual(before, {p: p.read_bytes() for p in Path("/etc/ssl/certs").glob("*") if p.is_file()})

    def test_node_trusts_the_authority_and_who_does_not_is_a_finding(self) -> None:
        harness.need("node")
        mock = self.mock(OVER_TLS)
        get = "node -e 'require(\"https\").get(\"https://secure.example.com/\", r => r.pipe(process.stdout))'"
        result = self.run_in(["sh", "-c", get], "--mock", mock)
        self.assertIn(b"over tls", result.err)
        self.assertNotIn("core.mock-unmatched", {f["rule"] for f in result.doc["verdict"]["findings"]})
        self.assertNotIn("NODE_EXTRA_CA_CERTS", json.dumps(result.doc["action"]))
        mine = self.run_in(["sh", "-c", get], "--mock", mock, "--env", "NODE_EXTRA_CA_CERTS=/dev/null")
        self.assertNotIn(b"over tls", mine.err)
        found = [f for f in mine.doc["verdict"]["findings"] if f["rule"] == "core.mock-unmatched"]
        self.assertIn("TLS: the client left without a word", json.dumps(found))

    def test_who_only_looks_at_the_certificate_is_served(self) -> None:
        harness.need("openssl")
        mock = self.mock(OVER_TLS)
        result = self.run_in(["sh", "-c", "openssl s_client -connect secure.example.com:443 -verify_return_error </dev/null"], "--mock", mock)
        self.assertIn(b"Verification: OK", result.err)
        self.assertNotIn("core.mock-unmatched", {f["rule"] for f in result.doc["verdict"]["findings"]})

    def test_programs_that_bring_their_own_certificates_trust_the_authority(self) -> None:
        """pip has requests and certifi in itself; Debian's is told to use the host's bundle, others are not."""
        mock = self.mock(OVER_TLS)
        get = "import os; from pip._vendor import requests; print(requests.get('https://secure.example.com/').text, os.environ['SSL_CERT_FILE'])"
        python = next((p for p in ("python3", "/usr/bin/python3") if subprocess.run([p, "-c", "import pip._vendor.requests"], capture_output=True, check=False).returncode == 0), None)
        if python is None:
            self.skipTest("no Python here has pip")
        result = self.run_in([python, "-c", get], "--mock", mock)
        self.assertIn(b"over tls /etc/ssl/certs/ca-certificates.crt", result.err)
        self.assertNotIn("SSL_CERT_FILE", result.doc["action"]["env"])

    def test_a_passed_destination_that_refuses(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            result = self.run_in(["/usr/bin/python3", "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}))"], "--pass", f"host-loopback:{port}")
        self.assertIn(b"ConnectionRefusedError", result.err)
        attempt = self.the_attempt(result, port=port)
        self.assertEqual((attempt["verdict"], attempt["ended"]), ("passed", "cannot connect: Connection refused"))
        (finding,) = [f for f in result.doc["verdict"]["findings"] if f["rule"] == "failure.dependency-unreachable"]
        self.assertIn("cannot connect: Connection refused", json.dumps(finding["evidence"]))

    def test_passed_to_the_host_and_limited(self) -> None:
        port = self.serve(b"from the host")
        script = f"""
s = socket.create_connection(('127.0.0.1', {port}))
s.sendall(b'hello')
assert s.recv(100) == b'from the host'
assert s.getpeername() == ('127.0.0.1', {port})
assert socket.socket().connect_ex(('127.0.0.1', {port} + 1 if {port} < 65535 else 1)) == errno.ECONNREFUSED
"""
        result = self.python(script, "--pass", f"host-loopback:{port}")
        to = self.the_attempt(result, port=port)
        self.assertEqual((to["verdict"], to["bytes_out"], to["bytes_in"]), ("passed", 5, 13))
        self.assertIn(f"host-loopback:{port}", to["rule"])
        self.assertEqual(result.doc["counts"]["passed"], 1)
        denied = self.python(f"assert socket.socket().connect_ex(('127.0.0.1', {port})) == errno.ECONNREFUSED")
        self.assertEqual(self.the_attempt(denied, port=port)["verdict"], "denied")

    def test_what_went_through_before_a_refusal_is_in_the_report(self) -> None:
        port = self.serve(b"x" * 200_000)
        result = self.python(f"""
s = socket.create_connection(('127.0.0.1', {port}))
s.sendall(b'hello')
try:
    while s.recv(65536): pass
except ConnectionResetError:
    pass
""", "--pass", f"host-loopback:{port},bytes=50KiB")
        cut = "the rule's bytes are used up"
        self.assertEqual(sorted((to["verdict"], to["bytes_out"] + to["bytes_in"], to["ended"], to["count"]) for to in result.doc["network"] if to["port"] == port),
                         [("denied", 0, cut, 1), ("passed", 50 << 10, cut, 1)])
        self.assertEqual((result.doc["counts"]["passed"], result.doc["counts"]["denied"]), (1, 1))

    def test_datagrams_to_the_host_by_sendto(self) -> None:
        """No mark of the socket is there in time for the first; a server inside still wins, and other ports are the run's own."""
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    data, client = server.recvfrom(100)
                    server.sendto(data.upper(), client)
        threading.Thread(target=serve, daemon=True).start()
        result = self.python(f"""
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
for _ in range(2):
    s.sendto(b'hello', ('127.0.0.1', {port}))
    assert s.recvfrom(100) == (b'HELLO', ('127.0.0.1', {port}))
inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inside.bind(('127.0.0.1', 0))
s.sendto(b'here', inside.getsockname())
assert inside.recv(100) == b'here'
inside.close()
inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inside.bind(('127.0.0.1', {port}))
s.sendto(b'mine', ('127.0.0.1', {port}))
inside.settimeout(5)
assert inside.recv(100) == b'mine'
""", "--pass", f"udp:host-loopback:{port}")
        passed = self.the_attempt(result, verdict="passed", port=port)
        self.assertEqual((passed["proto"], passed["count"], passed["bytes_out"], passed["bytes_in"]), ("udp", 2, 10, 10))

    def test_resolvers_that_look_for_own_addresses(self) -> None:
        """AI_ADDRCONFIG: what getent, curl and most programs ask for."""
        harness.need("getent", "curl", "ip")
        for command in ("getent ahostsv4 www.example.com", "getent ahosts www.example.com", "getent hosts www.example.com"):
            result = self.run_in(["sh", "-c", command])
            self.assertEqual(result.doc["command"]["exit"], 0, (command, result.err))
            self.assertRegex(result.err.decode(), r"198\.1[89]\.|2001:2:", command)
        result = self.python("""
found = socket.getaddrinfo('www.example.com', 80, socket.AF_INET, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
assert found[0][4][0].startswith('198.1'), found
try:
    socket.create_connection(('www.example.com', 80))
except ConnectionRefusedError:
    pass
""")
        self.assertEqual({to["name"] for to in self.attempts(result, proto="tcp")}, {"www.example.com"})
        mock = self.mock('[[mock]]\nlisten = "tcp:a.example.com:80"\nhttp = [ { body = "hi" } ]\n')
        for family in ("-4", ""):
            self.assertIn(b"hi", self.run_in(["sh", "-c", f"curl -sS {family} http://a.example.com/"], "--mock", mock).err)
        shown = self.run_in(["sh", "-c", "ip -o addr; hostname -I"]).err.decode()
        self.assertEqual({line.split()[1] for line in shown.splitlines() if "inet" in line}, {"lo"})
        host_has_ipv6 = any(not line.startswith("0" * 31 + "1") for line in Path("/proc/net/if_inet6").read_text().splitlines())
        self.assertEqual("inet6 fe80::1/64" in shown, host_has_ipv6, shown)

    def test_plan_says_the_rules(self) -> None:
        mock = self.mock('[[mock]]\nlisten = "tcp:api.example.com:443"\ntls = true\nhttp = [ { body = "x" } ]\n')
        options = ("--pass", "tcp:deb.example.org:443,bytes=5MiB", "--deny", "tcp:*:25=ETIMEDOUT", "--mock", mock, "--nxdomain", "--plan")
        network = self.run_in(["true"], *options).doc["network"]
        self.assertEqual(network["pass"], ["tcp:deb.example.org:443,bytes=5MiB"])
        self.assertEqual(network["deny"], ["tcp:*:25=ETIMEDOUT"])
        self.assertEqual((network["mock"][0]["listen"], network["mock"][0]["service"], network["mock"][0]["place"]), ("tcp:api.example.com:443", "http over TLS", f"{mock}:1:1"))
        self.assertEqual((network["otherwise"], network["nxdomain"], network["mirror"]), ("ECONNREFUSED", True, False))
        text = self.call("run", *options, "--", "true", json_out=False).out.decode()
        for line in ("pass     tcp:deb.example.org:443,bytes=5MiB", "deny     tcp:*:25=ETIMEDOUT", "mock     tcp:api.example.com:443 http over TLS", "anything else is denied with ECONNREFUSED"):
            self.assertIn(line, text)

    def test_trace_shows_what_became_of_addresses(self) -> None:
        port = self.serve(b"x")
        self.python(f"""
socket.socket().connect_ex(('{OUTSIDE}', 443))
socket.create_connection(('127.0.0.1', {port}))
server = socket.create_server(('127.0.0.1', 0))
socket.create_connection(server.getsockname())
""", "--pass", f"host-loopback:{port}")
        lines = self.call("trace", "last", "--where", "evt.type = netverdict", json_out=False).out.decode()
        self.assertIn(f"connect tcp {OUTSIDE}:443: denied with ECONNREFUSED by default", lines)
        self.assertRegex(lines, rf"connect tcp 127\.0\.0\.1:{port}: to the gate by rule \d")
        self.assertRegex(lines, r"bind tcp 127\.0\.0\.1:0 ===")
        self.assertIn(": to a server inside", lines)
        events = [json.loads(line) for line in self.call("trace", "last", "--where", "evt.type = netverdict and fd.sport = 443").out.splitlines()]
        self.assertEqual([(e["type"], e["what"], e["proto"], e["dst"], e["port"], e["verdict"], e["errno"]) for e in events],
                         [("network", "connect", "tcp", OUTSIDE, 443, "denied", "ECONNREFUSED")])

    def test_doctor_tries_the_gate(self) -> None:
        before = {path: sorted(os.listdir(path)) for path in ("/sys/fs/bpf",) if os.path.isdir(path)}
        check = next(check for check in self.call("doctor").doc["checks"] if check["id"] == "network.gate")
        self.assertEqual(check["status"], "ok", check)
        self.assertEqual(before, {path: sorted(os.listdir(path)) for path in before})
        self.assertEqual([p for root in harness.cgroup_roots() for p in Path(root).glob("rehearse/doctor-*")], [])

    def test_a_server_inside_wins_on_loopback_only(self) -> None:
        """One that listens on every address is not who an address outside is, mocked or not."""
        mock = self.mock(f"""
[[mock]]
listen = "tcp:{OUTSIDE}:8080"
reply = "the mock"
[[mock]]
listen = "tcp:127.0.0.1:8080"
reply = "the mock"
""")
        result = self.python(f"""
import threading
server = socket.create_server(('0.0.0.0', 8080))
def serve():
    while True:
        client, _ = server.accept()
        client.sendall(b'the server')
        client.close()
threading.Thread(target=serve, daemon=True).start()
def ask(to):
    with socket.create_connection((to, 8080)) as s:
        s.settimeout(5)
        return s.recv(100)
assert ask('127.0.0.1') == b'the server'
assert ask('{OUTSIDE}') == b'the mock', ask('{OUTSIDE}')
assert socket.socket().connect_ex(('198.51.100.7', 8080)) == errno.ECONNREFUSED
""", "--mock", mock)
        self.assertEqual(self.the_attempt(result, dst=OUTSIDE)["verdict"], "mocked")
        self.assertEqual(self.the_attempt(result, dst="198.51.100.7")["verdict"], "denied")

    def test_a_server_of_one_device_is_a_server_inside(self) -> None:
        """The kernel finds no socket of a device for whoever asks without one."""
        for options in ((), ("--deny", "tcp:*:*", "--deny", "udp:*:*")):
            result = self.python("""
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'lo')
server.bind(('127.0.0.1', 4243))
server.listen()
socket.create_connection(('127.0.0.1', 4243)).sendall(b'said')
assert server.accept()[0].recv(4) == b'said'
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'lo')
server.bind(('127.0.0.1', 4244))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'said', ('127.0.0.1', 4244))
assert server.recv(4) == b'said'
""", *options)
            self.assertEqual([to for to in result.doc["network"] if to["port"] in (4243, 4244)], [])

    def test_recorded_and_replayed(self) -> None:
        port = self.serve(b"HTTP/1.0 200 Very well\r\nContent-Length: 4\r\n\r\nreal")
        fetch = f"""
import http.client
ask = http.client.HTTPConnection('127.0.0.1', {port})
ask.request('GET', '/data')
reply = ask.getresponse()
print(reply.version, reply.status, reply.reason, reply.will_close, reply.read().decode())
"""
        first = self.python(fetch, "--pass", f"host-loopback:{port},record")
        self.assertIn(b"10 200 Very well True real", first.err)
        again = self.python(fetch, "--replay", first.doc["id"])
        self.assertIn(b"10 200 Very well True real", again.err)
        self.assertEqual(self.the_attempt(again, port=port)["verdict"], "replayed")

    def test_a_mock_that_is_used_a_lot(self) -> None:
        harness.need("curl")
        mock = self.mock('[[mock]]\nlisten = "tcp:*:80"\nhttp = [ { body = "%s" } ]\n' % ("x" * 300_000))
        result = self.run_in(["curl", "-sS", "-o", "/dev/null", f"http://{OUTSIDE}/big?[1-250]"], "--mock", mock)
        self.assertEqual(result.doc["command"]["exit"], 0, result.err)
        self.assertTrue(result.doc["trace"]["complete"], result.doc["trace"]["trouble"])
        self.assertEqual([gap for gap in result.doc["fidelity"]["gaps"] if "exchanges" in gap["what"]], [])

    def test_a_recording_in_part_is_said(self) -> None:
        harness.need("curl")
        port = self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n" + b"x" * 300_000)
        result = self.run_in(["curl", "-sS", "-o", "/dev/null", f"http://127.0.0.1:{port}/"], "--pass", f"host-loopback:{port},record")
        self.assertIn(f"recording of 127.0.0.1:{port}: 1 kept in part", [gap["what"] for gap in result.doc["fidelity"]["gaps"]])

    def test_denied_with_another_error(self) -> None:
        result = self.python(f"""
for port, code in ((25, errno.ETIMEDOUT), (26, errno.ENETUNREACH), (27, errno.EPERM), (28, errno.EHOSTUNREACH)):
    got = socket.socket().connect_ex(('{OUTSIDE}', port))
    assert got == code, (port, errno.errorcode[got])
s = socket.socket()
s.settimeout(1)
try:
    s.connect(('{OUTSIDE}', 29))
except TimeoutError:
    pass
else:
    raise AssertionError('it was answered')
""", *[word for port, code in ((25, "ETIMEDOUT"), (26, "ENETUNREACH"), (27, "EPERM"), (28, "EHOSTUNREACH"), (29, "drop")) for word in ("--deny", f"tcp:*:{port}={code}")])
        self.assertEqual({to["port"]: to["errno"] for to in result.doc["network"]}, {25: "ETIMEDOUT", 26: "ENETUNREACH", 27: "EPERM", 28: "EHOSTUNREACH", 29: None})
        self.assertEqual({to["verdict"] for to in result.doc["network"]}, {"denied"})

    def test_bad_rules_and_files(self) -> None:
        for option, value, code, says in (("--pass", "tcp:nowhere", harness.USAGE, b"nowhere"), ("--deny", "tcp:*:25=EWHAT", harness.USAGE, b"EWHAT"),
                                          ("--mock", "/no/such/file", harness.USAGE, b"/no/such/file"), ("--mock", self.mock('[[mock]]\nlisten = "tcp:a.example:80"\nhttpp = []\n'), 78, b":3:"),
                                          ("--mock", "/dev/zero", harness.USAGE, b"larger than 4 MiB"), ("--replay", "20000101-000000-000000", harness.USAGE, b"20000101")):
            done = self.run_in(["true"], option, value)
            self.assertEqual(done.code, code, (option, value, done.err))
            self.assertLessEqual(done.err.count(b"\n"), 2, done.err)
            self.assertIn(says, done.err)
        listen = '[[mock]]\nlisten = "tcp:a.example:80"\n'
        for text, says in (("# later\n", b"nothing in"), (listen + 'http = [ { body_file = "/etc/passwd" } ]\n', b"not below the directory"),
                           (2 * (listen + 'reply = "1"\n'), b":4:1: tcp:a.example:80 is mocked at"),
                           ('[[mock]]\ndns = [ { name = "a.example", type = "A", data = "10.0.0.1" },\n { name = "a.example", type = "NXDOMAIN" } ]\n', b":3:2: DNS mock a.example NXDOMAIN: another record contradicts it")):
            done = self.run_in(["true"], "--mock", self.mock(text))
            self.assertEqual(done.code, 78, done.err)
            self.assertIn(says, done.err)
        done = self.run_in(["true"], "--no-trace", "--pass", "tcp:a.example:80")
        self.assertEqual(done.code, harness.USAGE)
        self.assertIn(b"--no-trace", done.err)

    def test_the_gate_begins_to_work_when_something_is_said_to_it(self) -> None:
        """What is said last, by one that does not wait for an answer, is heard too."""
        action = "import os, socket; " + ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4last\\7example\\0\\0\\1\\0\\1', ('9.9.9.9', 53)); "
                                          "os._exit(0)")
        result = self.run_in(["python3", "-c", action])
        self.assertIn("last.example", [asked["name"] for asked in result.doc["dns"]])
        self.assertNotEqual(result.doc["verdict"]["level"], "inconclusive")
        run = subprocess.Popen(self.command("run", "--", "sh", "-c", "echo ready; sleep 60"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert run.stderr is not None
        while b"ready" not in run.stderr.readline():
            pass
        workers = [p for p in harness_processes() if p[1] == run.pid and p[2] == 65534]
        run.send_signal(signal.SIGTERM)
        run.communicate()
        self.assertEqual(workers, [])

    def test_a_gate_that_cannot_begin_is_said(self) -> None:
        harness.need("strace")
        inject = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=clone", "-e", "inject=clone:error=EAGAIN:when=1"]
        done = subprocess.run([*inject, *self.command("run", "--", "timeout", "2", "getent", "hosts", "name.example")], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60 * harness.SLOW)
        document = json.loads(done.stdout)
        self.assertEqual((done.returncode, document["verdict"]["level"]), (12, "inconclusive"))
        self.assertIn("the network gate: fork", json.dumps(document["verdict"]["findings"]))

    def test_killed_rehearse_leaves_no_gate(self) -> None:
        run = subprocess.Popen(self.command("run", "--", "sh", "-c", "getent hosts name.example; echo ready; sleep 60"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert run.stderr is not None
        while b"ready" not in run.stderr.readline():
            pass
        children = [p for p in harness_processes() if p[1] == run.pid]
        self.assertTrue(any(uid == 65534 for _, _, uid in children), children)
        run.kill()
        run.communicate()
        self.call("gc")
        harness.wait_for(lambda: not any(pid in {p[0] for p in harness_processes()} for pid, _, uid in children if uid == 65534))


def harness_processes() -> list[tuple[int, int, int]]:
    """Process, parent and real uid of all there are."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, StopIteration):
            lines = (directory / "status").read_text().splitlines()
            value = {line.split(":")[0]: line.split() for line in lines}
            found.append((int(value["Pid"][1]), int(value["PPid"][1]), int(value["Uid"][1])))
    return found


if __name__ == "__main__":
    unittest.main(verbosity=2)
