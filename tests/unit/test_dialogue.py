"""What is said survives the way into a row and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mygpt.dialogue.content import Part, ReasoningPart, TextPart, parts_from_json, parts_to_json, say, text_of
from mygpt.dialogue.events import (
    Event,
    Finish,
    Notice,
    ReasoningDelta,
    TextDelta,
    Usage,
    event_from_json,
    event_to_json,
)

words = st.text(st.characters(exclude_categories=["Cs"]))
counts = st.none() | st.integers(0)
parts = st.builds(TextPart, words) | st.builds(ReasoningPart, words, st.none() | st.floats(0, 1e6))
events = (
    st.builds(TextDelta, words)
    | st.builds(ReasoningDelta, words)
    | st.builds(Usage, counts, counts, counts, counts)
    | st.builds(Notice, words, words)
    | st.builds(Finish, st.sampled_from(["stop", "length", "error"]), words)
)


@given(st.lists(parts))
def test_parts_come_back_as_they_were(said: list[Part]) -> None:
    assert parts_from_json(json.loads(json.dumps(parts_to_json(said)))) == tuple(said)


@given(events)
def test_events_come_back_as_they_were(event: Event) -> None:
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


def test_an_unknown_kind_is_not_passed_over() -> None:
    with pytest.raises(KeyError):
        parts_from_json([{"kind": "hologram", "text": "?"}])
    with pytest.raises(KeyError):
        event_from_json({"kind": "hologram"})


def test_reasoning_is_no_part_of_the_words() -> None:
    assert text_of((ReasoningPart("hm"), TextPart("Hello, "), TextPart("you"))) == "Hello, you"
    assert say("user", "Hello").text == "Hello"
