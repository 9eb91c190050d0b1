"""Small buttons with a life of their own in the browser."""

import reflex as rx

from mygpt.web.components.script import script
from mygpt.web.text import texts


class CopyButton(rx.Component):
    """Copies a message as it was written."""

    library = script("buttons.jsx")
    tag = "CopyButton"
    text: rx.Var[str]
    run: rx.Var[str]
    texts: rx.Var[dict[str, str]]


class ThemeToggle(rx.Component):
    """Goes through system, light and dark."""

    library = script("buttons.jsx")
    tag = "ThemeToggle"
    texts: rx.Var[dict[str, str]]


def copy_button(*, text: rx.Var[str], run: rx.Var[str] | str) -> rx.Component:
    """Return the button that copies a message."""
    return CopyButton.create(text=text, run=run, texts=texts("message", "copy", "copied"))


def theme_toggle() -> rx.Component:
    """Return the button that changes between system, light and dark."""
    return ThemeToggle.create(texts=texts("theme", "system", "light", "dark"))
