"""timed.py N COMMAND...: runs a command N times and writes the wall time of each, as JSON, to standard error's last line.

The same program measures bare and inside, so both sides are timed by the same clock around the same thing.
"""
import json
import subprocess
import sys
import time

times = []
for _ in range(int(sys.argv[1])):
    started = time.perf_counter()
    subprocess.run(sys.argv[2:], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    times.append(time.perf_counter() - started)
print("\n" + json.dumps(times), file=sys.stderr)
