"""The tree of expected failures: each class has its text, and what is filled into it."""

import string
from collections.abc import Iterator

import pytest

from mygpt import errors
from mygpt.errors import MyGPTError, ProviderBusy, RateLimited
from mygpt.i18n import texts, translate


def _tree(root: type[MyGPTError] = MyGPTError) -> Iterator[type[MyGPTError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == MyGPTError.__module__:
            yield from _tree(child)


@pytest.mark.parametrize("error", sorted(_tree(), key=lambda error: error.__name__), ids=lambda error: error.__name__)
def test_every_class_has_a_text_that_its_own_params_fill(error: type[MyGPTError]) -> None:
    raised = error()

    text = translate(f"error.{raised.text_code}", "en", **raised.params)

    assert text
    assert "{" not in text


def test_the_text_of_a_class_needs_nothing_else_than_it_carries() -> None:
    for error in _tree():
        raised = error()
        wanted = {name for _, name, _, _ in string.Formatter().parse(texts()[f"error.{raised.text_code}"]) if name}
        assert wanted <= set(raised.params), error.__name__


def test_the_drawing_shows_every_class_and_its_status() -> None:
    drawing = errors.__doc__ or ""

    for error in _tree():
        if error.status not in (400, 500) and not error.__subclasses__():
            assert f"{error.__name__} {error.status}" in drawing


def test_a_wait_is_told_in_whole_seconds() -> None:
    assert RateLimited(retry_after_s=11.6).params == {"retry_after": 12}


def test_the_detail_is_for_the_log_and_in_no_text() -> None:
    error = ProviderBusy("upstream said: key sk-123", provider="home", model="llama")

    assert str(error) == "upstream said: key sk-123"
    assert "sk-123" not in translate(f"error.{error.text_code}", "en", **error.params)
