"""A server of exact frames, and a provider that talks to it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from mygpt.providers.compatible import Compatible
from mygpt.providers.connection import connect
from tests.fakes.frame_server import FrameServer, frame_server
from tests.providers.asking import compatible


@pytest.fixture
async def server() -> AsyncIterator[FrameServer]:
    async with frame_server() as serving:
        serving.lists("wire-model", "other-model")
        yield serving


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with connect() as client:
        yield client


@pytest.fixture
def wire(server: FrameServer, http: httpx2.AsyncClient) -> Compatible:
    """A compatible provider in front of the frame server."""
    return compatible(server, http)
