"""What lies over every page: the connection, notices, and what stands in for a page that broke."""

import reflex as rx
from reflex_components_core.core.banner import connection_errors_count

from mygpt.web.components.script import script
from mygpt.web.states.notices import Notices
from mygpt.web.states.sidebar import Sidebar
from mygpt.web.text import texts


def _undo(conversation_id: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (conversation_id,)


class ConnectionStatus(rx.Component):
    """Says when the page and the server do not hear each other."""

    library = script("overlay.jsx")
    tag = "ConnectionStatus"
    lib_dependencies: list[str] = ["@fontsource-variable/inter@5.3.0"]
    errors: rx.Var[int]
    hydrated: rx.Var[bool]
    texts: rx.Var[dict[str, str]]


class NoticeArea(rx.Component):
    """Shows notices for a while, each once."""

    library = script("overlay.jsx")
    tag = "NoticeArea"
    notice: rx.Var[dict[str, str]]
    texts: rx.Var[dict[str, str]]
    on_undo: rx.EventHandler[_undo]


class PageFailed(rx.Component):
    """Stands in for a page that broke, and offers a fresh start."""

    library = script("overlay.jsx")
    tag = "PageFailed"
    texts: rx.Var[dict[str, str]]


def connection_status() -> rx.Component:
    """Return the line about the connection."""
    return ConnectionStatus.create(
        errors=connection_errors_count, hydrated=rx.State.is_hydrated, texts=texts("connection", "offline")
    )


def notice_area() -> rx.Component:
    """Return the place for notices."""
    return NoticeArea.create(notice=Notices.notice, on_undo=Sidebar.restore, texts=texts("notice", "undo", "dismiss"))


def page_failed() -> rx.Component:
    """Return what stands in for a page that broke."""
    return PageFailed.create(texts=texts("failure", "title", "text", "again"))
