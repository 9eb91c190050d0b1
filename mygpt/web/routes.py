"""Every path of the site, and its builder."""

import re

HOME = "/"
CONVERSATION = "/c/[conversation]"
LOGIN = "/login"
SETUP = "/setup"

_CONVERSATION_PATH = re.compile(r"/c/([0-9a-f-]{36})/?\Z")


def conversation(conversation_id: str) -> str:
    """Return the address of one conversation."""
    return f"/c/{conversation_id}"


def conversation_of(path: str) -> str:
    """Return the conversation a path names; empty for a new one, `?` for one that cannot exist."""
    found = _CONVERSATION_PATH.match(path)
    if found:
        return found[1]
    return "?" if path.startswith("/c/") else ""
