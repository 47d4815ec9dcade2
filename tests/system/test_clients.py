"""Real clients at the gate: each denied, mocked and passed, and each in the report by its own name and its destination's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import client_world
import harness
from client_world import HELLO, NAME_SERVER, SERVER, World
from harness import Case, Document, Result

HOST = "www.example.org"
MOCKED = "hello from the mock"
PYTHON = "/usr/bin/python3"
SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
WEB_MOCK = f"""
[[mock]]
listen = "tcp:{HOST}:80"
http = [ {{ method = "GET", path = "/hello", body = "{MOCKED}\\n" }} ]
[[mock]]
listen = "tcp:{HOST}:443"
tls = true
http = [ {{ method = "GET", path = "/hello", body = "{MOCKED}\\n" }} ]
"""
# The client as it is called, the program that connects. {ca} is the authority to trust.
REQUEST = f"printf 'GET /hello HTTP/1.0\\r\\nHost: {HOST}\\r\\n\\r\\n'"
HTTP = {
    "curl": (f"curl -sS --max-time 10 http://{HOST}/hello", "curl"),
    "wget": (f"wget -q -T 10 -t 1 -O - http://{HOST}/hello", "wget"),
    "python3": (f"{PYTHON} -c 'import urllib.request; print(urllib.request.urlopen(\"http://{HOST}/hello\", timeout=10).read().decode())'", "python3"),
    "node": (f"node -e 'require(\"http\").get(\"http://{HOST}/hello\", r => r.pipe(process.stdout))'", "node"),
    "nc": (f"{REQUEST} | nc -w 10 {HOST} 80", "nc"),
}
HTTPS = {
    "curl": (f"curl -sS --max-time 10 --cacert {{ca}} https://{HOST}/hello", "curl"),
    "wget": (f"wget -q -T 10 -t 1 -O - --ca-certificate={{ca}} https://{HOST}/hello", "wget"),
    "python3": (f"{PYTHON} -c 'import ssl, urllib.request as u; print(u.urlopen(\"https://{HOST}/hello\", timeout=10, context=ssl.create_default_context(cafile=\"{{ca}}\")).read().decode())'",
                "python3"),
    "node": (f"NODE_EXTRA_CA_CERTS={{ca}} node -e 'require(\"https\").get(\"https://{HOST}/hello\", r => r.pipe(process.stdout))'", "node"),
    "openssl": (f"{REQUEST} | openssl s_client -quiet -verify_return_error -CAfile {{ca}} -servername {HOST} -connect {HOST}:443 2>&1", "openssl"),
}


THE_WORLD: list[World] = []


def setUpModule() -> None:
    harness.binary()
    harness.need("ip", "openssl", "unshare")
    base = Path(tempfile.mkdtemp(prefix="rehearse-world.", dir=os.environ.get("REHEARSE_TEST_DIR", "/var/tmp")))
    unittest.addModuleCleanup(shutil.rmtree, base)
    base.chmod(0o755)
    THE_WORLD.append(World(base))
    unittest.addModuleCleanup(THE_WORLD[0].close)


def network_state() -> dict[str, object]:
    """What a run must not change on the side where the servers are: links, addresses, routes, listeners, settings."""
    def lines_of(table: str) -> list[str]:
        return Path(f"/proc/net/{table}").read_text().splitlines()
    state: dict[str, object] = {"dev": [line.split(":")[0] for line in lines_of("dev")]}
    for table in ("route", "fib_trie", "if_inet6"):
        state[table] = lines_of(table)
    # The count of users and uses of a route are not the route.
    state["ipv6_route"] = [line.split()[:6] + line.split()[8:] for line in lines_of("ipv6_route")]
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix"):
        lines = [line.split() for line in lines_of(table)[1:]]
        if table == "unix":
            state[table] = sorted(line[7] for line in lines if len(line) > 7 and int(line[3], 16) & 0x10000)
        else:
            state[table] = sorted((line[1], line[3]) for line in lines if line[3] in ("0A", "07"))
    state["sysctls"] = {str(path): path.read_bytes() for path in Path("/proc/sys/net/ipv4").rglob("*") if path.is_file() and os.access(path, os.R_OK) and "stat" not in path.name}
    return state


class Clients(Case):
    @property
    def world(self) -> World:
        return THE_WORLD[0]

    # ---- one client's attempt ----

    def mock(self, text: str) -> tuple[str, str]:
        path = self.base / "mock.toml"
        path.write_text(text)
        return "--mock", str(path)

    def client(self, script: str, *options: str, works: bool = True) -> Result:
        before = network_state()
        result = self.run_in(["sh", "-c", script], *options)
        self.assertIn(result.code, harness.RAN, result.err)
        self.assertTrue(result.doc["trace"]["complete"], result.doc["trace"]["trouble"])
        self.assertEqual(result.doc["command"]["exit"] == 0, works, (script, result.err.decode(errors="replace"), result.doc["network"]))
        self.assertEqual(harness.differences(before, network_state()), [])
        return result

    def reported(self, result: Result, by: str, verdict: str, to: str = HOST, port: int = 80, proto: str = "tcp", **fields: object) -> Document:
        """The attempts of program `by` at name or address `to`, in both families if it tries both, are all there are. Returns the first."""
        tried = [a for a in result.doc["network"] if not a["probe"] and a["proto"] not in ("unix", "other")]
        found = [a for a in tried if (a["name"] or a["dst"], a["port"], a["proto"]) == (to, port, proto) and self.program(result, a["process"]) == by]
        self.assertEqual(found, tried)
        self.assertEqual({a["verdict"] for a in found}, {verdict}, result.doc["network"])
        self.assertEqual(len({(a["dst"], a["process"], *(a[field] for field in ("sni", "http_host", "http_path", "ended"))) for a in found}), len(found), found)
        for key, value in fields.items():
            self.assertEqual(found[0][key], value, (key, found[0]))
        place = f"{to}:{port}" if port else to
        shown = self.call("show", "last", json_out=False).out.decode()
        self.assertRegex(shown, rf"(?m)^  {verdict} .* {proto} {re.escape(place)}( .*)?\[[0-9, ]*\b{found[0]['process']}\b")
        return found[0]

    def program(self, result: Result, process: int) -> str:
        exe = next((p["exe"] for p in result.doc["processes"] if p["id"] == process), "")
        return re.sub(r"(?<=python3)\.\d+$|\.openbsd$", "", os.path.basename(exe))

    def three_ways(self, program: str, script: str, by: str, port: int, ca: Path | str = SYSTEM_CA) -> None:
        harness.need(program)
        denied = self.client(script.format(ca=SYSTEM_CA) + " && false || exit 3", works=False)
        self.assertNotIn(b"hello from", denied.err)
        self.reported(denied, by, "denied", port=port, errno="ECONNREFUSED", http_path=None, bytes_out=0)

        mocked = self.client(script.format(ca=SYSTEM_CA), *self.mock(WEB_MOCK))
        self.assertIn(MOCKED.encode(), mocked.err)
        self.reported(mocked, by, "mocked", port=port, http_host=HOST, http_path="/hello", sni=HOST if port == 443 else None, count=1)

        passed = self.client(script.format(ca=ca), "--pass", f"tcp:{HOST}:{port}")
        self.assertIn(HELLO.encode(), passed.err)
        to = self.reported(passed, by, "passed", port=port, sni=HOST if port == 443 else None, http_host=None if port == 443 else HOST, count=1)
        self.assertGreater(to["bytes_in"], len(HELLO))


class Web(Clients):
    def test_http(self) -> None:
        for program, (script, by) in HTTP.items():
            with self.subTest(program):
                self.three_ways(program, script, by, 80)

    def test_https(self) -> None:
        for program, (script, by) in HTTPS.items():
            with self.subTest(program):
                self.three_ways(program, script, by, 443, self.world.ca)

    def test_a_static_client_that_resolves_by_itself(self) -> None:
        harness.need("musl-gcc")
        client = self.host / "resolving_client"
        subprocess.run(["musl-gcc", "-static", "-O1", "-o", client, Path(__file__).with_name("resolving_client.c")], check=True)
        self.three_ways("musl-gcc", f"{client} {HOST} 80 /hello", client.name, 80)


class Names(Clients):
    """A question is answered, mocked, denied, or passed to a server of the operator's choice."""

    CLIENTS = {
        "dig": ("dig +short +tries=1 +time=5 www.example.org A", "dig"),
        "host": ("host -t A -W 5 www.example.org", "host"),
        "getent": ("getent ahosts www.example.org", "getent"),
        "node": ("node -e 'require(\"dns\").resolve4(\"www.example.org\", (e, a) => { if (e) throw e; console.log(a) })'", "node"),
        "busybox": ("busybox nslookup -type=a www.example.org", "busybox"),
    }

    def test_answered_mocked_and_unknown(self) -> None:
        record = '{ name = "%s", type = "A", data = "192.0.2.7" }'
        for program, (script, _) in self.CLIENTS.items():
            with self.subTest(program):
                harness.need(program)
                self.question(self.client(script), rb"198\.1[89]\.", "synthetic")
                for name in (HOST, "*.example.org"):
                    self.question(self.client(script, *self.mock(f"[[mock]]\ndns = [ {record % name} ]\n")), rb"192\.0\.2\.7", "mocked")
                gone = self.mock(f'[[mock]]\ndns = [ {record % "*"}, {{ name = "{HOST}", type = "NXDOMAIN" }} ]\n')
                for says in (["--nxdomain"], gone):
                    self.question(self.client(script, *says, works=program == "dig"), None, "nxdomain")

    def question(self, result: Result, says: bytes | None, answer: str) -> None:
        if says is None:
            self.assertNotRegex(result.err, rb"(?m)\b(198\.1[89]|93\.184|192\.0)\.")
        else:
            self.assertRegex(result.err, says)
        self.assertIn((HOST, "A", answer), [(q["name"], q["type"], q["answer"]) for q in result.doc["dns"]])
        self.assertEqual([a for a in result.doc["network"] if a["proto"] != "unix" and not a["probe"]], [])
        shown = self.call("show", "last", json_out=False).out.decode()
        self.assertIn(f"looked up {HOST} A: {answer}", shown)

    def test_denied_and_passed_to_a_name_server(self) -> None:
        asks = {"dig": f"dig @{NAME_SERVER} +short +tries=1 +time=2 www.example.org A", "host": f"host -t A -W 2 www.example.org {NAME_SERVER}",
                "busybox": f"busybox nslookup -type=a www.example.org {NAME_SERVER}"}
        for program, script in asks.items():
            with self.subTest(program):
                harness.need(program)
                denied = self.client(script, "--deny", "udp:*:53", works=False)
                self.reported(denied, program, "denied", NAME_SERVER, 53, "udp", errno="ECONNREFUSED")
                passed = self.client(script, "--pass", f"udp:{NAME_SERVER}:53")
                self.assertIn(SERVER.encode(), passed.err)
                self.reported(passed, program, "passed", NAME_SERVER, 53, "udp")
        passed = self.client("getent ahosts www.example.org", "--pass", "udp:host-loopback:53")
        self.assertIn(SERVER.encode(), passed.err)
        self.reported(passed, "getent", "passed", client_world.OWN_NAME_SERVER, 53, "udp")

    def test_an_unknown_name_says_so_when_it_is_passed(self) -> None:
        harness.need("curl")
        result = self.client("curl -sS --max-time 10 http://nowhere.example.org/", "--pass", "tcp:nowhere.example.org:80", works=False)
        to = self.reported(result, "curl", "denied", "nowhere.example.org")
        self.assertIn("cannot be resolved", to["ended"])


