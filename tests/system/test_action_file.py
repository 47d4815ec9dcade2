"""rehearse run --action: what the file says happens, what it does not take is one clear error."""

from __future__ import annotations

import harness
from harness import Case

FILE = """schema = "rehearse.action/1"
name = "trial"
class = "config"
argv = ["sh", "-c", "env >&2; id -u >&2; pwd >&2; curl -s -X POST http://api.example.com/hooks/1 >&2; echo args: $* >&2", "trial"]
extra_args = "append"
cwd = "/tmp"
[env]
set = { TRIAL_VALUE = "a b" }
[limits]
pids = 50
wall = "2m"
[mirror]
hide = ["@HIDE@"]
[[mock]]
listen = "tcp:api.example.com:80"
http = [ { method = "POST", path = "/hooks/*", status = 202, body = "taken\\n" } ]
"""


class ActionFile(Case):
    def write(self, text: str) -> str:
        path = self.base / "trial.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        return str(path)

    def test_what_it_says_happens(self) -> None:
        harness.need("curl")
        hidden = self.host / "hidden"
        hidden.mkdir()
        (hidden / "file").write_text("x", encoding="ascii")
        path = self.write(FILE.replace("@HIDE@", str(hidden)))
        result = self.call("run", "--action", path, "--", "one", "two")
        self.assertIn(result.code, harness.RAN, result.err)
        for line in (b"TRIAL_VALUE=a b\n", b"\n0\n/tmp\n", b"\ntaken\n", b"args: one two\n"):
            self.assertIn(line, result.err)
        document = result.doc
        self.assertEqual((document["action"]["name"], document["action"]["class"], document["action"]["cwd"]), ("trial", "config", "/tmp"))
        self.assertIn("mocked", [n["verdict"] for n in document["network"]])
        self.assertTrue(any("processes: 50" in line for line in document["limits"]), document["limits"])
        self.assertIn(f"{hidden} hidden", [g["what"] for g in document["fidelity"]["gaps"]])
        # The command line goes before the file.
        result = self.call("run", "--action", path, "--cwd", "/", "--pids", "60", "--env", "TRIAL_VALUE=c")
        self.assertIn(b"TRIAL_VALUE=c\n", result.err)
        self.assertIn(b"\n0\n/\n", result.err)
        self.assertTrue(any("processes: 60" in line for line in result.doc["limits"]), result.doc["limits"])

    def test_what_is_wrong_is_said(self) -> None:
        text = FILE.replace("@HIDE@", str(self.host))
        for wrong, code, said in (
            (text.replace("argv = ", "agrv = "), 78, b"trial.toml:4:1: unknown key \"agrv\""),
            (text.replace("pids = 50", "pids = 0"), 78, b"trial.toml:10:8: "),
            (text.replace("status = 202", "status = 9"), 78, b"trial.toml:16:"),
            (text + "[expects]\nexit = 0\n", 78, b"unknown key \"expects\""),
            (text + "[expect]\nexti = 0\n", 78, b"unknown key \"exti\""),
            (text.replace("extra_args = \"append\"\n", ""), harness.USAGE, b"action trial takes no further words"),
        ):
            with self.subTest(said=said):
                result = self.call("run", "--action", self.write(wrong), "--", "word", json_out=False)
                self.assertEqual(result.code, code, result.err)
                self.assertIn(said, result.err)
        path = self.write(text)
        (self.base / "trial.toml").chmod(0o664)
        result = self.call("run", "--action", path, json_out=False)
        self.assertEqual(result.code, harness.NO_PERMISSION)
        self.assertIn(b"somebody beside root can write", result.err)
        for name, said in (("nosuch", b"/etc/rehearse/actions/nosuch.toml"), ("a b", b"no name of an action"), (str(self.base / "gone.toml"), b"gone.toml")):
            result = self.call("run", "--action", name, json_out=False)
            self.assertEqual(result.code, harness.USAGE, result.err)
            self.assertIn(said, result.err)
        self.assertFalse((self.state / "runs").exists() and list((self.state / "runs").iterdir()))


if __name__ == "__main__":
    harness.main()
