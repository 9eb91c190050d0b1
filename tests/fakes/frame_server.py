"""A loopback server that sends exactly the bytes a test wrote, and notes when the client hung up.

An answer is a status, headers and frames: bytes go out as one HTTP chunk each, a number waits so many seconds, `CUT`
resets the connection, `SHUT` closes it without ending the body, `STALL` says nothing more until the client leaves.
"""

import asyncio
import json
import struct
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from socket import SO_LINGER, SOL_SOCKET, socket
from typing import Any

DONE = b"data: [DONE]\n\n"


class Mishap(Enum):
    """What may befall a connection between two frames."""

    CUT = "reset"
    SHUT = "closed early"
    STALL = "silence"


CUT, SHUT, STALL = Mishap.CUT, Mishap.SHUT, Mishap.STALL
Frame = bytes | float | Mishap


@dataclass(slots=True)
class Answer:
    """What is sent to a request."""

    frames: Iterable[Frame] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})


@dataclass(slots=True)
class Asked:
    """A request, and when its client went away (monotonic seconds)."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    connection: int
    sent: int = 0
    gone_at: float | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class FrameServer:
    """Answers by path; every request is kept in `asked`."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | list[Answer]] = {}
        self.asked: list[Asked] = []
        self.connections = 0
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def chats(self, *frames: Frame, status: int = 200, **headers: str) -> None:
        """Answer chat completions with frames."""
        self.answers["/v1/chat/completions"] = Answer(frames, status, _headers(headers))

    def lists(self, *ids: str, **facts: Any) -> None:
        """Answer `GET /v1/models` with a list."""
        self.sends("/v1/models", {"object": "list", "data": [{"id": name, "object": "model", **facts} for name in ids]})

    def sends(self, path: str, body: object, status: int = 200, **headers: str) -> None:
        """Answer a path with JSON."""
        given = {"content-type": "application/json"} | _headers(headers, "")
        self.answers[path] = Answer([json.dumps(body).encode()], status, given)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection."""
        self.connections += 1
        connection = self.connections
        begun = b""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                asked = await _request(begun, reader, connection)
                self.asked.append(asked)
                ahead = asyncio.ensure_future(_listen(reader, asked))
                is_open = await self._answer(asked, writer)
                if not ahead.done():
                    ahead.cancel()
                    await asyncio.wait([ahead])
                begun = b"" if ahead.cancelled() else ahead.result()
                if not is_open or asked.gone_at is not None:
                    break
        writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        answer = self.answers.get(asked.path, Answer([b'{"error": {"message": "no such path"}}'], 404))
        if isinstance(answer, list):
            answer = answer.pop(0)
        head = [f"HTTP/1.1 {answer.status} Said", *(f"{name}: {value}" for name, value in answer.headers.items())]
        writer.write("\r\n".join([*head, "transfer-encoding: chunked", "", ""]).encode())
        await writer.drain()
        for frame in answer.frames:
            match frame:
                case bytes():
                    writer.write(b"%x\r\n%s\r\n" % (len(frame), frame))
                    await writer.drain()
                    asked.sent += 1
                case Mishap.STALL:
                    await asked.gone.wait()
                    return False
                case Mishap.SHUT:
                    return False
                case Mishap.CUT:
                    raw: socket = writer.get_extra_info("socket")
                    raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                    return False
                case _:
                    await asyncio.sleep(frame)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


async def _request(begun: bytes, reader: asyncio.StreamReader, connection: int) -> Asked:
    head = begun + await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, path, headers, json.loads(body) if body else {}, connection)


async def _listen(reader: asyncio.StreamReader, asked: Asked) -> bytes:
    """Return the first byte of the next request; nothing means that the client has left."""
    begun = b""
    with suppress(ConnectionError):
        begun = await reader.read(1)
    if not begun:
        asked.gone_at = time.monotonic()
        asked.gone.set()
    return begun


def _headers(given: dict[str, str], kind: str = "text/event-stream") -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return ({"content-type": kind} if kind else {}) | named


def sse(value: object) -> bytes:
    """Return one event of the wire."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(finish: str | None = None, **fields: object) -> bytes:
    """Return the event of one chunk: `delta(content="Hi")`, `delta("stop")`."""
    choice = {"index": 0, "delta": fields, "finish_reason": finish}
    return sse({"id": "c1", "object": "chat.completion.chunk", "model": "wire-model", "choices": [choice]})


def usage(prompt: int, completion: int, **details: dict[str, int]) -> bytes:
    """Return the event with the counted tokens."""
    counted = {"prompt_tokens": prompt, "completion_tokens": completion, **details}
    return sse({"id": "c1", "object": "chat.completion.chunk", "model": "wire-model", "choices": [], "usage": counted})


@asynccontextmanager
async def frame_server() -> AsyncIterator[FrameServer]:
    """Serve on a free port of this machine."""
    server = FrameServer()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await server.serve(reader, writer)
        tasks.discard(task)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()
