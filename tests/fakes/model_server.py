"""A fast fake model server that speaks the OpenAI wire: `python -m tests.fakes.model_server --port N`.

It answers `GET /v1/models` and `POST /v1/chat/completions`, streaming or not; `speech` tells how a model's name sets
the reply. Models without a pace in their name answer as `POST /control` last said (the fields of `speech.Reply`).

It notes for every request when it was asked, when each token was written and when the client went away, all in
seconds of the machine's wall clock: `GET /journal`, `GET /journal/<n>` (with every token's time), `DELETE /journal`.

One hand-written protocol and one timer per stream: a hundred streams at 20 tokens/s cost a few per cent of a core.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.fakes.speech import Reply, reply_of, tokens

ROOT = Path(__file__).resolve().parents[2]
LISTED = ("bench", "fake-50tps-200", "fake-20tps-100", "fake-200tps-4000", "fake-0tps-50", "fake-100tps-400-rich")
HANGS = float("inf")


@dataclass(slots=True)
class Asked:
    """One request for words, and what became of it."""

    n: int
    asked: float
    model: str
    question: str
    messages: int
    stream: bool
    times: "array[float]" = field(default_factory=lambda: array("d"))
    ended: float | None = None  # the reply was complete
    gone: float | None = None  # the client left before that

    def summary(self) -> dict[str, Any]:
        """Tell everything but the single tokens' times."""
        return {
            "n": self.n, "asked": self.asked, "model": self.model, "question": self.question,
            "messages": self.messages, "stream": self.stream, "written": len(self.times),
            "first": self.times[0] if self.times else None, "last": self.times[-1] if self.times else None,
            "ended": self.ended, "gone": self.gone,
        }  # fmt: skip


class Model:
    """What all connections share: the journal, and the reply of models that name no pace."""

    def __init__(self, listed: tuple[str, ...] = LISTED) -> None:
        self.listed = listed
        self.otherwise = Reply()
        self.journal: list[Asked] = []

    def note(self, body: dict[str, Any]) -> Asked:
        """Open a line in the journal."""
        said = body.get("messages") or [{}]
        content = said[-1].get("content") or ""
        if not isinstance(content, str):
            content = "".join(part.get("text", "") for part in content)
        asked = Asked(
            n=len(self.journal), asked=time.time(), model=str(body.get("model", "")), question=content[:200],
            messages=len(said), stream=bool(body.get("stream")),
        )  # fmt: skip
        self.journal.append(asked)
        return asked