class Datagrams(Clients):
    def test_ping(self) -> None:
        # Its first step is refused: it connects a datagram socket to learn its own address.
        harness.need("ping")
        for to in (SERVER, HOST):
            with self.subTest(to):
                result = self.client(f"ping -4 -n -c 1 -W 1 {to}", works=False)
                self.reported(result, "ping", "denied", to, 0, "icmp", errno="ECONNREFUSED")
        for own in ("127.0.0.1", client_world.OWN_ADDRESS):
            with self.subTest(own):
                self.assertEqual([a for a in self.client(f"ping -n -c 1 -W 1 {own}").doc["network"] if a["proto"] != "other"], [])

    def test_icmp_made_by_hand(self) -> None:
        script = self.base / "icmp.py"
        script.write_text(f"""
import socket
for family, protocol, to in ((socket.AF_INET, socket.IPPROTO_ICMP, '{SERVER}'), (socket.AF_INET6, socket.IPPROTO_ICMPV6, '2606:2800:220:1::1')):
    raw = socket.socket(family, socket.SOCK_RAW, protocol)
    for _ in range(3):
        raw.sendto(bytes([8, 0, 0xf7, 0xfd, 0, 1, 0, 1]), (to, 0))
    raw.sendto(bytes(8), ('127.0.0.1' if family == socket.AF_INET else '::1', 0))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
raw.sendto(bytes(8), (socket.gethostbyname('{HOST}'), 0))
""")
        result = self.client(f"{PYTHON} {script}")
        sent = [(a["dst"] if a["name"] is None else a["name"], a["count"], a["verdict"], self.program(result, a["process"])) for a in result.doc["network"] if a["proto"] == "icmp"]
        self.assertEqual(sent, [(SERVER, 3, "denied", "python3"), ("2606:2800:220:1::1", 3, "denied", "python3"), (HOST, 1, "denied", "python3")])
        shown = self.call("show", "last", json_out=False).out.decode()
        self.assertRegex(shown, rf"(?m)^  denied +icmp {SERVER} ×3  \[2\]")
        self.assertRegex(shown, rf"(?m)^  denied +icmp {HOST} \(198\.1[89]\.")

    def test_nc(self) -> None:
        harness.need("nc")
        script = f"echo greeting | nc -u -w 2 {HOST} 7000 | grep greeting"
        self.reported(self.client(script, works=False), "nc", "denied", port=7000, proto="udp", errno="ECONNREFUSED")
        passed = self.client(script, "--pass", f"udp:{HOST}:7000")
        self.assertIn(b"echo greeting", passed.err)
        self.reported(passed, "nc", "passed", port=7000, proto="udp", bytes_out=9, bytes_in=14)


