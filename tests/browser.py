"""`python -m tests.browser`: see that there is a Chromium for the journeys; fetch one if possible, else say so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.fakes.browser import chromium

FETCH_S = 600


def find() -> str | None:
    """Return the path of an installed Chromium or Chrome, or of the one Playwright has fetched."""
    return chromium() or _playwrights_own()


def _playwrights_own() -> str | None:
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def fetch() -> str | None:
    """Try Playwright's own download, then, as root on Debian, the distribution's package."""
    print("No Chromium is installed; trying Playwright's own download …", flush=True)
    if _run([sys.executable, "-m", "playwright", "install", "chromium"]) and (found := find()):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Trying the distribution's package …", flush=True)
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-q"], quiet)
        _run(["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"], quiet)
    return find()


def _run(command: list[str], environment: dict[str, str] | None = None) -> bool:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False, timeout=FETCH_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    place = find() or fetch()
    print(
        f"The browser journeys use {place}." if place else "NO CHROMIUM: the browser journeys are skipped.", flush=True
    )
