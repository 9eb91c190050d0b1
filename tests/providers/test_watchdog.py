"""The watch over a provider's stream, whatever the provider does."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mygpt.dialogue.events import Event, Finish, Notice, ReasoningDelta, TextDelta, Usage
from mygpt.errors import ProviderFailed, ProviderTimeout
from mygpt.providers.watchdog import REPLY_BYTES, watched
from tests.providers.asking import QUICK, ask, heard, text_of, thoughts_of


async def saying(*events: Event | float) -> AsyncGenerator[Event]:
    for event in events:
        if isinstance(event, float | int):
            await asyncio.sleep(event)
        else:
            yield event


async def test_events_pass_as_they_are() -> None:
    events = (Notice("wait"), ReasoningDelta("hm"), TextDelta("so"), Usage(1, 2), Finish("length", "m"))

    assert await heard(watched("p", ask(), saying(*events))) == list(events)


async def test_the_first_finish_is_the_last_event() -> None:
    events = await heard(watched("p", ask(), saying(TextDelta("a"), Finish(), TextDelta("b"), Finish())))

    assert events == [TextDelta("a"), Finish()]


async def test_an_end_without_finish_is_a_failure() -> None:
    with pytest.raises(ProviderFailed, match="incomplete"):
        await heard(watched("p", ask(), saying(TextDelta("a"))))


@pytest.mark.deadline
async def test_a_provider_that_hangs_is_cancelled_and_cleaned_up() -> None:
    cleaned = asyncio.Event()

    async def hanging() -> AsyncGenerator[Event]:
        try:
            yield TextDelta("a")
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    started = time.monotonic()
    with pytest.raises(ProviderTimeout, match="idle"):
        await heard(watched("p", ask(deadlines=replace(QUICK, idle_s=0.3)), hanging()))

    assert time.monotonic() - started < 1
    assert cleaned.is_set()


@pytest.mark.deadline
async def test_a_slow_reader_is_not_a_silent_provider() -> None:
    words = [TextDelta("a"), TextDelta("b"), Finish()]
    async with aclosing(watched("p", ask(deadlines=replace(QUICK, idle_s=0.1)), saying(*words))) as events:
        async for _ in events:
            await asyncio.sleep(0.2)


async def test_closing_closes_the_provider_at_once() -> None:
    closed = asyncio.Event()

    async def talking() -> AsyncGenerator[Event]:
        try:
            while True:
                yield TextDelta("more ")
                await asyncio.sleep(0)
        finally:
            closed.set()

    async with aclosing(watched("p", ask(), talking())) as events:
        await anext(events)
    assert closed.is_set()


async def test_a_bug_in_a_provider_stays_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> AsyncGenerator[Event]:
        yield TextDelta("a")
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await heard(watched("p", ask(), broken()))
    assert vars(caplog.records[-1])["outcome"] == "bug"


@pytest.mark.parametrize("size", [1, 999, REPLY_BYTES + 1, 3 * REPLY_BYTES])
async def test_text_is_cut_at_the_cap_between_characters(size: int) -> None:
    pieces = [TextDelta("漢" * size)] * (REPLY_BYTES // (3 * size) + 2)

    events = await heard(watched("p", ask(), saying(*pieces, Finish())))

    assert len(text_of(events).encode()) == REPLY_BYTES - REPLY_BYTES % 3
    assert events[-1] == Finish("length")


async def test_reasoning_beyond_the_cap_is_dropped_and_the_reply_goes_on() -> None:
    thoughts = [ReasoningDelta("x" * 60_000)] * 9

    events = await heard(watched("p", ask(), saying(*thoughts, TextDelta("so"), Finish())))

    assert len(thoughts_of(events)) == REPLY_BYTES
    assert text_of(events) == "so"
    assert events[-1] == Finish("stop")


@given(st.lists(st.text(alphabet=[*"a漢\0", "\ud83d", "\ude00", "\U0001f600"], max_size=4)))
def test_text_is_always_fit_for_storage(pieces: list[str]) -> None:
    said = asyncio.run(heard(watched("p", ask(), saying(*map(TextDelta, pieces), Finish()))))

    text = text_of(said)
    assert "\0" not in text
    assert text.encode().decode() == text
    joined = "".join(pieces).replace("\0", "�")
    healed = joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert text in (healed, healed[:-1])  # half a pair at the very end has nobody left to wait for
