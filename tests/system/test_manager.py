"""The service manager of src/units, asked by the real systemctl, service and systemd-run.

Simulated: on any host with systemctl, units of a list. Compared: on a host that may be ruined and runs systemd, every
command is given to the mock first and then to the real manager, and the answers have to be the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import harness

SERVER = os.environ.get("MANAGER_SERVER", "")
# Each step of a test: a shell command, and what is expected of it: exit code, standard output, standard error.
Answer = tuple[int, str, str]

# Run in a mount namespace of its own: the mock in the place of the manager, edits of /etc on an overlay, no system bus.
PRELUDE = """
set -e
work=$1 server=$2 source=$3
mkdir "$work/etc"
mount -t tmpfs tmpfs "$work/etc"
mkdir "$work/etc/upper" "$work/etc/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work" overlay /etc
if [ "$source" = --units ]; then
  mount -t tmpfs tmpfs /run
  mkdir -p /run/systemd/system /run/systemd/journal
  cp "$work"/units/* /run/systemd/system/
  : > /run/systemd/private
elif [ -d /run/dbus ]; then
  mount -t tmpfs tmpfs /run/dbus
fi
"$server" "$work/socket" "$work/records" / "$source" "$4" 2> "$work/server.err" &
for _ in $(seq 250); do [ -S "$work/socket" ] && break; sleep 0.02; done
mount --bind "$work/socket" /run/systemd/private
set +e
"""


def steps(commands: list[str], place: Path) -> str:
    """A script that runs each command and keeps what it said."""
    return "\n".join(f"( {command} ) > {place}/{i}.out 2> {place}/{i}.err < /dev/null; echo $? > {place}/{i}.code" for i, command in enumerate(commands))


def answer(place: Path, number: int) -> Answer:
    return int((place / f"{number}.code").read_text()), (place / f"{number}.out").read_text(), (place / f"{number}.err").read_text()


def environment() -> dict[str, str]:
    return {"PATH": harness.PATH, "LC_ALL": "C", "HOME": "/root", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}


class ManagerCase(unittest.TestCase):
    def setUp(self) -> None:
        if not SERVER or os.geteuid() != 0:
            harness.skip("MANAGER_SERVER does not name the server, or this is not root")
        harness.need("systemctl", "unshare")
        directory = tempfile.TemporaryDirectory(prefix="rehearse-manager.")
        self.addCleanup(directory.cleanup)
        self.work = Path(directory.name)

    def steps(self, commands: list[str], directory: str) -> str:
        place = self.work / directory
        place.mkdir()
        return steps(commands, place)

    def answers(self, directory: str, count: int) -> list[Answer]:
        return [answer(self.work / directory, i) for i in range(count)]

    def mocked(self, commands: list[str], *source: str) -> list[Answer]:
        script = PRELUDE + self.steps(commands, "mocked") + "\nkill %1\n"
        done = subprocess.run(["unshare", "-m", "bash", "-c", script, "bash", str(self.work), SERVER, *source], capture_output=True, check=False,
                              stdin=subprocess.DEVNULL, env=environment(), timeout=120 * harness.SLOW)
        self.assertTrue((self.work / "mocked" / f"{len(commands) - 1}.code").exists(), done.stderr)
        return self.answers("mocked", len(commands))

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.work / "records").read_text(encoding="utf-8").splitlines()]

    def requests(self) -> list[tuple[str, str, str]]:
        return [(r["request"], r["unit"], r["answered"]) for r in self.records()]


UNITS = {
    "web.service": "[Unit]\nDescription=A web server\n[Service]\nExecStart=/bin/sleep 9\nExecReload=/bin/true\n[Install]\nWantedBy=multi-user.target\nAlias=www.service\n",
    "app.service": "[Unit]\nDescription=Part of the server\nPartOf=web.service\n[Service]\nExecStart=/bin/sleep 9\n",
    "job.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "once.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    "inst@.service": "[Unit]\nDescription=Instance %i of %n\n[Service]\nExecStart=/bin/true\n",
    "needs.service": "[Unit]\nRequires=absent.service\n[Service]\nExecStart=/bin/true\n",
    "chain.service": "[Unit]\nRequires=once.service\nConflicts=app.service\n[Service]\nExecStart=/bin/true\n",
    "new.timer": "[Timer]\nOnActiveSec=1h\n",
    "new.service": "[Service]\nExecStart=/bin/true\n",
    "new.socket": "[Socket]\nListenStream=/run/new.sock\n",
    "lacks.service": "[Service]\nType=oneshot\n",
    "careful.service": "[Unit]\nRequisite=job.service\n[Service]\nExecStart=/bin/true\n",
    "auto.service": "[Unit]\nRefuseManualStart=yes\n[Service]\nExecStart=/bin/true\n",
}
LOADED = ("web.service loaded active running A web server\ncron.service loaded inactive dead Regular jobs\nbroken.service loaded failed failed Broken\n"
          "multi-user.target loaded active active Multi-User System\nhost-only.socket loaded active listening A socket\n-.mount loaded active mounted Root\nsysinit.target loaded active active System\n"
          "system.slice loaded active active System\nsystem-inst.slice loaded active active Instances\n")


class Simulated(ManagerCase):
    """What each verb says and leaves, by the exit codes of systemctl(1)."""

    def run_steps(self, steps: list[tuple[str, Answer]]) -> None:
        units = self.work / "units"
        units.mkdir()
        for name, text in UNITS.items():
            (units / name).write_text(text, encoding="ascii")
        (self.work / "list").write_text(LOADED, encoding="ascii")
        got = self.mocked([command for command, _ in steps], "--units", str(self.work / "list"))
        for (command, expected), answer in zip(steps, got):
            with self.subTest(command=command):
                self.assertEqual(answer[0], expected[0], answer)
                self.assertRegex(answer[1], f"\\A(?:{expected[1]})\\Z")
                self.assertRegex(answer[2], f"\\A(?:{expected[2]})\\Z")

    def test_a_state_is_kept(self) -> None:
        self.run_steps([
            ("systemctl is-active web", (0, "active\n", "")),
            ("systemctl stop web", (0, "", "")),
            ("systemctl is-active web", (3, "inactive\n", "")),
            ("systemctl is-active web.service multi-user.target", (0, "inactive\nactive\n", "")),
            ("systemctl start web cron --no-block", (0, "", "")),
            ("systemctl is-active web cron", (0, "active\nactive\n", "")),
            ("systemctl restart web", (0, "", "")),
            ("systemctl try-restart web job", (0, "", "")),
            ("systemctl is-active job", (3, "inactive\n", "")),
            ("systemctl start job", (0, "", "")),
            ("systemctl is-active job", (3, "inactive\n", "")),
            ("systemctl start once", (0, "", "")),
            ("systemctl show once -p ActiveState,SubState --value", (0, "active\nexited\n", "")),
            ("systemctl start inst@one", (0, "", "")),
            ("systemctl show inst@one -p Description --value", (0, "Instance one of inst@one.service\n", "")),
            ("systemctl list-units 'inst@*' --plain --no-legend", (0, "inst@one.service loaded active running Instance one of inst@one.service\n", "")),
            ("systemctl stop 'inst@*'", (0, "", "")),
            ("systemctl list-units 'inst@*' --plain --no-legend", (0, "", "")),
            ("service web stop", (0, "", "")),
            ("systemctl is-active web", (3, "inactive\n", "")),
        ])
        self.assertIn(("stop", "web.service", "mocked"), self.requests())
        self.assertIn(("query", "web.service", "mocked"), self.requests())

    def test_new_timers_and_sockets_are_listed(self) -> None:
        self.run_steps([
            ("systemctl start new.timer", (0, "", "")),
            ("systemctl list-timers --all --no-legend", (0, r"\w.*left .*new\.timer +new\.service *\n", "")),
            ("systemctl status new.timer | sed -n 's/^ *Trigger: //p'", (0, r"\w.*left\n", "")),
            ("systemctl stop new.timer", (0, "", "")),
            ("systemctl list-timers --all --no-legend", (0, "", "")),
            ("systemd-run -q --on-active=30 --unit=later true", (0, "", "")),
            ("systemctl list-timers --all --no-legend", (0, r"\w.*left .*later\.timer +later\.service *\n", "")),
            ("systemctl start new.socket", (0, "", "")),
            ("systemctl list-sockets --no-legend", (0, r"/run/new\.sock +new\.socket +new\.service *\n", "")),
            ("systemctl status --no-pager new.socket | grep -c /run/new.sock", (0, r"1\n", "")),
        ])

    def test_errors(self) -> None:
        self.run_steps([
            ("systemctl start absent", (5, "", "Failed to start absent.service: Unit absent.service not found.\n")),
            ("systemctl restart absent", (5, "", "Failed to restart absent.service: Unit absent.service not found.\n")),
            ("systemctl stop absent", (5, "", "Failed to stop absent.service: Unit absent.service not loaded.\n")),
            ("systemctl reload cron", (3, "", "Failed to reload cron.service: Job type reload is not applicable for unit cron.service.\n.*\n?")),
            ("systemctl start needs", (5, "", "Failed to start needs.service: Unit absent.service not found.\n")),
            ("systemctl is-active needs", (3, "inactive\n", "")),
            ("systemctl start auto", (4, "", "Failed to start auto.service: Operation refused, unit auto.service may be requested by dependency only .*\n.*\n")),
            ("systemctl isolate web.service", (4, "", "Failed to start web.service: Operation refused, unit may not be isolated.\n.*\n")),
            ("systemctl kill absent", (1, "", "Failed to kill unit absent.service: Unit absent.service not loaded.\n")),
            ("systemctl status absent", (4, "", "Unit absent.service could not be found.\n")),
            ("systemctl is-active absent", (3, "inactive\n", "")),
            ("systemctl is-failed broken", (0, "failed\n", "")),
            ("systemctl is-system-running", (1, "degraded\n", "")),
            ("systemctl reset-failed broken", (0, "", "")),
            ("systemctl is-failed broken", (1, "inactive\n", "")),
            ("systemctl is-system-running", (0, "running\n", "")),
            ("systemctl reset-failed absent", (1, "", "Failed to reset failed state of unit absent.service: Unit absent.service not loaded.\n")),
            ("systemctl cat absent", (1, "", "No files found for absent.service.\n")),
            ("systemctl list-jobs", (0, "No jobs running.\n", "")),
            ("systemctl enable absent", (1, "", "Failed to enable unit: Unit file absent.service does not exist.\n")),
            ("systemctl is-enabled absent", (1, "", "Failed to get unit file state for absent.service: No such file or directory\n")),
        ])
        self.assertIn(("start", "absent.service", "refused"), self.requests())
        self.assertIn(("enable", "absent.service", "refused"), self.requests())

    def test_edits_are_carried_out(self) -> None:
        self.run_steps([
            ("systemctl is-enabled web", (1, "disabled\n", "")),
            ("systemctl enable web", (0, "", "(Created symlink /etc/systemd/system/\\S+ -> /run/systemd/system/web.service.\n){2}")),
            ("systemctl is-enabled web www", (0, "enabled\nalias\n", "")),
            ("systemctl is-active www", (0, "active\n", "")),
            ("systemctl stop www", (0, "", "")),
            ("systemctl is-active web", (3, "inactive\n", "")),
            ("test -L /etc/systemd/system/multi-user.target.wants/web.service", (0, "", "")),
            ("systemctl show web -p UnitFileState --value", (0, "enabled\n", "")),
            ("systemctl disable web", (0, "", "(Removed \"\\S+\".\n){2}")),
            ("systemctl is-enabled web", (1, "disabled\n", "")),
            ("systemctl enable app", (0, "", "The unit files have no installation config(.|\n)*")),
            ("systemctl mask --now cron", (0, "", "(Unit cron.service does not exist, proceeding anyway.\n)?Created symlink /etc/systemd/system/cron.service -> /dev/null.\n")),
            ("systemctl start cron", (1, "", "Failed to start cron.service: Unit cron.service is masked.\n")),
            ("systemctl try-restart cron", (0, "", "")),
            ("systemctl show cron -p LoadState --value", (0, "masked\n", "")),
            ("systemctl unmask cron", (0, "", "Removed \"/etc/systemd/system/cron.service\".\n")),
            ("systemctl add-wants multi-user.target job", (0, "", "Created symlink .*\n")),
            ("systemctl list-unit-files 'job*' --no-legend", (0, "job.service +enabled +enabled\n", "")),
            ("systemctl set-default rescue.target", (0, "", "(Removed .*\n)?Created symlink /etc/systemd/system/default.target -> .*\n")),
            ("systemctl get-default", (0, "rescue.target\n", "")),
            ("systemctl enable --now once", (0, "", "The unit files have no installation config(.|\n)*")),
            ("systemctl is-active once", (0, "active\n", "")),
        ])
        self.assertIn(("mask", "cron.service", "carried-out"), self.requests())
        self.assertFalse(Path("/etc/systemd/system/multi-user.target.wants/web.service").exists())

    def test_units_depend_on_each_other(self) -> None:
        self.run_steps([
            ("systemctl start app", (0, "", "")),
            ("systemctl restart web", (0, "", "")),
            ("systemctl stop web", (0, "", "")),
            ("systemctl is-active app", (3, "inactive\n", "")),
            ("systemctl start app", (0, "", "")),
            ("systemctl start chain --show-transaction", (0, "", "Enqueued anchor job \\d+ chain.service/start.\nEnqueued auxiliary job \\d+ once.service/start.\n"
                                                                 "Enqueued auxiliary job \\d+ app.service/stop.\n")),
            ("systemctl is-active chain once app", (0, "active\nactive\ninactive\n", "")),
            ("systemctl stop once", (0, "", "")),
            ("systemctl is-active chain", (3, "inactive\n", "")),
        ])
        also = [(r["request"], r["unit"], r["also"]) for r in self.records()]
        self.assertIn(("restart", "web.service", ["restart app.service"]), also)
        self.assertIn(("stop", "web.service", ["stop app.service"]), also)
        self.assertIn(("stop", "once.service", ["stop chain.service"]), also)

    def test_units_that_an_action_brings(self) -> None:
        unit = "/etc/systemd/system/brought.service"
        self.run_steps([
            ("systemctl start brought", (5, "", "Failed to start brought.service: Unit brought.service not found.\n")),
            (f"printf '[Unit]\\nDescription=Brought\\n[Service]\\nExecStart=/bin/true\\n' > {unit}", (0, "", "")),
            ("systemctl daemon-reload", (0, "", "")),
            ("systemctl start brought", (0, "", "")),
            ("systemctl status -n0 brought", (0, "\\* brought.service - Brought\n +Loaded: loaded \\(/etc/systemd/system/brought.service; static\\)\n +Active: active \\(running\\) since .*\n", "")),
            (f"sleep 0.05; printf '[Service]\\nExecReload=/bin/true\\n' >> {unit}; systemctl restart brought",
             (0, "", "Warning: The unit file, source configuration file or drop-ins of brought.service changed on disk. Run 'systemctl daemon-reload' to reload units.\n")),
            ("systemctl reload brought", (3, "", "Failed to reload brought.service: Job type reload is not applicable .*\n.*\n?|.*")),
            ("systemctl daemon-reload && systemctl reload brought", (0, "", "")),
            (f"rm {unit}; systemctl daemon-reload; systemctl show brought -p LoadState,ActiveState --value", (0, "not-found\nactive\n", "")),
            ("systemctl stop brought; systemctl start brought", (5, "", "Failed to start brought.service: Unit brought.service not found.\n")),
        ])

    def test_files_that_do_not_load_and_links(self) -> None:
        self.run_steps([
            ("systemctl start lacks", (1, "", "Failed to start lacks.service: Unit lacks.service has a bad unit file setting.\nSee .*\n")),
            ("systemctl show lacks -p LoadState", (0, "LoadState=bad-setting\n", "")),
            ("systemctl start careful", (1, "", "A dependency job for careful.service failed. See 'journalctl -xe' for details.\n")),
            ("systemctl add-wants once.service app.service", (0, "", "Created symlink .*\n")),
            ("systemctl stop app; systemctl start once; systemctl is-active app", (0, "active\n", "")),
            ("systemctl mask cron; systemctl status cron | sed -n 2p", (0, r" +Loaded: masked \(Reason: Unit cron.service is masked.\)\n", "Created symlink .*\n")),
        ])
        self.assertIn(["start app.service"], [r["also"] for r in self.records()])

    def test_transient_units_end_and_can_be_read(self) -> None:
        self.run_steps([
            ("systemd-run -q --scope --unit=short true", (0, "", "")),
            ("systemctl is-active short.scope", (3, "inactive\n", "")),
            ("systemd-run -q --scope --unit=short systemctl is-active short.scope", (0, "active\n", "")),
            ("systemd-run -q --unit=again true", (0, "", "")),
            ("while systemctl is-active -q again; do sleep 0.2; done; systemd-run -q --unit=again true", (0, "", "")),
            ("systemctl status again | head -2", (0, ".*again.service - .*/true\n +Loaded: loaded \\(/run/systemd/transient/again.service; transient\\)\n", "")),
            ("systemctl show again -p ExecStart", (0, "ExecStart={ path=.*/true ; argv\\[\\]=.*/true ; .*\n", "")),
            ("systemd-run -q --unit=sliced --slice=own.slice -p RemainAfterExit=yes true; systemctl is-active own.slice; systemctl show sliced -p SubState,Slice", (0, "active\nSlice=own.slice\nSubState=exited\n", "")),
        ])

    def test_what_is_set_of_the_manager_stays(self) -> None:
        self.run_steps([
            ("systemctl set-environment FOO=bar 'B=a b'; systemctl unset-environment FOO", (0, "", "")),
            ("systemctl show-environment", (0, r"B=\$'a b'\n", "")),
            ("systemctl log-level debug", (0, "", "")),
            ("systemctl log-level", (0, "debug\n", "")),
            ("systemctl service-watchdogs no", (0, "", "")),
            ("systemctl service-watchdogs", (0, "no\n", "")),
        ])

    def test_an_init_script_has_a_unit(self) -> None:
        script = "#!/bin/sh\\n### BEGIN INIT INFO\\n# Provides: oldstyle\\n# Short-Description: Old style\\n### END INIT INFO\\n"
        self.run_steps([
            (f"printf '{script}' > /etc/init.d/oldstyle; chmod 755 /etc/init.d/oldstyle", (0, "", "")),
            ("systemctl start oldstyle", (5, "", "Failed to start oldstyle.service: Unit oldstyle.service not found.\n")),
            ("systemctl daemon-reload", (0, "", "")),
            ("systemctl start oldstyle", (0, "", "")),
            ("systemctl show oldstyle -p Description,ActiveState,SourcePath,UnitFileState",
             (0, "Description=LSB: Old style\nActiveState=active\nSourcePath=/etc/init.d/oldstyle\nUnitFileState=generated\n", "")),
            ("systemctl status oldstyle | sed -n 2p", (0, r" +Loaded: loaded \(/etc/init.d/oldstyle; generated\)\n", "")),
            ("rm /etc/init.d/oldstyle; systemctl show oldstyle -p NeedDaemonReload", (0, "NeedDaemonReload=yes\n", "")),
            ("systemctl stop oldstyle", (0, "", "")),
            ("systemctl daemon-reload; systemctl start oldstyle", (5, "", "Failed to start oldstyle.service: Unit oldstyle.service not found.\n")),
        ])

    def test_the_manager_itself(self) -> None:
        self.run_steps([
            ("systemctl daemon-reload", (0, "", "")),
            ("systemctl daemon-reexec", (0, "", "")),
            ("systemctl show -p Version --value", (0, "252.1\n", "")),
            ("systemctl kill -s HUP web", (0, "", "")),
            ("systemctl is-active web", (0, "active\n", "")),
            ("systemctl kill web", (0, "", "")),
            ("systemctl is-active web", (3, "inactive\n", "")),
            ("systemctl set-property web CPUQuota=20%", (0, "", "")),
            ("systemctl show web -p CPUQuotaPerSecUSec --value", (0, "200ms\n", "")),
            ("systemctl list-units --plain --no-legend --type=socket", (0, "host-only.socket loaded active listening A socket\n", "")),
            ("systemctl --failed --plain --no-legend", (0, "broken.service loaded failed failed Broken\n", "")),
            ("systemd-run --unit=brief --description=Brief -- /bin/echo 'a b'", (0, "", "Running as unit: brief.service\n")),
            ("systemctl is-active brief", (0, "active\n", "")),
            ("systemd-run --unit=brief true", (1, "", "Failed to start transient service unit: Unit brief.service was already loaded or has a fragment file.\n")),
            ("systemd-run --scope --unit=within sh -c 'echo within'", (0, "within\n", "Running scope as unit: within.scope\n")),
            ("systemd-run --on-active=1h --unit=later true", (0, "", "Running timer as unit: later.timer\nWill run service as unit: later.service\n")),
            ("systemctl is-active later.timer", (0, "active\n", "")),
            ("systemctl reload-or-restart --marked", (0, "", "")),
            ("systemctl reboot", (0, "", ".*\n?")),
            ("systemctl is-system-running", (1, "stopping\n", "")),
            ("reboot", (0, "", ".*\n?")),
            ("systemctl poweroff --force", (0, "", "")),
        ])
        records = self.records()
        self.assertIn(("start", "reboot.target", "replace-irreversibly"), [(r["request"], r["unit"], r["mode"]) for r in records])
        self.assertIn("/bin/echo 'a b'", [r["detail"] for r in records])
        self.assertIn("poweroff", [r["request"] for r in records])
        self.assertIn("EnqueueMarkedJobs", [r["request"] for r in records])


