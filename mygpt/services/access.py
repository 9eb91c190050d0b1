"""Who asks, and what they may see: one statement per noun, used by every service."""

from dataclasses import dataclass
from typing import Literal

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from mygpt.errors import NotFound
from mygpt.tables.accounts import AccountRole
from mygpt.tables.conversations import Conversation, Message, Run


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person (or, later, a key), as read from the database a moment ago."""

    account_id: str
    role: AccountRole
    session_id: str = ""
    edge: Literal["web", "api", "command"] = "web"
    name: str = ""
    email: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether they may open the admin page."""
        return self.role in (AccountRole.ADMIN, AccountRole.OWNER)


def conversations(actor: Actor) -> SelectOfScalar[Conversation]:
    """Return the statement for the conversations the actor may see; a deleted one is seen by nobody."""
    return select(Conversation).where(
        col(Conversation.owner_id) == actor.account_id, col(Conversation.deleted_at).is_(None)
    )


def conversation(session: Session, actor: Actor, conversation_id: str, *, lock: bool = False) -> Conversation:
    """Return one conversation, for this transaction alone if `lock`; raises `NotFound`."""
    statement = conversations(actor).where(col(Conversation.id) == conversation_id)
    row = session.exec(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFound(code="conversation_not_found")
    return row


def message(session: Session, actor: Actor, message_id: str) -> Message:
    """Return one message of a conversation the actor may see; raises `NotFound`."""
    visible = conversations(actor).with_only_columns(col(Conversation.id))
    row = session.exec(
        select(Message).where(col(Message.id) == message_id, col(Message.conversation_id).in_(visible))
    ).one_or_none()
    if row is None:
        raise NotFound(code="message_not_found")
    return row


def run(session: Session, actor: Actor, run_id: str) -> Run:
    """Return one run of a conversation the actor may see; raises `NotFound`."""
    visible = conversations(actor).with_only_columns(col(Conversation.id))
    row = session.exec(select(Run).where(col(Run.id) == run_id, col(Run.conversation_id).in_(visible))).one_or_none()
    if row is None:
        raise NotFound(code="run_not_found")
    return row
