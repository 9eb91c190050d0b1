"""The one async service: a reply as a stream of events, from the stored turn to the provider's last word."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TypeGuard

from mygpt import database
from mygpt.dialogue.content import Message, say
from mygpt.dialogue.events import Event, Finish
from mygpt.providers.base import ChatRequest
from mygpt.services import turns
from mygpt.services.catalog import Catalog
from mygpt.services.turns import Turn
from mygpt.telemetry import REQUEST_ID

GO_ON = "Your last message was cut off. Go on exactly where it ended, without repeating anything."
CHARACTERS_PER_TOKEN = 4
REPLY_SHARE = 4
"""A quarter of a model's window is left for its reply."""


async def reply(turn: Turn, catalog: Catalog) -> AsyncGenerator[Event]:
    """Yield the events of the reply to a stored turn; raises a `ProviderError` where the provider fails."""
    offer = await catalog.resolve(turn.model)
    messages = continued(await said_before(turn), turn.prefix)
    request = ChatRequest(
        model=offer.model.name,
        messages=fitting(messages, offer.model.context_tokens),
        deadlines=offer.provider.deadlines,
        request_id=REQUEST_ID.get(),
    )
    async with aclosing(offer.provider.stream(request)) as events:
        async for event in events:
            yield replace(event, model=f"{offer.provider.name}:{event.model}") if _names_model(event) else event


def _names_model(event: Event) -> TypeGuard[Finish]:
    return isinstance(event, Finish) and bool(event.model)


async def said_before(turn: Turn) -> tuple[Message, ...]:
    """Return the conversation up to the reply; one that has just begun is its first message."""
    if turn.is_new_conversation:
        return (say("user", turn.prompt),)
    return await database.read(turns.request_messages, turn)


def continued(messages: tuple[Message, ...], prefix: str) -> tuple[Message, ...]:
    """Return the messages with a reply's first part and the wish to hear the rest of it."""
    return (*messages, say("assistant", prefix), say("user", GO_ON)) if prefix else messages


def fitting(messages: tuple[Message, ...], context_tokens: int | None) -> tuple[Message, ...]:
    """Return the newest messages that fit the window by a careful estimate; always the last one."""
    if context_tokens is None:
        return messages
    room = (context_tokens - context_tokens // REPLY_SHARE) * CHARACTERS_PER_TOKEN
    kept = len(messages)
    for message in reversed(messages):
        room -= len(message.text)
        if room < 0 and kept < len(messages):
            break
        kept -= 1
    return messages[kept:]
