"""Runs: one task per reply, owned by the process; any number of readers; every word stored within a second.

A send is acknowledged when `start` returns: by then the message, the place of its reply and the run are in the
database. The words follow in batches, all runs in one transaction. A stop, a provider's fault, a shutdown and a crash
each end a run with what was said; `reap` does it for runs whose process is gone.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from mygpt import bus, database
from mygpt.bus import Note
from mygpt.dialogue.events import Event, TextDelta
from mygpt.errors import MyGPTError, NotFound, ServiceBusy
from mygpt.inuse import InUse
from mygpt.live.pacing import Utf16Text, interval_s
from mygpt.services import access, run_events, turns
from mygpt.services.access import Actor
from mygpt.services.run_events import Batch
from mygpt.services.turns import Outcome, Turn
from mygpt.tables.base import now
from mygpt.tables.conversations import MessageStatus
from mygpt.telemetry import REQUEST_ID

log = logging.getLogger(__name__)

SAVE_EVERY_S = 0.4
LET_GO_S = 0.5
KEEP_FINISHED_S = 60.0
SILENT_S = 15.0
REAP_EVERY_S = 5.0
RETRY_CLOSE_S = 1.0

Reply = Callable[[Turn], AsyncGenerator[Event]]


@dataclass(frozen=True, slots=True)
class Slice:
    """Words of a run from a UTF-16 offset on; the last one has `is_end` and the total length."""

    offset: int
    text: str
    length: int
    is_end: bool = False


class LiveRun:
    """A reply that this process is writing, or wrote a moment ago."""

    def __init__(self, turn: Turn) -> None:
        """Start with the words a reopened reply has already."""
        self.turn = turn
        self.events: list[Event] = []
        self.text = Utf16Text(turn.prefix)
        self.saved = 0
        self.is_done = False
        self.end_asked: Literal["", "stop", "shutdown"] = ""
        self.asked = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def append(self, event: Event) -> None:
        """Number an event and wake the readers."""
        self.events.append(event)
        if isinstance(event, TextDelta):
            self.text.append(event.text)
        self.wake()

    def wake(self) -> None:
        """Let every waiting reader look again."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    def news(self) -> asyncio.Event:
        """Return what is set at the next change; take it before looking, wait for it after."""
        return self._news

    def end(self, why: Literal["stop", "shutdown"]) -> None:
        """Ask the run to end with what it has."""
        self.end_asked = self.end_asked or why
        self.asked.set()

    def unsaved(self) -> Batch:
        """Return the events that are not stored yet."""
        return Batch(self.turn.run_id, len(self.events), tuple(self.events[self.saved :]))


