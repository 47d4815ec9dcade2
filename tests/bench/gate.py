#!/usr/bin/env python3
"""How fast the gate is: connects that it denies, mocked requests, and bytes of a passed stream, each against the same without it. Needs root, GATE_BED and GATE_LOAD."""
import os, subprocess, tempfile, time

BED, LOAD = os.environ["GATE_BED"], os.environ["GATE_LOAD"]
SECONDS, MEBIBYTES, ROUNDS = "3", "4096", 3
MOCK = '[[mock]]\nlisten = "tcp:api.example.com:80"\nhttp = [ { path = "/**", body = "hello" } ]\n[[mock]]\nlisten = "tcp:10.0.0.5:80"\nhttp = [ { path = "/**", body = "hello" } ]\n'


def number(command):
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def behind(*command):
    with tempfile.TemporaryDirectory() as directory:
        open(directory + "/mock", "w").write(MOCK)
        return number([BED, "--mock", directory + "/mock", "--log", directory + "/log", "--exchanges", directory + "/exchanges",
                       "--pass", "host-loopback:7001", "--", LOAD, *command])


def best(measure):
    return max(measure() for _ in range(ROUNDS))


print("connect that is refused, us:     direct %6.2f   denied by the gate %6.2f" % tuple(
    min(measure() for _ in range(ROUNDS)) / 1000 for measure in
    (lambda: number([LOAD, "refused", "127.0.0.1", "1", "1"]), lambda: behind("refused", "192.0.2.1", "80", "1"))))
servers = [subprocess.Popen([LOAD, "swallow", "7001"]), subprocess.Popen([LOAD, "serve", "7002"])]
time.sleep(0.3)
try:
    print("requests/s, a connection each:  direct %6.0f   mocked %6.0f" %
          (best(lambda: number([LOAD, "new", "127.0.0.1", "7002", SECONDS])), best(lambda: behind("new", "10.0.0.5", "80", SECONDS))))
    print("requests/s, one connection:     direct %6.0f   mocked %6.0f" %
          (best(lambda: number([LOAD, "keep", "127.0.0.1", "7002", SECONDS])), best(lambda: behind("keep", "10.0.0.5", "80", SECONDS))))
    direct = best(lambda: number([LOAD, "send", "127.0.0.1", "7001", MEBIBYTES]))
    passed = best(lambda: behind("send", "127.0.0.1", "7001", MEBIBYTES))
    print("MiB/s of one stream:            direct %6.0f   passed %6.0f   %.0f %%" % (direct / 2**20, passed / 2**20, 100 * passed / direct))
finally:
    for server in servers:
        server.kill()
        server.wait()
