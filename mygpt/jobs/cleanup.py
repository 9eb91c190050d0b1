"""Removes what nobody needs any more: the events of finished runs, whose words are in their messages."""

import asyncio
import logging
from datetime import timedelta

from mygpt import database
from mygpt.errors import ServiceBusy
from mygpt.services import run_events
from mygpt.tables.base import now

log = logging.getLogger(__name__)
EVERY_S = 600.0
KEEP = timedelta(hours=24)


async def run() -> None:
    """Clean up every ten minutes, for as long as the process lives."""
    while True:
        try:
            await clean()
        except ServiceBusy:
            log.warning("clean-up put off, the database is busy")
        await asyncio.sleep(EVERY_S)


async def clean() -> int:
    """Remove the events of runs that ended more than a day ago; returns of how many runs."""
    total = 0
    while count := await database.run(run_events.forget, finished_before=now() - KEEP):
        total += count
    return total
