"""Runs: replies that belong to the server, whatever tabs, providers and processes do."""

import asyncio
import os
import time
from contextlib import asynccontextmanager

import pytest

from mygpt import bus
from mygpt import database as db
from mygpt.dialogue.events import Finish, TextDelta, Usage
from mygpt.errors import NotFound, ProviderBusy, ServiceBusy
from mygpt.live import runs as live
from mygpt.live.runs import Runs, is_dead
from mygpt.services import conversations, run_events, turns
from mygpt.services.run_events import Batch

KEY = "0123456789abcdef0123456789abcdef"
WORDS = ["Zażółć ", "gęślą ", "jaźń 😀 ", "漢字 ", "`code` "]


async def talk(turn):
    for word in WORDS:
        yield TextDelta(word)
        await asyncio.sleep(0.01)
    yield Usage(1, 2)
    yield Finish("stop", "m")


async def hang(turn):
    yield TextDelta("so far ")
    await asyncio.sleep(3600)


@asynccontextmanager
async def working(reply):
    runs = Runs(reply)
    task = asyncio.create_task(runs.work())
    try:
        yield runs
    finally:
        task.cancel()
        await runs.drain(0)


async def begin(runs, actor, key=KEY, conversation_id=""):
    return await runs.start(actor, conversation_id=conversation_id, text="hi", key=key, model="m:x")


async def last_message(actor, turn):
    opened = await db.read(conversations.open_conversation, actor, turn.conversation_id)
    return opened.messages[-1]


async def finished(runs, turn):
    while runs.is_live(turn.run_id):
        await asyncio.sleep(0.01)


async def heard(runs, actor, turn, have=0):
    return "".join([piece.text async for piece in runs.follow(actor, turn.run_id, have=have)])


async def test_every_reader_hears_the_whole_reply_wherever_they_join(database, alice):
    async with working(talk) as runs:
        turn = await begin(runs, alice)
        early = asyncio.create_task(heard(runs, alice, turn))
        await asyncio.sleep(0.03)
        late = asyncio.create_task(heard(runs, alice, turn))

        assert await early == await late == "".join(WORDS)
        assert await heard(runs, alice, turn, have=7) == "".join(WORDS)[7:]
        stored = await last_message(alice, turn)
    assert (stored.status, stored.parts[0]["text"]) == ("complete", "".join(WORDS))


async def test_nobody_listening_stops_nothing(database, alice):
    async with working(talk) as runs:
        turn = await begin(runs, alice)
        await finished(runs, turn)

        assert (await last_message(alice, turn)).parts[0]["text"] == "".join(WORDS)


async def test_events_resume_after_any_number_also_when_the_run_is_history(database, alice):
    async with working(talk) as runs:
        turn = await begin(runs, alice)
        whole = [item async for item in runs.subscribe(alice, turn.run_id)]
        assert [number for number, _ in whole] == list(range(1, len(WORDS) + 3))

        runs._runs.clear()
        again = [item async for item in runs.subscribe(alice, turn.run_id, after=3)]

    assert again == whole[3:]


@pytest.mark.deadline
async def test_stopping_keeps_what_was_said_within_a_second_while_the_provider_hangs(database, alice):
    async with working(hang) as runs:
        turn = await begin(runs, alice)
        await asyncio.sleep(0.05)
        started = time.monotonic()

        await runs.stop(alice, turn.run_id)

        assert time.monotonic() - started <= 1.0
        stored = await last_message(alice, turn)
    assert (stored.status, stored.parts[0]["text"], stored.error_code) == ("stopped", "so far ", "")


@pytest.mark.deadline
async def test_stopping_works_though_the_provider_will_not_let_go(database, alice):
    async def stubborn(turn):
        yield TextDelta("words ")
        for _ in range(4):
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                await asyncio.sleep(2)

    async with working(stubborn) as runs:
        turn = await begin(runs, alice)
        await asyncio.sleep(0.05)
        started = time.monotonic()
        await runs.stop(alice, turn.run_id)

        assert time.monotonic() - started <= 1.0
        assert (await last_message(alice, turn)).status == "stopped"


async def test_nobody_stops_or_reads_somebody_elses_run(database, alice, bob):
    async with working(hang) as runs:
        turn = await begin(runs, alice)

        with pytest.raises(NotFound):
            await runs.stop(bob, turn.run_id)
        with pytest.raises(NotFound):
            await heard(runs, bob, turn)
        with pytest.raises(NotFound):
            async for _ in runs.subscribe(bob, turn.run_id):
                pass
        assert runs.is_live(turn.run_id)


async def test_a_send_that_comes_twice_is_answered_once(database, alice):
    calls = []

    async def counted(turn):
        calls.append(turn.run_id)
        yield TextDelta("once")
        yield Finish()

    async with working(counted) as runs:
        found = await asyncio.gather(*(begin(runs, alice) for _ in range(10)))
        await finished(runs, found[0])

    assert len({turn.run_id for turn in found}) == len(calls) == 1


