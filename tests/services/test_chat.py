"""The way from a stored turn to the provider's words."""

import pytest

from mygpt.dialogue.content import say
from mygpt.dialogue.events import Finish, TextDelta, Usage
from mygpt.errors import ModelUnavailable, ProviderBusy
from mygpt.providers.base import Deadlines, ModelInfo
from mygpt.services import chat, turns
from mygpt.services.catalog import Catalog
from mygpt.services.turns import Outcome
from mygpt.tables.conversations import MessageStatus


class Recorder:
    """A provider that remembers what it was asked."""

    name, label, deadlines = "fake", "Fake", Deadlines(idle_s=1.5)

    def __init__(self, models=("small",), *, fails=False):
        self.asked = []
        self._models = [ModelInfo(name, name.title()) for name in models]
        self._fails = fails

    async def stream(self, request):
        self.asked.append(request)
        yield TextDelta("hi")
        yield Finish("stop", request.model)

    async def models(self):
        if self._fails:
            raise ProviderBusy("down", provider=self.name)
        return self._models

    async def aclose(self):
        pass


def catalog_of(*providers, default=""):
    async def offered():
        return {provider.name: provider for provider in providers}

    return Catalog(offered, default)


def open_turn(database, actor, text, key, conversation_id="", model="fake:small"):
    return database.run_sync(
        turns.open_turn, actor, conversation_id=conversation_id, text=text, key=key * 32, model=model, worker="w"
    )


async def said(turn, catalog):
    return [event async for event in chat.reply(turn, catalog)]


async def test_the_provider_is_asked_the_whole_conversation_once(database, alice):
    provider = Recorder()
    first = open_turn(database, alice, "one", "a")
    database.run_sync(turns.close, first, Outcome(MessageStatus.COMPLETE, say("assistant", "two").parts, Usage()))
    second = open_turn(database, alice, "three", "b", first.conversation_id)

    events = await said(second, catalog_of(provider))

    assert events == [TextDelta("hi"), Finish("stop", "fake:small")]
    (request,) = provider.asked
    assert [(m.role, m.text) for m in request.messages] == [("user", "one"), ("assistant", "two"), ("user", "three")]
    assert (request.model, request.deadlines.idle_s) == ("small", 1.5)


async def test_a_reply_without_words_is_not_sent_back(database, alice):
    provider = Recorder()
    first = open_turn(database, alice, "one", "a")
    database.run_sync(turns.adopt, first.run_id)
    second = open_turn(database, alice, "two", "b", first.conversation_id)

    await said(second, catalog_of(provider))

    assert [m.text for m in provider.asked[0].messages] == ["one", "two"]


async def test_a_model_the_provider_does_not_list_is_asked_all_the_same(database, alice):
    provider = Recorder()

    await said(open_turn(database, alice, "one", "a", model="fake:brand-new:8b"), catalog_of(provider))

    assert provider.asked[0].model == "brand-new:8b"


@pytest.mark.parametrize("model", ["nobody:x", "fake:", "", "fake"])
async def test_a_model_of_no_provider_is_unavailable(database, alice, model):
    with pytest.raises(ModelUnavailable):
        await said(open_turn(database, alice, "one", "a", model=model), catalog_of(Recorder()))


def test_continuing_shows_the_model_its_own_words():
    messages = chat.continued((say("user", "tell"),), "Once upon")

    assert [(m.role, m.text) for m in messages[:2]] == [("user", "tell"), ("assistant", "Once upon")]
    assert messages[2].role == "user"
    assert chat.continued((say("user", "tell"),), "") == (say("user", "tell"),)


def test_the_newest_messages_that_fit_are_kept():
    messages = tuple(say("user", f"{number}" * 100) for number in range(10))

    assert chat.fitting(messages, None) == messages
    assert chat.fitting(messages, 100) == messages[-3:]
    assert chat.fitting(messages, 10) == messages[-1:]
    assert chat.fitting((), 10) == ()


async def test_models_are_offered_in_the_providers_order():
    class Guide(Recorder):
        name, label = "guide", "Guide"

    offers = await catalog_of(Recorder(("a", "b")), Guide()).offers()

    assert [offer.id for offer in offers] == ["fake:a", "fake:b", "guide:small"]


async def test_a_provider_that_cannot_list_does_not_hide_the_others():
    class Down(Recorder):
        name = "down"

    catalog = catalog_of(Down(fails=True), Recorder())

    assert [offer.id for offer in await catalog.offers()] == ["fake:small"]
    assert await catalog.default() == "fake:small"


async def test_the_default_is_the_settings_wish_where_it_is_on_offer():
    assert await catalog_of(Recorder(("a", "b")), default="fake:b").default() == "fake:b"
    assert await catalog_of(Recorder(("a", "b")), default="fake:gone").default() == "fake:a"


async def test_the_list_is_asked_for_once_though_many_want_it():
    provider = Recorder()
    calls = []
    models = provider.models

    async def counted():
        calls.append(1)
        return await models()

    provider.models = counted
    catalog = catalog_of(provider)
    for _ in range(5):
        await catalog.offers()

    assert len(calls) == 1
