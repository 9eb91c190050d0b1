"""Composition root: puts pages, routes, providers, runs and jobs together. Only wiring; it and `__main__` see all."""

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import reflex as rx
from fastapi import FastAPI
from starlette.types import ASGIApp

from mygpt import database, settings
from mygpt.database import Database
from mygpt.dialogue.events import Event
from mygpt.http import auth, guard, health
from mygpt.http import errors as http_errors
from mygpt.jobs import JOBS
from mygpt.live import runs
from mygpt.live.runs import Runs
from mygpt.providers import Providers
from mygpt.services import catalog, chat
from mygpt.services.catalog import Catalog
from mygpt.services.turns import Turn
from mygpt.settings import Settings
from mygpt.web import bundle, errors, layout, pages, tabs
from mygpt.web.gate import Gate

DRAIN_S = 6.0


def create_app(loaded: Settings) -> rx.App:
    """Return the whole application for these settings."""
    routes = FastAPI(title="MyGPT", docs_url=None, redoc_url=None, openapi_url=None)
    http_errors.install(routes)
    routes.include_router(health.router(bundle.is_built))
    routes.include_router(auth.router(loaded))
    made = rx.App(
        api_transformer=[routes],
        app_wraps=layout.app_wraps(),
        head_components=layout.head_components(),
        stylesheets=layout.stylesheets(),
        html_lang="en",
        hydrate_fallback=layout.hydrate_fallback,
        backend_exception_handler=errors.backend_error,
        frontend_exception_handler=errors.frontend_error,
        toaster=None,
    )
    made.add_middleware(Gate(loaded))
    pages.register(made)
    made.register_lifespan_task(lifespan)
    settings.use(loaded)
    tabs.use(made)
    return made


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Bring up what lives as long as the process, and let it end well: replies first, the database last."""
    loaded = settings.current()
    db, providers = Database(loaded.database), Providers(loaded)
    offered = Catalog(providers.available, loaded.default_model)

    def reply(turn: Turn) -> AsyncGenerator[Event]:
        return chat.reply(turn, offered)

    replies = Runs(reply)
    database.use(db)
    catalog.use(offered)
    runs.use(replies)
    work: list[Coroutine[Any, Any, object]] = [
        replies.work(),
        guard.watch(),
        offered.offers(),
        *(job() for job in JOBS),
    ]
    tasks = [asyncio.create_task(each) for each in work]
    _calm_the_collector()
    try:
        yield
    finally:
        await replies.drain(DRAIN_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await providers.aclose()
        await asyncio.to_thread(db.close)


def _calm_the_collector() -> None:
    """Leave what was imported alone: a full collection of it stops every stream for a tenth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


app = create_app(settings.load())


def create_asgi() -> ASGIApp:
    """Return what the server serves: the Guard is outermost, also around Reflex's own routes."""
    return guard.create(settings.current())(app())