class Git(Clients):
    def clone(self, url: str, *options: str, works: bool = True) -> Result:
        return self.client(f"cd {self.host} && rm -rf clone && git clone -q {url} clone && cat clone/README", *options, works=works)

    def test_over_http(self) -> None:
        harness.need("git")
        url = "http://git.example.org/repo.git"
        bare = self.world.git
        by = dict(by="git-remote-http", to="git.example.org")
        self.reported(self.clone(url, works=False), verdict="denied", errno="ECONNREFUSED", **by)
        passed = self.clone(url, "--pass", "tcp:git.example.org:80")
        self.assertIn(b"cloned", passed.err)
        self.assertIn(harness.b(self.host / "clone/README"), passed.changes)
        self.reported(passed, verdict="passed", http_host="git.example.org", http_path="/repo.git/info/refs?service=git-upload-pack", **by)
        # The same repository from files: what is not there is no finding, git asks for much of it.
        shutil.copytree(bare, self.base / "mocked.git")
        files = [p.relative_to(bare) for p in bare.rglob("*") if p.is_file()]
        routes = "".join(f'[[mock.http]]\npath = "/repo.git/{f}"\nbody_file = "mocked.git/{f}"\n' for f in files)
        mocked = self.clone(url, *self.mock(f'[[mock]]\nlisten = "tcp:git.example.org:80"\n{routes}[[mock.http]]\nstatus = 404\n'))
        self.assertIn(b"cloned", mocked.err)
        self.reported(mocked, verdict="mocked", http_host="git.example.org", http_path="/repo.git/info/refs?service=git-upload-pack", **by)
        self.assertNotIn("core.mock-unmatched", [f["rule"] for f in mocked.doc["verdict"]["findings"]])

    def test_over_its_own_protocol(self) -> None:
        harness.need("git")
        url = "git://git.example.org/repo.git"
        self.assertTrue(self.world.git.is_dir())
        by = dict(by="git", to="git.example.org", port=9418)
        self.reported(self.clone(url, works=False), verdict="denied", errno="ECONNREFUSED", **by)
        mocked = self.clone(url, *self.mock('[[mock]]\nlisten = "tcp:git.example.org:9418"\nreply = "0010ERR go away\\n"\n'), works=False)
        self.assertIn(b"remote error: go away", mocked.err)
        self.reported(mocked, verdict="mocked", **by)
        passed = self.clone(url, "--pass", "tcp:git.example.org:9418")
        self.assertIn(b"cloned", passed.err)
        self.reported(passed, verdict="passed", **by)


