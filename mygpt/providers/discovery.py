"""Model servers on this machine: asks the few known ports and believes nothing but a JSON list of models."""

import asyncio
import json
import logging
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

from mygpt.providers.openai_wire import models_of

log = logging.getLogger(__name__)
CONNECT_S = 0.3
ANSWER_S = 1.5
FRESH_S = 15.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Runtime:
    """A known kind of model server and the port it uses."""

    name: str
    label: str
    port: int

    @property
    def base_url(self) -> str:
        """Where its OpenAI-compatible API is."""
        return f"http://127.0.0.1:{self.port}/v1"


RUNTIMES = (
    Runtime("ollama", "Ollama", 11434),
    Runtime("lmstudio", "LM Studio", 1234),
    Runtime("llamacpp", "llama.cpp", 8080),
    Runtime("vllm", "vLLM", 8000),
)


def taken_ports(own_port: int, urls: Iterable[str]) -> set[int]:
    """Return the ports of this machine that are ours, or configured as a server already."""
    parts = (urlsplit(url) for url in urls)
    return {own_port} | {part.port for part in parts if part.hostname in LOOPBACK and part.port}


class Discovery:
    """Which of the known servers run just now; asks at most every `FRESH_S`."""

    def __init__(
        self, http: httpx2.AsyncClient, *, runtimes: Iterable[Runtime] = RUNTIMES, avoid: Collection[int] = ()
    ) -> None:
        """`avoid` are ports that are never asked."""
        self._http = http
        self._runtimes = [runtime for runtime in runtimes if runtime.port not in avoid]
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self.found: list[Runtime] = []

    async def look(self) -> list[Runtime]:
        """Return the servers that answer with models."""
        async with self._asking:
            if time.monotonic() - self._asked_at > FRESH_S:
                answers = await asyncio.gather(*(self._has_models(runtime) for runtime in self._runtimes))
                before = self.found
                self.found = [runtime for runtime, has in zip(self._runtimes, answers, strict=True) if has]
                self._asked_at = time.monotonic()
                for runtime in self.found:
                    if runtime not in before:
                        log.info("model server found", extra={"provider": runtime.name, "port": runtime.port})
        return self.found

    async def _has_models(self, runtime: Runtime) -> bool:
        try:
            async with asyncio.timeout(ANSWER_S):
                response = await self._http.get(
                    f"{runtime.base_url}/models", timeout=httpx2.Timeout(ANSWER_S, connect=CONNECT_S)
                )
            return response.status_code == 200 and bool(models_of(json.loads(response.content)))
        except (httpx2.HTTPError, TimeoutError, ValueError, RecursionError):
            return False
