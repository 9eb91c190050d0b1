"""What a page is, for the router: its address, its title, what is loaded on arrival."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mygpt.web.text import t


@dataclass(frozen=True, slots=True)
class Page:
    """One page: `build` makes it when the site is compiled; `title` is a text key."""

    route: str
    build: Callable[[], rx.Component]
    title: str
    on_load: tuple[Any, ...] = ()  # Any: Reflex has no public type for a state's handler as the class gives it

    def register(self, app: rx.App) -> None:
        """Add the page to the site."""
        app.add_page(self.build, route=self.route, title=t(self.title), on_load=list(self.on_load) or None)
