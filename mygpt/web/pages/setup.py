"""The first account, made with the one-time link that the server prints at its first start."""

import reflex as rx

from mygpt.web import routes
from mygpt.web.components.sign_in import setup_form
from mygpt.web.layout import alone
from mygpt.web.pages.page import Page
from mygpt.web.text import t


def setup() -> rx.Component:
    """Return the page for the first account."""
    return alone(t("setup.title"), setup_form(), note=t("setup.note"))


PAGE = Page(routes.SETUP, setup, "setup.page")
