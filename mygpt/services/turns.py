"""Turns: a person's message and everything done to answer it.

`open_turn` is the acknowledgement: when its transaction is committed, the message, the place of its reply and the run
are stored. `close` keeps what the run said; `adopt` ends a run whose process is gone, with the words it had saved.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from mygpt.dialogue import content, events
from mygpt.dialogue.content import ReasoningPart, TextPart
from mygpt.dialogue.events import Event, Finish, Notice, ReasoningDelta, TextDelta, Usage
from mygpt.errors import Conflict, InvalidInput
from mygpt.services import access, conversations, run_events
from mygpt.services.access import Actor
from mygpt.services.history import record
from mygpt.services.run_events import Batch
from mygpt.tables.base import now
from mygpt.tables.conversations import Conversation, Message, MessageStatus, Run

PROMPT_LENGTH = 4000
HISTORY_LENGTH = 400
TITLE_WORDS = 60


@dataclass(frozen=True, slots=True)
class Turn:
    """What a reply needs to be written, and whether this very call opened it (False: the same send came again)."""

    conversation_id: str
    user_message_id: str
    reply_id: str
    run_id: str
    account_id: str
    model: str
    before: tuple[content.Part, ...] = ()
    is_new: bool = True
    is_new_conversation: bool = False
    title: str = ""
    prompt: str = ""

    @property
    def prefix(self) -> str:
        """The words a reopened reply already has."""
        return content.text_of(self.before)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reply ended."""

    status: MessageStatus
    parts: tuple[content.Part, ...]
    usage: Usage
    finish_reason: str = ""
    model: str = ""
    error_code: str = ""


def clean_prompt(text: str) -> str:
    """Return what a person typed, fit to be stored; raises `InvalidInput` when it is empty or too long."""
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidInput("lone surrogate", code="prompt_not_text") from exc
    cleaned = text.replace("\x00", "").strip()
    if not any(unicodedata.category(character) not in ("Cf", "Cc", "Zs", "Zl", "Zp") for character in cleaned):
        raise InvalidInput(code="prompt_empty")
    if len(cleaned) > PROMPT_LENGTH:
        raise InvalidInput(code="prompt_too_long", limit=PROMPT_LENGTH, length=len(cleaned))
    return cleaned


def open_turn(
    session: Session,
    actor: Actor,
    *,
    conversation_id: str = "",
    text: str,
    key: str,
    model: str,
    worker: str = "",
    request_id: str = "",
) -> Turn:
    """Store a person's message and the place of its reply; an empty `conversation_id` starts a conversation.

    The same `key` again returns the first turn. Raises `InvalidInput`, `NotFound`, or `Conflict` while a reply is being
    written in the conversation.
    """
    prompt = clean_prompt(text)
    before = _turn_of_key(session, actor, key)
    if before is not None:
        return before
    try:
        with session.begin_nested():
            return _open(session, actor, conversation_id, prompt, key, model, worker, request_id)
    except IntegrityError:
        before = _turn_of_key(session, actor, key)
        if before is None:
            raise
        return before


def _open(
    session: Session,
    actor: Actor,
    conversation_id: str,
    prompt: str,
    key: str,
    model: str,
    worker: str,
    request_id: str,
) -> Turn:
    if conversation_id:
        conversation = _lock(session, actor, conversation_id)
    else:
        conversation = conversations.create(session, actor, title=title_from(prompt), model=model)
    asked = Message(
        conversation_id=conversation.id,
        parent_id=conversation.head_id,
        created_by=actor.account_id,
        role="user",
        parts=content.parts_to_json([TextPart(prompt)]),
        idempotency_key=key,
        finished_at=now(),
    )
    reply = Message(
        conversation_id=conversation.id,
        parent_id=asked.id,
        role="assistant",
        status=MessageStatus.STREAMING,
        model_asked=model,
    )
    session.add_all([asked, reply])
    run = _add_run(session, actor, reply, worker, request_id)
    conversation.head_id = reply.id
    conversation.model = model
    conversation.last_message_at = now()
    record(
        session,
        conversation.id,
        "message_added",
        by=actor.account_id,
        message_id=asked.id,
        parent_id=asked.parent_id,
        role="user",
        parts=asked.parts,
    )
    record(session, conversation.id, "reply_opened", by=None, message_id=reply.id, parent_id=asked.id, model=model)
    return Turn(
        conversation.id,
        asked.id,
        reply.id,
        run.id,
        actor.account_id,
        model,
        is_new_conversation=not conversation_id,
        title=conversation.title,
        prompt=prompt,
    )


def reopen(
    session: Session, actor: Actor, message_id: str, *, model: str, worker: str = "", request_id: str = ""
) -> Turn:
    """Let a reply that stopped short go on from its last word; raises `NotFound` or `Conflict`."""
    conversation = _lock(session, actor, access.message(session, actor, message_id).conversation_id)
    reply = session.get_one(Message, message_id, populate_existing=True)
    resumable = (MessageStatus.STOPPED, MessageStatus.INTERRUPTED, MessageStatus.FAILED)
    if reply.role != "assistant" or reply.status not in resumable or conversation.head_id != reply.id:
        raise Conflict(code="reply_not_resumable")
    reply.status = MessageStatus.STREAMING
    reply.error_code = ""
    reply.model_asked = model
    run = _add_run(session, actor, reply, worker, request_id)
    record(session, conversation.id, "reply_reopened", by=actor.account_id, message_id=reply.id, model=model)
    before = content.parts_from_json(reply.parts)
    return Turn(conversation.id, reply.parent_id or "", reply.id, run.id, actor.account_id, model, before)


