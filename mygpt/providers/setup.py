"""What a provider's factory is given: the settings, the shared connection, the deadlines they mean."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from mygpt.providers.base import Deadlines
from mygpt.providers.discovery import Runtime
from mygpt.settings import Settings


@dataclass(frozen=True, slots=True)
class Setup:
    """The surroundings of the providers of one process; `found` tells which local servers answered last."""

    settings: Settings
    http: httpx2.AsyncClient
    found: Callable[[], list[Runtime]]

    @property
    def deadlines(self) -> Deadlines:
        """For vendors, who answer soon."""
        site = self.settings
        return Deadlines(first_word_s=site.first_word_s, idle_s=site.idle_s, reply_s=site.reply_s)

    @property
    def slow_deadlines(self) -> Deadlines:
        """For machines of one's own, which may load a model before they say a word."""
        site = self.settings
        return Deadlines(first_word_s=site.slow_model_s, idle_s=site.slow_model_s, reply_s=site.reply_s)
