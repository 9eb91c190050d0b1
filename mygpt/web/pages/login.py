"""Signing in."""

import reflex as rx

from mygpt.web import routes
from mygpt.web.components.sign_in import login_form
from mygpt.web.layout import alone
from mygpt.web.pages.page import Page
from mygpt.web.text import t


def login() -> rx.Component:
    """Return the sign-in page."""
    return alone(t("login.title"), login_form())


PAGE = Page(routes.LOGIN, login, "login.page")
