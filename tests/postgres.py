"""A PostgreSQL of the tests' own: the distribution's programs, a free port, a folder that goes away."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
START_S = 30.0


def find_programs() -> Path | None:
    """Return the folder that holds `initdb` and `postgres`, the newest version first; None where there is none."""
    folders = [folder for place in PLACES for folder in Path("/").glob(place.lstrip("/"))]
    folders.sort(
        key=lambda folder: [int(piece) for piece in folder.parent.name.split("-")[-1].split(".") if piece.isdigit()],
        reverse=True,
    )
    found = shutil.which("initdb")
    if found:
        folders.append(Path(found).parent)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


@contextlib.contextmanager
def running_server(programs: Path) -> Iterator[str]:
    """Run a server for the length of the block and yield its address without a database's name."""
    folder = Path(tempfile.mkdtemp(prefix="mygpt-postgres-"))
    user = _unprivileged_user()
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        password, port = secrets.token_hex(16), _free_port()
        _make_cluster(programs, folder, user, password)
        with (folder / "log").open("wb") as log, _server(programs, folder, user, port, log) as server:
            url = f"postgresql://mygpt:{password}@127.0.0.1:{port}"
            _wait_until_ready(url, server, folder / "log")
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def _as(user: pwd.struct_passwd | None) -> dict[str, object]:
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _make_cluster(programs: Path, folder: Path, user: pwd.struct_passwd | None, password: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    secret.chmod(0o644)  # the folder itself is closed to others
    command = [
        programs / "initdb",
        "-D",
        folder / "data",
        "-U",
        "mygpt",
        "-E",
        "UTF8",
        "--locale=C",
        "-A",
        "scram-sha-256",
    ]
    made = subprocess.run(
        [*command, f"--pwfile={secret}", "--no-sync"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **_as(user),
    )
    if made.returncode:
        raise RuntimeError(f"initdb failed: {made.stderr.strip()}")


@contextlib.contextmanager
def _server(
    programs: Path, folder: Path, user: pwd.struct_passwd | None, port: int, log: object
) -> Iterator[subprocess.Popen[bytes]]:
    quick = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", f"unix_socket_directories={folder}")
    options = [
        piece for option in (*quick, "listen_addresses=127.0.0.1", "max_connections=60") for piece in ("-c", option)
    ]
    command = [programs / "postgres", "-D", folder / "data", "-p", str(port), *options]
    server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_as(user))
    try:
        yield server
    finally:
        server.send_signal(signal.SIGINT)  # fast shutdown: sessions are ended, nothing is waited for
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(f"{url}/postgres", connect_timeout=2):
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")
