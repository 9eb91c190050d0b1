"""How these tests ask a provider, and what they heard."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

import httpx2

from mygpt.dialogue.content import say
from mygpt.dialogue.events import Event, ReasoningDelta, TextDelta
from mygpt.providers.base import ChatRequest, Deadlines
from mygpt.providers.compatible import Compatible
from tests.fakes.frame_server import FrameServer

QUICK = Deadlines(connect_s=1, first_word_s=5, idle_s=5, reply_s=20)


def compatible(server: FrameServer, http: httpx2.AsyncClient, **options: Any) -> Compatible:
    given = {"name": "wire", "label": "Wire", "base_url": server.base_url, "api_key": "sk-test", "deadlines": QUICK}
    return Compatible(http=http, **(given | options))


def ask(text: str = "Hi", *, model: str = "wire-model", deadlines: Deadlines = QUICK, **options: Any) -> ChatRequest:
    messages = options.pop("messages", (say("user", text),))
    return ChatRequest(model, messages, deadlines=deadlines, request_id="request-0001", **options)


async def heard(events: AsyncGenerator[Event], into: list[Event] | None = None) -> list[Event]:
    """Return all events; those before a failure are in `into`."""
    into = [] if into is None else into
    async with aclosing(events) as stream:
        async for event in stream:
            into.append(event)
    return into


def text_of(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def thoughts_of(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, ReasoningDelta))
