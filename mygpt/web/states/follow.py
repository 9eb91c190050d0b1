"""Keeps a tab up to date with what happens elsewhere: other tabs, other devices, replies that end."""

import asyncio
import logging

import reflex as rx

from mygpt import bus
from mygpt.bus import LOST, Note
from mygpt.live import runs
from mygpt.services import logins
from mygpt.services.access import Actor
from mygpt.web import tabs
from mygpt.web.gate import actor, event
from mygpt.web.states.chat import Chat
from mygpt.web.states.sidebar import Sidebar

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
TRY_AGAIN_S = 1.0


class Follow(rx.State):
    """One task per tab that listens to its person's topic."""

    @event(access="member", background=True, supersedes=True)
    async def watch(self) -> None:
        """Refresh the sidebar and the open conversation at every note, while the tab and the sign-in last."""
        who = actor()
        tab = tabs.token()
        with bus.subscribe(bus.account(who.account_id)) as notes:
            await self._catch_up(who)
            while tabs.is_open(tab) and await logins.find_actor(who.session_id):
                note = await notes.get(LOOK_EVERY_S)
                if note is None:
                    continue
                try:
                    await self._pass_on(who, note, tab)
                except Exception:  # whatever the database does, the tab must not stop listening
                    log.exception("a tab could not be brought up to date, will try again")
                    await asyncio.sleep(TRY_AGAIN_S)
                    notes.put(LOST)

    async def _pass_on(self, who: Actor, note: Note, tab: str) -> None:
        async with self:
            await (await self.get_state(Sidebar))._hear(who, note)
            chat = await self.get_state(Chat)
            is_shown = chat.conversation_id and note.conversation_id in (chat.conversation_id, "")
            if is_shown and note.origin != tab:
                await chat._hear(who, note)

    async def _catch_up(self, who: Actor) -> None:
        """Settle a reply that ended after the page read it and before this task began to listen."""
        async with self:
            chat = await self.get_state(Chat)
            if chat.run and not runs.current().is_live(chat.run):
                await chat._open(who, chat.conversation_id)
