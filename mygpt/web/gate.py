"""The Gate: every event is denied unless its handler declares who may call it and what it takes."""

import asyncio
import inspect
import logging
import typing
from collections.abc import Callable
from contextvars import ContextVar
from inspect import Parameter
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

import reflex as rx
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from reflex.event import Event
from reflex.middleware.middleware import Middleware
from reflex.state import BaseState, StateUpdate
from reflex_base.event.context import EventContext
from reflex_base.registry import RegistrationContext

from mygpt import telemetry
from mygpt.errors import NotSignedIn
from mygpt.i18n import translate
from mygpt.services import logins
from mygpt.services.access import Actor
from mygpt.services.limits import Windows
from mygpt.settings import Settings
from mygpt.tables.accounts import AccountRole
from mygpt.web import pending, routes

log = logging.getLogger(__name__)

Access = Literal["public", "member", "admin", "owner"]
Handler = TypeVar("Handler", bound=Callable[..., Any])
ACTOR: ContextVar[Actor | None] = ContextVar("actor", default=None)

LEVELS: dict[str, int] = {"public": 0, "member": 1, "admin": 2, "owner": 3}
ROLE_LEVELS = {AccountRole.MEMBER: 1, AccountRole.ADMIN: 2, AccountRole.OWNER: 3}
SIGN_IN_AGAIN = f"{routes.LOGIN}?why=session"

# Reflex's own events a page really sends, or queues here. Everything else of Reflex is denied, setvar first of all.
_ROOT = "reflex___state____state"
HYDRATE = f"{_ROOT}.hydrate_and_load"
NAVIGATE = f"{_ROOT}.reflex___state____on_load_internal_state.on_load_internal"
HYDRATED = f"{_ROOT}.reflex___state____on_load_internal_state.set_is_hydrated"
PAGE_ERROR = f"{_ROOT}.reflex___state____frontend_event_exception_state.handle_frontend_exception"
FRAMEWORK = frozenset({HYDRATE, NAVIGATE, HYDRATED})

EVENTS, EVENTS_S = 300, 10.0
PAGE_ERRORS, PAGE_ERRORS_S = 5, 60.0
REMEMBERED_S = 30.0


def actor() -> Actor:
    """Return who asks, as the Gate found it for this event; raises `NotSignedIn` for a stranger."""
    found = ACTOR.get()
    if found is None:
        raise NotSignedIn
    return found


def event(*, access: Access, **options: Any) -> Callable[[Handler], Handler]:
    """Declare an event handler: who may call it, and (by its annotations) the strict model of its arguments."""

    def declare(handler: Handler) -> Handler:
        handler.__access__ = access  # type: ignore[attr-defined]  # read by the Gate through EventHandler.fn
        handler.__arguments__ = _arguments(handler)  # type: ignore[attr-defined]
        declared: Handler = rx.event(**options)(handler)
        return declared

    return declare


def _arguments(handler: Callable[..., Any]) -> type[BaseModel]:
    hints = typing.get_type_hints(handler, include_extras=True)  # without the extras, Field(max_length=…) is lost
    parameters = list(inspect.signature(handler).parameters.items())[1:]
    fields: Any = {
        name: (hints[name], ... if parameter.default is Parameter.empty else parameter.default)
        for name, parameter in parameters
    }
    model: type[BaseModel] = create_model(
        handler.__name__, __config__=ConfigDict(strict=True, extra="forbid"), **fields
    )
    return model


