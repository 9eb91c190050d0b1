"""The list of a person's conversations."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

import reflex as rx
from pydantic import Field
from reflex.event import EventSpec

from mygpt import bus, database
from mygpt.bus import Note
from mygpt.i18n import translate
from mygpt.services.access import Actor
from mygpt.services.conversations import PAGE, delete, list_page, rename, restore, streaming
from mygpt.web import routes
from mygpt.web.gate import actor, event
from mygpt.web.states.chat import Chat
from mygpt.web.states.notices import Notices
from mygpt.web.views import ConversationView, conversation_views

ConversationId = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
Title = Annotated[str, Field(min_length=1, max_length=1000)]
Cursor = tuple[datetime, str] | None


class Sidebar(rx.State):
    """The newest conversations, more on demand."""

    conversations: list[ConversationView] = []
    has_more: bool = False
    _cursor: Cursor = None

    @event(access="member")
    async def on_load(self) -> None:
        """Fill the list; where a conversation has just begun, it is full and that one comes by a note."""
        if (await self.get_state(Chat))._arriving:
            return
        self._show(*await self._read(actor()))

    @event(access="member")
    async def load_more(self) -> None:
        """Add the next page."""
        views, cursor = await self._read(actor(), after=self._cursor)
        known = {view.id for view in self.conversations}
        self._show([*self.conversations, *(view for view in views if view.id not in known)], cursor)

    @event(access="member")
    async def rename(self, conversation_id: ConversationId, title: Title) -> None:
        """Give a conversation another title."""
        await database.run(rename, actor(), conversation_id, title=title)
        self._tell("renamed", conversation_id)

    @event(access="member")
    async def delete(self, conversation_id: ConversationId) -> EventSpec | None:
        """Put a conversation away; a notice offers to undo it."""
        await database.run(delete, actor(), conversation_id)
        notices = await self.get_state(Notices)
        notices._say(translate("notice.conversation_deleted"), undo=conversation_id)
        self._tell("deleted", conversation_id)
        is_shown = routes.conversation_of(self.router.url.path) == conversation_id
        return rx.redirect(routes.HOME) if is_shown else None

    @event(access="member")
    async def restore(self, conversation_id: ConversationId) -> EventSpec:
        """Undo a deletion."""
        await database.run(restore, actor(), conversation_id)
        self._tell("restored", conversation_id)
        return rx.redirect(routes.conversation(conversation_id))

    async def _read(
        self, who: Actor, *, after: Cursor = None, limit: int = PAGE
    ) -> tuple[list[ConversationView], Cursor]:
        page = await database.read(list_page, who, after=after, limit=limit)
        live = await database.read(streaming, who)
        return conversation_views(page.items, live), page.cursor

    async def _hear(self, who: Actor, note: Note) -> None:
        """Bring the list up to date with something that happened; replies that begin or end need no reading."""
        known = {view.id: view for view in self.conversations}
        view = known.pop(note.conversation_id, None) or await self._begun_here(note)
        if note.kind == "opened" and view is not None:
            self.conversations = [replace(view, is_live=True), *known.values()]
        elif note.kind == "settled" and view is not None:
            self.conversations = [
                replace(each, is_live=False) if each.id == view.id else each for each in self.conversations
            ]
        else:
            self._show(*await self._read(who, limit=max(PAGE, len(self.conversations))))

    async def _begun_here(self, note: Note) -> ConversationView | None:
        chat = await self.get_state(Chat)
        is_here = note.kind == "opened" and note.origin and note.conversation_id == chat.conversation_id
        return ConversationView(note.conversation_id, chat.title, is_live=True) if is_here else None

    def _show(self, views: list[ConversationView], cursor: Cursor) -> None:
        if views != self.conversations:
            self.conversations = views
        self.has_more, self._cursor = cursor is not None, cursor

    def _tell(self, kind: str, conversation_id: str) -> None:
        bus.publish(bus.account(actor().account_id), Note(kind, conversation_id))
