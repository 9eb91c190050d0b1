"""The conversation: what was said, and where to say more. `/` is one that has not begun."""

import reflex as rx

from mygpt.web import routes
from mygpt.web.components.composer import composer
from mygpt.web.components.icons import icon
from mygpt.web.components.live_feed import live_feed
from mygpt.web.components.message import message_row
from mygpt.web.components.shell import link, page_title, sidebar_toggle
from mygpt.web.components.thread import thread
from mygpt.web.layout import skeleton, with_sidebar
from mygpt.web.pages.page import Page
from mygpt.web.states.chat import Chat
from mygpt.web.states.follow import Follow
from mygpt.web.states.session import Session
from mygpt.web.states.sidebar import Sidebar
from mygpt.web.text import t
from mygpt.web.views import MessageView


def new() -> rx.Component:
    """Return the page of a conversation that has not begun; it is there before the server has said anything."""
    return _page(rx.cond(Chat.messages.length() > 0, _messages(), _welcome()), _foot())


def opened() -> rx.Component:
    """Return the page of one conversation."""
    return _page(
        rx.cond(
            Chat.is_missing,
            _missing(),
            rx.cond((Chat.messages.length() > 0) | rx.State.is_hydrated, _messages(), skeleton()),
        ),
        rx.cond(Chat.is_missing, rx.fragment(), _foot()),
    )


def _page(*content: rx.Component) -> rx.Component:
    return with_sidebar(
        page_title(Chat.title),
        live_feed(),
        _header(),
        rx.el.main(*content, class_name="mg-main"),
    )


def _foot() -> rx.Component:
    return rx.el.div(composer(), class_name="mg-foot")


def _header() -> rx.Component:
    return rx.el.header(
        sidebar_toggle(t("sidebar.show"), hide_when_open=True),
        rx.cond(Chat.title != "", rx.el.h1(Chat.title), rx.el.div()),
        link(
            icon(name="pencil", size=20),
            to=routes.HOME,
            class_name="mg-icon-button mg-toggle-outside",
            custom_attrs={"aria-label": t("sidebar.new"), "title": t("sidebar.new")},
        ),
        class_name="mg-header",
    )


def _messages() -> rx.Component:
    return thread(
        rx.foreach(Chat.messages, _row),
        conversation=Chat.conversation_id,
        first=Chat.messages[0].id,
        last=Chat.messages[-1].id,
        has_earlier=Chat.has_earlier,
        on_earlier=Chat.load_earlier,
    )


def _row(message: rx.Var[MessageView]) -> rx.Component:
    return message_row(message=message, key=message.id)


def _welcome() -> rx.Component:
    return rx.el.div(rx.el.h1(t("welcome.title")), rx.el.p(t("welcome.text")), class_name="mg-welcome")


def _missing() -> rx.Component:
    return rx.el.div(
        rx.el.h1(t("conversation.missing")),
        rx.el.p(t("conversation.missingText")),
        link(t("sidebar.new"), to=routes.HOME, class_name="mg-button mg-primary"),
        class_name="mg-welcome",
    )


_ON_LOAD = (Session.on_load, Sidebar.on_load, Chat.on_load, Follow.watch)
PAGES = (
    Page(routes.HOME, new, "site.name", _ON_LOAD),
    Page(routes.CONVERSATION, opened, "site.name", _ON_LOAD),
)
