"""--network-mirror: programs that look at the network find the host's; all of it still leads to the gate."""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess

import harness
from test_network import NetworkCase

LOOK = {
    "links": "ip -j link", "addresses": "ip -j addr", "routes": "ip -j route", "routes6": "ip -j -6 route", "names": "ls /sys/class/net",
    "hostname": "hostname -I", "route_file": "cat /proc/net/route", "mac": "cat /sys/class/net/*/address",
}


def outside(command: str) -> str:
    return subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout.decode()


class Mirror(NetworkCase):
    def setUp(self) -> None:
        super().setUp()
        harness.need("ip")
        self.host = self.base / "host"

    def inside(self, command: str, *options: str) -> harness.Result:
        result = self.run_in(["sh", "-c", command], "--network-mirror", *options)
        self.assertIn(result.code, harness.RAN, result.err)
        self.assertEqual(result.doc["command"]["exit"], 0, result.err)
        gaps = [gap["what"] for gap in result.doc["fidelity"]["gaps"] if gap["what"].startswith("network mirror")]
        if any("no dummy devices" in gap for gap in gaps):
            harness.skip("this kernel has neither dummy nor ifb devices loaded")
        return result

    def look(self, command: str) -> str:
        return self.inside(command).err.decode()

    def test_interfaces_are_the_hosts(self) -> None:
        def essence(text: str) -> dict[str, tuple[object, ...]]:
            return {link["ifname"]: (link["ifindex"], link["mtu"], link["operstate"], link["address"], link["txqlen"], "UP" in link["flags"])
                    for link in json.loads(text) if link["link_type"] in ("ether", "loopback")}
        self.assertEqual(essence(self.look(LOOK["links"])), essence(outside(LOOK["links"])))

    def test_addresses_are_the_hosts(self) -> None:
        def essence(text: str) -> set[tuple[object, ...]]:
            return {(link["ifname"], a["local"], a["prefixlen"], a["scope"], a.get("broadcast"), a.get("label")) for link in json.loads(text) for a in link["addr_info"]}
        self.assertEqual(essence(self.look(LOOK["addresses"])), essence(outside(LOOK["addresses"])))

    def test_routes_are_the_hosts(self) -> None:
        for name in ("routes", "routes6"):
            inside = json.loads(self.look(LOOK[name]))
            host = json.loads(outside(LOOK[name]))
            key = lambda route: json.dumps({k: v for k, v in route.items() if k not in ("flags", "expires")}, sort_keys=True)  # noqa: E731
            self.assertEqual(sorted(map(key, inside)), sorted(map(key, host)), name)

    def test_tools_say_what_they_say_on_the_host(self) -> None:
        self.address()
        for name in ("names", "hostname", "route_file", "mac"):
            self.assertEqual(self.look(LOOK[name]).split(), outside(LOOK[name]).split(), name)
        self.assertEqual(self.look("ip route get 203.0.113.9 | grep -o 'src [0-9.]*'"), outside("ip route get 203.0.113.9 | grep -o 'src [0-9.]*'"))

    def test_kind_is_said(self) -> None:
        self.address()
        result = self.inside("true")
        gaps = [gap["what"] for gap in result.doc["fidelity"]["gaps"]]
        self.assertTrue(any(re.search(r"stand-ins of kind (dummy|ifb)", gap) for gap in gaps), gaps)
        self.assertIn("stand-ins", self.call("show", "last", json_out=False).out.decode())

    def address(self) -> str:
        addresses = outside("hostname -I").split()
        if not addresses:
            harness.skip("this host has no address")
        return addresses[0]

    def test_own_address_is_the_runs(self) -> None:
        """A server inside is reached at the host's address, and nothing of the host is."""
        own = self.address()
        server = "import socket; s = socket.create_server(('', 0)); print(s.getsockname()[1], flush=True); s.accept()"
        with subprocess.Popen(["/usr/bin/python3", "-c", server], stdout=subprocess.PIPE) as listening:
            self.addCleanup(listening.kill)
            assert listening.stdout is not None
            port = int(listening.stdout.readline())
            result = self.python(f"""
assert socket.socket().connect_ex(('{own}', {port})) == errno.ECONNREFUSED
server = socket.create_server(('{own}', 0))
to = server.getsockname()
s = socket.create_connection(to)
assert s.getsockname()[0] == s.getpeername()[0] == '{own}'
server.accept()[0].sendall(b'inside')
assert s.recv(10) == b'inside'
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(('{own}', 0))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', datagrams.getsockname())
assert datagrams.recv(10) == b'x'
""", "--network-mirror")
            listening.kill()
        denied = self.the_attempt(result, dst=own, port=port)
        self.assertEqual(denied["verdict"], "denied")

    def test_every_address_still_reaches_the_gate(self) -> None:
        mock = self.base / "mock.toml"
        mock.write_text('[[mock]]\nlisten = "tcp:203.0.113.9:80"\nreply = "mocked"\n')
        own = self.address()
        link = json.loads(outside("ip -j route get 203.0.113.9"))[0].get("dev", "lo")
        result = self.python(f"""
def ask(*options):
    s = socket.socket()
    s.settimeout(5)
    for option in options:
        s.setsockopt(*option)
    s.connect(('203.0.113.9', 80))
    assert s.getpeername() == ('203.0.113.9', 80)
    assert s.recv(10) == b'mocked'
    return s.getsockname()[0]
assert ask() == '{own}', ask()
ask((socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'{link}'))
ask((socket.SOL_SOCKET, socket.SO_MARK, 7))
assert socket.socket().connect_ex(('203.0.113.10', 80)) == errno.ECONNREFUSED
""", "--network-mirror", "--mock", str(mock))
        self.assertEqual({to["dst"]: (to["verdict"], to["count"]) for to in result.doc["network"]}, {"203.0.113.9": ("mocked", 3), "203.0.113.10": ("denied", 1)})

    def test_neighbours_of_the_host_reach_the_gate(self) -> None:
        """Not only what the default route is for."""
        near = next((str(host) for one in json.loads(outside("ip -j -4 address show scope global")) for each in one["addr_info"] if each["prefixlen"] < 31
                     for host in ipaddress.ip_interface(f"{each['local']}/{each['prefixlen']}").network.hosts() if str(host) != each["local"]), None)
        if near is None:
            self.skipTest("this host is in no network")
        mock = self.base / "mock.toml"
        mock.write_text(f'[[mock]]\nlisten = "tcp:{near}:80"\nreply = "mocked"\n')
        result = self.python(f"assert socket.create_connection(('{near}', 80), 5).recv(10) == b'mocked'", "--network-mirror", "--mock", str(mock))
        self.assertEqual(self.the_attempt(result, dst=near)["verdict"], "mocked")
        self.assertEqual(json.loads(self.look("ip -j rule")), json.loads(outside("ip -j rule")))

    def test_host_is_unchanged(self) -> None:
        before = {name: outside(command) for name, command in LOOK.items()}, harness.modules(), outside("ip -j rule; ip -j netns list")
        self.inside("ip link set dev lo mtu 1500; ip addr add 10.9.9.9/32 dev lo; ip route flush table main; true")
        self.assertEqual(before, ({name: outside(command) for name, command in LOOK.items()}, harness.modules(), outside("ip -j rule; ip -j netns list")))

    def test_needs_the_gate(self) -> None:
        done = self.run_in(["true"], "--no-trace", "--network-mirror")
        self.assertEqual(done.code, harness.USAGE)
        self.assertIn(b"--network-mirror", done.err)


if __name__ == "__main__":
    harness.main()
