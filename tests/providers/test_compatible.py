"""A server that speaks OpenAI's wire, good and bad, over a real socket."""

import asyncio
import gzip
import logging
import time
from contextlib import aclosing
from dataclasses import replace

import httpx2
import pytest

from mygpt.dialogue.content import say
from mygpt.dialogue.events import Event, Finish, TextDelta, Usage
from mygpt.errors import (
    ContextTooLong,
    CredentialRejected,
    ModelUnavailable,
    ProviderBusy,
    ProviderError,
    ProviderFailed,
    ProviderQuota,
    ProviderTimeout,
)
from mygpt.providers.compatible import Compatible
from mygpt.providers.watchdog import REPLY_BYTES
from tests.fakes.frame_server import CUT, DONE, SHUT, STALL, Answer, FrameServer, delta, usage
from tests.providers.asking import QUICK, ask, compatible, heard, text_of

HELLO = (delta(content="Hel"), delta(content="lo"), delta("stop"), usage(3, 2), DONE)


async def test_a_reply_is_heard_whole(server: FrameServer, wire: Compatible) -> None:
    server.chats(*HELLO)

    events = await heard(wire.stream(ask()))

    assert text_of(events) == "Hello"
    assert events[-2:] == [Usage(3, 2), Finish("stop", "wire-model")]


