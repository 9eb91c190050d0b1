"""What becomes of a failure on the page: an expected one says its own text, a bug only its number in the log."""

import logging

import reflex as rx
from reflex.event import EventSpec
from reflex_base.event.context import EventContext

from mygpt import telemetry
from mygpt.errors import MyGPTError, NotSignedIn
from mygpt.i18n import DEFAULT, translate
from mygpt.web import gate, pending
from mygpt.web.states import notices

log = logging.getLogger(__name__)

REPORT_CHARS = 500


def backend_error(exception: Exception) -> EventSpec | None:
    """Tell the person what went wrong in a handler; runs in the failed event's context."""
    with telemetry.request_id(gate.request_of(EventContext.get().txid)) as reference:
        if isinstance(exception, NotSignedIn):
            return rx.redirect(gate.SIGN_IN_AGAIN)
        pending.leave(_text(exception, reference))
    return notices.show_waiting()


def _text(exception: Exception, reference: str) -> str:
    if isinstance(exception, MyGPTError):
        level = logging.WARNING if exception.status >= 500 else logging.INFO
        log.log(level, "event refused", extra={"code": exception.text_code, "detail": exception.detail})
        return translate(f"error.{exception.text_code}", DEFAULT, **exception.params)
    log.error("event failed", exc_info=exception)
    return translate("error.unexpected_reference", DEFAULT, reference=reference)


def frontend_error(exception: Exception) -> None:
    """Note what a page reports of itself: text of a client, so shortened and never more than a line."""
    report = " ".join(str(exception).split())
    log.warning("a page reports an error", extra={"report": report[:REPORT_CHARS]})
