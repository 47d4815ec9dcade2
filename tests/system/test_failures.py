"""Predictable failures are told from each other: each with its rule, evidence and remedy, in the document and in the report; and what
does not fail gets none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import harness
import test_manager
import test_service_manager
from harness import Case, Document, Result


class FailureCase(Case):
    def failures(self, result: Result) -> dict[str, Document]:
        return {f["rule"]: f for f in result.doc["verdict"]["findings"] if f["rule"].startswith("failure.")}

    def one(self, result: Result, kind: str, *evidence: str) -> Document:
        """Exactly this failure, with these texts in its evidence; in the terminal report too."""
        found = self.failures(result)
        self.assertEqual(list(found), [f"failure.{kind}"], (found, result.err[-2000:]))
        finding = found[f"failure.{kind}"]
        texts = [e.get("path", e.get("text", "")) for e in finding["evidence"]]
        for text in evidence:
            self.assertTrue(any(text in t for t in texts), (text, texts))
        self.assertEqual(finding["level"], "yellow")
        self.assertTrue(finding["why"] and finding["fix"])
        report = self.call("show", result.doc["id"], json_out=False)
        self.assertRegex(report.out.decode(), rf"(?m)^YELLOW +failure\.{re.escape(kind)}( |$)")
        self.assertIn("fix: ", report.out.decode())
        return finding

    def none(self, result: Result) -> None:
        self.assertEqual(self.failures(result), {}, result.err[-2000:])


class Files(FailureCase):
    def test_file_of_another_user(self) -> None:
        target = self.host / "kept"
        target.write_text("x", encoding="ascii")
        result = self.run_in(["rm", "-f", str(target)], "--user", "nobody")
        finding = self.one(result, "permission-denied", str(target), "EACCES")
        self.assertEqual(finding["enforce"], "soft")

    def test_a_device_that_is_always_full_is_no_disk(self) -> None:
        self.assertNotIn("failure.disk-full", self.failures(self.run_in(["sh", "-c", "cat /etc/passwd > /dev/full"])))
        self.none(self.shell("echo x > /dev/full; cat /etc/passwd > /dev/full; true"))

    def test_missing_file(self) -> None:
        result = self.run_in(["cat", str(self.host / "gone")])
        self.one(result, "missing-file", str(self.host / "gone"), "ENOENT")

    def test_missing_file_in_a_script_that_stops(self) -> None:
        result = self.shell(f"set -e; cd {self.host}; echo begin; cat gone.conf; echo never", expect=1)
        self.one(result, "missing-file", str(self.host / "gone.conf"))

    def test_directory_of_an_output_is_missing(self) -> None:
        result = self.shell(f"echo x > {self.host}/no/such/file", expect=2)
        self.one(result, "missing-file", f"{self.host}/no/such/file")

    def test_what_is_there_is_not_missing(self) -> None:
        there, tree = self.host / "there", self.host / "tree"
        there.write_text("x", encoding="ascii")
        tree.mkdir(exist_ok=True)
        for script in (f"cd {there}", f"ls {there}/", f"cp /bin/true {there}/", f"mv {tree} {there}"):
            with self.subTest(script):
                result = self.shell(f"set -e; {script}; echo never", expect=None)
                found = self.failures(result)
                self.assertNotIn("failure.missing-file", found, script)
                self.assertEqual(list(found), ["failure.not-a-directory"], script)

    def test_full_disk(self) -> None:
        harness.need("mkfs.ext4", "mount")
        script = (
            'truncate -s 200M "$B/img"; mkfs.ext4 -q -F -m 0 "$B/img"; mkdir "$B/small"; mount -o loop "$B/img" "$B/small"; mkdir -m 700 "$B/small/state"; '
            '"$REHEARSE" --state "$B/small/state" --json run -- dd if=/dev/zero of=/var/tmp/rehearse-fill bs=1M || test $? = 10 -o $? = 12'
        )
        done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse})
        result = Result(0, done.stdout, done.stderr, 0)
        self.assertIn("failure.disk-full", self.failures(result), done.stderr[-600:])


class Commands(FailureCase):
    def test_the_command_itself_is_missing(self) -> None:
        result = self.run_in(["rehearse-no-such-command"])
        self.one(result, "missing-command", "rehearse-no-such-command")

    def test_a_command_of_a_script_is_missing(self) -> None:
        for shell in ("sh", "bash"):
            with self.subTest(shell=shell):
                result = self.run_in([shell, "-c", "set -e; echo begin; rehearse-no-such-command --all; echo never"])
                self.one(result, "missing-command", "rehearse-no-such-command")

    def test_a_script_that_goes_on_is_advised(self) -> None:
        result = self.shell("rehearse-no-such-command; exit 0")
        self.assertEqual(self.one(result, "missing-command")["enforce"], "advisory")

    def test_missing_for_python(self) -> None:
        result = self.run_in(["python3", "-c", "import subprocess; subprocess.run(['rehearse-no-such-command'], check=True)"])
        self.assertIn("failure.missing-command", self.failures(result))

    def test_timeout_of_the_rehearsal(self) -> None:
        self.one(self.shell("sleep 60", "--timeout", "300ms", expect=None), "timeout", "the rehearsal's own")

    def test_timeout_of_a_script(self) -> None:
        self.one(self.shell("set -e; timeout 0.2 sleep 60", expect=124), "timeout", "timeout: exit 124")

    def test_killed(self) -> None:
        self.one(self.run_in(["sh", "-c", "kill -9 $$"]), "killed", "SIGKILL")

    def test_crashed_child(self) -> None:
        result = self.shell("set -e; sh -c 'kill -SEGV $$'", expect=None)
        self.one(result, "killed", "SIGSEGV")

    def test_out_of_memory(self) -> None:
        checks = {check["id"]: check["status"] for check in self.call("doctor").doc["checks"]}
        if checks["cgroups.memory"] != "ok":
            harness.skip("this host has no memory controller")
        result = self.run_in(["python3", "-c", "x = bytearray(600 << 20)"], "--memory", "100M")
        self.assertIn("failure.killed", self.failures(result))


class Dependencies(FailureCase):
    def test_denied_address(self) -> None:
        harness.need("curl")
        result = self.run_in(["curl", "-sS", "--max-time", "10", "http://203.0.113.9/x"])
        self.one(result, "dependency-unreachable", "tcp 203.0.113.9:80", "denied")

    def test_denied_name_below_a_shell(self) -> None:
        harness.need("curl")
        result = self.shell("set -e; curl -sS --max-time 10 http://api.example.com/x", expect=None)
        self.one(result, "dependency-unreachable", "api.example.com")

    def test_postgresql_that_is_not_there(self) -> None:
        harness.need("psql")
        result = self.run_in(["psql", "-h", "203.0.113.9", "-U", "x", "-c", "select 1"], "--env", "PGCONNECT_TIMEOUT=5")
        self.one(result, "dependency-unreachable", "203.0.113.9")


class Databases(FailureCase):
    def test_sqlite_column_and_table(self) -> None:
        harness.need("sqlite3")
        database = self.host / "app.db"
        subprocess.run(["sqlite3", str(database), "create table t(a)"], check=True)
        self.one(self.run_in(["sqlite3", str(database), "select nocol from t"]), "schema-mismatch", "nocol")
        self.one(self.run_in(["sqlite3", str(database), "insert into users values(1)"]), "schema-mismatch", "users")
        self.none(self.run_in(["sqlite3", str(database), "select a from t"]))

    def test_postgresql_relation(self) -> None:
        initdb = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
        if initdb is None or shutil.which("psql") is None:
            harness.skip("PostgreSQL is not installed")
        script = (
            f"cd {self.host}; {initdb} -D data -A trust -U postgres > /dev/null; {initdb.parent}/pg_ctl -D data -o '-k {self.host} -h \"\"' -l log -w start > /dev/null; "
            f"psql -h {self.host} -U postgres -c 'select * from accounts'; s=$?; {initdb.parent}/pg_ctl -D data -m immediate stop > /dev/null; exit $s"
        )
        os.chown(self.host, *self.ids("postgres"))
        result = self.run_in(["sh", "-c", script], "--user", "postgres", "--cwd", str(self.host))
        self.assertEqual(result.doc["command"]["exit"], 1, result.err[-2000:])
        self.one(result, "schema-mismatch", "accounts")

    def ids(self, name: str) -> tuple[int, int]:
        import pwd

        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            harness.skip(f"there is no user {name}")
        return entry.pw_uid, entry.pw_gid


class Services(FailureCase):
    """The host's manager is played, as in test_service_manager.py."""

    on_host = test_service_manager.ServiceManager.on_host
    asked = test_service_manager.ServiceManager.asked

    def setUp(self) -> None:
        super().setUp()
        if not test_service_manager.SERVER:
            harness.skip("MANAGER_SERVER does not name the server")
        harness.need("systemctl", "unshare")
        units = self.base / "units"
        units.mkdir()
        for name, text in test_manager.UNITS.items():
            (units / name).write_text(text, encoding="ascii")
        (self.base / "list").write_text(test_manager.LOADED, encoding="ascii")
        self.environment = {"WORK": str(self.base), "MANAGER_SERVER": test_service_manager.SERVER, "PATH": harness.PATH}

    def test_a_unit_that_there_is_not(self) -> None:
        result = self.asked("systemctl restart rehearse-nosuch.service", expect=5)
        self.one(result, "service-failed", "rehearse-nosuch.service")

    def test_one_that_there_is(self) -> None:
        self.none(self.asked("systemctl restart cron.service"))


