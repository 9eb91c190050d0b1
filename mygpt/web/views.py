"""What the browser may see, as frozen values; never rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mygpt.dialogue.content import ReasoningPart, TextPart, parts_from_json, parts_to_json, text_of
from mygpt.i18n import texts, translate
from mygpt.services.catalog import Offer
from mygpt.services.turns import Turn, clean_prompt
from mygpt.tables.conversations import Conversation, Message, MessageStatus


@dataclass(frozen=True)
class ConversationView:
    """A line of the sidebar."""

    id: str
    title: str
    is_live: bool


@dataclass(frozen=True)
class MessageView:
    """One message as a row of the page; while `status` is streaming its words come by `run`."""

    id: str
    role: str
    text: str
    reasoning: str
    status: str
    problem: str
    model: str
    run: str


@dataclass(frozen=True)
class ModelView:
    """One line of the model list."""

    id: str
    label: str
    provider: str


def conversation_views(rows: Iterable[Conversation], live: set[str]) -> list[ConversationView]:
    """Return the lines of the sidebar; `live` are the conversations in which a reply is being written."""
    untitled = translate("conversation.untitled")
    return [ConversationView(row.id, row.title or untitled, row.id in live) for row in rows]


def message_views(rows: Iterable[Message], runs: Mapping[str, str], offers: Iterable[Offer]) -> list[MessageView]:
    """Return the rows of the page; `runs` names the run that writes a message, `offers` give models their labels."""
    labels = {offer.id: offer.model.label for offer in offers}
    return [_message_view(row, runs.get(row.id, ""), labels) for row in rows]


def opened_views(turn: Turn, text: str, offers: Iterable[Offer]) -> list[MessageView]:
    """Return the two rows of a turn that was opened just now, without asking the database again."""
    labels = {offer.id: offer.model.label for offer in offers}
    asked = Message(
        id=turn.user_message_id,
        conversation_id=turn.conversation_id,
        role="user",
        parts=parts_to_json([TextPart(clean_prompt(text))]),
    )
    reply = Message(
        id=turn.reply_id,
        conversation_id=turn.conversation_id,
        role="assistant",
        status=MessageStatus.STREAMING,
        model_asked=turn.model,
    )
    return [_message_view(asked, "", labels), _message_view(reply, turn.run_id, labels)]


def model_views(offers: Iterable[Offer]) -> list[ModelView]:
    """Return the lines of the model list."""
    return [ModelView(offer.id, offer.model.label, offer.provider.label) for offer in offers]


def problem_text(code: str) -> str:
    """Return the words for an error code; a code without words of its own gets the general ones."""
    key = f"error.{code}"
    return translate(key if key in texts() else "error.unexpected") if code else ""


def _message_view(row: Message, run: str, labels: Mapping[str, str]) -> MessageView:
    parts = parts_from_json(row.parts)
    is_streaming = row.status == MessageStatus.STREAMING
    model = row.model or row.model_asked
    return MessageView(
        id=row.id,
        role=row.role,
        text="" if is_streaming else text_of(parts),
        reasoning="".join(part.text for part in parts if isinstance(part, ReasoningPart)),
        status=row.status,
        problem=problem_text(row.error_code),
        model=labels.get(model, model.partition(":")[2]),
        run=run if is_streaming else "",
    )
