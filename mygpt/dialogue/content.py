"""Messages and their parts, as values; `parts_to_json` and back is how they lie in a row."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """Words, as Markdown."""

    text: str
    kind: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    """What a model thought aloud before it answered; `duration_s` is how long that took."""

    text: str
    duration_s: float | None = None
    kind: Literal["reasoning"] = "reasoning"


Part = TextPart | ReasoningPart
KINDS: Mapping[str, type[TextPart] | type[ReasoningPart]] = {"text": TextPart, "reasoning": ReasoningPart}


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a conversation, as a provider sees it."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """All its words; reasoning left out."""
        return text_of(self.parts)


def say(role: Role, text: str) -> Message:
    """Return a message of one text part."""
    return Message(role, (TextPart(text),))


def text_of(parts: Iterable[Part]) -> str:
    """Return the words of the text parts, put together."""
    return "".join(part.text for part in parts if isinstance(part, TextPart))


# Any: a part as JSON is an open object whose fields depend on its kind.
def parts_to_json(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Return the parts as JSON objects, each with its `kind`."""
    return [asdict(part) for part in parts]


def parts_from_json(rows: Iterable[Mapping[str, Any]]) -> tuple[Part, ...]:
    """Return the parts that `parts_to_json` wrote; an unknown kind raises `KeyError`."""
    return tuple(KINDS[row["kind"]](**row) for row in rows)
