"""A small real Reflex app behind the real Guard and Gate; uvicorn serves `create_asgi`, a raw client speaks to it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import reflex as rx
from fastapi import FastAPI, Request
from pydantic import Field
from starlette.types import ASGIApp

from mygpt import database, settings, telemetry
from mygpt.database import Database
from mygpt.errors import NotFound
from mygpt.http import auth, errors, guard
from mygpt.web.errors import backend_error, frontend_error
from mygpt.web.gate import Gate, actor, event

log = logging.getLogger(__name__)


class Desk(rx.State):
    """What a page of this site may try."""

    note: str = ""
    who: str = ""
    ticks: int = 0

    @event(access="member")
    def on_load(self) -> None:
        self.who = actor().name

    @event(access="public")
    def wave(self) -> None:
        self.note = "waved"

    @event(access="member")
    def write(
        self, text: Annotated[str, Field(min_length=1, max_length=20)], times: Annotated[int, Field(le=10)] = 1
    ) -> None:
        self.note = text * times

    @event(access="admin")
    def rule(self) -> None:
        self.note = "ruled"

    @event(access="owner")
    def own(self) -> None:
        self.note = "owned"

    @event(access="member")
    def chain(self) -> object:
        return Desk.chained

    @event(access="admin")
    def chained(self) -> None:
        self.note = "chained"

    @event(access="member")
    def miss(self) -> None:
        raise NotFound(code="account_not_found")

    @event(access="member")
    def crash(self) -> None:
        raise ValueError("canary-in-the-crash")

    @event(access="member")
    def begin(self) -> object:
        log.info("begun")
        return Desk.crash

    @event(access="member")
    def ask_actor(self) -> None:
        actor()

    @event(access="public")
    def ask_actor_as_anybody(self) -> None:
        actor()

    @event(access="member", background=True)
    async def tick(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0.02)
            async with self:
                self.ticks += 1
                self.who = actor().name
        raise NotFound(code="account_not_found")

    @rx.event
    def undeclared(self) -> None:
        self.note = "undeclared"

    def helper(self) -> None:
        self.note = "helped"

    def set_note(self, value: str) -> None:
        self.note = value

    def _private(self) -> None:
        self.note = "private"


def create_asgi() -> ASGIApp:
    loaded = settings.load()
    telemetry.set_up_logging("debug", "json")
    routes = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    errors.install(routes)
    routes.include_router(auth.router(loaded))

    @routes.get("/auth/echo")
    async def echo(request: Request) -> dict[str, object]:
        who = auth.actor_of(request)
        return {"headers": dict(request.headers), "who": who.name if who else None}

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        db = Database(loaded.database)
        database.use(db)
        watching = asyncio.create_task(guard.watch())
        yield
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        database.use(None)
        await asyncio.to_thread(db.close)

    app = rx.App(
        api_transformer=[routes],
        backend_exception_handler=backend_error,
        frontend_exception_handler=frontend_error,
        toaster=None,
    )
    app.add_middleware(Gate(loaded))
    app.add_page(rx.fragment("here"), route="/", on_load=Desk.on_load)
    app.add_page(rx.fragment("login"), route="/login", on_load=Desk.wave)
    app.register_lifespan_task(lifespan)
    return guard.create(loaded)(app())
