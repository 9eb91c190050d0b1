"""The embedded model: llama.cpp in a child process of its own, one more OpenAI-compatible server once it runs.

A child per GGUF file, started at the first message, started again after a crash, ended when another file is wanted and
nobody is listening to this one. The engine is imported in the child alone: its crash must not be ours.
"""

import asyncio
import json
import logging
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from mygpt.dialogue.events import Event
from mygpt.errors import ModelUnavailable, ProviderFailed
from mygpt.i18n import translate
from mygpt.providers import gguf
from mygpt.providers.base import ChatRequest, Deadlines, ModelInfo, Provider
from mygpt.providers.compatible import Compatible
from mygpt.providers.failures import Kind, failure
from mygpt.providers.setup import Setup
from mygpt.providers.watchdog import watched

log = logging.getLogger(__name__)
CHILD = Path(__file__).with_name("local_child.py")
SLOTS = 2
CONTEXT_TOKENS = 4096
REPLY_TOKENS = 1024
"""A small model that has lost its way does not find an end by itself."""
LET_GO_S = 3.0
NEWS_S = 0.5
MISSING = ("ModuleNotFoundError", "FileNotFoundError")


class Local:
    """The provider of that name: the GGUF files of this machine."""

    name = "local"

    def __init__(self, files: Sequence[Path], *, http: httpx2.AsyncClient, deadlines: Deadlines, label: str) -> None:
        """`files` are offered by their names; none is loaded yet."""
        self.label = label
        self.deadlines = deadlines
        self._engines = {path.stem: Engine(path, http, deadlines) for path in files}
        self._starting = asyncio.Lock()

    def stream(self, request: ChatRequest) -> AsyncGenerator[Event]:
        """Yield the reply of a model, loading it first when it is not."""
        return watched(self.name, request, self._answer(request))

    async def models(self) -> list[ModelInfo]:
        """Return the files that are there; loads nothing."""
        there = [name for name, engine in self._engines.items() if engine.path.is_file()]
        if self._engines and not there:
            raise ModelUnavailable("not_found note=no_such_file", provider=self.name)
        return [ModelInfo(name, name, CONTEXT_TOKENS) for name in there]

    async def aclose(self) -> None:
        """End the child processes."""
        await asyncio.gather(*(engine.stop() for engine in self._engines.values()))

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[Event]:
        engine = self._engines.get(request.model)
        if engine is None:
            raise ModelUnavailable("not_found note=no_such_file", provider=self.name, model=request.model)
        engine.listeners += 1
        try:
            for is_last_try in (False, True):
                server = await self._running(engine)
                has_spoken = False
                try:
                    async with aclosing(server.reply(request)) as events:
                        async for event in events:
                            has_spoken = True
                            yield event
                except ProviderFailed:
                    if not await engine.has_died() or has_spoken or is_last_try:
                        raise
                else:
                    return
        finally:
            engine.listeners -= 1

    async def _running(self, engine: "Engine") -> Compatible:
        async with self._starting:
            await self._make_room(engine)
            return await engine.running()

    async def _make_room(self, wanted: "Engine") -> None:
        for engine in self._engines.values():
            if engine is not wanted and not engine.listeners:
                await engine.stop()


@dataclass(slots=True)
class _Child:
    process: asyncio.subprocess.Process
    server: Compatible


class Engine:
    """One GGUF file and the process that holds it, if any."""

    def __init__(self, path: Path, http: httpx2.AsyncClient, deadlines: Deadlines) -> None:
        """Nothing is started before `running`."""
        self.path = path
        self.listeners = 0
        self._http = http
        self._deadlines = deadlines
        self._child: _Child | None = None

    async def running(self) -> Compatible:
        """Return the server of the child, started if it is not there (any more); raises a `ProviderError`."""
        if self._child is None or self._child.process.returncode is not None:
            self._child = await self._start()
        return self._child.server

    async def has_died(self) -> bool:
        """Return whether the child is gone; the news of it may take a moment longer than its broken connection."""
        if self._child is None:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(NEWS_S):
                await self._child.process.wait()
        return self._child.process.returncode is not None

    async def stop(self) -> None:
        """End the child: its input closes, and it goes; killed when it does not."""
        child, self._child = self._child, None
        if child is not None:
            await _end(child.process)

    async def _start(self) -> _Child:
        key = secrets.token_urlsafe(24)
        orders = {
            "path": str(self.path),
            "name": self.path.stem,
            "key": key,
            "threads": max(1, cores() - 1),
            "slots": SLOTS,
            "context": CONTEXT_TOKENS,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", str(CHILD),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for the parent, which drains first
        )  # fmt: skip
        try:
            answer = await self._introduce(process, orders)
        except BaseException:
            await asyncio.shield(_end(process))
            raise
        log.info("local model loaded", extra={"model": self.path.stem, "pid": process.pid})
        server = Compatible(
            name=Local.name,
            label=self.path.stem,
            base_url=f"{answer['url']}/v1",
            api_key=key,
            http=self._http,
            deadlines=self._deadlines,
            extra={"max_tokens": REPLY_TOKENS} | ({"stop": answer["stop"]} if answer["stop"] else {}),
        )
        return _Child(process, server)

    async def _introduce(self, process: asyncio.subprocess.Process, orders: dict[str, object]) -> dict[str, object]:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a child without pipes")
        with suppress(ConnectionError):
            process.stdin.write(json.dumps(orders).encode() + b"\n")
            await process.stdin.drain()
        line = await process.stdout.readline()
        answer: dict[str, object] = json.loads(line) if line else {"error": "died"}
        if "url" not in answer:
            reason = str(answer.get("error"))
            log.warning("local model does not load", extra={"model": self.path.stem, "reason": reason})
            kind: Kind = "not_found" if reason in MISSING else "server"
            raise failure(kind, provider=Local.name, model=self.path.stem, note=reason)
        return answer


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(LET_GO_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def embedded(setup: Setup) -> list[Provider]:
    """Return the embedded model."""
    label = translate("provider.local")
    files = gguf.files(setup.settings)
    return [Local(files, http=setup.http, deadlines=setup.slow_deadlines, label=label)]
