"""Which models this site offers, and what a model id means."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from mygpt.errors import ModelUnavailable, ProviderError
from mygpt.inuse import InUse
from mygpt.providers.base import ModelInfo, Provider

log = logging.getLogger(__name__)
FRESH_S = 60.0
LIST_DEADLINE_S = 6.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that can be asked: `id` is `provider:model`."""

    provider: Provider
    model: ModelInfo

    @property
    def id(self) -> str:
        """The id people and settings use."""
        return f"{self.provider.name}:{self.model.name}"


class Catalog:
    """The models of all providers, asked for at most once a minute and never waited for twice."""

    def __init__(self, providers: Callable[[], Awaitable[Mapping[str, Provider]]], default_model: str = "") -> None:
        """`providers` returns what is configured or found right now, by name, in order of preference."""
        self._providers = providers
        self._default = default_model
        self._offers: list[Offer] = []
        self._read_at = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None

    async def offers(self) -> list[Offer]:
        """Return every model on offer, the preferred ones first; a stale list is renewed behind the reader's back."""
        if time.monotonic() - self._read_at > FRESH_S and (self._refreshing is None or self._refreshing.done()):
            self._refreshing = asyncio.create_task(self._refresh())
        if not self._offers and self._refreshing is not None:
            await asyncio.shield(self._refreshing)
        return self._offers

    async def default(self) -> str:
        """Return the id of the model for new conversations."""
        offers = await self.offers()
        known = {offer.id for offer in offers}
        return self._default if self._default in known else offers[0].id

    async def resolve(self, model_id: str) -> Offer:
        """Return the offer of an id; raises `ModelUnavailable`. A provider may answer to names it does not list."""
        for offer in await self.offers():
            if offer.id == model_id:
                return offer
        name, _, model = model_id.partition(":")
        provider = (await self._providers()).get(name)
        if provider is None or not model:
            raise ModelUnavailable("no such provider", provider=name, model=model)
        return Offer(provider, ModelInfo(model, model))

    async def _refresh(self) -> None:
        providers = list((await self._providers()).values())
        lists = await asyncio.gather(*(self._models_of(provider) for provider in providers))
        listed = zip(providers, lists, strict=True)
        self._offers = [Offer(provider, model) for provider, models in listed for model in models]
        self._read_at = time.monotonic()

    async def _models_of(self, provider: Provider) -> list[ModelInfo]:
        try:
            async with asyncio.timeout(LIST_DEADLINE_S):
                return await provider.models()
        except (ProviderError, TimeoutError) as exc:
            log.warning("models not listed", extra={"provider": provider.name, "reason": type(exc).__name__})
            return []


_in_use = InUse[Catalog]("catalog")
use, current = _in_use.use, _in_use.current
