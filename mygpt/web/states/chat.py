"""The open conversation."""

from typing import Annotated

import reflex as rx
from pydantic import Field
from reflex.event import EventSpec

from mygpt import database
from mygpt.bus import Note
from mygpt.errors import NotFound
from mygpt.live import runs
from mygpt.services import catalog, conversations
from mygpt.services.access import Actor
from mygpt.services.conversations import Opened
from mygpt.services.turns import PROMPT_LENGTH
from mygpt.web import routes, tabs
from mygpt.web.gate import actor, event
from mygpt.web.views import MessageView, ModelView, message_views, model_views, opened_views

MessageId = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
Key = Annotated[str, Field(pattern=r"^[0-9a-f-]{32,36}$")]
Prompt = Annotated[str, Field(min_length=1, max_length=2 * PROMPT_LENGTH)]  # the service counts after trimming
ModelId = Annotated[str, Field(max_length=200)]


class Chat(rx.State):
    """The messages on the page and what one may do to them."""

    conversation_id: str = ""
    title: str = ""
    messages: list[MessageView] = []
    has_earlier: bool = False
    is_missing: bool = False
    models: list[ModelView] = []
    model: str = ""
    accepted: str = ""  # idempotency key of the last send that is stored
    _arriving: str = ""  # a conversation that began on this page, which is about to move to its own address

    @rx.var
    def run(self) -> str:
        """The run that writes the last message; empty when none does."""
        return self.messages[-1].run if self.messages else ""

    @event(access="member")
    async def on_load(self) -> None:
        """Open what the address says."""
        wanted = routes.conversation_of(self.router.url.path)
        arriving, self._arriving = self._arriving, ""
        if wanted and wanted == arriving == self.conversation_id:
            return  # it is on the page already
        offers = await catalog.current().offers()
        self.models = model_views(offers)
        await self._open(actor(), wanted)
        if self.model not in {offer.id for offer in offers}:
            self.model = await catalog.current().default()

    @event(access="member")
    async def send(self, key: Key, text: Prompt) -> EventSpec | None:
        """Store the message, acknowledge it, and start the reply."""
        turn = await runs.current().start(
            actor(),
            conversation_id=self.conversation_id,
            text=text,
            key=key,
            model=self.model,
            origin=tabs.token(),
        )
        self.accepted = key
        if turn.is_new:
            self.conversation_id, self.title = turn.conversation_id, self.title or turn.title
            self.messages = [*self.messages, *opened_views(turn, text, await catalog.current().offers())]
        else:
            await self._open(actor(), turn.conversation_id)
        if not turn.is_new_conversation:
            return None
        self._arriving = turn.conversation_id
        return rx.redirect(routes.conversation(turn.conversation_id), replace=True)

    @event(access="member")
    async def stop(self) -> None:
        """End the running reply; what was said is kept."""
        if self.messages and self.messages[-1].run:
            await runs.current().stop(actor(), self.messages[-1].run)
            await self._open(actor(), self.conversation_id)

    @event(access="member")
    async def continue_reply(self, message_id: MessageId) -> None:
        """Ask the model to go on where an interrupted or stopped reply ended."""
        await self._resume(message_id)

    @event(access="member")
    async def retry(self, message_id: MessageId) -> None:
        """Ask again for a reply that failed."""
        await self._resume(message_id)

    @event(access="member")
    async def choose_model(self, model: ModelId) -> None:
        """Use another model from the next message on."""
        if model in {offer.id for offer in await catalog.current().offers()}:
            self.model = model

    @event(access="member")
    async def load_earlier(self) -> None:
        """Put the messages before the first one on the page."""
        if self.has_earlier and self.messages:
            rows, self.has_earlier = await database.read(conversations.earlier, actor(), self.messages[0].id)
            self.messages = [*message_views(rows, {}, await catalog.current().offers()), *self.messages]

    async def _resume(self, message_id: str) -> None:
        await runs.current().resume(actor(), message_id, model=self.model)
        await self._open(actor(), self.conversation_id)

    async def _hear(self, who: Actor, note: Note) -> None:
        """Bring the page up to date with something that happened; a reply that ended is one row."""
        if note.kind != "settled" or note.message_id not in {message.id for message in self.messages}:
            await self._open(who, self.conversation_id)
            return
        row, run = await database.read(conversations.message_and_run, who, note.message_id)
        (view,) = message_views([row], {row.id: run}, await catalog.current().offers())
        messages = [view if message.id == view.id else message for message in self.messages]
        if messages != self.messages:
            self.messages = messages

    async def _open(self, who: Actor, conversation_id: str) -> None:
        try:
            opened = (
                await database.read(conversations.open_conversation, who, conversation_id) if conversation_id else None
            )
        except NotFound:
            self._show_nothing(is_missing=True)
            return
        if opened is None:
            self._show_nothing(is_missing=False)
        else:
            self._show(opened, message_views(opened.messages, opened.runs, await catalog.current().offers()))

    def _show_nothing(self, *, is_missing: bool) -> None:
        self.conversation_id = self.title = ""
        self.messages, self.has_earlier, self.is_missing = [], False, is_missing

    def _show(self, opened: Opened, views: list[MessageView]) -> None:
        ids = [view.id for view in self.messages]
        if opened.conversation.id != self.conversation_id or not views or views[0].id not in ids:
            self.has_earlier = opened.has_earlier
            self.model = opened.conversation.model or self.model
        else:
            views = [*self.messages[: ids.index(views[0].id)], *views]
        self.conversation_id, self.title, self.is_missing = opened.conversation.id, opened.conversation.title, False
        if views != self.messages:
            self.messages = views
