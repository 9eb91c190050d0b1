"""What a stream yields: the same small values from a provider, from `chat.reply` and from a run.

A provider yields deltas, then exactly one `Usage` where it knows it, then exactly one `Finish`; a stream that ends
without a `Finish` is an error of the provider.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "error"]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More words of the reply."""

    text: str
    kind: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of what the model thinks aloud."""

    text: str
    kind: Literal["reasoning"] = "reasoning"


@dataclass(frozen=True, slots=True)
class Usage:
    """Counted tokens: `input` includes cached ones, `output` includes reasoning; None is not told."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    kind: Literal["usage"] = "usage"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the reader should know while waiting; `code` names its text (`notice.<code>`)."""

    code: str
    detail: str = ""
    kind: Literal["notice"] = "notice"


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a reply, and which model really wrote it (empty where the provider does not say)."""

    reason: FinishReason = "stop"
    model: str = ""
    kind: Literal["finish"] = "finish"


Event = TextDelta | ReasoningDelta | Usage | Notice | Finish
KINDS: dict[str, type[TextDelta] | type[ReasoningDelta] | type[Usage] | type[Notice] | type[Finish]] = {
    "text": TextDelta,
    "reasoning": ReasoningDelta,
    "usage": Usage,
    "notice": Notice,
    "finish": Finish,
}


# Any: an event as JSON is an open object whose fields depend on its kind.
def event_to_json(event: Event) -> dict[str, Any]:
    """Return the event as a JSON object with its `kind`."""
    return asdict(event)


def event_from_json(row: dict[str, Any]) -> Event:
    """Return the event that `event_to_json` wrote; an unknown kind raises `KeyError`."""
    return KINDS[row["kind"]](**row)
