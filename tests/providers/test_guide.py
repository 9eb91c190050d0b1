"""The Guide answers from the help and never pretends to be a model."""

import re
import time
from collections.abc import Iterator

import pytest

from mygpt.dialogue.events import Finish
from mygpt.providers.base import Deadlines
from mygpt.providers.discovery import RUNTIMES, Runtime
from mygpt.providers.guide import HELP, Guide
from mygpt.settings import Settings
from tests.providers.asking import ask, heard, text_of

VARIABLE = re.compile(r"\b(?:MYGPT|OPENAI|DATABASE)_[A-Z_]+\b")


@pytest.fixture
def found() -> list[Runtime]:
    return []


@pytest.fixture
def guide(found: list[Runtime]) -> Iterator[Guide]:
    made = Guide(Deadlines(), lambda: found, 0)
    yield made
    made._help.close()


@pytest.mark.parametrize(
    "asked", ["hello", "How do I add a key?", "zxqv wvutz", "", "你好", "a" * 5000, '"; DROP *', "(((AND"]
)
def test_every_answer_begins_by_saying_that_it_is_no_ai(guide: Guide, asked: str) -> None:
    first = guide.answer(asked).split("\n")[0]

    assert "not an AI" in first
    assert "Guide" in first


@pytest.mark.parametrize(
    ("asked", "heading"),
    [
        ("How do I add an OpenAI key?", "Add an OpenAI key"),
        ("How do I add a key?", "Add an OpenAI key"),
        ("How do I use Ollama?", "Use Ollama"),
        ("how do i use a local model", "Use a local model from a file (GGUF)"),
        ("What happens when I close the tab?", "What happens when I close the tab or reload"),
        ("What can replies show?", "What replies can show: Markdown, lists and tables"),
        ("Which keys can I press?", "Keyboard: which keys do what"),
        ("lm studio", "Use LM Studio"),
        ("what is MyGPT?", "What MyGPT is"),
        ("my connection was lost", "Connection lost"),
        ("backup", "Backup and restore"),
        ("how much does it cost", "What it costs"),
        ("the key was rejected", "The key is rejected"),
        ("FORMULAS!!!", "Formulas and mathematics"),
        ("who is the first administrator", "The first administrator"),
        ("my model is missing from the list", "A model is missing from the list"),
        ("how do I change the port", "Change the port"),
    ],
)
def test_a_question_finds_its_passage(guide: Guide, asked: str, heading: str) -> None:
    assert f"\n## {heading}\n" in guide.answer(asked)


@pytest.mark.parametrize("asked", ["hello", "Hi!", "good morning", "thanks", "test", ""])
def test_small_talk_is_answered_with_the_ways_to_a_model(guide: Guide, asked: str) -> None:
    answer = guide.answer(asked)

    assert "## Welcome" in answer
    assert all(word in answer for word in ("OPENAI_API_KEY", "Ollama", "MYGPT_LOCAL_MODEL", "```", "| --- |"))


@pytest.mark.parametrize("asked", ["write a poem about ducks", "why is the sky blue?", "你好", "zxqv"])
def test_what_the_help_does_not_know_is_said_plainly(guide: Guide, asked: str) -> None:
    answer = guide.answer(asked)

    assert "I found nothing" in answer
    assert "OPENAI_API_KEY" in answer


def test_servers_on_this_machine_are_mentioned(guide: Guide, found: list[Runtime]) -> None:
    assert "I found **" not in guide.answer("hello")

    found += RUNTIMES[:2]

    assert "I found **Ollama**, **LM Studio**" in guide.answer("hello")


async def test_it_streams_at_a_humane_pace() -> None:
    guide = Guide(Deadlines(), list, 100)
    started = time.monotonic()

    events = await heard(guide.stream(ask("hello", model="help")))
    await guide.aclose()

    assert text_of(events) == guide.answer("hello")
    assert events[-1] == Finish("stop", "help")
    assert len(events) > 50
    assert time.monotonic() - started > (len(events) - 2) / 100


def test_the_help_names_only_settings_that_exist(guide: Guide) -> None:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    named = {name for path in HELP.glob("*.md") for name in VARIABLE.findall(path.read_text(encoding="utf-8"))}

    assert named <= known


def test_every_passage_has_a_heading_of_its_own_and_words(guide: Guide) -> None:
    headings = [passage.heading for passage in guide._help.passages]

    assert len(set(headings)) == len(headings) > 25
    assert all(passage.page and len(passage.body) > 80 for passage in guide._help.passages)


def test_every_passage_is_found_by_its_own_heading(guide: Guide) -> None:
    for passage in guide._help.passages:
        found = guide._help.search(passage.heading)
        assert passage in found[:2], passage.heading
