"""Rows for tests, made in a session the caller owns: `database.run_sync(make_user, "alice")`."""

from sqlmodel import Session

from mygpt.dialogue.content import parts_to_json, say
from mygpt.services.access import Actor
from mygpt.tables.accounts import Account, AccountRole, AccountStatus
from mygpt.tables.conversations import Conversation, Message


def make_user(
    session: Session,
    username: str,
    *,
    role: AccountRole = AccountRole.MEMBER,
    status: AccountStatus = AccountStatus.ACTIVE,
    password_hash: str = "",
) -> Actor:
    """Store a person and return them as an actor; without a hash no password fits."""
    account = Account(
        email=f"{username}@example.org", username=username, role=role, status=status, password_hash=password_hash
    )
    session.add(account)
    session.flush()
    return Actor(account_id=account.id, role=role, name=username, email=account.email)


def make_conversation(session: Session, owner: Actor, title: str = "A talk") -> Conversation:
    """Store an empty conversation."""
    conversation = Conversation(owner_id=owner.account_id, created_by=owner.account_id, title=title)
    session.add(conversation)
    session.flush()
    return conversation


def make_message(session: Session, conversation: Conversation, text: str, *, role: str = "user") -> Message:
    """Store a message as the newest of the shown branch."""
    message = Message(
        conversation_id=conversation.id,
        parent_id=conversation.head_id,
        created_by=conversation.owner_id if role == "user" else None,
        role=role,
        parts=parts_to_json(say("user", text).parts),
    )
    session.add(message)
    session.flush()
    conversation.head_id = message.id
    conversation.last_message_at = message.created_at
    session.add(conversation)
    session.flush()
    return message
