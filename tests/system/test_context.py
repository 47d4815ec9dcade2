"""What lies around a run: who is affected by its changes, and what became of other runs of the same action."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess

import harness
from harness import Case, Document, Result


class Affected(Case):
    def affected(self, result: Result) -> Document:
        document = self.call("show", result.doc["id"]).doc["affected"]
        self.assertTrue(document["complete"])
        return document

    def of_process(self, document: Document, pid: int) -> Document | None:
        return next((one for one in document["who"] if pid in [p["pid"] for p in one["processes"]]), None)

    def test_who_holds_what_changes(self) -> None:
        data, program = self.host / "data", self.host / "program"
        data.write_text("a\n", encoding="ascii")
        shutil.copy("/bin/sleep", program)
        with open(data, "rb") as held:
            reader = subprocess.Popen(["sleep", "600"], stdin=held)
            runner = subprocess.Popen([str(program), "600"])
            try:
                self.assertTrue(harness.wait_for(lambda: os.readlink(f"/proc/{runner.pid}/exe") == str(program)))
                result = self.shell(f"echo b >>{data}; rm {program}; echo new >{self.host}/new")
                document = self.affected(result)
                self.assertIn(f"reads {data}", self.of_process(document, reader.pid)["reasons"])
                self.assertIn(f"executes {program}", self.of_process(document, runner.pid)["reasons"])
                # The report of the run itself has it too.
                self.assertIsNotNone(self.of_process(result.doc["affected"], reader.pid))
                text = self.call("show", result.doc["id"], json_out=False).out.decode()
                self.assertIn("Who is affected, as of now", text)
                # In a unit of systemd's it is one of several.
                self.assertRegex(text, rf"sleep \(pid {reader.pid}\)|\.(scope|service), \d+ processes: ")
            finally:
                for process in (reader, runner):
                    process.kill()
                    process.wait()
        self.assertIsNone(self.of_process(self.affected(result), reader.pid))

    def test_what_listens_is_said(self) -> None:
        harness.need("python3")
        data = self.host / "data"
        data.write_text("a\n", encoding="ascii")
        server = subprocess.Popen(["python3", "-c", f"import socket,time; f=open({str(data)!r}); s=socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); time.sleep(600)"],
                                  stdout=subprocess.PIPE, text=True)
        try:
            port = int(server.stdout.readline())
            document = self.affected(self.shell(f"echo b >>{data}"))
            self.assertIn(f"tcp {port}", self.of_process(document, server.pid)["listens"])
        finally:
            server.kill()
            server.communicate()

    def test_units_whose_files_change(self) -> None:
        result = self.shell("mkdir -p /etc/systemd/system/rh-trial.service.d; echo '[Service]' >/etc/systemd/system/rh-trial.service.d/x.conf")
        units = {one["unit"]: one["reasons"] for one in self.affected(result)["who"]}
        self.assertIn("its unit file changes: /etc/systemd/system/rh-trial.service.d/x.conf", units["rh-trial.service"])

    def test_what_changes_nothing_affects_nobody(self) -> None:
        self.assertNotIn("affected", self.call("show", self.shell("true").doc["id"]).doc)


class History(Case):
    def history(self, result: Result) -> Document:
        return self.call("show", result.doc["id"]).doc["history"]

    def test_other_runs_of_the_same_action(self) -> None:
        file = self.host / "f"
        script = f"test -e {self.host}/bad && exit 3; echo a >{file}"
        first = self.shell(script)
        self.assertNotIn("history", self.call("show", first.doc["id"]).doc)
        second = self.shell(script)
        history = self.history(second)
        self.assertEqual((history["runs"], history["same_effects"], history["clean_streak"]), (1, 1, 2))
        self.assertAlmostEqual(history["failure_bound_95"], 0.776, places=2)
        self.assertEqual([run["id"] for run in history["latest"]], [first.doc["id"]])
        (self.host / "bad").touch()
        third = self.shell(script, expect=3)
        history = self.history(third)
        self.assertEqual((history["runs"], history["same_effects"], history["clean_streak"]), (2, 0, 0))
        again = self.history(second)
        self.assertEqual([(run["id"], run["exit"], run["same_effects"]) for run in again["latest"]], [(third.doc["id"], 3, False), (first.doc["id"], 0, True)])
        self.assertIn("command", again["latest"][0]["unclean"])
        text = self.call("show", second.doc["id"], json_out=False).out.decode()
        self.assertIn("2 other runs of this action, 1 with the same effects", text)
        # What the ledger knows stays when a run goes.
        self.assertEqual(self.call("rm", first.doc["id"]).code, 0)
        self.assertEqual(self.history(second)["runs"], 2)
        self.assertNotIn("history", self.call("show", self.shell("echo other").doc["id"]).doc)


    def test_who_runs_it_at_a_terminal_sees_the_earlier_ones(self) -> None:
        harness.need("script")
        command = shlex.join(self.command("run", "--cwd", str(self.host), "--", "sh", "-c", f"echo a >{self.host}/f", json_out=False))
        reports = [subprocess.run(["script", "-qec", command, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, check=False).stdout.decode() for _ in range(2)]
        self.assertIn("Kept", reports[0])
        self.assertNotIn("other run", reports[0])
        self.assertIn("1 other run of this action, 1 with the same effects", reports[1])


class Html(Case):
    def test_one_file_that_loads_and_runs_nothing(self) -> None:
        result = self.shell(f"echo '<b>&' >{self.host}/'<img src=x>'; echo '* * * * * root id' >/etc/cron.d/x; printf '</script>'", "--claim", "<script>alert(1)</script>")
        target = self.base / "report.html"
        done = self.call("show", result.doc["id"], "--html", str(target), json_out=False)
        self.assertEqual((done.code, done.out), (0, b""), done.err)
        self.assertEqual(target.stat().st_mode & 0o777, 0o600)
        page = target.read_text(encoding="utf-8")
        self.assertIn("default-src 'none'; style-src 'sha256-", page)
        for part in ("<img", "alert(1)</script>", "href=\"http", "src=\"", "url(", "@import"):
            self.assertNotIn(part, page)
        self.assertIn("&lt;img src=x&gt;", page)
        self.assertIn('id="f-latent.cron-1"', page)
        data = page.split('<script type="application/json" id="document">')[1].split("</script>")[0]
        self.assertEqual(json.loads(data)["digest"], result.doc["digest"])
        # Not over what is there, but if that is asked for; and to standard output.
        target.write_text("mine", encoding="ascii")
        refused = self.call("show", result.doc["id"], "--html", str(target), json_out=False)
        self.assertEqual((refused.code, target.read_text(encoding="ascii")), (harness.CANT_CREATE, "mine"))
        self.assertIn(b"add --force", refused.err)
        self.assertEqual(self.call("show", result.doc["id"], "--html", str(target), "--force", json_out=False).code, 0)
        self.assertTrue(target.read_text(encoding="utf-8").startswith("<!doctype html>"))
        self.assertEqual(self.call("show", result.doc["id"], "--force", json_out=False).code, harness.USAGE)
        self.assertTrue(self.call("show", result.doc["id"], "--html", "-", json_out=False).out.startswith(b"<!doctype html>"))

    def test_what_is_wrong_is_said(self) -> None:
        run = self.shell("true").doc["id"]
        self.assertEqual(self.call("show", run, "--html", str(self.base / "x")).code, harness.USAGE)
        self.assertFalse((self.base / "x").exists())
        self.assertNotEqual(self.call("show", run, "--html", "/nonexistent/x", json_out=False).code, 0)
        for forms in (("--md", "--sarif"), ("--md", "--html", "-"), ("--sarif", "--why")):
            self.assertEqual(self.call("show", run, *forms, json_out=False).code, harness.USAGE, forms)


class OtherForms(Case):
    def test_markdown_and_sarif(self) -> None:
        (self.host / "old").touch()
        result = self.shell(f"echo '* * * * * root id' >/etc/cron.d/x; useradd rh-ann; rm {self.host}/old", "--claim", "nothing at all")
        run = result.doc["id"]
        text = self.call("show", run, "--md", json_out=False).out.decode()
        self.assertTrue(text.startswith("## RED"), text[:100])
        for part in ("latent.cron", "file: /etc/cron.d/x", "user-added rh-ann", f"− {self.host}/old", "Claimed by the requester, not verified", "rollback  not tried yet", result.doc["digest"]):
            self.assertIn(part, text)
        found = json.loads(self.call("show", run, "--sarif", json_out=False).out)["runs"][0]
        places = [place["physicalLocation"]["artifactLocation"]["uri"] for one in found["results"] if one["ruleId"] == "latent.cron" for place in one["locations"]]
        self.assertEqual((places, found["properties"]["verdict"]), (["file:///etc/cron.d/x"], "red"))

    def test_the_head_of_the_report(self) -> None:
        text = self.call("show", self.shell(f"echo a >{self.host}/f; useradd rh-ann", "--env", "RH_MODE=a b").doc["id"], json_out=False).out.decode()
        self.assertRegex(text, r"\n  program   /\S+  sha256:[0-9a-f]{64}\n")
        self.assertRegex(text, r"\n  digest    sha256:[0-9a-f]{64}\n            [a-z]+( [a-z]+){7}\n")
        self.assertRegex(text, r"· [12] accounts? · ")
        self.assertRegex(text, r"\n  with      .*'RH_MODE=a b'\n")
        for part in ("all reversible", "by who asked for the run", "once, within 4", "Provenance"):
            self.assertIn(part, text)


if __name__ == "__main__":
    harness.main()
