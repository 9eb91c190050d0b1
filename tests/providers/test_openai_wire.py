"""Bytes of the Chat Completions wire become events."""

import json
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mygpt.dialogue.content import Message, ReasoningPart, TextPart, say
from mygpt.dialogue.events import Event, Finish, ReasoningDelta, TextDelta, Usage
from mygpt.errors import ContextTooLong, ProviderBusy, ProviderError, ProviderFailed
from mygpt.providers.base import ModelInfo
from mygpt.providers.openai_wire import LINE_BYTES, Reader, messages_of, models_of
from tests.fakes.frame_server import DONE, delta, sse, usage
from tests.providers.asking import text_of, thoughts_of


def read(*blocks: bytes) -> list[Event]:
    reader = Reader("wire", "asked-model")
    return [event for block in blocks for event in reader.feed(block)] + list(reader.end())


def collect(found: Iterable[Event], into: list[Event]) -> None:
    """Keep what comes before a failure."""
    for event in found:
        into.append(event)


def test_a_stream_becomes_deltas_usage_and_finish() -> None:
    counted = usage(
        12, 5, prompt_tokens_details={"cached_tokens": 8}, completion_tokens_details={"reasoning_tokens": 3}
    )

    events = read(
        delta(role="assistant", content=""), delta(content="Hel"), delta(content="lo"), delta("stop"), counted, DONE
    )

    assert events == [
        TextDelta("Hel"),
        TextDelta("lo"),
        Usage(12, 5, 8, 3),
        Finish("stop", "wire-model"),
    ]


def test_what_comes_in_one_block_is_one_delta() -> None:
    events = read(delta(content="a") + delta(content="b") + delta(reasoning="c") + delta(content="d"), delta("stop"))

    assert events[:-1] == [TextDelta("ab"), ReasoningDelta("c"), TextDelta("d")]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_comes_under_two_names(field: str) -> None:
    events = read(delta(**{field: "hm"}), delta(content="so"), delta("stop"))

    assert (thoughts_of(events), text_of(events)) == ("hm", "so")


def test_content_may_be_a_list_of_parts() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "so"}, 7]

    events = read(delta(content=parts), delta("stop"))

    assert (thoughts_of(events), text_of(events)) == ("hm", "so")


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("max_tokens", "length"),
    ],
)
def test_finish_reasons_are_translated(wire: str, reason: str) -> None:
    assert read(delta(content="x"), delta(wire))[-1] == Finish(reason, "wire-model")  # type: ignore[arg-type]


def test_an_unknown_finish_reason_is_a_stop_and_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    assert read(delta(content="x"), delta("bored"))[-1] == Finish("stop", "wire-model")
    assert [record.getMessage() for record in caplog.records] == ["unknown finish reason"]


def test_a_refusal_is_shown_and_named() -> None:
    events = read(delta(refusal="I cannot do that."), delta("stop"))

    assert text_of(events) == "I cannot do that."
    assert events[-1] == Finish("refusal", "wire-model")


@pytest.mark.parametrize("blocks", [(), (DONE,), (delta(content="x"),), (delta(content="x"), usage(1, 1), DONE)])
def test_a_stream_without_a_finish_reason_is_a_failure(blocks: tuple[bytes, ...]) -> None:
    with pytest.raises(ProviderFailed, match="incomplete"):
        read(*blocks)


def test_the_last_line_needs_no_end() -> None:
    assert read(delta(content="x"), delta("stop").rstrip())[-1] == Finish("stop", "wire-model")


def test_nothing_after_done_is_read() -> None:
    assert text_of(read(delta(content="x"), delta("stop") + DONE + delta(content="y"))) == "x"


def test_comments_other_fields_and_carriage_returns_are_passed_over() -> None:
    noise = b": keep-alive\r\n\r\nevent: message\r\nid: 7\r\nretry: 3\r\ndata:\r\n\r\n"

    assert text_of(read(noise + delta(content="x").replace(b"\n", b"\r\n") + noise, delta("stop"))) == "x"


