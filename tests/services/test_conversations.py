"""Conversations: whose they are, their order, and the path through them."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from mygpt.dialogue.content import TextPart
from mygpt.dialogue.events import Usage
from mygpt.errors import InvalidInput, NotFound
from mygpt.services import conversations, turns
from mygpt.services.turns import Outcome
from mygpt.tables.base import now
from mygpt.tables.conversations import Conversation, ConversationEvent, Message, MessageStatus


def fill(database, actor, count):
    """Make `count` conversations, the last one the newest."""

    def work(session):
        for number in range(count):
            row = conversations.create(session, actor, title=f"c{number}")
            row.last_message_at = now() + timedelta(seconds=number)

    database.run_sync(work)


def long_conversation(database, actor, messages):
    """Make one conversation whose path has that many messages."""

    def work(session):
        row = conversations.create(session, actor, title="long")
        for number in range(messages):
            message = Message(
                conversation_id=row.id,
                parent_id=row.head_id,
                role="user" if number % 2 == 0 else "assistant",
                parts=[{"kind": "text", "text": f"m{number}"}],
            )
            session.add(message)
            session.flush()
            row.head_id = message.id
        return row.id

    return database.run_sync(work)


def plan(session, statement):
    compiled = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    prefix = "EXPLAIN QUERY PLAN " if session.get_bind().dialect.name == "sqlite" else "EXPLAIN "
    return "\n".join(" ".join(map(str, row)) for row in session.connection().execute(text(prefix + str(compiled))))


def test_pages_come_newest_first_and_miss_nothing(database, alice):
    fill(database, alice, 12)

    first = database.read_sync(conversations.list_page, alice, limit=5)
    second = database.read_sync(conversations.list_page, alice, limit=5, after=first.cursor)
    third = database.read_sync(conversations.list_page, alice, limit=5, after=second.cursor)

    titles = [row.title for page in (first, second, third) for row in page.items]
    assert titles == [f"c{number}" for number in range(11, -1, -1)]
    assert third.cursor is None


def test_bob_sees_nothing_of_alice(database, alice, bob):
    fill(database, alice, 1)
    mine = database.read_sync(conversations.list_page, alice).items[0]

    assert database.read_sync(conversations.list_page, bob).items == []
    for verb in (conversations.open_conversation, conversations.delete, conversations.restore):
        with pytest.raises(NotFound):
            database.run_sync(verb, bob, mine.id)
    with pytest.raises(NotFound):
        database.run_sync(conversations.rename, bob, mine.id, title="taken over")
    assert database.read_sync(conversations.list_page, alice).items[0].title == "c0"


def test_a_deleted_conversation_is_gone_until_it_is_restored(database, alice):
    fill(database, alice, 1)
    row = database.read_sync(conversations.list_page, alice).items[0]

    database.run_sync(conversations.delete, alice, row.id)
    assert database.read_sync(conversations.list_page, alice).items == []
    with pytest.raises(NotFound):
        database.read_sync(conversations.open_conversation, alice, row.id)

    database.run_sync(conversations.restore, alice, row.id)
    assert database.read_sync(conversations.open_conversation, alice, row.id).conversation.title == "c0"


def test_each_change_is_in_the_history(database, alice):
    fill(database, alice, 1)
    row = database.read_sync(conversations.list_page, alice).items[0]
    database.run_sync(conversations.rename, alice, row.id, title="  New \n name ")
    database.run_sync(conversations.delete, alice, row.id)
    database.run_sync(conversations.restore, alice, row.id)

    told = database.read_sync(lambda session: list(session.exec(select(ConversationEvent))))

    assert [event.kind for event in told] == ["created", "renamed", "deleted", "restored"]
    assert told[1].payload == {"title": "New name"}


def test_a_title_needs_something_to_read(database, alice):
    fill(database, alice, 1)
    row = database.read_sync(conversations.list_page, alice).items[0]

    with pytest.raises(InvalidInput):
        database.run_sync(conversations.rename, alice, row.id, title=" \n ")


def test_a_long_title_is_cut_at_a_word():
    assert conversations.clean_title("word " * 100).endswith("word…")
    assert len(conversations.clean_title("x" * 300)) == 200


def test_a_long_conversation_opens_at_its_end_and_goes_back_in_windows(database, alice):
    conversation_id = long_conversation(database, alice, 150)

    opened = database.read_sync(conversations.open_conversation, alice, conversation_id)
    before, more = database.read_sync(conversations.earlier, alice, opened.messages[0].id)
    first, none_left = database.read_sync(conversations.earlier, alice, before[0].id)

    said = [row.parts[0]["text"] for row in (*first, *before, *opened.messages)]
    assert said == [f"m{number}" for number in range(150)]
    assert (opened.has_earlier, more, none_left) == (True, True, False)


def test_messages_of_another_persons_conversation_cannot_be_walked(database, alice, bob):
    conversation_id = long_conversation(database, alice, 4)
    opened = database.read_sync(conversations.open_conversation, alice, conversation_id)

    with pytest.raises(NotFound):
        database.read_sync(conversations.earlier, bob, opened.messages[-1].id)


def test_the_list_of_conversations_is_read_from_its_index(database, alice):
    fill(database, alice, 200)

    def explain(session):
        if not database.is_sqlite:
            session.connection().execute(text("SET LOCAL enable_seqscan = off"))
        return plan(session, conversations.recent(alice))

    shown = database.read_sync(explain)

    assert "ix_conversations_owner_recent" in shown
    assert "SCAN conversations" not in shown
    assert "TEMP B-TREE" not in shown


def test_the_path_of_a_conversation_is_walked_by_primary_key(database, alice):
    conversation_id = long_conversation(database, alice, 50)
    head = database.read_sync(lambda session: session.get(Conversation, conversation_id).head_id)

    def explain(session):
        if not database.is_sqlite:
            session.connection().execute(text("SET LOCAL enable_seqscan = off"))
        return plan(session, conversations.path().params(head=head, limit=60))

    shown = database.read_sync(explain)

    assert "sqlite_autoindex_messages_1" in shown or "messages_pkey" in shown
    assert "SCAN messages" not in shown


def test_live_conversations_are_known(database, alice, bob):
    turn = database.run_sync(
        turns.open_turn, alice, conversation_id="", text="hi", key="a" * 32, model="m:x", worker="w"
    )

    assert database.read_sync(conversations.streaming, alice) == {turn.conversation_id}
    assert database.read_sync(conversations.streaming, bob) == set()
    database.run_sync(turns.close, turn, Outcome(MessageStatus.COMPLETE, (TextPart("x"),), Usage()))
    assert database.read_sync(conversations.streaming, alice) == set()
