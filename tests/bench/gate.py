#!/usr/bin/env python3
"""How fast the gate is: connects that it denies, mocked requests, and bytes of a passed stream, each against the same without it. Needs root, GATE_BED and GATE_LOAD."""
import os, statistics, subprocess, tempfile, time

BED, LOAD = os.environ["GATE_BED"], os.environ["GATE_LOAD"]
SECONDS, MEBIBYTES, ROUNDS = "2", "4096", 7
MOCK = '[[mock]]\nlisten = "tcp:api.example.com:80"\nhttp = [ { path = "/**", body = "hello" } ]\n[[mock]]\nlisten = "tcp:10.0.0.5:80"\nhttp = [ { path = "/**", body = "hello" } ]\n'


def number(command):
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def behind(*command):
    with tempfile.TemporaryDirectory() as directory:
        open(directory + "/mock", "w").write(MOCK)
        return number([BED, "--mock", directory + "/mock", "--log", directory + "/log", "--exchanges", directory + "/exchanges",
                       "--pass", "host-loopback:7001", "--", LOAD, *command])


def compare(what, without, words, through, unit=1.0, form="%8.0f"):
    """Turn by turn, so that what the machine does meanwhile falls on both."""
    pairs = [(number(without) / unit, behind(*through) / unit) for _ in range(ROUNDS)]
    ratios = sorted(there / here for here, there in pairs)
    print(f"%-31s direct {form}   {words} {form}   ratio %.2f (%.2f to %.2f)" %
          (what, statistics.median(here for here, _ in pairs), statistics.median(there for _, there in pairs), statistics.median(ratios), ratios[0], ratios[-1]))


compare("connect that is refused, us:", [LOAD, "refused", "127.0.0.1", "1", "1"], "denied", ("refused", "192.0.2.1", "80", "1"), 1000, "%8.2f")
servers = [subprocess.Popen([LOAD, "swallow", "7001"]), subprocess.Popen([LOAD, "serve", "7002"])]
time.sleep(0.3)
try:
    compare("requests/s, a connection each:", [LOAD, "new", "127.0.0.1", "7002", SECONDS], "mocked", ("new", "10.0.0.5", "80", SECONDS))
    compare("requests/s, one connection:", [LOAD, "keep", "127.0.0.1", "7002", SECONDS], "mocked", ("keep", "10.0.0.5", "80", SECONDS))
    compare("MiB/s of one stream:", [LOAD, "send", "127.0.0.1", "7001", MEBIBYTES], "passed", ("send", "127.0.0.1", "7001", MEBIBYTES), 2**20)
finally:
    for server in servers:
        server.kill()
        server.wait()