TRIAL = {
    "rt-web.service": "[Unit]\nDescription=Trial server\nDocumentation=man:true(1)\n[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/true\n[Install]\nWantedBy=multi-user.target\nAlias=rt-www.service\n",
    "rt-app.service": "[Unit]\nPartOf=rt-web.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    "rt-idle.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "rt-job.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "rt-once.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    "rt-bad.service": "[Service]\nExecStart=/bin/false\n",
    "rt-inst@.service": "[Unit]\nDescription=Instance %i\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
    "rt-needs.service": "[Unit]\nRequires=rt-absent.service\n[Service]\nExecStart=/bin/true\n",
    "rt-chain.service": "[Unit]\nRequires=rt-once.service\nConflicts=rt-app.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    "rt-auto.service": "[Unit]\nRefuseManualStart=yes\n[Service]\nExecStart=/bin/true\n",
    "rt-sock.socket": "[Socket]\nListenStream=/run/rt-sock\n",
    "rt-sock.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "rt-tick.timer": "[Timer]\nOnActiveSec=1h\nUnit=rt-job.service\n[Install]\nWantedBy=timers.target\n",
    "rt-new.service": "[Unit]\nDescription=New\n[Service]\nSlice=rt.slice\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
    "rt-next.timer": "[Timer]\nOnActiveSec=1h\nUnit=rt-job.service\n",
    "rt-lacks.service": "[Service]\nType=oneshot\n",
    "rt-careful.service": "[Unit]\nRequisite=rt-auto.service\n[Service]\nExecStart=/bin/true\n",
    "rt-said.service": "[Service]\nExecStart=/bin/echo 'a b' c\nUser=daemon\nRestart=on-failure\nMemoryMax=1.5G\nTimeoutStopSec=1min 5s\nEnvironment=\"A=1 2\" B=3\nUMask=077\nNice=3\nLimitNOFILE=10:20\nKillSignal=SIGINT\nCPUQuota=20%\n",
    "rt-group.target": "[Unit]\nWants=rt-idle.service rt-absent.service\n",
}
# The state before: what is running, what has failed.
BEFORE = "systemctl daemon-reload; systemctl start rt-web rt-app rt-sock.socket rt-sock.service rt-tick.timer; systemctl start rt-bad; sleep 0.3; systemctl enable rt-tick.timer"
COMMANDS = [
    "systemctl is-active rt-web rt-app rt-idle rt-bad rt-absent rt-sock.socket rt-tick.timer",
    "systemctl is-failed rt-bad", "systemctl is-failed rt-web", "systemctl is-system-running",
    "systemctl is-enabled rt-web rt-tick.timer rt-app rt-inst@x", "systemctl is-enabled rt-absent",
    "systemctl status -n0 rt-absent", "systemctl status -n0 rt-idle", "systemctl status -n0 rt-web", "systemctl status -n0 rt-bad",
    "systemctl show rt-web -p Id,Names,LoadState,ActiveState,SubState,FragmentPath,UnitFileState,UnitFilePreset,CanStart,CanStop,CanReload,PartOf,ConsistsOf,Documentation,Type,NeedDaemonReload,Result",
    "systemctl show rt-absent -p Id,LoadState,ActiveState,SubState,Description,FragmentPath", "systemctl show rt-idle -p Id,Names,LoadState,ActiveState,SubState,FragmentPath,Description,CanStart,CanReload,Transient,NeedDaemonReload,Type,Result,MainPID",
    "systemctl show -p Version,SystemState,NFailedUnits,Architecture,ConfirmSpawn",
    "systemctl list-units --plain --no-legend 'rt-*'", "systemctl list-units --all --plain --no-legend 'rt-*'", "systemctl list-units --state=failed --plain --no-legend", "systemctl list-units nosuch*", "systemctl status -n0 rt-new rt-new@one",
    "systemctl list-unit-files 'rt-*'", "systemctl list-unit-files --state=enabled --no-legend 'rt-*'", "systemctl cat rt-web", "systemctl cat rt-absent", "systemctl get-default",
    "systemctl list-dependencies --plain rt-chain", "systemctl list-jobs", "systemctl show-environment | grep ^PATH",
    "systemctl start rt-absent", "systemctl stop rt-absent", "systemctl restart rt-absent", "systemctl reload rt-absent", "systemctl try-restart rt-absent",
    "systemctl reload-or-restart rt-absent", "systemctl kill rt-absent", "systemctl reset-failed rt-absent", "systemctl isolate rt-absent",
    "systemctl reload rt-app", "systemctl reload rt-idle", "systemctl start rt-needs", "systemctl start rt-auto", "systemctl isolate rt-group.target", "systemctl stop -- -.slice",
    "systemctl start 'bad name'", "systemctl start rt-inst@", "systemctl start rt-web.nosuchtype", "systemctl restart rt-web --job-mode=nonsense",
    "systemctl start --show-transaction rt-group.target", "systemctl is-active rt-group.target rt-idle", "systemctl stop rt-idle rt-group.target",
    "systemctl start rt-job", "systemctl is-active rt-job", "systemctl start rt-once", "systemctl is-active rt-once", "systemctl restart rt-once", "systemctl show rt-once -p ActiveState,SubState",
    "systemctl restart rt-web", "systemctl is-active rt-web rt-app", "systemctl stop rt-web", "systemctl is-active rt-web rt-app", "systemctl reload rt-web", "systemctl try-restart rt-web", "systemctl is-active rt-web",
    "systemctl reload-or-restart rt-web", "systemctl is-active rt-web", "systemctl try-reload-or-restart rt-web", "systemctl start rt-app", "systemctl start --show-transaction rt-chain",
    "systemctl is-active rt-chain rt-once rt-app", "systemctl stop rt-once", "systemctl is-active rt-chain",
    "systemctl stop rt-sock.service", "systemctl is-active rt-sock.service rt-sock.socket", "systemctl stop rt-sock.socket", "systemctl show rt-sock.socket -p ActiveState,SubState,Result", "systemctl start rt-sock.socket", "systemctl show rt-sock.socket -p ActiveState,SubState",
    "systemctl start rt-inst@one rt-inst@two", "systemctl list-units --plain --no-legend 'rt-inst@*'", "systemctl stop 'rt-inst@*'", "systemctl list-units --plain --no-legend 'rt-inst@*'", "systemctl status -n0 rt-inst@one",
    "systemctl reset-failed rt-bad", "systemctl is-failed rt-bad", "systemctl is-system-running",
    "systemctl enable rt-web", "systemctl is-enabled rt-web rt-www", "systemctl show rt-web -p UnitFileState", "systemctl is-active rt-www", "systemctl stop rt-www", "systemctl start rt-www", "systemctl enable rt-web", "systemctl disable rt-web",
    "systemctl enable rt-inst@x", "systemctl is-enabled rt-inst@x", "systemctl disable rt-inst@x", "systemctl enable rt-inst@", "systemctl disable rt-tick.timer", "systemctl reenable rt-tick.timer", "systemctl preset rt-web", "systemctl disable rt-web",
    "systemctl enable rt-app", "systemctl enable rt-absent", "systemctl disable rt-absent", "systemctl enable rt-web.nosuchtype", "systemctl enable --runtime rt-web", "systemctl is-enabled rt-web", "systemctl disable --runtime rt-web",
    "systemctl add-wants multi-user.target rt-job", "systemctl add-requires multi-user.target rt-absent", "systemctl revert rt-web", "systemctl link /nowhere/x.service", "systemctl set-default rt-absent.target",
    "systemctl mask --runtime rt-idle", "systemctl start rt-idle", "systemctl try-restart rt-idle", "systemctl enable rt-idle", "systemctl is-enabled rt-idle", "systemctl status -n0 rt-idle", "systemctl unmask --runtime rt-idle",
    "systemctl mask --now rt-app", "systemctl unmask rt-app", "systemctl start rt-idle", "systemctl kill -s WINCH rt-idle", "systemctl is-active rt-idle", "systemctl kill --kill-whom=main rt-sock.socket", "systemctl kill --kill-whom=main rt-absent",
    "systemctl kill rt-idle; sleep 0.3", "systemctl is-active rt-idle", "systemctl start rt-idle; systemctl kill -s KILL rt-idle; sleep 0.3", "systemctl is-failed rt-idle", "systemctl show rt-idle -p Result,ActiveState,SubState", "systemctl start rt-idle",
    "systemctl set-property --runtime rt-idle CPUWeight=50", "systemctl show rt-idle -p CPUWeight", "systemctl set-property rt-absent CPUWeight=50", "systemctl stop rt-idle", "systemctl daemon-reload", "systemctl daemon-reexec",
    "systemd-run --unit=rt-brief sleep infinity", "systemctl is-active rt-brief", "systemctl show rt-brief -p Transient,LoadState,Description", "systemd-run --unit=rt-brief true", "systemd-run --unit=rt-web true", "systemctl stop rt-brief", "systemctl is-active rt-brief",
    "systemctl show rt-brief -p LoadState", "systemd-run --on-active=1h --unit=rt-later true", "systemctl is-active rt-later.timer", "systemctl stop rt-later.timer", "systemd-run --scope --unit=rt-within sh -c 'echo $INVOCATION_ID | wc -c'",
    "service rt-web restart", "service rt-web status > /dev/null", "service rt-absent restart", "deb-systemd-invoke restart rt-web.service", "deb-systemd-invoke start rt-absent.service", "deb-systemd-helper enable rt-web.service; deb-systemd-helper is-enabled rt-web.service",
    "systemctl is-enabled rt-web", "deb-systemd-helper disable rt-web.service", "invoke-rc.d cron restart", "systemctl is-active cron", "systemctl log-level", "systemctl service-watchdogs", "systemctl whoami 1 | wc -l", "systemctl cancel",
    "systemctl try-restart --no-block rt-web", "systemctl is-active rt-web", "systemctl stop rt-web --no-block; sleep 0.2", "systemctl is-active rt-web", "systemctl edit rt-absent", "systemctl help rt-absent", "systemctl list-timers --all rt-tick.timer --no-legend | wc -l", "systemctl list-sockets --no-legend rt-sock.socket",
    "systemctl start rt-next.timer", "systemctl list-timers --all rt-next.timer --no-legend | grep -c 'rt-next.timer *rt-job.service'", "systemctl show rt-next.timer -p Unit,Triggers,AccuracyUSec,Persistent,SubState", "systemctl stop rt-next.timer",
    "systemctl start rt-lacks", "systemctl show rt-lacks -p LoadState,LoadError", "systemctl start rt-careful", "systemctl is-active rt-careful",
    "systemctl show rt-said -p User,Group,Restart,MemoryMax,MemoryHigh,TimeoutStopUSec,TimeoutStartUSec,Environment,UMask,Nice,LimitNOFILE,LimitNOFILESoft,LimitCORE,KillSignal,KillMode,CPUQuotaPerSecUSec,ExecStart,TasksMax,OOMPolicy,StandardOutput,CapabilityBoundingSet",
    "systemctl set-environment RT=1; systemctl show-environment | grep ^RT; systemctl unset-environment RT; systemctl show-environment | grep ^RT", "systemctl log-level debug; systemctl log-level; systemctl log-level info",
]
# Times, and what a service uses and runs: nothing was started by the mock.
VOLATILE = re.compile(r"^ *(Active: .*|Process: .*|Main PID: .*|Tasks: .*|Memory: .*|CPU: .*|CGroup: .*|Duration: .*|[├└│`|].*|MainPID=.*)$")


