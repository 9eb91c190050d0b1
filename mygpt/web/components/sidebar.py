"""The sidebar: a new conversation, those there are, and oneself."""

import reflex as rx

from mygpt.web import routes
from mygpt.web.components.buttons import theme_toggle
from mygpt.web.components.icons import icon, mark
from mygpt.web.components.menus import conversation_menu_button, user_menu_button
from mygpt.web.components.shell import conversation_link, link, sidebar_toggle
from mygpt.web.states.sidebar import Sidebar
from mygpt.web.text import t
from mygpt.web.views import ConversationView


def sidebar() -> rx.Component:
    """Return all that stands in the sidebar."""
    return rx.el.nav(
        rx.el.div(
            link(mark(size=26), rx.el.span(t("site.name")), to=routes.HOME, class_name="mg-brand"),
            sidebar_toggle(t("sidebar.hide")),
            class_name="mg-sidebar-head",
        ),
        link(
            icon(name="plus", size=18),
            t("sidebar.new"),
            to=routes.HOME,
            class_name="mg-new",
            custom_attrs={"data-testid": "new-conversation"},
        ),
        rx.el.div(*_list(), class_name="mg-sidebar-body"),
        rx.el.div(user_menu_button(), theme_toggle(), class_name="mg-sidebar-foot"),
        aria_label=t("sidebar.label"),
        class_name="contents",
    )


def _list() -> tuple[rx.Component, ...]:
    heading = rx.el.h2(t("sidebar.recent"), class_name="mg-sidebar-title")
    empty = rx.cond(rx.State.is_hydrated, rx.el.p(t("sidebar.empty"), class_name="mg-sidebar-empty"))
    more = rx.el.button(
        t("sidebar.more"), type="button", on_click=Sidebar.load_more, class_name="mg-button mg-quiet mg-compact mg-wide"
    )
    return (
        rx.cond(Sidebar.conversations.length() > 0, heading, empty),
        rx.el.ul(rx.foreach(Sidebar.conversations, _line), custom_attrs={"data-testid": "conversation-list"}),
        rx.cond(Sidebar.has_more, more),
    )


def _line(conversation: rx.Var[ConversationView]) -> rx.Component:
    return conversation_line(conversation=conversation, key=conversation.id)


@rx.memo
def conversation_line(conversation: rx.Var[ConversationView], rest: rx.RestProp) -> rx.Component:
    """Return one line of the list."""
    return rx.el.li(
        conversation_link(conversation.id, conversation.title),
        rx.cond(conversation.is_live, rx.el.span(class_name="mg-live", role="img", aria_label=t("sidebar.live"))),
        conversation_menu_button(conversation.id, conversation.title),
        rest,
        class_name="mg-item",
        custom_attrs={"data-testid": "conversation-item", "data-id": conversation.id},
    )
