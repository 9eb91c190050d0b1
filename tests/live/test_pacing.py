"""Pacing: offsets in UTF-16 units, no half emoji, a rhythm that bends under load."""

from hypothesis import given
from hypothesis import strategies as st

from mygpt.live.pacing import LONGEST_S, SHORTEST_S, Utf16Text, interval_s

EMOJI = "👩‍👩‍👧 a 漢 😀"


def test_few_readers_are_served_often_and_many_less_so():
    assert interval_s(1) == SHORTEST_S
    assert SHORTEST_S < interval_s(100) <= 0.2
    assert interval_s(10_000) == LONGEST_S


@given(st.text(max_size=40), st.integers(min_value=0, max_value=90))
def test_what_a_reader_has_and_what_it_gets_make_the_whole(text, have):
    grown = Utf16Text()
    for unit in range(0, len(text.encode("utf-16-le")), 2):
        grown.append(text.encode("utf-16-le")[unit : unit + 2].decode("utf-16-le", "surrogatepass"))

    start, rest, end = grown.since(have, is_final=True)

    assert end == len(grown)
    assert text.encode("utf-16-le")[: 2 * start].decode("utf-16-le") + rest == text


@given(st.integers(min_value=0, max_value=len(EMOJI.encode("utf-16-le")) // 2))
def test_half_an_emoji_is_never_sent(cut):
    raw = EMOJI.encode("utf-16-le")
    grown = Utf16Text()
    grown.append(raw[: 2 * cut].decode("utf-16-le", "surrogatepass"))

    first, said, end = grown.since(0, is_final=False)
    grown.append(raw[2 * cut :].decode("utf-16-le", "surrogatepass"))
    _, rest, _ = grown.since(end, is_final=True)

    assert (first, said + rest) == (0, EMOJI)
    said.encode()


def test_a_reopened_reply_starts_with_what_it_has():
    text = Utf16Text("abc")
    text.append("def")

    assert text.since(0, is_final=False) == (0, "abcdef", 6)
    assert text.since(99, is_final=True) == (6, "", 6)