@pytest.mark.parametrize(
    "line",
    [b"data: {not json\n", b"data: [1, 2]\n", b"data: 7\n", b"data: " + b"[" * 100_000 + b"\n", b"data: \xff\xfe\n"],
)
def test_a_malformed_chunk_is_a_failure_after_what_was_said_before(line: bytes) -> None:
    reader = Reader("wire", "m")
    events: list[Event] = []

    with pytest.raises(ProviderFailed, match="protocol"):
        collect(reader.feed(delta(content="before") + line + delta(content="after")), events)

    assert text_of(events) == "before"


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": None, "reasoning": 7, "refusal": []}}]},
        {"choices": [{"delta": {"content": 7}}], "usage": "many", "model": 9},
        {"usage": {"prompt_tokens": -1, "completion_tokens": True, "prompt_tokens_details": 3}},
    ],
)
def test_a_chunk_of_odd_shape_says_nothing(chunk: dict[str, object]) -> None:
    assert text_of(read(sse(chunk), delta(content="x"), delta("stop"))) == "x"


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        ({"message": "Overloaded", "type": "overloaded_error"}, ProviderBusy),
        ({"message": "gone", "code": 502}, ProviderFailed),
        ({"message": "context window exceeded"}, ContextTooLong),
        ("plain words", ProviderFailed),
    ],
)
def test_an_error_inside_a_stream_is_raised(error: object, raised: type[ProviderError]) -> None:
    with pytest.raises(raised):
        read(delta(content="x"), sse({"error": error}))


def test_a_finish_reason_of_error_is_raised() -> None:
    with pytest.raises(ProviderFailed):
        read(delta(content="x"), delta("error"))


@given(st.data())
def test_the_text_is_the_same_wherever_the_bytes_were_cut(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.text(alphabet='aé漢😀🇩🇪\n"\\', min_size=1), min_size=1, max_size=8))
    raw = [
        json.dumps({"choices": [{"delta": {"content": word}}]}, ensure_ascii=data.draw(st.booleans())) for word in words
    ]
    stream = b"".join(b"data: " + line.encode() + b"\n\n" for line in raw) + delta("stop") + DONE
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))

    events = read(*(stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])))

    assert text_of(events) == "".join(words)


def test_an_endless_line_yields_its_beginning_and_then_fails() -> None:
    reader = Reader("wire", "m")
    events: list[Event] = []
    line = b'data: {"choices": [{"delta": {"content": "caf\\u00e9 ' + b"x" * LINE_BYTES

    collect(reader.feed(line[:1000]), events)
    with pytest.raises(ProviderFailed, match="line_too_long"):
        collect(reader.feed(line[1000:]), events)

    assert text_of(events).startswith("café xxxx")
    assert LINE_BYTES * 0.9 < len(text_of(events)) <= len(line)


def test_a_completion_in_one_piece_is_read_too() -> None:
    message = {"role": "assistant", "content": "Hello", "reasoning_content": "hm"}
    body = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}

    events = list(Reader("wire", "m").whole(json.dumps(body).encode()))

    assert events == [ReasoningDelta("hm"), TextDelta("Hello"), Usage(3), Finish("stop", "m")]


def test_messages_go_out_without_reasoning_empty_replies_and_broken_characters() -> None:
    thoughtful = Message("assistant", (ReasoningPart("hm"), TextPart("so")))
    messages = [say("system", "Be kind."), say("user", "Hi \ud83d"), say("assistant", ""), thoughtful, say("user", "")]

    assert messages_of(messages) == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi �"},
        {"role": "assistant", "content": "so"},
        {"role": "user", "content": ""},
    ]


def test_a_list_of_models_tells_context_where_the_server_does() -> None:
    body = {
        "object": "list",
        "data": [
            {"id": "plain"},
            {"id": "vllm", "max_model_len": 32768},
            {"id": "llama", "meta": {"n_ctx": 4096, "n_ctx_train": 32768}},
            {"id": "plain"},
            {"id": 7},
            "nonsense",
        ],
    }

    assert models_of(body) == [
        ModelInfo("plain", "plain"),
        ModelInfo("vllm", "vllm", 32768),
        ModelInfo("llama", "llama", 4096),
    ]


def test_an_empty_list_is_a_list() -> None:
    assert models_of({"object": "list", "data": None}) == []
    assert models_of({"data": []}) == []


@pytest.mark.parametrize("body", [None, {}, "x", 7, {"data": "x"}, {"data": [1, 2]}, [{"name": "no id"}]])
def test_anything_else_is_no_list_of_models(body: object) -> None:
    with pytest.raises(ValueError, match="model"):
        models_of(body)
