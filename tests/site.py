"""A real MyGPT in processes of its own, as a user starts it, for journeys and faults."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.bench.processes import free_port

ROOT = Path(__file__).resolve().parents[1]
EMAIL, PASSWORD = "owner@example.org", "a rather long passphrase"
READY_S = 60.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Site:
    """One site: its address, its data folder, and its process, which may die and come back."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """Choose a port and settings; nothing runs before `start`."""
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.settings = {
            "MYGPT_PORT": str(self.port),
            "MYGPT_DATA_DIR": str(self.data),
            "MYGPT_ADMIN_EMAIL": EMAIL,
            "MYGPT_ADMIN_PASSWORD": PASSWORD,
            "MYGPT_LOCAL_MODEL": "off",
            "MYGPT_SCRIPTED": "1",
            "MYGPT_LOG_FORMAT": "json",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start the server and return the seconds until it was ready."""
        passed_on = ("PATH", "HOME", "LANG", "UV_CACHE_DIR")
        kept = {name: value for name, value in os.environ.items() if name in passed_on or name.startswith("COVERAGE_")}
        began = time.monotonic()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mygpt", "serve", "--no-build"],
                cwd=ROOT,
                env={**kept, **{name: value for name, value in self.settings.items() if value}},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() - began > READY_S:
                raise RuntimeError(f"the site did not start:\n{self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.05)
        return time.monotonic() - began

    def is_ready(self) -> bool:
        """Return True when the site says that it can work."""
        try:
            with _OPENER.open(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False

    def kill(self) -> None:
        """End the process as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> float:
        """Ask the process to end; returns the seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return time.monotonic() - began

    def logged(self) -> str:
        """Return all the server has logged."""
        return self.log.read_text(errors="replace")


@contextmanager
def running_site(folder: Path, **settings: str) -> Iterator[Site]:
    """Run a site for the length of the block."""
    site = Site(folder, **settings)
    try:
        site.start()
        yield site
    finally:
        if site.process is not None and site.process.poll() is None:
            site.stop()


def sign_in(site: Site, email: str = EMAIL, password: str = PASSWORD) -> str:
    """Sign in over HTTP and return the cookie as a request header's value."""
    answer = httpx2.post(
        f"{site.url}/auth/login",
        json={"email": email, "password": password},
        headers={"origin": site.url, "sec-fetch-site": "same-origin"},
        trust_env=False,
    )
    assert answer.status_code == 204, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


async def sign_in_async(site: Site, email: str = EMAIL, password: str = PASSWORD) -> str:
    """Do the same as `sign_in` beside other tasks."""
    return await asyncio.to_thread(sign_in, site, email, password)
