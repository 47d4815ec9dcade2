"""On a host that systemd runs: started by a unit, limited and stopped by it; and the service manager's state stays as it was."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import harness
import test_manager
from harness import Case, Document

UNIT = "rehearse-trial.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"


def systemctl(*arguments: str) -> str:
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False).stdout


def manager_state() -> dict[str, str]:
    """What the host's service manager would answer."""
    units = [line for line in systemctl("list-units", "--all", "--plain", "--no-legend", "--type=service,socket,timer,mount,target").splitlines()
             if not any(noise in line for noise in ("run-r", "run-u", "systemd-journal-flush", "user@", "user-runtime"))]
    return {
        "units": "\n".join(sorted(units)),
        "files": systemctl("list-unit-files", "--no-legend"),
        "trial": systemctl("show", UNIT, "-p", "ActiveState,SubState,MainPID,NRestarts,InvocationID,UnitFileState"),
        "cron": systemctl("show", "cron.service", "-p", "ActiveState,SubState,MainPID,NRestarts,InvocationID,UnitFileState"),
        "jobs": systemctl("list-jobs", "--no-legend"),
        "links": "\n".join(sorted(str(p) for p in Path("/etc/systemd").rglob("*"))),
    }


def controllers() -> list[str]:
    try:
        return Path("/sys/fs/cgroup/cgroup.controllers").read_text(encoding="ascii").split()
    except OSError:
        return []


