"""Expectations, probes and claims: declared before the run, compared with what happened, shown and kept."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import harness
from harness import Case, Document, Result


class ExpectCase(Case):
    def expect(self, tables: str, argv: list[str], *options: str) -> Result:
        path = self.base / "expect.toml"
        path.write_text(f'schema = "rehearse.expect/1"\n{tables}', encoding="utf-8")
        result = self.run_in(argv, "--expect", str(path), *options)
        self.assertIn(result.code, (*harness.RAN, 11), result.err[-3000:])
        return result

    def unmet(self, result: Result) -> list[str]:
        return [row["what"] for row in result.doc["expectations"] if not row["met"]]

    def rules(self, result: Result) -> dict[str, Document]:
        return {f["rule"]: f for f in result.doc["verdict"]["findings"] if f["rule"].startswith("expect.")}

    def report(self, result: Result) -> str:
        return self.call("show", result.doc["id"], json_out=False).out.decode()


class Declared(ExpectCase):
    def test_all_that_was_declared_is_met(self) -> None:
        target = self.host / "conf"
        target.write_text("a\n", encoding="ascii")
        result = self.expect(
            f'[expect]\nexit = 0\nwall = "<60s"\nmemory = "<2GiB"\nwrite = "<1MiB"\nmay_change = ["{self.host}/**"]\nmust_change = ["{target}"]\n'
            f'must_not_change = ["/etc/**"]\nnet = []\nunits = []\n[[probe]]\nrun = ["grep", "-c", "b", "{target}"]\nstdout = ["1"]\n',
            ["sh", "-c", f"echo b >> {target}"])
        self.assertEqual(self.unmet(result), [])
        self.assertEqual(self.rules(result), {})
        document = result.doc
        self.assertEqual([row["what"] for row in document["expectations"]],
                         ["exit", "wall", "memory", "write", "may_change", "must_change", "must_not_change", "net", "units", "probe"])
        self.assertEqual(document["action"]["expect"]["wanted"][0], {"what": "exit", "values": ["0"]})
        self.assertEqual(document["probes"][0]["exit"], 0)
        self.assertTrue(document["probes"][0]["met"])
        # Kept as declared and as found: the document of the bundle is the same.
        again = self.call("show", document["id"]).doc
        for key in ("expectations", "probes", "action", "digest"):
            self.assertEqual(again[key], document[key])
        report = self.report(result)
        self.assertIn("Expected of it", report)
        self.assertRegex(report, r"met +must_change: ")

    def test_either_name_of_an_alias_is_declared(self) -> None:
        mock = self.base / "mock.toml"
        mock.write_text('[[mock]]\nlisten = "tcp:api.example.com:80"\nhttp = [ {} ]\n[[mock]]\ndns = [ { name = "www.example.com", type = "CNAME", data = "api.example.com" } ]\n', encoding="ascii")
        for name, met in (("www", True), ("api", True), ("ftp", False)):
            result = self.expect(f'[expect]\nnet = ["tcp:{name}.example.com:80"]\n', ["curl", "-sS", "http://www.example.com/"], "--mock", str(mock))
            self.assertEqual(result.doc["command"]["exit"], 0, result.err)
            self.assertEqual(self.unmet(result), [] if met else ["net"])
            self.assertEqual({to["name"] for to in result.doc["network"] if to["proto"] in ("tcp", "udp")}, {"www.example.com"})

    def test_accounts_and_packages(self) -> None:
        harness.need("useradd", "usermod")
        tables = ('[expect.accounts]\nmay = ["user-added:rh-trial", "group-added:rh-trial", "member-added:rh-trial:*", "password-*:rh-trial"]\nmust = ["user-added:rh-trial"]\n'
                  'must_not = ["*:root"]\n[expect.packages]\nmay = []\n')
        good = self.expect(tables, ["sh", "-c", "useradd rh-trial && usermod -aG games rh-trial"])
        self.assertEqual(self.unmet(good), [], good.doc["expectations"])
        self.assertEqual([row["what"] for row in good.doc["expectations"]], ["accounts.may", "accounts.must", "accounts.must_not", "packages.may"])
        bad = self.expect(tables, ["sh", "-c", "usermod -s /bin/false root && useradd rh-other"])
        self.assertEqual(self.unmet(bad), ["accounts.may", "accounts.must", "accounts.must_not"])
        rules = self.rules(bad)
        self.assertEqual(sorted(rules), ["expect.accounts-may", "expect.accounts-must", "expect.accounts-must-not"])
        self.assertIn({"kind": "account", "text": "user-added:rh-other"}, rules["expect.accounts-may"]["evidence"])
        self.assertIn({"kind": "account", "text": "user-changed:root"}, rules["expect.accounts-must-not"]["evidence"])

    def test_packages(self) -> None:
        harness.need("dpkg", "dpkg-deb")
        tree = self.base / "rehearse-trial"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN" / "control").write_text("Package: rehearse-trial\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.com>\nDescription: x\n", encoding="ascii")
        (tree / "DEBIAN").chmod(0o755)
        done = subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(self.host / "p.deb")], capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        install = ["dpkg", "-i", str(self.host / "p.deb")]
        self.assertEqual(self.unmet(self.expect('[expect.packages]\nmust = ["installed:rehearse-*"]\nmay = ["*:rehearse-trial"]\n', install)), [])
        self.assertEqual(self.unmet(self.expect('[expect.packages]\nmay = []\nmust_not = ["installed:*"]\n', install)), ["packages.may", "packages.must_not"])

    def test_each_mismatch_is_a_finding(self) -> None:
        harness.need("curl")
        result = self.expect(
            f'[expect]\nexit = 0\nwall = "<1ms"\nmay_change = ["{self.host}/a"]\nmust_change = ["{self.host}/b"]\nmust_not_change = ["{self.host}/c"]\nnet = ["api.example.com:80"]\n'
            '[[probe]]\nrun = ["test", "-e", "/nonexistent"]\n',
            ["sh", "-c", f"echo > {self.host}/a; echo > {self.host}/c; curl -s http://api.example.com/; curl -s http://203.0.113.9/; exit 3"])
        self.assertEqual(self.unmet(result), ["exit", "wall", "may_change", "must_change", "must_not_change", "net", "probe"])
        rules = self.rules(result)
        self.assertEqual(list(rules), ["expect.exit", "expect.wall", "expect.may-change", "expect.must-change", "expect.must-not-change", "expect.net", "expect.probe"])
        self.assertTrue(all(f["level"] == "yellow" and f["fix"] for f in rules.values()))
        self.assertIn({"kind": "file", "path": f"{self.host}/c"}, rules["expect.may-change"]["evidence"])
        network = str(rules["expect.net"]["evidence"])
        self.assertIn("203.0.113.9", network)
        self.assertNotIn("api.example.com:80:", network)
        self.assertRegex(self.report(result), r"NOT MET +exit: 0; got 3")

    def test_red_is_what_was_asked_for(self) -> None:
        result = self.expect('[expect]\nexit = 1\nlevel = "red"\n', ["true"])
        self.assertEqual(result.doc["verdict"]["level"], "red")
        self.assertEqual(result.code, 11)

    def test_it_is_part_of_what_is_approved(self) -> None:
        plain = self.run_in(["true"]).doc["digest"]
        one = self.expect("[expect]\nexit = 0\n", ["true"]).doc["digest"]
        other = self.expect("[expect]\nexit = 1\n", ["true"]).doc["digest"]
        self.assertEqual(len({plain, one, other}), 3)

    def test_in_an_action_file(self) -> None:
        path = self.base / "trial.toml"
        path.write_text('schema = "rehearse.action/1"\nname = "trial"\nargv = ["sh", "-c", "exit 4"]\n[expect]\nexit = 4\n[[probe]]\nrun = ["true"]\n', encoding="ascii")
        result = self.call("run", "--action", str(path))
        self.assertEqual(self.unmet(result), [])
        self.assertEqual(result.doc["action"]["expect"]["source"], str(path))
        both = self.call("run", "--action", str(path), "--expect", str(path))
        self.assertEqual(both.code, harness.USAGE)

    def test_it_is_part_of_the_plan(self) -> None:
        path = self.base / "expect.toml"
        path.write_text('schema = "rehearse.expect/1"\n[expect]\nexit = 0\nmay_change = ["/etc/**"]\n', encoding="ascii")
        plan = self.call("run", "--plan", "--expect", str(path), "--", "true")
        self.assertEqual(plan.doc["expect"], [{"what": "exit", "values": ["0"]}, {"what": "may_change", "values": ["/etc/**"]}])
        self.assertIn(b"may_change: /etc/**", self.call("run", "--plan", "--expect", str(path), "--", "true", json_out=False).out)

    def test_bad_files(self) -> None:
        path = self.base / "expect.toml"
        path.write_text('schema = "rehearse.expect/1"\n[expect]\nwal = "<3s"\n', encoding="ascii")
        result = self.run_in(["true"], "--expect", str(path))
        self.assertEqual(result.code, 78)
        self.assertIn(f"{path}:3:1: unknown key".encode(), result.err)
        self.assertEqual(self.run_in(["true"], "--expect", str(self.base / "none")).code, harness.USAGE)


class Probes(ExpectCase):
    def test_a_server_that_the_action_started_can_be_asked(self) -> None:
        harness.need("python3", "curl")
        (self.host / "page").write_text("it lives\n", encoding="ascii")
        result = self.expect(
            '[expect]\nnet = ["127.0.0.1:8099"]\n[[probe]]\nrun = ["curl", "-sS", "--max-time", "5", "http://127.0.0.1:8099/page"]\nstdout = ["it lives"]\n',
            ["sh", "-c", f"cd {self.host}; python3 -m http.server 8099 --bind 127.0.0.1 >/dev/null 2>&1 & for i in $(seq 100); do curl -s -o /dev/null http://127.0.0.1:8099/ && break; sleep 0.05; done"])
        self.assertEqual(self.unmet(result), [], result.doc["expectations"])
        self.assertEqual([p["comm"] for p in result.doc["command"]["leftover_processes"]], ["python3"])

    def test_it_runs_as_the_action(self) -> None:
        result = self.expect('[[probe]]\nrun = ["sh", "-c", "id -un; pwd; echo $TRIAL"]\nstdout = ["nobody", "/tmp", "a b"]\n', ["true"],
                             "--user", "nobody", "--cwd", "/tmp", "--env", "TRIAL=a b")
        self.assertEqual(self.unmet(result), [], result.doc["probes"])

    def test_it_is_confined_like_the_action(self) -> None:
        result = self.expect('[[probe]]\nrun = ["sh", "-c", "mount -t tmpfs x /mnt || echo kept > /etc/rehearse-probe; unshare -U true && echo NESTED; exit 0"]\n', ["true"])
        self.assertFalse(os.path.exists("/etc/rehearse-probe"))
        self.assertNotIn("NESTED", result.doc["probes"][0]["stdout"])

    def test_what_a_probe_changes_is_said(self) -> None:
        result = self.expect(f'[[probe]]\nrun = ["sh", "-c", "echo x > {self.host}/by-probe"]\n', ["sh", "-c", f"echo y > {self.host}/by-action"])
        finding = self.rules(result)["expect.probe-changed"]
        self.assertIn({"kind": "file", "path": f"{self.host}/by-probe"}, finding["evidence"])
        self.assertNotIn(f"{self.host}/by-action", str(finding["evidence"]))
        self.assertEqual(result.doc["probes"][0]["changed"], [f"{self.host}/by-probe"])

    def test_a_name_that_is_looked_up_counts(self) -> None:
        """Of a command, where neither it nor what answers is declared; not of a probe."""
        harness.need("getent")
        asks = ["sh", "-c", "getent hosts x.example; true"]
        undeclared = self.expect("[expect]\nnet = []\n", asks)
        self.assertEqual(self.unmet(undeclared), ["net"])
        self.assertIn("dns x.example", str(self.rules(undeclared)["expect.net"]["evidence"]))
        self.assertEqual(self.unmet(self.expect('[expect]\nnet = ["tcp:*.example:80"]\n', asks)), [])
        self.assertEqual(self.unmet(self.expect('[expect]\nnet = []\n[[probe]]\nrun = ["sh", "-c", "sleep 0.1; getent hosts x.example; true"]\n', ["true"])), [])

    def test_its_processes_are_told_from_the_action(self) -> None:
        result = self.expect('[expect]\nnet = []\n[[probe]]\nrun = ["sh", "-c", "curl -s http://203.0.113.9/; ls /nonexistent; exit 0"]\n', ["true"])
        self.assertEqual(self.unmet(result), [])
        roles = {p["comm"]: p["role"] for p in result.doc["processes"]}
        self.assertEqual((roles["true"], roles["curl"], roles["ls"]), ("action", "probe", "probe"))
        self.assertEqual([f["rule"] for f in result.doc["verdict"]["findings"] if f["rule"].startswith("failure.")], [])

    def test_one_that_does_not_end_and_one_that_is_not_there(self) -> None:
        result = self.expect('[[probe]]\nrun = ["sh", "-c", "sleep 100 & sleep 100"]\ntimeout = "300ms"\n[[probe]]\nrun = ["rehearse-no-such-program"]\n[[probe]]\nrun = ["true"]\n', ["true"])
        self.assertLess(result.seconds, 10 * harness.SLOW)
        slow, missing, good = result.doc["probes"]
        self.assertEqual((slow["timed_out"], slow["met"]), (True, False))
        self.assertEqual((missing["ran"], missing["exit"], missing["met"]), (False, 127, False))
        self.assertTrue(good["met"])
        self.assertEqual(len(self.rules(result)["expect.probe"]["evidence"]), 4)

    def test_one_that_floods(self) -> None:
        result = self.expect('[[probe]]\nrun = ["sh", "-c", "head -c 50000000 /dev/zero; printf \\"\\\\033[2J\\" >&2; exit 1"]\ntimeout = "60s"\n', ["true"])
        self.assertLess(len(result.out), 1_000_000)
        self.assertNotIn("\033", self.report(result))

    def test_its_time_is_not_the_action_s(self) -> None:
        result = self.expect('[expect]\nwall = "<900ms"\n[[probe]]\nrun = ["sleep", "1"]\n', ["true"], "--timeout", "950ms")
        self.assertEqual(self.unmet(result), [])
        self.assertFalse(result.doc["command"]["timed_out"])

    def test_no_probe_after_an_action_that_was_killed(self) -> None:
        result = self.expect('[expect]\nexit = 0\n[[probe]]\nrun = ["true"]\n', ["sleep", "100"], "--timeout", "200ms")
        self.assertEqual(self.unmet(result), ["exit", "probe"])
        self.assertIn("not run", result.doc["expectations"][1]["got"])

    def test_without_a_trace(self) -> None:
        result = self.expect('[expect]\nexit = 0\nnet = []\n[[probe]]\nrun = ["true"]\n', ["true"], "--no-trace")
        self.assertEqual(self.unmet(result), ["net"])

    def test_root_profile(self) -> None:
        result = self.expect('[[probe]]\nrun = ["id", "-u"]\nstdout = ["0"]\n', ["true"], "--profile", "root")
        self.assertEqual(self.unmet(result), [], result.doc["probes"])

    def test_on_a_terminal(self) -> None:
        import pty

        path = self.base / "expect.toml"
        path.write_text('schema = "rehearse.expect/1"\n[[probe]]\nrun = ["sh", "-c", "test -t 0 && exit 9; echo fine"]\nstdout = ["fine"]\n', encoding="ascii")
        status = pty.spawn([self.rehearse, "--state", str(self.state), "run", "-t", "always", "--expect", str(path), "--", "true"], lambda fd: b"" if not os.read(fd, 4096) else b".")
        self.assertIn(os.waitstatus_to_exitcode(status), harness.RAN)
        self.assertTrue(self.call("show", "last").doc["probes"][0]["met"])


class Claims(ExpectCase):
    def test_a_claim_stands_beside_what_happened(self) -> None:
        result = self.run_in(["sh", "-c", f"echo x > {self.host}/made"], "--claim", "changes nothing \033[2J at all")
        self.assertEqual(result.doc["action"]["claimed"], "changes nothing \033[2J at all")
        report = self.report(result)
        self.assertIn("Claimed by the requester, not verified", report)
        self.assertIn("changes nothing \\u{001B}[2J at all", report)
        self.assertRegex(report, r"What happened: \+1 file.*exit 0")
        self.assertNotIn("\033[2J", report)

    def test_from_the_environment_and_bounded(self) -> None:
        result = self.run_in(["true"], env={**os.environ, "REHEARSE_CLAIM": "from the environment"})
        self.assertEqual(result.doc["action"]["claimed"], "from the environment")
        self.assertIsNone(self.run_in(["true"]).doc["action"]["claimed"])
        self.assertEqual(self.run_in(["true"], "--claim", "x" * 20000).code, harness.USAGE)


if __name__ == "__main__":
    harness.main()
