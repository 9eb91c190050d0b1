"""`kill -9` and SIGTERM while people talk: every acknowledged message once, every reply marked, ready again soon."""

import asyncio
import random
import time
import uuid

import pytest
from sqlmodel import select

from mygpt.database import Database
from mygpt.dialogue.content import parts_from_json, text_of
from mygpt.tables.conversations import Message, MessageStatus
from tests.faults.people import Person, Sent, register
from tests.site import EMAIL, Site, running_site

TEXT = "Wörter 漢字 👍🏽 mit `code` und mehr, Satz für Satz. "
NAMES = ["ann", "ben", "cem", "dia", "eva"]
READY_S = 10.0
SHORT_S = 1.0


def open_database(site: Site) -> Database:
    return Database(f"sqlite:///{site.data / 'mygpt.db'}")


def rows(site: Site) -> list[Message]:
    database = open_database(site)
    try:
        return database.read_sync(lambda session: list(session.exec(select(Message))))
    finally:
        database.close()


def spoken(message: Message) -> str:
    return text_of(parts_from_json(message.parts))


async def talk_until_killed(site: Site, emails: list[str], dice: random.Random) -> tuple[list[Sent], float]:
    people = [Person(site, email) for email in emails]
    await asyncio.gather(*(person.arrive() for person in people))
    await asyncio.gather(*(person.choose("scripted:echo") for person in people))
    killed_at = 0.0

    async def talk(person: Person) -> None:
        while not killed_at:
            words = TEXT * dice.randrange(2, 12)
            try:
                await person.say(uuid.uuid4().hex, f"#!script rate={dice.choice([0, 30, 60])}\n{words}")
                await person.finished()
            except Exception:  # before the kill it is a failure, after it whatever a lost socket raises
                if not killed_at:
                    raise
                return

    talking = [asyncio.create_task(talk(person)) for person in people]
    await asyncio.sleep(dice.uniform(0.3, 2.5))
    killed_at = time.monotonic()
    site.kill()
    await asyncio.gather(*talking)
    for person in people:
        await person.leave()
    return [sent for person in people for sent in person.sent], killed_at


def check(site: Site, ledger: list[Sent], killed_at: float) -> dict[str, int]:
    """Compare what people were told with what is stored; returns how many replies ended how."""
    messages = rows(site)
    replies = {message.parent_id: message for message in messages if message.role == "assistant"}
    ended: dict[str, int] = {}
    for sent in ledger:
        stored = [message for message in messages if message.idempotency_key == sent.key]
        assert len(stored) <= 1
        if sent.acknowledged_at:
            assert [spoken(message) for message in stored] == [sent.text.strip()]
        for message in stored:
            reply = replies[message.id]
            ended[reply.status] = ended.get(reply.status, 0) + 1
            assert reply.status in (MessageStatus.COMPLETE, MessageStatus.INTERRUPTED, MessageStatus.FAILED)
            said = spoken(reply)
            assert sent.text.partition("\n")[2].startswith(said.rstrip())
            assert len(said.encode("utf-16-le")) // 2 >= sent.seen_before(killed_at - SHORT_S)
            assert (reply.status == MessageStatus.FAILED) == (said == "")
    return ended


@pytest.mark.deadline
@pytest.mark.timeout(900)
def test_kill_nine_at_random_moments_loses_nothing_that_was_acknowledged(tmp_path, pytestconfig):
    rounds = 20 if pytestconfig.getoption("--long") else 4
    dice = random.Random(20)
    total: dict[str, int] = {}
    with running_site(tmp_path) as site:
        database = open_database(site)
        emails = register(database, NAMES)
        database.close()
        for _ in range(rounds):
            ledger, killed_at = asyncio.run(talk_until_killed(site, emails, dice))
            assert site.start() <= READY_S
            time.sleep(0.5)
            for status, count in check(site, ledger, killed_at).items():
                total[status] = total.get(status, 0) + count
    assert total.get(MessageStatus.INTERRUPTED, 0) > 0
    assert total.get(MessageStatus.COMPLETE, 0) > 0
    print(f"{rounds} rounds: {total}")


async def one_reply(site: Site, script: str, text: str) -> Person:
    person = Person(site, EMAIL)
    await person.arrive()
    await person.choose("scripted:echo")
    await person.say(uuid.uuid4().hex, f"#!script {script}\n{text}")
    return person


@pytest.mark.deadline
def test_a_reply_that_can_end_in_time_ends_before_the_server_does(tmp_path):
    async def story(site: Site) -> float:
        await one_reply(site, "rate=40", "word " * 60)
        return await asyncio.to_thread(site.stop)

    with running_site(tmp_path) as site:
        took_s = asyncio.run(story(site))

        assert took_s <= 10.0
        (reply,) = [message for message in rows(site) if message.role == "assistant"]
        assert (reply.status, len(spoken(reply).split())) == ("complete", 60)


@pytest.mark.deadline
def test_a_reply_that_cannot_end_in_time_is_interrupted_with_its_words(tmp_path):
    async def story(site: Site) -> float:
        await one_reply(site, "rate=10", "word " * 700)
        await asyncio.sleep(1)
        return await asyncio.to_thread(site.stop)

    with running_site(tmp_path) as site:
        took_s = asyncio.run(story(site))

        assert took_s <= 10.0
        (reply,) = [message for message in rows(site) if message.role == "assistant"]
        assert reply.status == "interrupted"
        assert len(spoken(reply).split()) >= 30
