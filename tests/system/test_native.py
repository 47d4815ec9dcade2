"""Real programs on a host that may be changed: first rehearsed, then run for real. They end alike, and the change set
told exactly what became of every file.

Each action finds the host as the one before left it: REHEARSE_DISPOSABLE_HOST says that this host may be ruined.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import harness
from harness import Case
from prediction import Tree, compare, predict, read_tree

# Their content is a time, a random number, or the work of the host's own daemons.
CHANGING = [b"/run", b"/tmp", b"/var/tmp", b"/var/log", b"/var/cache/ldconfig/aux-cache", b"/var/cache/apt", b"/var/lib/systemd", b"/var/lib/dpkg/triggers/Lock", b"/var/lib/apt/periodic"]
HASH = "$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g."
SETTINGS = "export DEBIAN_FRONTEND=noninteractive LC_ALL=C GIT_AUTHOR_DATE=2026-01-01T00:00:00Z GIT_COMMITTER_DATE=2026-01-01T00:00:00Z; "


class Native(Case):
    def setUp(self) -> None:
        if not os.environ.get("REHEARSE_DISPOSABLE_HOST"):
            harness.skip("changes this host for good: runs in scripts/test-system")
        super().setUp()

    def tree(self) -> Tree:
        return read_tree(b"/", [b"/proc", b"/sys", b"/dev", b"/run", b"/opt/rehearse", harness.b(self.base)])

    def both(self, script: str, *ignore: str, expect: int = 0) -> harness.Result:
        """Rehearses, compares the host with itself, runs for real, compares with what was foretold."""
        before = self.tree()
        result = self.shell(SETTINGS + script, expect=expect)
        own = [harness.b(self.base), *CHANGING]
        self.assertEqual(compare(self.tree(), before, own), [], "the host changed")
        native = subprocess.run(["sh", "-c", SETTINGS + script], capture_output=True, check=False, stdin=subprocess.DEVNULL, cwd=os.getcwd(),
                                env={k: os.environ[k] for k in ("PATH", "HOME", "TERM", "LANG", "TZ") if k in os.environ})
        self.assertEqual(native.returncode, expect, native.stderr[-2000:])
        self.assertEqual(compare(predict(before, result.doc, b"/", own), self.tree(), [*own, *map(os.fsencode, ignore)]), [], script)
        return result

    def test_1_packages_of_the_distribution(self) -> None:
        if not Path("/opt/pool").is_dir():
            harness.skip("no package pool on this host")
        # The service manager starts them for real only, with what that writes.
        started = ("/var/lib/nginx", "/var/lib/redis", "/etc/redis/redis.conf")
        self.both("apt-get install -y -qq --no-install-recommends nginx-light", *started)
        self.both("apt-get install -y -qq --no-install-recommends redis-server", *started)
        self.both("apt-get purge -y -qq redis-server", *started)
        self.both("apt-get remove -y -qq nginx-light", *started)

    def test_2_a_package_with_scripts(self) -> None:
        for version, text in (("1", "first"), ("2", "second")):
            self.make_package(version, text)
        self.both(f"dpkg -i {self.base}/trial_1.deb")
        self.assertEqual(Path("/etc/trial.conf").read_text(), "first\n")
        self.both(f"dpkg -i {self.base}/trial_2.deb")
        self.assertEqual(Path("/etc/trial.conf").read_text(), "second\n")
        self.both(f"dpkg -i {self.base}/broken.deb", expect=1)
        self.both("dpkg --purge trial")
        self.assertFalse(Path("/etc/trial.conf").exists())

    def make_package(self, version: str, text: str) -> None:
        top = self.base / f"trial_{version}"
        (top / "DEBIAN").mkdir(parents=True)
        (top / "etc").mkdir()
        (top / "usr/share/trial").mkdir(parents=True)
        (top / "etc/trial.conf").write_text(f"{text}\n")
        (top / "usr/share/trial/data").write_bytes(bytes(range(256)) * 100)
        os.link(top / "usr/share/trial/data", top / "usr/share/trial/data2")
        (top / "DEBIAN/control").write_text(f"Package: trial\nVersion: {version}\nArchitecture: all\nMaintainer: t <t@example.com>\nDescription: trial\n")
        (top / "DEBIAN/conffiles").write_text("/etc/trial.conf\n")
        (top / "DEBIAN/postinst").write_text(
            "#!/bin/sh\nset -e\ngetent passwd trial-svc >/dev/null || useradd -r trial-svc\ninstall -d -o trial-svc -g adm -m 2750 /var/lib/trial\necho $1 >> /var/lib/trial/log\n"
            "chown trial-svc:adm /usr/share/trial/data\nsetcap cap_net_raw=ep /usr/share/trial/data\nldconfig\n")
        (top / "DEBIAN/postrm").write_text("#!/bin/sh\nset -e\nif [ \"$1\" = purge ]; then rm -rf /var/lib/trial; userdel trial-svc; fi\n")
        for script in ("postinst", "postrm"):
            (top / "DEBIAN" / script).chmod(0o755)
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(top), str(self.base / f"trial_{version}.deb")], check=True, capture_output=True)
        if version == "2":
            (top / "DEBIAN/preinst").write_text("#!/bin/sh\necho half > /var/lib/trial/half\nexit 7\n")
            (top / "DEBIAN/preinst").chmod(0o755)
            (top / "DEBIAN/control").write_text((top / "DEBIAN/control").read_text().replace("Version: 2", "Version: 3"))
            subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(top), str(self.base / "broken.deb")], check=True, capture_output=True)

    def test_3_accounts(self) -> None:
        self.both(f"useradd -m -s /bin/sh alice && echo 'alice:{HASH}' | chpasswd -e && groupadd -g 4321 crew && usermod -aG crew alice && su alice -c 'echo mine > ~/f; umask 077; mkdir ~/d'")
        self.both("passwd -l alice && chage -M 90 alice && sudo -u alice sh -c 'ln ~/f ~/g; mkfifo ~/p'")
        self.both("userdel -rf alice && groupdel crew")

    def test_4_owners_capabilities_and_lists(self) -> None:
        top = self.base / "own"
        top.mkdir()
        self.both("mkdir /srv/t && cd /srv/t && echo 1 > a && cp a b && chown 1234:2345 a && setfacl -m u:1000:rw,g:4:r b && cp /bin/true t && chmod 4755 t && setfattr -n user.k -v v a && "
                  "cp /bin/true c && setcap cap_net_bind_service=ep c && mkfifo p && truncate -s 1M sparse && tar --acls --xattrs --xattrs-include='*' -cpf ../t.tar . && mkdir /srv/u && "
                  "tar --acls --xattrs --xattrs-include='*' -C /srv/u -xpf ../t.tar && rm ../t.tar")
        self.both("cd /srv && setfacl -R -m d:u:33:rx t && touch t/inherits && chmod g+s u && touch u/group && cp -a t v && rm -r u")

    def test_5_configuration_tools(self) -> None:
        self.both("update-alternatives --quiet --install /usr/bin/trial trial /bin/true 5 && trial && ldconfig")
        self.both("grep -rlI debian /etc | xargs sed -i 's/debian/DEBIAN/g'")
        self.both("grep -rlI DEBIAN /etc | xargs sed -i 's/DEBIAN/debian/g'")
        self.both("echo '1 2 3 4 5 true' | crontab - && crontab -l", "/var/spool/cron/crontabs/root")
        self.both("mkdir -p /srv/log && echo line > /srv/log/l && printf '/srv/log/l {\\n rotate 2\\n create 640 root adm\\n compress\\n}\\n' > /etc/logrotate.d/trial && logrotate -f -s /srv/log/st /etc/logrotate.d/trial",
                  "/srv/log/st", "/srv/log/l.1.gz")
        self.both("chpasswd -e < /dev/null; update-alternatives --quiet --remove trial /bin/true")

    def test_6_directories_and_whole_files(self) -> None:
        self.both("mv /usr/share/common-licenses /usr/share/licenses && echo more >> /usr/share/licenses/BSD")
        self.both("mv /usr/share/licenses /usr/share/common-licenses")
        self.both("rm -rf /usr/share/zoneinfo/posix /usr/share/zoneinfo/Asia && mkdir /usr/share/zoneinfo/Asia && cp /etc/hostname /usr/share/zoneinfo/Asia/Tokyo")
        self.both("echo x > /rootfile && mkdir /rootdir && dd if=/dev/zero of=/etc/issue bs=4k count=3 conv=notrunc 2>/dev/null && find /usr/share/perl5 -name '*.pm' -delete")

    def test_7_git_and_a_compiler(self) -> None:
        self.both("mkdir -p /srv/r && cd /srv/r && git init -q . && printf '#include <iostream>\\nint main() { std::cout << 42; }\\n' > m.cc && g++ -O1 -o m m.cc && ./m && git add m.cc && "
                  "git -c user.name=n -c user.email=e commit -qm one", "/srv/r/.git/index")

    def test_8_exit_statuses(self) -> None:
        for script, status in (("exit 3", 3), ("no-such-command", 127), ("/etc/passwd", 126), ("kill -9 $$", -9), ("false", 1)):
            with self.subTest(script=script):
                command = self.shell(script, expect=None).doc["command"]
                native = subprocess.run(["sh", "-c", script], capture_output=True, check=False).returncode
                self.assertEqual((command["exit"], -(command["signal"] or 0) or command["exit"]), (status if status >= 0 else None, native))


if __name__ == "__main__":
    harness.main()
