"""What every provider is: the protocol, what it is asked, and how long it may be silent."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

from mygpt.dialogue.content import Message
from mygpt.dialogue.events import Event


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a reply may keep its reader waiting, in seconds."""

    connect_s: float = 5.0
    first_word_s: float = 30.0
    idle_s: float = 30.0
    reply_s: float = 600.0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model of a provider: `name` as the provider calls it, `label` as people read it."""

    name: str
    label: str
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to one model; `request_id` ties the provider's log to ours."""

    model: str
    messages: tuple[Message, ...]
    max_output_tokens: int | None = None
    deadlines: Deadlines = field(default_factory=Deadlines)
    request_id: str = ""


class Provider(Protocol):
    """A vendor or runtime that answers in words.

    `name` is the part of a model id before its first colon; `label` is what people read; `deadlines` its usual ones.
    """

    name: str
    label: str
    deadlines: Deadlines

    def stream(self, request: ChatRequest) -> AsyncGenerator[Event]:
        """Yield the reply up to one `Finish`, or raise a `ProviderError`. Closing it closes the upstream request."""
        ...

    async def models(self) -> list[ModelInfo]:
        """Return the models on offer; raises a `ProviderError` when they cannot be had."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and child processes."""
        ...
