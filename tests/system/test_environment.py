"""The sandbox looks like the host, and holds none of its secrets."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import harness
from harness import Case


class Environment(Case):
    def outside(self, command: str) -> bytes:
        return subprocess.run(["sh", "-c", command], capture_output=True, check=False).stdout

    def inside(self, command: str, *options: str, **more: object) -> bytes:
        result = self.call("run", *options, "--", "sh", "-c", command, json_out=False, **more)  # type: ignore[arg-type]
        self.assertIn(result.code, harness.RAN, result.err)
        return result.out

    def test_looks_like_the_host(self) -> None:
        # A directory with masked files in it shows the size of the mask.
        for command in ("hostname 2>/dev/null || uname -n", "uname -r", "id", "getent passwd", "cat /etc/os-release", "date +%Z", "head -5 /proc/cpuinfo",
                        "ls -ln /etc | grep -v -e ^total -e ssh$", "nproc"):
            self.assertEqual(self.inside(command), self.outside(command), command)

    def test_the_runs_own_filesystems_are_roots(self) -> None:
        looks = "stat -c '%u %g %a %n' /dev /dev/pts /dev/shm /dev/mqueue"
        self.assertEqual({line.split()[0] + line.split()[1] for line in self.inside(looks).decode().splitlines()}, {"00"})

    def test_environment_is_an_allow_list(self) -> None:
        env = {"PATH": harness.PATH, "HOME": "/root", "LANG": "C", "AWS_SECRET_ACCESS_KEY": "s3cret", "LD_PRELOAD": "", "SSH_AUTH_SOCK": "/x", "KEEP": "me"}
        out = self.inside("env", "--env", "KEEP", "--env", "NEW=1", env=env)
        self.assertIn(b"KEEP=me\n", out)
        self.assertIn(b"NEW=1\n", out)
        self.assertIn(b"LANG=C\n", out)
        for absent in (b"AWS", b"SSH_AUTH", b"LD_PRELOAD"):
            self.assertNotIn(absent, out)

    def test_what_is_not_passed_is_named(self) -> None:
        env = {"PATH": harness.PATH, "HOME": "/root", "USER": "somebody", "LOGNAME": "somebody", "FOO": "1", "AWS_SECRET_ACCESS_KEY": "s3cret", "SHLVL": "1"}
        result = self.run_in(["sh", "-c", "echo $USER $LOGNAME >&2"], env=env)
        self.assertIn(b"root root\n", result.err)
        gaps = {gap["what"]: (gap["why"], gap["cap"]) for gap in result.doc["fidelity"]["gaps"]}
        self.assertEqual(gaps.get("variables of the caller are not passed"), ("AWS_SECRET_ACCESS_KEY, FOO; --env NAME passes one", "green"))
        many = self.run_in(["true"], env={"PATH": harness.PATH, "HOME": "/root", **{f"V{i:02}": "" for i in range(20)}})
        why = next(gap["why"] for gap in many.doc["fidelity"]["gaps"] if gap["what"] == "variables of the caller are not passed")
        self.assertTrue(why.startswith("V00, ") and "V11 and 8 more;" in why, why)
        none = self.run_in(["sh", "-c", "echo x$USER >&2"], env={"PATH": harness.PATH, "HOME": "/root"})
        self.assertIn(b"x\n", none.err)
        self.assertNotIn("variables of the caller are not passed", [gap["what"] for gap in none.doc["fidelity"]["gaps"]])
        other = self.run_in(["sh", "-c", "echo $USER >&2"], "--user", "nobody", env=env)
        self.assertIn(b"nobody\n", other.err)

    def test_descriptors_of_the_caller_are_not_passed(self) -> None:
        """They are named, and what the action makes of their not being there is not what the host would show."""
        def gaps(script: str, redirect: str = "7</etc/passwd 8</etc/hosts") -> tuple[str, dict[str, tuple[str, str]]]:
            done = self.shell_around(script, redirect)
            return done["verdict"]["level"] + json.dumps(done["verdict"]), {gap["what"]: (gap["why"], gap["cap"]) for gap in done["fidelity"]["gaps"]}

        kept, asked = "descriptors of the caller are not passed", "descriptors of the caller that the command asked for: "
        verdict, found = gaps("exec 3>&1 7>&1; exec 3>&- 7>&-; bash -c 'exec 8>&1; echo x >&8'; ls /proc/self/fd; [ -e /dev/fd/9 ]; true")
        self.assertEqual(found.get(kept), ("7 (/etc/passwd), 8 (/etc/hosts)", "green"))
        self.assertTrue(verdict.startswith("green"), (verdict, found))
        for script, number in (("test -e /proc/self/fd/8 && rm /tmp/x; true", 8), ("bash -c '[ -r /dev/fd/8 ]'; true", 8), ("head -c 5 <&7", 7), ("bash -c 'read -r l <&7'", 7), ("python3 -c 'import os; os.fstat(8)'", 8)):
            with self.subTest(script):
                verdict, found = gaps(script)
                self.assertEqual(found.get(f"{asked}{number}", ("", ""))[1], "yellow", found)
                self.assertTrue(verdict.startswith("yellow"), verdict)
                self.assertNotIn("would most likely fail", verdict)
        verdict, found = gaps("head -c 5 <&7", "8</etc/hosts")
        self.assertIn("would most likely fail", verdict)
        many = gaps("true", " ".join(f"{fd}</dev/null" for fd in range(10, 30)) + " 30< <(:)")[1][kept][0]
        self.assertTrue(many.startswith("10 (/dev/null), ") and many.endswith(" and 13 more"), many)
        self.assertNotIn(kept, gaps("true", "")[1])

    def shell_around(self, script: str, redirect: str) -> Any:
        """The document of a rehearsal that a shell with such descriptors makes."""
        line = f"exec {redirect}; exec {shlex.quote(self.rehearse)} --state {shlex.quote(str(self.base / 'state'))} --json run -- sh -c {shlex.quote(script)}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        return json.loads(done.stdout)

    def test_secrets_are_placeholders_and_can_be_replaced(self) -> None:
        secret = self.host / "secret.key"
        secret.write_text("top secret")
        secret.chmod(0o640)
        result = self.shell(f"stat -c '%s %a' {secret} >&2; echo mine > {secret}; cat {secret} >&2", "--mask", str(secret))
        self.assertIn(b"10 640\nmine\n", result.err)
        self.assertNotIn(b"top secret", result.out)
        self.assertIn("core.masked-write", [f["rule"] for f in result.doc["verdict"]["findings"]])
        self.assertEqual(secret.read_text(), "top secret")

    def test_a_masked_file_is_as_long_as_the_hosts(self) -> None:
        """Whoever asks for its size decides as on the host; only its content is another."""
        secret, large, empty = (self.host / name for name in ("secret.key", "large", "empty"))
        secret.write_text("top secret")
        empty.touch()
        with open(large, "wb") as file:
            file.truncate(5 << 30)
        masks = [word for path in (secret, large, empty) for word in ("--mask", str(path))]
        looks = f"cd {self.host}; ls -l secret.key large empty; find . -empty; du -b secret.key; test -s secret.key && echo long; stat -c %Y secret.key large"
        result = self.shell(f"({looks}) >&2", *masks)
        self.assertEqual(result.err, self.outside(looks))
        self.assertFalse([gap for gap in result.doc["fidelity"]["gaps"] if "read though masked" in gap["what"]])
        self.assertEqual(self.shell(f"tr -d '\\n' <{secret} | wc -c >&2", *masks).err, b"0\n")
        self.assertEqual(self.shell(f"head -c 1 {large} | od -An -c >&2", *masks).err.split(), [b"\\n"])

    def test_what_is_done_to_a_masked_file_is_what_is_said(self) -> None:
        secret, other = self.host / "secret.key", self.host / "other"
        for script, path, kind in ((f"chmod 600 {secret}", secret, "metadata"), (f"chown 1 {secret}", secret, "metadata"), (f"mv {secret} {other}", other, "renamed"), (f"ln {secret} {other}", secret, "identical"),
                                   (f"exec 3<>{secret}", secret, "identical"), (f"printf x | dd of={secret} conv=notrunc status=none", secret, "modified"), (f"truncate -s 10 {secret}", secret, "identical"),
                                   (f"truncate -s 9 {secret}", secret, "modified"), (f": >{secret}", secret, "modified"), (f"dd if=/dev/zero of={secret} bs=10 count=1 conv=notrunc status=none", secret, "modified")):
            with self.subTest(script):
                secret.write_text("top secret")
                secret.chmod(0o640)
                result = self.shell(script, "--mask", str(secret))
                entry = self.change(result, path, kind)
                self.assertTrue(entry["masked"])
                self.assertIn("core.masked-write", [f["rule"] for f in result.doc["verdict"]["findings"]])
                if kind != "modified":
                    self.assertNotIn("B →", self.call("show", result.doc["id"], json_out=False).out.decode())

    def test_a_masked_file_that_is_read_by_another_name_is_told(self) -> None:
        """The mask lies over one name; the host's other hard links show the file."""
        (self.host / "secret.key").write_text("top secret")
        os.link(self.host / "secret.key", self.host / "copy")
        result = self.shell(f"cat {self.host}/secret.key {self.host}/copy >&2", "--mask", str(self.host / "secret.key"))
        self.assertEqual(result.doc["reads"]["secrets"], [str(self.host / "secret.key")])
        other = self.shell(f"cat {self.host}/secret.key", "--mask", str(self.host / "secret.key"))
        self.assertEqual(other.doc["reads"]["secrets"], [])

    def test_secrets_are_found_in_the_homes_of_all_users(self) -> None:
        home = self.host / "home"
        (home / ".ssh").mkdir(parents=True)
        (home / ".ssh/id_rsa").write_text("SECRET")
        (self.host / "elsewhere").write_text("SECRET")
        (self.host / "other").write_text("public")
        os.chown(self.host / "other", 1000, 1000)
        os.symlink("../../elsewhere", home / ".ssh/id_ed25519")
        os.symlink("../../other", home / ".ssh/id_others")
        script = 'cp /etc/passwd "$B/passwd"; echo "svc:x:999:999::$B/host/home:/bin/sh" >> "$B/passwd"; mount --bind "$B/passwd" /etc/passwd; "$REHEARSE" --state "$B/state" run -- cat "$B/host/home/.ssh/id_rsa" "$B/host/elsewhere" "$B/host/other" || test $? = 10 -o $? = 12'
        done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse})
        self.assertEqual((done.returncode, done.stdout.strip(b"\n")), (0, b"public"), done.stderr[-500:])

    def test_private_keys_are_known_by_their_content(self) -> None:
        home, linked, others = self.host / "home", self.host / "linked", self.host / "others"
        kinds = {"OPENSSH ": "github_deploy", "RSA ": "identity", "EC ": "keys/ec", "ENCRYPTED ": "keys/deep/enc", "": "keys/pkcs8"}
        (home / ".ssh/keys/deep/deeper").mkdir(parents=True)
        for kind, name in kinds.items():
            (home / ".ssh" / name).write_text(f"-----BEGIN {kind}PRIVATE KEY-----\nSECRET\n")
        (home / ".ssh/putty").write_text("PuTTY-User-Key-File-3: ssh-ed25519\nSECRET\n")
        (home / ".ssh/keys/id_ed25519").write_text("SECRET")
        shown = {"config": "Host x\n", "known_hosts": "x ssh-ed25519 AAAA\n", "id_rsa.pub": "ssh-rsa AAAA\n", "cert": "-----BEGIN CERTIFICATE-----\n", "large": "-----BEGIN PRIVATE KEY-----\n" + "x" * 70000}
        for name, text in shown.items():
            (home / ".ssh" / name).write_text(text)
        os.mkfifo(home / ".ssh/pipe")
        # A dotfile manager's: the directory is a link. Through it nobody has another's file shown empty.
        key = "-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET\n"
        for directory, owner in ((linked, 0), (others, 1000)):
            (directory / "dotfiles").mkdir(parents=True)
            (directory / "dotfiles/work").write_text(key)
            (directory / "dotfiles/work.pub").write_text("public\n")
            os.symlink("dotfiles", directory / ".ssh")
            os.chown(directory / ".ssh", owner, owner, follow_symlinks=False)
        accounts = "".join(f"svc{number}:x:{990 + number}:999::{directory}:/bin/sh\n" for number, directory in enumerate((home, linked, others)))
        masked = [home / ".ssh" / name for name in (*kinds.values(), "putty", "keys/id_ed25519")] + [linked / "dotfiles/work"]
        script = (f'cp /etc/passwd "$B/passwd"; printf %s {shlex.quote(accounts)} >> "$B/passwd"; mount --bind "$B/passwd" /etc/passwd; ulimit -t 20\n'
                  f'"$REHEARSE" --state "$B/state" run -- sh -c "cat {shlex.join(map(str, masked))}; wc -c {home}/.ssh/large; cat {others}/dotfiles/work" || test $? = 10 -o $? = 12')
        done = harness.PrivateMounts.run(script, {"B": str(self.base), "REHEARSE": self.rehearse})
        self.assertEqual((done.returncode, done.stdout.decode().lstrip("\n")), (0, f"{len(shown['large'])} {home}/.ssh/large\n{key}"), done.stderr[-500:])

    def test_parents_of_secrets_keep_their_attributes(self) -> None:
        harness.need("setfacl", "setfattr", "getfacl")
        (self.host / "d").mkdir()
        (self.host / "d/secret").write_text("x")
        subprocess.run(["setfacl", "-m", "u:1:rwx,d:u:1:rwx,d:g:4:r", self.host / "d"], check=True)
        subprocess.run(["setfattr", "-n", "user.k", "-v", "v", self.host / "d"], check=True)
        result = self.shell(f"cd {self.host} && getfacl -c d >&2 && touch d/new && getfacl -c d/new | grep -c user:daemon >&2", "--mask", str(self.host / "d/secret"))
        outside = subprocess.run(["getfacl", "-c", "d"], cwd=self.host, capture_output=True, check=True).stdout
        self.assertEqual(result.err.strip(), outside.strip() + b"\n\n1")
        entry = result.changes.get(os.fsencode(self.host / "d"))
        self.assertTrue(entry is None or entry["change"] == "identical", entry)

    def test_state_is_not_there(self) -> None:
        self.shell("true")
        self.assertEqual(self.inside(f"ls -A {self.state}"), b"")
        self.assertEqual(self.inside(f"touch {self.state}/x || echo refused"), b"refused\n")

    def test_hidden_directory(self) -> None:
        (self.host / "f").write_text("x")
        self.assertEqual(self.inside(f"ls -A {self.host}", "--hide", str(self.host)), b"")

    def test_own_terminal_and_no_host_descriptor(self) -> None:
        leak = os.open("/etc/hostname", os.O_RDONLY)
        os.set_inheritable(leak, True)
        try:
            out = self.inside("ls -l /proc/self/fd; tty", close_fds=False)
        finally:
            os.close(leak)
        self.assertNotIn(b"hostname", out)
        self.assertIn(b"not a tty", out)
        self.assertEqual(self.inside("test -t 0 && test -t 1 && tty", "-t", "always").strip(), b"/dev/pts/0")

    def test_stdin_is_passed(self) -> None:
        data = os.urandom(300_000).hex().encode()
        self.assertEqual(self.call("run", "--", "cat", json_out=False, input=data).out, data)

    def test_streams_can_be_opened_by_their_names(self) -> None:
        script = "cat /dev/stdin; echo out >/dev/stdout; echo err | tee /dev/stderr >/dev/null; echo fd >/proc/self/fd/1"
        for options in ((), ("--user", "nobody"), ("--profile", "root")):
            with self.subTest(options):
                result = self.call("run", *options, "--", "sh", "-c", script, json_out=False, input=b"in\n")
                self.assertEqual((result.out, result.err.splitlines()[0]), (b"in\nout\nfd\n", b"err"), result.err)
                self.assertEqual(self.call("show", "last").doc["attempts"], [])
        self.assertEqual(self.inside("echo x >/dev/stdout", "-t", "always", "--user", "nobody").strip(), b"x")

    def test_a_working_directory_that_is_gone_is_not_another(self) -> None:
        gone = self.host / "gone"
        gone.mkdir()
        command = shlex.join(self.command("run", "--", "sh", "-c", "ls; mkdir xx", json_out=False))
        result = subprocess.run(["sh", "-c", f"cd {gone} && rmdir {gone} && exec {command}"], capture_output=True, check=False)
        self.assertEqual(result.returncode, harness.USAGE, result.stderr)
        self.assertIn(b"the working directory is gone", result.stderr)
        named = self.call("run", "--cwd", "/etc/passwd", "--", "true", json_out=False)
        self.assertEqual(named.code, harness.USAGE, named.err)
        (self.host / "odd (deleted)").mkdir()
        self.assertEqual(self.inside("pwd", cwd=self.host / "odd (deleted)").rstrip(), os.fsencode(self.host / "odd (deleted)"))

    def test_user_and_working_directory(self) -> None:
        self.assertEqual(self.inside("id -un; pwd", "--user", "nobody", "--cwd", "/usr"), b"nobody\n/usr\n")
        # As setpriv(1) leaves it: in a directory that it could not have entered.
        (self.host / "closed").mkdir(mode=0o700)
        self.assertEqual(self.inside("id -un; test -x . || echo closed", "--user", "nobody", cwd=self.host / "closed"), b"nobody\nclosed\n")
        self.assertEqual(self.inside("pwd", cwd="/etc"), b"/etc\n")

    def test_network_has_loopback_only(self) -> None:
        self.assertEqual(self.inside("ls /sys/class/net"), b"lo\n")

    def test_service_manager_is_stood_in_for_where_there_is_one(self) -> None:
        if not Path("/run/systemd/system").is_dir():
            harness.skip("systemd is not the service manager here")
        result = self.shell("test -d /run/systemd/system && systemctl restart systemd-journald && echo done >&2")
        self.assertEqual(result.err.strip(), b"done")
        self.assertTrue(any("systemd-journald" in json.dumps(unit) for unit in result.doc["units"]), result.doc["units"])


if __name__ == "__main__":
    harness.main()
