"""rehearse export --pcap: what the sandbox sent to the gate and got from it, as tcpdump reads it."""

from __future__ import annotations

import subprocess

import harness
from test_network import OUTSIDE, NetworkCase


class Capture(NetworkCase):
    def setUp(self) -> None:
        super().setUp()
        harness.need("tcpdump")
        self.mock = self.base / "mock.toml"
        self.mock.write_text('[[mock]]\nlisten = "tcp:api.example.com:80"\nhttp = [ { path = "/**", body = "the answer" } ]\n[[mock]]\nlisten = "tcp:*:9000"\nscript = [ { expect = "end" } ]\n[[mock]]\nlisten = "tcp:*:9001"\nscript = [ { send = "ready" } ]\n')

    def dump(self, *options: str) -> list[str]:
        capture = self.base / "out.pcapng"
        done = self.call("export", "last", "--pcap", "-o", str(capture), "--force", json_out=False)
        self.assertEqual(done.code, 0, done.err)
        self.said = done.err.decode()
        shown = subprocess.run(["tcpdump", "-nn", "-r", str(capture), *options], capture_output=True, check=False)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        return shown.stdout.decode(errors="replace").splitlines()

    def test_a_request_and_its_answer(self) -> None:
        result = self.python("import urllib.request; assert urllib.request.urlopen('http://api.example.com/hello').read() == b'the answer'", "--mock", str(self.mock))
        self.assertGreater(result.doc["trace"]["packets"], 6)
        self.assertEqual(result.doc["trace"]["packets_left_out"], 0)
        lines = self.dump("-A")
        text = "\n".join(lines)
        self.assertIn("A? api.example.com", text)
        self.assertIn("GET /hello HTTP/1.1", text)
        self.assertIn("the answer", text)
        flags = [line for line in lines if "Flags [" in line]
        self.assertIn("Flags [S]", flags[0])
        self.assertIn("Flags [S.]", flags[1])
        self.assertRegex(flags[0], r"> (198\.1[89]\.|2001:2:).*\.80:")

    def test_what_goes_nowhere_is_there_and_what_stays_inside_is_not(self) -> None:
        self.python(f"""
import struct
server = socket.create_server(('127.0.0.1', 0))
s = socket.create_connection(server.getsockname())
s.sendall(b'STAYS INSIDE')
assert server.accept()[0].recv(100) == b'STAYS INSIDE'
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
to = socket.inet_aton('{OUTSIDE}')
udp = struct.pack('>HHHH', 4000, 99, 14, 0) + b'BYHAND'
raw.sendto(struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton('127.0.0.1'), to) + udp, ('{OUTSIDE}', 0))
tcp = struct.pack('>HHIIBBHHH', 4000, 98, 1, 0, 0x50, 2, 1000, 0, 0)
raw.sendto(struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, socket.inet_aton('127.0.0.1'), to) + tcp, ('{OUTSIDE}', 0))
time.sleep(0.2)
""")
        text = "\n".join(self.dump("-A"))
        self.assertIn("BYHAND", text)
        self.assertIn(f"{OUTSIDE}.98: Flags [S]", text)
        self.assertNotIn("STAYS INSIDE", text)

    def test_large_writes_are_whole(self) -> None:
        """The loopback device carries 64 KiB at once, more than one record holds."""
        result = self.python("""
import fcntl, struct, termios
s = socket.create_connection(('203.0.113.9', 9001))
s.sendall(bytes(range(256)) * 4096)
while struct.unpack('i', fcntl.ioctl(s, termios.TIOCOUTQ, bytes(4)))[0]: time.sleep(0.01)
""", "--mock", str(self.mock))
        self.assertEqual(result.doc["trace"]["packet_bytes_left_out"], 0)
        sizes = [int(line.rsplit("length ", 1)[1].split(":")[0]) for line in self.dump() if "Flags" in line and ".9001: " in line]
        self.assertGreaterEqual(sum(sizes), 256 * 4096, sizes)
        self.assertGreater(max(sizes), 33000, sizes)
        cut = [line for line in self.dump("-v") if "[|tcp]" in line or "truncated" in line]
        self.assertEqual(cut, [])

    def test_what_is_beyond_the_limit_is_counted_and_said(self) -> None:
        script = """
s = socket.create_connection(('203.0.113.9', 9000))
s.sendall(b'x' * 1000000)
"""
        result = self.python(script, "--mock", str(self.mock), "--capture", "64K")
        self.assertGreater(result.doc["trace"]["packets_left_out"], 0)
        self.assertGreater(result.doc["trace"]["packet_bytes_left_out"], 500_000)
        self.assertTrue(any("capture" in gap["what"] for gap in result.doc["fidelity"]["gaps"]))
        self.assertGreater(len(self.dump()), 1)
        self.assertIn(f"{result.doc['trace']['packets_left_out']} more packets were not kept", self.said)
        none = self.python(script, "--mock", str(self.mock), "--capture", "0")
        self.assertEqual(none.doc["trace"]["packets"], 0)
        self.assertEqual(self.dump(), [])

    def test_a_flood_of_packets_loses_no_record(self) -> None:
        result = self.python("""
s = socket.create_connection(('203.0.113.9', 9000))
for _ in range(200):
    s.sendall(b'x' * 1000000)
""", "--mock", str(self.mock), "--capture", "1G", "--trace-buffer", "128K")
        self.assertEqual(result.doc["trace"]["lost"], 0)
        kept = result.doc["trace"]["packets"] + result.doc["trace"]["packets_left_out"]
        self.assertGreater(kept, 1000)
        self.assertGreater(len(self.dump()), 10)

    def test_selections_are_refused(self) -> None:
        self.python("pass")
        done = self.call("export", "last", "--pcap", "--process", "1")
        self.assertEqual(done.code, harness.USAGE)
        self.assertIn(b"tcpdump", done.err)


if __name__ == "__main__":
    harness.main()
