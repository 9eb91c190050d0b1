"""Servers on this machine are found by what they answer, not by their port alone."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from mygpt.providers.discovery import Discovery, Runtime, taken_ports
from tests.fakes.frame_server import STALL, Answer, FrameServer, frame_server


@pytest.fixture
async def second() -> AsyncIterator[FrameServer]:
    async with frame_server() as serving:
        yield serving


def runtime(server: FrameServer, name: str = "ollama") -> Runtime:
    return Runtime(name, name.title(), server.port)


async def test_only_a_server_with_models_is_found(
    server: FrameServer, second: FrameServer, http: httpx2.AsyncClient
) -> None:
    second.sends("/v1/models", {"hello": "another program"})

    found = await Discovery(http, runtimes=[runtime(second, "vllm"), runtime(server)]).look()

    assert [each.name for each in found] == ["ollama"]
    assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize(
    "answer",
    [
        Answer([b"<html>hi</html>"], 200, {"content-type": "text/html"}),
        Answer([b'{"data": [{"id": "m"}]}'], 401),
        Answer([b'{"data": [{"id": "m"}]}'], 302, {"location": "http://127.0.0.1:1/"}),
        Answer([b'{"object": "list", "data": null}']),
        Answer([b'{"data": [{"name": "no id"}]}']),
        Answer([b"[" * 50_000]),
        Answer([b"\xff\xfe\x00"]),
        Answer([STALL]),
    ],
    ids=["a page", "locked", "elsewhere", "no models", "no ids", "too deep", "no text", "silent"],
)
@pytest.mark.deadline
async def test_nothing_else_is_believed(server: FrameServer, http: httpx2.AsyncClient, answer: Answer) -> None:
    server.answers["/v1/models"] = answer
    started = time.monotonic()

    assert await Discovery(http, runtimes=[runtime(server)]).look() == []
    assert time.monotonic() - started < 2.5


async def test_an_endless_list_is_not_read_to_its_end(server: FrameServer, http: httpx2.AsyncClient) -> None:
    server.answers["/v1/models"] = Answer([b"x" * 1_000_000] * 200)

    assert await Discovery(http, runtimes=[runtime(server)]).look() == []
    assert server.asked[0].sent < 60


@pytest.mark.deadline
async def test_closed_ports_cost_no_time(http: httpx2.AsyncClient) -> None:
    started = time.monotonic()

    assert await Discovery(http, runtimes=[Runtime("a", "A", 1), Runtime("b", "B", 2)]).look() == []
    assert time.monotonic() - started < 0.5


async def test_our_own_port_is_never_asked(server: FrameServer, http: httpx2.AsyncClient) -> None:
    assert await Discovery(http, runtimes=[runtime(server)], avoid={server.port}).look() == []
    assert server.asked == []


async def test_many_who_ask_at_once_cost_one_question(server: FrameServer, http: httpx2.AsyncClient) -> None:
    discovery = Discovery(http, runtimes=[runtime(server)])

    answers = await asyncio.gather(*(discovery.look() for _ in range(20)))

    assert all(len(found) == 1 for found in answers)
    assert len(server.asked) == 1


def test_configured_servers_of_this_machine_are_not_looked_for() -> None:
    urls = ["http://localhost:11434/v1", "https://api.example.org:8080/v1", "http://[::1]:1234/v1", ""]

    assert taken_ports(8000, urls) == {8000, 11434, 1234}
