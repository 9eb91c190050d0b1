"""Where one writes: the message box, the model list, Send and Stop."""

import reflex as rx

from mygpt.web.components.script import script
from mygpt.web.states.chat import Chat
from mygpt.web.states.notices import Notices
from mygpt.web.states.session import Session
from mygpt.web.text import t, texts
from mygpt.web.views import ModelView


def _send(key: rx.Var[str], text: rx.Var[str]) -> tuple[rx.Var[str], rx.Var[str]]:
    return (key, text)


class Composer(rx.Component):
    """The message box. Its words are the browser's until `accepted` names the key they were sent with."""

    library = script("composer.jsx")
    tag = "Composer"
    account: rx.Var[str]
    busy: rx.Var[bool]
    accepted: rx.Var[str]
    trouble: rx.Var[str]
    texts: rx.Var[dict[str, str]]
    on_send: rx.EventHandler[_send]
    on_stop: rx.EventHandler[rx.event.no_args_event_spec]


def composer() -> rx.Component:
    """Return the message box of the open conversation."""
    notice = Notices.notice
    return Composer.create(
        model_select(),
        account=Session.account_id,
        busy=Chat.run != "",
        accepted=Chat.accepted,
        trouble=rx.cond(notice["kind"] == "error", notice["id"], ""),
        texts=texts("composer", "label", "placeholder", "send", "stop", "busy", "late", "tooLong"),
        on_send=Chat.send,
        on_stop=Chat.stop,
    )


def model_select() -> rx.Component:
    """Return the list of models; the platform's own list, which every device and reader knows."""
    return rx.cond(
        Chat.models.length() > 0,
        rx.el.label(
            rx.el.span(t("model.label"), class_name="sr-only"),
            rx.el.select(
                rx.foreach(Chat.models, _option),
                value=Chat.model,
                on_change=Chat.choose_model,
                custom_attrs={"data-testid": "model-select"},
                class_name="mg-select",
            ),
            class_name="mg-select-frame",
        ),
    )


def _option(model: rx.Var[ModelView]) -> rx.Component:
    return rx.el.option(model.label, value=model.id)
