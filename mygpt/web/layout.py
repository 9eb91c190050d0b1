"""The frame around every page: the shell, what lies over it, the document's head."""

from collections.abc import Callable

import reflex as rx
from reflex_base.vars.function import ArgsFunctionOperation
from reflex_components_core.base.error_boundary import ErrorBoundary

from mygpt.web import theme
from mygpt.web.components.icons import mark
from mygpt.web.components.menus import menus
from mygpt.web.components.overlay import connection_status, notice_area, page_failed
from mygpt.web.components.shell import shell
from mygpt.web.components.sidebar import sidebar
from mygpt.web.text import t

# Before the first paint: a hidden sidebar stays hidden. (Reflex's own script does the same for dark and light.)
BEFORE_PAINT = 'try{document.documentElement.dataset.sidebar=localStorage.getItem("mygpt:sidebar")||"open"}catch{}'


def with_sidebar(*page: rx.Component) -> rx.Component:
    """Return a page inside the shell."""
    return rx.fragment(shell(sidebar(), *page), menus())


def alone(title: str, *content: rx.Component, note: str = "") -> rx.Component:
    """Return a page with one card and nothing else: sign-in and the like."""
    return rx.el.main(
        rx.el.div(
            rx.el.div(mark(size=44), class_name="mg-card-mark"),
            rx.el.h1(title),
            rx.el.p(note, class_name="mg-card-note") if note else rx.fragment(),
            *content,
            class_name="mg-card",
        ),
        class_name="mg-lone",
    )


def skeleton() -> rx.Component:
    """Return the shape of a conversation that is on its way."""
    lines = [rx.el.i(class_name=f"mg-bone {width}") for width in ("w-11/12", "w-full", "w-4/5")]
    return rx.el.div(
        rx.el.div(rx.el.i(class_name="mg-bone mg-bone-bubble"), *lines, class_name="mg-column", aria_hidden=True),
        class_name="mg-thread-frame mg-skeleton",
    )


def hydrate_fallback() -> rx.Component:
    """Return what stands there until the scripts of an address that is not a file have come."""
    return rx.el.div(
        rx.el.div(class_name="mg-sidebar"),
        rx.el.div(rx.el.div(class_name="mg-header"), skeleton(), class_name="mg-page"),
        class_name="mg-shell",
    )


def app_wraps() -> dict[tuple[int, str], Callable[[bool], rx.Component | None]]:
    """Return what replaces Reflex's own error page and connection banner; both need no eval."""
    return {(55, "ErrorBoundary"): lambda _stateful: _boundary(), (5, "Overlay"): lambda _stateful: _overlay()}


def head_components() -> list[rx.Component]:
    """Return the head of every page: tokens, icons, manifest, colours of the browser's frame."""
    return [
        rx.el.meta(
            name="viewport",
            content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content",
        ),
        rx.el.style(theme.variables()),
        rx.el.script(BEFORE_PAINT),
        rx.el.link(rel="icon", href="/favicon.ico", sizes="32x32"),
        rx.el.link(rel="icon", href="/icon.svg", type="image/svg+xml"),
        rx.el.link(rel="apple-touch-icon", href="/apple-touch-icon.png"),
        rx.el.link(rel="manifest", href="/manifest.webmanifest"),
        rx.el.meta(
            name="theme-color", content=theme.FRAME["light"], custom_attrs={"media": "(prefers-color-scheme: light)"}
        ),
        rx.el.meta(
            name="theme-color", content=theme.FRAME["dark"], custom_attrs={"media": "(prefers-color-scheme: dark)"}
        ),
        rx.el.meta(name="description", content=t("site.description")),
        rx.el.meta(name="robots", content="noindex"),
    ]


def stylesheets() -> list[str]:
    """Return the site's one style sheet."""
    return ["/mygpt.css"]


def _boundary() -> rx.Component:
    fallback = ArgsFunctionOperation.create(("_failure",), rx.Var.create(page_failed()))
    boundary: rx.Component = ErrorBoundary.create(fallback_render=fallback)
    return boundary


def _overlay() -> rx.Component:
    return rx.fragment(connection_status(), notice_area())