class Wire(asyncio.Protocol):
    """One connection: reads requests with keep-alive, answers one at a time."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.buffer = bytearray()
        self.stream: Stream | None = None
        self.writable = True
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # create_server gives a full transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.stream:
            self.stream.lose()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self.stream:
            self.stream.go_on()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self.stream is None and (request := self._next()):
            self._route(*request)

    def _next(self) -> tuple[str, str, bytes] | None:
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return None
        method, path, _ = lines[0].split(" ", 2)
        body = bytes(rest[:length])
        self.buffer = bytearray(rest[length:])
        return method, path.partition("?")[0], body

    def _route(self, method: str, path: str, body: bytes) -> None:
        model = self.model
        match method, path.strip("/").split("/"):
            case "POST", ["v1", "chat", "completions"]:
                self._complete(json.loads(body))
            case "GET", ["v1", "models"]:
                self.answer({"object": "list", "data": [_listed(name) for name in model.listed]})
            case "GET", ["v1", "models", name]:
                self.answer(_listed(name))
            case "POST", ["control"]:
                model.otherwise = replace(model.otherwise, **json.loads(body))
                self.answer(asdict(model.otherwise))
            case "GET", ["journal"]:
                self.answer({"requests": [asked.summary() for asked in model.journal], "cpu_s": time.process_time()})
            case "GET", ["journal", n] if n.isdecimal() and int(n) < len(model.journal):
                asked = model.journal[int(n)]
                self.answer({**asked.summary(), "times": list(asked.times)})
            case "DELETE", ["journal"]:
                model.journal.clear()
                self.answer({})
            case _:
                self.answer(_error("no such address", "invalid_request_error"), 404)

    def answer(self, value: dict[str, Any], status: int = 200) -> None:
        """Send one JSON document."""
        body = json.dumps(value).encode()
        self.transport.write(
            b"HTTP/1.1 %d -\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
            + body
        )

    def _complete(self, body: dict[str, Any]) -> None:
        reply = reply_of(str(body.get("model", "")), self.model.otherwise)
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or reply.count
        asked = self.model.note(body)
        if reply.status != 200:
            asked.ended = time.time()
            return self.answer(_error("as the model's name demands", "server_error"), reply.status)
        shortened = replace(reply, count=min(reply.count, limit))
        reason = "length" if limit < reply.count else "stop"
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        self.stream = Stream(self, asked, shortened, reason, with_usage)
        self.stream.start()
        return None

    def finished(self) -> None:
        """Go on with the next request of this connection."""
        self.stream = None
        self.data_received(b"")


class Stream:
    """One reply in flight, driven by one timer."""

    def __init__(self, wire: Wire, asked: Asked, reply: Reply, reason: str, with_usage: bool) -> None:
        self.wire, self.asked, self.reply, self.reason, self.with_usage = wire, asked, reply, reason, with_usage
        self.tokens = tokens(reply.kind, reply.count)
        created = json.dumps(
            {"id": f"chatcmpl-{asked.n}", "object": "chat.completion.chunk", "created": int(asked.asked)}
        )
        self.head = f"{created[:-1]}, {json.dumps({'model': asked.model})[1:-1]}"
        self.loop = asyncio.get_running_loop()
        self.timer: asyncio.TimerHandle | None = None
        self.begin = 0.0

    def start(self) -> None:
        """Send the headers and wait for the first token's time."""
        self.begin = self.loop.time() + self.reply.delay_s
        if self.asked.stream:
            self.wire.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
            )
        self._wait_for(0)

    def go_on(self) -> None:
        """Continue after the client caught up."""
        if self.timer is None:
            self.timer = self.loop.call_soon(self._write)  # type: ignore[assignment]  # both kinds can be cancelled

    def lose(self) -> None:
        """Note that the client has gone."""
        self.asked.gone = time.time()
        if self.timer:
            self.timer.cancel()

    def _wait_for(self, k: int) -> None:
        due = self._due(k)
        self.timer = None if due == HANGS else self.loop.call_at(due, self._write)

    def _due(self, k: int) -> float:
        if self.reply.hang_after is not None and k >= self.reply.hang_after:
            return HANGS
        return self.begin + (min(k, self.reply.count - 1) / self.reply.rate if self.reply.rate else 0.0)

    def _write(self) -> None:
        self.timer = None
        times, count = self.asked.times, len(self.tokens)
        while (k := len(times)) < count:
            if k == self.reply.cut_after:
                return self.wire.transport.abort()
            if self._due(k) > self.loop.time():
                return self._wait_for(k)
            if not self.wire.writable or self.wire.transport.is_closing():
                return None
            if k == 0:
                self._event('{"role": "assistant", "content": ""}')
            times.append(time.time())
            self._event(f'{{"content": {json.dumps(self.tokens[k])}}}')
        return self._end()

    def _event(self, delta: str, finish: str = "null") -> None:
        if self.asked.stream:
            choice = f'{{"index": 0, "delta": {delta}, "finish_reason": {finish}}}'
            self._chunk(f'data: {self.head}, "choices": [{choice}]}}\n\n'.encode())

    def _chunk(self, data: bytes) -> None:
        self.wire.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _end(self) -> None:
        asked = self.asked
        usage = {
            "prompt_tokens": 10 * asked.messages, "completion_tokens": len(self.tokens),
            "total_tokens": 10 * asked.messages + len(self.tokens),
        }  # fmt: skip
        if asked.stream:
            self._event("{}", json.dumps(self.reason))
            if self.with_usage:
                self._chunk(f'data: {self.head}, "choices": [], "usage": {json.dumps(usage)}}}\n\n'.encode())
            self._chunk(b"data: [DONE]\n\n")
            self.wire.transport.write(b"0\r\n\r\n")
        else:
            message = {"role": "assistant", "content": "".join(self.tokens)}
            self.wire.answer(
                {
                    "id": f"chatcmpl-{asked.n}", "object": "chat.completion", "created": int(asked.asked),
                    "model": asked.model, "usage": usage,
                    "choices": [{"index": 0, "message": message, "finish_reason": self.reason}],
                }
            )  # fmt: skip
        asked.ended = time.time()
        self.wire.finished()


