"""OpenAI itself and every server that speaks its Chat Completions, through the official SDK.

The SDK makes the request, knows the addresses and tells errors apart; the stream's bytes are read by `openai_wire`.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
from openai._response import AsyncAPIResponse  # the type of a raw response has no public name
from openai.resources.chat.completions import AsyncCompletions

from mygpt import __version__
from mygpt.dialogue.events import Event
from mygpt.errors import MyGPTError
from mygpt.providers.base import ChatRequest, Deadlines, ModelInfo, Provider
from mygpt.providers.discovery import Runtime
from mygpt.providers.failures import Kind, classify, complaint, failure
from mygpt.providers.openai_wire import Reader, messages_of, models_of
from mygpt.providers.setup import Setup
from mygpt.providers.watchdog import watched

log = logging.getLogger(__name__)

OPENAI_URL = "https://api.openai.com/v1"
OURS = ("local", "scripted", "guide")
LIST_S = 10.0
DRAIN_S = 0.1
WHOLE_BYTES = 2_000_000
CHATS = re.compile(r"(gpt-|chatgpt-|o\d)")
NO_CHAT = re.compile(r"audio|realtime|transcribe|tts|image|instruct|embedding|search|moderation|codex|deep-research")
THINKS_SILENTLY = re.compile(r"o\d|gpt-([5-9]|\d\d)")
"""OpenAI's reasoning models say nothing over Chat Completions until they have thought."""


class _Client(openai.AsyncOpenAI):
    """The SDK's client, sending only headers of ours: nothing from the environment, nothing about this machine."""

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        """Every request's headers; the key joins them in the SDK."""
        return {
            "Accept": "text/event-stream, application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": f"MyGPT/{__version__}",
        }


