"""The frame of a page: sidebar or drawer, links inside the site, the document's title."""

import reflex as rx
from reflex_components_core.react_router import link

from mygpt.web import routes
from mygpt.web.components.script import script
from mygpt.web.text import t, texts

__all__ = ["conversation_link", "link", "page_title", "shell", "sidebar_toggle"]


class Shell(rx.Component):
    """The first child is the sidebar, the rest the page."""

    library = script("shell.jsx")
    tag = "Shell"
    texts: rx.Var[dict[str, str]]


class SidebarToggle(rx.Component):
    """Shows and hides the sidebar, or opens the drawer."""

    library = script("shell.jsx")
    tag = "SidebarToggle"
    label: rx.Var[str]
    hide_when_open: rx.Var[bool]


class ConversationLink(rx.Component):
    """A link to a conversation that says when it is the open one."""

    library = script("shell.jsx")
    tag = "ConversationLink"
    conversation: rx.Var[str]
    title: rx.Var[str]
    to: rx.Var[str]


class PageTitle(rx.Component):
    """Writes the document's title."""

    library = script("shell.jsx")
    tag = "PageTitle"
    title: rx.Var[str]
    site: rx.Var[str]


def shell(sidebar: rx.Component, *page: rx.Component) -> rx.Component:
    """Return the frame around a sidebar and a page."""
    return Shell.create(sidebar, *page, texts=texts("shell", "skip", "sidebar"))


def sidebar_toggle(label: str, *, hide_when_open: bool = False) -> rx.Component:
    """Return the button that shows and hides the sidebar."""
    return SidebarToggle.create(label=label, hide_when_open=hide_when_open)


def conversation_link(conversation_id: rx.Var[str], title: rx.Var[str]) -> rx.Component:
    """Return the link to one conversation."""
    address = rx.Var.create(routes.conversation("")) + conversation_id
    return ConversationLink.create(conversation=conversation_id, title=title, to=address)


def page_title(title: rx.Var[str]) -> rx.Component:
    """Return the part that keeps the document's title."""
    return PageTitle.create(title=title, site=t("site.name"))
