"""Logging set-up and the request id that ties a browser event to the provider call it causes.

A log line is a constant phrase plus facts in `extra`; never content, never secrets.
"""

import contextlib
import logging
import re
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Literal

from pythonjsonlogger.json import JsonFormatter
from uuid_utils import uuid7

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
# Reflex logs whole events, headers included, when a name is unknown: client text that nobody vetted.
UNTRUSTED_LOGGERS = ("reflex_base.event.processor.event_processor",)
CONTROL = {code: repr(chr(code))[1:-1] for code in [*range(32), 127, *range(128, 160)]}


def new_request_id() -> str:
    """Return a fresh request id."""
    return uuid7().hex


@contextlib.contextmanager
def request_id(value: str = "") -> Iterator[str]:
    """Carry a request id for the length of the block; a client's own is kept when it is well-formed."""
    chosen = value if CLIENT_REQUEST_ID.match(value) else new_request_id()
    token = REQUEST_ID.set(chosen)
    try:
        yield chosen
    finally:
        REQUEST_ID.reset(token)


class _AddRequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = REQUEST_ID.get()
        return True


class _DropClientText(logging.Filter):
    """Replaces what a framework says of a client's event by a constant phrase."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = "event could not be processed", ()
        record.exc_info = record.exc_text = None
        return True


class _TextFormatter(logging.Formatter):
    """Readable lines for a terminal, with the facts behind the phrase; control characters are shown, not obeyed."""

    standard = frozenset(vars(logging.makeLogRecord({}))) | {
        "message",
        "asctime",
        "request_id",
        "taskName",
        "color_message",
    }

    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={value}" for name, value in vars(record).items() if name not in self.standard)
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} {record.getMessage()} {facts}"
        line = line.rstrip().translate(CONTROL)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up_logging(level: str = "info", style: Literal["", "json", "text"] = "") -> None:
    """Send all logs to standard error: JSON lines, or readable ones when it is a terminal."""
    as_text = style == "text" or (not style and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_AddRequestId())
    handler.setFormatter(
        _TextFormatter()
        if as_text
        else JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in UNTRUSTED_LOGGERS:
        logger = logging.getLogger(name)
        logger.filters[:] = [_DropClientText()]
    for name in ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "alembic", "engineio", "socketio", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
