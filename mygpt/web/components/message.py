"""One message as a row: the person's words in a bubble, the reply as plain text on the page."""

import reflex as rx

from mygpt.web.components.buttons import copy_button
from mygpt.web.components.icons import icon
from mygpt.web.components.markdown import message_body
from mygpt.web.states.chat import Chat
from mygpt.web.text import t
from mygpt.web.views import MessageView


@rx.memo
def message_row(message: rx.Var[MessageView], rest: rx.RestProp) -> rx.Component:
    """Return one row; remembered, so that news elsewhere in the conversation does not touch it."""
    return rx.el.article(
        rx.cond(message.role == "user", _said(message), _reply(message)),
        rest,
        class_name="mg-row",
        custom_attrs={
            "data-testid": "message",
            "data-id": message.id,
            "data-role": message.role,
            "data-status": message.status,
            "aria-busy": message.status == "streaming",
        },
    )


def _said(message: rx.Var[MessageView]) -> rx.Component:
    return rx.el.div(
        rx.el.h2(t("message.you"), class_name="sr-only"),
        rx.el.div(message.text, dir="auto", class_name="mg-bubble", custom_attrs={"data-testid": "message-content"}),
        rx.el.div(copy_button(text=message.text, run=""), class_name="mg-actions justify-end"),
        class_name="mg-said",
    )


def _reply(message: rx.Var[MessageView]) -> rx.Component:
    return rx.el.div(
        rx.el.h2(t("message.reply"), class_name="sr-only"),
        rx.cond(message.reasoning != "", _reasoning(message)),
        rx.el.div(
            message_body(run=message.run, text=message.text, status=message.status),
            dir="auto",
            class_name="mg-words",
            custom_attrs={"data-testid": "message-content"},
        ),
        rx.match(
            message.status,
            ("stopped", _way_out(t("message.stopped"), _continue(message))),
            ("interrupted", _way_out(t("message.interrupted"), _continue(message))),
            ("failed", _way_out(rx.cond(message.problem != "", message.problem, t("message.failed")), _retry(message))),
            rx.fragment(),
        ),
        rx.el.div(
            rx.cond(
                message.status == "streaming",
                rx.el.span(
                    rx.el.i(),
                    rx.el.i(),
                    rx.el.i(),
                    class_name="mg-thinking",
                    role="img",
                    aria_label=t("message.writing"),
                ),
                rx.fragment(
                    rx.cond(message.text != "", copy_button(text=message.text, run=message.run)),
                    rx.el.span(message.model, class_name="mg-model"),
                ),
            ),
            class_name="mg-actions",
        ),
        class_name="mg-reply",
    )


def _reasoning(message: rx.Var[MessageView]) -> rx.Component:
    return rx.el.details(
        rx.el.summary(icon(name="chevron", size=16), t("message.reasoning")),
        rx.el.div(message.reasoning, dir="auto"),
        class_name="mg-reasoning",
        custom_attrs={"data-testid": "reasoning"},
    )


def _way_out(said: str | rx.Var[str], button: rx.Component) -> rx.Component:
    return rx.el.div(rx.el.span(said), button, class_name="mg-way-out", role="status")


def _continue(message: rx.Var[MessageView]) -> rx.Component:
    return rx.el.button(
        icon(name="play", size=14),
        t("message.continue"),
        type="button",
        on_click=Chat.continue_reply(message.id),
        custom_attrs={"data-testid": "message-continue"},
        class_name="mg-button mg-quiet mg-compact",
    )


def _retry(message: rx.Var[MessageView]) -> rx.Component:
    return rx.el.button(
        icon(name="retry", size=16),
        t("message.retry"),
        type="button",
        on_click=Chat.retry(message.id),
        custom_attrs={"data-testid": "message-retry"},
        class_name="mg-button mg-quiet mg-compact",
    )
