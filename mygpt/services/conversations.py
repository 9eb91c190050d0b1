"""Conversations: the list of a person's own, and the path of messages through one."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Integer, String, and_, bindparam, func, literal, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from mygpt.errors import InvalidInput, NotFound
from mygpt.services import access
from mygpt.services.access import Actor
from mygpt.services.history import record
from mygpt.tables.base import now
from mygpt.tables.conversations import Conversation, Message, MessageStatus, Run

PAGE = 50
WINDOW = 60
TITLE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a person's conversations, newest first; `cursor` asks for the next, None at the end."""

    items: list[Conversation]
    cursor: tuple[datetime, str] | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A conversation with the end of its path; `has_earlier` when there is more before it."""

    conversation: Conversation
    messages: list[Message]
    has_earlier: bool
    runs: dict[str, str]
    """Message id → id of the run that is writing it."""


def create(session: Session, actor: Actor, *, title: str = "", model: str = "") -> Conversation:
    """Start a conversation of the actor's own."""
    row = Conversation(owner_id=actor.account_id, created_by=actor.account_id, title=clean_title(title), model=model)
    session.add(row)
    record(session, row.id, "created", by=actor.account_id, title=row.title, model=model)
    return row


def recent(
    actor: Actor, *, after: tuple[datetime, str] | None = None, limit: int = PAGE
) -> SelectOfScalar[Conversation]:
    """Return the statement for a page of the actor's conversations, newest first."""
    statement = access.conversations(actor)
    if after is not None:
        when, last_id = after
        statement = statement.where(
            or_(
                col(Conversation.last_message_at) < when,
                and_(col(Conversation.last_message_at) == when, col(Conversation.id) < last_id),
            )
        )
    return statement.order_by(col(Conversation.last_message_at).desc(), col(Conversation.id).desc()).limit(limit)


def list_page(session: Session, actor: Actor, *, after: tuple[datetime, str] | None = None, limit: int = PAGE) -> Page:
    """Return a page of the actor's conversations, newest first."""
    rows = list(session.exec(recent(actor, after=after, limit=limit + 1)))
    items = rows[:limit]
    last = items[-1] if len(rows) > limit else None
    return Page(items, (last.last_message_at, last.id) if last else None)


def streaming(session: Session, actor: Actor) -> set[str]:
    """Return the ids of the actor's conversations in which a reply is being written."""
    statement = select(Run.conversation_id).where(
        col(Run.status) == MessageStatus.STREAMING, col(Run.created_by) == actor.account_id
    )
    return set(session.exec(statement))


def rename(session: Session, actor: Actor, conversation_id: str, *, title: str) -> Conversation:
    """Give a conversation another title; raises `InvalidInput` for an empty one."""
    row = access.conversation(session, actor, conversation_id)
    cleaned = clean_title(title)
    if not cleaned:
        raise InvalidInput(code="title_empty")
    row.title = cleaned
    record(session, row.id, "renamed", by=actor.account_id, title=cleaned)
    return row


def delete(session: Session, actor: Actor, conversation_id: str) -> None:
    """Put a conversation away; `restore` brings it back."""
    row = access.conversation(session, actor, conversation_id)
    row.deleted_at = now()
    record(session, row.id, "deleted", by=actor.account_id)


def restore(session: Session, actor: Actor, conversation_id: str) -> Conversation:
    """Bring back a conversation of the actor's own; raises `NotFound`."""
    row = session.get(Conversation, conversation_id)
    if row is None or row.owner_id != actor.account_id:
        raise NotFound(code="conversation_not_found")
    if row.deleted_at is not None:
        row.deleted_at = None
        record(session, row.id, "restored", by=actor.account_id)
    return row


@cache
def path() -> SelectOfScalar[Message]:
    """Return the statement for the last `:limit` messages up to and with `:head`, the newest first.

    It is built once: putting a recursive statement together costs more than running it.
    """
    head, limit = bindparam("head", type_=String), bindparam("limit", type_=Integer)
    start = select(col(Message.id), col(Message.parent_id), literal(0).label("depth")).where(col(Message.id) == head)
    way = start.cte("way", recursive=True)
    above = aliased(Message)
    way = way.union_all(
        select(col(above.id), col(above.parent_id), (way.c.depth + 1).label("depth")).where(
            col(above.id) == way.c.parent_id, way.c.depth < limit - 1
        )
    )
    return select(Message).join(way, col(Message.id) == way.c.id).order_by(way.c.depth)


def messages_to(session: Session, head_id: str | None, *, limit: int = WINDOW) -> list[Message]:
    """Return the last `limit` messages of the path to `head_id`, oldest first; the caller has checked access."""
    if head_id is None:
        return []
    return list(session.exec(path(), params={"head": head_id, "limit": limit}))[::-1]


def open_conversation(session: Session, actor: Actor, conversation_id: str) -> Opened:
    """Return a conversation with the end of its path and the runs at work in it; raises `NotFound`."""
    row = access.conversation(session, actor, conversation_id)
    messages = messages_to(session, row.head_id, limit=WINDOW + 1)
    running = session.exec(
        select(Run.message_id, Run.id).where(Run.conversation_id == row.id, Run.status == MessageStatus.STREAMING)
    )
    return Opened(row, messages[-WINDOW:], len(messages) > WINDOW, dict(running.all()))


def message_and_run(session: Session, actor: Actor, message_id: str) -> tuple[Message, str]:
    """Return a message and the run that is writing it, empty when none is; raises `NotFound`."""
    row = access.message(session, actor, message_id)
    if row.status != MessageStatus.STREAMING:
        return row, ""
    running = select(Run.id).where(Run.message_id == row.id, Run.status == MessageStatus.STREAMING)
    return row, session.exec(running).first() or ""


def earlier(session: Session, actor: Actor, message_id: str) -> tuple[list[Message], bool]:
    """Return the window of messages before one, oldest first, and whether there are more; raises `NotFound`."""
    first = access.message(session, actor, message_id)
    messages = messages_to(session, first.parent_id, limit=WINDOW + 1)
    return messages[-WINDOW:], len(messages) > WINDOW


def count(session: Session, actor: Actor) -> int:
    """Return how many conversations the actor has."""
    return session.exec(access.conversations(actor).with_only_columns(func.count())).one()  # type: ignore[call-overload, no-any-return]


def clean_title(text: str) -> str:
    """Return a title on one line, cut at a word where it is too long."""
    line = " ".join(text.replace("\x00", "").split())
    if len(line) <= TITLE_LENGTH:
        return line
    return line[: TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"
