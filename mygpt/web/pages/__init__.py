"""One module per page; a new one is named here."""

import reflex as rx

from mygpt.web.pages import conversation, login, missing, setup
from mygpt.web.pages.page import Page

PAGES: tuple[Page, ...] = (*conversation.PAGES, login.PAGE, setup.PAGE, missing.PAGE)


def register(app: rx.App) -> None:
    """Add every page to the site."""
    for page in PAGES:
        page.register(app)
