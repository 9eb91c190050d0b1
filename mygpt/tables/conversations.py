"""Conversations, their messages as a tree, the runs that write replies, and the history of it all."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import JSON, Field

from mygpt.tables.base import ID_LENGTH, JsonList, JsonObject, Row, UtcDateTime, new_id, now


class MessageStatus(StrEnum):
    """How far a message is: `interrupted` has part of its text and nobody asked for it, `failed` has none."""

    STREAMING = "streaming"
    COMPLETE = "complete"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Conversation(Row, table=True):
    """A persistent thread with an owner; `head_id` is the last message of the branch that is shown."""

    __tablename__ = "conversations"
    __table_args__ = (Index("ix_conversations_owner_recent", "owner_id", "deleted_at", "last_message_at", "id"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=ID_LENGTH)
    owner_id: str = Field(foreign_key="accounts.id", max_length=ID_LENGTH)
    created_by: str = Field(foreign_key="accounts.id", max_length=ID_LENGTH)
    title: str = Field(default="", max_length=200)
    head_id: str | None = Field(default=None, max_length=ID_LENGTH)
    model: str = Field(default="", max_length=200, description="The model id last chosen here.")
    last_message_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Message(Row, table=True):
    """One entry of a conversation; its place is under `parent_id`, and brothers are branches."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("ix_messages_conversation_created", "conversation_id", "created_at", "id"),
        Index("ix_messages_parent", "parent_id"),
        UniqueConstraint("created_by", "idempotency_key", name="uq_messages_idempotency"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=ID_LENGTH)
    conversation_id: str = Field(foreign_key="conversations.id", max_length=ID_LENGTH)
    parent_id: str | None = Field(default=None, foreign_key="messages.id", max_length=ID_LENGTH)
    created_by: str | None = Field(default=None, foreign_key="accounts.id", max_length=ID_LENGTH)
    role: str = Field(max_length=16)
    parts: JsonList = Field(
        default_factory=list, sa_type=JSON, description="As dialogue.content.parts_to_json writes them."
    )
    status: str = Field(default=MessageStatus.COMPLETE, max_length=16)
    error_code: str = Field(default="", max_length=64, description="Why it failed or was interrupted: error.<code>.")
    model_asked: str = Field(default="", max_length=200, description="provider:model that was asked.")
    model: str = Field(default="", max_length=200, description="provider:model that really answered.")
    finish_reason: str = Field(default="", max_length=32)
    usage: JsonObject = Field(default_factory=dict, sa_type=JSON, description="input_tokens, output_tokens, …")
    idempotency_key: str | None = Field(default=None, max_length=64)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Run(Row, table=True):
    """One reply in flight: which process writes it, and its last sign of life."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_status_heartbeat", "status", "heartbeat_at"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=ID_LENGTH)
    conversation_id: str = Field(foreign_key="conversations.id", index=True, max_length=ID_LENGTH)
    message_id: str = Field(foreign_key="messages.id", index=True, max_length=ID_LENGTH)
    created_by: str = Field(foreign_key="accounts.id", max_length=ID_LENGTH)
    status: str = Field(default=MessageStatus.STREAMING, max_length=16)
    worker: str = Field(default="", max_length=64, description="The process that writes it.")
    request_id: str = Field(default="", max_length=64)
    heartbeat_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RunEvent(Row, table=True):
    """A numbered event of a run, as dialogue.events.event_to_json writes it."""

    __tablename__ = "run_events"

    run_id: str = Field(foreign_key="runs.id", primary_key=True, max_length=ID_LENGTH)
    seq: int = Field(primary_key=True, description="1, 2, 3 … without gaps within a run.")
    payload: JsonObject = Field(sa_type=JSON)


class ConversationEvent(Row, table=True):
    """What happened to a conversation, append-only; messages are the projection that is read."""

    __tablename__ = "conversation_events"
    __table_args__ = (Index("ix_conversation_events_conversation", "conversation_id", "id"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=ID_LENGTH)
    conversation_id: str = Field(foreign_key="conversations.id", max_length=ID_LENGTH)
    created_by: str | None = Field(default=None, foreign_key="accounts.id", max_length=ID_LENGTH)
    kind: str = Field(max_length=32)
    payload: JsonObject = Field(default_factory=dict, sa_type=JSON, description="Erasable for privacy.")