class Packages(Clients):
    def install(self, *options: str, works: bool = True) -> Result:
        sources = self.host / "sources.list"
        sources.write_text("deb [trusted=yes] http://deb.example.org/debian ./\n")
        apt = f"apt-get -y -q -o Dir::Etc::SourceList={sources} -o Dir::Etc::SourceParts=/dev/null -o Acquire::http::Timeout=10 -o Acquire::Retries=0 -o Acquire::Languages=none"
        return self.client(f"{apt} -o APT::Update::Error-Mode=any update && {apt} install rehearse-greeting && cat /usr/share/rehearse-greeting/text", *options, works=works)

    def test_update_and_install(self) -> None:
        harness.need("apt-get", "apt-ftparchive", "dpkg-deb")
        pool = self.world.apt
        by = dict(by="http", to="deb.example.org")
        denied = self.install(works=False)
        self.assertRegex(denied.err, rb"(Could not connect|Cannot initiate the connection) to deb\.example\.org:80 .*Connection refused")
        self.reported(denied, verdict="denied", errno="ECONNREFUSED", **by)
        passed = self.install("--pass", "tcp:deb.example.org:80")
        self.assert_installed(passed)
        self.reported(passed, verdict="passed", http_host="deb.example.org", **by)
        # Which of the connections that it opens at once is the first is its own affair.
        self.assertLessEqual({"/debian/./InRelease"}, {to["http_path"] for to in passed.doc["network"]}, passed.doc["network"])
        shutil.copytree(pool, self.base / "debian")
        routes = "".join(f'[[mock.http]]\npath = "/debian/./{f.name}"\nbody_file = "debian/{f.name}"\n' for f in pool.iterdir())
        mocked = self.install(*self.mock(f'[[mock]]\nlisten = "tcp:deb.example.org:80"\n{routes}[[mock.http]]\nstatus = 404\n'))
        self.assert_installed(mocked)
        self.reported(mocked, verdict="mocked", http_host="deb.example.org", http_path="/debian/./InRelease", **by)

    def assert_installed(self, result: Result) -> None:
        for path in (b"/usr/share/rehearse-greeting/text", b"/var/lib/rehearse-greeting", b"/var/lib/dpkg/info/rehearse-greeting.list"):
            self.assertIn(path, result.changes)
            self.assertFalse(os.path.exists(path))