class Systemd(Case):
    def setUp(self) -> None:
        if not os.path.isdir("/run/systemd/system"):
            harness.skip("systemd is not the service manager here")
        super().setUp()

    def unit(self, *arguments: str, properties: tuple[str, ...] = (), options: tuple[str, ...] = ("--wait", "--pipe")) -> subprocess.CompletedProcess[bytes]:
        words = [word for p in properties for word in ("-p", p)]
        return subprocess.run(["systemd-run", "--quiet", "--collect", *options, *words, *arguments], capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=300 * harness.SLOW)

    def in_unit(self, script: str, *properties: str, more: tuple[str, ...] = ()) -> Document:
        done = self.unit(*self.command("run", *more, "--", "sh", "-c", script), properties=properties)
        self.assertIn(done.returncode, harness.RAN, done.stderr)
        self.err = done.stderr
        document: Document = json.loads(done.stdout)
        return document

    def start_unit(self, name: str, script: str) -> None:
        done = self.unit(*self.command("run", "--", "sh", "-c", script), options=("--unit", name))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.addCleanup(subprocess.run, ["systemctl", "reset-failed", name], capture_output=True, check=False)
        self.assertTrue(harness.wait_for(lambda: b"\nsleep\n" in b"\n" + self.comms(), 30))

    def comms(self) -> bytes:
        """Names of the processes in this test's runs."""
        runs = os.listdir(self.state / "runs") if (self.state / "runs").is_dir() else []
        names = b""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if any(f"rehearse/{run}" in Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii") for run in runs):
                    names += Path(f"/proc/{pid}/comm").read_bytes()
            except OSError:
                continue
        return names

    def test_exit_status_and_no_terminal(self) -> None:
        for options, code in (((), harness.YELLOW), (("--passthrough-exit",), 3), (("--fail-on", "never"), 0)):
            done = self.unit(*self.command("run", *options, "--", "sh", "-c", "tty; exit 3"))
            self.assertEqual(done.returncode, code, done.stderr)
        # Without --pipe: standard output is the journal's socket.
        self.assertEqual(self.unit(*self.command("run", "--", "sh", "-c", "exit 3", json_out=False), options=("--wait",)).returncode, harness.YELLOW)

    def test_requester_is_the_unit(self) -> None:
        done = self.unit(*self.command("run", "--", "true"), options=("--wait", "--pipe", "--unit", "rehearse-who"))
        self.assertEqual(json.loads(done.stdout)["requester"]["unit"], "rehearse-who.service")

    def test_limits_of_the_unit_carry_over(self) -> None:
        document = self.in_unit("ulimit -n >&2", "LimitNOFILE=777", "OOMScoreAdjust=345")
        self.assertEqual(self.err.strip(), b"777")
        if not {"memory", "pids"} <= set(controllers()):
            harness.skip("cgroup v2 has no memory and pids controllers here; open files were checked")
        document = self.in_unit("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max >&2", "MemoryMax=200M", "TasksMax=50", "CPUQuota=50%")
        self.assertTrue(any("200 MiB by cgroup v2" in line for line in document["limits"]), document["limits"])
        self.assertTrue(any("processes: 50 by cgroup v2" in line for line in document["limits"]), document["limits"])
        self.assertTrue(any("cpu: 0.5 by cgroup v2" in line for line in document["limits"]), document["limits"])
        # What the operator asks for may be tighter, never wider.
        document = self.in_unit("true", "MemoryMax=200M", "TasksMax=50", "CPUQuota=50%", more=("--memory", "1G", "--pids", "20", "--cpus", "2"))
        self.assertTrue(any("200 MiB by cgroup v2" in line for line in document["limits"]), document["limits"])
        self.assertTrue(any("processes: 20 by cgroup v2" in line for line in document["limits"]), document["limits"])
        self.assertTrue(any("cpu: 0.5 by cgroup v2" in line for line in document["limits"]), document["limits"])

    def test_limits_hold_by_the_controllers(self) -> None:
        if not {"memory", "pids", "cpu"} <= set(controllers()):
            harness.skip("cgroup v2 has no memory, pids and cpu controllers here")
        result = self.run_in(["python3", "-c", "x = bytearray(600 << 20)"], "--memory", "100M")
        self.assertIn("memory of 100 MiB", str(result.doc["verdict"]["findings"]))
        self.assertIn("cgroup v2", str(result.doc["limits"]))
        result = self.shell("for i in $(seq 60); do sleep 3 & done; wait", "--pids", "20", expect=None)
        self.assertIn("number of processes", str(result.doc["verdict"]["findings"]))
        spin = ["python3", "-c", "import time\nt=time.monotonic()\nwhile time.monotonic()-t < 4: pass\nprint(time.process_time())"]
        limited = self.run_in(spin, "--cpus", "0.2")
        self.assertLess(float(limited.err), 2.4)

    def test_a_limit_survives_what_the_service_manager_does(self) -> None:
        # systemd turns controllers off that no unit of its own needs.
        if "cpu" not in controllers():
            harness.skip("cgroup v2 has no cpu controller here")
        process = subprocess.Popen(self.command("run", "--cpus", "0.5", "--", "sh", "-c", "echo up >&2; read x; cat /sys/fs/cgroup/cpu.max >&2"),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdin and process.stderr
        self.assertEqual(process.stderr.readline(), b"up\n")
        self.unit("true", properties=("CPUQuota=10%",))
        systemctl("daemon-reload")
        self.unit("true")
        time.sleep(1)
        out, err = process.communicate(b"go\n", timeout=60 * harness.SLOW)
        document = json.loads(out)
        held = err.strip() == b"50000 100000"
        said = any("cpu" in str(entry) for entry in document["fidelity"]["gaps"] + document["verdict"]["findings"])
        self.assertTrue(held or said, f"the limit went away unsaid: {err!r}")

    def test_stopping_the_unit_ends_the_run(self) -> None:
        self.start_unit("rehearse-stop", f"trap 'echo > {self.host}/late' TERM; touch {self.host}/marker; sleep 1000")
        started = time.monotonic()
        subprocess.run(["systemctl", "stop", "rehearse-stop"], check=True)
        self.assertLess(time.monotonic() - started, 20 * harness.SLOW)
        self.assert_nothing_left()
        self.assertEqual(os.listdir(self.host), [])
        runs = self.call("list").doc["runs"]
        self.assertEqual([run["state"] for run in runs], ["finished"])
        self.assertEqual(self.call("show", "last").doc["verdict"]["level"], "inconclusive")

    def test_killing_the_unit_leaves_nothing(self) -> None:
        self.start_unit("rehearse-kill", f"touch {self.host}/marker; sleep 1000")
        subprocess.run(["systemctl", "kill", "-s", "KILL", "rehearse-kill"], check=True)
        self.assertTrue(harness.wait_for(lambda: self.comms() == b""))
        self.assertEqual(os.listdir(self.host), [])

        def collected() -> bool:
            return self.call("gc").code == 0 and not os.listdir(self.state / "active")

        self.assertTrue(harness.wait_for(collected), harness.lock_holders(self.state))
        self.assert_nothing_left()

    def test_doctor(self) -> None:
        done = self.call("doctor")
        self.assertEqual(done.code, 0, done.out + done.err)
        checks = {check["id"]: check["status"] for check in done.doc["checks"] if check["id"].startswith("cgroups")}
        for name in {"memory", "pids", "cpu"} & set(controllers()):
            self.assertEqual(checks[f"cgroups.{name}"], "ok")
        self.assertEqual(self.unit(*self.command("doctor")).returncode, 0)


class ServiceManager(Case):
    """Actions that call systemctl leave the host's units alone."""

    def setUp(self) -> None:
        if not os.path.isdir("/run/systemd/system"):
            harness.skip("systemd is not the service manager here")
        super().setUp()
        Path(UNIT_FILE).write_text("[Unit]\nDescription=trial\n[Service]\nExecStart=/bin/sleep infinity\nRestart=always\n[Install]\nWantedBy=multi-user.target\n", encoding="ascii")
        self.addCleanup(self.remove_unit)
        systemctl("daemon-reload")
        systemctl("enable", "--now", UNIT)
        self.assertEqual(systemctl("is-active", UNIT).strip(), "active")
        self.before = manager_state()

    def remove_unit(self) -> None:
        systemctl("disable", "--now", UNIT)
        os.unlink(UNIT_FILE)
        systemctl("daemon-reload")

    def assert_unchanged(self) -> None:
        after = manager_state()
        for part, text in self.before.items():
            self.assertEqual(text, after[part], part)

    def test_requests_are_answered_and_nothing_happens(self) -> None:
        result = self.shell(f"systemctl stop {UNIT}; systemctl is-active {UNIT} >&2; systemctl restart cron && systemctl daemon-reload && systemctl daemon-reexec; systemctl start {UNIT}; systemctl kill -s KILL {UNIT};"
                            f"service cron stop; systemctl is-active cron >&2; invoke-rc.d cron start; deb-systemd-invoke stop {UNIT}; busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1"
                            f" org.freedesktop.systemd1.Manager StopUnit ss {UNIT} replace; kill 1; loginctl terminate-user root; systemd-run true; systemctl reboot; systemctl poweroff -ff;"
                            f"systemctl isolate rescue.target; reboot -f; true")
        self.assert_unchanged()
        self.assertIn(b"inactive\n", result.err)
        asked = [(u["request"], u["unit"], u["answered"]) for u in result.doc["units"]]
        for expected in (("stop", UNIT, "mocked"), ("restart", "cron.service", "mocked"), ("stop", "cron.service", "mocked"), ("kill", UNIT, "mocked"), ("daemon-reload", "", "mocked"), ("daemon-reexec", "", "mocked"),
                         ("start", "reboot.target", "mocked"), ("start", "rescue.target", "mocked")):
            self.assertIn(expected, asked)
        self.assertTrue(all(u["process"] for u in result.doc["units"]), result.doc["units"])
        bus = [n for n in result.doc["network"] if n["dst"].endswith("system_bus_socket")]
        self.assertTrue(bus, result.doc["network"])
        # What is a file operation happens, in the layers.
        result = self.shell(f"systemctl disable {UNIT} && systemctl mask cron.service && ! systemctl is-enabled {UNIT} >&2")
        self.change(result, f"/etc/systemd/system/multi-user.target.wants/{UNIT}", "deleted")
        self.change(result, "/etc/systemd/system/cron.service", "created")
        self.assertIn(("disable", UNIT, "carried-out"), [(u["request"], u["unit"], u["answered"]) for u in result.doc["units"]])
        self.assert_unchanged()

    def test_every_answer_is_the_hosts(self) -> None:
        """The commands of test_manager.py, rehearsed first and then for real."""
        if not os.environ.get("REHEARSE_DISPOSABLE_HOST"):
            harness.skip("changes the units of this host")
        for name, text in test_manager.TRIAL.items():
            Path("/etc/systemd/system", name).write_text(text, encoding="ascii")
        self.addCleanup(test_manager.remove_trial_units)
        subprocess.run(["bash", "-c", test_manager.BEFORE], capture_output=True, check=False)
        before = systemctl("list-units", "--all", "--plain", "--no-legend", "rt-*", "cron*")
        place = self.host / "answers"
        place.mkdir()
        script = test_manager.steps(test_manager.COMMANDS, place)
        environment = [f"{name}={value}" for name, value in test_manager.environment().items()]
        result = self.run_in(["env", "-i", *environment, "bash", "-c", f"{script}\ntar -C {place} -cf - ."])
        self.assertIn(result.code, harness.RAN, result.err)
        self.assertEqual(os.listdir(place), [])
        self.assertEqual(before, systemctl("list-units", "--all", "--plain", "--no-legend", "rt-*", "cron*"), "the rehearsal has changed the host's units")
        inside = self.base / "inside"
        inside.mkdir()
        subprocess.run(["tar", "-C", str(inside), "-xf", str(self.state / "runs" / result.doc["id"] / "output" / "stdout")], check=True)
        subprocess.run(["bash", "-c", script], check=True, stdin=subprocess.DEVNULL, env=test_manager.environment(), timeout=300 * harness.SLOW)
        for i, command in enumerate(test_manager.COMMANDS):
            with self.subTest(command=command):
                rehearsed, real = test_manager.answer(inside, i), test_manager.answer(place, i)
                self.assertEqual(test_manager.comparable(rehearsed), test_manager.comparable(real))

    def test_maintainer_scripts(self) -> None:
        harness.need("dpkg-deb", "cron")
        package = self.host / "pkg"
        (package / "DEBIAN").mkdir(parents=True, mode=0o755)
        (package / "lib/systemd/system").mkdir(parents=True)
        (package / "lib/systemd/system/rehearse-other.service").write_text("[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n", encoding="ascii")
        (package / "DEBIAN/control").write_text("Package: rehearse-other\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: trial\n", encoding="ascii")
        script = "#!/bin/sh\nset -e\ndeb-systemd-helper enable rehearse-other.service\nif [ -d /run/systemd/system ]; then systemctl --system daemon-reload; systemctl start rehearse-other; fi\n" \
                 f"systemctl stop {UNIT} || true\ninvoke-rc.d cron restart || true\nsystemd-sysusers --replace=/usr/lib/sysusers.d/trial.conf - <<E || true\nu rehearsetrial -\nE\n"
        (package / "DEBIAN/postinst").write_text(script, encoding="ascii")
        (package / "DEBIAN/postinst").chmod(0o755)
        subprocess.run(["dpkg-deb", "-b", str(package), f"{self.host}/other.deb"], capture_output=True, check=True)
        result = self.shell(f"dpkg -i {self.host}/other.deb >&2 && dpkg --purge cron >&2; dpkg -s rehearse-other >&2")
        self.assertIn(b"Status: install ok installed", result.err)
        self.change(result, "/etc/systemd/system/multi-user.target.wants/rehearse-other.service", "created")
        self.change(result, "/usr/sbin/cron", "deleted")
        self.assert_unchanged()
        self.assertNotIn("rehearse-other", systemctl("list-units", "--all", "--plain"))
        self.assertNotEqual(subprocess.run(["dpkg", "-s", "rehearse-other"], capture_output=True, check=False).returncode, 0)


if __name__ == "__main__":
    harness.main()
