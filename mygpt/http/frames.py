"""What a page may say on the event socket: Engine.IO and Socket.IO frames as Reflex's own client writes them.

Reflex writes whatever it cannot read into the log, and it is a client's text; so only well-formed frames get that far.
"""

import json
import re

CONTROL = re.compile(r"[1236][a-z]{0,16}\Z")  # close, ping, pong, noop
PACKET = re.compile(r"4([012])/_event(?:,\d{0,8}(.*))?\Z", re.DOTALL)
CONNECT, DISCONNECT, EVENT = "012"
EVENTS = ("event", "ping", "client_error")


def is_well_formed(frame: str) -> bool:
    """Whether Reflex can make sense of the frame."""
    packet = PACKET.match(frame)
    if packet is None:
        return CONTROL.match(frame) is not None
    kind, text = packet.group(1), packet.group(2) or ""
    if kind == DISCONNECT or (kind == CONNECT and not text):
        return True
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return _is_connect(said) if kind == CONNECT else _is_message(said)


def _is_connect(said: object) -> bool:
    return isinstance(said, dict) and (said.get("event") is None or _is_event(said["event"]))


def _is_message(said: object) -> bool:
    if not isinstance(said, list) or not 1 <= len(said) <= 2 or said[0] not in EVENTS:
        return False
    return said[0] != "event" or (len(said) == 2 and _is_event(said[1]))


def _is_event(said: object) -> bool:
    return (
        isinstance(said, dict)
        and isinstance(said.get("name"), str)
        and isinstance(said.get("payload", {}), dict)
        and isinstance(said.get("router_data", {}), dict)
    )
