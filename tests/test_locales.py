"""Texts: what the code asks for exists, what exists is asked for, and what is filled in fits."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from mygpt import i18n

PACKAGE = Path(i18n.__file__).parent.parent
LANGUAGES = sorted(path.stem for path in i18n.LOCALES.glob("*.json"))
TRANSLATORS = ("t", "translate")
OTHER_PARAMS = {"code", "detail", "param", "retry_after_s"}


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def _calls() -> Iterator[tuple[str, str, ast.Call]]:
    for file, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                yield f"{file}:{node.lineno}", name, node


def _constants(nodes: list[ast.expr]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _asked_for() -> Iterator[tuple[str, str]]:
    """Every key that is spelled out in the code, and where."""
    for place, name, call in _calls():
        words = _constants(call.args)
        if name in TRANSLATORS and isinstance(call.args[0], ast.Constant):
            yield place, words[0]
        if name == "texts" and words and isinstance(call.args[0], ast.Constant):
            yield from ((place, f"{words[0]}.{short}") for short in words[1:])
        for keyword in call.keywords:
            if keyword.arg == "code" and isinstance(keyword.value, ast.Constant) and keyword.value.value:
                area = "notice" if name == "Notice" else "error"
                yield place, f"{area}.{keyword.value.value}"


def test_every_text_the_code_asks_for_exists() -> None:
    missing = [f"{place}: {key}" for place, key in _asked_for() if key not in i18n.texts()]

    assert missing == []


def test_the_code_asks_for_texts_at_all() -> None:
    assert len(dict(_asked_for())) > 20


def test_no_text_is_left_that_nobody_asks_for() -> None:
    spelled = {key for _, key in _asked_for()}
    words = {word for _, tree in _trees() for word in _constants(list(_expressions(tree)))}
    scripts = "\n".join(
        path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.js*") if "locales" not in path.parts
    )
    words |= set(re.findall(r"[\w.]+", scripts))

    unused = [key for key in i18n.texts() if key not in spelled | words and key.partition(".")[2] not in words]

    assert unused == []


def _expressions(tree: ast.Module) -> Iterator[ast.expr]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.expr))


def test_what_is_filled_in_is_what_the_text_has_room_for() -> None:
    for place, name, call in _calls():
        if name in TRANSLATORS and isinstance(call.args[0], ast.Constant):
            given = {keyword.arg for keyword in call.keywords} - {"language"}
            if given and None not in given:
                assert given == _placeholders(i18n.texts()[str(call.args[0].value)]), place


def test_an_error_that_names_its_text_brings_what_the_text_needs() -> None:
    for place, name, call in _calls():
        given = {str(keyword.arg): keyword.value for keyword in call.keywords}
        code = given.get("code")
        if name == "Notice" or not isinstance(code, ast.Constant) or not code.value:
            continue
        filled = set(given) - OTHER_PARAMS | ({"retry_after"} if name == "RateLimited" else set())
        assert _placeholders(i18n.texts()[f"error.{code.value}"]) <= filled, place


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_with_the_same_placeholders(language: str) -> None:
    texts, english = i18n.texts(language), i18n.texts(i18n.DEFAULT)

    assert set(texts) == set(english)
    assert [key for key in english if _placeholders(texts[key]) != _placeholders(english[key])] == []
    assert [key for key in texts if not texts[key].strip()] == []


def test_the_file_is_sorted_so_that_changes_are_easy_to_read() -> None:
    for language in LANGUAGES:
        assert list(i18n.texts(language)) == sorted(i18n.texts(language))


def test_an_unknown_key_raises() -> None:
    with pytest.raises(KeyError):
        i18n.translate("nothing.of_the_kind")
