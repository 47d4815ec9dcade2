"""A small internet for tests of real clients: a host and the servers it reaches, each in a network namespace of the test's own, where addresses and ports are free to choose."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import http.server
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

import harness

SERVER = "93.184.216.34"
NAME_SERVER = "8.8.8.8"
OWN_NAME_SERVER = "127.0.0.77"
OWN_ADDRESS, OUTSIDE = "10.77.0.2", "10.77.0.1"
NAMES = {"www.example.org", "deb.example.org", "git.example.org", "ssh.example.org", "db.example.org"}
HELLO = "hello from the host"
INSIDE = "REHEARSE_CLIENT_WORLD"


def enter() -> None:
    """Runs this program again in namespaces of its own; returns there."""
    if os.environ.get(INSIDE) or os.geteuid() != 0:
        return
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "-m", "-n", "--propagation", "private", sys.executable, "-B", *sys.argv])


def run(*argv: str | Path, **more: Any) -> None:
    done = subprocess.run([str(word) for word in argv], capture_output=True, check=False, stdin=subprocess.DEVNULL, **more)
    if done.returncode != 0:
        raise AssertionError(f"{argv}: {done.stderr.decode(errors='replace')}{done.stdout.decode(errors='replace')}")


def enter_network(namespace: int) -> None:
    """Moves this thread; what threads it starts from then on are there too."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Server(http.server.ThreadingHTTPServer):
    def shutdown_request(self, request: Any) -> None:
        if isinstance(request, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                request.unwrap()
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that goes away, or does not trust the certificate


class World:
    """`base` is the test's scratch directory; what is served is made when it is first asked for."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.web = base / "web"
        self.web.mkdir()
        (self.web / "hello").write_text(HELLO + "\n")
        self.processes: list[subprocess.Popen[bytes]] = []
        self.queries: list[str] = []
        self._connect_networks()
        # An empty /run: sshd wants a directory there.
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        conf, theirs = base / "resolv.conf", Path("/etc/resolv.conf").resolve()
        conf.write_text(f"nameserver {OWN_NAME_SERVER}\n")
        theirs.parent.mkdir(parents=True, exist_ok=True)
        if not theirs.exists():
            theirs.touch()
        run("mount", "--bind", conf, theirs)
        self._datagrams(OWN_NAME_SERVER, 53, self._answer)
        with self.outside():
            self._datagrams(NAME_SERVER, 53, self._answer)
            self._datagrams(SERVER, 7000, lambda data: b"echo " + data)
            self._serve_web(80, None)
            self.ca = self._serve_tls()

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait()

    # ---- the networks ----

    def _connect_networks(self) -> None:
        """This program's namespace is the host's; that of the servers lives as long as the process that holds it."""
        holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.processes.append(holder)
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.stdout.close()
        self.servers = f"/proc/{holder.pid}/ns/net"
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "out0", "type", "veth", "peer", "name", "in0", "netns", str(holder.pid))
        run("ip", "address", "add", f"{OWN_ADDRESS}/24", "dev", "out0")
        run("ip", "link", "set", "out0", "addrgenmode", "none", "up")
        there = ["nsenter", f"--net={self.servers}"]
        for address, device in ((f"{OUTSIDE}/24", "in0"), (f"{SERVER}/32", "lo"), (f"{NAME_SERVER}/32", "lo")):
            run(*there, "ip", "address", "add", address, "dev", device)
        for device in ("lo", "in0"):
            run(*there, "ip", "link", "set", device, "up")
        run("ip", "route", "add", "default", "via", OUTSIDE)

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Sockets that this thread makes are the servers'."""
        with open("/proc/thread-self/ns/net", "rb") as here, open(self.servers, "rb") as there:
            enter_network(there.fileno())
            try:
                yield
            finally:
                enter_network(here.fileno())

    # ---- names and datagrams ----

    def _datagrams(self, address: str, port: int, answer: Callable[[bytes], bytes]) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind((address, port))

        def serve() -> None:
            while True:
                data, peer = listener.recvfrom(65536)
                listener.sendto(answer(data), peer)

        threading.Thread(target=serve, daemon=True).start()

    def _answer(self, query: bytes) -> bytes:
        """An A record for the names there are, no data for other types of them, NXDOMAIN for the rest."""
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12 : at + 5]
        name = ".".join(labels).lower()
        self.queries.append(name)
        is_a = name in NAMES and question[-4:-2] == b"\0\1"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(SERVER) if is_a else b""
        return query[:2] + (b"\x81\x80" if name in NAMES else b"\x81\x83") + b"\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0" + question + answer

    # ---- the web ----

    def _serve_web(self, port: int, context: ssl.SSLContext | None) -> None:
        server = Server((SERVER, port), functools.partial(QuietHandler, directory=str(self.web)))
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def _serve_tls(self) -> Path:
        key, certificate = self.base / "tls.key", self.base / "tls.crt"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=example.org",
            "-addext", "subjectAltName=DNS:www.example.org,DNS:git.example.org", "-keyout", key, "-out", certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._serve_web(443, context)
        return certificate

    @functools.cached_property
    def git(self) -> Path:
        """A bare repository below the web's root, served by git's own protocol too."""
        work, bare = self.base / "work", self.web / "repo.git"
        env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"}
        run("git", "init", "-q", "-b", "main", work)
        (work / "README").write_text("cloned\n")
        run("git", "-C", work, "add", "README")
        run("git", "-C", work, "commit", "-qm", "first", env=env)
        run("git", "clone", "-q", "--bare", work, bare)
        run("git", "-C", bare, "repack", "-adq")
        run("git", "-C", bare, "update-server-info")
        (bare / "git-daemon-export-ok").touch()
        self.start("git", "daemon", "--reuseaddr", f"--listen={SERVER}", f"--base-path={self.web}", self.web, env={**os.environ, "HOME": str(self.base)})
        self.wait_port(9418)
        return bare

    @functools.cached_property
    def apt(self) -> Path:
        """A repository of one package, below the web's root."""
        tree, pool = self.base / "package", self.web / "debian"
        (tree / "DEBIAN").mkdir(parents=True)
        pool.mkdir()
        (tree / "DEBIAN/control").write_text("Package: rehearse-greeting\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: for a test\n")
        (tree / "DEBIAN/postinst").write_text("#!/bin/sh\necho configured > /var/lib/rehearse-greeting\n")
        (tree / "DEBIAN/postinst").chmod(0o755)
        (tree / "usr/share/rehearse-greeting").mkdir(parents=True)
        (tree / "usr/share/rehearse-greeting/text").write_text("installed\n")
        run("dpkg-deb", "--root-owner-group", "-b", tree, pool / "rehearse-greeting.deb")
        for name, command in (("Packages", ["packages", "."]), ("Release", ["release", "."])):
            listed = subprocess.run(["apt-ftparchive", *command], cwd=pool, capture_output=True, check=True).stdout
            (pool / name).write_bytes(listed)
        return pool

    # ---- servers that are programs ----

    def start(self, *argv: str | Path, **more: Any) -> None:
        """Where the servers are."""
        there = ["nsenter", f"--net={self.servers}"]
        self.processes.append(subprocess.Popen([*there, *(str(word) for word in argv)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more))

    def wait_port(self, port: int) -> None:
        def is_open() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex((SERVER, port)) == 0

        if not harness.wait_for(is_open, 20):
            raise AssertionError(f"nothing listens on port {port}")

    @functools.cached_property
    def ssh(self) -> Path:
        """sshd for root with a key of the test's; the client's configuration."""
        place = self.base / "ssh"
        place.mkdir(0o700)
        for name in ("host", "login"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / name)
        shutil.copy(place / "login.pub", place / "authorized")
        (place / "known").write_text("ssh.example.org " + (place / "host.pub").read_text())
        (place / "sshd.conf").write_text(
            f"ListenAddress {SERVER}:22\nHostKey {place}/host\nAuthorizedKeysFile {place}/authorized\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n")
        (place / "client.conf").write_text(f"Host *\nUser root\nIdentityFile {place}/login\nUserKnownHostsFile {place}/known\nBatchMode yes\nConnectTimeout 10\n")
        os.mkdir("/run/sshd", 0o755)
        self.start("/usr/sbin/sshd", "-D", "-e", "-f", place / "sshd.conf")
        self.wait_port(22)
        return place / "client.conf"

    @functools.cached_property
    def postgres(self) -> None:
        """A PostgreSQL of the test's own, as its own user."""
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
        data = self.base / "postgres"
        data.mkdir()
        user = pwd.getpwnam("postgres")
        os.chown(data, user.pw_uid, user.pw_gid)
        as_postgres = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        run(*as_postgres, programs / "initdb", "-D", data, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C", cwd="/")
        with open(data / "pg_hba.conf", "a", encoding="utf-8") as rules:
            rules.write("host all all 0.0.0.0/0 trust\n")
        self.start(*as_postgres, programs / "postgres", "-D", data, "-h", SERVER, "-p", "5432", "-k", data, "-c", "fsync=off", cwd="/")
        self.wait_port(5432)
