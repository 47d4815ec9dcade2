"""Real programs do inside what they do on a bare host, and the host stays as it was."""

from __future__ import annotations

import glob
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness
from harness import HostCase


class Actions(HostCase):
    whole_host = True
    packages: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.packages = Path(tempfile.mkdtemp(prefix="rehearse-debs.", dir="/var/tmp"))
        (cls.packages / "archives/partial").mkdir(parents=True)
        # Fetches them whether the host has them or not, and dependencies that are not installed, into a directory of the test's own.
        cls.fetched = subprocess.run(["apt-get", "install", "--reinstall", "-y", "-qq", "--no-install-recommends", "--download-only", "-o", f"Dir::Cache::archives={cls.packages}/archives",
                                      "-o", "APT::Sandbox::User=root", "nginx-light", "redis-server", "postgresql-15"], capture_output=True, check=False)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls) -> None:
        try:
            super().tearDownClass()
        finally:
            subprocess.run(["rm", "-rf", str(cls.packages)], check=True)

    def debs(self, *names: str) -> str:
        found = [deb for deb in glob.glob(f"{self.packages}/archives/*.deb") if not names or os.path.basename(deb).startswith(names)]
        if self.fetched.returncode != 0 or not found:
            harness.skip(f"the packages cannot be downloaded here: {self.fetched.stderr[-200:]!r}")
        return " ".join(found)

    def test_install_use_and_purge_packages(self) -> None:
        debs = self.debs("nginx", "libnginx", "redis", "lib", "iproute2", "lua", "libnss")
        # Where no policy-rc.d forbids it, the packages' own scripts have started the servers already.
        result = self.shell(
            f"export DEBIAN_FRONTEND=noninteractive; dpkg -i {debs} >&2 && nginx -t >&2 && {{ pgrep -x nginx >/dev/null || nginx; }} && sleep 0.3 && curl -s -o /dev/null -w 'http %{{http_code}}\\n' http://127.0.0.1/ >&2;"
            " getent passwd redis >&2; su -s /bin/sh redis -c 'redis-server --port 7777 --daemonize yes' >/dev/null; sleep 0.3; redis-cli -p 7777 ping >&2;"
            " redis-cli -p 7777 shutdown nosave; nginx -s stop; sleep 0.3; dpkg --purge redis-server >&2; dpkg -s nginx-light | grep Status >&2")
        self.assertIn(b"http 200", result.err)
        self.assertIn(b"PONG", result.err)
        self.assertIn(b"Status: install ok installed", result.err)
        if not os.path.exists("/usr/sbin/nginx"):
            self.change(result, "/usr/sbin/nginx", "created")
            self.assertEqual(result.changes[b"/usr/sbin/nginx"]["package"], "nginx")
        self.change(result, "/var/lib/dpkg/status", "modified")
        if os.path.exists("/etc/redis/redis.conf"):
            self.change(result, "/etc/redis/redis.conf", "deleted")
        else:
            self.assertNotIn(b"/etc/redis/redis.conf", result.changes)
        redis = [line for line in result.err.splitlines() if line.startswith(b"redis:")]
        self.assertEqual(len(redis), 1)

    def repacked(self, deb: str) -> str:
        """The same package as a newer version."""
        tree = self.packages / "repacked"
        subprocess.run(["dpkg-deb", "-R", deb, str(tree)], check=True)
        control = tree / "DEBIAN/control"
        lines = [line + "+trial1" if line.startswith("Version: ") else line for line in control.read_text().splitlines()]
        control.write_text("\n".join(lines) + "\n")
        newer = str(self.packages / "newer.deb")
        subprocess.run(["dpkg-deb", "-Znone", "-b", str(tree), newer], check=True, capture_output=True)
        return newer

    def test_upgrade_a_package(self) -> None:
        """Its own scripts are told of both versions, its configuration is kept, the account that it made stays, and purging takes both away."""
        debs = self.debs("redis", "liblzf", "liblua", "lua-", "libjemalloc", "libatomic")
        newer = self.repacked(next(deb for deb in debs.split() if os.path.basename(deb).startswith("redis-server")))
        result = self.shell(
            f"export DEBIAN_FRONTEND=noninteractive; dpkg -i {debs} >&2 && echo '# mine' >> /etc/redis/redis.conf && dpkg -i {newer} >&2 && tail -n 1 /etc/redis/redis.conf >&2 && "
            "dpkg-query -W -f 'now ${Version} ${db:Status-Status}\\n' redis-server >&2 && getent passwd redis >/dev/null && redis-server --version >&2")
        self.assertRegex(result.err, rb"(?m)^now \S+\+trial1 installed$")
        self.assertIn(b"Unpacking redis-server", result.err)
        self.assertIn(b"over (", result.err)
        self.assertIn(b"\n# mine\n", result.err)
        self.change(result, "/etc/redis/redis.conf", "modified" if os.path.exists("/etc/redis/redis.conf") else "created")
        packages = {p["name"]: p for p in result.doc["packages"]}
        self.assertTrue(packages["redis-server"]["after"].endswith("+trial1"), packages["redis-server"])

    def test_capabilities_lists_and_setuid(self) -> None:
        harness.need("setcap", "setfacl")
        result = self.shell(
            f"cd {self.host} && cp /bin/true c && setcap cap_net_bind_service=ep c && getcap c >&2 && cp /bin/true s && chmod 4755 s && echo x > l && setfacl -m u:1000:rw,g:4:r l && getfacl -cn l 2>/dev/null | grep user:1000 >&2")
        self.assertIn(b"cap_net_bind_service=ep", result.err)
        self.assertIn(b"user:1000:rw-", result.err)
        self.assertIsNotNone(self.change(result, self.host / "c", "created")["after"]["caps"])
        self.assertEqual(self.change(result, self.host / "s", "created")["after"]["mode"], "4755")
        self.assertIsNotNone(self.change(result, self.host / "l", "created")["after"]["acl"])
        self.assertIn("priv.setuid-new", [f["rule"] for f in result.doc["verdict"]["findings"]])

    def test_accounts(self) -> None:
        harness.need("useradd", "passwd", "userdel", "su", "sudo")
        result = self.shell("useradd -m -s /bin/sh trial && echo trial:secret | chpasswd && su trial -c 'id -un; echo mine > ~/f' >&2 && sudo -u trial id -un >&2 && stat -c %U /home/trial/f >&2 && passwd -l trial >&2")
        self.assertEqual(result.err.split().count(b"trial"), 3)
        entry = self.change(result, "/home/trial/f", "created")["after"]
        self.assertGreaterEqual(entry["uid"], 1000)
        self.change(result, "/etc/shadow", "modified")
        gone = self.shell("useradd -m trial && userdel -r trial 2>/dev/null; id trial 2>/dev/null", expect=1)
        self.assertNotIn(b"/home/trial", gone.changes)

    def test_owners_in_archives_and_configuration_tools(self) -> None:
        result = self.shell(
            f"cd {self.host} && mkdir t && echo 1 > t/a && chown 1234:2345 t/a && tar cf t.tar t && rm -r t && tar xf t.tar && stat -c %u:%g t/a >&2 && ldconfig && "
            f"update-alternatives --install /usr/bin/trial trial /bin/true 5 >&2 && trial && sed -i s/localhost/LOCALHOST/ /etc/hosts && grep -c LOCALHOST /etc/hosts >&2")
        self.assertIn(b"1234:2345", result.err)
        self.change(result, "/etc/alternatives/trial", "created")
        self.change(result, "/etc/hosts", "modified")
        self.assertRegex(self.call("diff", "last", "/etc/hosts", json_out=False).out, rb"(?m)^\+.*LOCALHOST")
        self.assertEqual(result.changes[os.fsencode(f"{self.host}/t/a")]["after"]["uid"], 1234)

    def test_cron_and_logrotate(self) -> None:
        harness.need("crontab", "logrotate")
        result = self.shell(
            f"echo '1 2 3 4 5 true' | crontab - && crontab -l >&2; echo line > {self.host}/log; printf '{self.host}/log {{ rotate 1\\n create\\n su root root\\n}}\\n' > {self.host}/conf; chmod 755 {self.host}; logrotate -f -s {self.host}/st {self.host}/conf >&2")
        self.assertIn(b"1 2 3 4 5 true", result.err)
        self.change(result, "/var/spool/cron/crontabs/root", "created")
        self.assertEqual(self.change(result, self.host / "log", "created")["after"]["size"], 0)
        self.change(result, self.host / "log.1", "created")

    def test_git_and_a_build(self) -> None:
        harness.need("git", "g++")
        result = self.shell(
            f"cd {self.host} && git init -q r && cd r && printf '#include <iostream>\\nint main() {{ std::cout << 42; }}\\n' > m.cc && g++ -o m m.cc && ./m >&2 && git add m.cc && "
            "git -c user.name=n -c user.email=e commit -qm one && git log --oneline | wc -l >&2")
        self.assertEqual(result.err.split(), [b"421"])

    def test_postgresql(self) -> None:
        debs = self.debs()
        result = self.shell(
            f"export DEBIAN_FRONTEND=noninteractive; dpkg -i {debs} >/dev/null 2>&1; B=/usr/lib/postgresql/15/bin; install -d -o postgres {self.host}/pg && chmod 755 {self.host} && "
            f"su postgres -c \"$B/initdb -D {self.host}/pg/d >/dev/null && $B/pg_ctl -w -D {self.host}/pg/d -o '-k /tmp -p 7778' -l {self.host}/pg/log start >/dev/null && "
            "psql -h /tmp -p 7778 -qc 'create table t(a int); insert into t select generate_series(1,1000); alter table t add b text' postgres && "
            f"psql -h /tmp -p 7778 -Atc 'select count(*), max(a) from t' postgres && $B/pg_ctl -w -D {self.host}/pg/d stop >/dev/null\" >&2")
        self.assertIn(b"1000|1000", result.err)
        self.change(result, self.host / "pg/d/PG_VERSION", "created")


if __name__ == "__main__":
    harness.main()
