"""The watch over every provider's stream: deadlines, a cap, clean text, one log line.

SDKs override or ignore timeouts, end a broken stream without a word and pass on whatever bytes they get; so each
adapter returns its events through `watched`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from mygpt.dialogue.events import Event, Finish, Notice, ReasoningDelta, TextDelta, Usage
from mygpt.errors import MyGPTError, ProviderTimeout
from mygpt.providers.base import ChatRequest
from mygpt.providers.failures import failure

log = logging.getLogger(__name__)
REPLY_BYTES = 200_000
"""The longest text, and likewise the longest reasoning, in UTF-8 bytes."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


async def watched(provider: str, request: ChatRequest, events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    """Yield `events` up to the one `Finish`; raises a `ProviderError` for silence, endlessness and an early end.

    Text beyond the cap is cut and the reply ends as `length`. Closing this generator closes `events`.
    """
    account = _Account(provider, request)
    try:
        async with aclosing(_finished(provider, request, events)) as kept:
            async for event in kept:
                account.note(event)
                yield event
    except MyGPTError as exc:
        account.outcome, account.detail = exc.text_code, exc.detail
        raise
    except (GeneratorExit, asyncio.CancelledError):
        account.outcome = account.outcome or "closed"
        raise
    except BaseException:
        account.outcome = "bug"
        raise
    finally:
        account.log()


async def _finished(provider: str, request: ChatRequest, events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    """Yield what is left of `events` after all checks; the first `Finish` is the last event, and there is one."""
    async with aclosing(_capped(_timed(provider, request, events))) as kept:
        async for event in kept:
            yield event
            if isinstance(event, Finish):
                return
    raise failure("incomplete", provider=provider, model=request.model)


async def _timed(provider: str, request: ChatRequest, events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    """Yield `events`; raises `ProviderTimeout` when the next one, or the last, is too long in coming."""
    limits = request.deadlines
    clock = asyncio.get_running_loop().time
    end = clock() + limits.reply_s
    wait, silence = limits.first_word_s, "first_word"
    async with aclosing(events):
        while True:
            left = end - clock()
            try:
                async with asyncio.timeout(min(wait, left)):
                    event = await anext(events)
            except StopAsyncIteration:
                return
            except TimeoutError as exc:
                which = silence if wait < left else "reply"
                raise ProviderTimeout(f"timeout after={which}", provider=provider, model=request.model) from exc
            wait, silence = limits.idle_s, "idle"
            yield event


async def _capped(events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    """Yield `events` with text that every database takes, at most `REPLY_BYTES` of it."""
    text, reasoning = _Measure(), _Measure()
    async with aclosing(events):
        async for event in events:
            match event:
                case TextDelta():
                    if words := text.take(event.text):
                        yield TextDelta(words)
                    if text.is_full:
                        yield Finish("length")
                        return
                case ReasoningDelta():
                    if words := reasoning.take(event.text):
                        yield ReasoningDelta(words)
                case Usage() | Notice() | Finish():
                    yield event


class _Measure:
    """Counts bytes, heals surrogate pairs that were split over two deltas, and replaces what no database stores."""

    def __init__(self) -> None:
        self.is_full = False
        self._left = REPLY_BYTES
        self._half = ""

    def take(self, text: str) -> str:
        """Return what may be shown of `text` now."""
        if self.is_full:
            return ""
        if self._half:
            text, self._half = self._half + text, ""
        if "\0" in text:
            text = text.replace("\0", REPLACEMENT)
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            if "\ud800" <= text[-1] <= "\udbff":
                text, self._half = text[:-1], text[-1]
            text = heal(text)
            size = len(text.encode())
        if size > self._left:
            text = text.encode()[: self._left].decode(errors="ignore")
            self.is_full = True
        self._left -= size
        return text


def heal(text: str) -> str:
    """Return `text` with surrogate pairs joined and lone halves replaced, so that it is valid Unicode."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class _Account:
    """What the log says of one call: who, how long, how it ended; never what was said."""

    def __init__(self, provider: str, request: ChatRequest) -> None:
        self.outcome = ""
        self.detail = ""
        self._provider = provider
        self._request = request
        self._started = time.monotonic()
        self._first_word_s: float | None = None
        self._characters = 0

    def note(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, TextDelta | ReasoningDelta):
            self._characters += len(event.text)
            if self._first_word_s is None:
                self._first_word_s = round(time.monotonic() - self._started, 3)
        elif isinstance(event, Finish):
            self.outcome = event.reason

    def log(self) -> None:
        """Write the line."""
        has_failed = bool(self.detail) or self.outcome == "bug"
        log.log(
            logging.WARNING if has_failed else logging.INFO,
            "provider call ended",
            extra={
                "provider": self._provider,
                "model": self._request.model,
                "request_id": self._request.request_id,
                "duration_s": round(time.monotonic() - self._started, 3),
                "first_word_s": self._first_word_s,
                "characters": self._characters,
                "outcome": self.outcome,
            }
            | ({"detail": self.detail} if self.detail else {}),
        )
