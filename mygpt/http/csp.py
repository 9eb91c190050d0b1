"""The Content-Security-Policy: scripts of our own bundle only, no eval, no inline script but those that were built.

The front end's pages carry a few inline scripts. Their hashes are taken from the very files that are served, at start.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

SCRIPT = re.compile(rb"""<script((?:[^>"']|"[^"]*"|'[^']*')*)>(.*?)</script\s*>""", re.DOTALL | re.IGNORECASE)
HAS_SOURCE = re.compile(rb"(?:^|\s)src\s*=", re.IGNORECASE)


def script_hashes(client: Path) -> tuple[str, ...]:
    """Return the CSP sources of all inline scripts in the pages under `client`; none where nothing is built."""
    bodies = {body for page in client.glob("**/*.html") for body in inline_scripts(page.read_bytes())}
    return tuple(sorted(f"'sha256-{base64.b64encode(hashlib.sha256(body).digest()).decode()}'" for body in bodies))


def inline_scripts(page: bytes) -> Iterable[bytes]:
    """Yield the exact bytes between the tags of each script without an address."""
    for attributes, body in SCRIPT.findall(page):
        if body and not HAS_SOURCE.search(attributes):
            yield body


def policy(hashes: Iterable[str] = ()) -> str:
    """Return the header's value. Styles may be inline: components set sizes and places that way."""
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("script-src 'self'", *hashes)),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-src 'none'",
            "frame-ancestors 'none'",
        )
    )