def request_messages(session: Session, turn: Turn) -> tuple[content.Message, ...]:
    """Return what the provider is asked: the path to the reply, without replies that have no words."""
    rows = conversations.messages_to(session, turn.user_message_id or None, limit=HISTORY_LENGTH)
    spoken = [content.Message(row.role, content.parts_from_json(row.parts)) for row in rows]  # type: ignore[arg-type]  # the column holds Role
    return tuple(message for message in spoken if message.text)


def close(session: Session, turn: Turn, outcome: Outcome, rest: Batch | None = None) -> None:
    """Store how a reply ended, with its last events, at once."""
    if rest is not None:
        run_events.append(session, [rest])
    run = session.get_one(Run, turn.run_id)
    reply = session.get_one(Message, turn.reply_id)
    _settle(session, run, reply, outcome)


def adopt(session: Session, run_id: str) -> Run | None:
    """End a run whose process is gone: interrupted with the words that were stored, failed when there were none.

    Returns the run, or None when somebody else has ended it.
    """
    run = session.exec(select(Run).where(Run.id == run_id).with_for_update()).one_or_none()
    if run is None or run.status != MessageStatus.STREAMING:
        return None
    reply = session.get_one(Message, run.message_id)
    before = content.parts_from_json(reply.parts)
    outcome = fold(before, run_events.stored(session, run_id))
    outcome = interrupted(outcome, "reply_interrupted", "reply_lost_at_start")
    _settle(session, run, reply, outcome)
    return run


def unfinished(session: Session) -> list[Run]:
    """Return the runs that are still marked as being written, by whichever process."""
    return list(session.exec(select(Run).where(col(Run.status) == MessageStatus.STREAMING)))


def fold(before: Iterable[content.Part], happened: Iterable[Event]) -> Outcome:
    """Return what the events of a run amount to, put behind the parts that were there before it."""
    text, reasoning, usage, finish = content.text_of(before), "", Usage(), Finish(reason="error")
    for part in before:
        reasoning += part.text if isinstance(part, ReasoningPart) else ""
    finished = False
    for event in happened:
        match event:
            case TextDelta():
                text += event.text
            case ReasoningDelta():
                reasoning += event.text
            case Usage():
                usage = event
            case Finish():
                finish, finished = event, True
            case Notice():
                pass
    parts: list[content.Part] = []
    if reasoning:
        parts.append(ReasoningPart(storable(reasoning)))
    if text:
        parts.append(TextPart(storable(text)))
    status = MessageStatus.COMPLETE if finished else MessageStatus.INTERRUPTED
    return Outcome(status, tuple(parts), usage, finish.reason if finished else "", finish.model)


def interrupted(outcome: Outcome, with_words: str, without_words: str) -> Outcome:
    """Return the outcome as one that nobody asked for, with the code that fits: some words were said, or none."""
    if content.text_of(outcome.parts):
        return replace(outcome, status=MessageStatus.INTERRUPTED, error_code=with_words)
    return replace(outcome, status=MessageStatus.FAILED, error_code=without_words)


def storable(text: str) -> str:
    """Return text as every database takes it: surrogate pairs joined, lone ones replaced, no NUL."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\x00", "")


def title_from(prompt: str) -> str:
    """Return a first title: the beginning of the first line, cut at a word."""
    line = " ".join(prompt.split("\n", 1)[0].split())
    if len(line) <= TITLE_WORDS:
        return line
    cut = line[:TITLE_WORDS]
    return (cut.rsplit(" ", 1)[0] if " " in cut[TITLE_WORDS // 2 :] else cut) + "…"


def _lock(session: Session, actor: Actor, conversation_id: str) -> Conversation:
    conversation = access.conversation(session, actor, conversation_id, lock=True)
    busy = select(Run.id).where(Run.conversation_id == conversation_id, Run.status == MessageStatus.STREAMING)
    if session.exec(busy.limit(1)).one_or_none() is not None:
        raise Conflict(code="reply_running")
    return conversation


def _add_run(session: Session, actor: Actor, reply: Message, worker: str, request_id: str) -> Run:
    run = Run(
        conversation_id=reply.conversation_id,
        message_id=reply.id,
        created_by=actor.account_id,
        worker=worker,
        request_id=request_id,
    )
    session.add(run)
    return run


def _turn_of_key(session: Session, actor: Actor, key: str) -> Turn | None:
    statement = select(Message).where(Message.created_by == actor.account_id, Message.idempotency_key == key)
    asked = session.exec(statement).one_or_none()
    if asked is None:
        return None
    reply = session.exec(select(Message).where(Message.parent_id == asked.id).order_by(col(Message.id)).limit(1)).one()
    run = session.exec(select(Run).where(Run.message_id == reply.id).order_by(col(Run.id)).limit(1)).one_or_none()
    return Turn(
        asked.conversation_id,
        asked.id,
        reply.id,
        run.id if run else "",
        actor.account_id,
        reply.model_asked,
        is_new=False,
    )


def _settle(session: Session, run: Run, reply: Message, outcome: Outcome) -> None:
    when = now()
    reply.parts = content.parts_to_json(outcome.parts)
    reply.status = outcome.status
    reply.error_code = outcome.error_code
    reply.finish_reason = outcome.finish_reason
    reply.model = outcome.model
    reply.usage = {name: value for name, value in events.event_to_json(outcome.usage).items() if name != "kind"}
    reply.finished_at = when
    run.status = outcome.status
    run.finished_at = run.heartbeat_at = when
    record(
        session,
        run.conversation_id,
        "reply_closed",
        by=None,
        message_id=reply.id,
        status=reply.status,
        error_code=reply.error_code,
        parts=reply.parts,
        model=reply.model,
        usage=reply.usage,
        finish_reason=reply.finish_reason,
    )
