"""What an unknown address shows."""

import reflex as rx

from mygpt.web import routes
from mygpt.web.components.shell import link
from mygpt.web.layout import alone
from mygpt.web.pages.page import Page
from mygpt.web.text import t


def missing() -> rx.Component:
    """Return the page for an address that leads nowhere."""
    home = link(t("missing.home"), to=routes.HOME, class_name="mg-button mg-primary mg-wide")
    return alone(t("missing.title"), home, note=t("missing.text"))


PAGE = Page("404", missing, "missing.page")
