"""Turns: what an acknowledgement promises, and how replies end."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from mygpt import database as db
from mygpt.dialogue.content import ReasoningPart, TextPart, text_of
from mygpt.dialogue.events import Finish, Notice, ReasoningDelta, TextDelta, Usage
from mygpt.errors import Conflict, InvalidInput, NotFound
from mygpt.services import conversations, run_events, turns
from mygpt.services.run_events import Batch
from mygpt.services.turns import Outcome
from mygpt.tables.conversations import ConversationEvent, Message, MessageStatus, Run, RunEvent

KEY = "0123456789abcdef0123456789abcdef"


def open_turn(database, actor, text="Hello", key=KEY, conversation_id=""):
    return database.run_sync(
        turns.open_turn, actor, conversation_id=conversation_id, text=text, key=key, model="scripted:echo", worker="w"
    )


def outcome(text="Hi", status=MessageStatus.COMPLETE):
    return Outcome(status, (TextPart(text),) if text else (), Usage(3, 5), "stop", "scripted:echo")


def rows(database, table):
    return database.read_sync(lambda session: list(session.exec(select(table))))


def test_opening_a_turn_stores_message_reply_run_and_history_together(database, alice):
    turn = open_turn(database, alice, "  What is a turn?  ")

    opened = database.read_sync(conversations.open_conversation, alice, turn.conversation_id)

    assert [(m.role, m.status) for m in opened.messages] == [("user", "complete"), ("assistant", "streaming")]
    assert opened.messages[0].parts == [{"text": "What is a turn?", "kind": "text"}]
    assert opened.messages[1].parent_id == opened.messages[0].id
    assert opened.conversation.title == "What is a turn?"
    assert opened.runs == {turn.reply_id: turn.run_id}
    assert [e.kind for e in rows(database, ConversationEvent)] == ["created", "message_added", "reply_opened"]


def test_the_same_key_again_is_the_same_turn(database, alice):
    first = open_turn(database, alice)

    again = open_turn(database, alice)

    assert (again.run_id, again.user_message_id, again.is_new) == (first.run_id, first.user_message_id, False)
    assert len(rows(database, Message)) == 2
    assert len(rows(database, Run)) == 1


async def test_ten_sends_at_once_with_one_key_make_one_turn(database, alice):
    found = await asyncio.gather(
        *(
            db.run(turns.open_turn, alice, conversation_id="", text="once", key=KEY, model="m:x", worker="w")
            for _ in range(10)
        )
    )

    assert len({turn.run_id for turn in found}) == 1
    assert sum(turn.is_new for turn in found) == 1
    assert len(rows(database, Message)) == 2


def test_two_people_may_use_the_same_key(database, alice, bob):
    assert open_turn(database, alice).run_id != open_turn(database, bob).run_id


def test_while_a_reply_is_written_a_second_message_waits(database, alice):
    turn = open_turn(database, alice)

    with pytest.raises(Conflict) as caught:
        open_turn(database, alice, key="f" * 32, conversation_id=turn.conversation_id)

    assert caught.value.text_code == "reply_running"
    assert len(rows(database, Message)) == 2


def test_nobody_can_write_into_somebody_elses_conversation(database, alice, bob):
    turn = open_turn(database, alice)

    with pytest.raises(NotFound):
        open_turn(database, bob, key="f" * 32, conversation_id=turn.conversation_id)


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u200d", "\n\t", "\x00", "\u2060 \ufeff"])
def test_a_message_without_anything_to_read_is_refused(text):
    with pytest.raises(InvalidInput) as caught:
        turns.clean_prompt(text)

    assert caught.value.text_code == "prompt_empty"


def test_a_message_may_have_4000_characters_and_no_more():
    assert turns.clean_prompt(" " + "😀" * 4000 + " ") == "😀" * 4000
    with pytest.raises(InvalidInput) as caught:
        turns.clean_prompt("x" * 4001)
    assert caught.value.params == {"limit": 4000, "length": 4001}


def test_half_an_emoji_is_no_text():
    with pytest.raises(InvalidInput):
        turns.clean_prompt("\ud83d")


def test_a_closed_reply_keeps_its_words_usage_and_model(database, alice):
    turn = open_turn(database, alice)

    database.run_sync(turns.close, turn, outcome("Grüße 😀 漢字"), Batch(turn.run_id, 1, (TextDelta("Grüße"),)))

    opened = database.read_sync(conversations.open_conversation, alice, turn.conversation_id)
    reply = opened.messages[-1]
    assert text_of([TextPart(reply.parts[0]["text"])]) == "Grüße 😀 漢字"
    assert (reply.status, reply.model, reply.usage["output_tokens"]) == ("complete", "scripted:echo", 5)
    assert opened.runs == {}
    assert rows(database, ConversationEvent)[-1].kind == "reply_closed"


def test_events_come_back_as_they_were_from_any_number_on(database, alice):
    turn = open_turn(database, alice)
    said = (
        ReasoningDelta("hm"),
        TextDelta("a"),
        TextDelta("\ud83d"),
        TextDelta("\ude00b"),
        Notice("retry"),
        TextDelta("c"),
    )
    database.run_sync(run_events.append, [Batch(turn.run_id, 4, said[:4])], alive=[turn.run_id])
    database.run_sync(run_events.append, [Batch(turn.run_id, 6, said[4:])], alive=[turn.run_id])

    for after in range(7):
        assert database.read_sync(run_events.stored, turn.run_id, after=after) == list(said[after:])


def test_a_run_whose_process_died_keeps_its_words_as_interrupted(database, alice):
    turn = open_turn(database, alice)
    database.run_sync(
        run_events.append, [Batch(turn.run_id, 2, (TextDelta("half a "), TextDelta("word")))], alive=[turn.run_id]
    )

    adopted = database.run_sync(turns.adopt, turn.run_id)

    reply = database.read_sync(conversations.open_conversation, alice, turn.conversation_id).messages[-1]
    assert adopted.conversation_id == turn.conversation_id
    assert (reply.status, reply.error_code, reply.parts[0]["text"]) == (
        "interrupted",
        "reply_interrupted",
        "half a word",
    )
    assert database.run_sync(turns.adopt, turn.run_id) is None


def test_a_run_that_died_before_its_first_word_has_failed(database, alice):
    turn = open_turn(database, alice)

    database.run_sync(turns.adopt, turn.run_id)

    reply = database.read_sync(conversations.open_conversation, alice, turn.conversation_id).messages[-1]
    assert (reply.status, reply.error_code, reply.parts) == ("failed", "reply_lost_at_start", [])


def test_an_interrupted_reply_goes_on_where_it_ended(database, alice):
    turn = open_turn(database, alice)
    database.run_sync(run_events.append, [Batch(turn.run_id, 1, (TextDelta("Once upon"),))], alive=[turn.run_id])
    database.run_sync(turns.adopt, turn.run_id)

    resumed = database.run_sync(turns.reopen, alice, turn.reply_id, model="scripted:echo")

    assert resumed.prefix == "Once upon"
    assert (resumed.reply_id, resumed.run_id != turn.run_id) == (turn.reply_id, True)
    assert turns.fold(resumed.before, [TextDelta(" a time"), Finish()]).parts == (TextPart("Once upon a time"),)
    asked = database.read_sync(turns.request_messages, resumed)
    assert [m.text for m in asked] == ["Hello"]


def test_a_complete_reply_cannot_be_reopened(database, alice):
    turn = open_turn(database, alice)
    database.run_sync(turns.close, turn, outcome())

    with pytest.raises(Conflict):
        database.run_sync(turns.reopen, alice, turn.reply_id, model="m:x")


def test_nobody_reopens_somebody_elses_reply(database, alice, bob):
    turn = open_turn(database, alice)
    database.run_sync(turns.adopt, turn.run_id)

    with pytest.raises(NotFound):
        database.run_sync(turns.reopen, bob, turn.reply_id, model="m:x")


def test_old_events_go_and_the_words_stay(database, alice):
    from datetime import timedelta

    from mygpt.tables.base import now

    turn = open_turn(database, alice)
    database.run_sync(turns.close, turn, outcome("kept"), Batch(turn.run_id, 1, (TextDelta("kept"),)))

    assert database.run_sync(run_events.forget, finished_before=now() - timedelta(hours=1)) == 0
    assert database.run_sync(run_events.forget, finished_before=now() + timedelta(seconds=1)) == 1

    assert rows(database, RunEvent) == []
    assert rows(database, Message)[-1].parts[0]["text"] == "kept"


@given(st.lists(st.text(min_size=1, max_size=5), max_size=20))
def test_folding_gives_back_every_word(pieces):
    folded = turns.fold((), [*(TextDelta(piece) for piece in pieces), Finish()])

    assert text_of(folded.parts) == turns.storable("".join(pieces))
    assert folded.status is MessageStatus.COMPLETE


def test_reasoning_stays_apart_from_words():
    folded = turns.fold((), [ReasoningDelta("think"), TextDelta("say"), Usage(1, 2), Finish("length", "m")])

    assert folded.parts == (ReasoningPart("think"), TextPart("say"))
    assert (folded.usage, folded.finish_reason, folded.model) == (Usage(1, 2), "length", "m")


def test_a_title_is_the_beginning_of_the_first_line():
    assert turns.title_from("Short\nand more") == "Short"
    assert turns.title_from("word " * 40) == ("word " * 12).strip() + "…"
    assert turns.title_from("漢" * 100) == "漢" * 60 + "…"
