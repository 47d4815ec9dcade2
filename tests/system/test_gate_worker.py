#!/usr/bin/env python3
"""The gate's worker with real clients and hostile ones: answers, mocks, passes, refuses, stays bounded. Needs root."""
import base64, http.server, json, os, socket, struct, subprocess, sys, tempfile, textwrap, threading, time, unittest

BED = os.environ["GATE_BED"]
LIMIT = 256 << 20  # bytes of memory that the worker may come to hold


class Tcp(threading.Thread):
    """A server on the host's loopback, on a port of its own; `serve` gets each connection in a thread."""

    def __init__(self, serve, family=socket.AF_INET):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1" if family == socket.AF_INET else "::1", 0), family=family, backlog=4096)
        self.port = self.listener.getsockname()[1]
        self.serve = serve
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.guarded, args=(connection,), daemon=True).start()

    def guarded(self, connection):
        with connection:
            try:
                self.serve(connection)
            except OSError:
                pass


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


def read_lines(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


class Seen:
    def __init__(self, directory, process):
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr
        lines = read_lines(os.path.join(directory, "log"))
        self.questions = [line for line in lines if line.get("type") == "dns"]
        self.connections = [line for line in lines if line.get("type") == "connection"]
        self.totals = lines[-1]
        path = os.path.join(directory, "exchanges")
        self.exchanges = read_lines(path)[1:] if os.path.exists(path) else []


class Gate(unittest.TestCase):
    def host(self, lines):
        """Names that the host knows, until the test's end."""
        with open("/etc/hosts") as file:
            before = file.read()
        def write(text):
            with open("/etc/hosts", "w") as file:
                file.write(text)
        self.addCleanup(write, before)
        write(before + lines)

    def behind(self, script, mock="", options=(), timeout=120, replay=None):
        """Runs a shell script (or with "#python" a Python program) behind the gate."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(lambda d: subprocess.run(["rm", "-r", d]), self.directory)
        file = os.path.join(self.directory, "mock.toml")
        with open(file, "w") as text:
            text.write(mock)
        command = ["sh", "-c", script]
        if script.startswith("#python"):
            command = [sys.executable, "-c", PRELUDE + textwrap.dedent(script.removeprefix("#python"))]
        arguments = [BED, "--log", self.directory + "/log", "--ca", self.directory + "/ca", "--mock", file, *options]
        if not replay:
            arguments += ["--exchanges", self.directory + "/exchanges"]
        else:
            arguments += ["--replay", replay, "--exchanges", self.directory + "/exchanges"]
        process = subprocess.run(arguments + ["--", *command], capture_output=True, text=True, timeout=timeout,
                                 env=dict(os.environ, CA=self.directory + "/ca"))
        if process.returncode == 77:
            self.skipTest(process.stderr)
        if "gate_bed:" in process.stderr:
            self.fail(process.stderr)
        return Seen(self.directory, process)


PRELUDE = """
import json, os, socket, struct, sys, threading, time
socket.setdefaulttimeout(20)
def worker_memory():
    for line in open("/proc/%s/status" % os.environ["GATE_WORKER"]):
        if line.startswith("VmHWM"): return int(line.split()[1]) << 10
def worker_threads():
    return len(os.listdir("/proc/%s/task" % os.environ["GATE_WORKER"]))
def gate_socket(*arguments):
    made = socket.socket(*arguments)
    made.settimeout(20)
    return made
"""

HTTP = """
[[mock]]
listen = "tcp:api.example.com:80"
http = [ { path = "/slow", latency = "300ms", body = "late" }, { path = "/reset", fault = "reset" }, { path = "/**", body = "hello" } ]
[[mock]]
listen = "tcp:api.example.com:443"
tls = true
http = [ { path = "/**", body = "secure" } ]
[[mock]]
listen = "tcp:mail.example.com:25"
smtp = { name = "mail.example.com" }
[[mock]]
dns = [ { name = "db.example.com", type = "A", data = "10.9.8.7" }, { name = "example.com", type = "MX", data = "10 mail.example.com" } ]
"""


class Names(Gate):
    def test_udp_and_tcp(self):
        seen = self.behind("dig +short a.example.com @8.8.8.8; dig +tcp +short a.example.com @10.0.0.1; dig +short a.example.com @2001:4860:4860::8888;"
                           "dig +short MX example.com @127.0.0.1; dig +short db.example.com @1.1.1.1; dig +tcp +short AAAA a.example.com @::1", HTTP)
        answers = seen.out.split("\n")
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0], answers[2])
        self.assertTrue(answers[0].startswith("198.1"), seen.out)
        self.assertEqual(answers[3], "10 mail.example.com.")
        self.assertEqual(answers[4], "10.9.8.7")
        self.assertTrue(answers[5].startswith("2001:2::"), seen.out)
        asked = {(q["name"], q["qtype"], q["answer"]): 0 for q in seen.questions}
        for q in seen.questions:
            asked[q["name"], q["qtype"], q["answer"]] += q["count"]
        self.assertEqual(asked["a.example.com", "A", "synthetic"], 3)
        self.assertEqual(asked["db.example.com", "A", "mocked"], 1)
        self.assertEqual(seen.totals["questions"], 6)

    def test_hostile_questions(self):
        seen = self.behind("""#python
            s = gate_socket(socket.AF_INET, socket.SOCK_DGRAM)
            for n in (0, 1, 11, 12, 13, 100, 4000, 65000):
                s.sendto(os.urandom(n), ("8.8.8.8", 53))
            for i in range(3000):
                s.sendto(struct.pack(">HHHHHH", i, 0x100, 1, 0, 0, 0) + b"\\x3f" + os.urandom(63) + b"\\x02aa\\x00" + struct.pack(">HH", 1, 1), ("8.8.8.8", 53))
            t = socket.create_connection(("8.8.8.8", 53))
            t.sendall(b"\\xff\\xff" + b"x" * 70000)
            try: print("tcp", t.recv(10))
            except OSError as error: print("tcp", error)
            s.settimeout(1)
            try:
                while s.recv(65536): pass
            except OSError: pass
            s.sendto(struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\\x01a\\x02bb\\x00" + struct.pack(">HH", 1, 1), ("8.8.8.8", 53))
            print("still", s.recv(512)[:2] == b"\\0\\7")
            """)
        self.assertIn("still True", seen.out, seen.err)
        self.assertIn("reset", seen.out)


class Mocked(Gate):
    def test_http_and_tls(self):
        seen = self.behind("curl -sS http://api.example.com/x; curl -sS --cacert $CA https://api.example.com/y; curl -sS http://api.example.com/slow;"
                           "curl -sS http://api.example.com/reset; echo $?; curl -sS https://api.example.com/; echo $?", HTTP)
        self.assertEqual(seen.out, "hellosecurelate56\n60\n", seen.err)
        by_path = {c["http_path"]: c for c in seen.connections}
        self.assertEqual(by_path["/y"]["sni"], "api.example.com")
        self.assertEqual(by_path["/x"]["http_host"], "api.example.com")
        self.assertTrue(all(c["verdict"] == "mocked" for c in seen.connections))
        self.assertIn("unknown ca", seen.connections[-1]["error"])
        self.assertEqual([e["request"]["head"] for e in seen.exchanges][:2], ["GET /x HTTP/1.1", "GET /y HTTP/1.1"])

    def test_a_body_larger_than_the_sockets_buffer(self):
        mock = '[[mock]]\nlisten = "tcp:api.example.com:%d"\ntls = %s\nhttp = [ { path = "/**", body = "%s" } ]\n'
        body = "x" * (12 << 20)
        for port, tls, more in ((80, "false", "http"), (443, "true", "--cacert $CA https")):
            seen = self.behind("curl -sS -m 20 %s://api.example.com/x | wc -c" % more, mock % (port, tls, body))
            self.assertEqual(seen.out, "%d\n" % len(body), seen.err)

    def test_a_client_that_does_not_read_costs_little(self):
        seen = self.behind("""#python
            s = socket.create_connection(("api.example.com", 80))
            s.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
            time.sleep(1)
            for line in [*open("/proc/net/tcp"), *open("/proc/net/tcp6")]:
                words = line.split()
                if words[1].endswith(":0050"): print(int(words[4].split(":")[0], 16))
            """, '[[mock]]\nlisten = "tcp:api.example.com:80"\nhttp = [ { body = "%s" } ]\n' % ("x" * (8 << 20)))
        self.assertGreater(int(seen.out), 0, seen.err)
        self.assertLess(int(seen.out), 1 << 20)

    def test_datagrams(self):
        seen = self.behind("""#python
            import binascii
            with gate_socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.connect(("10.0.0.5", 123))
                s.send(b"\\x1b" + bytes(39) + b"MYSTAMP!")
                print(binascii.hexlify(s.recv(100)).decode())
                s.send(b"no such thing")
            with gate_socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                for n in range(3):
                    s.sendto(b"<34>sshd: line %d\\n" % n, ("10.0.0.6", 514))
                    s.sendto(b"count:1|c", ("10.0.0.7", 8125))
                    print(s.recvfrom(100))
            with gate_socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
                s.sendto(b"six", ("2001:db8::7", 7))
                print(s.recvfrom(100)[0])
        """, mock="""
            [[mock]]
            listen = "udp:10.0.0.5:123"
            datagrams = [ { expect_hex = "1b *", reply_hex = "1c 01 {40:8}" } ]
            [[mock]]
            listen = "udp:*:514"
            datagrams = [ { expect = "<*>*" } ]
            [[mock]]
            listen = "udp:10.0.0.7:8125"
            reply = "ok"
            [[mock]]
            listen = "udp:[2001:db8::]/32:7"
            reply = "echo"
        """)
        self.assertEqual(seen.out.splitlines(), ["1c01" + b"MYSTAMP!".hex()] + ["(b'ok', ('10.0.0.7', 8125))"] * 3 + ["b'echo'"], seen.err)
        by_port = {c["port"]: c for c in seen.connections}
        self.assertEqual({p: (c["protocol"], c["verdict"]) for p, c in by_port.items()},
                         dict.fromkeys((123, 514, 8125, 7), ("udp", "mocked")))
        self.assertEqual((by_port[123]["bytes_out"], by_port[123]["bytes_in"]), (48 + 13, 10))
        self.assertEqual((by_port[8125]["bytes_out"], by_port[8125]["bytes_in"]), (27, 6))
        outcomes = sorted((e["port"], e["outcome"], base64.b64decode(e["request"]["body"])[-4:]) for e in seen.exchanges)
        self.assertEqual(outcomes, sorted([(123, "served", b"AMP!"), (123, "unmatched", b"hing"), (7, "served", b"six")] +
                                          [(514, "served", b"e %d\n" % n) for n in range(3)] + [(8125, "served", b":1|c")] * 3))

    def test_a_server_inside_may_have_the_port(self):
        seen = self.behind("""#python
            def serve(reuse):
                s = gate_socket(socket.AF_INET, socket.SOCK_STREAM)
                if reuse: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("0.0.0.0", 80))
                s.listen(1)
                s.close()
            held = socket.create_connection(("api.example.com", 80))
            with socket.create_connection(("api.example.com", 80)) as ended:
                ended.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
                while ended.recv(1000): pass
            serve(True)
            serve(False)
            print("served")
            """, HTTP)
        self.assertEqual(seen.out, "served\n", seen.err)

    def test_secrets_head_and_faults_in_the_log(self):
        seen = self.behind("curl -sS 'http://u:SEKRET3@api.example.com/x?token=SEKRET1&a=1&password=SEKRET2'; curl -sSI http://api.example.com/got;"
                           "curl -sS http://api.example.com/reset", """
            [[mock]]
            listen = "tcp:api.example.com:80"
            http = [ { path = "/reset", fault = "reset" }, { method = "GET", path = "/got", body = "12345" }, { path = "/x", body = "x" } ]
        """)
        self.assertIn("200 OK", seen.out)
        self.assertIn("Content-Length: 5", seen.out)
        with open(self.directory + "/log") as file:
            self.assertNotIn("SEKRET", file.read())
        self.assertEqual(seen.connections[0]["http_path"], "/x?token=***&a=1&password=***")
        self.assertGreater(seen.connections[2]["bytes_out"], 50)

    def test_clients_that_do_not_trust_the_authority(self):
        seen = self.behind("""#python
            import ssl
            def greet(context, say=b"", **more):
                try:
                    with context.wrap_socket(socket.create_connection(("api.example.com", 443)), server_hostname="api.example.com", **more) as s:
                        if say: s.sendall(say)
                except OSError as error: pass
            greet(ssl._create_unverified_context())  # as those that look at the certificate later
            greet(ssl.create_default_context())
            """, HTTP)
        self.assertTrue(all(c["error"].startswith("TLS: ") for c in seen.connections), seen.connections)
        # What went over the wire counts, in both directions: a hello is some hundred bytes.
        for c in seen.connections:
            self.assertGreater(c["bytes_out"], 200)
            self.assertGreater(c["bytes_in"], 500)

    def test_a_request_that_is_not_answered_in_time(self):
        seen = self.behind("""#python
            s = socket.create_connection(("api.example.com", 80))
            s.sendall(b"GET /s?x=1 HTTP/1.1\\r\\nHost: api.example.com\\r\\n\\r\\n")
            time.sleep(0.3)
            os._exit(0)
            """, HTTP.replace("300ms", "9s").replace("/slow", "/s"))
        self.assertEqual([(e["outcome"], e["request"]["head"]) for e in seen.exchanges], [("unanswered", "GET /s?x=1 HTTP/1.1")])
        self.assertEqual(seen.connections[0]["http_path"], "/s?x=1")

    def test_mail(self):
        seen = self.behind("""#python
            import smtplib
            mail = smtplib.SMTP("mail.example.com", 25, timeout=20)
            mail.sendmail("a@example.com", ["b@example.com"], "Subject: x\\r\\n\\r\\ntext")
            mail.quit()
            """, HTTP)
        self.assertEqual(seen.status, 0, seen.err)
        self.assertIn("text", base64.b64decode(seen.exchanges[0]["request"]["body"]).decode())

    def test_replay(self):
        first = self.behind("curl -sS http://api.example.com/x; curl -sS --cacert $CA https://api.example.com/y", HTTP)
        recording = self.directory + "/exchanges"
        seen = self.behind("curl -sS http://api.example.com/x; curl -sS --cacert $CA https://api.example.com/y; curl -sS http://api.example.com/new",
                           replay=recording)
        self.assertTrue(seen.out.startswith(first.out), seen.out + seen.err)
        self.assertEqual({c["verdict"] for c in seen.connections}, {"replayed"})
        self.assertEqual([e["outcome"] for e in seen.exchanges], ["replayed", "replayed", "diverged"])
        self.assertEqual(seen.totals["unused_recordings"], 0)

    def test_replay_is_what_was_recorded_or_a_finding(self):
        mock = """
            [[mock]]
            listen = "tcp:api.example.com:80"
            http = [ { method = "GET", path = "/cut", body = "twelve bytes", fault = "truncate" },
                     { method = "GET", path = "/never", fault = "timeout" }, { method = "GET", path = "/x", body = "twelve bytes" } ]
            [[mock]]
            listen = "tcp:api.example.com:443"
            tls = true
            http = [ { body = "secure" } ]
        """
        script = ("curl -sS http://api.example.com/cut 2>/dev/null; echo =$?; curl -sS -m 1 http://api.example.com/never 2>/dev/null; echo =$?;"
                  "curl -sSI http://api.example.com/x | grep Length; curl -sS --cacert $CA https://api.example.com/y")
        first = self.behind(script, mock)
        self.assertIn("twelve=18\n=28\nContent-Length: 12", first.out, first.err)
        recording = self.directory + "/exchanges"
        again = self.behind(script, replay=recording)
        self.assertEqual(again.out, first.out, again.err)
        self.assertEqual({e["outcome"] for e in again.exchanges}, {"replayed"})
        plain = self.behind("curl -sS http://api.example.com:443/y; curl -sSk https://api.example.com:80/x", replay=recording)
        self.assertEqual(plain.out, "", plain.err)
        self.assertEqual([e["outcome"] for e in plain.exchanges], ["malformed"])
        self.assertTrue(plain.connections[0]["error"].startswith("TLS: "), plain.connections)

    def test_what_comes_behind_the_clients_end_is_replayed_behind_it(self):
        def serve(connection):
            connection.recv(100)
            connection.sendall(b"two")
            while connection.recv(100): pass
            connection.sendall(b"BYE")
        server = Tcp(serve)
        script = """#python
            s = socket.create_connection(("127.0.0.1", %d))
            s.sendall(b"one")
            s.settimeout(0.5)
            got = b""
            try:
                while True: got += s.recv(100)
            except TimeoutError: print(got)
            s.shutdown(socket.SHUT_WR)
            print(s.recv(100))
            """ % server.port
        first = self.behind(script, options=["--pass", "host-loopback:%d,record" % server.port])
        self.assertEqual(first.out, "b'two'\nb'BYE'\n", first.err)
        again = self.behind(script, replay=self.directory + "/exchanges")
        self.assertEqual(again.out, first.out, again.err)
        self.assertEqual({e["outcome"] for e in again.exchanges}, {"replayed"})


class Passed(Gate):
    def test_tcp_both_families_and_half_close(self):
        def until_end(connection):
            data = b""
            while piece := connection.recv(65536):
                data += piece
            connection.sendall(b"got %d" % len(data))
        four, six = Tcp(until_end), Tcp(until_end, socket.AF_INET6)
        seen = self.behind("""#python
            for address, port in (("127.0.0.1", %d), ("::1", %d)):
                s = socket.create_connection((address, port))
                s.sendall(b"x" * 100000)
                s.shutdown(socket.SHUT_WR)
                print(s.recv(100).decode())
            """ % (four.port, six.port), options=["--pass", "host-loopback:%d" % four.port, "--pass", "host-loopback:%d" % six.port])
        self.assertEqual(seen.out, "got 100000\ngot 100000\n", seen.err)
        for c in seen.connections:
            self.assertEqual((c["verdict"], c["bytes_out"], c["bytes_in"], c["error"]), ("passed", 100000, 10, ""))

    def test_server_speaks_first_and_names(self):
        def greet(connection):
            connection.sendall(b"220 hello\r\n")
            connection.sendall(b"you said " + connection.recv(100))
        server = Tcp(greet)
        script = """#python
            s = socket.create_connection(("localhost-alias.example", %d))
            print(s.recv(100).decode().strip())
            s.sendall(%r)
            try: print(s.recv(100).decode().strip())
            except OSError as error: print(error)
            """
        self.host("127.0.0.1 localhost-alias.example\n")
        port = server.port
        passes = ["--pass", "tcp:localhost-alias.example:%d" % port, "--pass", "host-loopback:%d" % port]
        seen = self.behind(script % (port, b"EHLO x\r\n"), options=passes)
        self.assertEqual(seen.out, "220 hello\nyou said EHLO x\n", seen.err)
        self.assertEqual(seen.connections[0]["name"], "localhost-alias.example")
        request = b"GET /p HTTP/1.1\r\nHost: %s\r\n\r\n"
        good = self.behind(script % (port, request % b"localhost-alias.example"), options=passes)
        self.assertIn("you said GET", good.out, good.err)
        self.assertEqual((good.connections[0]["http_host"], good.connections[0]["http_path"]), ("localhost-alias.example", "/p"))
        bad = self.behind(script % (port, request % b"other.example"), options=passes)
        self.assertIn("reset", bad.out, bad.err)
        self.assertEqual([(c["bytes_out"], c["http_host"]) for c in bad.connections], [(0, "other.example"), (0, "")])
        self.assertIn("another host", bad.connections[-1]["error"])
        self.assertEqual([c["verdict"] for c in bad.connections], ["denied", "passed"])  # the greeting had come
        # Without a rule for the loopback the name is a rebinding.
        alone = self.behind("""#python
            try: print(socket.create_connection(("localhost-alias.example", %d)).recv(100))
            except OSError as error: print(error)
            """ % port, options=passes[:2])
        self.assertIn("Connection refused", alone.out, alone.err)
        self.assertIn("127.0.0.1 (loopback)", alone.connections[0]["error"])
        self.assertEqual(alone.connections[0]["verdict"], "denied")

    def test_rules_by_name_for_mocked_addresses(self):
        server = Tcp(echo)
        mock = """
            [[mock]]
            dns = [ { name = "one.example.com", type = "A", data = "127.0.0.1" }, { name = "two.example.com", type = "A", data = "127.0.0.1" },
                    { name = "three.example.com", type = "CNAME", data = "four.example.com" }, { name = "played.example.com", type = "A", data = "93.184.216.34" } ]
            [[mock]]
            listen = "tcp:played.example.com:80"
            reply = "played"
        """
        script = """#python
            for name, port in (("one.example.com", %d), ("two.example.com", %d), ("three.example.com", 81), ("played.example.com", 80)):
                try:
                    s = socket.create_connection((name, port))
                    s.sendall(b"x")
                    print(name, s.recv(10))
                except OSError as error: print(name, error)
            """ % (server.port, server.port)
        passes = ["--pass", "host-loopback:%d" % server.port]
        seen = self.behind(script, mock, passes + ["--deny", "tcp:two.example.com:%d=ETIMEDOUT" % server.port, "--deny", "tcp:three.example.com:81=EHOSTUNREACH"])
        self.assertEqual(seen.out.splitlines(), ["one.example.com b'x'", "two.example.com [Errno 110] Connection timed out",
                                                 "three.example.com [Errno 113] No route to host", "played.example.com b'played'"], seen.err)
        # By name it passes only where the address may be connected to.
        alone = self.behind(script, mock, ["--pass", "tcp:two.example.com:%d" % server.port])
        refused = {c["name"]: c["error"] for c in alone.connections}
        self.assertIn("127.0.0.1 (loopback), which no rule passes", refused["two.example.com"], alone.out)
        both = self.behind(script, mock, passes + ["--pass", "tcp:two.example.com:%d" % server.port])
        self.assertEqual(both.out.splitlines()[1], "two.example.com b'x'", both.err)
        self.assertEqual({c["name"]: c["rule"] for c in both.connections}["two.example.com"], "tcp:two.example.com:%d" % server.port)

    def test_limits(self):
        server = Tcp(echo)
        script = """#python
            s = socket.create_connection(("127.0.0.1", %d))
            began, got = time.time(), 0
            try:
                for i in range(%d):
                    s.sendall(b"x" * 10000)
                    n = 0
                    while n < 10000:
                        piece = s.recv(10000)
                        if not piece: break
                        n += len(piece)
                    got += n
                print("all", round(time.time() - began, 1))
            except OSError as error: print(got, error)
            """
        seen = self.behind(script % (server.port, 100), options=["--pass", "host-loopback:%d,bytes=100K" % server.port])
        self.assertIn("reset", seen.out, seen.err)
        moved = seen.connections[0]["bytes_out"] + seen.connections[0]["bytes_in"]
        self.assertLessEqual(moved, 100 << 10)
        self.assertIn("bytes are used up", seen.connections[0]["error"])
        seen = self.behind(script % (server.port, 20), options=["--pass", "host-loopback:%d,rate=200K/s" % server.port])
        self.assertGreater(float(seen.out.split()[1]), 1.5, seen.out + seen.err)
        seen = self.behind("""#python
            s = socket.create_connection(("127.0.0.1", %d))
            began = time.time()
            try: s.recv(1)
            except OSError as error: print(error, round(time.time() - began))
            """ % server.port, options=["--pass", "host-loopback:%d,time=1s" % server.port])
        self.assertIn("reset by peer 1", seen.out, seen.err)

    def test_record(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        seen = self.behind("curl -sS http://127.0.0.1:%d/nothing -o /dev/null" % server.server_port,
                           options=["--pass", "host-loopback:%d,record" % server.server_port])
        server.shutdown()
        self.assertEqual([(e["outcome"], e["request"]["head"]) for e in seen.exchanges], [("passed", "GET /nothing HTTP/1.1")], seen.err)

    def test_mocks_and_passes_name_a_request_alike(self):
        server = Tcp(lambda connection: (connection.recv(65536), connection.sendall(b"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n")))
        self.host("127.0.0.1 passed.example\n")
        mock = '[[mock]]\nlisten = "tcp:mocked.example:%d"\nhttp = [ {} ]\n' % server.port
        seen = self.behind("""#python
            for target in ("/x?y=1", "http://NAME:%d/x?y=1"):
                for name in ("mocked.example", "passed.example"):
                    s = socket.create_connection((name, %d))
                    s.sendall(f"GET {target.replace('NAME', name)} HTTP/1.1\\r\\nHost: {name}:%d\\r\\n\\r\\n".encode())
                    s.recv(100)
            """ % (server.port, server.port, server.port), mock, ["--pass", "tcp:passed.example:%d" % server.port, "--pass", "host-loopback:%d" % server.port])
        self.assertEqual(sorted((c["verdict"], c["http_host"], c["http_path"]) for c in seen.connections),
                         [("mocked", "mocked.example", "/x?y=1")] * 2 + [("passed", "passed.example", "/x?y=1")] * 2, seen.err)

    def test_what_is_refused_is_no_exchange(self):
        def answer(connection):
            while data := connection.recv(65536):
                if data.endswith(b"\r\n\r\n"):
                    connection.sendall(b"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n")
        server = Tcp(answer)
        self.host("127.0.0.1 kept.example\n")
        seen = self.behind("""#python
            good, bad = (b"GET /%%s HTTP/1.1\\r\\nHost: %%s\\r\\n\\r\\n" %% ends for ends in ((b"good", b"kept.example"), (b"bad", b"other.example")))
            for parts in ((good, bad), (bad,), (good + bad,), (good, bad[:20], bad[20:]), (bad[:20], bad[20:])):
                s = socket.create_connection(("kept.example", %d))
                try:
                    for part in parts:
                        s.sendall(part)
                        if part == good: s.recv(100)
                        else: time.sleep(0.5)
                    s.recv(100)
                except OSError as error: print(error.errno)
            """ % server.port, options=["--pass", "tcp:kept.example:%d,record" % server.port, "--pass", "host-loopback:%d" % server.port])
        self.assertEqual(seen.out.split(), ["104"] * 5, seen.err)
        self.assertEqual([(e["outcome"], e["request"]["head"]) for e in seen.exchanges], [("passed", "GET /good HTTP/1.1")] * 2)

    def test_udp(self):
        def serve(listener):
            while True:
                data, peer = listener.recvfrom(65536)
                listener.sendto(data[::-1], peer)
        ports = []
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            listener = socket.socket(family, socket.SOCK_DGRAM)
            listener.bind((address, 0))
            ports.append(listener.getsockname()[1])
            threading.Thread(target=serve, args=(listener,), daemon=True).start()
        self.host("127.0.0.1 udp-alias.example\n::1 udp-alias.example\n")
        seen = self.behind("""#python
            for family, address, port in ((socket.AF_INET, "127.0.0.1", %d), (socket.AF_INET6, "::1", %d)):
                c = gate_socket(family, socket.SOCK_DGRAM)
                c.connect((address, port))
                c.send(b"abc")
                print(c.recv(100))
                u = gate_socket(family, socket.SOCK_DGRAM)
                to = socket.getaddrinfo("udp-alias.example", port, family)[0][4]
                u.sendto(b"x" * 50000 + b"y", to)
                data, peer = u.recvfrom(65536)
                print(len(data), data[:1], peer == to)
            d = gate_socket(socket.AF_INET, socket.SOCK_DGRAM)
            try: d.sendto(b"z", ("10.1.2.3", 999))
            except OSError as error: print(error)
            """ % tuple(ports), options=["--pass", "udp:host-loopback:%d" % ports[0], "--pass", "udp:host-loopback:%d" % ports[1], "--pass", "udp:udp-alias.example:*"])
        self.assertEqual(seen.out, "b'cba'\n50001 b'y' True\n" * 2 + "[Errno 111] Connection refused\n", seen.err)
        self.assertEqual(sorted(c["bytes_in"] for c in seen.connections if c["protocol"] == "udp"), [3, 3, 50001, 50001])
        self.assertEqual(seen.totals["flows"], 4)

    def test_a_datagram_that_nobody_takes_is_told(self):
        closed = []
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family, socket.SOCK_DGRAM) as once:
                once.bind((address, 0))
                closed.append((family.value, address, once.getsockname()[1]))
        seen = self.behind("""#python
            for family, address, port in %r:
                s = gate_socket(family, socket.SOCK_DGRAM)
                s.connect((address, port))
                s.settimeout(3)
                try:
                    s.send(b"x")
                    print(s.recv(10))
                except OSError as error: print(error.errno)
            """ % closed, options=[word for _, _, port in closed for word in ("--pass", "udp:host-loopback:%d" % port)])
        self.assertEqual(seen.out.split(), ["111", "111"], seen.err)
        self.assertEqual({(c["verdict"], c["error"]) for c in seen.connections}, {("passed", "Connection refused")})

    def test_a_datagram_larger_than_a_moment_of_the_rate(self):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("127.0.0.1", 0))
        def serve():
            while True:
                data, peer = listener.recvfrom(65536)
                listener.sendto(data[:10], peer)
        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        seen = self.behind("""#python
            s = gate_socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.connect(("127.0.0.1", %d))
            s.settimeout(0.3)
            began, tries = time.time(), 0
            for _ in range(10):
                while True:
                    s.send(b"x" * 8000)
                    tries += 1
                    try: s.recv(100); break
                    except OSError: pass
                    assert tries < 100
            print(time.time() - began, tries)
            """ % port, options=["--pass", "udp:host-loopback:%d,rate=10KiB/s" % port])
        took, tries = seen.out.split()
        self.assertGreater(float(took), 0.6, seen.err)
        self.assertGreater(int(tries), 10)
        self.assertIn("beyond the limits", seen.connections[0]["error"])

    def test_who_is_refused_outside_is_refused_inside(self):
        closed = []
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            listener = socket.create_server((address, 0), family=family)
            closed.append(listener.getsockname()[1])
            listener.close()
        options = ["--pass", "host-loopback:%d" % closed[0], "--pass", "host-loopback:%d" % closed[1]]
        # No way, of both families: routes that say so.
        ways = (("203.0.113.9/32", 113), ("203.0.113.10/32", 101), ("3fff:1::9/128", 113), ("3fff:1::a/128", 101))
        for block, error in ways:
            kind = "unreachable" if error == 113 else "throw"
            added = subprocess.run(["ip", "route", "add", kind, block], capture_output=True, text=True)
            if added.returncode != 0:
                self.skipTest(added.stderr)
            self.addCleanup(subprocess.run, ["ip", "route", "del", kind, block])
            address = block.split("/")[0]
            options += ["--pass", "tcp:[%s]:80" % address if ":" in address else "tcp:%s:80" % address]
        seen = self.behind("""#python
            for to in %r:
                try:
                    socket.create_connection(to)
                    print("connected")
                except OSError as error: print(error.errno)
            """ % ([("127.0.0.1", closed[0]), ("::1", closed[1])] + [(block.split("/")[0], 80) for block, _ in ways],), options=options)
        got = seen.out.split()
        self.assertEqual(got[:3], ["111", "111", "113"], seen.err + str(seen.connections))
        self.assertEqual(got[4], "113")
        self.assertTrue({got[3], got[5]} <= {"101", "113"}, got)  # a default route may be there
        self.assertEqual({c["verdict"] for c in seen.connections}, {"passed"})
        self.assertEqual(sum("cannot connect: Connection refused" in c["error"] for c in seen.connections), 2)

    def test_a_destination_that_does_not_answer(self):
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fill = [socket.socket() for _ in range(3)]
        for s in fill:
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
        seen = self.behind("""#python
            s = gate_socket(socket.AF_INET, socket.SOCK_STREAM)
            s.settimeout(4)
            try: s.connect(("127.0.0.1", %d))
            except OSError as error: print(error)
            """ % port, options=["--pass", "host-loopback:%d" % port])
        self.assertEqual(seen.out, "timed out\n", seen.err)
        self.assertEqual([c["error"] for c in seen.connections], ["the destination has not answered"])

    def test_clients_that_end_no_line_are_answered(self):
        server = Tcp(echo)
        self.host("127.0.0.1 short.example\n")
        seen = self.behind("""#python
            for word in (b"ruok", b"G", b"\\x16", b"\\x16\\x03\\x01"):
                s = socket.create_connection(("short.example", %d))
                began = time.time()
                s.sendall(word)
                print(s.recv(10) == word, time.time() - began < 5)
            # What was begun goes on being looked at.
            s = socket.create_connection(("short.example", %d))
            s.sendall(b"GET / HTTP/1.1\\r\\nHo")
            print(s.recv(100))
            try:
                s.sendall(b"st: other.example\\r\\n\\r\\n")
                print(s.recv(100))
            except OSError as error: print(error)
            """ % (server.port, server.port), options=["--pass", "tcp:short.example:%d" % server.port, "--pass", "host-loopback:%d" % server.port])
        self.assertEqual(seen.out.splitlines()[:4], ["True True"] * 4, seen.out + seen.err)
        self.assertEqual(seen.out.splitlines()[4], str(b"GET / HTTP/1.1\r\nHo"))
        self.assertIn("reset", seen.out.splitlines()[5])

    def test_turns_without_lines_wait_once(self):
        """A server that has answered before a line was whole speaks no HTTP: the client's next words need not wait."""
        def say(connection):
            connection.sendall(b"hello")
            echo(connection)
        silent, greeting = Tcp(echo), Tcp(say)
        self.host("127.0.0.1 turns.example\n")
        options = [word for port in (silent.port, greeting.port) for word in ("--pass", "tcp:turns.example:%d" % port, "--pass", "host-loopback:%d" % port)]
        seen = self.behind("""#python
            for port in (%d, %d):
                s = socket.create_connection(("turns.example", port))
                if port == %d: s.recv(5)
                began = time.time()
                for _ in range(18):
                    s.sendall(b"w")
                    assert s.recv(10) == b"w"
                print(time.time() - began)
                # It is looked at all the same.
                try:
                    s.sendall(b" /x HTTP/1.1\\r\\nHost: other.example\\r\\n\\r\\n")
                    print(s.recv(10))
                except OSError as error: print(error.errno)
            """ % (silent.port, greeting.port, greeting.port), options=options)
        waited = seen.out.split()
        self.assertEqual(waited[1::2], ["104", "104"], seen.err)
        self.assertLess(float(waited[0]), 2)
        self.assertLess(float(waited[2]), 2)

    def test_every_request_is_for_the_name(self):
        def answer(connection):
            while data := connection.recv(65536):
                connection.sendall(b"HTTP/1.1 101 x\r\n\r\n" if b"Upgrade" in data else b"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n")
        server = Tcp(answer)
        self.host("127.0.0.1 kept.example\n")
        seen = self.behind("""#python
            def say(requests):
                s = socket.create_connection(("kept.example", %d))
                got = []
                try:
                    for request in requests:
                        s.sendall(request)
                        got.append(s.recv(1000)[9:12])
                except OSError as error: got.append(error.errno)
                print(got)
            good, bad = (b"POST /%%s HTTP/1.1\\r\\nHost: %%s\\r\\nContent-Length: 3\\r\\n\\r\\nabc" %% (path, host) for path, host in ((b"good", b"kept.example"), (b"bad", b"other.example")))
            say([good, good, bad])
            say([good + bad])
            say([good, b"no HTTP at all\\r\\n"])
            say([b"GET / HTTP/1.1\\r\\nHost: kept.example\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n", b"\\x81\\x05frame"])
            """ % server.port, options=["--pass", "tcp:kept.example:%d" % server.port, "--pass", "host-loopback:%d" % server.port])
        self.assertEqual(seen.out.splitlines(), ["[b'200', b'200', 104]", "[104]", "[b'200', 104]", "[b'101', b'200']"], seen.err)
        denied = [c for c in seen.connections if c["verdict"] == "denied"]
        self.assertEqual([(c["http_host"], c["http_path"], c["bytes_out"]) for c in denied],
                         [("other.example", "/bad", 0), ("other.example", "/bad", 0), ("", "", 0)])
        passed = [c for c in seen.connections if c["verdict"] == "passed"]
        self.assertEqual([(c["http_host"], c["http_path"], c["bytes_out"] > 0) for c in passed],
                         [("kept.example", "/good", True), ("kept.example", "/good", True), ("kept.example", "/", True)])
        self.assertIn("another host than kept.example", denied[0]["error"])

    def test_what_a_server_might_take_for_a_request_names_the_name(self):
        """Whatever of it is let through leaves no server with a request for somebody else, or for nobody."""
        heard = []
        def answer(connection):
            said = b""
            heard.append(said)
            while data := connection.recv(65536):
                heard.remove(said)
                said += data
                heard.append(said)
                connection.sendall(b"HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n" if b"garbage" in data else b"+OK\r\n")
        server = Tcp(answer)
        self.host("127.0.0.1 good.example\n")
        bad = [b"GET /evil?%s HTTP/1.1\r\nHost: evil.example\r\n\r\n" % (b"x" * 9000), b"GET\t/evil HTTP/1.1\r\nHost: evil.example\r\n\r\n",
               b"GET /evil\x01 HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"GET http://good.example/evil HTTP/1.1\r\nHost: evil.example\r\n\r\n",
               b"GET http://evil.example/evil HTTP/1.1\r\nHost: good.example\r\n\r\n", b"GET /evil\r\nHost: evil.example\r\n\r\n",
               b"GET /evil HTTP/1.1\r\nHost:\r\n\r\n", b"GET /evil HTTP/1.0\r\n\r\n", b"GET /evil"]
        good = [b"GET http://good.example/ HTTP/1.1\r\nHost: GOOD.example:80\r\n\r\n", b"GET / HTTP/1.0\r\nHost: good.example\r\n\r\n",
                b"GET key\r\n", b"PING\r\n", b"ruok", b"get /key\r\n"]
        seen = self.behind("""#python
            for said in %r:
                s = socket.create_connection(("good.example", %d))
                try:
                    s.sendall(said)
                    if said.endswith(b"/evil"): s.shutdown(socket.SHUT_WR)
                    print(s.recv(100))
                except OSError as error: print(error.errno)
            """ % (bad + good + [b"garbage\n"], server.port), options=["--pass", "tcp:good.example:%d" % server.port, "--pass", "host-loopback:%d" % server.port])
        self.assertEqual(seen.out.splitlines(), ["104"] * len(bad) + [str(b"+OK\r\n")] * len(good) + ["104"], seen.err)
        self.assertEqual([said for said in heard if b"evil" in said], [])
        self.assertEqual(sorted(c["verdict"] for c in seen.connections), ["denied"] * (len(bad) + 1) + ["passed"] * (len(good) + 1))

    def test_what_the_gate_refuses_is_denied(self):
        server = Tcp(echo)
        self.host("127.0.0.1 loop.example\n93.184.216.34 barred.example\n")
        seen = self.behind("""#python
            for name in ("loop.example", "barred.example", "no-such-name.invalid.example"):
                try: socket.create_connection((name, %d))
                except OSError as error: print(error.errno)
            """ % server.port, options=["--pass", "tcp:*.example:%d" % server.port, "--deny", "tcp:93.184.216.34:*=EPERM"])
        self.assertEqual(seen.out.split(), ["111"] * 3, seen.err)
        self.assertEqual({c["verdict"] for c in seen.connections}, {"denied"})
        reasons = {c["name"]: c["error"] for c in seen.connections}
        self.assertIn("127.0.0.1 (loopback), which no rule passes", reasons["loop.example"])
        self.assertIn("93.184.216.34, which a rule denies: tcp:93.184.216.34:*=EPERM", reasons["barred.example"])
        self.assertIn("cannot be resolved", reasons["no-such-name.invalid.example"])

    def test_all_that_a_limit_lets_through_arrives(self):
        def pour(connection):
            try:
                for _ in range(64):
                    connection.sendall(b"z" * 65536)
            except OSError:
                pass
        server = Tcp(pour)
        seen = self.behind("""#python
            s = socket.create_connection(("127.0.0.1", %d))
            time.sleep(1)
            got = 0
            try:
                while piece := s.recv(10000): got += len(piece)
            except OSError as error: print(got, error.errno)
            try: socket.create_connection(("127.0.0.1", %d))
            except OSError as error: print(error.errno)
            """ % (server.port, server.port), options=["--pass", "host-loopback:%d,bytes=1M" % server.port])
        self.assertEqual(seen.out.split(), [str(1 << 20), "104", "111"], seen.err)
        self.assertEqual([(c["verdict"], c["bytes_in"], c["error"]) for c in seen.connections],
                         [("denied", 0, "the rule's bytes are used up"), ("passed", 1 << 20, "the rule's bytes are used up"),
                          ("denied", 0, "the rule's bytes are used up")])

    def test_datagrams_beyond_a_limit_are_told(self):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        seen = self.behind("""#python
            s = gate_socket(socket.AF_INET, socket.SOCK_DGRAM)
            for i in range(5): s.sendto(b"x" * 1000, ("127.0.0.1", %d))
            time.sleep(0.5)
            """ % port, options=["--pass", "udp:host-loopback:%d,bytes=2500" % port])
        self.assertEqual([(c["bytes_out"], c["error"]) for c in seen.connections],
                         [(2000, "3 datagrams beyond the limits of the rule were dropped")], seen.err)

    def test_gigabyte(self):
        size = 1 << 30
        def swallow(connection):
            total, buffer = 0, bytearray(1 << 20)
            while n := connection.recv_into(buffer):
                total += n
            connection.sendall(b"%d" % total)
        server = Tcp(swallow)
        seen = self.behind("""#python
            s = socket.create_connection(("127.0.0.1", %d))
            block = b"x" * (1 << 20)
            for i in range(1024): s.sendall(block)
            s.shutdown(socket.SHUT_WR)
            print(s.recv(100).decode(), worker_memory(), worker_threads())
            """ % server.port, options=["--pass", "host-loopback:%d" % server.port])
        got, memory, threads = seen.out.split()
        self.assertEqual(threads, "1")
        self.assertEqual(int(got), size, seen.err)
        self.assertLess(int(memory), LIMIT)
        self.assertEqual(seen.connections[0]["bytes_out"], size)


class Hostile(Gate):
    def test_denied_past_the_hooks(self):
        # The mark is what the hooks set: with it a packet reaches the gate though no rule is for it.
        seen = self.behind("""#python
            s = gate_socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, 36, 0x52480001)
            raw = gate_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            udp = struct.pack(">HHHH", 1000, 999, 9, 0) + b"x"
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton("127.0.0.1"), socket.inet_aton("10.1.2.3"))
            for i in range(3): raw.sendto(ip + udp, ("10.1.2.3", 0))
            time.sleep(0.3)
            """)
        denied = [c for c in seen.connections if c["verdict"] == "denied"]
        self.assertEqual([(c["address"], c["port"], c["protocol"]) for c in denied], [("10.1.2.3", 999, "udp")], seen.err)
        self.assertEqual(seen.totals["dropped_datagrams"], 3)

    def test_ten_thousand_connections_and_slow_loris(self):
        seen = self.behind("""#python
            import resource
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            address = socket.gethostbyname("api.example.com")
            held = []
            for i in range(10000):
                s = gate_socket(socket.AF_INET, socket.SOCK_STREAM)
                s.bind(("127.0.0.%d" % (1 + i // 5000), 0))
                s.connect((address, 80))
                s.sendall(b"GET /loris HTTP/1.1\\r\\nHost: api.exam")
                held.append(s)
            time.sleep(0.5)
            # Others are served meanwhile, and each of these once it goes on.
            for s in held[::100]:
                s.sendall(b"ple.com\\r\\n\\r\\n")
                assert b"hello" in s.recv(1000)
            print(len(held), worker_memory(), worker_threads())
            """, HTTP, timeout=300)
        self.assertEqual(seen.status, 0, seen.err)
        count, memory, threads = seen.out.split()
        self.assertEqual(threads, "1")
        self.assertEqual(int(count), 10000)
        self.assertLess(int(memory), LIMIT)
        self.assertEqual(seen.totals["connections"], 10000)
        self.assertEqual(seen.totals["refused"], 0)

    def test_more_connections_than_there_is_room_for(self):
        seen = self.behind("""#python
            import resource
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            address = socket.gethostbyname("api.example.com")
            held, refused = [], 0
            for i in range(13000):
                s = gate_socket(socket.AF_INET, socket.SOCK_STREAM)
                s.bind(("127.0.0.%d" % (1 + i // 5000), 0))
                try:
                    s.connect((address, 80))
                    held.append(s)
                except ConnectionError: refused += 1
            for s in held[12000:]:
                try:
                    s.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
                    refused += s.recv(100) == b""
                except ConnectionError: refused += 1
            for s in held: s.close()
            time.sleep(1)
            s = socket.create_connection((address, 80))
            s.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
            print(refused, b"hello" in s.recv(1000))
            """, HTTP, timeout=300)
        self.assertEqual(seen.out, "1000 True\n", seen.err)
        self.assertEqual(seen.totals["refused"], 1000)

    def test_endless_bytes(self):
        endless = threading.Event()
        def flood(connection):
            while not endless.is_set():
                connection.sendall(b"x" * 65536)
        server = Tcp(flood)
        seen = self.behind("""#python
            # An endless reply that nobody reads, an endless request, an endless head, an endless hello.
            a = socket.create_connection(("127.0.0.1", %d))
            def pour(port, start, piece):
                s = socket.create_connection(("api.example.com", port))
                s.settimeout(5)
                sent = 0
                try:
                    s.sendall(start)
                    for i in range(4000):
                        s.sendall(piece)
                        sent += len(piece)
                except OSError as error: return str(error)
                return sent
            print(pour(80, b"PUT / HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 999999999999\\r\\n\\r\\n", b"x" * 65536))
            print(pour(80, b"GET / HTTP/1.1\\r\\n", b"X: y\\r\\n" * 10000))
            print(pour(443, b"\\x16\\x03\\x01\\x40\\x00\\x01\\xff\\xff\\xff", b"x" * 16384))
            print(pour(443, b"", os.urandom(16384)))
            time.sleep(0.5)
            print(worker_threads(), worker_memory())
            """ % server.port, HTTP, options=["--pass", "host-loopback:%d" % server.port])
        endless.set()
        lines = seen.out.splitlines()
        self.assertEqual(lines[0], str(4000 * 65536), seen.err)
        self.assertEqual(lines[-1].split()[0], "1", seen.out)
        self.assertLess(int(lines[-1].split()[1]), LIMIT, seen.out)

    def test_malformed_http_and_tls(self):
        seen = self.behind("""#python
            import random, ssl
            random.seed(1)
            address = socket.gethostbyname("api.example.com")
            def say(port, data):
                s = socket.create_connection((address, port))
                got = b""
                try:
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    while piece := s.recv(65536): got += piece
                except OSError: pass
                s.close()
                return got
            head = b"POST / HTTP/1.1\\r\\nHost: a\\r\\n"
            bad = [b"\\0\\0\\0", b"GET\\r\\n\\r\\n", b"GET / HTTP/9.9\\r\\n\\r\\n", b"GET / HTTP/1.1\\r\\n\\r\\n", head + b"Content-Length: -1\\r\\n\\r\\n",
                   head + b"Content-Length: 5\\r\\nContent-Length: 6\\r\\n\\r\\nhello", head + b"Content-Length: 99999999999999999999\\r\\n\\r\\n",
                   head + b"Transfer-Encoding: chunked\\r\\n\\r\\nffffffffffffffffff\\r\\n", head + b"Transfer-Encoding: chunked\\r\\nContent-Length: 3\\r\\n\\r\\nabc",
                   head + b" folded: x\\r\\n\\r\\n", head + b"A\\0B: x\\r\\n\\r\\n", b"GET " + b"/" * 200000 + b" HTTP/1.1\\r\\n\\r\\n", head + b"X: " + b"y" * 300000 + b"\\r\\n\\r\\n"]
            status = [say(80, data).split(b" ")[1:2] for data in bad]
            print(all(code and code[0][:1] in b"45" for code in status), status)
            hello = bytes.fromhex("16030100310100002d0303") + bytes(32) + bytes.fromhex("000002130101000000")
            for i in range(300):
                broken = bytearray(hello)
                for _ in range(random.randrange(1, 6)): broken[random.randrange(len(broken))] = random.randrange(256)
                say(443, bytes(broken[:random.randrange(1, len(broken) + 1)]))
                say(80, random.randbytes(random.randrange(1, 400)))
            trusting = ssl._create_unverified_context()
            s = trusting.wrap_socket(socket.create_connection((address, 443)), server_hostname="api.example.com")
            s.sendall(b"GET / HTTP/1.1\\r\\nHost: api.example.com\\r\\n\\r\\n")
            got = b""
            while b"secure" not in got and (piece := s.recv(1000)): got += piece
            print(b"secure" in got, b"hello" in say(80, b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"), worker_memory(), worker_threads())
            """, HTTP, timeout=300)
        lines = seen.out.splitlines()
        self.assertEqual(lines[0].split()[0], "True", seen.out + seen.err)
        tls, clear, memory, threads = lines[1].split()
        self.assertEqual((tls, clear, threads), ("True", "True", "1"))
        self.assertLess(int(memory), LIMIT)

    def test_a_flood_of_mocked_datagrams(self):
        seen = self.behind("""#python
            for n in range(9000):  # more ends than are kept at once
                s = gate_socket(socket.AF_INET, socket.SOCK_DGRAM)
                s.bind((f"127.0.{n >> 8}.{n & 255}", 0))
                s.sendto(bytes(1000), ("10.0.0.5", 9))
                if not n & 31:  # what is still in the socket's buffer when more comes is lost, and no end
                    s.settimeout(0.2)
                    try: s.recv(100)
                    except TimeoutError: pass
                s.close()
            with gate_socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(0.2)
                for n in range(50):
                    s.sendto(b"ping", ("10.0.0.5", 9))
                    try:
                        print(s.recv(100), worker_threads(), worker_memory() < %d)
                        break
                    except TimeoutError:
                        pass
        """ % LIMIT, mock='[[mock]]\nlisten = "udp:10.0.0.5:9"\nreply = "pong"\n')
        self.assertEqual(seen.out.split("\n")[0], "b'pong' 1 True", seen.err)
        self.assertGreater(len(seen.connections), 4096)
        self.assertEqual(seen.totals["refused"], 0)

    def test_endless_replies_that_nobody_reads(self):
        endless = threading.Event()
        def flood(connection):
            while not endless.is_set():
                connection.sendall(b"x" * 65536)
        server = Tcp(flood)
        seen = self.behind("""#python
            held = [socket.create_connection(("127.0.0.1", %d)) for i in range(150)]
            time.sleep(3)
            # Each of them stands still; a new one is served.
            s = socket.create_connection(("127.0.0.1", %d))
            left = 8 << 20
            while left > 0: left -= len(s.recv(1 << 20))
            print(worker_memory(), worker_threads())
            """ % (server.port, server.port), options=["--pass", "host-loopback:%d" % server.port])
        endless.set()
        self.assertEqual(seen.status, 0, seen.err)
        memory, threads = seen.out.split()
        self.assertLess(int(memory), LIMIT)
        self.assertEqual(threads, "1")

    def test_worker_killed_is_not_silent(self):
        with self.assertRaises(AssertionError) as failure:
            self.behind("kill -9 $GATE_WORKER; sleep 0.3", HTTP)
        self.assertIn("killed by signal 9", str(failure.exception))


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root")
        sys.exit(77)
    unittest.main(verbosity=2, warnings="ignore")