class Packages(FailureCase):
    def package(self, name: str, extra: str = "") -> Path:
        root = self.host / name
        (root / "DEBIAN").mkdir(parents=True)
        (root / "usr/share/rehearse-trial").mkdir(parents=True)
        (root / "usr/share/rehearse-trial/file").write_text(name, encoding="ascii")
        (root / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.com>\nDescription: trial\n{extra}", encoding="ascii")
        subprocess.run(["dpkg-deb", "-b", str(root), str(self.host / f"{name}.deb")], check=True, capture_output=True)
        return self.host / f"{name}.deb"

    def test_two_packages_with_one_file(self) -> None:
        harness.need("dpkg", "dpkg-deb")
        first, second = self.package("rehearse-trial-a"), self.package("rehearse-trial-b")
        result = self.shell(f"set -e; dpkg -i {first} > /dev/null; dpkg -i {second}", expect=1)
        self.one(result, "package-conflict", "/usr/share/rehearse-trial/file")

    def test_declared_conflict_and_missing_dependency(self) -> None:
        harness.need("dpkg", "dpkg-deb")
        first = self.package("rehearse-trial-c")
        other = self.package("rehearse-trial-d", "Conflicts: rehearse-trial-c\n")
        result = self.shell(f"set -e; dpkg -i {first} > /dev/null; dpkg -i {other}", expect=1)
        self.assertIn("failure.package-conflict", self.failures(result))
        needs = self.package("rehearse-trial-e", "Depends: rehearse-trial-none\n")
        result = self.run_in(["dpkg", "-i", str(needs)])
        self.assertIn("failure.package-conflict", self.failures(result))


class Configuration(FailureCase):
    def validation(self, result: Result, program: str) -> Document:
        found = [v for v in result.doc["validations"] if program in v["argv"][0]]
        self.assertEqual(len(found), 1, result.doc["validations"])
        return found[0]

    def test_sudoers(self) -> None:
        harness.need("visudo")
        result = self.shell("printf 'this is not sudoers\\n' > /etc/sudoers.d/rehearse-trial; chmod 440 /etc/sudoers.d/rehearse-trial")
        finding = self.one(result, "config-invalid", "/etc/sudoers.d/rehearse-trial", "syntax error")
        self.assertEqual(finding["enforce"], "soft")
        row = self.validation(result, "visudo")
        self.assertEqual((row["result"], row["before"]), ("invalid", "valid"))
        self.assertIn({"kind": "before", "text": "was valid before"}, finding["evidence"])
        report = self.call("show", "last", json_out=False).out.decode()
        self.assertIn("Run after it", report)
        self.assertIn("without the command's changes: valid", report)
        good = self.shell("printf '# nothing\\n' > /etc/sudoers.d/rehearse-trial; chmod 440 /etc/sudoers.d/rehearse-trial")
        self.none(good)
        self.assertEqual(self.validation(good, "visudo")["result"], "valid")
        self.assertNotIn("before", self.validation(good, "visudo"))
        self.assertEqual({p["role"] for p in good.doc["processes"]}, {"action"})

    def test_what_was_broken_before_is_told_from_what_the_action_broke(self) -> None:
        harness.need("visudo", "unshare")
        # A host with a broken file: in a mount namespace of its own, /etc is a copy.
        broken = "cp -a /etc \"$WORK/etc\"; mount -t tmpfs -o mode=755 tmpfs /etc; cp -a \"$WORK/etc/.\" /etc/; set +e; mkdir -p /etc/sudoers.d; printf 'not sudoers\\n' > /etc/sudoers.d/old; chmod 440 /etc/sudoers.d/old\n"
        (self.base / "action").write_text("printf '# nothing\\n' > /etc/sudoers.d/new; chmod 440 /etc/sudoers.d/new\n", encoding="ascii")
        done = harness.PrivateMounts.run(broken + " ".join(self.command("run")) + ' -- sh "$WORK/action"\n', {"WORK": str(self.base), "PATH": harness.PATH}, 120)
        result = Result(done.returncode, done.stdout, done.stderr, 0)
        finding = self.one(result, "config-invalid", "/etc/sudoers.d/new", "was invalid before: ")
        self.assertIn("It was invalid before the command, too", finding["fix"])
        self.assertEqual(self.validation(result, "visudo")["before"], "invalid")

    def test_what_a_validator_writes_is_no_change(self) -> None:
        # A validator that writes, over the host's own: the action installs it.
        script = ("printf '#!/bin/sh\\necho log >> /var/log/rehearse-trial.log; echo pid > /run/rehearse-trial.pid; rm -f /etc/hostname; cat /etc/sudoers.d/rehearse-trial /root/deep/er; exit 1\\n'"
                  " > /usr/local/sbin/visudo; chmod 755 /usr/local/sbin/visudo; mkdir -p /root/deep; printf 'below\\n' > /root/deep/er; printf 'mine\\n' > /etc/sudoers.d/rehearse-trial")
        result = self.shell(script)
        row = self.validation(result, "visudo")
        # It saw what the action had written, in every layer, and nobody sees what it wrote.
        self.assertEqual((row["exit"], row["stdout"]), (1, "mine\nbelow\n"))
        paths = {c["path"] for c in result.doc["changes"] if c["change"] != "metadata"}
        self.assertLessEqual({"/usr/local/sbin/visudo", "/root/deep/er", "/etc/sudoers.d/rehearse-trial"}, paths)
        self.assertFalse(paths & {"/var/log/rehearse-trial.log", "/run/rehearse-trial.pid", "/etc/hostname"}, paths)
        self.assertEqual([run["id"] for run in self.call("list").doc["runs"]], [result.doc["id"]])
        # Its own bundle is gone, and nothing was added to the run's.
        self.assertEqual(os.listdir(self.state / "runs"), [result.doc["id"]])
        self.assertNotIn("again", os.listdir(self.state / "runs" / result.doc["id"]))

    def test_a_validator_meets_the_files_of_renamed_directories(self) -> None:
        harness.need("visudo")
        result = self.shell("mkdir /etc/new.d; printf 'not sudoers\\n' > /etc/new.d/trial; chmod 440 /etc/new.d/trial; rm -rf /etc/sudoers.d; mv /etc/new.d /etc/sudoers.d")
        self.assertEqual(self.validation(result, "visudo")["result"], "invalid")

    def test_sshd(self) -> None:
        if not os.path.exists("/usr/sbin/sshd") or not os.path.exists("/etc/ssh/sshd_config"):
            harness.skip("sshd is not installed")
        result = self.shell("echo 'NoSuchOption yes' >> /etc/ssh/sshd_config")
        self.one(result, "config-invalid", "/etc/ssh/sshd_config", "NoSuchOption")
        good = self.shell("echo '# nothing' >> /etc/ssh/sshd_config")
        self.none(good)
        # Its keys are masked, which it finds when it has read everything.
        self.assertEqual(self.validation(good, "sshd")["result"], "valid")

    def test_systemd_unit(self) -> None:
        harness.need("systemd-analyze")
        unit = "/etc/systemd/system/rehearse-trial.service"
        result = self.shell(f"printf '[Service]\\nExecStart=relative/path\\n' > {unit}")
        self.one(result, "config-invalid", unit)
        good = self.shell(f"printf '[Service]\\nExecStart=/bin/true\\n' > {unit}")
        self.none(good)

    def test_what_was_too_much_to_validate_is_said(self) -> None:
        def gaps(count: int) -> list[str]:
            units = f"i=0; while [ $i -lt {count} ]; do printf '[Service]\nExecStart=/bin/true\n' > /etc/systemd/system/rehearse-trial$i.service; i=$((i+1)); done"
            return [gap["what"] for gap in self.shell(units).doc["fidelity"]["gaps"]]
        cut = "validators: not all changed configuration was validated"
        self.assertNotIn(cut, gaps(2))
        self.assertIn(cut, gaps(17))

    def test_a_masked_unit_is_not_invalid(self) -> None:
        result = self.shell("ln -s /dev/null /etc/systemd/system/rehearse-trial.service")
        self.none(result)
        self.assertEqual(result.doc["validations"], [])

    def test_a_validator_that_is_not_installed_is_named(self) -> None:
        if shutil.which("nginx", path=harness.PATH) is not None:
            harness.skip("nginx is installed here")
        result = self.shell("mkdir -p /etc/nginx; echo 'nonsense' > /etc/nginx/nginx.conf")
        self.none(result)
        self.assertEqual(self.validation(result, "nginx")["result"], "unknown")
        self.assertTrue(any("nginx" in gap["what"] for gap in result.doc["fidelity"]["gaps"]), result.doc["fidelity"])

    def test_none_is_run_where_none_is_wanted(self) -> None:
        result = self.shell("echo nonsense > /etc/sudoers.d/rehearse-trial", "--no-validators")
        self.none(result)
        self.assertEqual(result.doc["validations"], [])

    def test_nothing_is_validated_that_did_not_change(self) -> None:
        self.assertEqual(self.shell("cat /etc/ssh/sshd_config > /dev/null; true").doc["validations"], [])


class Benign(FailureCase):
    """What works has no failure, however many files it looks for in vain."""

    def test_programs_that_end_well(self) -> None:
        actions = {
            "useradd": ["useradd", "-m", "rehearse-trial"],
            "apt-get": ["apt-get", "--version"],
            "git": ["git", "init", str(self.host / "repository")],
            "python3": ["python3", "-c", "import json, ssl, email, http.client"],
            "ls": ["ls", "-laR", "/etc"],
            "dpkg": ["dpkg", "-l"],
            "perl": ["perl", "-e", "use strict; use POSIX; print 1"],
        }
        for program, argv in actions.items():
            with self.subTest(program=program):
                if shutil.which(program, path=harness.PATH) is None:
                    continue
                result = self.run_in(argv)
                self.assertEqual(result.doc["command"]["exit"], 0, result.err[-500:])
                self.none(result)

    def test_shell_with_ordinary_lookups(self) -> None:
        result = self.shell(
            "test -e /nonexistent || echo absent; [ -r /etc/rehearse-none ] && . /etc/rehearse-none; command -v rehearse-no-such-command || true; grep -q nosuchthing /etc/passwd || true; "
            "ls /nonexistent 2>/dev/null || true; id rehearse-nobody >/dev/null 2>&1 || useradd rehearse-nobody; cat /etc/hostname; (exit 3) || true; kill -9 $(sh -c 'sleep 60 & echo $!') ; true")
        self.none(result)

    def test_a_plain_no_is_no_known_failure(self) -> None:
        self.none(self.run_in(["false"]))
        self.none(self.run_in(["grep", "-q", "nosuchthing", "/etc/passwd"]))
        self.none(self.run_in(["test", "-e", "/nonexistent"]))
        self.none(self.run_in(["diff", "/etc/passwd", "/etc/group"]))


if __name__ == "__main__":
    harness.main()
