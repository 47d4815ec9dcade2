"""What a run asked of the service manager is asked of the host's when it is promoted, in order, and taken back by a rollback.

The host's manager is played by manager_server (test_service_manager.py); test_systemd.py has a real one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import harness
import test_manager
from promotion import STALE, PromoteCase, Tree, main_in_private_mounts

DIVERGED, INCOMPLETE = 15, 17
SERVER = os.environ.get("MANAGER_SERVER", "")
SOCKET = Path("/run/systemd/private")


class Units(PromoteCase):
    def setUp(self) -> None:
        super().setUp()
        if not SERVER:
            harness.skip("MANAGER_SERVER does not name the server")
        harness.need("systemctl")
        # In this process's own mount namespace: a host that systemd runs, as far as /run tells.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", "/run"], check=True)
        os.makedirs("/run/systemd/system")
        for name, text in test_manager.UNITS.items():
            Path("/run/systemd/system", name).write_text(text, encoding="ascii")
        self.records = self.base / "records"
        self.serve()
        (self.host / "f").write_text("old\n")

    def serve(self, loaded: str = test_manager.LOADED) -> None:
        (self.base / "list").write_text(loaded, encoding="ascii")
        server = subprocess.Popen([SERVER, str(SOCKET), str(self.records), "/", "--units", str(self.base / "list")], stderr=subprocess.DEVNULL)
        self.server = server
        self.addCleanup(self.end_server, server)
        self.assertTrue(harness.wait_for(SOCKET.exists))

    @staticmethod
    def end_server(server: subprocess.Popen[bytes]) -> None:
        if server.poll() is None:
            server.send_signal(signal.SIGCONT)
            server.kill()
            server.wait()
        SOCKET.unlink(missing_ok=True)

    def asked(self) -> list[str]:
        """What the host's manager was asked since the last time, beside how things are."""
        lines = [json.loads(line) for line in self.records.read_text(encoding="utf-8").splitlines()] if self.records.exists() else []
        self.records.write_text("", encoding="ascii") if self.records.exists() else None
        return [f"{r['request']} {r['unit']} {r['mode']}".strip() for r in lines if r["request"] != "query"]

    def steps(self, result: harness.Result) -> list[str]:
        return [f"{u['result']} {u['request']} {u['unit']}".strip() for u in result.doc["units"]]

    def state_of(self, unit: str) -> str:
        return subprocess.run(["systemctl", "is-active", unit], capture_output=True, text=True, check=False).stdout.strip()

    def files_there(self) -> dict[str, bool]:
        """Of each unit that the host's manager was asked to change: whether its file was there when it was asked."""
        lines = [json.loads(line) for line in self.records.read_text(encoding="utf-8").splitlines()]
        return {r["unit"]: r["file"] for r in lines if r["request"] != "query" and r["unit"]}

    def served_anew(self, *units: str) -> None:
        """By a manager that has these loaded too, or otherwise: "app.service loaded active running App"."""
        self.end_server(self.server)
        names = {unit.split()[0] for unit in units}
        kept = [line for line in test_manager.LOADED.splitlines() if line.split()[0] not in names]
        self.serve("\n".join([*kept, *units]) + "\n")

    SCRIPT = "echo new >>f; systemctl stop web; systemctl enable cron.service 2>/dev/null; systemctl daemon-reload; systemctl start cron; systemctl start web; systemctl kill -s HUP web; systemctl status web >/dev/null; true"

    def test_in_order_and_back(self) -> None:
        run = self.try_out(self.SCRIPT)
        self.assertEqual(self.asked(), [])
        before = Tree(self.host)
        name = self.approve(run)
        dry = self.call("promote", name, "--dry-run")
        self.assertEqual(dry.code, 0, (dry.doc["moved"], dry.err))
        wanted = ["stop web.service", "daemon-reload", "start cron.service", "start web.service", "kill web.service"]
        self.assertEqual(self.steps(dry), [f"pending {step}" for step in wanted])
        self.assertEqual([u["irreversible"] for u in dry.doc["units"]], [False] * 4 + [True])
        text = self.call("promote", name, "--dry-run", json_out=False).out.decode()
        self.assertRegex(text, r"unit requests \(5\)\n  pending     stop web.service\n  pending     daemon-reload\n")
        self.assertEqual(self.asked(), [])
        trial = self.call("show", run.doc["id"]).doc["rollback"]
        self.assertEqual((trial["verified"], trial["irreversible"]), (True, ["service manager: kill (SIGHUP all) web.service"]), trial)
        done = self.call("promote", name)
        self.assertEqual(done.code, 0, (done.out, done.err))
        self.assertEqual(self.steps(done), [f"done {step}" for step in wanted])
        self.assertEqual([(u["before"], u["after"]) for u in done.doc["units"]],
                         [("active", "inactive"), ("", ""), ("inactive", "active"), ("inactive", "active"), ("active", "active")])
        self.assertEqual(self.asked(), ["stop web.service replace", "daemon-reload", "start cron.service replace", "start web.service replace", "kill web.service SIGHUP all"])
        self.assertEqual((self.host / "f").read_text(), "old\nnew\n")
        rows = self.ledger("SELECT promotion, number, verb, unit, result, state_before, state_after FROM unit_steps ORDER BY number")
        self.assertEqual([(r["promotion"], r["verb"], r["result"]) for r in rows], [(f"{run.doc['id']}/1", step.split()[0], "done") for step in wanted])
        back = self.call("rollback", run.doc["id"])
        self.assertEqual(back.code, 0, (back.out, back.err))
        self.assertEqual(self.steps(back), ["done stop cron.service", "done daemon-reload", "done try-restart web.service", "left kill web.service"])
        self.assertTrue(back.doc["units"][3]["irreversible"])
        self.assertEqual(self.asked(), ["stop cron.service replace", "daemon-reload", "try-restart web.service replace"])
        self.assert_same(before, self.host)
        self.assertEqual(self.call("rollback", run.doc["id"]).doc["result"], "nothing to do")
        self.assertEqual((self.state_of("cron"), self.state_of("web")), ("inactive", "active"))
        self.promote(run)  # and again
        self.assertEqual(len(self.asked()), 5)

    def test_nothing_but_requests(self) -> None:
        run = self.try_out("systemctl restart web; systemctl stop host-only.socket; cat f >/dev/null")
        self.promote(run)
        self.assertEqual(self.asked(), ["restart web.service replace", "stop host-only.socket replace"])
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, back.doc["result"]), (0, "rolled back"), back.out)
        self.assertEqual(self.asked(), ["start host-only.socket replace", "try-restart web.service replace"][::-1])
        self.assertEqual(self.call("rollback", run.doc["id"]).doc["result"], "nothing to do")
        self.assertEqual(self.asked(), [])

    def test_the_files_alone(self) -> None:
        run = self.try_out("echo new >>f; echo g >g; systemctl restart web")
        name = self.approve(run)
        done = self.call("promote", name, "--no-units")
        self.assertEqual((done.code, self.steps(done), done.doc["units"][0]["detail"]), (0, ["left restart web.service"], "--no-units"), done.err)
        self.call("rollback", run.doc["id"])
        done = self.promote(run, "--only", str(self.host / "g"))
        self.assertEqual(self.steps(done), ["left restart web.service"])
        self.assertEqual(self.asked(), [])

    def test_requests_of_a_part(self) -> None:
        """Those of units whose files the part brings."""
        unit = "[Service]\nExecStart=/bin/sleep 9\n"
        for name in ("ours.service", "other.service"):
            self.addCleanup(Path("/run/systemd/system", name).unlink, missing_ok=True)
        run = self.try_out(f"echo new >>f; cd /run/systemd/system; for i in ours other; do printf '{unit}' >$i.service; done; mkdir other.service.d; echo >other.service.d/a.conf;"
                           "systemctl daemon-reload; systemctl start ours; systemctl start other; systemctl restart web")
        name = self.approve(run)
        done = self.call("promote", name, "--only", str(self.host / "f"))
        self.assertEqual((done.code, self.steps(done)), (0, ["left daemon-reload", "left start ours.service", "left start other.service", "left restart web.service"]), done.err)
        self.assertEqual(self.asked(), [])
        done = self.promote(run, "--only", "/run/systemd/system/ours.service", "--only", "/run/systemd/system/other.service")
        self.assertEqual(self.steps(done), ["done daemon-reload", "done start ours.service", "left start other.service", "left restart web.service"], done.out)
        self.assertEqual(self.asked(), ["daemon-reload", "start ours.service replace"])
        self.assertIn("not all files", done.doc["units"][2]["detail"])

    def test_a_request_that_fails_is_said(self) -> None:
        run = self.try_out("echo new >>f; systemctl start once; systemctl restart web")
        name = self.approve(run)
        os.unlink("/run/systemd/system/once.service")
        done = self.call("promote", name, "--accept", "/run/systemd/system/once.service")
        self.assertEqual(done.code, DIVERGED, (done.out, done.err))
        self.assertEqual((done.doc["result"], self.steps(done)), ("promoted", ["failed start once.service", "done restart web.service"]))
        self.assertIn("once.service not found", done.doc["units"][0]["detail"])
        self.assertIn("start once.service", done.doc["why"])
        self.assertEqual((self.host / "f").read_text(), "old\nnew\n")
        row = self.ledger("SELECT result, detail FROM promotions")[0]
        self.assertEqual((row["result"], "once.service" in row["detail"]), ("done", True))
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, self.steps(back)), (0, ["done try-restart web.service"]), back.out)
        self.assertEqual((self.host / "f").read_text(), "old\n")

    def test_a_manager_that_does_not_answer(self) -> None:
        run = self.try_out("echo new >>f; systemctl restart web")
        name = self.approve(run)
        self.server.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        done = self.call("promote", name, "--unit-wait", "1s")
        self.assertEqual((done.code, self.steps(done)), (DIVERGED, ["failed restart web.service"]), done.out)
        self.assertIn("no answer within", done.doc["units"][0]["detail"])
        self.assertLess(time.monotonic() - started, 20 * harness.SLOW)
        self.assertEqual((self.host / "f").read_text(), "old\nnew\n")
        self.server.send_signal(signal.SIGCONT)
        self.assertEqual(self.own_systemctls(), [])

    @staticmethod
    def own_systemctls() -> list[int]:
        """Those of this test's mount namespace: what others run, rehearsals among them, is none of its business."""
        def is_own(pid: str) -> bool:
            try:
                return Path(f"/proc/{pid}/comm").read_text(encoding="ascii") == "systemctl\n" and os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
            except OSError:
                return False
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and is_own(pid)]

    def test_a_rollback_whose_requests_fail(self) -> None:
        run = self.try_out("echo new >>f; systemctl stop web")
        self.promote(run)
        os.unlink("/run/systemd/system/web.service")
        self.end_server(self.server)
        self.serve(test_manager.LOADED.replace("web.service loaded active running A web server\n", ""))
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, self.steps(back)), (INCOMPLETE, ["failed start web.service"]), (back.out, back.err))
        self.assertEqual((self.host / "f").read_text(), "old\n")

    def test_on_a_host_without_systemd(self) -> None:
        run = self.try_out("echo new >>f; systemctl restart web")
        name = self.approve(run)
        self.end_server(self.server)
        os.rename("/run/systemd", "/run/away")
        for words in (["--dry-run"], []):
            refused = self.call("promote", name, "--accept", "/run", *words)
            self.assertEqual((refused.code, (self.host / "f").read_text()), (harness.UNAVAILABLE, "old\n"), refused.err)
            self.assertIn(b"--no-units", refused.err)
        self.assertEqual(self.call("promote", name, "--accept", "/run", "--no-units").code, 0)

    def test_stale_files_ask_for_nothing(self) -> None:
        run = self.try_out("echo new >>f; systemctl restart web")
        name = self.approve(run)
        (self.host / "f").write_text("edited\n")
        self.assertEqual(self.call("promote", name).code, STALE)
        self.assertEqual(self.asked(), [])

    def test_hostile_names(self) -> None:
        """What the action says on the socket itself: patterns and options are nobody's units."""
        client = self.base / "client.py"
        client.write_text(
            "import socket, struct, sys\n"
            "def string(s): return struct.pack('<I', len(s)) + s + b'\\0'\n"
            "def align(b, n): return b + b'\\0' * (-len(b) % n)\n"
            "def field(code, sig, value): return bytes([code, 1]) + sig + b'\\0' + value\n"
            "for unit, mode in ((b'web.service', b'replace'), (b'*.service', b'replace'), (b'--root=x.service', b'replace'), (b'web.service', b'--force')):\n"
            "    body = align(string(unit), 4) + string(mode)\n"
            "    fields = b''\n"
            "    for code, sig, value in ((1, b'o', string(b'/org/freedesktop/systemd1')), (2, b's', string(b'org.freedesktop.systemd1.Manager')), (3, b's', string(b'StopUnit')), (8, b'g', b'\\2ss\\0')):\n"
            "        fields = align(fields, 8) + field(code, sig, value)\n"
            "    call = align(struct.pack('<cBBBIII', b'l', 1, 1, 1, len(body), 1, len(fields)) + fields, 8) + body\n"
            "    s = socket.socket(socket.AF_UNIX); s.connect('/run/systemd/private')\n"
            "    s.sendall(b'\\0AUTH EXTERNAL\\r\\nDATA\\r\\nBEGIN\\r\\n' + call); s.recv(1000); s.close()\n", encoding="ascii")
        run = self.try_out(f"python3 -I {client}")
        self.promote(run)
        self.assertEqual(self.asked(), ["stop web.service replace"])

    def test_killed_while_it_asks(self) -> None:
        """The files are in place; what was not asked is named, and not asked by surprise."""
        run = self.try_out("echo new >>f; systemctl stop web; systemctl start cron")
        name = self.approve(run)
        self.server.send_signal(signal.SIGSTOP)
        process = subprocess.Popen(self.command("promote", name), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.assertTrue(harness.wait_for(lambda: self.ledger_rows("SELECT 1 FROM unit_steps WHERE result = 'begun' OR result = 'pending'") and (self.host / "f").read_text() == "old\nnew\n"))
        time.sleep(0.3)
        process.kill()
        process.wait()
        for pid in self.own_systemctls():
            os.kill(pid, signal.SIGKILL)
        self.server.send_signal(signal.SIGCONT)
        recovered = self.call("recover")
        self.assertEqual(recovered.code, DIVERGED, recovered.out)
        one = recovered.doc["recovered"][0]
        self.assertEqual(one["result"], "finished")
        self.assertIn("start cron.service", " ".join(one["units"]))
        self.assertEqual(self.state_of("cron"), "inactive")
        self.assertEqual((self.host / "f").read_text(), "old\nnew\n")
        self.assertEqual(self.call("recover").doc["recovered"], [])
        self.assertEqual({row["result"] for row in self.ledger("SELECT result FROM unit_steps")}, {"interrupted"})
        self.assertEqual(self.call("rollback", run.doc["id"]).code, 0)
        self.assertEqual((self.host / "f").read_text(), "old\n")

    def test_what_followed_is_taken_back_with_it(self) -> None:
        subprocess.run(["systemctl", "start", "app"], check=True)
        run = self.try_out("systemctl start chain")  # pulls in once, conflicts with app
        self.promote(run)
        self.assertEqual([self.state_of(unit) for unit in ("once", "app")], ["active", "inactive"])
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, self.steps(back)), (0, ["done stop chain.service", "done stop once.service", "done start app.service"]), back.out)
        self.assertEqual([self.state_of(unit) for unit in ("once", "app", "web")], ["inactive", "active", "active"])

    def test_what_ran_and_has_ended_is_named(self) -> None:
        run = self.try_out("echo new >>f; systemctl start job")
        self.promote(run)
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, self.steps(back), back.doc["units"][0]["irreversible"]), (0, ["left start job.service"], True), back.out)
        self.assertIn("has ended", back.doc["units"][0]["detail"])

    def test_an_alias_is_no_second_unit(self) -> None:
        os.symlink("web.service", "/run/systemd/system/www.service")
        self.served_anew("web.service loaded inactive dead A web server")
        run = self.try_out("systemctl start www; systemctl stop web")
        self.promote(run)
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, self.steps(back)), (0, []), back.out)
        self.assertEqual(self.state_of("web"), "inactive")

    OURS = "cd /run/systemd/system; printf '[Service]\nExecStart=/bin/sleep 9\n' >ours.service; systemctl daemon-reload; systemctl start ours"

    def test_stopped_while_its_file_is_there(self) -> None:
        run = self.try_out("systemctl disable --now web 2>/dev/null; rm /run/systemd/system/web.service; systemctl daemon-reload; systemctl start cron")
        done = self.promote(run)
        self.assertEqual(self.steps(done), ["done stop web.service", "done daemon-reload", "done start cron.service"])
        self.assertTrue(self.files_there()["web.service"])
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, self.steps(back)), (0, ["done stop cron.service", "done daemon-reload", "done start web.service"]), back.out)
        self.assertTrue(self.files_there()["web.service"])
        run = self.try_out(self.OURS)
        self.promote(run)
        self.asked()
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, self.steps(back)), (0, ["done stop ours.service", "done daemon-reload"]), back.out)
        self.assertEqual((self.files_there(), os.path.exists("/run/systemd/system/ours.service")), ({"ours.service": True}, False))

    def hung(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A rehearse that waits for a manager that does not answer, before it has touched a file."""
        self.server.send_signal(signal.SIGSTOP)
        process = subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertTrue(harness.wait_for(lambda: self.asking(process) != []))
        return process

    def asking(self, process: subprocess.Popen[bytes]) -> list[int]:
        """Its calls of systemctl that go on."""
        found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        return sorted(set(map(int, found)) & set(self.own_systemctls()))

    def test_stopped_for_files_that_stay(self) -> None:
        """What was stopped before the files runs again if they cannot follow: an edit in the last moment."""
        run = self.try_out("echo new >>f; systemctl stop web; rm /run/systemd/system/web.service; systemctl daemon-reload")
        process = self.hung("promote", self.approve(run))
        (self.host / "f").write_text("edited\n")
        self.server.send_signal(signal.SIGCONT)
        doc = json.loads(process.communicate()[0])
        self.assertEqual((process.returncode, [f"{u['result']} {u['request']} {u['unit']}" for u in doc["units"]]), (STALE, ["done stop web.service", "left daemon-reload ", "done start web.service"]), doc)
        self.assertEqual((self.state_of("web"), (self.host / "f").read_text()), ("active", "edited\n"))
        self.assertEqual(self.ledger("SELECT * FROM unit_steps") + self.ledger("SELECT * FROM unit_states"), [])

    def test_killed_before_the_files(self) -> None:
        run = self.try_out("echo new >>f; " + self.OURS)
        self.promote(run)
        self.asked()
        number = self.ledger("SELECT count(*) AS n FROM unit_steps")[0]["n"]
        process = self.hung("rollback", run.doc["id"])
        asking = self.asking(process)
        process.kill()
        process.wait()
        for pid in asking:
            os.kill(pid, signal.SIGKILL)
        self.server.send_signal(signal.SIGCONT)
        self.assertEqual(self.call("recover").doc["recovered"][0]["result"], "undone")
        self.assertEqual(self.ledger("SELECT count(*) AS n FROM unit_steps")[0]["n"], number)
        self.assertEqual((self.host / "f").read_text(), "old\nnew\n")
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, self.steps(back), self.state_of("ours")), (0, ["done stop ours.service", "done daemon-reload"], "inactive"), back.out)

    def test_cut_off_is_undone_by_where_the_unit_is_now(self) -> None:
        run = self.try_out("echo new >>f; systemctl start cron")
        self.promote(run)
        # As a promotion leaves it that was killed while the unit came up.
        self.ledger_write("UPDATE unit_steps SET result = 'interrupted', state_after = ''", "UPDATE unit_states SET state_after = ''")
        back = self.call("rollback", run.doc["id"])
        self.assertEqual((back.code, self.steps(back), self.state_of("cron")), (0, ["done stop cron.service"], "inactive"), back.out)

    def ledger_write(self, *statements: str) -> None:
        with contextlib.closing(sqlite3.connect(self.state / "ledger.db")) as database, database:
            for statement in statements:
                database.execute(statement)

    def ledger_rows(self, query: str) -> list[object]:
        try:
            return self.ledger(query)
        except Exception:  # pylint: disable=broad-except  # the table is being made
            return []


if __name__ == "__main__":
    main_in_private_mounts()