class Compatible:
    """A server that speaks OpenAI's Chat Completions."""

    def __init__(
        self,
        *,
        name: str,
        label: str,
        base_url: str,
        api_key: str,
        http: httpx2.AsyncClient,
        deadlines: Deadlines,
        vendor_slow_s: float | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        """`api_key` may be empty; `extra` joins every body.

        `vendor_slow_s` says that OpenAI's own models answer there, and how long those that think unheard may be silent.
        """
        self.name = name
        self.label = label
        self.deadlines = deadlines
        self._vendor_slow_s = vendor_slow_s
        self._lists_more_than_chats = urlsplit(base_url).hostname == urlsplit(OPENAI_URL).hostname
        self._has_key = bool(api_key)
        self._extra = dict(extra or {})
        self._tells_usage = True
        self._client = _Client(
            api_key=api_key or "none",
            base_url=base_url,
            max_retries=0,
            http_client=http,
            timeout=httpx2.Timeout(None, connect=deadlines.connect_s),
        )

    def stream(self, request: ChatRequest) -> AsyncGenerator[Event]:
        """Yield the reply; closing it closes the upstream request."""
        if self._vendor_slow_s is not None and THINKS_SILENTLY.match(request.model):
            patience = max(request.deadlines.first_word_s, self._vendor_slow_s)
            request = replace(request, deadlines=replace(request.deadlines, first_word_s=patience))
        return watched(self.name, request, self.reply(request))

    async def models(self) -> list[ModelInfo]:
        """Return what the server lists; of OpenAI's own list only what chats."""
        with self._mapped(""):
            async with asyncio.timeout(LIST_S):
                response = await self._client.get(
                    "/models", cast_to=httpx2.Response, options={"headers": self._headers("")}
                )
            found = models_of(json.loads(response.content))
        if self._lists_more_than_chats:
            found = [model for model in found if CHATS.match(model.name) and not NO_CHAT.search(model.name)]
        return found

    async def aclose(self) -> None:
        """Nothing to let go of: the connections belong to the shared client."""

    async def reply(self, request: ChatRequest) -> AsyncGenerator[Event]:
        """Yield the reply as it comes, without the watch over it."""
        reader = Reader(self.name, request.model)
        with self._mapped(request.model):
            async with AsyncExitStack() as stack:
                response = await self._ask(stack, request)
                kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                if kind == "text/html":
                    raise failure("protocol", provider=self.name, model=request.model, note="a_web_page")
                blocks = await stack.enter_async_context(aclosing(_blocks(response.http_response)))
                if kind == "application/json":
                    for event in reader.whole(await _all_of(blocks)):
                        yield event
                    return
                async for block in blocks:
                    for event in reader.feed(block):
                        yield event
                    if reader.is_done:
                        await _drain(blocks)
                        break
                for event in reader.end():
                    yield event

    async def _ask(self, stack: AsyncExitStack, request: ChatRequest) -> AsyncAPIResponse[Any]:
        """Send the request; a server that refuses `stream_options` is asked without, now and from then on."""
        if self._tells_usage:
            try:
                return await self._send(stack, request, {"stream_options": {"include_usage": True}})
            except (openai.BadRequestError, openai.UnprocessableEntityError) as exc:
                if "stream_options" not in str(exc.body):
                    raise
                self._tells_usage = False
                log.info("server does not count tokens", extra={"provider": self.name})
        return await self._send(stack, request, {})

    # Any: the SDK's type for a raw response names the parsed one, which is never made.
    async def _send(
        self, stack: AsyncExitStack, request: ChatRequest, options: Mapping[str, object]
    ) -> AsyncAPIResponse[Any]:
        # In `extra_body` the SDK leaves messages alone; as an argument each is held against every type, 0.2 ms of CPU.
        body: dict[str, object] = dict(options) | self._extra | {"messages": messages_of(request.messages)}
        if request.max_output_tokens is not None:
            body["max_tokens" if self._vendor_slow_s is None else "max_completion_tokens"] = request.max_output_tokens
        completions: AsyncCompletions = self._client.chat.completions
        return await stack.enter_async_context(
            completions.with_streaming_response.create(
                model=request.model,
                messages=[],
                stream=True,
                extra_body=body,
                extra_headers=self._headers(request.request_id),
            )
        )

    def _headers(self, request_id: str) -> dict[str, str | openai.Omit]:
        headers: dict[str, str | openai.Omit] = {"X-Request-Id": request_id} if request_id else {}
        if not self._has_key:
            headers["Authorization"] = openai.Omit()
        return headers

    @contextmanager
    def _mapped(self, model: str) -> Iterator[None]:
        """Turn what the SDK, its transport and nonsense on the wire raise into our errors."""
        try:
            yield
        except MyGPTError:
            raise
        except openai.APIStatusError as exc:
            said = complaint(exc.body, exc.status_code, dict(exc.response.headers))
            raise failure(classify(said), provider=self.name, model=model, said=said) from exc
        except (openai.APIError, httpx2.HTTPError, TimeoutError, ValueError) as exc:
            raise failure(_kind_of(exc), provider=self.name, model=model, note=type(exc).__name__) from exc


def _kind_of(exc: Exception) -> Kind:
    if isinstance(exc, openai.APITimeoutError | httpx2.TimeoutException | TimeoutError):
        return "timeout"
    if isinstance(exc, openai.APIConnectionError | httpx2.HTTPError):
        return "connection"
    return "protocol"


def _blocks(response: httpx2.Response) -> AsyncGenerator[bytes]:
    """Return the body as it arrives; unpacked only where a server packs though it was asked not to."""
    return response.aiter_bytes() if "content-encoding" in response.headers else response.aiter_raw()


async def _all_of(blocks: AsyncGenerator[bytes]) -> bytes:
    body = bytearray()
    async for block in blocks:
        body += block
        if len(body) > WHOLE_BYTES:
            raise ValueError("a completion of absurd length")
    return bytes(body)


async def _drain(blocks: AsyncGenerator[bytes]) -> None:
    """Read the end of the body, so that the connection can serve the next request."""
    try:
        async with asyncio.timeout(DRAIN_S):
            async for _ in blocks:
                pass
    except (TimeoutError, httpx2.HTTPError):
        return


def openai_itself(setup: Setup) -> list[Provider]:
    """Return OpenAI, or whoever answers at its configured address."""
    site = setup.settings
    return [
        Compatible(
            name="openai",
            label="OpenAI",
            base_url=site.openai_base_url or OPENAI_URL,
            api_key=site.openai_api_key.get_secret_value(),
            http=setup.http,
            deadlines=setup.deadlines,
            vendor_slow_s=site.slow_model_s,
        )
    ]


def named(setup: Setup) -> list[Provider]:
    """Return the servers of MYGPT_COMPATIBLE."""
    return [
        Compatible(
            name=server.name,
            label=server.name,
            base_url=server.base_url,
            api_key=server.api_key.get_secret_value(),
            http=setup.http,
            deadlines=setup.slow_deadlines,
        )
        for server in setup.settings.compatible
        if _may_be_called(server.name)
    ]


def _may_be_called(name: str) -> bool:
    if name in OURS:
        log.warning("a server has the name of one of our own providers and is left out", extra={"provider": name})
    return name not in OURS


def found(setup: Setup, runtimes: Sequence[Runtime]) -> list[Provider]:
    """Return the servers that were found on this machine."""
    return [
        Compatible(
            name=runtime.name,
            label=runtime.label,
            base_url=runtime.base_url,
            api_key="",
            http=setup.http,
            deadlines=setup.slow_deadlines,
        )
        for runtime in runtimes
    ]
