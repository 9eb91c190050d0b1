"""OpenAI's Chat Completions wire, without any SDK: messages out, server-sent events in, lists of models.

The SDK builds several objects per chunk; `Reader` looks at the few fields that matter and joins what came in one piece
of network data into one delta: some 60 % of the SDK's processor time when chunks come singly, a quarter in heaps.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mygpt.dialogue.content import Message
from mygpt.dialogue.events import Event, Finish, FinishReason, ReasoningDelta, TextDelta, Usage
from mygpt.errors import ProviderError
from mygpt.providers.base import ModelInfo
from mygpt.providers.failures import classify, complaint, failure
from mygpt.providers.watchdog import heal

log = logging.getLogger(__name__)

LINE_BYTES = 1_500_000
"""Room for a whole capped reply in one chunk, every character escaped."""
FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "refusal",
}
CONTEXT_FIELDS = ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx", "n_ctx_train")
CONTENT = re.compile(rb'"content"\s*:\s*"((?:[^"\\]|\\(?:u[0-9A-Fa-f]{4}|[^u]))*)')

Json = dict[str, Any]  # Any: what a server sends is an open object until looked at


def messages_of(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Return messages as the wire has them; reasoning stays here, and an empty reply is left out."""
    return [
        {"role": message.role, "content": heal(text)}
        for message in messages
        if (text := message.text) or message.role == "user"
    ]


def models_of(body: object) -> list[ModelInfo]:
    """Return the models of a `GET /models` answer; raises ValueError when it is no such list."""
    entries = body.get("data", body.get("models")) if isinstance(body, dict) else body
    if entries is None and isinstance(body, dict) and body.get("object") == "list":
        return []  # Ollama says null when it has none
    if not isinstance(entries, list):
        raise ValueError("no list of models")  # noqa: TRY004 - it is the value that is wrong, not the caller
    found = {entry["id"]: _model(entry) for entry in entries if isinstance(entry, dict) and _is_name(entry.get("id"))}
    if entries and not found:
        raise ValueError("no model has an id")
    return list(found.values())


