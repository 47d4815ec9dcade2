"""Each format of `rehearse export` is read by a tool of its own and holds the events that `rehearse trace` prints."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import pty
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import harness
from harness import Case, Document, Result

DATA = Path(__file__).resolve().parent.parent / "data"
HOSTILE = [b"new\nline", b"quo\"te's\\", b"inv\xff\xfealid", b"esc\x1b[2J\x07", b"x" * 255, "bidi\u202egnp".encode(), b"<b>&amp;'; DROP TABLE events; --"]
# A line of strace -f -ttt -T -o FILE.
STRACE = re.compile(r"(?P<pid>\d+) +(?P<time>\d+\.\d{6}) (?:(?P<name>\w+)\((?P<args>.*?)(?: <unfinished \.\.\.>)?\) += (?P<result>.+?)(?: <(?P<seconds>\d+\.\d{6})>)?"
                    r"|(?P<end>\+\+\+ (?:exited with \d+|killed by \w+(?: \(core dumped\))?) \+\+\+)|(?P<signal>--- SIG\w+ \{si_signo=\w+, si_code=\w+.*\} ---))")


class Export(Case):
    calls = os.environ.get("CALLS", "")

    def setUp(self) -> None:
        super().setUp()
        if not os.access(self.calls, os.X_OK):
            harness.skip("CALLS does not name the program that makes known calls")
        self.program = shutil.copy(self.calls, self.host / "calls")

    def traced(self, *words: str, options: tuple[str, ...] = ()) -> None:
        result = self.run_in([str(self.program), *words], *options)
        self.assertIn(result.code, harness.RAN, result.err)

    def hostile(self) -> list[bytes]:
        """Opens and names files as nobody should; their paths."""
        paths = [os.fsencode(self.host) + b"/" + name for name in HOSTILE]
        for path in paths:
            Path(os.fsdecode(path)).touch()
        result = self.run_in([b"/bin/cat", b"--", *paths])  # type: ignore[list-item]
        self.assertEqual(result.doc["command"]["exit"], 0, result.err)
        return paths

    def events(self, *options: str) -> list[Document]:
        shown = self.call("trace", "last", *options)
        self.assertEqual(shown.code, 0, shown.err)
        return [json.loads(line) for line in shown.out.splitlines()]

    def export(self, form: str, *options: str, expect: int = 0) -> bytes:
        done = self.call("export", "last", f"--{form}", *options, json_out=False)
        self.assertEqual(done.code, expect, done.err)
        return done.out

    # jsonl

    def test_jsonl_is_the_trace(self) -> None:
        self.hostile()
        self.assertEqual(self.export("jsonl"), self.call("trace", "last").out)
        harness.need("jq")
        counted = subprocess.run(["jq", "-s", "length"], input=self.export("jsonl"), capture_output=True, check=True)
        self.assertEqual(int(counted.stdout), len(self.events()))

    def test_selection(self) -> None:
        self.traced("families")
        for options in (("--where", "evt.type = access"), ("--process", "2"), ("--process", "1", "--follow"), ("--file", str(self.program)), ("--since", "1ms"), ("--until", "2ms")):
            self.assertEqual(self.export("jsonl", *options), self.call("trace", "last", *options).out, options)
        self.assertEqual(len(self.events("--where", "evt.type = access")), len(self.export("strace", "--where", "evt.type = access").splitlines()))
        self.export("jsonl", "--follow", expect=harness.USAGE)
        self.export("jsonl", "--where", "nonsense = 1", expect=harness.USAGE)

    # strace

    def strace_lines(self, log: bytes) -> list[re.Match[str]]:
        lines = []
        for line in log.decode("ascii").splitlines():
            match = STRACE.fullmatch(line)
            assert match, line
            lines.append(match)
        return lines

    def test_strace_log_is_parsed(self) -> None:
        self.traced("families")
        events = self.events()
        lines = self.strace_lines(self.export("strace"))
        calls = [e for e in events if e["type"] == "syscall"]
        self.assertEqual([m["name"] for m in lines if m["name"]], [e["name"] for e in calls])
        self.assertEqual(sum(m["end"] is not None for m in lines), sum(e["type"] == "end" for e in events))
        self.assertEqual([m["seconds"] is not None for m in lines if m["name"]], [e["duration_s"] is not None for e in calls])
        for line, event in zip((m for m in lines if m["name"]), calls):
            if event["duration_s"] is not None:
                self.assertAlmostEqual(float(line["seconds"]), event["duration_s"], delta=2e-6)
        # Children are known to their parents by the numbers that their own lines begin with.
        pids = {m["pid"] for m in lines}
        made = {m["result"] for m in lines if m["name"] in ("fork", "vfork", "clone", "clone3") and m["result"].isdigit() and m["result"] != "0"}
        self.assertGreaterEqual(len(made), 3)
        self.assertLessEqual(made, pids)
        self.assertEqual([m["result"] for m in lines if m["name"] in ("fork", "vfork", "clone", "clone3") and m["result"] == "0"], [], "a child's return is no call of its own")
        # A child's end is told to its parent, in strace's words.
        told = [m for m in lines if m["signal"] and "CLD_EXITED" in m["signal"]]
        self.assertTrue(told)
        self.assertRegex(told[0]["signal"], r"^--- SIGCHLD \{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=\d+, si_uid=\d+, si_status=1[123]\} ---$")

    def test_strace_itself_writes_such_lines(self) -> None:
        """The parser above is held against strace's own output, and the calls of one program against each other."""
        harness.need("strace")
        self.traced("basic")
        ours = [m for m in self.strace_lines(self.export("strace")) if m["name"]]
        log = self.base / "strace"
        native = subprocess.run(["strace", "-f", "-ttt", "-T", "-v", "-o", str(log), str(self.program), "basic"], capture_output=True, check=False)
        if native.returncode != 0:
            harness.skip(f"strace does not work here: {native.stderr.decode(errors='replace').strip()}")
        theirs = [m for m in self.strace_lines(log.read_bytes()) if m["name"]]
        # mkdtemp(3) asks for random bits again where its first ones would favour a letter.
        names = [[m["name"] for m in lines if m["name"] != "getrandom"] for lines in (ours, theirs)]
        self.assertEqual(*names)

    def test_strace_killed_in_a_call(self) -> None:
        self.traced("killed")
        log = self.export("strace").decode("ascii")
        self.strace_lines(log.encode())
        self.assertRegex(log, r"(?m)^\d+ +[\d.]+ pause\(\) += \? ERESTARTNOHAND .*>$")
        self.assertEqual(log.count("+++ killed by SIGKILL +++"), 3)
        self.assertIn("si_code=CLD_KILLED", log)

    def test_strace_hostile_names(self) -> None:
        paths = self.hostile()
        opened = {c_string(m["args"]) for m in self.strace_lines(self.export("strace")) if m["name"] == "openat"}
        self.assertLessEqual(set(paths), opened)

    # SQLite

    def database(self, *options: str) -> Path:
        path = self.base / f"events-{time.monotonic_ns()}.db"
        self.export("sqlite", "-o", str(path), *options)
        return path

    def test_sqlite(self) -> None:
        self.traced("families")
        events = self.events()
        path = self.database()
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.row_factory = sqlite3.Row
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
            rows = db.execute("SELECT * FROM events ORDER BY number").fetchall()
            self.assertEqual([(r["number"], r["type"], r["process"], r["tid"]) for r in rows], [(e["number"], e["type"], e["process"], e["tid"]) for e in events])
            for row, event in zip(rows, events):
                if event["type"] != "syscall":
                    continue
                self.assertEqual((row["name"], row["args_text"], row["result"], row["errno"], row["tampered"]),
                                 (event["name"], event["text"], event["result"], event["errno"], event["tampered"]))
                self.assertEqual(row["duration_ns"], None if event["duration_s"] is None else round(event["duration_s"] * 1e9))
                if "fd" in event:
                    self.assertEqual((row["fd"], row["ino"], row["dev"]), (event["fd"]["number"], event["fd"].get("ino"), event["fd"].get("dev")))
            self.assertEqual(db.execute("SELECT count(*) FROM processes").fetchone()[0], 4)
            self.assertEqual(sorted(r[0] for r in db.execute("SELECT exit FROM processes")), [0, 11, 12, 13])
            self.assertEqual(db.execute("SELECT count(*) FROM failed_calls").fetchone()[0], sum(bool(e.get("errno")) for e in events))
            self.assertEqual(db.execute("SELECT sum(calls) FROM summary").fetchone()[0], sum(e["type"] == "syscall" for e in events))
            facts = dict(db.execute("SELECT key, value FROM runs").fetchall())
            self.assertEqual(facts["incomplete"], "")
            self.assertEqual(facts["command"], f"{self.program} families")
        harness.need("sqlite3")
        shown = subprocess.run(["sqlite3", "-readonly", str(path), "SELECT count(*) FROM events"], capture_output=True, check=True)
        self.assertEqual(int(shown.stdout), len(events))

    def test_sqlite_hostile_names(self) -> None:
        paths = self.hostile()
        with contextlib.closing(sqlite3.connect(self.database())) as db:
            opened = [row[0] for row in db.execute("SELECT path FROM files_opened")]
            argv = db.execute("SELECT argv FROM processes").fetchone()[0]
        self.assertLessEqual(set(paths), {p.encode() if isinstance(p, str) else p for p in opened})
        self.assertEqual({type(p) for p in opened if b"alid" in (p if isinstance(p, bytes) else p.encode())}, {bytes})
        self.assertIn(r"DROP TABLE", argv)
        self.assertNotIn("\x1b", argv)

    # Perfetto

    def perfetto(self, trace: bytes) -> Any:
        harness.need("protoc")
        sys.path.append("/usr/lib/python3/dist-packages")
        try:
            from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
        except ImportError:
            harness.skip("python3-protobuf is not installed")
        described = self.base / "described"
        subprocess.run(["protoc", f"-I{DATA}", f"--descriptor_set_out={described}", str(DATA / "perfetto_subset.proto")], check=True)
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(described.read_bytes()).file:
            pool.Add(file)
        factory = message_factory.MessageFactory(pool)
        return factory.GetPrototype(pool.FindMessageTypeByName("Trace")).FromString(trace)

    def test_perfetto(self) -> None:
        self.traced("families")
        events = self.events()
        packets = self.perfetto(self.export("perfetto")).packet
        self.assertTrue(packets[0].HasField("clock_snapshot"))
        self.assertEqual(packets[0].clock_snapshot.primary_trace_clock, 3)
        clocks = {c.clock_id: c.timestamp for c in packets[0].clock_snapshot.clocks}
        self.assertEqual(set(clocks), {1, 3})
        self.assertEqual({p.trusted_packet_sequence_id for p in packets}, {1})
        tracks, stacks, types = {}, collections.Counter(), collections.Counter()
        names: list[tuple[int, str]] = []
        for packet in packets[1:]:
            if packet.HasField("track_descriptor"):
                track = packet.track_descriptor
                self.assertNotIn(track.uuid, tracks, "a track told of twice")
                self.assertTrue(track.HasField("process") or track.parent_uuid in tracks)
                tracks[track.uuid] = track
                continue
            event = packet.track_event
            self.assertIn(event.track_uuid, tracks, "an event before its track")
            self.assertEqual(packet.timestamp_clock_id, 3)
            types[event.type] += 1
            if event.type == 2:
                stacks[event.track_uuid] -= 1
                continue
            stacks[event.track_uuid] += event.type == 1
            number = next(a.int_value for a in event.debug_annotations if a.name == "number")
            names.append((number, event.name))
            at = packet.timestamp - clocks[3] + clocks[1]
            self.assertLess(abs(at / 1e9 - time.time()), 3600 * harness.SLOW)
        self.assertEqual([n for n, _ in names], [e["number"] for e in events])
        self.assertEqual([name for number, name in names if events[number - 1]["type"] == "syscall"], [e["name"] for e in events if e["type"] == "syscall"])
        timed = [e for e in events if e["type"] == "syscall" and e["duration_s"] is not None]
        self.assertEqual((types[1], types[2]), (len(timed), len(timed)))
        self.assertEqual(types[3], len(events) - len(timed))
        self.assertEqual(set(stacks.values()), {0})
        processes = [t.process for t in tracks.values() if t.HasField("process")]
        self.assertEqual(len(processes), 4)
        self.assertEqual({tuple(p.cmdline) for p in processes}, {(str(self.program), "families")})
        self.assertEqual(len({t.thread.tid for t in tracks.values() if t.HasField("thread")}), 4 + 8)

    def test_perfetto_killed_in_a_call(self) -> None:
        self.traced("killed")
        types = collections.Counter(p.track_event.type for p in self.perfetto(self.export("perfetto")).packet if p.HasField("track_event"))
        self.assertEqual(types[1], types[2], "a call that never returned ends with its process")

    def test_perfetto_hostile_names(self) -> None:
        paths = self.hostile()
        trace = self.perfetto(self.export("perfetto"))
        cmdline = next(p.track_descriptor.process.cmdline for p in trace.packet if p.track_descriptor.HasField("process"))
        self.assertEqual(list(cmdline), ["/bin/cat", "--", *(lossy(p) for p in paths)])
        opened = {a.string_value for p in trace.packet for a in p.track_event.debug_annotations if a.name == "path"}
        self.assertLessEqual({lossy(p) for p in paths}, opened)

    def test_binary_is_kept_off_terminals(self) -> None:
        self.traced("basic")
        main, terminal = pty.openpty()
        try:
            done = subprocess.run(self.command("export", "last", "--perfetto", json_out=False), stdout=terminal, stderr=subprocess.PIPE, check=False)
        finally:
            os.close(main)
            os.close(terminal)
        self.assertEqual(done.returncode, harness.USAGE, done.stderr)

    # OCSF

    def ocsf(self) -> list[Document]:
        rules = json.loads((DATA / "ocsf_requirements.json").read_text())
        found = [json.loads(line) for line in self.export("ocsf").splitlines()]
        for event in found:
            needed = rules["classes"][str(event["class_uid"])]
            for key in rules["event"]["required"] + needed["required"]:
                self.assertIn(key, event)
            self.assertTrue(not needed.get("any_of") or set(needed["any_of"]) & set(event), event)
            self.assertIn(event["activity_id"], needed["activities"])
            self.assertEqual(event["type_uid"], event["class_uid"] * 100 + event["activity_id"])
            self.assertEqual(event["category_uid"], event["class_uid"] // 1000)
            self.assertIn(event["severity_id"], rules["event"]["severity_id"])
            self.assertIn(event["status_id"], rules["event"]["status_id"])
            self.assertEqual(event["metadata"]["version"], "1.8.0")
            for name, value in objects(event):
                rule = rules["objects"][name]
                self.assertLessEqual(set(rule.get("required", [])), set(value), (name, event))
                self.assertTrue(not rule.get("any_of") or set(rule["any_of"]) & set(value), (name, event))
        return found

    def test_ocsf(self) -> None:
        self.traced("basic")
        events = {e["number"]: e for e in self.events()}
        found = self.ocsf()
        numbers = [e["unmapped"]["event"] for e in found]
        self.assertEqual(numbers, sorted(set(numbers)))
        for event in found:
            source = events[event["unmapped"]["event"]]
            self.assertEqual(event["status_id"], 2 if source.get("errno") else 0 if source["type"] == "syscall" and source["result"] is None else 1, event)
            self.assertEqual(event.get("status_code"), source.get("errno"))
            self.assertEqual(event["time"], int(parse_time(source["time"])))
        by_call = {events[e["unmapped"]["event"]].get("name", events[e["unmapped"]["event"]]["type"]): e["type_uid"] for e in found}
        wanted = {"exec": 100701, "end": 100702, "mkdir": 100101, "rename": 100105, "unlink": 100104, "chmod": 100106, "write": 100103, "access": 100108,
                  "connect": 400104, "bind": 400199, "listen": 400107}
        self.assertEqual({call: by_call.get(call) for call in wanted}, wanted)
        rename = next(e for e in found if e["type_uid"] == 100105)
        self.assertRegex(rename["file"]["path"], r"^/.*/rehearse-calls-[^/]+/file$")
        self.assertEqual(rename["file_result"]["path"], os.path.dirname(rename["file"]["path"]) + "/directory/file")
        self.assertTrue(rename["unmapped"]["path_claimed"])

    def test_paths_are_where_names_lead(self) -> None:
        """Whatever a call named relatively stands under its absolute path."""
        etc = self.host / "etc"
        etc.mkdir()
        for name in ("group", "hosts", "services"):
            (etc / name).touch()
        self.run_in(["sh", "-c", f"cd {etc}; rm -f group ../etc//services; mv hosts hosts2"])
        with contextlib.closing(sqlite3.connect(self.database())) as db:
            changed = db.execute("SELECT name, path, path_claimed, path_to FROM events WHERE name IN ('unlinkat', 'renameat2') AND errno IS NULL ORDER BY number").fetchall()
        self.assertEqual(changed, [("unlinkat", f"{etc}/group", 1, None), ("unlinkat", f"{etc}/services", 1, None), ("renameat2", f"{etc}/hosts", 1, f"{etc}/hosts2")])
        found = [(e["file"]["path"], e.get("file_result", {}).get("path")) for e in self.ocsf() if e["type_uid"] in (100104, 100105) and e["status_id"] == 1]
        self.assertEqual(found, [(path, to) for _, path, _, to in changed])

    def test_ocsf_processes(self) -> None:
        self.traced("families")
        found = self.ocsf()
        kinds = collections.Counter((e["type_uid"], e.get("launch_type_id")) for e in found if e["class_uid"] == 1007)
        self.assertEqual((kinds[100701, 2], kinds[100701, 3], kinds[100702, None]), (3, 1, 4))
        self.assertEqual(sorted(e["exit_code"] for e in found if e["type_uid"] == 100702), [0, 11, 12, 13])

    def test_ocsf_refusals(self) -> None:
        harness.need("python3")
        script = "import ctypes; c=ctypes.CDLL(None,use_errno=True); [c.syscall(n,0,0,0) for n in (321,165,175,176,161)]"
        self.run_in(["python3", "-c", script])
        refused = {(e["type_uid"], e["status_code"]) for e in self.ocsf() if e["status_id"] == 2}
        self.assertIn((100501, "EPERM"), refused)
        self.assertTrue({t for t, _ in refused} >= {100304, 100112}, refused)

    def test_ocsf_hostile_names(self) -> None:
        paths = self.hostile()
        opened = {e["file"]["path"] for e in self.ocsf() if e["type_uid"] == 100114}
        self.assertLessEqual({lossy(p) for p in paths}, opened)
        raw = self.export("ocsf")
        self.assertNotIn(b"\x1b", raw)
        self.assertNotIn("\u202e".encode(), raw)

    # files and endings

    def test_output_file(self) -> None:
        self.traced("basic")
        wanted = self.export("jsonl")
        path = self.base / "out"
        self.export("jsonl", "-o", str(path))
        self.assertEqual(path.read_bytes(), wanted)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        path.write_text("mine")
        self.export("strace", "-o", str(path), expect=harness.CANT_CREATE)
        self.assertEqual(path.read_text(), "mine")
        self.export("jsonl", "-o", str(path), "--force")
        self.assertEqual(path.read_bytes(), wanted)
        victim = self.base / "victim"
        victim.write_text("untouched")
        for name, target in (("link", victim), ("dangling", self.base / "nowhere")):
            link = self.base / name
            link.symlink_to(target)
            for form in ("jsonl", "sqlite"):
                self.export(form, "-o", str(link), expect=harness.CANT_CREATE)
                self.export(form, "-o", str(link), "--force", expect=harness.CANT_CREATE)
            self.assertTrue(link.is_symlink())
        self.assertEqual(victim.read_text(), "untouched")
        self.assertFalse((self.base / "nowhere").exists())
        for bad in (self.base / "no" / "such", self.base, "/dev/full"):
            self.export("jsonl", "-o", str(bad), "--force", expect=harness.CANT_CREATE)
        self.assertEqual(sorted(p.name for p in self.base.iterdir()), ["dangling", "host", "link", "out", "state", "victim"])
        told = self.call("export", "last", "--sqlite", "-o", str(self.base / "db"))
        self.assertEqual((told.doc["schema"], told.doc["events"], told.doc["incomplete"]), ("rehearse.export/1", len(self.events()), ""))

    def test_full_disk_leaves_no_file(self) -> None:
        self.traced("flood", "1", "5000")
        before = sorted(p.name for p in self.base.iterdir())
        for form in ("jsonl", "strace", "sqlite", "perfetto"):
            script = 'trap "" XFSZ; ulimit -f 64; exec "$@"'
            done = subprocess.run(["sh", "-c", script, "sh", *self.command("export", "last", f"--{form}", "-o", str(self.base / "out"), json_out=False)], capture_output=True, check=False)
            self.assertEqual(done.returncode, harness.CANT_CREATE, (form, done.stderr))
            self.assertIn(str(self.base / "out").encode(), done.stderr)
            if form != "sqlite":  # which does not say why it could not write
                self.assertIn(b"free some space", done.stderr)
            self.assertEqual(sorted(p.name for p in self.base.iterdir()), before, form)

    def test_bad_lines(self) -> None:
        self.traced("basic")
        for words in ((), ("--jsonl", "--ocsf"), ("--sqlite",), ("--nonsense",)):
            self.assertEqual(self.call("export", "last", *words, json_out=False).code, harness.USAGE, words)
        self.assertEqual(self.call("export", "--jsonl", json_out=False).code, harness.USAGE)
        self.shell("true", "--no-trace")
        self.export("jsonl", expect=65)

    def test_incomplete_traces_say_so(self) -> None:
        self.traced("storm", "50")
        run = next((self.state / "runs").iterdir())
        harness.wait_for(lambda: (run / "frozen").exists())
        whole = (run / "trace").read_bytes()
        for at in (len(whole) // 2, len(whole) - 10, len(whole)):
            (run / "trace").write_bytes(whole[:at] if at < len(whole) else whole[:-300])
            code, said = (lambda r: (r.code, r.err))(self.call("trace", run.name, json_out=False))
            self.assertIn(code, (12, 65))
            for form in ("jsonl", "strace", "ocsf", "perfetto"):
                done = self.call("export", run.name, f"--{form}", json_out=False)
                self.assertEqual((done.code, done.err), (code, said), form)
            with contextlib.closing(sqlite3.connect(self.broken_database(run.name, code))) as db:
                self.assertNotEqual(db.execute("SELECT value FROM runs WHERE key = 'incomplete'").fetchone()[0], "")

    def broken_database(self, run: str, code: int) -> Path:
        path = self.base / f"broken-{time.monotonic_ns()}.db"
        self.assertEqual(self.call("export", run, "--sqlite", "-o", str(path), json_out=False).code, code)
        return path

    def test_memory_does_not_grow_with_events(self) -> None:
        peaks = {}
        # AddressSanitizer, where the product is built with it, would keep 256 MiB of what was freed.
        environment = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}
        for number in (2_000, 150_000):
            self.traced("flood", "1", str(number))
            for form in ("jsonl", "strace", "sqlite", "perfetto", "ocsf"):
                options = ("-o", str(self.base / f"{form}-{number}"))
                script = "import os, resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
                done = subprocess.run([sys.executable, "-c", script, *self.command("export", "last", f"--{form}", *options, json_out=False)],
                                      capture_output=True, check=False, env=environment)
                self.assertEqual(done.returncode, 0, done.stderr)
                peaks[form, number] = int(done.stdout)
        for form in ("jsonl", "strace", "sqlite", "perfetto", "ocsf"):
            # KiB; a few blocks of the file and buffers, not 150,000 events.
            self.assertLess(peaks[form, 150_000] - peaks[form, 2_000], 16 * 1024, peaks)


def objects(event: Document) -> Iterator[tuple[str, Document]]:
    """Every object of an event with the name it stands under."""
    for name, value in event.items():
        if isinstance(value, dict) and name != "unmapped":
            yield name, value
            yield from objects(value)


def lossy(raw: bytes) -> str:
    """As Python has it, but one U+FFFD for each byte that is no UTF-8."""
    return re.sub(r"[\udc80-\udcff]", "\ufffd", raw.decode(errors="surrogateescape"))


def c_string(args: str) -> bytes:
    """The first quoted string among strace's arguments."""
    quoted = re.search(r'"((?:[^"\\]|\\.)*)"', args)
    if quoted is None:
        return b""
    plain = {"n": b"\n", "t": b"\t", "r": b"\r", "v": b"\v", "f": b"\f", '"': b'"', "\\": b"\\"}
    return re.sub(rb"\\([0-7]{1,3}|.)", lambda m: bytes([int(m[1], 8)]) if m[1][:1].isdigit() else plain[m[1].decode()], quoted[1].encode("ascii"))


def parse_time(text: str) -> float:
    """Milliseconds since 1970, as they are written: three decimals."""
    import datetime
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


if __name__ == "__main__":
    harness.main()
