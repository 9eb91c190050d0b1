"""The append-only history of a conversation, written in the transaction of the change it tells."""

from typing import Any

from sqlmodel import Session

from mygpt.tables.conversations import ConversationEvent


def record(
    session: Session,
    conversation_id: str,
    kind: str,
    *,
    by: str | None,
    **payload: Any,  # Any: each kind has its own JSON fields
) -> None:
    """Append what happened; `by` is the account that did it, None for the house itself."""
    session.add(ConversationEvent(conversation_id=conversation_id, kind=kind, created_by=by, payload=payload))
