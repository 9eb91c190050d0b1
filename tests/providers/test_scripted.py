"""The scripted provider says what it is told to."""

import asyncio
import time
from contextlib import aclosing

import pytest

from mygpt.dialogue.events import Event, Finish, Usage
from mygpt.errors import (
    ContextTooLong,
    CredentialRejected,
    ModelUnavailable,
    ProviderBusy,
    ProviderError,
    ProviderFailed,
    ProviderQuota,
    ProviderTimeout,
    Refused,
)
from mygpt.providers.base import Deadlines
from mygpt.providers.scripted import MARKDOWN, Scripted, read
from tests.providers.asking import QUICK, ask, heard, text_of, thoughts_of


@pytest.fixture
def scripted() -> Scripted:
    return Scripted(QUICK)


@pytest.mark.parametrize("said", ["Hello 👩‍👩‍👧‍👦", "你好 世界", "a  b\n\n\n```\ncode\n```", " \n ", "مرحبا"])
@pytest.mark.parametrize("options", ["rate=0", "rate=0&size=1", "rate=0&size=3"])
async def test_echo_says_exactly_what_it_heard(scripted: Scripted, said: str, options: str) -> None:
    assert text_of(await heard(scripted.stream(ask(said, model=f"echo?{options}")))) == said


async def test_the_same_script_is_spoken_alike_and_known_beforehand(scripted: Scripted) -> None:
    model = "lorem?tokens=300&rate=0"

    first, second = [text_of(await heard(scripted.stream(ask(model=model)))) for _ in range(2)]

    assert first == second == "".join(read(model).pieces)
    assert "lorem0 ipsum1" in first
    assert first.endswith("299")


async def test_a_message_overrides_the_model(scripted: Scripted) -> None:
    events = await heard(scripted.stream(ask("#!script rate=0 think=3 finish=length\nHi\nyou", model="echo?think=9")))

    assert text_of(events) == "Hi\nyou"
    assert thoughts_of(events) == "thought 0 thought 1 thought 2 "
    assert events[-1] == Finish("length", "echo?think=9")


async def test_tokens_go_round_and_round(scripted: Scripted) -> None:
    assert text_of(await heard(scripted.stream(ask("a b", model="echo?tokens=5&rate=0")))) == "a ba ba"


async def test_usage_is_counted_or_not(scripted: Scripted) -> None:
    counted = await heard(scripted.stream(ask("one two three", model="echo?rate=0")))
    silent = await heard(scripted.stream(ask("one two three", model="echo?rate=0&usage=0")))

    assert counted[-2] == Usage(3, 3)
    assert not [event for event in silent if isinstance(event, Usage)]


async def test_the_pace_is_kept(scripted: Scripted) -> None:
    started = time.monotonic()

    await heard(scripted.stream(ask(model="lorem?tokens=50&rate=100&delay=0.2")))

    assert 0.69 < time.monotonic() - started < 1.5


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("auth", CredentialRejected),
        ("missing", ModelUnavailable),
        ("quota", ProviderQuota),
        ("busy", ProviderBusy),
        ("timeout", ProviderTimeout),
        ("long", ContextTooLong),
        ("refused", Refused),
        ("server", ProviderFailed),
        ("connection", ProviderFailed),
    ],
)
async def test_a_fault_comes_after_so_many_pieces(scripted: Scripted, fault: str, raised: type[ProviderError]) -> None:
    events: list[Event] = []

    with pytest.raises(raised) as caught:
        await heard(scripted.stream(ask(model=f"lorem?rate=0&fail={fault}@3")), events)

    assert type(caught.value) is raised
    assert len(events) == 3
    assert caught.value.retry_after_s == (3 if fault == "busy" else None)


async def test_a_bug_is_not_an_expected_failure(scripted: Scripted) -> None:
    with pytest.raises(RuntimeError):
        await heard(scripted.stream(ask(model="lorem?fail=bug")))


async def test_cut_ends_without_a_finish(scripted: Scripted) -> None:
    with pytest.raises(ProviderFailed, match="incomplete"):
        await heard(scripted.stream(ask(model="cut?rate=0")))


@pytest.mark.deadline
async def test_hang_falls_silent_until_the_deadline(scripted: Scripted) -> None:
    limits = Deadlines(first_word_s=5, idle_s=0.3)
    events: list[Event] = []

    with pytest.raises(ProviderTimeout, match="idle"):
        await heard(scripted.stream(ask(model="hang?rate=0", deadlines=limits)), events)

    assert len(events) == 5


@pytest.mark.deadline
async def test_stubborn_takes_its_time_to_let_go(scripted: Scripted) -> None:
    started = time.monotonic()

    async with aclosing(scripted.stream(ask(model="stubborn?rate=0&stubborn=0.4"))) as events:
        await anext(events)

    assert 0.4 <= time.monotonic() - started < 1.5


@pytest.mark.parametrize(
    "model", ["nobody", "", "echo?rate=fast", "echo?colour=red", "echo?fail=moon", "echo?tokens=-1", "echo?tokens", "?"]
)
async def test_an_unknown_voice_or_option_is_an_unknown_model(scripted: Scripted, model: str) -> None:
    with pytest.raises(ModelUnavailable):
        await heard(scripted.stream(ask(model=model)))


async def test_every_listed_voice_speaks(scripted: Scripted) -> None:
    for model in await scripted.models():
        events: list[Event] = []
        if model.name in ("mute", "stubborn"):
            continue
        listening = asyncio.create_task(
            heard(
                scripted.stream(ask("Hi", model=f"{model.name}?rate=0&delay=0", deadlines=Deadlines(idle_s=0.1))),
                events,
            )
        )
        await asyncio.wait([listening])
        assert text_of(events), model
        assert listening.exception() is None or isinstance(listening.exception(), ProviderError)


async def test_markdown_holds_all_that_a_page_must_render(scripted: Scripted) -> None:
    text = text_of(await heard(scripted.stream(ask(model="markdown?rate=0"))))

    assert text == MARKDOWN
    assert all(sign in text for sign in ("```python", "| ---", "$$", "<b>", "- [x]", "你好", "👩‍👩‍👧‍👦"))