class Reader:
    """Turns the bytes of one streamed completion into events; sync, without I/O, for one reply."""

    def __init__(self, provider: str, model: str) -> None:
        """`provider` and `model` are named in what it raises."""
        self.is_done = False
        self._provider = provider
        self._model = model
        self._line = bytearray()
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None
        self._answered_by = ""
        self._is_refusal = False

    def feed(self, block: bytes) -> Iterator[Event]:
        """Yield the events of a block of bytes, wherever it was cut, then raise its `ProviderError`, if any."""
        said: list[TextDelta | ReasoningDelta] = []
        fault: ProviderError | None = None
        try:
            for line in self._lines(block):
                self._read(line, said)
        except ProviderError as exc:
            fault = exc
        yield from _joined(said)
        if fault:
            raise fault

    def end(self) -> Iterator[Event]:
        """Yield what a complete stream ends with; raises a `ProviderError` for one that stopped short."""
        if self._line and not self.is_done:
            yield from self.feed(b"\n")
        if self._finish is None:
            raise self._failure("incomplete")
        if self._usage is not None:
            yield self._usage
        yield Finish("refusal" if self._is_refusal and self._finish == "stop" else self._finish, self._answered_by)

    def whole(self, body: bytes) -> Iterator[Event]:
        """Yield the events of a completion that came in one piece, from a server that does not stream."""
        said: list[TextDelta | ReasoningDelta] = []
        self._read_chunk(self._parsed(body), said, delta="message")
        yield from _joined(said)
        yield from self.end()

    def _lines(self, block: bytes) -> Iterator[bytes]:
        *lines, rest = block.split(b"\n")
        for line in lines:
            if self._line:
                self._line += line
                line, self._line = bytes(self._line), bytearray()
            yield line
        self._line += rest
        if len(self._line) > LINE_BYTES:
            yield self._salvaged()
            raise failure("protocol", provider=self._provider, model=self._model, note="line_too_long")

    def _salvaged(self) -> bytes:
        """Return the text at the head of an endless line as a chunk of its own, so that the reader sees the start."""
        found = CONTENT.search(self._line)
        words = bytes(found[1]) if found else b""
        self._line.clear()
        return b'data: {"choices":[{"delta":{"content":"%s"}}]}' % words

    def _read(self, line: bytes, said: list[TextDelta | ReasoningDelta]) -> None:
        if self.is_done or not line.startswith(b"data:"):
            return  # a comment that keeps the line open, an event's name, an empty line
        data = line[5:].strip()
        if data == b"[DONE]":
            self.is_done = True
        elif data:
            self._read_chunk(self._parsed(data), said)

    def _parsed(self, data: bytes) -> Json:
        try:
            chunk = json.loads(data.decode(errors="replace"))
        except (ValueError, RecursionError) as exc:
            raise self._failure("malformed") from exc
        if not isinstance(chunk, dict):
            raise self._failure("malformed")
        if error := chunk.get("error"):
            said = complaint(error)
            raise failure(classify(said), provider=self._provider, model=self._model, said=said, note="in_stream")
        return chunk

    def _read_chunk(self, chunk: Json, said: list[TextDelta | ReasoningDelta], delta: str = "delta") -> None:
        if isinstance(model := chunk.get("model"), str) and not self._answered_by:
            self._answered_by = model[:200]
        if isinstance(usage := chunk.get("usage"), dict):
            self._usage = _usage(usage)
        match chunk.get("choices"):
            case [dict() as choice, *_]:
                if isinstance(words := choice.get(delta), dict):
                    self._read_delta(words, said)
                self._read_finish(choice.get("finish_reason"))
            case _:
                pass  # the chunk with the usage has no choices

    def _read_delta(self, delta: Json, said: list[TextDelta | ReasoningDelta]) -> None:
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought and isinstance(thought, str):
            said.append(ReasoningDelta(thought))
        content = delta.get("content")
        if content and isinstance(content, str):
            said.append(TextDelta(content))
        elif isinstance(content, list):
            said.extend(_parts(content))
        refusal = delta.get("refusal")
        if refusal and isinstance(refusal, str):
            self._is_refusal = True
            said.append(TextDelta(refusal))

    def _read_finish(self, reason: object) -> None:
        if reason is None or reason == "":
            return
        if reason == "error":
            raise failure("server", provider=self._provider, model=self._model, note="finish_error")
        known = FINISH_REASONS.get(str(reason))
        if known is None:
            log.warning("unknown finish reason", extra={"provider": self._provider, "reason": str(reason)[:40]})
        self._finish = known or "stop"

    def _failure(self, what: str) -> ProviderError:
        if what == "incomplete":
            return failure("incomplete", provider=self._provider, model=self._model)
        return failure("protocol", provider=self._provider, model=self._model, note=what)


def _joined(said: Sequence[TextDelta | ReasoningDelta]) -> Iterator[Event]:
    """Yield neighbours of one kind as one delta: what came together is shown together."""
    if len(said) < 2:
        yield from said
        return
    words: list[str] = []
    for here, following in zip(said, [*said[1:], None], strict=True):
        words.append(here.text)
        if type(following) is not type(here):
            yield type(here)("".join(words))
            words.clear()


def _parts(content: Sequence[object]) -> Iterator[TextDelta | ReasoningDelta]:
    """Yield the deltas of content that is a list of parts, as Mistral's dialect has it."""
    for part in content:
        match part:
            case {"type": "text", "text": str(text)}:
                yield TextDelta(text)
            case {"type": "thinking", "thinking": [*thoughts]}:
                yield from (ReasoningDelta(str(thought["text"])) for thought in thoughts if _has_text(thought))
            case _:
                pass  # an image or the like: this slice has words only


def _usage(usage: Json) -> Usage:
    prompt = usage.get("prompt_tokens_details")
    output = usage.get("completion_tokens_details")
    cached = _count(prompt.get("cached_tokens")) if isinstance(prompt, dict) else None
    return Usage(
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(usage.get("prompt_cache_hit_tokens")) if cached is None else cached,
        reasoning_tokens=_count(output.get("reasoning_tokens")) if isinstance(output, dict) else None,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _has_text(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()


def _model(entry: Json) -> ModelInfo:
    facts = entry | (entry["meta"] if isinstance(entry.get("meta"), dict) else {})
    tokens = (_count(facts.get(name)) for name in CONTEXT_FIELDS)
    name = str(entry["id"])
    return ModelInfo(name, name, next(filter(None, tokens), None))
