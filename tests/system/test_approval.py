"""Who lets a run pass: approvals by several people, overrides, budgets, skips and standing approvals, and everything that is to stop a promotion."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import harness
from harness import GREEN, INCONCLUSIVE, NO_PERMISSION, RAN, RED, USAGE, Result
from promotion import DATA_ERROR, NOT_APPROVED, STALE, TRY_LATER, Image, PromoteCase, main_in_private_mounts

HALTED, CONFIG = 18, 78
ANN, BEN, CAL, EVE = 61001, 61002, 61003, 61004
PASSWD = "".join(f"{name}:x:{uid}:{uid}::/:/bin/sh\n" for name, uid in (("ann", ANN), ("ben", BEN), ("cal", CAL), ("eve", EVE)))
GROUP = "rh-operators:x:62001:ann,ben\nrh-incident:x:62002:cal\n"
TWO = '[approval.yellow]\nneed = 2\nroles = ["rh-operators"]\nttl = "1h"\n'
ONE = '[approval.yellow]\nroles = ["rh-operators"]\n'
OVERRIDE = '[override]\nroles = ["rh-incident"]\nmax_ttl = "2h"\nreview_within = "1d"\n'
LOGGED_IN = 'echo "$1" > /proc/self/loginuid && shift && exec "$@"'
# With people of its own, in a mount namespace of its own.
AMONG_PEOPLE = 'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 && exec "$@"'


class ApprovalCase(PromoteCase):
    shipped = None

    def setUp(self) -> None:
        super().setUp()
        if not os.path.exists("/proc/self/loginuid"):
            harness.skip("the kernel keeps no login users")
        self.passwd, self.group = self.base / "passwd", self.base / "group"
        self.passwd.write_text(Path("/etc/passwd").read_text() + PASSWD)
        self.group.write_text(Path("/etc/group").read_text() + GROUP)
        (self.host / "f").write_text("old\n")

    def line(self, uid: int, *arguments: str, json_out: bool = True) -> list[str]:
        logged_in = ["sh", "-c", LOGGED_IN, "sh", str(uid), *self.command(*arguments, json_out=json_out)]
        if arguments[0] == "run":  # nobody is looked up, and the host is shown as it is
            return logged_in
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", AMONG_PEOPLE, "sh", str(self.passwd), str(self.group), *logged_in]

    def as_user(self, uid: int, *arguments: str) -> Result:
        """Without a terminal."""
        done = subprocess.run(self.line(uid, *arguments), capture_output=True, timeout=300 * harness.SLOW, check=False, stdin=subprocess.DEVNULL)
        return Result(done.returncode, done.stdout, done.stderr, 0)

    def person(self, uid: int, *arguments: str) -> tuple[int, str]:
        """At a terminal."""
        pid, master = pty.fork()
        if pid == 0:
            try:
                line = self.line(uid, *arguments, json_out=False)
                os.execvp(line[0], line)
            finally:
                os._exit(127)
        output = b""
        with contextlib.suppress(OSError):
            while piece := os.read(master, 4096):
                output += piece
        os.close(master)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output.decode(errors="replace")

    def run_by(self, uid: int, script: str = "echo new >>f", *options: str) -> Result:
        result = self.as_user(uid, "run", "--cwd", str(self.host), *options, "--", "sh", "-c", script)
        self.assertIn(result.code, RAN, result.err[-2000:])
        return result

    def decide(self, uid: int, verb: str, run: Result, *options: str, expect: int = 0) -> str:
        code, output = self.person(uid, verb, self.name(run), "--reason", "because", *options)
        self.assertEqual(code, expect, output)
        return output

    def try_promote(self, run: Result, expect: int, part: str = "") -> Result:
        """Nothing changes on the host unless it is 0."""
        before = (self.host / "f").read_text()
        result = self.as_user(EVE, "promote", self.name(run))
        self.assertEqual(result.code, expect, (result.out[-2000:], result.err[-2000:]))
        self.assertIn(part, result.err.decode() + result.out.decode())
        if expect != 0:
            self.assertEqual((self.host / "f").read_text(), before)
            self.assertEqual(list((self.state / "promotions").glob("*")), [])
        return result

    def write_ledger(self, statement: str) -> None:
        with contextlib.closing(sqlite3.connect(self.state / "ledger.db")) as database, database:
            database.execute(statement)


class People(ApprovalCase):
    def test_two_of_them_and_not_the_requester(self) -> None:
        self.policy(TWO)
        run = self.run_by(ANN)
        self.assertEqual(run.doc["requester"]["loginuid"], ANN)
        self.decide(ANN, "approve", run, expect=NO_PERMISSION)   # requested it
        self.decide(EVE, "approve", run, expect=NO_PERMISSION)   # no member
        self.decide(BEN, "approve", run)
        self.try_promote(run, NOT_APPROVED, "approved by 1 (ben), the policy wants 2")
        self.decide(BEN, "approve", run)
        self.try_promote(run, NOT_APPROVED, "approved by 1 (ben)")
        other = self.run_by(EVE)
        self.decide(ANN, "approve", other)
        self.assertIn(f"next  rehearse --state {self.state} promote", self.decide(BEN, "approve", other))
        done = self.try_promote(other, 0)
        self.assertEqual(done.doc["authority"], "approved by ann, ben")
        self.assertEqual((self.host / "f").read_text(), "old\nnew\n")
        self.try_promote(other, NOT_APPROVED, f"is promoted already, by {other.doc['id']}/1, and is in effect")  # replayed
        # Every form of the report says who decided, and what was done since.
        shown = self.call("show", other.doc["id"])
        self.assertEqual([(d["verb"], d["uid"], d["reason"]) for d in shown.doc["decisions"]], [("approved", ANN, "because"), ("approved", BEN, "because")])
        self.assertEqual([(p["kind"], p["result"], p["uid"]) for p in shown.doc["promotions"]], [("promote", "done", EVE)])
        for form in ((), ("--md",), ("--html", "-")):
            text = self.call("show", other.doc["id"], *form, json_out=False).out.decode()
            for part in ("Decided, and done since", f"approved   by uid {BEN}", f"promoted   by uid {EVE}", "so far"):
                self.assertIn(part, text, form)
            self.assertNotIn("rehearse approve", text, form)
        waiting = self.call("show", run.doc["id"], json_out=False).out.decode()
        self.assertIn("so far    approved   by uid", waiting)

    def test_without_a_table_one_decides_about_runs_of_ones_own(self) -> None:
        self.policy("")
        run = self.run_by(ANN)
        self.decide(BEN, "approve", run, expect=NO_PERMISSION)
        self.decide(ANN, "approve", run)
        self.try_promote(run, 0, "approved by ann")

    def test_agents_and_units_do_not_decide(self) -> None:
        self.policy(ONE)
        run = self.run_by(EVE)
        for verb in ("approve", "reject", "revoke"):
            result = self.as_user(ANN, verb, self.name(run), "--reason", "x")
            self.assertEqual(result.code, NO_PERMISSION, result.err)
        self.try_promote(run, NOT_APPROVED)

    def test_root_is_whoever_became_root(self) -> None:
        if Path("/proc/self/loginuid").read_text() != "4294967295":
            harness.skip("somebody is logged in")
        self.policy("")
        # As sudo leaves it: a process with the user's real uid above one that is root's.
        script = ("import os,subprocess,sys; os.setresuid(int(sys.argv[1]),0,0); "
                  "sys.exit(subprocess.run(sys.argv[2:],preexec_fn=lambda: os.setresuid(0,0,0)).returncode)")
        line = ["python3", "-c", script, str(ANN), *self.command("run", "--cwd", str(self.host), "--", "sh", "-c", "echo new >>f")]
        done = subprocess.run(line, capture_output=True, check=False, stdin=subprocess.DEVNULL, env={**os.environ, "SUDO_UID": str(BEN)})
        run = Result(done.returncode, done.stdout, done.stderr, 0)
        self.assertEqual((run.doc["requester"]["uid"], run.doc["requester"]["sudo_uid"]), (0, ANN), "the kernel's word, not SUDO_UID's")

    def test_a_claimed_person_is_nobody_where_people_count(self) -> None:
        self.policy('[approval.yellow]\nroles = ["root"]\n')
        run = self.run_by(EVE)
        os.environ["SUDO_UID"] = str(ANN)
        self.addCleanup(os.environ.pop, "SUDO_UID")
        code, output = self.at_terminal("approve", self.name(run), "--reason", "x")
        self.assertEqual(code, NO_PERMISSION, output)
        self.assertIn(b"SUDO_UID alone", output)


    def test_a_claimed_requester_may_be_anybody(self) -> None:
        if Path("/proc/self/loginuid").read_text() != "4294967295":
            harness.skip("somebody is logged in")
        self.policy(ONE)
        os.environ["SUDO_UID"] = str(BEN)
        run = self.call("run", "--cwd", str(self.host), "--", "sh", "-c", "echo new >>f")
        del os.environ["SUDO_UID"]
        self.assertEqual((run.doc["requester"]["sudo_uid"], run.doc["requester"]["attested"]), (BEN, False))
        self.assertIn("who requested the run is known from SUDO_UID alone", self.decide(ANN, "approve", run, expect=NO_PERMISSION))
        self.try_promote(run, NOT_APPROVED)


class Stops(ApprovalCase):
    """What is to stop a promotion, each with its code; nothing changes."""

    def approved(self, policy: str = ONE) -> Result:
        self.policy(policy)
        run = self.run_by(EVE)
        self.decide(ANN, "approve", run)
        return run

    def test_expired(self) -> None:
        self.policy(ONE)
        run = self.run_by(EVE)
        self.decide(ANN, "approve", run, "--expires", "1ms")
        time.sleep(0.05)
        self.try_promote(run, NOT_APPROVED, "expired at")

    def test_longer_than_the_policy_lets(self) -> None:
        self.policy(TWO)
        self.decide(ANN, "approve", self.run_by(EVE), "--expires", "2h", expect=USAGE)

    def test_the_group_is_gone(self) -> None:
        run = self.approved()
        self.group.write_text(Path("/etc/group").read_text())
        self.try_promote(run, NOT_APPROVED, "in none of the groups")
        self.decide(BEN, "approve", self.run_by(EVE), expect=NO_PERMISSION)

    def test_taken_back(self) -> None:
        run = self.approved()
        self.decide(BEN, "revoke", run, expect=USAGE)  # has none
        self.decide(ANN, "revoke", run)
        self.try_promote(run, NOT_APPROVED, "taken back")
        self.decide(BEN, "approve", run)
        self.decide(EVE, "reject", run)
        self.try_promote(run, NOT_APPROVED, "rejected")

    def test_the_policy_has_moved(self) -> None:
        run = self.approved()
        self.policy(ONE + OVERRIDE)
        self.try_promote(run, STALE, "was judged by policy")
        self.decide(BEN, "approve", run, expect=STALE)

    def test_the_policy_cannot_be_read(self) -> None:
        run = self.approved()
        self.policy_file.write_text("nonsense")
        self.try_promote(run, CONFIG, "test.toml:1")
        self.decide(BEN, "approve", run, expect=CONFIG)

    def test_the_digest_is_off_by_one_bit(self) -> None:
        run = self.approved()
        digest = run.doc["digest"]
        wrong = digest[:-1] + format(int(digest[-1], 16) ^ 1, "x")
        result = self.as_user(EVE, "promote", f"{run.doc['id']}@{wrong}")
        self.assertEqual((result.code, (self.host / "f").read_text()), (NOT_APPROVED, "old\n"), result.err)

    def test_the_files_are_not_those_that_were_approved(self) -> None:
        run = self.approved()
        path = self.state / "runs" / run.doc["id"] / "run.json"
        path.write_text(path.read_text().replace('"policy.nothing-green"', '"policy.nothing-greem"', 1))
        self.try_promote(run, DATA_ERROR)

    def test_the_clock_went_back(self) -> None:
        run = self.approved()
        self.write_ledger("INSERT INTO promotions SELECT 'x/1', 'x', 'd', 'promote', 0, created_ns + 3600000000000, 0, 'done', 0, 0, '', 0, NULL, NULL, NULL, NULL FROM runs")
        self.try_promote(run, TRY_LATER, "the clock says")
        self.decide(BEN, "approve", run, expect=TRY_LATER)

    def test_facts_are_unknown(self) -> None:
        self.policy(ONE)
        run = self.run_by(EVE, "echo new >>f", "--no-trace")
        self.assertEqual(run.code, INCONCLUSIVE)
        self.decide(ANN, "approve", run, expect=INCONCLUSIVE)
        self.try_promote(run, INCONCLUSIVE)

    def test_red_needs_a_table_and_hard_stays(self) -> None:
        rule = '[[rule]]\nid = "site.f"\nlevel = "red"\nenforce = "{}"\nwhy = "w"\n[rule.match.file]\npath = "{}/f"\n'
        self.policy(rule.format("soft", self.host))
        run = self.run_by(EVE)
        self.assertEqual(run.code, RED)
        self.decide(EVE, "approve", run, expect=RED)
        self.try_promote(run, RED)
        tried = self.call("promote", self.name(run), "--dry-run")
        self.assertEqual((tried.code, tried.doc["result"], tried.doc["exit"], len(tried.doc["operations"])), (RED, "blocked", RED, 2), tried.out)
        self.assertIn("is red: policy blocks it", tried.doc["why"])
        (self.host / "f").write_text("moved")
        tried = self.call("promote", self.name(run), "--dry-run")
        self.assertEqual((tried.code, len(tried.doc["moved"])), (RED, 1), tried.out)
        red = '[approval.red]\nroles = ["rh-operators"]\n'
        self.policy(rule.format("hard", self.host) + red + OVERRIDE)
        run = self.run_by(EVE)
        self.decide(ANN, "approve", run, expect=RED)
        self.assertEqual(self.person(CAL, "override", self.name(run), "--reason", "x", "--ticket", "T", "--until", "1h")[0], RED)
        self.try_promote(run, RED)
        self.policy(rule.format("soft", self.host) + red)
        run = self.run_by(EVE)
        self.decide(ANN, "approve", run)
        self.try_promote(run, 0)

    def test_an_exception_has_expired(self) -> None:
        rule = '[[rule]]\nid = "site.f"\nlevel = "red"\nwhy = "w"\n[rule.match.file]\npath = "{0}/f"\n' \
               '[[exception]]\nrule = "site.f"\npath = "{0}/f"\nowner = "ann"\nreason = "r"\nexpires = 2999-01-01\n'
        self.policy(ONE + rule.format(self.host))
        os.utime(self.policy_file, (1, 1))
        run = self.run_by(EVE)
        self.assertEqual(run.code, harness.YELLOW, run.doc["verdict"]["findings"])
        # Nobody can wait for 2999: the record says that the exception it rested on ended earlier.
        path = self.state / "runs" / run.doc["id"] / "run.json"
        path.write_text(path.read_text().replace("2999-01-01", "2026-01-01"))
        self.decide(ANN, "approve", run, expect=NOT_APPROVED)
        self.try_promote(run, NOT_APPROVED, "expired on 2026-01-01")

    def test_two_promotions_race_for_one_approval(self) -> None:
        run = self.approved()
        codes: list[int] = []
        def one() -> None:
            codes.append(self.as_user(EVE, "promote", self.name(run)).code)
        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(codes), [0, NOT_APPROVED, NOT_APPROVED, NOT_APPROVED])
        self.assertEqual((self.host / "f").read_text(), "old\nnew\n")

    def test_two_approvals_race_and_one_promotion_uses_both(self) -> None:
        self.policy(ONE)
        run = self.run_by(EVE)
        codes: list[int] = []
        threads = [threading.Thread(target=lambda uid=uid: codes.append(self.person(uid, "approve", self.name(run), "--reason", "x")[0])) for uid in (ANN, BEN)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(codes, [0, 0])
        self.try_promote(run, 0, "approved by")
        self.assertEqual(self.as_user(EVE, "rollback", run.doc["id"]).code, 0)
        self.try_promote(run, NOT_APPROVED, "was used by")
        self.assertEqual(len(self.ledger("SELECT * FROM decision_uses")), 2)

    def test_decisions_are_only_added(self) -> None:
        self.approved()
        for statement in ("UPDATE decisions SET expires_ns = 0", "DELETE FROM decisions"):
            with self.assertRaises(sqlite3.IntegrityError):
                self.write_ledger(statement)


# What version 2 of the ledger had of decisions and promotions.
LEDGER_TWO = """
CREATE TABLE runs (id TEXT PRIMARY KEY NOT NULL, created_ns INTEGER NOT NULL, argv TEXT NOT NULL, verdict TEXT NOT NULL, exit INTEGER, signal INTEGER,
  created INTEGER NOT NULL DEFAULT 0, modified INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0, metadata INTEGER NOT NULL DEFAULT 0,
  renamed INTEGER NOT NULL DEFAULT 0, type INTEGER NOT NULL DEFAULT 0, identical INTEGER NOT NULL DEFAULT 0, written_bytes INTEGER NOT NULL DEFAULT 0,
  wall_ns INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, digest TEXT NOT NULL, requester_uid INTEGER NOT NULL DEFAULT 0, pinned INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE decisions (id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, digest TEXT NOT NULL, seal TEXT NOT NULL,
  verb TEXT NOT NULL CHECK (verb IN ('approved', 'rejected')), reason ANY NOT NULL, created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, used_by TEXT,
  uid INTEGER NOT NULL, loginuid INTEGER, sudo_uid INTEGER, tty ANY, unit ANY) STRICT;
CREATE INDEX decisions_by_run ON decisions (run);
CREATE TABLE promotions (id TEXT PRIMARY KEY NOT NULL, run TEXT NOT NULL, digest TEXT NOT NULL, kind TEXT NOT NULL, decision INTEGER NOT NULL,
  started_ns INTEGER NOT NULL, finished_ns INTEGER NOT NULL, result TEXT NOT NULL CHECK (result IN ('begun', 'done', 'rolled back', 'incomplete')),
  operations INTEGER NOT NULL, window_ns INTEGER NOT NULL, detail ANY NOT NULL,
  uid INTEGER NOT NULL, loginuid INTEGER, sudo_uid INTEGER, tty ANY, unit ANY) STRICT, WITHOUT ROWID;
CREATE INDEX promotions_by_run ON promotions (run);
PRAGMA user_version = 2;
"""


class OlderLedger(ApprovalCase):
    def test_decisions_are_taken_over_and_let_nothing_pass(self) -> None:
        self.policy("")
        run = self.run_by(EVE)
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (self.state / name).unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(self.state / "ledger.db")) as database, database:
            database.executescript(LEDGER_TWO)
            for used, login in (("'x/1'", "NULL"), ("NULL", str(EVE))):
                database.execute(f"INSERT INTO decisions (run, digest, seal, verb, reason, created_ns, expires_ns, used_by, uid, loginuid, sudo_uid) "
                                 f"VALUES ('{run.doc['id']}', 'sha256:before', 's', 'approved', 'r', 1, {time.time_ns() + 10**15}, {used}, 0, {login}, {ANN})")
        why = json.loads(self.call("show", run.doc["id"], "--why").out)["decisions"]
        self.assertEqual([(d["id"], d["verb"], d["uid"], d["used_by"], d["policy_digest"]) for d in why],
                         [(1, "approved", ANN, "x/1", ""), (2, "approved", EVE, "", "")])
        self.try_promote(run, NOT_APPROVED, "another digest")
        self.decide(EVE, "approve", run)
        self.try_promote(run, 0)


class Overrides(ApprovalCase):
    def test_by_the_named_role_and_reviewed_by_another(self) -> None:
        self.policy(TWO + OVERRIDE)
        run = self.run_by(EVE)
        more = ("--reason", "site is down", "--ticket", "INC-1")
        self.assertEqual(self.person(ANN, "override", self.name(run), *more, "--until", "1h")[0], NO_PERMISSION)
        self.assertEqual(self.person(CAL, "override", self.name(run), *more, "--until", "3h")[0], USAGE)
        self.assertEqual(self.person(CAL, "override", self.name(run), *more, "--until", "2001-01-01T00:00:00Z")[0], USAGE)
        self.assertEqual(self.person(CAL, "override", self.name(run), *more, "--until", "1h", "--review-due", "2d")[0], USAGE)
        code, output = self.person(CAL, "override", self.name(run), *more, "--until", "1h")
        self.assertEqual(code, 0, output)
        self.try_promote(run, 0, "overridden by cal: site is down")
        listed = self.call("list", "--overrides").doc["overrides"]
        self.assertEqual([(o["run"], o["ticket"], o["state"]) for o in listed], [(run.doc["id"], "INC-1", "awaits review")])
        self.assertEqual(self.person(CAL, "review", run.doc["id"], "--reason", "fine")[0], NO_PERMISSION)
        self.assertEqual(self.person(ANN, "review", run.doc["id"], "--reason", "fine")[0], 0)
        self.assertEqual(self.call("list", "--overrides").doc["overrides"][0]["state"], "reviewed")
        self.assertEqual(self.person(BEN, "review", run.doc["id"], "--reason", "fine")[0], USAGE)
        why = json.loads(self.call("show", run.doc["id"], "--why").out)
        self.assertEqual([d["verb"] for d in why["decisions"]], ["overridden", "reviewed"])
        self.assertIn("INC-1", self.call("show", run.doc["id"], json_out=False).out.decode())

    def test_offered_when_approval_would_take_too_long(self) -> None:
        self.policy(ONE + OVERRIDE)
        run = self.run_by(EVE)
        time.sleep(1)
        self.decide(ANN, "approve", run)
        late = self.as_user(EVE, "run", "--deadline", "500ms", "--cwd", str(self.host), "--", "sh", "-c", "echo new >>f")
        self.assertIn(f": rehearse --state {self.state} override ".encode(), late.err)
        early = self.as_user(EVE, "run", "--deadline", "10h", "--cwd", str(self.host), "--", "sh", "-c", "echo new >>f")
        self.assertNotIn(b" override ", early.err)

    def test_not_without_a_table(self) -> None:
        self.policy(ONE)
        run = self.run_by(EVE)
        self.assertEqual(self.person(CAL, "override", self.name(run), "--reason", "x", "--ticket", "T", "--until", "1h")[0], NO_PERMISSION)


class Budgets(ApprovalCase):
    def test_effects_of_the_last_hour(self) -> None:
        self.policy("[limits]\nper_hour = { promotions = 1, deletes = 2 }\n")
        first = self.run_by(EVE)
        self.decide(EVE, "approve", first)
        self.try_promote(first, 0)
        second = self.run_by(EVE, "echo more >>f")
        self.decide(EVE, "approve", second)
        self.try_promote(second, HALTED, "the policy allows 1 promotions an hour")
        # An hour later there is room: the record is made older.
        self.write_ledger("UPDATE promotion_effects SET at_ns = at_ns - 3600000000000")
        self.try_promote(second, 0)
        for name in "abc":
            (self.host / name).write_text("x")
        self.write_ledger("UPDATE promotion_effects SET at_ns = at_ns - 3600000000000")
        third = self.run_by(EVE, "rm a b c")
        self.decide(EVE, "approve", third)
        self.try_promote(third, HALTED, "this promotion alone has 3")
        self.assertTrue((self.host / "a").exists())


class Skips(ApprovalCase):
    def setUp(self) -> None:
        super().setUp()
        os.environ["PATH"], path = harness.PATH, os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)

    def file(self, name: str, argv: str, more: str = "") -> str:
        """An action of this host: the policy's directory is bound there."""
        actions = Path("/etc/rehearse/actions")
        actions.mkdir(exist_ok=True)
        (actions / f"{name}.toml").write_text(f'schema = "rehearse.action/1"\nname = "{name}"\nclass = "config"\nargv = {argv}\n' + (more or f'cwd = "{self.host}"\n'))
        return name

    RULE = '[[rule]]\nid = "site.ok"\nlevel = "green"\nwhy = "w"\n[rule.match.only]\nfiles = ["{}/**"]\n'

    def test_classes_of_the_policy(self) -> None:
        self.policy('[skip]\nread_only = true\nclasses = ["config"]\n' + self.RULE.format(self.host))
        reads = self.run_by(EVE, "cat f", "--read-only")
        self.assertEqual(reads.code, GREEN, reads.doc["verdict"]["findings"])
        self.try_promote(reads, 0, "read-only")
        # That a run changed nothing is not enough.
        self.try_promote(self.run_by(EVE, "cat f"), NOT_APPROVED, "it is not read-only: it was rehearsed without --read-only")
        writes = self.run_by(EVE, "chmod 600 f", "--read-only")
        self.assertEqual(writes.code, GREEN, writes.doc["verdict"]["findings"])
        self.try_promote(writes, NOT_APPROVED, "it is not read-only: it tried to write")
        action = self.file("tune", '["sh", "-c", "echo new >>f"]')
        tuned = self.as_user(EVE, "run", "--action", str(action))
        self.assertEqual(tuned.code, GREEN, tuned.err)
        self.assertFalse(self.call("show", tuned.doc["id"]).doc["rollback"]["verified"])
        self.try_promote(tuned, 0, "class config: green, and the way back was tried")
        trial = self.call("show", tuned.doc["id"]).doc["rollback"]
        self.assertTrue(trial["verified"] and trial["irreversible"] == [], trial)
        back = self.call("rollback", tuned.doc["id"])
        self.assertEqual((back.code, (self.host / "f").read_text()), (0, "old\n"))
        skipped = self.ledger("SELECT verb, reason FROM decisions WHERE verb = 'skipped'")
        self.assertEqual(sorted(row["reason"] for row in skipped), ["class config: green, and the way back was tried", "read-only: it could write nothing, and did not try"])

    def test_a_class_needs_a_way_back_that_was_tried(self) -> None:
        harness.need("setfattr")
        if not harness.takes_user_attributes(Image(self, "tmpfs").mount):
            harness.skip("a stand-in keeps no user.* attributes on this kernel (tmpfs before 6.6): it cannot fail by one")
        self.policy('[skip]\nclasses = ["config"]\n' + self.RULE.format(self.host))
        # An attribute to which overlays give a meaning of their own is nothing that a stand-in takes.
        action = self.file("mark", '["setfattr", "-n", "user.overlay.x", "-v", "1", "f"]')
        run = self.as_user(EVE, "run", "--action", str(action))
        self.assertEqual(run.code, GREEN, run.err)
        self.try_promote(run, NOT_APPROVED, "its rollback failed on a stand-in")
        self.assertFalse(self.call("show", run.doc["id"]).doc["rollback"]["verified"])

    def test_a_class_is_what_the_file_says_and_nothing_beside(self) -> None:
        self.policy('[skip]\nclasses = ["config"]\n' + self.RULE.format(self.host))
        action = self.file("tune", '["sh", "-c", "cat >>f; hostname >>f"]')
        evil = self.base / "evil"
        evil.mkdir()
        path = Path(f"/etc/rehearse/actions/{action}.toml")
        for why, options, environment in (("not --env", ("--env", f"PATH={evil}:/usr/bin:/bin"), {}), ("not --cwd", ("--cwd", str(self.host)), {}), ("not --user", ("--user", "root"), {}),
                                          ("not a path instead of a name", (), {}), ("not the caller's PATH", (), {"PATH": f"{evil}:{harness.PATH}"}),
                                          ("not a limit", ("--pids", "100"), {})):
            with self.subTest(why=why):
                given = str(path) if "a path" in why else action
                os.environ.update(environment)
                run = self.as_user(EVE, "run", "--action", given, *options)
                os.environ["PATH"] = harness.PATH
                self.assertEqual((run.code, run.doc["action"]["as_filed"]), (GREEN, False), run.err)
                self.try_promote(run, NOT_APPROVED, f"class config passes only what an action file says: {why}")
        fed = self.call("run", "--action", action, input=b"evil\n")
        self.assertEqual((fed.code, fed.doc["action"]["changed_by"], fed.doc["command"]["stdin_bytes"]), (GREEN, ["standard input"], 5), fed.err)
        self.try_promote(fed, NOT_APPROVED, "not standard input")
        plain = self.as_user(EVE, "run", "--action", action)
        self.assertEqual((plain.doc["action"]["as_filed"], plain.doc["action"]["changed_by"]), (True, []))
        self.try_promote(plain, 0, "class config")

    def test_a_trial_that_verified_is_not_made_again(self) -> None:
        self.policy('[approval.green]\nroles = ["rh-operators"]\n[skip]\nclasses = ["config"]\n' + self.RULE.format(self.host))
        action = self.file("tune", '["sh", "-c", "echo new >>f"]')
        run = self.as_user(EVE, "run", "--action", str(action))
        self.decide(ANN, "approve", run)
        tried = self.ledger("SELECT tried_ns FROM undo_trials")
        self.decide(ANN, "revoke", run)
        self.try_promote(run, 0, "class config")
        self.assertEqual(self.ledger("SELECT tried_ns FROM undo_trials"), tried)

    def test_not_unless_the_policy_says_so_and_not_after_a_rejection(self) -> None:
        self.policy(self.RULE.format(self.host))
        self.try_promote(self.run_by(EVE), NOT_APPROVED)
        self.policy('[skip]\nread_only = true\n' + self.RULE.format(self.host))
        run = self.run_by(EVE, "cat f", "--read-only")
        self.decide(ANN, "reject", run)
        self.try_promote(run, NOT_APPROVED, "rejected")

    def test_too_few_approvals_do_not_undo_a_rejection(self) -> None:
        self.policy('[approval.green]\nneed = 2\nroles = ["rh-operators"]\n[skip]\nread_only = true\n' + self.RULE.format(self.host))
        run = self.run_by(EVE, "cat f", "--read-only")
        self.decide(CAL, "reject", run)
        self.decide(BEN, "approve", run)
        self.try_promote(run, NOT_APPROVED, "approved by 1 (ben), the policy wants 2")
        self.decide(BEN, "revoke", run)
        self.try_promote(run, NOT_APPROVED, "taken back")
        self.decide(BEN, "approve", run)
        self.decide(ANN, "approve", run)
        self.try_promote(run, 0, "approved by ben, ann")


class StandingApprovals(ApprovalCase):
    TABLE = '[standing]\nruns = 3\ndays = 7\ndistinct_days = 2\nresample = 3\nroles = ["rh-operators"]\n'

    def make_runs(self, script: str = "echo new >>f", count: int = 3) -> Result:
        """Runs of several days: what the ledger keeps of each is made older."""
        for number in range(count):
            run = self.run_by(EVE, script)
            self.call("list")
            self.write_ledger(f"UPDATE fingerprints SET created_ns = created_ns - 86400000000000 * {count - number} WHERE run = '{run.doc['id']}'")
        return run

    def proposed(self) -> list[dict]:
        result = self.call("standing", "propose")
        self.assertEqual(result.code, 0, result.err)
        return result.doc["proposals"]

    def grant(self, uid: int = ANN, expect: int = 0) -> str:
        code, output = self.person(uid, "standing", "grant", self.proposed()[0]["fingerprint"], "--reason", "nightly")
        self.assertEqual(code, expect, output)
        return output

    def test_proposed_granted_used_resampled_revoked(self) -> None:
        self.policy(ONE + self.TABLE)
        self.run_by(EVE)
        self.assertIn("1 of 3", self.proposed()[0]["missing"])
        self.grant(expect=NOT_APPROVED)
        self.make_runs()
        self.assertEqual(self.proposed()[0]["missing"], "")
        self.grant(EVE, expect=NO_PERMISSION)
        self.grant()
        for number in range(2):
            run = self.run_by(EVE)
            self.try_promote(run, 0, "standing approval 1: nightly")
            self.assertEqual(self.as_user(EVE, "rollback", run.doc["id"]).code, 0)
        sampled = self.run_by(EVE)
        self.try_promote(sampled, NOT_APPROVED, "a person is asked for one in 3")
        self.try_promote(sampled, NOT_APPROVED, "a person is asked for one in 3")
        again = self.run_by(EVE)
        self.try_promote(again, 0, "standing approval")
        self.assertEqual(self.as_user(EVE, "rollback", again.doc["id"]).code, 0)
        explained = self.call("standing", "explain", "1", json_out=False).out.decode()
        self.assertIn("/f", explained)
        self.assertEqual(self.person(EVE, "standing", "revoke", "1", "--reason", "enough")[0], 0)
        self.try_promote(self.run_by(EVE), NOT_APPROVED, "was ended: ")
        self.assertEqual([g["state"] for g in self.call("standing", "list").doc["grants"]], ["ended"])

    def test_a_loop_does_not_mint_one(self) -> None:
        self.policy(ONE + self.TABLE.replace("distinct_days = 2", "distinct_days = 1"))
        for _ in range(4):
            self.run_by(EVE)
        self.assertIn("1 of 3", self.proposed()[0]["missing"])
        self.grant(expect=NOT_APPROVED)

    def test_what_was_chosen_beside_the_command_is_another_action(self) -> None:
        self.policy(ONE + self.TABLE)
        self.make_runs()
        self.grant()
        hidden = self.base / "hidden"
        hidden.mkdir()
        mock = self.base / "mock.toml"
        mock.write_text('[[mock]]\nlisten = "tcp:a.example:80"\nhttp = [ { body = "one" } ]\n')
        for options in (("--hide", str(hidden)), ("--mock", str(mock)), ("--pids", "200"), ("--deny", "b.example:80")):
            self.try_promote(self.run_by(EVE, "echo new >>f", *options), NOT_APPROVED, "is not approved")
        self.try_promote(self.run_by(EVE), 0, "standing approval")

    def test_what_is_read_from_standard_input_passes_by_none(self) -> None:
        self.policy(ONE + self.TABLE)
        self.make_runs("cat >>f; echo x >>f")
        self.grant()
        line = self.line(EVE, "run", "--cwd", str(self.host), "--", "sh", "-c", "cat >>f; echo x >>f")
        done = subprocess.run(line, capture_output=True, check=False, input=b"evil\n")
        fed = Result(done.returncode, done.stdout, done.stderr, 0)
        self.try_promote(fed, NOT_APPROVED, "is for clean runs: it was given something to read on standard input")
        self.assertEqual(self.call("standing", "list").doc["grants"][0]["state"], "holds")

    def test_other_effects_end_it(self) -> None:
        self.policy(ONE + self.TABLE)
        script = f"sh {self.host}/step"
        (self.host / "step").write_text("echo new >>f\n")
        self.make_runs(script)
        self.grant()
        (self.host / "step").write_text("echo new >>g\n")
        self.try_promote(self.run_by(EVE, script), NOT_APPROVED, "was ended: by run ")
        self.assertEqual(self.call("standing", "list").doc["grants"][0]["state"], "ended")

    def test_very_many_effects_are_not_kept_for_ever(self) -> None:
        """The ledger outlives its runs: what one of them does not decide how large it gets."""
        deep = "import os\nos.chdir('/tmp')\nfor i in range(300):\n  os.mkdir('d' * 200)\n  os.chdir('d' * 200)"
        self.assertIn(self.run_in(["python3", "-c", deep]).code, harness.RAN)
        self.assertEqual(self.call("list").code, 0)
        self.assertEqual(self.call("gc", "--all").code, 0)
        self.assertLess(sum(path.stat().st_size for path in self.state.glob("ledger.db*")), 2 << 20)

    def test_another_binary_ends_it(self) -> None:
        self.policy(ONE + self.TABLE)
        tool = self.host / "tool"
        tool.write_text("#!/bin/sh\necho new >>f\n")
        tool.chmod(0o755)
        self.make_runs("./tool")
        self.grant()
        tool.write_text("#!/bin/sh\necho new >>f #\n")
        self.try_promote(self.run_by(EVE, "./tool"), NOT_APPROVED, "another binary: ")

    def test_another_policy_ends_it(self) -> None:
        self.policy(ONE + self.TABLE)
        self.make_runs()
        self.grant()
        self.policy(ONE + self.TABLE + OVERRIDE)
        self.try_promote(self.run_by(EVE), NOT_APPROVED, "the policy has changed")


if __name__ == "__main__":
    main_in_private_mounts()
