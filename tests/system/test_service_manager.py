"""Actions that ask the service manager: answered from the host's state, recorded, and the host's manager is asked nothing but how things are.

The host's manager is played here by manager_server, so that these run on any machine; test_systemd.py has a real one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import harness
import test_manager
from harness import Case, Document, Result

SERVER = os.environ.get("MANAGER_SERVER", "")
# In a mount namespace of its own: a host that systemd runs, as far as /run tells.
PRELUDE = """
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/system /run/systemd/journal
cp "$WORK"/units/* /run/systemd/system/
chmod 600 /run/systemd/system/once.service
"$MANAGER_SERVER" /run/systemd/private "$WORK/records" / --units "$WORK/list" 2> "$WORK/server.err" &
server=$!
for _ in $(seq 250); do [ -S /run/systemd/private ] && break; sleep 0.02; done
set +e
"""

# What speaks to the manager without libraries.
CLIENT = r"""
import os, socket, struct, time
def string(s): return struct.pack('<I', len(s)) + s + b'\0'
def align(b, n): return b + b'\0' * (-len(b) % n)
def call(member, signature, body, flags):
    fields = b''
    for code, kind, value in ((1, b'o', string(b'/org/freedesktop/systemd1')), (2, b's', string(b'org.freedesktop.systemd1.Manager')),
                              (3, b's', string(member)), (8, b'g', bytes([len(signature)]) + signature + b'\0')):
        fields = align(fields, 8) + bytes([code, 1]) + kind + b'\0' + value
    return align(struct.pack('<cBBBIII', b'l', 1, flags, 1, len(body), 1, len(fields)) + fields, 8) + body
def client(said=b''):
    made = socket.socket(socket.AF_UNIX)
    made.connect('/run/systemd/private')
    if said: made.sendall(b'\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n' + said)
    return made
"""


class ServiceManager(Case):
    def setUp(self) -> None:
        super().setUp()
        if not SERVER:
            harness.skip("MANAGER_SERVER does not name the server")
        harness.need("systemctl", "unshare")
        units = self.base / "units"
        units.mkdir()
        for name, text in test_manager.UNITS.items():
            (units / name).write_text(text, encoding="ascii")
        (self.base / "list").write_text(test_manager.LOADED, encoding="ascii")
        self.environment = {"WORK": str(self.base), "MANAGER_SERVER": SERVER, "PATH": harness.PATH}

    def on_host(self, script: str, timeout: float = 120) -> subprocess.CompletedProcess[bytes]:
        return harness.PrivateMounts.run(PRELUDE + script, self.environment, timeout * harness.SLOW)

    def asked(self, script: str, *options: str, before: str = "", expect: int | None = 0) -> Result:
        """Rehearses `script` on that host; its standard error is the result's."""
        (self.base / "action").write_text(script, encoding="utf-8")
        command = " ".join(self.command("run", *options))
        done = self.on_host(f'{before}\n{command} -- sh "$WORK/action"\n')
        result = Result(done.returncode, done.stdout, done.stderr, 0)
        self.assertIn(result.code, harness.RAN, result.err[-3000:])
        if expect is not None:
            self.assertEqual(result.doc["command"]["exit"], expect, result.err[-3000:])
        return result

    def host_requests(self) -> list[str]:
        """What the host's own manager was asked, beside how things are."""
        path = self.base / "records"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [line for line in lines if json.loads(line)["request"] != "query"]

    @staticmethod
    def units(document: Document) -> list[tuple[str, str, str]]:
        return [(u["request"], u["unit"], u["answered"]) for u in document["units"]]

    def test_a_read_only_run_ends_at_a_request_that_changes_something(self) -> None:
        looks = self.asked("systemctl is-active web >&2; systemctl status web >/dev/null; true", "--read-only")
        self.assertTrue(looks.doc["read_only"]["proved"], looks.doc["read_only"])
        asks = self.asked("systemctl is-active web >&2; systemctl restart cron; systemctl is-active cron >&2", "--read-only")
        self.assertFalse(asks.doc["read_only"]["enforced"])
        self.assertEqual([(a["what"], a["call"]) for a in asks.doc["read_only"]["attempts"]], [("unit request", "restart cron.service")])
        self.assertIn(("restart", "cron.service", "mocked"), self.units(asks.doc))
        self.assertEqual(self.host_requests(), [])

    def test_state_is_kept_inside_and_the_host_is_asked_nothing(self) -> None:
        result = self.asked("systemctl is-active web >&2; systemctl stop web; systemctl is-active web >&2; systemctl restart cron && systemctl is-active cron >&2; systemctl start absent; echo $? >&2;"
                            "systemctl start once && systemctl show once -p ActiveState --value >&2; systemctl is-failed broken >&2; service web start; systemctl is-active web >&2")
        self.assertEqual(result.err.split(b"\n")[:9], [b"active", b"inactive", b"active", b"Failed to start absent.service: Unit absent.service not found.", b"5", b"active", b"failed", b"active", b""])
        units = self.units(result.doc)
        for expected in (("stop", "web.service", "mocked"), ("restart", "cron.service", "mocked"), ("start", "absent.service", "refused"), ("query", "web.service", "mocked")):
            self.assertIn(expected, units)
        self.assertEqual(self.host_requests(), [])
        stop = next(u for u in result.doc["units"] if u["request"] == "stop" and u["unit"] == "web.service")
        process = next(p for p in result.doc["processes"] if p["id"] == stop["process"])
        self.assertEqual(process["argv"], ["systemctl", "stop", "web"])
        self.assertEqual(result.doc["counts"]["units"], 4)
        gaps = [g["what"] for g in result.doc["fidelity"]["gaps"]]
        self.assertIn("service manager: 4 requests answered and not carried out", gaps)
        self.assertFalse([g for g in gaps if "/run/systemd/system" in g])

    def test_what_a_request_means_for_other_units_is_judged(self) -> None:
        """A start that stops what watches the host, by a conflict or because it isolates."""
        with open(self.base / "list", "a", encoding="ascii") as units:
            units.write("rsyslog.service loaded active running Log\n")
        (self.base / "units/quiet.target").write_text("[Unit]\nAllowIsolate=yes\nDefaultDependencies=no\nConflicts=rsyslog.service\n", encoding="ascii")
        for action in ("systemctl start quiet.target", "systemctl isolate quiet.target"):
            result = self.asked(action)
            self.assertEqual(result.doc["verdict"]["level"], "red", result.doc["verdict"])
            self.assertIn("unit.defence-stopped", json.dumps(result.doc["verdict"]))
        self.assertNotIn("unit.defence-stopped", json.dumps(self.asked("systemctl restart web").doc["verdict"]))

    def test_files_that_are_changed_before_the_first_question_are_looked_at(self) -> None:
        result = self.asked("d=/etc/systemd/system/web.service.d; mkdir -p $d; printf '[Service]\\nUser=nobody\\n' > $d/x.conf; systemctl show web -p NeedDaemonReload >&2;"
                            "systemctl daemon-reload; systemctl show web -p User -p DropInPaths -p NeedDaemonReload >&2")
        self.assertIn(b"NeedDaemonReload=yes\n", result.err)
        for line in (b"User=nobody\n", b"DropInPaths=/etc/systemd/system/web.service.d/x.conf\n", b"NeedDaemonReload=no\n"):
            self.assertIn(line, result.err)

    def test_report_for_people(self) -> None:
        (self.base / "action").write_text("systemctl restart web; systemctl start absent; systemctl enable --now web; true", encoding="utf-8")
        done = self.on_host(" ".join(self.command("run", json_out=False)) + ' -- sh "$WORK/action"')
        text = (done.stdout + done.stderr).decode()
        self.assertIn(" · 4 service requests · ", text)
        self.assertRegex(text, r"\nService manager\n  mocked       restart web.service  \[\d+\]\n")
        self.assertRegex(text, r"\n  refused      start absent.service  \[\d+\]\n      Unit absent.service not found.\n")

    def test_edits_happen_in_the_clone(self) -> None:
        result = self.asked("systemctl enable web && systemctl is-enabled web >&2; systemctl mask cron; systemctl start cron; echo $? >&2; systemctl enable absent; echo $? >&2; systemctl get-default >&2 || true")
        wants = "/etc/systemd/system/multi-user.target.wants/web.service"
        self.assertEqual(self.change(result, wants, "created")["after"]["target"], "/run/systemd/system/web.service")
        self.change(result, "/etc/systemd/system/cron.service", "created")
        self.assertFalse(os.path.lexists(wants) or os.path.lexists("/etc/systemd/system/cron.service"))
        self.assertIn(b"\nenabled\n", b"\n" + result.err)
        self.assertIn(b"Failed to start cron.service: Unit cron.service is masked.\n1\n", result.err)
        units = self.units(result.doc)
        for expected in (("enable", "web.service", "carried-out"), ("mask", "cron.service", "carried-out"), ("enable", "absent.service", "refused")):
            self.assertIn(expected, units)
        # The systemctl that did it is in the trace, under init.
        tools = [p for p in result.doc["processes"] if p["argv"][:2] == ["/usr/bin/systemctl", "--root=/"]]
        self.assertTrue(tools and all(p["parent"] == 0 and p["uid"] == 0 for p in tools), tools)
        self.assertEqual(self.host_requests(), [])

    def test_only_root_is_served(self) -> None:
        result = self.asked("setpriv --reuid 65534 --clear-groups systemctl stop web; echo $? >&2; systemctl is-active web >&2")
        self.assertIn(b"1\nactive\n", result.err)
        self.assertNotIn(("stop", "web.service", "mocked"), self.units(result.doc))

    def test_maintainer_scripts(self) -> None:
        harness.need("dpkg-deb", "deb-systemd-invoke")
        package = self.base / "pkg"
        (package / "DEBIAN").mkdir(parents=True, mode=0o755)
        (package / "lib/systemd/system").mkdir(parents=True)
        (package / "lib/systemd/system/rehearse-other.service").write_text("[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n", encoding="ascii")
        (package / "DEBIAN/control").write_text("Package: rehearse-other\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: trial\n", encoding="ascii")
        (package / "DEBIAN/postinst").write_text("#!/bin/sh\nset -e\ndeb-systemd-helper enable rehearse-other.service\nsystemctl --system daemon-reload\nrm -f /usr/sbin/policy-rc.d\ndeb-systemd-invoke start rehearse-other.service\n"
                                                 "deb-systemd-invoke restart web.service\n", encoding="ascii")
        (package / "DEBIAN/postinst").chmod(0o755)
        subprocess.run(["dpkg-deb", "-b", str(package), f"{self.base}/other.deb"], capture_output=True, check=True)
        result = self.asked(f"dpkg -i {self.base}/other.deb >&2 && systemctl is-active rehearse-other web >&2")
        self.assertIn(b"active\nactive\n", result.err)
        units = self.units(result.doc)
        for expected in (("start", "rehearse-other.service", "mocked"), ("restart", "web.service", "mocked"), ("daemon-reload", "", "mocked")):
            self.assertIn(expected, units)
        self.assertEqual(self.host_requests(), [])

    def test_its_socket_cannot_be_taken_away(self) -> None:
        result = self.asked("rm -f /run/systemd/private; echo $? >&2; umount /run/systemd/private; echo $? >&2; mv /run/systemd/private /run/x; echo $? >&2; stat -c '%F %u %a' /run/systemd/private >&2; systemctl is-active web >&2")
        self.assertIn(b"socket 0 ", result.err)
        self.assertTrue(result.err.endswith(b"active\n"), result.err)
        self.assertEqual([line for line in result.err.split(b"\n") if line == b"0"], [])

    def test_hostile_clients(self) -> None:
        flood = self.base / "flood.py"
        flood.write_text(
            "import socket, os, sys\n"
            "def call(data, n=1):\n"
            "    for _ in range(n):\n"
            "        s = socket.socket(socket.AF_UNIX); s.settimeout(5)\n"
            "        try:\n"
            "            s.connect('/run/systemd/private'); s.sendall(data); s.recv(100)\n"
            "        except OSError: pass\n"
            "        s.close()\n"
            "call(os.urandom(65536), 50)\n"
            "auth = b'\\0AUTH EXTERNAL\\r\\nDATA\\r\\nNEGOTIATE_UNIX_FD\\r\\nBEGIN\\r\\n'\n"
            "call(auth + b'l\\1\\0\\1' + b'\\xff' * 4000, 50)\n"
            "call(auth + b'l\\1\\0\\1\\xff\\xff\\xff\\x7f\\1\\0\\0\\0\\xff\\xff\\xff\\x7f' * 200, 50)\n"
            "many = []\n"
            "for _ in range(150):\n"
            "    s = socket.socket(socket.AF_UNIX); s.setblocking(False)\n"
            "    try: s.connect('/run/systemd/private')\n"
            "    except OSError: pass\n"
            "    many.append(s)\n"
            "for s in many: s.close()\n", encoding="ascii")
        result = self.asked(f"python3 {flood}; systemctl is-active web >&2; systemctl stop web; systemctl is-active web >&2; true")
        self.assertTrue(result.err.endswith(b"active\ninactive\n"), result.err)
        self.assertEqual(self.host_requests(), [])

    def test_a_hostile_systemctl_is_waited_for_by_nobody_but_its_client(self) -> None:
        result = self.asked("cp /usr/bin/systemctl /tmp/sc; cp /bin/sleep /tmp/sl; printf '#!/bin/sh\\nexec /tmp/sl 1000\\n' > /tmp/new; chmod 755 /tmp/new; mv /tmp/new /usr/bin/systemctl;"
                            "timeout 2 /tmp/sc enable web; /tmp/sc is-active web >&2; /tmp/sc stop web; /tmp/sc is-active web >&2; true")
        self.assertIn(b"active\ninactive\n", result.err)
        self.assertIn("sl", [p["comm"] for p in result.doc["command"]["leftover_processes"]])
        result = self.asked("printf '#!/bin/sh\\nexec yes\\n' > /tmp/new; cp /usr/bin/systemctl /tmp/sc; chmod 755 /tmp/new; mv /tmp/new /usr/bin/systemctl; timeout 2 /tmp/sc enable web; true")
        self.assertEqual(result.doc["command"]["exit"], 0)

    def test_a_systemctl_that_does_not_end_is_ended(self) -> None:
        """Whoever wants an edit after it waits until then, and not for ever."""
        result = self.asked("cp /usr/bin/systemctl /tmp/sc; printf '#!/bin/sh\\n[ -e /tmp/once ] && exec /tmp/sc \"$@\"\\n: > /tmp/once; sleep 1000 & exec sleep 1000\\n' > /tmp/new;"
                            "chmod 755 /tmp/new; mv /tmp/new /usr/bin/systemctl; timeout 60 /tmp/sc enable web & sleep 1; timeout 60 /tmp/sc mask app >&2; echo $? >&2; wait; true")
        self.assertIn(b"within 15 s", result.err)
        self.assertTrue(result.err.rstrip().endswith(b"0"), result.err)
        self.assertEqual([u for u in self.units(result.doc) if u[0] != "query"],
                         [("enable", "web.service", "refused"), ("mask", "app.service", "carried-out"), ("daemon-reload", "", "mocked")])
        self.assertEqual(result.doc["command"]["leftover_processes"], [])

    def test_silent_clients_keep_nobody_waiting(self) -> None:
        silent = self.base / "silent.py"
        silent.write_text(CLIENT + "many = [client() for _ in range(64)]\nos.system('touch /tmp/ready'); time.sleep(60)\n", encoding="ascii")
        begun = time.monotonic()
        result = self.asked(f"python3 {silent} & silent=$!; while ! [ -e /tmp/ready ]; do sleep 0.1; done; for i in 1 2 3 4; do timeout 5 systemctl is-active web >&2; done; kill $silent; true")
        self.assertEqual(result.err.count(b"active\n"), 4, result.err)
        self.assertLess(time.monotonic() - begun, 20 * harness.SLOW)
        self.assertNotEqual(result.doc["verdict"]["level"], "inconclusive")

    def test_clients_that_never_read(self) -> None:
        """With 15,000 units a list is megabytes: what nobody reads is kept within bounds, and the others are served."""
        with open(self.base / "list", "a", encoding="ascii") as units:
            for n in range(15000):
                units.write(f"many{n}.service loaded active running\n")
        greedy = self.base / "greedy.py"
        greedy.write_text(CLIENT + "many = [client(call(b'ListUnits', b'', b'', 0) * 8) for _ in range(63)]\n"
                          "time.sleep(3); os.system('touch /tmp/ready'); time.sleep(60)\n", encoding="ascii")
        result = self.asked(f"python3 {greedy} & greedy=$!; while ! [ -e /tmp/ready ]; do sleep 0.1; done; SYSTEMD_BUS_TIMEOUT={25 * harness.SLOW}s timeout {20 * harness.SLOW} systemctl list-units | wc -l >&2; timeout {10 * harness.SLOW} systemctl is-active web >&2; kill $greedy; true")
        self.assertGreater(int(result.err.split()[0]), 15000)
        self.assertTrue(result.err.endswith(b"active\n"), result.err)
        level, findings = result.doc["verdict"]["level"], result.doc["verdict"]["findings"]
        # An emulated machine is still making lists when the run ends: the worker is killed, and that is said.
        killed = harness.SLOW > 1 and "the service manager's worker does not end" in str(findings)
        self.assertEqual(level == "inconclusive", killed, (findings, result.doc["trace"]))

    def test_a_tool_gets_nothing_of_the_hosts(self) -> None:
        """What runs as systemctl is the action's file: its descriptors are pipes, none of them the host's /dev/null."""
        result = self.asked("cp /usr/bin/systemctl /tmp/sc; printf '#!/bin/sh\\nls -l /proc/self/fd > /tmp/fds; stat -L -c \"%%F\" /dev/stdin >> /tmp/fds; cat >> /tmp/fds\\n' > /tmp/new; chmod 755 /tmp/new;"
                            "mv /tmp/new /usr/bin/systemctl; /tmp/sc enable web; cat /tmp/fds >&2")
        self.assertIn(b"\nfifo\n", result.err)
        self.assertNotIn(b"/dev/null", result.err)

    def test_what_is_asked_last_is_recorded(self) -> None:
        client = self.base / "last.py"
        client.write_text(
            CLIENT + "many = []\n"
            "for _ in range(120):\n"
            "    many.append(client(call(b'StopUnit', b'ss', align(string(b'web.service'), 4) + string(b'replace'), 1)))\n", encoding="ascii")
        # The host's manager may take its time: nothing of the run lives any more when what it was asked is looked at.
        for before in ("", "kill -STOP $server; ( sleep 2; kill -CONT $server ) &"):
            result = self.asked(f"exec python3 {client}", before=before)
            self.assertEqual(sum(u["count"] for u in result.doc["units"] if u["request"] == "stop"), 120, (result.doc["units"], result.doc["verdict"]))
            self.assertNotEqual(result.doc["verdict"]["level"], "inconclusive", result.doc["verdict"])

    def test_links_in_circles(self) -> None:
        result = self.asked("for d in /etc/systemd/system.control /run/systemd/system.control /run/systemd/transient /etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /run/systemd/generator; do mkdir -p $d;"
                            "ln -sf b.service $d/a.service; ln -sf a.service $d/b.service; done; timeout 10 systemctl start a; echo $? >&2; timeout 10 systemctl is-active web >&2")
        self.assertTrue(result.err.endswith(b"5\nactive\n"), result.err)

    def test_a_host_manager_that_stops_answering(self) -> None:
        (self.base / "action").write_text("systemctl is-active web; sleep 3; systemctl show cron -p Description; true", encoding="utf-8")
        done = self.on_host("( sleep 2; kill -STOP $server ) & " + " ".join(self.command("run")) + ' -- sh "$WORK/action"; status=$?; kill -CONT $server; exit $status')
        document = json.loads(done.stdout)
        self.assertIn("has stopped answering", json.dumps(document["verdict"]["findings"]))
        self.assertEqual(document["verdict"]["level"], "inconclusive")

    def test_a_host_manager_that_does_not_answer(self) -> None:
        result = self.asked("timeout 20 systemctl is-active web; echo $? >&2", before="kill $server; wait $server")
        self.assertEqual(result.doc["verdict"]["level"], "inconclusive")
        self.assertIn("no systemd answers at /run/systemd/private", json.dumps(result.doc["verdict"]["findings"]))
        # Without a question there is nothing to say.
        result = self.asked("true", before="kill $server; wait $server")
        self.assertIn(result.code, (harness.GREEN, harness.YELLOW))

    def test_without_a_trace(self) -> None:
        result = self.asked("systemctl stop web; systemctl is-active web >&2; true", "--no-trace")
        self.assertEqual(result.err, b"inactive\n")
        self.assertIn(("stop", "web.service", "mocked"), self.units(result.doc))

    def test_profile_root(self) -> None:
        result = self.asked("systemctl stop web; systemctl is-active web >&2; systemctl enable web", "--profile=root")
        self.assertIn(b"inactive\n", result.err)
        self.assertIn(("enable", "web.service", "carried-out"), self.units(result.doc))

    def test_killed_supervisor_leaves_no_worker(self) -> None:
        (self.base / "action").write_text("systemctl stop web; sleep 1000", encoding="utf-8")
        command = " ".join(self.command("run"))
        done = self.on_host(f'{command} -- sh "$WORK/action" > /dev/null 2>&1 &\npid=$!\nsleep 2\nls -d /proc/[0-9]*/ | wc -l > /dev/null\nworkers() {{ ps -o pid= --ppid $pid | tr -d " "; }}\n'
                            'workers > "$WORK/children"\nkill -9 $pid\nsleep 1\nfor p in $(cat "$WORK/children"); do [ -d /proc/$p ] && grep -q "^State:.[^ZX]" /proc/$p/status && echo alive $p; done; true\n')
        self.assertNotEqual((self.base / "children").read_text().split(), [])
        self.assertEqual(done.stdout, b"", done.stderr)
        self.call("gc")


if __name__ == "__main__":
    harness.main()
