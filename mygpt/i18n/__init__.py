"""Texts by key and language; a language is one file in `locales/`."""

import json
from functools import cache
from pathlib import Path

LOCALES = Path(__file__).parent / "locales"
DEFAULT = "en"


@cache
def texts(language: str = DEFAULT) -> dict[str, str]:
    """Return all texts of a language by their key."""
    loaded: dict[str, str] = json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))
    return loaded


def translate(key: str, language: str = DEFAULT, **params: str | float) -> str:
    """Return a text, its `{placeholders}` filled; raises KeyError for an unknown key."""
    text = texts(language).get(key) or texts(DEFAULT)[key]
    return text.format(**params) if params else text