class Runs:
    """All replies in flight in this process."""

    def __init__(self, reply: Reply) -> None:
        """`reply` turns a stored turn into events; the rest is bookkeeping."""
        self._reply = reply
        self._runs: dict[str, LiveRun] = {}
        self._saving = asyncio.Lock()
        self._followers = 0
        self._is_draining = False
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    async def start(
        self, actor: Actor, *, conversation_id: str, text: str, key: str, model: str, origin: str = ""
    ) -> Turn:
        """Store what a person says and begin the reply; the same key again just returns the first turn.

        `origin` names the tab, which knows already what the others are told.
        """
        self._refuse_when_draining()
        turn = await database.run(
            turns.open_turn,
            actor,
            conversation_id=conversation_id,
            text=text,
            key=key,
            model=model,
            worker=self.worker,
            request_id=REQUEST_ID.get(),
        )
        self._begin(turn, origin)
        return turn

    async def resume(self, actor: Actor, message_id: str, *, model: str) -> Turn:
        """Let a reply that stopped short go on."""
        self._refuse_when_draining()
        turn = await database.run(
            turns.reopen, actor, message_id, model=model, worker=self.worker, request_id=REQUEST_ID.get()
        )
        self._begin(turn)
        return turn

    async def stop(self, actor: Actor, run_id: str) -> None:
        """End a run with what was said so far; returns when that is stored. One that has ended stays as it is."""
        await self._check(actor, run_id)
        run = self._runs.get(run_id)
        if run is not None:
            run.end("stop")
            if run.task is not None:
                await asyncio.shield(run.task)

    async def subscribe(self, actor: Actor, run_id: str, *, after: int = 0) -> AsyncGenerator[tuple[int, Event]]:
        """Yield (number, event) above `after` until the run ends; a run of the past comes from the database."""
        await self._check(actor, run_id)
        run = self._runs.get(run_id)
        if run is None:
            for number, event in enumerate(await database.read(run_events.stored, run_id, after=after), after + 1):
                yield number, event
            return
        position = after
        while True:
            news = run.news()
            while position < len(run.events):
                position += 1
                yield position, run.events[position - 1]
            if run.is_done:
                return
            await news.wait()

    async def follow(self, actor: Actor, run_id: str, *, have: int = 0) -> AsyncGenerator[Slice]:
        """Yield the words after the first `have` UTF-16 units, paced for a reader; raises `NotFound` for a past run."""
        await self._check(actor, run_id)
        run = self._runs.get(run_id)
        if run is None:
            raise NotFound(code="run_not_found")
        self._followers += 1
        try:
            async for piece in self._slices(run, have):
                yield piece
        finally:
            self._followers -= 1

    async def _slices(self, run: LiveRun, position: int) -> AsyncGenerator[Slice]:
        while True:
            news = run.news()
            offset, text, end = run.text.since(position, is_final=run.is_done)
            if text:
                position = end
                yield Slice(offset, text, end)
                await asyncio.sleep(interval_s(self._followers))
            elif run.is_done:
                yield Slice(position, "", len(run.text), is_end=True)
                return
            else:
                await news.wait()

    async def _check(self, actor: Actor, run_id: str) -> None:
        """Raise `NotFound` unless the actor may see the run; their own, while it is here, needs no database."""
        run = self._runs.get(run_id)
        if run is None or run.turn.account_id != actor.account_id:
            await database.read(access.run, actor, run_id)

    def is_live(self, run_id: str) -> bool:
        """Return True while this process is writing the run."""
        run = self._runs.get(run_id)
        return run is not None and not run.is_done

    async def work(self) -> None:
        """Store words and reap the runs of dead processes, for as long as the process lives."""
        await self.reap()
        last_reap = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            try:
                await self.save()
                if asyncio.get_running_loop().time() - last_reap > REAP_EVERY_S:
                    last_reap = asyncio.get_running_loop().time()
                    await self.reap()
            except Exception:  # the loop must outlive whatever a database does
                log.exception("live bookkeeping failed, will try again")

    async def save(self) -> None:
        """Store the words of all runs that are not stored yet, and their sign of life."""
        async with self._saving:
            live = [run for run in self._runs.values() if not run.is_done]
            if not live:
                return
            batches = [run.unsaved() for run in live]
            await database.run(run_events.append, batches, alive=[run.turn.run_id for run in live])
            for run, batch in zip(live, batches, strict=True):
                run.saved = batch.last_seq

    async def reap(self) -> int:
        """End the runs whose process is gone, with the words they had stored; returns how many."""
        count = 0
        for row in await database.read(turns.unfinished):
            if row.id in self._runs:
                continue
            silent = now() - row.heartbeat_at > timedelta(seconds=SILENT_S)
            if silent or is_dead(row.worker, self.worker):
                adopted = await database.run(turns.adopt, row.id)
                if adopted is not None:
                    count += 1
                    bus.publish(
                        bus.account(adopted.created_by), Note("settled", adopted.conversation_id, adopted.message_id)
                    )
        if count:
            log.warning("interrupted replies were closed", extra={"count": count})
        return count

    async def drain(self, timeout_s: float) -> None:
        """Take no more work, let replies end by themselves until the time is up, then end them with what they have."""
        self._is_draining = True
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=timeout_s)
        for run in self._runs.values():
            run.end("shutdown")
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=LET_GO_S + 2)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [run.task for run in self._runs.values() if run.task is not None and not run.task.done()]

    def _refuse_when_draining(self) -> None:
        if self._is_draining:
            raise ServiceBusy(code="restarting")

    def _begin(self, turn: Turn, origin: str = "") -> None:
        if turn.is_new:
            run = self._runs[turn.run_id] = LiveRun(turn)
            run.task = asyncio.create_task(self._drive(run), name=f"run {turn.run_id}")
            bus.publish(bus.account(turn.account_id), Note("opened", turn.conversation_id, turn.reply_id, origin))

    async def _drive(self, run: LiveRun) -> None:
        listening = asyncio.create_task(self._listen(run))
        asked = asyncio.create_task(run.asked.wait())
        await asyncio.wait({listening, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not listening.done():
            listening.cancel()
            await asyncio.wait(
                {listening}, timeout=LET_GO_S
            )  # a provider that hangs in its own clean-up is left behind
        await self._close(run, self._outcome(run, listening))

    async def _listen(self, run: LiveRun) -> None:
        async with aclosing(self._reply(run.turn)) as events:
            async for event in events:
                run.append(event)

    def _outcome(self, run: LiveRun, listening: asyncio.Task[None]) -> Outcome:
        outcome = turns.fold(run.turn.before, run.events)
        if not listening.done() or listening.cancelled():
            if run.end_asked == "stop":
                return replace(outcome, status=MessageStatus.STOPPED)
            return turns.interrupted(outcome, "reply_interrupted", "reply_lost_at_start")
        error = listening.exception()
        if error is None and outcome.status is MessageStatus.COMPLETE:
            return outcome
        return turns.interrupted(outcome, *2 * (self._tell(run, error),))

    def _tell(self, run: LiveRun, error: BaseException | None) -> str:
        facts = {"run": run.turn.run_id, "model": run.turn.model}
        if isinstance(error, MyGPTError):
            log.warning("reply failed", extra=facts | {"code": error.text_code, "detail": error.detail})
            return error.text_code
        log.error("reply failed unexpectedly", extra=facts, exc_info=error)
        return "unexpected" if error else "provider_failed"

    async def _close(self, run: LiveRun, outcome: Outcome) -> None:
        while True:
            try:
                async with self._saving:
                    await database.run(turns.close, run.turn, outcome, run.unsaved())
                    run.saved = len(run.events)
                break
            except ServiceBusy:
                log.warning("reply not stored yet, will try again", extra={"run": run.turn.run_id})
                await asyncio.sleep(RETRY_CLOSE_S)
        run.is_done = True
        run.wake()
        bus.publish(bus.account(run.turn.account_id), Note("settled", run.turn.conversation_id, run.turn.reply_id))
        asyncio.get_running_loop().call_later(KEEP_FINISHED_S, self._runs.pop, run.turn.run_id, None)


def is_dead(worker: str, own: str) -> bool:
    """Return True when a worker's name says that it ran on this host and its process is gone."""
    host, _, rest = worker.partition(":")
    own_host, _, own_rest = own.partition(":")
    pid = rest.partition(":")[0]
    if host != own_host or not pid.isdigit():
        return False
    if pid == own_rest.partition(":")[0]:
        return worker != own
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


_in_use = InUse[Runs]("runs")
use, current = _in_use.use, _in_use.current