def stable(text: str) -> str:
    lines = [line for line in text.splitlines() if not VOLATILE.match(line)]
    states = [re.sub(r" since .*", "", line) for line in text.splitlines() if line.lstrip().startswith("Active: ")]
    # Job ids, and the order in which jobs are told.
    return "\n".join(sorted(re.sub(r"job \d+", "job N", line) for line in lines) + states)


def comparable(said: Answer) -> Answer:
    return said[0], stable(said[1]), stable(said[2])


def remove_trial_units() -> None:
    subprocess.run("systemctl stop 'rt-*'; rm -rf /etc/systemd/system/rt-* /etc/systemd/system/*.wants/rt-* /etc/systemd/system.control/rt-* /etc/systemd/system/multi-user.target.requires;"
                   "systemctl daemon-reload; systemctl reset-failed", shell=True, capture_output=True, check=False)


class Compared(ManagerCase):
    def setUp(self) -> None:
        super().setUp()
        if not os.environ.get("REHEARSE_DISPOSABLE_HOST") or not os.path.isdir("/run/systemd/system"):
            harness.skip("changes the units of a host that runs systemd")
        for name, text in TRIAL.items():
            Path("/etc/systemd/system", name).write_text(text, encoding="ascii")
        self.addCleanup(remove_trial_units)
        subprocess.run(["bash", "-c", BEFORE], capture_output=True, check=False)

    def test_every_answer_is_the_real_managers(self) -> None:
        before = subprocess.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "rt-*", "cron*"], capture_output=True, check=True).stdout
        mocked = self.mocked(COMMANDS, "--host", "/run/systemd/private")
        after = subprocess.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "rt-*", "cron*"], capture_output=True, check=True).stdout
        self.assertEqual(before, after, "the mock has changed the host's units")
        subprocess.run(["bash", "-c", self.steps(COMMANDS, "real")], check=True, stdin=subprocess.DEVNULL, env=environment(), timeout=300 * harness.SLOW)
        for command, mock, real in zip(COMMANDS, mocked, self.answers("real", len(COMMANDS))):
            with self.subTest(command=command):
                self.assertEqual(comparable(mock), comparable(real))


if __name__ == "__main__":
    harness.main()
