"""Nothing leaves but through the gate, and every attempt is in the report: what was asked, by whom, what became of it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import unittest
from pathlib import Path

import harness
from harness import Case, Document, Result

OUTSIDE = "93.184.216.34"
OUTSIDE6 = "2606:2800:220:1::1"


class Network(Case):
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
lite = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136)
refused(lambda: lite.sendto(b'x', ('{OUTSIDE}', 128)))
""")
        for dst, port in ((OUTSIDE, 123), (OUTSIDE, 124), (OUTSIDE, 125), (OUTSIDE6, 126), (OUTSIDE, 127), ("224.0.0.251", 5353), (OUTSIDE, 128)):
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
            abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
            abstract.bind(f"\0rehearse-test-{os.getpid()}")
            abstract.listen()
            port = tcp.getsockname()[1]
            result = self.python(f"""
assert socket.socket().connect_ex(('127.0.0.1', {port})) == errno.ECONNREFUSED
assert socket.socket(socket.AF_UNIX).connect_ex('{path}') == errno.ECONNREFUSED
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
        self.assertIn(me, self.the_attempt(result, proto="unix", dst=str(path))["reached"])
        self.assertIn(me, self.the_attempt(result, proto="unix", dst=f"@rehearse-test-{os.getpid()}")["reached"])
        missing = self.the_attempt(result, proto="unix", dst="/run/nobody/here")
        self.assertEqual((missing["errno"], missing["reached"]), ("ENOENT", None))
        shown = self.call("show", "last", json_out=False).out.decode()
        self.assertIn("would have reached", shown)
        self.assertIn(f"tcp 127.0.0.1:{port}", shown)

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


if __name__ == "__main__":
    unittest.main(verbosity=2)
