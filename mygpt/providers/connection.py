"""The one HTTP client that providers share: a pool, no redirects, bodies of bounded size."""

from collections.abc import AsyncIterator

import httpx2

ERROR_BYTES = 64_000
"""Enough of an error's body to tell what it is about."""
LIST_BYTES = 8_000_000
"""More than any list of models."""
KEPT_CONNECTIONS = 100
LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")


def connect() -> httpx2.AsyncClient:
    """Return the client; costs some 30 ms of TLS set-up, so make it off the event loop."""
    return httpx2.AsyncClient(
        follow_redirects=False,
        mounts=dict.fromkeys(LOOPBACK),  # a proxy is never asked for this machine itself
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS, keepalive_expiry=30),
        timeout=httpx2.Timeout(None, connect=5),  # the watchdog keeps all other times
        event_hooks={"response": [_bound]},
    )


async def _bound(response: httpx2.Response) -> None:
    """Keep whoever reads a body whole, as SDKs do with errors, from reading without end."""
    stream = response.stream
    if not isinstance(stream, httpx2.AsyncByteStream):
        return
    if response.status_code >= 300:
        response.stream = _Bounded(stream, ERROR_BYTES)
    elif response.request.method == "GET":
        response.stream = _Bounded(stream, LIST_BYTES)


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends after so many bytes, as if the server had said no more."""

    def __init__(self, stream: httpx2.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._left = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for block in self._stream:
            yield block[: self._left]
            self._left -= len(block)
            if self._left <= 0:
                return

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._stream.aclose()