async def test_a_provider_that_fails_at_once_leaves_a_failed_reply(database, alice):
    async def busy(turn):
        raise ProviderBusy("429", provider="m")
        yield

    async with working(busy) as runs:
        turn = await begin(runs, alice)
        await finished(runs, turn)

        stored = await last_message(alice, turn)
    assert (stored.status, stored.error_code, stored.parts) == ("failed", "provider_busy", [])


async def test_a_provider_that_breaks_in_mid_reply_leaves_its_words(database, alice):
    async def breaks(turn):
        yield TextDelta("the first half")
        raise ProviderBusy("cut", provider="m")

    async with working(breaks) as runs:
        turn = await begin(runs, alice)
        await finished(runs, turn)

        stored = await last_message(alice, turn)
    assert (stored.status, stored.error_code) == ("interrupted", "provider_busy")
    assert stored.parts[0]["text"] == "the first half"


async def test_a_bug_in_a_provider_ends_the_run_and_shows_no_traceback(database, alice):
    async def bug(turn):
        yield TextDelta("x")
        raise KeyError("secret detail")

    async with working(bug) as runs:
        turn = await begin(runs, alice)
        await finished(runs, turn)

        stored = await last_message(alice, turn)
    assert (stored.status, stored.error_code) == ("interrupted", "unexpected")


async def test_a_stream_that_just_ends_is_no_complete_reply(database, alice):
    async def ends(turn):
        yield TextDelta("and then")

    async with working(ends) as runs:
        turn = await begin(runs, alice)
        await finished(runs, turn)

        assert (await last_message(alice, turn)).status == "interrupted"


@pytest.mark.deadline
async def test_words_are_stored_within_a_second(database, alice):
    async with working(hang) as runs:
        turn = await begin(runs, alice)
        await asyncio.sleep(1.0)

        assert await db.read(run_events.stored, turn.run_id) == [TextDelta("so far ")]


async def test_a_reply_can_go_on_after_a_stop(database, alice):
    async with working(hang) as runs:
        turn = await begin(runs, alice)
        await asyncio.sleep(0.05)
        await runs.stop(alice, turn.run_id)
        runs._reply = talk

        resumed = await runs.resume(alice, turn.reply_id, model="m:x")

        assert await heard(runs, alice, resumed) == "so far " + "".join(WORDS)
        assert (await last_message(alice, turn)).parts[0]["text"] == "so far " + "".join(WORDS)


async def test_a_reader_of_a_run_that_is_not_here_is_told_so(database, alice):
    async with working(talk) as runs:
        turn = await begin(runs, alice)
        await finished(runs, turn)
        runs._runs.clear()

        with pytest.raises(NotFound):
            await heard(runs, alice, turn)


async def test_runs_of_a_dead_process_are_closed_and_told(database, alice):
    turn = await db.run(
        turns.open_turn,
        alice,
        conversation_id="",
        text="hi",
        key=KEY,
        model="m:x",
        worker=f"{Runs(talk).worker.partition(':')[0]}:999999999:dead",
    )
    await db.run(run_events.append, [Batch(turn.run_id, 1, (TextDelta("kept"),))], alive=[turn.run_id])

    with bus.subscribe(bus.account(alice.account_id)) as notes:
        assert await Runs(talk).reap() == 1
        note = await notes.get(1)

    assert note.kind == "settled"
    assert note.conversation_id == turn.conversation_id
    assert (await last_message(alice, turn)).status == "interrupted"


async def test_a_run_of_a_living_process_elsewhere_is_left_alone(database, alice):
    turn = await db.run(
        turns.open_turn, alice, conversation_id="", text="hi", key=KEY, model="m:x", worker="another-host:1:alive"
    )

    assert await Runs(talk).reap() == 0
    assert (await last_message(alice, turn)).status == "streaming"


async def test_draining_lets_replies_end_and_takes_no_more(database, alice):
    runs = Runs(talk)
    turn = await begin(runs, alice)

    await runs.drain(5)

    assert (await last_message(alice, turn)).status == "complete"
    with pytest.raises(ServiceBusy):
        await begin(runs, alice, key="f" * 32)


async def test_what_does_not_end_in_time_is_interrupted_with_its_words(database, alice):
    runs = Runs(hang)
    turn = await begin(runs, alice)
    await asyncio.sleep(0.05)

    await runs.drain(0.1)

    stored = await last_message(alice, turn)
    assert (stored.status, stored.error_code, stored.parts[0]["text"]) == (
        "interrupted",
        "reply_interrupted",
        "so far ",
    )


def test_a_worker_is_dead_when_its_process_is_gone_or_was_somebody_else():
    own = f"host:{os.getpid()}:aaaa"
    assert is_dead("host:999999999:bbbb", own)
    assert is_dead(f"host:{os.getpid()}:bbbb", own)
    assert not is_dead(own, own)
    assert not is_dead("host:1:bbbb", own)
    assert not is_dead("other:999999999:bbbb", own)
    assert not is_dead("", own)


def test_runs_in_use_are_those_that_were_named():
    live.use(None)
    with pytest.raises(RuntimeError):
        live.current()