def _listed(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "fake"}


def _error(message: str, kind: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": None, "param": None}}


class Remote:
    """A running model server, as a test or a measurement sees it."""

    def __init__(self, port: int, pid: int) -> None:
        self.pid = pid
        self.address = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.address}/v1"

    def control(self, **fields: Any) -> None:
        """Set how models without a pace in their name answer from now on: the fields of `Reply`."""
        self._call("POST", "/control", fields)

    def journal(self) -> list[dict[str, Any]]:
        """Return every request so far, oldest first, without the tokens' times."""
        requests: list[dict[str, Any]] = self._call("GET", "/journal")["requests"]
        return requests

    def request(self, n: int) -> dict[str, Any]:
        """Return one request with the time of every token written."""
        return self._call("GET", f"/journal/{n}")

    def forget(self) -> None:
        """Empty the journal."""
        self._call("DELETE", "/journal")

    def cpu_s(self) -> float:
        """Return the processor time this server has used."""
        used: float = self._call("GET", "/journal")["cpu_s"]
        return used

    def wait(self, until: Callable[[list[dict[str, Any]]], bool], timeout_s: float = 10) -> list[dict[str, Any]]:
        """Return the journal once `until` holds for it; raises TimeoutError."""
        end = time.monotonic() + timeout_s
        while not until(journal := self.journal()):
            if time.monotonic() > end:
                raise TimeoutError(f"the model server's journal after {timeout_s} s: {journal[-3:]}")
            time.sleep(0.02)
        return journal

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, method=method)  # loopback
        with _OPENER.open(request, timeout=10) as answer:
            value: dict[str, Any] = json.load(answer)
        return value


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def running(*arguments: str, port: int = 0) -> Iterator[Remote]:
    """Run the server as a child process; it ends with the block."""
    command = [sys.executable, "-m", "tests.fakes.model_server", "--port", str(port), *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as child:
        try:
            assert child.stdout is not None
            line = child.stdout.readline()
            if not line:
                raise RuntimeError(f"the model server did not start (exit status {child.wait()})")
            yield Remote(int(line.rsplit(":", 1)[1]), child.pid)
        finally:
            child.terminate()


@pytest.fixture(scope="session")
def model_server() -> Iterator[Remote]:
    """One model server for all tests of a session; its journal grows, so look for your own question in it."""
    with running() as remote:
        yield remote


async def serve(host: str, port: int, listed: tuple[str, ...] = LISTED) -> None:
    """Serve until SIGTERM or SIGINT; the first line printed ends with the port."""
    loop = asyncio.get_running_loop()
    model = Model(listed)
    server = await loop.create_server(lambda: Wire(model), host, port, backlog=512)
    print(f"model server on http://{host}:{server.sockets[0].getsockname()[1]}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    server.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--models", default=",".join(LISTED), help="names that /v1/models lists, with commas")
    options = parser.parse_args()
    listed = tuple(filter(None, options.models.split(",")))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options.host, options.port, listed))


if __name__ == "__main__":
    main()
