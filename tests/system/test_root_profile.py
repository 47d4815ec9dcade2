"""--profile=root: no user namespace and no shifted ids. The same outcome, named in the report; less contains it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import harness
from harness import Document, HostCase, Result

ROOT = "--profile=root"
# Kernel interfaces that the action's uid would be allowed to change. Opened, never written to.
TRY_TO_OPEN = """import os
looked = 0
for top, directories, names in os.walk('/proc'):
    if top == '/proc':
        directories[:] = [d for d in directories if not d.isdigit()]
    for name in names:
        path = os.path.join(top, name)
        if os.path.islink(path): continue
        looked += 1
        try: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError: continue
        print('OPEN', path)
print('looked at', looked)
"""
# sys_module, sys_rawio, sys_ptrace, sys_admin, sys_boot, sys_resource, sys_time, mknod, dac_read_search, audit_control, syslog, bpf
DROPPED = (16, 17, 19, 21, 22, 24, 25, 27, 2, 30, 34, 39)


class RootProfile(HostCase):
    def rehearse_shell(self, script: str, expect: int | None = 0, *options: str) -> Result:
        result = self.shell(script, ROOT, *options, expect=expect)
        self.assertEqual(result.doc["profile"], "root")
        return result

    def test_outcome_inside_host_unchanged(self) -> None:
        for name in ("kept", "edited", "removed", "moved", "given"):
            (self.host / name).write_text(name)
        before = {path.name: path.stat().st_ctime_ns for path in self.host.iterdir()}
        script = f"""set -e; cd {self.host}; echo new > made; echo more >> edited; rm removed; mv moved there
          chown 12:34 given; chmod 4711 given; ln edited link; setfattr -n user.k -v v made 2>/dev/null || true
          mkdir -p d/e; test "$(cat edited)" = "$(printf 'edited'; echo more)"; test ! -e removed; touch /etc/rehearse-root-profile; id -u >&2"""
        result = self.rehearse_shell(script)
        self.assertEqual(result.err, b"0\n")
        for name, kind in (("made", "created"), ("edited", "modified"), ("removed", "deleted"), ("given", "metadata"), ("d", "created"), ("d/e", "created")):
            self.change(result, self.host / name, kind)
        self.assertEqual(self.change(result, self.host / "there", "renamed")["from"], str(self.host / "moved"))
        given = self.change(result, self.host / "given", "metadata")["after"]
        self.assertEqual((given["uid"], given["gid"], int(given["mode"], 8)), (12, 34, 0o4711))
        self.change(result, "/etc/rehearse-root-profile", "created")
        self.assertEqual({path.name: path.stat().st_ctime_ns for path in self.host.iterdir()}, before)
        self.assertFalse(os.path.exists("/etc/rehearse-root-profile"))
        upper = Path(f"{self.state}/runs/{result.doc['id']}/uppers/0/upper{self.host}/given")
        self.assertEqual((upper.stat().st_uid, stat.S_IMODE(upper.stat().st_mode)), (12, 0o4711))
        self.assertEqual(stat.S_IMODE(self.state.stat().st_mode), 0o700)

    def test_the_report_says_so(self) -> None:
        result = self.rehearse_shell("true")
        gaps = {gap["what"]: gap for gap in result.doc["fidelity"]["gaps"]}
        self.assertIn("root profile: no user namespace", gaps)
        self.assertEqual(gaps["root profile: no user namespace"]["cap"], "yellow")
        shifted = self.shell("true")
        self.assertNotEqual(result.doc["digest"], shifted.doc["digest"])
        self.assertEqual((shifted.doc["profile"], result.doc["verdict"]["level"]), ("shifted", "yellow"))
        report = self.call("show", result.doc["id"], json_out=False).out.decode()
        self.assertIn("profile root", report)
        self.assertIn("at best YELLOW  root profile: no user namespace", report)

    def test_the_plan_says_so(self) -> None:
        plan: Document = self.call("run", "--plan", ROOT, "--", "true").doc
        self.assertEqual(plan["profile"], "root")
        self.assertNotIn("user", plan["namespaces"])
        self.assertFalse(any(mount["show"] == "own cgroup" for mount in plan["mounts"]))
        text = self.call("run", "--plan", ROOT, "--", "true", json_out=False).out.decode()
        self.assertRegex(text, r"/proc +proc +fresh proc: read-only but for processes")

    def test_kernel_interfaces_are_read_only(self) -> None:
        result = self.run_in(["python3", "-c", TRY_TO_OPEN], ROOT)
        self.assertEqual(result.doc["command"]["exit"], 0, result.err)
        lines = result.err.decode(errors="replace").splitlines()
        self.assertEqual([line for line in lines if line.startswith("OPEN")], [])
        self.assertGreater(int(lines[-1].split()[-1]), 500)
        # What belongs to the action's own processes can be set as ever.
        self.rehearse_shell("echo 500 > /proc/self/oom_score_adj && grep -qx 500 /proc/self/oom_score_adj && echo a > /proc/self/comm")
        self.rehearse_shell("! touch /sys/kernel/x && ! sh -c 'echo 1 > /sys/kernel/profiling'")

    def test_mounts_devices_modules(self) -> None:
        refused = [
            "mount -t tmpfs x /mnt", "mount --bind /etc /mnt", "mount -o remount,rw /proc/sys", "mount -t proc p /mnt", "mount -t sysfs s /mnt", f"umount {self.state}",
            "umount /proc/sys", "umount -l /proc", "unshare -m true", "unshare -U true", "unshare -n true", "nsenter -t 1 -m true",
            "mknod /root/disk b 254 0", "mknod /dev/disk b 254 0", "mknod /root/mem c 1 1", "dd if=/dev/vda of=/dev/null count=1", "dd if=/dev/mem of=/dev/null count=1",
            "insmod /etc/hostname", "rmmod loop", "modprobe dummy", "sysctl -w kernel.core_pattern=x", "dmesg", "date -s 2000-01-01", "hwclock -w", "swapoff -a", "reboot -f", "losetup -f /etc/hostname",
            "chattr +i /etc/hostname", "renice -n -5 $$", "chroot /proc/1/root true", "cat /proc/1/environ", "kill -9 1 && test ! -e /proc/1",
        ]
        script = "\n".join(f"({command}) >/dev/null 2>&1 && echo 'HAPPENED: {command}' >&2" for command in refused)
        result = self.rehearse_shell(script + "\ntrue")
        happened = result.err.decode().splitlines()
        # Ends with success where there is nothing to do.
        self.assertEqual([line for line in happened if line != "HAPPENED: swapoff -a"], [])
        self.assertLessEqual({path["path"] for path in result.doc["changes"]}, {"/var/log/wtmp", "/run/utmp"})  # by reboot(8) itself

    def status(self, *before: str) -> dict[str, str]:
        done = subprocess.run([*before, *self.command("run", ROOT, "--", "cat", "/proc/self/status")], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertIn(done.returncode, harness.RAN, done.stderr)
        return dict(line.split(":\t", 1) for line in done.stderr.decode().splitlines() if ":\t" in line)

    def test_capabilities(self) -> None:
        harness.need("capsh")
        plain = self.status()
        # What the caller passes on to what it executes is no way back to what was dropped.
        inherited = self.status("capsh", "--inh=cap_sys_admin,cap_sys_module", "--addamb=cap_sys_admin", "--", "-c", 'exec "$0" "$@"')
        for status in (plain, inherited):
            self.assertEqual((status["Seccomp"], status["Uid"].split()), ("2", ["0"] * 4))
            self.assertEqual((int(status["CapInh"], 16), int(status["CapAmb"], 16)), (0, 0))
            for field in ("CapPrm", "CapEff", "CapBnd"):
                for capability in DROPPED:
                    self.assertEqual(int(status[field], 16) >> capability & 1, 0, f"{field} {capability}")
            self.assertEqual(int(status["CapEff"], 16) & 1, 1)  # chown is kept

    def test_setuid_programs_gain_nothing_more(self) -> None:
        result = self.rehearse_shell(f"cp /bin/grep {self.host}/g && chmod 4755 {self.host}/g && su nobody -s /bin/sh -c '{self.host}/g Cap /proc/self/status' >&2", None)
        if b"CapEff" not in result.err:
            harness.skip(f"su does not run here: {result.err.decode(errors='replace')}")
        effective = int(dict(line.split(":\t") for line in result.err.decode().splitlines() if ":\t" in line)["CapEff"], 16)
        for capability in DROPPED:
            self.assertEqual(effective >> capability & 1, 0, capability)

    def test_a_root_that_may_not_be_mappable(self) -> None:
        """A root on tmpfs, which Linux before 6.3 cannot idmap: there the default refuses and names this profile."""
        script = r"""
          mkdir "$B/root"; mount -t tmpfs root "$B/root"; cd "$B/root"; mkdir -p etc usr proc sys dev tmp ."$B"; cp /etc/passwd /etc/group etc
          for d in bin sbin lib lib64; do ln -s usr/$d $d; done; mount --rbind /usr usr; mount --bind "$B" ."$B"
          mkdir -p ."$(dirname "$REHEARSE")"; cp "$REHEARSE" ./rehearse; for d in proc sys dev; do mount --rbind /$d $d; done
          pivot_root . .; umount -l .; cd /
          set +e; /rehearse --state "$B/state" --json run -- true > "$B/out"; echo "$?" > "$B/code"; set -e
          /rehearse --state "$B/state" --json run --profile=root -- sh -c 'echo x > /made; rm /etc/group; cat /etc/passwd > /dev/null' || case $? in 10 | 11 | 12) ;; *) exit 1 ;; esac
          test ! -e /made; test -e /etc/group"""
        done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse})
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        changes = {path["path"]: path["change"] for path in json.loads(done.stdout)["changes"]}
        self.assertEqual((changes.get("/made"), changes.get("/etc/group")), ("created", "deleted"))
        code = int((self.base / "code").read_text())
        if code not in harness.RAN:
            self.assertEqual(code, harness.UNAVAILABLE)
            self.assertIn("--profile=root", json.loads((self.base / "out").read_text())["fix"])


if __name__ == "__main__":
    harness.main()
