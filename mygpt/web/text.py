"""The page's texts: every visible string comes through `t`."""

from mygpt.i18n import DEFAULT, translate


def t(key: str, **params: str | float) -> str:
    """Return a text while the page is built; an unknown key raises KeyError, so that no reader ever meets it."""
    return translate(key, DEFAULT, **params)


def texts(area: str, *names: str) -> dict[str, str]:
    """Return the texts that a JSX part shows, by their short names; it holds none of its own."""
    return {name: t(f"{area}.{name}") for name in names}
