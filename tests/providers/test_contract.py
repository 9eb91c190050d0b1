"""What holds for every provider, whoever answers behind it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from mygpt.dialogue.events import Finish, Notice, ReasoningDelta, TextDelta, Usage
from mygpt.errors import MyGPTError
from mygpt.providers import Providers
from mygpt.providers.base import Provider
from mygpt.providers.discovery import Runtime
from mygpt.providers.guide import Guide
from mygpt.settings import load
from tests.fakes.frame_server import DONE, FrameServer, delta, usage
from tests.providers.asking import QUICK, ask, heard, text_of
from tests.providers.test_local import FAKE_ENGINE

MODELS = {
    "openai": "wire-model",
    "work": "wire-model",
    "local": "tiny",
    "ollama": "wire-model",
    "scripted": "echo",
    "guide": "help",
}


@pytest.fixture
async def providers(tmp_path: Path, server: FrameServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Providers]:
    """All providers at once, in front of fakes."""
    (tmp_path / "tiny.gguf").write_bytes(b"x")
    monkeypatch.setenv("PYTHONPATH", str(FAKE_ENGINE))
    words = [frame for word in ("One", " two", " three") for frame in (delta(content=word), 0.01)]
    server.chats(delta(role="assistant", content=""), delta(reasoning="hm"), *words, delta("stop"), usage(3, 4), DONE)
    site = load(
        data_dir=tmp_path,
        openai_api_key="sk-test",
        openai_base_url=f"http://localhost:{server.port}/v1",
        compatible=f"work=http://localhost:{server.port}/v1|key",
        local_model=str(tmp_path / "tiny.gguf"),
        scripted=True,
        port=1,
    )
    made = Providers(site, ())
    async with asyncio.timeout(30):
        yield made
        await made.aclose()


@pytest.fixture(params=list(MODELS))
async def provider(
    request: pytest.FixtureRequest, providers: Providers, server: FrameServer, tmp_path: Path
) -> AsyncIterator[Provider]:
    if request.param == "ollama":
        found = Providers(load(data_dir=tmp_path), [Runtime("ollama", "Ollama", server.port)])
        yield (await found.available())["ollama"]
        await found.aclose()
    elif request.param == "guide":
        guide = Guide(QUICK, list, 0)  # as it is, but without the pauses
        yield guide
        await guide.aclose()
    else:
        yield (await providers.available())[request.param]


async def test_a_reply_is_words_then_usage_then_one_finish(provider: Provider) -> None:
    events = await heard(provider.stream(ask("Hi", model=MODELS[provider.name])))

    *before, last = events
    assert isinstance(last, Finish)
    assert last.reason == "stop"
    assert not any(isinstance(event, Finish) for event in before)
    assert all(isinstance(event, TextDelta | ReasoningDelta | Usage | Notice) for event in before)
    assert text_of(events).strip()
    assert all(event.text for event in before if isinstance(event, TextDelta | ReasoningDelta))
    counted = [event for event in before if isinstance(event, Usage)]
    assert counted in ([], [before[-1]])


async def test_it_has_a_name_a_label_and_deadlines(provider: Provider) -> None:
    assert provider.name in MODELS
    assert provider.label
    assert 0 < provider.deadlines.first_word_s <= provider.deadlines.reply_s


async def test_its_models_can_be_listed_and_asked(provider: Provider) -> None:
    models = await provider.models()

    names = [model.name for model in models]
    assert MODELS[provider.name] in names
    assert len(set(names)) == len(names)
    assert all(model.label for model in models)


async def test_leaving_in_mid_reply_is_quick_and_leaves_it_usable(provider: Provider) -> None:
    started = 0.0
    async with aclosing(provider.stream(ask("Hi there, how are you?", model=MODELS[provider.name]))) as events:
        await anext(events)
        started = time.monotonic()

    assert time.monotonic() - started < 0.3
    assert text_of(await heard(provider.stream(ask("Hi", model=MODELS[provider.name]))))


async def test_a_stream_that_is_never_read_costs_nothing(provider: Provider, server: FrameServer) -> None:
    before = len(server.asked)

    await provider.stream(ask("Hi", model=MODELS[provider.name])).aclose()

    assert len(server.asked) == before


async def test_replies_at_once_do_not_mix(provider: Provider) -> None:
    one = text_of(await heard(provider.stream(ask("Hi", model=MODELS[provider.name]))))

    many = await asyncio.gather(*(heard(provider.stream(ask("Hi", model=MODELS[provider.name]))) for _ in range(4)))

    assert [text_of(events) for events in many] == [one] * 4


async def test_a_strange_conversation_is_answered_or_refused_never_a_bug(provider: Provider) -> None:
    for said in ("", "\ud83d", "\0", "x" * 50_000, "#!script nonsense"):
        try:
            await heard(
                provider.stream(
                    ask(said, model=MODELS[provider.name] + ("?rate=0" if provider.name == "scripted" else ""))
                )
            )
        except MyGPTError as exc:
            assert exc.text_code  # noqa: PT017 - either is right


async def test_closing_twice_is_fine(provider: Provider) -> None:
    await provider.aclose()
    await provider.aclose()
