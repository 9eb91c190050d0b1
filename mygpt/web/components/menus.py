"""Menus and dialogs: buttons here and there, one menu and one dialog for all of them (Radix primitives, headless)."""

import reflex as rx

from mygpt.web.components.script import script
from mygpt.web.states.session import Session
from mygpt.web.states.sidebar import Sidebar
from mygpt.web.text import t, texts


def _rename(conversation_id: rx.Var[str], title: rx.Var[str]) -> tuple[rx.Var[str], rx.Var[str]]:
    return (conversation_id, title)


def _remove(conversation_id: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (conversation_id,)


class Menus(rx.Component):
    """Shows whichever menu or dialog a button asked for; to be on a page once."""

    library = script("menus.jsx")
    tag = "Menus"
    lib_dependencies: list[str] = ["@radix-ui/react-dialog@1.3.1", "@radix-ui/react-dropdown-menu@2.2.1"]
    csrf: rx.Var[str]
    name: rx.Var[str]
    email: rx.Var[str]
    texts: rx.Var[dict[str, str]]
    on_rename: rx.EventHandler[_rename]
    on_remove: rx.EventHandler[_remove]


class ConversationMenuButton(rx.Component):
    """Opens what one may do with a conversation."""

    library = script("menus.jsx")
    tag = "ConversationMenuButton"
    conversation: rx.Var[str]
    title: rx.Var[str]
    label: rx.Var[str]


class UserMenuButton(rx.Component):
    """Opens what one may do for oneself."""

    library = script("menus.jsx")
    tag = "UserMenuButton"
    name: rx.Var[str]
    label: rx.Var[str]


def menus() -> rx.Component:
    """Return the one menu and dialog of a page."""
    names = (
        "rename",
        "remove",
        "renameTitle",
        "renameLabel",
        "renameEmpty",
        "save",
        "cancel",
        "logout",
        "logoutFailed",
    )
    return Menus.create(
        csrf=Session.csrf,
        name=Session.name,
        email=Session.email,
        texts=texts("menu", *names),
        on_rename=Sidebar.rename,
        on_remove=Sidebar.delete,
    )


def conversation_menu_button(conversation_id: rx.Var[str], title: rx.Var[str]) -> rx.Component:
    """Return the button with the menu of one conversation."""
    return ConversationMenuButton.create(
        conversation=conversation_id, title=title, label=t("menu.conversation", title="{title}")
    )


def user_menu_button() -> rx.Component:
    """Return the button with the menu of who is signed in."""
    return UserMenuButton.create(name=Session.name, label=t("menu.user", name="{name}"))