async def test_the_request_says_what_it_should_and_nothing_more(
    server: FrameServer, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Private: secret")
    server.chats(*HELLO)

    await heard(compatible(server, http).stream(ask("Hi 👋", max_output_tokens=77)))

    asked = server.asked[0]
    assert asked.body == {
        "model": "wire-model",
        "messages": [{"role": "user", "content": "Hi 👋"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 77,
    }
    assert asked.headers["authorization"] == "Bearer sk-test"
    assert asked.headers["x-request-id"] == "request-0001"
    assert not {"openai-organization", "x-private"} & set(asked.headers)
    assert not {"x-stainless-os", "x-stainless-arch", "x-stainless-runtime-version"} & set(asked.headers)


async def test_openais_own_models_take_another_limit_and_may_think_unheard(
    server: FrameServer, http: httpx2.AsyncClient
) -> None:
    server.chats(0.5, *HELLO)
    provider = compatible(server, http, vendor_slow_s=5)
    hasty = replace(QUICK, first_word_s=0.2)

    await heard(provider.stream(ask(model="gpt-5.4", deadlines=hasty, max_output_tokens=9)))
    with pytest.raises(ProviderTimeout):
        await heard(provider.stream(ask(model="gpt-4.1", deadlines=hasty)))

    assert server.asked[0].body["max_completion_tokens"] == 9
    assert "max_tokens" not in server.asked[0].body


async def test_without_a_key_none_is_sent(
    server: FrameServer, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    server.chats(*HELLO)
    provider = compatible(server, http, api_key="")

    await heard(provider.stream(ask()))
    await provider.models()

    assert [asked.headers.get("authorization") for asked in server.asked] == [None, None]


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_refuses_stream_options_is_asked_without_from_then_on(
    server: FrameServer, wire: Compatible, status: int
) -> None:
    refusal = Answer([b'{"error": {"message": "Unrecognized argument: stream_options"}}'], status)
    good = [Answer(HELLO) for _ in range(2)]
    server.answers["/v1/chat/completions"] = [refusal, *good]

    texts = [text_of(await heard(wire.stream(ask()))) for _ in range(2)]

    assert texts == ["Hello", "Hello"]
    assert ["stream_options" in asked.body for asked in server.asked] == [True, False, False]


async def test_a_server_that_does_not_stream_is_understood(server: FrameServer, wire: Compatible) -> None:
    whole = {"choices": [{"message": {"content": "All at once"}, "finish_reason": "stop"}]}
    server.sends("/v1/chat/completions", whole)

    assert text_of(await heard(wire.stream(ask()))) == "All at once"


async def test_a_packed_stream_is_unpacked(server: FrameServer, wire: Compatible) -> None:
    server.chats(gzip.compress(b"".join(HELLO)), content_encoding="gzip")

    assert text_of(await heard(wire.stream(ask()))) == "Hello"
    assert server.asked[0].headers["accept-encoding"] == "identity"


async def test_characters_may_be_cut_anywhere(server: FrameServer, wire: Compatible) -> None:
    text = "日本 👩‍👩‍👧‍👦 é"
    raw = delta(content=text).replace(
        delta(content=text)[6:-2], b'{"choices":[{"delta":{"content":"%s"}}]}' % text.encode()
    )
    server.chats(*(bytes([byte]) for byte in raw), delta("stop"), DONE)

    assert text_of(await heard(wire.stream(ask()))) == text


async def test_half_a_surrogate_pair_waits_for_the_other(server: FrameServer, wire: Compatible) -> None:
    server.chats(
        delta(content="a\ud83d"), 0.05, delta(content="\ude00b\ud83d"), 0.05, delta(content="c"), delta("stop")
    )

    events = await heard(wire.stream(ask()))

    assert text_of(events) == "a😀b�c"
    text_of(events).encode()


@pytest.mark.parametrize(
    ("status", "body", "raised"),
    [
        (401, '{"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}', CredentialRejected),
        (403, "{}", CredentialRejected),
        (404, '{"error": {"code": "model_not_found"}}', ModelUnavailable),
        (429, '{"error": {"code": "insufficient_quota"}}', ProviderQuota),
        (429, '{"error": {"message": "slow down"}}', ProviderBusy),
        (503, "<html>overloaded</html>", ProviderBusy),
        (529, '{"type": "error", "error": {"type": "overloaded_error"}}', ProviderBusy),
        (400, '{"error": {"code": "context_length_exceeded"}}', ContextTooLong),
        (504, "", ProviderTimeout),
        (500, "Internal Server Error", ProviderFailed),
        (400, '["odd"]', ProviderFailed),
        (301, "", ProviderFailed),
    ],
)
async def test_an_error_status_is_the_right_failure(
    server: FrameServer, wire: Compatible, status: int, body: str, raised: type[ProviderError]
) -> None:
    server.chats(body.encode() or b" ", status=status, location="http://127.0.0.1:1/", x_request_id="up-1")

    with pytest.raises(raised) as caught:
        await heard(wire.stream(ask()))

    assert type(caught.value) is raised
    assert (caught.value.provider, caught.value.model) == ("wire", "wire-model")
    assert caught.value.upstream_request_id == "up-1"
    assert len(server.asked) == 1  # no retries of the SDK's own


async def test_retry_after_is_kept(server: FrameServer, wire: Compatible) -> None:
    server.chats(b"{}", status=429, retry_after="7")

    with pytest.raises(ProviderBusy) as caught:
        await heard(wire.stream(ask()))

    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize("mishap", [CUT, SHUT])
async def test_a_lost_connection_keeps_what_was_said(server: FrameServer, wire: Compatible, mishap: object) -> None:
    server.chats(delta(content="so far"), 0.05, mishap)  # type: ignore[arg-type]
    events: list[Event] = []

    with pytest.raises(ProviderFailed, match=r"connection"):
        await heard(wire.stream(ask()), events)

    assert text_of(events) == "so far"


async def test_an_early_end_is_a_failure(server: FrameServer, wire: Compatible) -> None:
    server.chats(delta(content="so far"))
    events: list[Event] = []

    with pytest.raises(ProviderFailed, match="incomplete"):
        await heard(wire.stream(ask()), events)

    assert text_of(events) == "so far"


async def test_a_web_page_is_a_failure(server: FrameServer, wire: Compatible) -> None:
    server.chats(b"<html>Sign in to the hotel's network</html>", content_type="text/html; charset=utf-8")

    with pytest.raises(ProviderFailed, match="a_web_page"):
        await heard(wire.stream(ask()))


async def test_nobody_there_is_a_failure_at_once(http: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(2):
        server = FrameServer()
        server.port = 1
        with pytest.raises(ProviderFailed, match="connection"):
            await heard(compatible(server, http).stream(ask()))


@pytest.mark.parametrize(
    ("frames", "which"), [((STALL,), "first_word"), ((delta(content="x"), STALL), "idle"), ((0.3, STALL), "first_word")]
)
@pytest.mark.deadline
async def test_silence_ends_at_its_deadline(
    server: FrameServer, wire: Compatible, frames: tuple[bytes | float, ...], which: str
) -> None:
    server.chats(*frames)
    started = time.monotonic()

    with pytest.raises(ProviderTimeout, match=which):
        await heard(wire.stream(ask(deadlines=replace(QUICK, first_word_s=0.5, idle_s=0.5))))

    assert 0.45 < time.monotonic() - started < 1.5
    async with asyncio.timeout(1):
        await server.asked[0].gone.wait()


@pytest.mark.deadline
async def test_comments_do_not_count_as_words(server: FrameServer, wire: Compatible) -> None:
    server.chats(*[frame for _ in range(40) for frame in (b": still busy\n\n", 0.05)])

    with pytest.raises(ProviderTimeout, match="first_word"):
        await heard(wire.stream(ask(deadlines=replace(QUICK, first_word_s=0.4))))


@pytest.mark.deadline
async def test_a_reply_without_end_is_ended(server: FrameServer, wire: Compatible) -> None:
    server.chats(*[frame for _ in range(100) for frame in (delta(content="more "), 0.02)])
    events: list[Event] = []

    with pytest.raises(ProviderTimeout, match="reply"):
        await heard(wire.stream(ask(deadlines=replace(QUICK, reply_s=0.5))), events)

    assert text_of(events).startswith("more more ")


@pytest.mark.parametrize("before", [(), (delta(content="x"),)], ids=["before the first word", "in the middle"])
@pytest.mark.deadline
async def test_closing_hangs_up_within_a_tenth_of_a_second(
    server: FrameServer, wire: Compatible, before: tuple[bytes, ...]
) -> None:
    server.chats(*before, STALL)
    events = wire.stream(ask())
    listening = asyncio.create_task(heard(events))
    while not server.asked or server.asked[0].sent < len(before):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)

    closed_at = time.monotonic()
    listening.cancel()
    await asyncio.wait([listening])
    await server.asked[0].gone.wait()

    assert server.asked[0].gone_at is not None
    assert server.asked[0].gone_at - closed_at < 0.1


@pytest.mark.deadline
async def test_leaving_in_mid_stream_hangs_up_within_a_tenth_of_a_second(server: FrameServer, wire: Compatible) -> None:
    server.chats(*[frame for _ in range(500) for frame in (delta(content="more "), 0.01)])

    async with aclosing(wire.stream(ask())) as events:
        await anext(events)
        left_at = time.monotonic()
    await server.asked[0].gone.wait()

    assert server.asked[0].gone_at is not None
    assert server.asked[0].gone_at - left_at < 0.1
    assert server.asked[0].sent < 30


async def test_connections_serve_again(server: FrameServer, wire: Compatible) -> None:
    server.chats(*HELLO)

    for _ in range(3):
        await heard(wire.stream(ask()))

    assert server.connections == 1


async def test_text_is_cut_at_its_cap(server: FrameServer, wire: Compatible) -> None:
    server.chats(*(delta(content="é" * 1000) for _ in range(200)), STALL)

    events = await heard(wire.stream(ask()))

    assert len(text_of(events).encode()) == REPLY_BYTES
    assert events[-1] == Finish("length")


async def test_one_absurd_chunk_is_cut_without_being_kept(server: FrameServer, wire: Compatible) -> None:
    block = b"x" * 1_000_000
    head = b'data: {"choices": [{"delta": {"content": "'
    server.chats(head, *(block for _ in range(50)), b'"}}]}\n\n', delta("stop"), DONE)

    events = await heard(wire.stream(ask()))

    assert text_of(events) == "x" * REPLY_BYTES
    assert events[-1] == Finish("length")
    assert server.asked[0].sent < 25  # the rest was never fetched


async def test_an_endless_error_body_is_not_read_to_its_end(server: FrameServer, wire: Compatible) -> None:
    server.chats(*(b"x" * 100_000 for _ in range(500)), status=500)

    with pytest.raises(ProviderFailed):
        await heard(wire.stream(ask()))

    assert server.asked[0].sent < 100


async def test_models_are_listed(server: FrameServer, wire: Compatible) -> None:
    assert [model.name for model in await wire.models()] == ["wire-model", "other-model"]


@pytest.mark.parametrize("body", [{"data": "x"}, "words", {"hello": "I am another program"}])
async def test_what_is_no_list_of_models_is_a_failure(server: FrameServer, wire: Compatible, body: object) -> None:
    server.sends("/v1/models", body)

    with pytest.raises(ProviderFailed, match="protocol"):
        await wire.models()


async def test_a_rejected_key_shows_when_models_are_listed(server: FrameServer, wire: Compatible) -> None:
    server.sends("/v1/models", {"error": {"message": "no"}}, 401)

    with pytest.raises(CredentialRejected):
        await wire.models()


async def test_a_key_that_no_header_can_carry_is_a_failure_not_a_bug(
    server: FrameServer, http: httpx2.AsyncClient
) -> None:
    with pytest.raises(ProviderFailed):
        await heard(compatible(server, http, api_key="schlüssel").stream(ask()))


async def test_one_line_tells_of_each_call_and_nothing_of_what_was_said(
    server: FrameServer, wire: Compatible, caplog: pytest.LogCaptureFixture
) -> None:
    server.chats(*HELLO)
    caplog.set_level(logging.INFO, "mygpt")

    await heard(wire.stream(ask("my secret question")))
    server.chats(b'{"error": {"message": "secret answer"}}', status=500)
    with pytest.raises(ProviderFailed):
        await heard(wire.stream(ask("my secret question")))

    good, bad = [record for record in caplog.records if record.name.startswith("mygpt")]
    assert good.getMessage() == bad.getMessage() == "provider call ended"
    facts = vars(good)
    assert (facts["provider"], facts["model"], facts["outcome"]) == ("wire", "wire-model", "stop")
    assert (facts["request_id"], facts["characters"]) == ("request-0001", 5)
    assert (vars(bad)["outcome"], vars(bad)["detail"], bad.levelname) == (
        "provider_failed",
        "server status=500",
        "WARNING",
    )
    assert "secret" not in str([vars(record) for record in caplog.records if record.name.startswith("mygpt")])


async def test_many_replies_at_once_do_not_wait_for_each_other(server: FrameServer, wire: Compatible) -> None:
    server.chats(delta(content="a"), 0.3, delta(content="b"), delta("stop"), DONE)

    async with asyncio.timeout(5):
        replies = await asyncio.gather(*(heard(wire.stream(ask(messages=(say("user", str(n)),)))) for n in range(120)))

    assert [text_of(events) for events in replies] == ["ab"] * 120
    assert all(isinstance(events[0], TextDelta) for events in replies)
