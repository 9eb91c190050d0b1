"""A running site with people and their cookies, for tests that speak to it over real sockets."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from mygpt.database import Database
from mygpt.services import logins
from mygpt.services.access import Actor
from mygpt.tables.accounts import AccountRole
from tests.factories import make_user

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "correct horse battery staple"
BROWSER = logins.Browser(idle_s=3600, max_s=86400)


@dataclass(frozen=True)
class Site:
    """A server process, its database, and what it has written."""

    port: int
    folder: Path
    database: Database
    password_hash: str

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def person(self, name: str, role: AccountRole = AccountRole.MEMBER) -> Actor:
        """Store a person with `PASSWORD`."""
        return self.database.run_sync(make_user, name, role=role, password_hash=self.password_hash)

    def cookie(self, who: Actor) -> tuple[str, logins.NewLogin]:
        """Sign a person in and return the header a browser would send."""
        new = self.database.run_sync(logins.open_session, who.account_id, BROWSER)
        return f"mygpt={new.token}", new

    def client(self, **options: object) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.address, trust_env=False, headers={"Origin": self.address}, **options)  # type: ignore[arg-type]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _environment(folder: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MYGPT_", "REFLEX_"))}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "MYGPT_PORT": str(port),
        "MYGPT_PUBLIC_URL": f"http://localhost:{port}",
        "MYGPT_DATA_DIR": str(folder / "data"),
        "DATABASE_URL": f"sqlite:///{folder / 'mygpt.db'}",
        "__REFLEX_SKIP_COMPILE": "true",
        "REFLEX_ENV_MODE": "prod",
        "REFLEX_STATE_MANAGER_MODE": "disk",
        "REFLEX_SOCKET_MAX_HTTP_BUFFER_SIZE": "65536",
        "REFLEX_TELEMETRY_ENABLED": "false",
        "REFLEX_CHECK_LATEST_VERSION": "false",
    }


def _wait_until_up(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            httpx2.get(f"http://localhost:{port}/healthz", trust_env=False)
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the site did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path) -> Iterator[Site]:
    """The small site of `tests.http.site`, served by uvicorn in a process of its own."""
    folder, port = tmp_path_factory.mktemp("site"), _free_port()
    shutil.copyfile(_sqlite_template, folder / "mygpt.db")
    (folder / "rxconfig.py").write_text(
        "import reflex as rx\n"
        f"config = rx.Config(app_name='site', cors_allowed_origins=['http://localhost:{port}'], plugins=[])\n"
    )
    command = [sys.executable, "-m", "uvicorn", "tests.http.site:create_asgi", "--factory", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--no-proxy-headers", "--ws", "websockets-sansio"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=_environment(folder, port), stdout=log, stderr=log)
    database = Database(f"sqlite:///{folder / 'mygpt.db'}")
    try:
        _wait_until_up(port, server, folder / "log")
        yield Site(port, folder, database, asyncio.run(logins.hash_password(PASSWORD)))
    finally:
        database.close()
        server.terminate()
        server.wait(timeout=20)
