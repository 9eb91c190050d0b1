"""Which Chromium there is."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome; None leaves it to Playwright's own."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)
