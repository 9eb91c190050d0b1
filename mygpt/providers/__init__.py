"""Those we ask for words: the list of providers, and which of them this process has.

A kind of provider is one line of `PROVIDERS`. Its module is imported when its settings are there, and in a thread: an
SDK takes a second to import, and that second would freeze every stream.
"""

import asyncio
import importlib
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mygpt.errors import ModelUnavailable, ProviderError
from mygpt.providers import gguf
from mygpt.providers.base import Provider
from mygpt.settings import Settings

if TYPE_CHECKING:
    from mygpt.providers.discovery import Discovery, Runtime
    from mygpt.providers.setup import Setup

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of provider: its factory as `module:function`, and whether these settings want it."""

    factory: str
    is_wanted: Callable[[Settings], bool]


PROVIDERS = {
    "openai": Entry("compatible:openai_itself", lambda site: bool(len(site.openai_api_key) or site.openai_base_url)),
    "compatible": Entry("compatible:named", lambda site: bool(site.compatible)),
    "local": Entry("local:embedded", lambda site: bool(gguf.files(site))),
    "scripted": Entry("scripted:scripted", lambda site: site.scripted),
    "guide": Entry("guide:guide", lambda _: True),
}
LAST_RESORTS = ("scripted", "guide")
FOUND = "compatible:found"


@dataclass(frozen=True, slots=True)
class _Built:
    """What the settings alone decide; `discovery` is None where nothing is looked for."""

    setup: "Setup"
    discovery: "Discovery | None"
    providers: dict[str, Provider]


class Providers:
    """The providers of this process: built at the first question, looked up by name, closed together."""

    def __init__(self, settings: Settings, runtimes: "Sequence[Runtime] | None" = None) -> None:
        """`runtimes` are the local servers to look for, the known ones unless told otherwise."""
        self._settings = settings
        self._runtimes = runtimes
        self._building = asyncio.Lock()
        self._built: _Built | None = None
        self._found: dict[str, Provider] = {}

    async def available(self) -> dict[str, Provider]:
        """Return what is configured, or found on this machine just now, by name and in order of preference."""
        async with self._building:
            if self._built is None:
                self._built = await asyncio.to_thread(_build, self._settings, self._runtimes)
        built, found = self._built.providers, await self._look(self._built)
        last = {name: built[name] for name in LAST_RESORTS if name in built}
        first = {name: provider for name, provider in built.items() if name not in last}
        return first | {name: provider for name, provider in found.items() if name not in built} | last

    async def get(self, model_id: str) -> tuple[Provider, str]:
        """Return the provider and the model's name of `provider:model`; raises `ModelUnavailable`."""
        name, _, model = model_id.partition(":")
        provider = (await self.available()).get(name)
        if provider is None or not model:
            raise ModelUnavailable("not_found note=no_such_provider", provider=name, model=model)
        return provider, model

    async def aclose(self) -> None:
        """Let go of connections and child processes."""
        if self._built is None:
            return
        for provider in [*self._built.providers.values(), *self._found.values()]:
            with suppress(ProviderError):
                await provider.aclose()
        await self._built.setup.http.aclose()

    async def _look(self, built: _Built) -> dict[str, Provider]:
        runtimes = await built.discovery.look() if built.discovery else []
        new = [runtime for runtime in runtimes if runtime.name not in self._found]
        if new:
            make = await asyncio.to_thread(_factory, FOUND)
            self._found |= _by_name(make(built.setup, new))
        return {runtime.name: self._found[runtime.name] for runtime in runtimes}


def _build(site: Settings, runtimes: "Sequence[Runtime] | None") -> _Built:
    """Import what the settings want and make it; takes seconds, so it runs in a thread."""
    from mygpt.providers.connection import connect
    from mygpt.providers.discovery import RUNTIMES, Discovery, taken_ports
    from mygpt.providers.setup import Setup

    http = connect()
    urls = [site.openai_base_url, *(server.base_url for server in site.compatible)]
    avoid = taken_ports(site.port, urls)
    discovery = Discovery(http, runtimes=RUNTIMES if runtimes is None else runtimes, avoid=avoid)
    setup = Setup(site, http, lambda: discovery.found)
    entries = [entry for entry in PROVIDERS.values() if entry.is_wanted(site)]
    providers = _by_name(provider for entry in entries for provider in _made(entry, setup))
    return _Built(setup, None if site.local_model == "off" else discovery, providers)


def _made(entry: Entry, setup: "Setup") -> list[Provider]:
    try:
        return _factory(entry.factory)(setup)
    except Exception:  # whatever is wrong with one provider, the others answer
        log.exception("provider left out", extra={"factory": entry.factory})
        return []


def _by_name(providers: Iterable[Provider]) -> dict[str, Provider]:
    named: dict[str, Provider] = {}
    for provider in providers:
        if provider.name in named:
            log.warning("two providers of one name, the first is kept", extra={"provider": provider.name})
        named.setdefault(provider.name, provider)
    return named


def _factory(entry: str) -> Callable[..., list[Provider]]:
    module, _, function = entry.partition(":")
    found: Callable[..., list[Provider]] = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return found