class Sessions(Clients):
    """Protocols in which the server speaks first, or that are not of text."""

    def test_ssh(self) -> None:
        harness.need("ssh", "sshd", "ssh-keygen")
        script = f"ssh -F {self.world.ssh} ssh.example.org 'echo logged in'"
        by = dict(by="ssh", to="ssh.example.org", port=22)
        self.reported(self.client(script, works=False), verdict="denied", errno="ECONNREFUSED", **by)
        mocked = self.client(script, *self.mock('[[mock]]\nlisten = "tcp:ssh.example.org:22"\nscript = [ { send = "SSH-2.0-mock\\r\\n" }, { expect = "SSH-2.0-OpenSSH*" } ]\n'), works=False)
        self.assertIn(b"kex_exchange_identification", mocked.err + b"kex_exchange_identification" * (b"losed by" in mocked.err))
        self.reported(mocked, verdict="mocked", **by)
        passed = self.client(script, "--pass", "tcp:ssh.example.org:22")
        self.assertIn(b"logged in", passed.err)
        self.assertGreater(self.reported(passed, verdict="passed", **by)["bytes_in"], 1000)

    def test_psql(self) -> None:
        harness.need("psql")
        if not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
            harness.skip("postgresql is not installed")
        self.world.postgres  # noqa: B018
        script = "psql -X -At 'host=db.example.org user=postgres dbname=postgres connect_timeout=10 sslmode=%s' -c 'SELECT 6 * 7'"
        by = dict(by="psql", to="db.example.org", port=5432)
        denied = self.client(script % "prefer", works=False)
        self.assertIn(b"Connection refused", denied.err)
        self.reported(denied, verdict="denied", errno="ECONNREFUSED", **by)
        fields = "SFATAL\\u0000VFATAL\\u0000C57P03\\u0000Mthe mock has no database\\u0000\\u0000"
        size = 4 + len(fields.replace("\\u0000", "."))
        mocked = self.client(script % "disable", *self.mock(f'[[mock]]\nlisten = "tcp:db.example.org:5432"\nreply = "E\\u0000\\u0000\\u0000\\u{size:04x}{fields}"\n'), works=False)
        self.assertIn(b"FATAL:  the mock has no database", mocked.err)
        self.reported(mocked, verdict="mocked", **by)
        passed = self.client(script % "prefer", "--pass", "tcp:db.example.org:5432")
        self.assertIn(b"42", passed.err)
        self.reported(passed, verdict="passed", **by)


if __name__ == "__main__":
    client_world.enter()
    harness.main()
