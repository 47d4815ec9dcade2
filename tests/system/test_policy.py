"""The verdict comes from a policy: the built-in rules on real actions, policies of this host's own, exceptions, and looking again."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness
from harness import GREEN, RED, YELLOW, Result

HEAD = 'schema = "rehearse.policy/1"\n'
MAKE_PACKAGE = """
mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin /tmp/p/etc/cron.d /tmp/p/lib/systemd/system
printf 'Package: corpus\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: A <a@example.com>\\nDescription: x\\n' > /tmp/p/DEBIAN/control
printf '0 3 * * * root /bin/true\\n' > /tmp/p/etc/cron.d/corpus
printf '[Service]\\nExecStart=/bin/true\\n' > /tmp/p/lib/systemd/system/corpus.service
cp /bin/true /tmp/p/usr/bin/corpus; chmod 4755 /tmp/p/usr/bin/corpus
dpkg-deb -b /tmp/p /tmp/p.deb > /dev/null && dpkg -i /tmp/p.deb > /dev/null && rm -r /tmp/p /tmp/p.deb
"""


class PolicyCase(harness.HostCase):
    def rules(self, result: Result) -> list[str]:
        return [finding["rule"] for finding in result.doc["verdict"]["findings"]]

    def judged(self, script: str, code: int, *rules: str, options: tuple[str, ...] = ("--policy", "builtin"), not_rules: tuple[str, ...] = ()) -> Result:
        result = self.run_in(["sh", "-c", script], "--cwd", "/", *options)
        found = json.dumps([[f["rule"], f["level"], f["evidence"][:3]] for f in result.doc["verdict"]["findings"]])
        self.assertEqual(result.code, code, found)
        for rule in rules:
            self.assertIn(rule, self.rules(result), found)
        for rule in not_rules:
            self.assertNotIn(rule, self.rules(result), found)
        return result

    def policy(self, text: str, name: str = "policy.toml") -> str:
        path = self.base / name
        path.write_text(HEAD + text)
        path.chmod(0o644)
        return str(path)


class BuiltIn(PolicyCase):
    def test_nothing_done_is_green(self) -> None:
        self.judged("cat /etc/hostname > /dev/null; ls / > /dev/null", GREEN, "safe.no-effects")
        self.judged("echo x > /tmp/new-file", GREEN, "safe.scratch")
        self.judged("exit 3", YELLOW, "core.command-failed")
        self.judged("echo x > /opt/new-file", YELLOW, "policy.nothing-green")
        self.judged("echo x > /dev/shm/new-file", YELLOW, "core.fidelity")

    def test_what_would_run_later(self) -> None:
        for script, rule in (
            ("echo '* * * * * root id' > /etc/cron.d/job", "latent.cron"),
            ("mkdir -p /root/.ssh; echo key >> /root/.ssh/authorized_keys", "latent.authorized-keys"),
            ("echo /tmp/x.so > /etc/ld.so.preload", "latent.ld-preload"),
            ("mkdir -p /etc/sudoers.d; echo 'x ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/x", "latent.sudoers"),
            ("echo '[Service]' > /etc/systemd/system/x.service", "latent.unit"),
            ("echo x >> /root/.bashrc", "latent.shell-rc"),
            ("ln -s /tmp/x /etc/profile.d/x.sh", "latent.shell-rc"),
            ("cp /bin/true /usr/bin/x; mv /usr/bin/x /usr/bin/passwd", "latent.program-replaced"),
        ):
            with self.subTest(script):
                self.judged(script, RED, rule)

    def test_more_rights_than_before(self) -> None:
        self.judged("cp /bin/sh /tmp/s; chmod u+s /tmp/s", RED, "priv.setuid-new")
        self.judged("useradd -m ann", YELLOW, "id.user-added", not_rules=("priv.setuid-new", "id.second-root"))
        self.judged("echo 'toor:x:0:0::/:/bin/sh' >> /etc/passwd", RED, "id.second-root")
        self.judged("chmod 644 /etc/shadow", RED, "priv.secret-exposed")
        added = self.judged("useradd ann; usermod -aG sudo ann 2>/dev/null || { groupadd docker; usermod -aG docker ann; }", RED, "id.administrators")
        self.assertIn({"what": "user-added", "name": "ann"}, [{k: a[k] for k in ("what", "name")} for a in added.doc["accounts"]])

    def test_looking_is_fine_by_programs_that_are_there_for_it(self) -> None:
        harness.need("ss", "ps", "python3")
        self.judged("ss -tlnp > /dev/null; ps aux > /dev/null", GREEN, "safe.no-effects")
        self.judged("ss -tK dst 192.0.2.1 > /dev/null; exit 0", YELLOW, "priv.connections-ended")
        self.judged("ss --kill dst 192.0.2.1 > /dev/null; exit 0", YELLOW, "priv.connections-ended")
        self.judged("python3 -Ic 'import socket; socket.socket(16, 3, 4)' 2> /dev/null; exit 0", YELLOW, "priv.look-by-other")
        self.judged("head -c 1 /proc/1/mem; exit 0", YELLOW, "priv.attempt")
        self.judged("head -c 1 /dev/mem; exit 0", RED, "priv.memory-read")
        self.judged("lscpu > /dev/null; sysctl -a > /dev/null 2>&1; ps -ef > /dev/null", GREEN, "safe.no-effects")
        self.judged("dmesg > /dev/null 2>&1; exit 0", GREEN, "safe.no-effects")
        self.judged("dmesg -C > /dev/null 2>&1; exit 0", RED, "priv.kernel-attempt")
        self.judged("head -c 1 /proc/1/environ; exit 0", YELLOW, "priv.look-by-other")
        table = next((str(path) for path in Path("/sys/firmware").rglob("*") if path.is_file() and path.stat().st_mode & 0o777 == 0o400), None)
        if table is not None:
            self.judged(f"head -c 1 {table}; exit 0", YELLOW, "priv.look-by-other", not_rules=("priv.attempt", "priv.kernel-attempt"))

    def test_what_shows_the_run_and_not_this_host(self) -> None:
        """Nothing fails where the run has a network, a mount table, a /dev of its own: what an action makes of them is its own, too."""
        shared = Path(f"/dev/shm/rh-listed-{os.getpid()}")
        shared.write_text("")
        self.addCleanup(shared.unlink)
        for script, gap in (
            ("ip route | grep -q default || touch /tmp/wrong", "network configuration of this host: "), ("hostname -I | grep -q . || touch /tmp/wrong", "network configuration of this host: interfaces (hostname)"),
            ("/usr/bin/python3 -c 'import socket; socket.socket().setsockopt(1, 25, b\"eth9\")' 2>&1 || true", "network configuration of this host: interfaces (python3."), ("grep -q eth0 /proc/net/dev || touch /tmp/wrong", "network configuration of this host: /proc/net/dev (grep)"), ("cat /proc/sys/net/ipv4/ip_forward", "network configuration of this host: /proc/sys/net/ipv4/ip_forward (cat)"),
            ("ls /sys/class/net | grep -q eth0 || touch /tmp/wrong", "listed, and other things lie there on this host: /sys/class/net (ls)"), ("ls /proc/sys/net/ipv4/conf", "listed, and other things lie there on this host: /proc/sys/net/ipv4/conf (ls)"),
            ("grep -q :07E8 /proc/net/tcp || touch /tmp/wrong", "sockets of this host: /proc/net/tcp (grep)"), ("findmnt -no FSTYPE / | grep -q ext4 || touch /tmp/wrong", "mount table of this host: /proc/self/mountinfo (findmnt)"),
            ("mount | grep -q ext4 || touch /tmp/wrong", "mount table of this host: "), ("grep -q cgroup /proc/mounts || touch /tmp/wrong", "mount table of this host: /proc/self/mounts (grep)"),
            ("stat -f -c %T /", "kinds of this host's filesystems: stat -f (stat)"), ("ls /sys/fs/cgroup", "listed, and other things lie there on this host: /sys/fs/cgroup (ls)"), ("ls /proc /dev /dev/shm", "listed, and other things lie there on this host: /dev (ls), /dev/shm (ls), /proc (ls)"),
            ("test -w /sys/kernel/mm/transparent_hugepage/enabled", "asked for leave to write, which root of this host has: /sys/kernel/mm/transparent_hugepage/enabled ("),
        ):
            with self.subTest(script):
                harness.need(script.split()[0])
                if "/sys/class/net" in script and os.listdir("/sys/class/net") == ["lo"]:
                    harness.skip("this host has no interface but loopback")
                result = self.judged(f"{script}; exit 0", YELLOW, "core.fidelity")
                self.assertTrue([row for row in result.doc["fidelity"]["gaps"] if row["what"].startswith(gap) and row["cap"] == "yellow"], result.doc["fidelity"]["gaps"])
        for script in ("getent hosts localhost; df /; ls /dev/pts /proc/sys; dpkg -l dpkg; python3 -c 'import os; os.statvfs(\"/\")'; find /etc -maxdepth 1", "cat /proc/self/status /proc/meminfo /proc/cpuinfo"):
            with self.subTest(script):
                self.judged(f"({script}) >/dev/null; exit 0", GREEN, "safe.no-effects")
        harness.need("ip")
        for options, shown in (((), True), (("--network-mirror",), False)):
            gaps = self.run_in(["sh", "-c", "ip link; cat /proc/net/route"], *options).doc["fidelity"]["gaps"]
            self.assertEqual(any(row["what"].startswith("network configuration of this host") for row in gaps), shown, gaps)

    def test_a_listing_that_another_program_reads(self) -> None:
        """Whoever reads a listing may decide by it; a person who sees it does not."""
        harness.need("ss")
        for script, gap in (("ps aux | grep -q '[r]h-nobody' || touch /tmp/y", "listed, and other things lie there on this host: /proc (ps, read by grep)"), ("x=$(ps -ef); true", "/proc (ps, read by "), ("ps aux | sort -k3 | tail -n +2 | while read -r l; do :; done", "/proc (ps, read by "),
                            ("bash -c 'mapfile -t a < <(ps aux)'", "/proc (ps, read by bash)"), ("ps aux > /tmp/list; grep -q rh-nobody /tmp/list || rm /tmp/list", "/proc (ps, read by grep)"),
                            ("python3 -c 'import subprocess; subprocess.check_output([\"ps\", \"aux\"])'", "/proc (ps, read by python3"), ("ss -ltn | grep -q 34567 || touch /tmp/y", "sockets of this host: /proc/net/tcp (ss, read by grep)"),
                            ("df -T / | grep -q ext4 || touch /tmp/y", "kinds of this host's filesystems: asked for by its words (df, read by grep)"), ("t=$(df --output=fstype / | tail -1)", "kinds of this host's filesystems: asked for by its words (df, read by "),
                            ("d=$(df --output=source / | tail -1)", "mount table of this host: devices (df, read by ")):
            with self.subTest(script):
                self.assertIn(gap, "\n".join(self.gaps(script, "yellow")))
        for script in ("ps aux | head -3", "ps aux | sort -k3 | tail -5 | cat", "ps aux > /tmp/list; tar -cf /tmp/list.tar /tmp/list 2>/dev/null; rm /tmp/list*", "HOME=/nonexistent top -b -n1 | head -5", "[ $(ps -o comm= -p $$) = sh ]; true", "ss -tln | cat", "df -h | awk '{print $5}'",
                       "[ $(df --output=avail / | tail -1) -gt 0 ]", "df -hT", "ps aux | tee /tmp/list | head -1; rm /tmp/list", "ps aux > /tmp/list; rm /tmp/list; echo x > /tmp/other; grep -q x /tmp/other; rm /tmp/other", "python3 -c 'import socket; socket.getaddrinfo(\"localhost\", 1)' | sh"):
            with self.subTest(script):
                self.gaps(script, "green")

    def test_tools_for_one_kind_of_filesystems(self) -> None:
        """They ask what a file lies on, and a layer says overlay: that they refuse it says nothing of the host."""
        harness.need("e4defrag")
        self.host.joinpath("extents").write_text("x" * 8192)
        result = self.run_in(["e4defrag", str(self.host / "extents")])
        self.assertIn("kinds of this host's filesystems: statfs (e4defrag)", [row["what"] for row in result.doc["fidelity"]["gaps"] if row["cap"] == "yellow"])
        self.assertNotIn("would most likely fail", json.dumps(result.doc["verdict"]))

    def test_a_shell_that_lists_what_is_the_runs_own(self) -> None:
        """A pattern that matches nothing leaves no name behind, and one that does not match all is not told."""
        with tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="rh-listed-"):
            for script, at in (("shopt -s nullglob; for f in /dev/shm/rh-listed-*; do rm \"$f\"; done", "/dev/shm"), ("for d in /dev/vd[a-z]; do case $d in *'['*) ;; *) touch /tmp/y;; esac; done", "/dev"),
                               ("for i in /sys/class/net/*; do :; done", "/sys/class/net"), ("for f in /proc/[0-9]*/comm; do grep -qx sleep $f && touch /tmp/y; done; true", "/proc")):
                with self.subTest(script):
                    if at == "/sys/class/net" and os.listdir(at) == ["lo"]:
                        harness.skip("this host has no interface but loopback")
                    self.assertIn(f"listed, and other things lie there on this host: {at} (bash)", self.gaps(f"exec bash -c {shlex.quote(script)}", "yellow"), script)
            self.gaps("for f in /etc/*.conf /tmp/* /usr/bin/a*; do :; done; [ -e /dev/null ]; echo x > /dev/null; [ -d /proc/self ]", "green")

    def test_whether_something_runs(self) -> None:
        """What runs on the host is not found inside, and a script that asks does something else then."""
        harness.need("fuser", "pgrep", "pidof")
        hidden = subprocess.Popen(["sleep", "600"])
        try:
            for script in ("pgrep -x sleep > /dev/null && touch /tmp/y; true", "pidof sleep && touch /tmp/y; true", "pidof -x sleep || echo start > /tmp/y", f"ps -p {hidden.pid}; true", f"ps -fp{hidden.pid}; true",
                           f"ps --pid={hidden.pid} -o comm=; true", "ps -C sleep -o pid=; true", "ps -p 1 -o comm=", "fuser -s /etc/hostname; true"):
                self.assertRegex("\n".join(self.gaps(script, "yellow")), "processes of this host looked for: by name or number", script)
        finally:
            hidden.kill()
            hidden.wait()
        self.gaps("ps aux > /dev/null; ps -ef > /dev/null; ps -eo pid,comm > /dev/null; ps -o comm= -p $$ > /dev/null", "green")

    def test_what_is_the_kernels_and_the_runs_own(self) -> None:
        self.assertIn("process 1 of this host: /proc/1/comm (cat)", self.gaps("cat /proc/1/comm", "yellow"))
        self.assertIn("locks of files on this host: /proc/locks (cat)", self.gaps("cat /proc/locks", "yellow"))
        self.assertIn("control group and limits of this host's processes: /proc/self/cgroup (cat)", self.gaps("cat /proc/self/cgroup", "yellow"))
        self.assertIn("capabilities of this host's root: /proc/self/status (grep)", self.gaps("grep CapEff /proc/self/status", "yellow"))
        self.assertIn("settings of this host's kernel: /proc/sys/user/max_user_namespaces (cat)", self.gaps("cat /proc/sys/user/max_user_namespaces", "yellow"))
        for script in ("stat -c %d /", "tar -cf /tmp/a.tar --listed-incremental=/tmp/list /etc/hostname"):
            self.assertRegex("\n".join(self.gaps(script, "yellow")), "device numbers of this host: ", script)
        self.assertIn("what the kernel gives by other numbers and rights", self.gaps("stat /etc/hostname > /dev/null; tar -cf /tmp/a.tar /etc/hostname", "green"))
        harness.need("capsh")
        self.assertIn("capabilities of this host's root: capabilities (capsh)", self.gaps("capsh --has-p=cap_sys_module; true", "yellow"))

    def test_settings_of_namespaces_are_the_hosts(self) -> None:
        pid_max = Path("/proc/sys/kernel/pid_max").read_text().strip()
        script = f'[ "$(cat /proc/sys/kernel/msgmax)/$(cat /proc/sys/fs/mqueue/msg_max)/$(cat /proc/sys/kernel/pid_max)" = 12345/17/{pid_max} ]'
        done = harness.PrivateMounts.run("""unshare -i sh -c 'echo 12345 > /proc/sys/kernel/msgmax; echo 17 > /proc/sys/fs/mqueue/msg_max; exec "$REHEARSE" --state "$B/state" --json run -- sh -c "$S"'""",
                                         {"B": str(self.base), "REHEARSE": self.rehearse, "S": script})
        self.assertEqual(done.returncode, GREEN, done.stdout + done.stderr)

    def test_settings_of_the_network_that_say_what_programs_may_do(self) -> None:
        harness.need("ping", "setpriv")
        script = "[ $(cat /proc/sys/net/core/somaxconn)/$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start) = 777/81 ] && ping -n -c 1 127.0.0.1 && setpriv --reuid 4000 --regid 4000 --clear-groups /usr/bin/python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)'"
        host = """unshare -n sh -c 'cd /proc/sys/net; echo 777 > core/somaxconn; echo 81 > ipv4/ip_unprivileged_port_start; echo "$R" > ipv4/ping_group_range; cd /; exec "$REHEARSE" --state "$B/state" --json run -- sh -c "$S"'"""
        for groups, code in (("0 2147483647", GREEN), ("0 0", YELLOW)):
            with self.subTest(groups):
                done = harness.PrivateMounts.run(host, {"B": str(self.base), "REHEARSE": self.rehearse, "S": script, "R": groups})
                self.assertEqual(done.returncode, code, done.stdout + done.stderr)
                doc = json.loads(done.stdout)
                self.assertEqual((doc["command"]["exit"] == 0, [a for a in doc["network"] if a["proto"] != "unix"]), (code == GREEN, []))

    def test_settings_of_git_that_start_nothing(self) -> None:
        harness.need("git")
        made = "cd /tmp && git init -q gg && cd gg && git remote add up /srv/x.git && git config user.name A"
        self.judged(made, GREEN, "safe.scratch", not_rules=("latent.git-hook",))
        self.judged(f"git init -q --bare /tmp/src && git clone -q /tmp/src /tmp/gg 2> /dev/null", GREEN, "safe.scratch")
        for more in ("git config core.hooksPath /tmp/h", "git config core.fsmonitor /tmp/h", "git config alias.x '!id'", "git remote add b 'ext::sh -c id'", "git config include.path /tmp/x", "cp /bin/true .git/hooks/post-commit",
                     "mv .git/config x; cp x .git/config; git config credential.helper /tmp/h"):
            self.judged(f"{made} && {more}", YELLOW, "latent.git-hook")

    def test_attributes_that_only_the_hosts_root_sees(self) -> None:
        harness.need("setfattr", "getfattr", "tar")
        marked, plain = self.host / "marked", self.host / "plain"
        marked.write_text("x")
        plain.write_text("x")
        subprocess.run(["setfattr", "-n", "trusted.foo", "-v", "bar", str(marked)], check=True)
        gap = f"attributes of the kind trusted.* were not shown: {marked}"
        for script in (f"cp -a {marked} /tmp/copy", f"getfattr -d -m - {marked} > /dev/null", f"tar --xattrs -cf /tmp/t.tar {self.host} 2> /dev/null", f"ln -s {marked} /tmp/link; getfattr -n trusted.foo /tmp/link 2> /dev/null; true"):
            self.assertIn(gap, self.gaps(script, "yellow"), script)
        self.gaps(f"cp -a {plain} /tmp/copy; getfattr -d -m - {plain} /tmp/copy; ls -l {marked} > /dev/null; cat {marked} > /dev/null", "green")

    def test_control_groups_of_the_first_kind(self) -> None:
        """A script acts on what it is told there; runtimes look for their limits, and do without."""
        if not os.path.exists("/sys/fs/cgroup/cpu/cpu.shares"):
            harness.skip("no control groups of the first kind")
        for script, at in (("mkdir /sys/fs/cgroup/cpu/rh-new && touch /tmp/y; true", "cpu/rh-new"), ("touch /sys/fs/cgroup/cpu/rh-new; true", "cpu/rh-new"), ("python3 -Ic 'import os; os.mkdir(\"/sys/fs/cgroup/cpu/rh-new\")'; true", "cpu/rh-new"),
                           ("cat /sys/fs/cgroup/cpu/cpu.shares; true", "cpu/cpu.shares"), ("[ -f /sys/fs/cgroup/cpu/cpu.stat ]; true", "cpu/cpu.stat"), ("[ -d /sys/fs/cgroup/cpu ]; true", "cpu")):
            self.assertIn(f"looked for in vain, and this host has it: /sys/fs/cgroup/{at}", self.gaps(f"{{ {script}; }} 2> /dev/null", "yellow"), script)
        self.assertFalse([gap for gap in self.gaps("echo 1 2> /dev/null > /proc/sys/vm/rh-none; true", None) if "in vain" in gap])

    def test_links_into_the_kernel_are_not_changed_by_anybody(self) -> None:
        if not os.path.islink("/etc/mtab"):
            harness.skip("/etc/mtab is no link")
        result = self.judged("stat -L /etc/mtab", GREEN, "safe.no-effects")
        self.assertEqual(result.doc["reads"]["moved"], [])

    def test_credentials_of_services_are_shown_empty(self) -> None:
        """Every host that runs systemd has some: that alone is no reason to ask a person; to look into them is."""
        for script, code, gap in (
            ("cat /etc/hostname", GREEN, ""),
            ("ls /run/credentials", GREEN, ""),
            ("ls /run/credentials/rh.service", YELLOW, "opened though shown empty: /run/credentials/rh.service"),
            ("echo x > /run/credentials/rh.service/new; true", YELLOW, ""),
            ("cat /run/credentials/rh.service/token; exit 0", YELLOW, "looked for in vain, and this host has it: /run/credentials/rh.service/token"),
        ):
            with self.subTest(script):
                done = harness.PrivateMounts.run(
                    'mount -t tmpfs -o mode=755 run /run; mkdir -p /run/credentials/rh.service; mount -t ramfs -o mode=0500 ramfs /run/credentials/rh.service; '
                    'echo geheim > /run/credentials/rh.service/token; exec "$REHEARSE" --state "$B/state" --json run --policy builtin -- sh -c "$S"',
                    {"B": str(self.base), "REHEARSE": self.rehearse, "S": script})
                self.assertEqual(done.returncode, code, done.stdout + done.stderr)
                doc = json.loads(done.stdout)
                gaps = {g["what"]: g["cap"] for g in doc["fidelity"]["gaps"]}
                self.assertEqual(gaps["credentials of services shown empty"], "green")
                if gap:
                    self.assertEqual(gaps.get(gap), "yellow", gaps)
                self.assertNotIn(b"geheim", done.stdout)

    def test_programs_that_end_processes_which_are_not_shown(self) -> None:
        harness.need("pkill", "killall", "fuser", "start-stop-daemon")
        self.judged("pkill -x rh-nobody; true", YELLOW, "priv.processes-ended-by-name" if os.path.realpath(str(shutil.which("pkill"))).endswith("pgrep") else "priv.processes-ended")
        self.judged("killall -q rh-nobody; true", YELLOW, "priv.processes-ended")
        self.judged("fuser -k /etc/passwd; true", YELLOW, "priv.processes-ended-fuser")
        self.judged("start-stop-daemon --stop --exec /bin/rh-nobody --oknodo > /dev/null", YELLOW, "priv.daemon-stopped")

    def test_what_is_not_shown_and_looked_for(self) -> None:
        """The branch that was taken inside is not the one that the host would have taken."""
        hidden = subprocess.Popen(["sleep", "600"])
        try:
            pid = hidden.pid
            for script in (f"kill -0 {pid} && kill {pid}; true", f"[ -d /proc/{pid} ] && kill {pid}; true", f"cat /proc/{pid}/cmdline 2> /dev/null; true"):
                self.assertIn(f"processes looked for in vain, and this host has them: {pid} (sleep)", self.gaps(script, "yellow"), script)
        finally:
            hidden.kill()
            hidden.wait()
        device = next((name for name in ("vda", "sda", "loop0", "tty1") if os.path.exists(f"/dev/{name}")), None)
        if device is not None:
            for script in (f"[ -e /dev/{device} ] && touch /etc/rh; true", f"chmod 666 /dev/{device}; true", f"for d in /dev/{device[:-1]}?; do [ -e $d ] && touch /etc/rh; done; true",
                           f"ln -s /dev /tmp/rh-dev; stat -L /tmp/rh-dev/{device} 2> /dev/null; rm /tmp/rh-dev"):
                self.assertRegex("\n".join(self.gaps(script, "yellow")), f"looked for in vain, and this host has it: /dev/{device[:-1]}", script)
        interface = next((name for name in os.listdir("/sys/class/net") if name != "lo"), None)
        if interface is not None:
            script = f"echo 0 2> /dev/null > /sys/class/net/{interface}/carrier; true"
            self.assertIn(f"looked for in vain, and this host has it: /sys/class/net/{interface}/carrier", self.gaps(script, "yellow"))
        # What is there on neither, what the run had itself, and what every program asks for.
        script = "true & wait; kill -0 $!; [ -b /dev/rh-none ]; ls /proc/4194304 /sys/class/net/rh-none; [ -e /dev/pts/0 ]; ps aux > /dev/null; lsblk; df; ls /sys/fs/selinux; true"
        self.assertFalse([gap for gap in self.gaps(f"{{ {script}; }} 2> /dev/null", "green") if "in vain" in gap])

    def test_ipc_objects_that_are_not_shown(self) -> None:
        harness.need("ipcmk", "ipcrm", "ipcs")
        made = subprocess.run(["ipcmk", "-Q"], check=True, capture_output=True, text=True).stdout.split()[-1]
        try:
            for script in ("ipcrm -a", "ipcs -q > /dev/null", f"ipcrm -q {made} 2> /dev/null; true"):
                self.assertRegex("\n".join(self.gaps(script, "yellow")), "IPC objects: asked about, and this host has", script)
            self.assertFalse([gap for gap in self.gaps("ipcmk -Q > /dev/null", None) if "IPC" in gap])
        finally:
            subprocess.run(["ipcrm", "-q", made], check=True)

    def test_listings_say_so_only_where_the_host_has_more(self) -> None:
        for directory in (Path("/dev/mqueue"), Path("/dev/shm")):
            there = directory.is_dir() and any(directory.iterdir())
            listed = [gap for gap in self.gaps(f"ls {directory}", "yellow" if there else "green") if gap.startswith("listed, ")]
            self.assertEqual(listed, [f"listed, and other things lie there on this host: {directory} (ls)"] * there)

    def test_ipc_objects_that_are_left(self) -> None:
        harness.need("ipcmk", "ipcrm", "python3")
        for script, gap in (("ipcmk -M 1000", "shared memory 0 (key 0x"), ("ipcmk -Q", "message queue 0 (key 0x"), ("ipcmk -S 1", "semaphores 0 (key 0x")):
            with self.subTest(script):
                found = [row for row in self.gaps(f"{script} > /dev/null", "yellow") if row.startswith("made and not removed: ")]
                self.assertEqual(len(found), 1)
                self.assertIn(gap, found[0])
        for kind, option in (("-M 1000", "-m"), ("-Q", "-q"), ("-S 1", "-s")):
            self.gaps(f"made=$(ipcmk {kind}); ipcrm {option} ${{made##* }}", "green")
        call = "import ctypes; c = ctypes.CDLL(None, use_errno=True); "
        self.gaps(f"python3 -c '{call}i = c.shmget(0, 4096, 0o1600); assert i >= 0; c.shmctl(i, 0, None)'", "green")
        self.assertIn("made and not removed: shared memory 0", self.gaps(f"python3 -c '{call}i = c.shmget(0, 4096, 0o1600)'", "yellow"))
        # Under a key that the host has: another object is met there, whatever becomes of this one.
        key = os.getpid() | 0x5AB00000
        made = ctypes.CDLL(None).shmget(key, 4096, 0o1600)
        self.addCleanup(subprocess.run, ["ipcrm", "-m", str(made)], check=True)
        gaps = self.gaps(f"python3 -c '{call}i = c.shmget({key}, 4096, 0o1600); c.shmctl(i, 0, None)'", "yellow")
        self.assertIn("IPC objects: asked about, and this host has 1 that is not shown", gaps)

    def test_shared_memory_and_queues_that_are_removed_again(self) -> None:
        harness.need("python3")
        queue = "import ctypes; c = ctypes.CDLL(None); assert c.mq_open(b\"/zzq\", 0o102, 0o600, None) >= 0"
        self.assertIn("written where no layer is: /dev/mqueue/zzq", self.gaps(f"python3 -c '{queue}'", "yellow"))
        self.gaps(f"python3 -c '{queue}; c.mq_unlink(b\"/zzq\")'", "green")
        self.gaps(f"python3 -c '{queue}'; rm /dev/mqueue/zzq", "green")
        self.gaps("python3 -c 'import multiprocessing as m; m.Lock()'", "green")
        self.gaps("python3 -c 'from multiprocessing.shared_memory import SharedMemory as S; s = S(create=True, size=9); s.close(); s.unlink()'", "green")
        self.gaps("mkdir /dev/shm/d; echo x > /dev/shm/d/x; mv /dev/shm/d/x /dev/shm/y; rm -r /dev/shm/d /dev/shm/y", "green")
        for script, gap in (("echo x > /dev/shm/x; mv /dev/shm/x /dev/shm/y", "/dev/shm/y"), ("echo x > /dev/shm/x; rm /dev/shm/x; mkfifo /dev/shm/x", "/dev/shm/x"),
                            ("echo x > /dev/shm/x; ln /dev/shm/x /dev/shm/y; rm /dev/shm/x", "/dev/shm/y"), ("chmod 700 /dev/shm", "/dev/shm"),
                            ("chown 5 /dev/pts", "/dev/pts"), ("chmod 700 /dev/pts", "/dev/pts"), ("rm /dev/fd", "/dev/fd")):
            with self.subTest(script):
                self.assertIn(f"written where no layer is: {gap}", self.gaps(script, "yellow"))
        # The host's would have been met, and removed.
        shared = Path(f"/dev/shm/rh-shared-{os.getpid()}")
        shared.write_text("")
        self.addCleanup(shared.unlink)
        self.assertIn(f"made and removed again, and this host has it: {shared}", self.gaps(f"echo x > {shared}; rm {shared}", "yellow"))

    def gaps(self, script: str, level: str | None) -> list[str]:
        result = self.run_in(["sh", "-c", script])
        if level is not None:
            self.assertEqual(result.doc["verdict"]["level"], level, (script, result.doc["verdict"], result.doc["fidelity"]))
        return [gap["what"] for gap in result.doc["fidelity"]["gaps"]]

    def test_what_reaches_the_host_without_a_file(self) -> None:
        harness.need("ip", "renice", "ipcrm", "nsenter", "lsns")
        pipe = self.host / "pipe"
        os.mkfifo(pipe)
        for script in (f"exec 3<>{pipe}; echo SHUTDOWN >&3", f"timeout 1 sh -c 'echo x > {pipe}'; exit 0", "ip link set lo down",
                       "ip addr add 10.9.9.9/8 dev lo", "rm -f /dev/null", "ipcrm -m 5; exit 0", f"renice -n 5 -p {os.getpid()}; exit 0",
                       f"echo 0 > /proc/{os.getpid()}/oom_score_adj; exit 0", "nsenter -t 1 -a true; exit 0"):
            with self.subTest(script):
                self.judged(script, YELLOW, "priv.attempt")
        self.judged("rm -f /dev/rh-disk; exit 0", RED, "priv.kernel-attempt")
        self.judged("tc qdisc add dev absent root netem loss 100%; exit 0", YELLOW, "priv.traffic-shaped")
        self.judged("ln -sf /tmp/x /dev/log; mkdir /dev/shm/x", YELLOW, "core.fidelity")
        self.judged("ip addr > /dev/null; ip route get 127.0.0.1 > /dev/null", YELLOW, "safe.no-effects", "core.fidelity", not_rules=("priv.attempt",))
        self.judged("lsns > /dev/null; mkfifo /tmp/own; exec 3<>/tmp/own; rm /tmp/own", GREEN, "safe.no-effects")

    def test_changes_to_the_process_in_whose_place_init_is(self) -> None:
        harness.need("renice", "ionice", "taskset", "chrt", "prlimit")
        for change, look in (("renice -n 10 -p $PPID", "ps -o ni= -p $PPID"), ("renice -n 10 -g 1 2> /dev/null; true", "true"), ("ionice -c3 -p $PPID", "ionice -p $PPID"),
                             ("taskset -p 1 $PPID", "taskset -p $PPID"), ("chrt -b -p 0 1", "chrt -p 1"), ("prlimit --pid 1 --nofile=100:100", "prlimit --pid 1 --nofile")):
            with self.subTest(change):
                result = self.judged(f"exec > /dev/null; {change}", YELLOW, "priv.attempt")
                self.assertEqual({attempt["what"] for attempt in result.doc["attempts"]}, {"host process"}, result.doc["attempts"])
                self.assertEqual([a for a in self.run_in(["sh", "-c", f"{look} > /dev/null"]).doc["attempts"] if a["what"] == "host process"], [])
        self.judged("renice -n 10 -p $$ > /dev/null; prlimit --pid $$ --nofile=100:100; taskset -p 1 $$ > /dev/null", GREEN, "safe.no-effects")

    def test_tracing_its_own_processes_is_nobody_elses_matter(self) -> None:
        harness.need("strace", "python3")
        own = self.judged("strace -f -o /dev/null sh -c 'true; ls / > /dev/null'; sleep 1 & strace -o /dev/null -p $! & wait", GREEN, "safe.no-effects")
        self.assertEqual(own.doc["attempts"], [])
        # Each word that a tracer reads is a call; whom it is after is said once.
        script = "import ctypes; c = ctypes.CDLL(None)\nfor i in range(1, 9): c.syscall(101, 16, 1, i * 4096, i); c.syscall(310, 1, i * 4096, 1, i * 4096, 1, 0)"
        tried = [(a["what"], a["detail"], a["count"]) for a in self.run_in(["python3", "-c", script]).doc["attempts"]]
        self.assertEqual(tried, [("ptrace", "ptrace(PTRACE_ATTACH, 1)", 8), ("ptrace", "process_vm_readv(1)", 8)])

    def test_a_rename_that_leaves_a_mark_is_refused_by_layers_alone(self) -> None:
        harness.need("python3")
        call = "import ctypes; open('/tmp/rh-a', 'w'); ctypes.CDLL(None).syscall(316, -100, b'/tmp/rh-a', -100, b'/tmp/rh-b', {})"
        result = self.judged(f'python3 -c "{call.format(4)}"', YELLOW, "priv.attempt")
        self.assertIn("1 attempt refused: file", [gap["what"] for gap in result.doc["fidelity"]["gaps"]])
        self.judged(f'python3 -c "{call.format(6)}"; python3 -c "{call.format(1)}"', GREEN, "safe.scratch")

    def test_limits_that_a_host_would_raise(self) -> None:
        hard, most = resource.getrlimit(resource.RLIMIT_NOFILE)[1], int(Path("/proc/sys/fs/nr_open").read_text())
        bounding = next(int(line.split()[1], 16) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd"))
        # Where this host refuses it as well there is nothing that was not seen.
        granted = hard < most and bounding >> 24 & 1 != 0
        gaps = self.gaps(f"ulimit -n {most} && rm -rf /tmp/x; true", "yellow" if granted else "green")
        self.assertEqual([gap for gap in gaps if "raised" in gap], ["limits that were not raised: RLIMIT_NOFILE (dash)"] * granted)
        self.assertIn("limit of core dumps, which was not raised: dash", self.gaps("ulimit -c unlimited; ulimit -c", "yellow"))
        self.gaps(f"ulimit -n {hard}; ulimit -n {most + 1}; ulimit -c 0; ulimit -S -s 4096; true", "green")

    def test_what_is_gone(self) -> None:
        self.judged("rm -rf /usr/share/doc", RED, "destroy.mass-delete")
        self.judged(": > /etc/passwd", RED, "destroy.essential-emptied")
        self.judged("touch -d @0 /etc/passwd", YELLOW, "log.backdated")
        if not list(Path("/var/log").glob("*.log")) or not os.path.exists("/var/log/dpkg.log"):
            harness.skip("no log of this host below /var/log to remove")
        self.judged("for f in $(seq 250); do echo $f > /var/log/$f.log; done; rm /var/log/*.log; : > /var/log/wtmp; exit 0", RED, "log.deleted")
        self.judged("logrotate --version; : > /var/log/wtmp; rm -f /var/log/dpkg.log; exit 0", RED, "log.deleted-beside")
        self.judged("true; logrotate --version; rm -f /var/log/dpkg.log; exit 0", RED, "log.deleted")

    def test_a_directory_of_packages_that_is_renamed(self) -> None:
        for name in ("/usr/lib/systemd", "/usr/share/perl5", "/usr/lib/git-core"):
            if not os.path.isdir(name):
                continue
            result = self.judged(f"mv {name} /var/tmp/away", RED, "destroy.packaged-directory", not_rules=("latent.pam",))
            self.assertTrue(result.changes[b"/var/tmp/away"]["package"])
        self.judged("mkdir /usr/local/own; mv /usr/local/own /usr/local/other", YELLOW, not_rules=("destroy.packaged-directory",))

    def test_what_every_program_needs_is_where_it_was(self) -> None:
        for script in ("mv /lib64 /lib6", "mv /bin /bin2", "mv /usr/bin/bash /usr/bin/bash2", "mv /etc/passwd /etc/p", "mv /etc/shadow /root/s"):
            with self.subTest(script):
                self.judged(script, RED, "destroy.essential")
        for script, rule in (
            ("rm -rf /boot /srv /opt", "destroy.top-level"),
            ("rm -rf /home", "destroy.top-level"),
            ("chmod 777 /", "priv.world-writable"),
            ("chmod 777 /var", "priv.world-writable"),
            ("chmod 700 /", "priv.essential-closed"),
            ("chmod 000 /etc/passwd", "priv.essential-closed"),
            ("chown nobody /", "priv.owner-of-system-file"),
        ):
            with self.subTest(script):
                self.judged(script, RED, rule)
        harness.need("setfacl")
        self.judged("setfacl -m u:nobody:rw /etc/shadow", RED, "priv.secret-acl")

    def test_scratch_is_no_store(self) -> None:
        self.judged("fallocate -l 300M /var/tmp/big", YELLOW, "policy.nothing-green")
        self.judged("fallocate -l 100M /var/tmp/big", GREEN, "safe.scratch")

    def test_one_cron_job_among_thousands_heads_the_report(self) -> None:
        script = "rm -rf /usr/share/doc /usr/share/man /usr/share/locale; echo '* * * * * root id' > /etc/cron.d/job"
        result = self.judged(script, RED, "latent.cron", "destroy.mass-delete")
        self.assertGreater(result.doc["counts"]["deleted"], 200)
        self.assertTrue(self.rules(result)[0].startswith("latent."), self.rules(result))
        report = self.call("show", "last", json_out=False).out.decode()
        first = report[report.index("\nRED  latent."):]
        self.assertIn("/etc/cron.d/job", first[:first.index("\n\n")])
        self.assertRegex(report, r"and [0-9]+ more")

    def test_a_package_is_a_persons_to_look_at(self) -> None:
        harness.need("dpkg-deb")
        result = self.judged(MAKE_PACKAGE, YELLOW, "pkg.changed", "latent.cron-package", "latent.unit-package", "priv.setuid-package",
                             not_rules=("latent.cron", "latent.unit"))
        self.assertEqual([(p["what"], p["name"], p["after"]) for p in result.doc["packages"]], [("installed", "corpus", "1.0")])
        # The same by hand after it, in a file that the package does not own.
        self.judged(MAKE_PACKAGE + "echo x > /etc/cron.d/other", RED, "latent.cron")

    def test_secret_then_network(self) -> None:
        harness.need("bash")
        self.judged("cat /etc/shadow > /dev/null", YELLOW, "secret.read")
        if os.path.exists("/etc/ssh/ssh_host_rsa_key"):  # masked: what it would have done with the key is not known
            masked = self.judged("cat /etc/ssh/ssh_host_rsa_key; exit 0", YELLOW, "secret.read", "core.fidelity")
            self.assertIn("read though masked: /etc/ssh/ssh_host_rsa_key", [gap["what"] for gap in masked.doc["fidelity"]["gaps"]])
        self.judged("cat /etc/shadow > /dev/null; getent hosts example.com; exit 0", RED, "secret.passwords-then-connect")
        self.judged("bash -c 'exec 3<>/dev/tcp/203.0.113.7/4444'; exit 0", RED, "net.shell-connects")
        mock = self.base / "mock.toml"
        mock.write_text('[[mock]]\nlisten = "tcp:203.0.113.7:4444"\nreply = "x"\n')
        self.judged("bash -c 'exec 3<>/dev/tcp/203.0.113.7/4444'; exit 0", YELLOW, "net.outside", options=("--policy", "builtin", "--mock", str(mock)), not_rules=("net.shell-connects",))

    def test_secret_after_network(self) -> None:
        """What was opened when nobody any more could send it, and by programs that only log somebody in."""
        harness.need("su", "getent", "python3", "ping")
        reach = "python3 -c \"import socket; s = socket.socket(); s.connect_ex(('203.0.113.7', 80))\""
        self.judged(f"{reach}; cat /etc/shadow > /dev/null; exit 0", YELLOW, "secret.read", "net.outside", not_rules=("secret.passwords-then-connect",))
        self.judged(f"su nobody -s /bin/sh -c id > /dev/null; {reach}; exit 0", YELLOW, "secret.read", "net.outside", not_rules=("secret.passwords-then-connect",))
        self.judged("su nobody -s /bin/sh -c id > /dev/null; ping -c1 127.0.0.1 > /dev/null; exit 0", YELLOW, "secret.read", not_rules=("secret.passwords-then-connect", "net.outside"))
        both = "import socket; s = socket.socket(); s.connect_ex(('203.0.113.7', 80)); open('/etc/shadow').read()"
        self.judged(f'python3 -c "{both}"; exit 0', RED, "secret.passwords-then-connect")
        # The reader of a pipeline has connected before its writer opens anything.
        waits = "import socket, sys; s = socket.socket(); s.connect_ex(('203.0.113.7', 80)); sys.stdin.read()"
        self.judged(f'{{ sleep 1; cat /etc/shadow; }} | python3 -c "{waits}"; exit 0', RED, "secret.passwords-then-connect")
        opened = self.judged("cat /etc/shadow > /dev/null", YELLOW, "secret.read").doc["reads"]["secret_opens"]
        self.assertEqual([(o["path"], o["exe"], o["process"]) for o in opened], [("/etc/shadow", "/usr/bin/cat", 2)])

    def test_a_name_is_told_once(self) -> None:
        result = self.judged("getent ahosts example.com; exit 0", YELLOW, "net.outside")
        finding = next(f for f in result.doc["verdict"]["findings"] if f["rule"] == "net.outside")
        texts = [e["text"] for e in finding["evidence"]]
        self.assertEqual(len(texts), len(set(texts)), texts)

    def test_the_host_would_be_down(self) -> None:
        harness.need("python3", "mknod")
        self.judged("python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x1234567)'; exit 0", RED, "priv.host-down")
        self.judged("kill -9 -1", RED, "priv.host-down")
        self.judged("python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0)'; exit 0", YELLOW, "priv.attempt", not_rules=("priv.host-down",))  # of ctrl-alt-del
        # What the letter was is not known: nothing can be written there.
        for script in ("echo b > /proc/sysrq-trigger", "cd /proc; echo c > sysrq-trigger", "echo o | tee /proc/sysrq-trigger", "ln -s /proc/sysrq-trigger /tmp/s; echo b > /tmp/s"):
            self.judged(f"{script}; exit 0", RED, "priv.host-down")
        self.assertNotIn("priv.host-down", self.rules(self.run_in(["sh", "-c", "cat /proc/sysrq-trigger; exit 0"], "--policy", "builtin")))
        for place, rule in (("/sys/power/state", "priv.host-down"), ("/sys/devices/system/cpu/cpu1/online", "priv.hardware-taken")):
            if os.path.exists(place):
                self.judged(f"echo 0 > {place}; exit 0", RED, rule)
                self.judged(f"cat {place}", GREEN, "safe.no-effects")
        self.judged("echo x > /dev/initctl; exit 0", YELLOW, "priv.attempt", not_rules=("priv.kernel-attempt",))
        self.judged("mknod /tmp/c c 1 3; exit 0", YELLOW, "priv.attempt", not_rules=("priv.kernel-attempt",))
        self.judged("mknod /tmp/c c 1 1; exit 0", RED, "priv.kernel-attempt")

    def test_what_an_attempt_was_at_is_said(self) -> None:
        harness.need("ip")
        result = self.judged("echo -500 > /proc/self/oom_score_adj; ip link set lo mtu 9000; hostname newname", YELLOW, "priv.attempt")
        attempts = {attempt["what"]: attempt["detail"] for attempt in result.doc["attempts"]}
        self.assertRegex(attempts["process"], r"to /proc/[0-9]+/oom_score_adj$")
        self.assertTrue(attempts["network configuration"].endswith("run as: ip link set lo mtu 9000"), attempts)
        gaps = [gap["what"] for gap in result.doc["fidelity"]["gaps"]]
        self.assertRegex("\n".join(gaps), r"changes in the run's own kernel objects: hostname, network configuration")

    def test_what_the_sandbox_refused_is_not_said_of_the_host(self) -> None:
        def why(script: str, *options: str) -> str:
            result = self.run_in(["sh", "-c", script], "--policy", "builtin", *options)
            return next(f["why"] for f in result.doc["verdict"]["findings"] if f["rule"] == "core.command-failed")
        self.assertIn("on the host as well", why("exit 3"))
        for script in ("echo 3 > /proc/sys/vm/drop_caches", "date -s 2020-01-01", "renice -n -5 $$"):
            self.assertNotIn("on the host as well", why(script), script)

    def test_larger_buffers_of_a_socket_are_tried_by_habit(self) -> None:
        """As libsystemd does for each connection."""
        code = "import socket\ns = socket.socket()\nfor o in (32, 33):\n  try: s.setsockopt(1, o, 8 << 20)\n  except PermissionError: pass"
        result = self.judged(f"/usr/bin/python3 -c '{code}'", GREEN, not_rules=("priv.attempt",))
        self.assertEqual({attempt["what"] for attempt in result.doc["attempts"]}, {"limits"})

    def test_a_core_dump_that_the_host_would_make(self) -> None:
        crash = "ulimit -c {}; sleep 5 & kill -ABRT $!; wait $!; true"
        self.assertRegex("\n".join(self.gaps(crash.format("unlimited"), "yellow")), r"core dump of \[2\] (sleep|sh) \(SIGABRT\)")
        with open("/proc/sys/kernel/core_pattern", encoding="ascii") as pattern:
            if not pattern.read(1) == "|":
                self.assertNotIn("core dump", "\n".join(self.gaps(crash.format(0), None)))

    def test_packages_by_their_state(self) -> None:
        harness.need("dpkg-divert", "dpkg-deb", "apt-mark")
        package = MAKE_PACKAGE.replace("dpkg -i", "dpkg --unpack")
        result = self.judged(package, YELLOW, "pkg.changed")
        self.assertEqual(result.doc["packages"][0]["state_after"], "install ok unpacked")
        report = self.call("show", "last", json_out=False).out.decode()
        self.assertIn("installed corpus 1.0: install ok unpacked", report)
        self.judged("dpkg --force-depends -r libpam0g > /dev/null 2>&1; exit 0", RED, "pkg.removed", "pkg.essential-broken", "pkg.broken")
        self.judged("dpkg-divert --add --rename --divert /usr/bin/cmp.orig /usr/bin/cmp", YELLOW, "pkg.diverted", not_rules=("latent.program-replaced",))
        self.judged("dpkg-divert --add --rename --divert /usr/bin/cmp.orig /usr/bin/cmp; cp /bin/true /usr/bin/cmp", RED, "latent.program-replaced")
        self.judged("mv /usr/bin/cmp /usr/bin/cmp.orig", RED, "latent.program-replaced")
        # What was only put on hold is as foreign as it was.
        self.judged("echo diffutils hold | dpkg --set-selections; mv /usr/bin/cmp /usr/bin/cmp.orig", RED, "latent.program-replaced", "pkg.changed")

    def test_without_a_trace_nothing_is_green(self) -> None:
        result = self.run_in(["true"], "--no-trace", "--policy", "builtin")
        self.assertEqual(result.code, harness.INCONCLUSIVE)
        self.assertIn("policy.unknown", self.rules(result))


class OwnPolicy(PolicyCase):
    RULE = '[[rule]]\nid = "site.motd"\nlevel = "red"\nenforce = "hard"\nwhy = "w"\nfix = "f"\nrefs = ["X1"]\n[rule.match.file]\npath = "/etc/motd"\n'
    GREEN = '[[rule]]\nid = "site.ok"\nlevel = "green"\nwhy = "w"\n[rule.match.only]\nfiles = ["/etc/**"]\n'

    def test_rules_exceptions_and_the_digest(self) -> None:
        own = self.policy(self.RULE + self.GREEN)
        result = self.judged("echo x > /etc/motd", RED, "site.motd", options=("--policy", own))
        finding = result.doc["verdict"]["findings"][0]
        self.assertEqual((finding["enforce"], finding["refs"], finding["evidence"]), ("hard", ["X1"], [{"kind": "file", "path": "/etc/motd"}]))
        digest = self.call("policy", "digest", "--policy", own, json_out=False).out.decode().strip()
        self.assertEqual(result.doc["verdict"]["policy_digest"], digest)
        kept = self.state / "runs" / result.doc["id"] / "policy.json"
        self.assertEqual(kept.read_bytes(), self.call("policy", "digest", "--canonical", "--policy", own, json_out=False).out)

        exception = '[[exception]]\nrule = "site.motd"\npath = "/etc/motd"\nowner = "alice"\nreason = "yearly greeting"\nexpires = {}\n'
        os.utime(self.policy(exception.format("2999-01-01"), "good.toml"), (1, 1))
        good = str(self.base / "good.toml")
        os.utime(own, (1, 1))
        self.judged("echo x > /etc/motd", GREEN, "site.ok", options=("--policy", own, "--policy", good))
        why = self.call("show", "last", "--why", json_out=False).out.decode()
        self.assertIn("site.motd: 1 fact, approved by alice (yearly greeting), until 2999-01-01", why)
        os.utime(self.policy(exception.format("2026-01-01"), "old.toml"), (1, 1))
        expired = self.judged("echo x > /etc/motd", RED, "site.motd", options=("--policy", own, "--policy", str(self.base / "old.toml")))
        self.assertIn("it expired on 2026-01-01", json.dumps(expired.doc["verdict"]))
        # A policy from the future: the clock cannot be believed, and nor can an expiry.
        os.utime(good, (4e9, 4e9))
        back = self.judged("echo x > /etc/motd", RED, "site.motd", options=("--policy", own, "--policy", good))
        self.assertIs(back.doc["verdict"]["clock_trusted"], False)

    def test_a_policy_that_cannot_be_read_stops_the_run_before_it_starts(self) -> None:
        marker = self.base / "marker"
        for text, part in (('[[rule]]\nidd = "x"\n', "unknown key"), ("[[rule", "policy.toml:2"), ("[breaker]\n", "not supported")):
            result = self.call("run", "--policy", self.policy(text), "--", "touch", str(marker), json_out=False)
            self.assertEqual(result.code, 78, result.err)
            self.assertEqual(result.err.count(b"\n"), 1)
            self.assertIn(part, result.err.decode())
        good = Path(self.policy(self.RULE))
        good.chmod(0o666)
        result = self.call("run", "--policy", str(good), "--", "true", json_out=False)
        self.assertEqual(result.code, 78)
        self.assertIn(b"somebody beside root can write", result.err)
        self.assertEqual(self.call("run", "--policy", "/no/such", "--", "true", json_out=False).code, 78)
        self.assertEqual(list((self.state / "runs").iterdir()) if (self.state / "runs").exists() else [], [])

    def test_shadow_and_advice(self) -> None:
        trial = self.RULE.replace('level = "red"', 'level = "red"\nmode = "shadow"')
        self.judged("echo x > /etc/motd", GREEN, "site.motd", "site.ok", options=("--policy", self.policy(trial + self.GREEN)))
        self.assertIn("on trial: does not decide", self.call("show", "last", json_out=False).out.decode())


class LookingAgain(PolicyCase):
    def test_the_same_bundle_and_policy_give_the_same_verdict(self) -> None:
        live = self.judged("echo '* * * * * root id' > /etc/cron.d/job; useradd ann; rm /etc/motd", RED)
        again = self.call("explain", "last", "--policy", "builtin")
        self.assertEqual(again.out, self.call("explain", "last", "--policy", "builtin").out)
        self.assertEqual(again.doc["level"], "red")
        holding = {rule["rule"] for rule in again.doc["rules"] if rule["truth"] == "true"}
        found = {f["rule"] for f in live.doc["verdict"]["findings"] if f["by"] == "policy" and not f["rule"].startswith(("core.", "policy."))}
        self.assertEqual(holding, found)
        # The uppers are not needed for it.
        subprocess.run(["rm", "-rf", str(self.state / "runs" / live.doc["id"] / "uppers")], check=True)
        self.assertEqual(again.out, self.call("explain", "last", "--policy", "builtin").out)

    def test_explain_shows_the_facts(self) -> None:
        self.judged("echo '* * * * * root id' > '/etc/cron.d/j\x1b[31mob'", RED, "latent.cron")
        text = self.call("explain", "last", "latent.cron", "--policy", "builtin", json_out=False).out.decode()
        self.assertIn("file: /etc/cron.d/j\\u{001B}[31mob", text)
        self.assertIn("asks path = /etc/crontab", text)
        self.assertNotIn("\x1b", text)
        wrong = self.call("explain", "last", "latent.crom", "--policy", "builtin", json_out=False)
        self.assertEqual(wrong.code, 64)
        self.assertIn(b'did you mean "latent.cron"?', wrong.err)

    def test_replay_says_what_would_flip(self) -> None:
        self.judged("echo x > /etc/motd", YELLOW)
        self.judged("true", GREEN)
        candidate = self.policy(OwnPolicy.RULE)
        result = self.call("policy", "replay", "--since", "1d", "--policy", "builtin", "--candidate", candidate)
        self.assertEqual(result.code, 0, result.err)
        flips = {(run["before"], run["after"]) for run in result.doc["runs"]}
        self.assertEqual(flips, {("yellow", "red"), ("green", "yellow")})
        self.assertEqual(result.doc["flips"], 2)
        text = self.call("policy", "replay", "--policy", "builtin", "--candidate", candidate, json_out=False).out.decode()
        self.assertIn("+ site.motd", text)
        self.assertIn("2 runs judged, 2 would have another verdict", text)

    def test_policy_test_judges_recorded_bundles(self) -> None:
        run = self.judged("useradd ann", YELLOW, "id.user-added").doc["id"]
        subprocess.run(["cp", "-r", str(self.state / "runs" / run), str(self.base / "bundle")], check=True)
        test = '[[test]]\nname = "t"\nbundle = "bundle"\nexpect = {{ verdict = "{}", rules = ["id.user-added"], not_rules = ["priv.setuid-new"] }}\n'
        good = self.call("policy", "test", "--policy", "builtin", "--policy", self.policy(test.format("yellow")))
        self.assertEqual((good.code, good.doc["failed"]), (0, 0), good.out)
        bad = self.call("policy", "test", "--policy", "builtin", "--policy", self.policy(test.format("green")), json_out=False)
        self.assertEqual(bad.code, 1)
        self.assertIn(b"the verdict is yellow, not green", bad.out)

    def test_check(self) -> None:
        result = self.call("policy", "check", "--policy", "builtin")
        self.assertTrue(all(file["path"].startswith("built in: ") for file in result.doc["files"]))
        self.assertGreater(len(result.doc["rules"]), 60)
        self.assertEqual(self.call("policy", "chekc", json_out=False).code, 64)
        self.assertEqual(self.call("policy", json_out=False).code, 64)


if __name__ == "__main__":
    harness.main()