class Gate(Middleware):
    """Reflex calls it before every event: from the browser, chained, in the background, on load."""

    def __init__(self, settings: Settings) -> None:
        self._idle_s = settings.session_idle_s
        self._events = Windows(EVENTS, EVENTS_S)
        self._page_errors = Windows(PAGE_ERRORS, PAGE_ERRORS_S)

    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> StateUpdate | None:
        """Return None to let the event run, or what to answer in its stead."""
        context = EventContext.get()
        telemetry.REQUEST_ID.set(_remember(context))
        session_id = _session_id(context)
        is_asked = context.parent_txid is None  # by the browser, not chained by one of our own handlers
        if is_asked and not self._events.take(session_id or context.token):
            log.warning("too many events", extra={"session_id": session_id})
            return deny("rate_limited")
        who = await self._find_actor(session_id, event.name, is_asked=is_asked)
        ACTOR.set(who)
        if session_id and who is None:
            return _to_sign_in(context)  # its socket is about to be closed; not even Reflex's own events run
        if event.name in FRAMEWORK:
            return _framework(event)
        if event.name == PAGE_ERROR:
            return self._note_page_error(app, event, session_id or context.token)
        return _decide(context, event, who)

    async def _find_actor(self, session_id: str, name: str, *, is_asked: bool) -> Actor | None:
        if not session_id:
            return None
        is_deed = is_asked and name not in (HYDRATE, HYDRATED, PAGE_ERROR)  # a reconnecting tab is nobody's deed
        return await logins.find_actor(session_id, idle_s=self._idle_s if is_deed else 0)

    def _note_page_error(self, app: rx.App, event: Event, key: str) -> StateUpdate:
        info = event.payload.get("info")
        if isinstance(info, str) and self._page_errors.take(key):
            app.frontend_exception_handler(Exception(info[:2000]))
        return StateUpdate()


def request_of(txid: str) -> str:
    """Return the request id an event runs under; empty when it is over for long."""
    return _requests.get(txid, "")


def deny(code: str) -> StateUpdate:
    """Return the answer to an event that may not run: a notice, and nothing else."""
    from mygpt.web.states import notices  # its handler is declared with `event` of this very module

    pending.leave(translate(f"error.{code}"))
    return StateUpdate(events=Event.from_event_type(notices.show_waiting()))


def _decide(context: EventContext, event: Event, who: Actor | None) -> StateUpdate | None:
    handler = RegistrationContext.get().event_handlers[event.name].handler.fn
    access = getattr(handler, "__access__", None)
    if access is None:
        log.warning("undeclared event denied", extra={"event": event.name})
        return deny("not_allowed")
    if LEVELS[access] and who is None:
        return _to_sign_in(context)
    if who is not None and LEVELS[access] > ROLE_LEVELS[who.role]:
        log.warning("event denied", extra={"event": event.name, "account_id": who.account_id})
        return deny("not_allowed")
    return _check_arguments(handler, event)


def _check_arguments(handler: Callable[..., Any], event: Event) -> StateUpdate | None:
    model: type[BaseModel] = handler.__arguments__  # type: ignore[attr-defined]  # set by `event` beside __access__
    try:
        arguments = model.model_validate(event.payload)
    except ValidationError as wrong:
        places = [error["loc"][0] for error in wrong.errors(include_input=False, include_url=False) if error["loc"]]
        known = [place for place in places if place in model.model_fields]
        log.warning("event with wrong arguments denied", extra={"event": event.name, "arguments": known})
        return deny("invalid_input")
    event.payload.update({name: getattr(arguments, name) for name in model.model_fields})
    return None


def _framework(event: Event) -> StateUpdate | None:
    if event.name == HYDRATED and not isinstance(event.payload.get("value"), bool):
        return StateUpdate()
    return None


def _to_sign_in(context: EventContext) -> StateUpdate:
    wanted = context.router_data.get("asPath")
    onward = logins.safe_next(wanted) if isinstance(wanted, str) else "/"
    more = f"&{urlencode({'next': onward})}" if onward != "/" else ""
    return StateUpdate(events=Event.from_event_type(rx.redirect(SIGN_IN_AGAIN + more)))


def _session_id(context: EventContext) -> str:
    headers = context.router_data.get("headers", {})
    kind, _, session_id = headers.get("authorization", "").partition(" ")
    return session_id if kind == "Session" else ""


# The request id of each event that runs, by Reflex's own number for it; a chained event goes on under its parent's.
_requests: dict[str, str] = {}


def _remember(context: EventContext) -> str:
    request_id = _requests.get(context.parent_txid or "") or telemetry.new_request_id()
    _requests[context.txid] = request_id
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is not None:
        task.add_done_callback(lambda _: loop.call_later(REMEMBERED_S, _requests.pop, context.txid, None))
    return request_id
