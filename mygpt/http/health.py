"""`/healthz`: the process is alive. `/readyz`: it can serve, or why not, in words without secrets."""

import asyncio
import logging
import time
from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from mygpt import database, migrations
from mygpt.migrations import SchemaState

log = logging.getLogger(__name__)

DATABASE_S = 2.0
FRESH_S = 1.0
NO_STORE = {"Cache-Control": "no-store"}


def router(has_front_end: Callable[[], bool]) -> APIRouter:
    """Return the two routes; `has_front_end` says whether there are pages to serve."""
    routes = APIRouter()
    readiness = _Readiness(has_front_end)

    @routes.get("/healthz", include_in_schema=False)
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "alive"}, headers=NO_STORE)

    @routes.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        reasons = await readiness.problems()
        content = {"status": "not ready", "reasons": reasons} if reasons else {"status": "ready"}
        return JSONResponse(content, status_code=503 if reasons else 200, headers=NO_STORE)

    return routes


class _Readiness:
    """What stands in the way; asked of the database at most once a second, however many ask us."""

    def __init__(self, has_front_end: Callable[[], bool]) -> None:
        self._has_front_end = has_front_end
        self._asking = asyncio.Lock()
        self._known: list[str] = []
        self._good_until = 0.0

    async def problems(self) -> list[str]:
        async with self._asking:
            if time.monotonic() >= self._good_until:
                self._known = [reason for reason in (self._front_end_problem(), await _database_problem()) if reason]
                self._good_until = time.monotonic() + FRESH_S
            return self._known

    def _front_end_problem(self) -> str:
        return "" if self._has_front_end() else "the front end is not built"


async def _database_problem() -> str:
    try:
        state = await asyncio.wait_for(database.read(migrations.state), DATABASE_S)
    except TimeoutError:
        return f"the database did not answer within {DATABASE_S:.0f} s"
    except Exception:  # whatever it is, the answer is 503 and the log has it
        log.warning("database did not answer", exc_info=True)
        return "the database cannot be reached"
    return "" if state is SchemaState.CURRENT else f"the database's schema is {state}"
