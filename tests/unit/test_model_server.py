"""The fake model server keeps its own promises: what it says, when, and what it noted."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from openai import APIError, AsyncOpenAI, InternalServerError

from tests.fakes.model_server import Remote, running
from tests.fakes.speech import Reply, number, reply_of, text, tokens


@pytest.fixture(scope="module")
def server() -> Iterator[Remote]:
    with running() as remote:
        yield remote


@pytest.fixture
async def client(server: Remote) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
        yield client


def ask(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def noted(server: Remote, question: str) -> dict[str, object]:
    return next(request for request in server.journal() if request["question"] == question)


def test_a_models_name_sets_its_reply() -> None:
    reply = reply_of("vendor/fake-12.5tps-30-rich-delay250-cut7", otherwise=Reply())

    assert reply == Reply(rate=12.5, count=30, delay_s=0.25, kind="rich", cut_after=7)


def test_a_name_without_a_pace_is_left_to_the_control() -> None:
    assert reply_of("bench", otherwise=Reply(rate=7)) == Reply(rate=7)


@pytest.mark.parametrize("kind", ["plain", "wall", "rich"])
def test_a_token_that_carries_a_number_carries_its_own(kind: str) -> None:
    numbered = [(k, token) for k, token in enumerate(tokens(kind, 2000)) if number(k)[:3] in token]

    assert len(numbered) > 400
    assert all(number(k) in token for k, token in numbered)


async def test_a_streamed_reply_arrives_whole_with_usage_and_reason(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="fake-0tps-500-rich", messages=ask("whole"), stream=True, stream_options={"include_usage": True}
    )
    events = [event async for event in stream]

    assert "".join(event.choices[0].delta.content or "" for event in events if event.choices) == text("rich", 500)
    assert [event.choices[0].finish_reason for event in events if event.choices][-1] == "stop"
    assert events[-1].usage.completion_tokens == 500


async def test_a_limit_on_tokens_ends_the_reply_early(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="fake-0tps-500", messages=ask("limit"), max_tokens=3)

    assert answer.choices[0].message.content == text("plain", 3)
    assert answer.choices[0].finish_reason == "length"


async def test_tokens_keep_their_pace_and_their_times_are_noted(server: Remote, client: AsyncOpenAI) -> None:
    asked = time.time()
    stream = await client.chat.completions.create(model="fake-100tps-50-delay200", messages=ask("pace"), stream=True)
    seen = [time.time() async for event in stream if event.choices and event.choices[0].delta.content]

    times = server.request(noted(server, "pace")["n"])["times"]
    assert len(times) == len(seen) == 50
    assert times[0] - asked >= 0.2
    assert times[-1] - times[0] >= 0.48
    assert all(write <= read for write, read in zip(times, seen, strict=True))


async def test_a_client_that_leaves_is_noted(server: Remote, client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="fake-50tps-1000", messages=ask("leave"), stream=True)
    await anext(aiter(stream))
    await stream.close()

    server.wait(lambda _: noted(server, "leave")["gone"] is not None)
    left = noted(server, "leave")
    assert left["ended"] is None
    assert left["written"] < 1000


async def test_mishaps_come_as_named(server: Remote, client: AsyncOpenAI) -> None:
    with pytest.raises(InternalServerError):
        await client.chat.completions.create(model="fake-0tps-1-status503", messages=ask("status"))
    stream = await client.chat.completions.create(model="fake-0tps-9-cut4", messages=ask("cut"), stream=True)
    with pytest.raises((APIError, OSError)):
        _ = [event async for event in stream]
    assert noted(server, "cut")["written"] == 4

    stream = await client.chat.completions.create(model="fake-0tps-9-hang4", messages=ask("hang"), stream=True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read_all(stream), 0.3)
    assert noted(server, "hang")["written"] == 4
    await stream.close()


async def read_all(stream: AsyncIterator[object]) -> None:
    async for _ in stream:
        pass


async def test_the_control_sets_models_without_a_pace(server: Remote, client: AsyncOpenAI) -> None:
    server.control(rate=0, count=7, kind="wall")

    answer = await client.chat.completions.create(model="bench", messages=ask("control"))

    assert answer.choices[0].message.content == text("wall", 7)


async def test_a_hundred_streams_keep_their_pace_cheaply(server: Remote, client: AsyncOpenAI) -> None:
    used = server.cpu_s()

    async def one(k: int) -> None:
        stream = await client.chat.completions.create(model="fake-20tps-20", messages=ask(f"crowd {k}"), stream=True)
        await read_all(stream)

    await asyncio.gather(*(one(k) for k in range(100)))

    crowd = [request for request in server.journal() if request["question"].startswith("crowd")]
    assert len(crowd) == 100
    assert all(request["written"] == 20 and request["ended"] and not request["gone"] for request in crowd)
    assert server.cpu_s() - used < 1.5
