"""Notices: what the page tells in passing, without eval."""

import secrets

import reflex as rx
from reflex.event import EventSpec

from mygpt.i18n import translate
from mygpt.web import pending
from mygpt.web.gate import event
from mygpt.web.pending import Pending


class Notices(rx.State):
    """The newest notice; the page shows it for a while. `undo` names what its button brings back, if anything."""

    notice: dict[str, str] = {"id": "", "text": "", "kind": "info", "undo": ""}

    @event(access="public")
    def failed(self) -> None:
        """Say what went wrong: the words wait on the server, for a client could send any."""
        notice = pending.take() or Pending(translate("error.unexpected"), "error")
        self._say(notice.text, notice.kind)

    def _say(self, text: str, kind: str = "info", undo: str = "") -> None:
        self.notice = {"id": secrets.token_hex(8), "text": text, "kind": kind, "undo": undo}


def show_waiting() -> EventSpec:
    """Return the event that shows a notice left in `pending`."""
    shown: EventSpec = Notices.failed()  # type: ignore[assignment, call-arg]  # on the class, Reflex makes it an event
    return shown
