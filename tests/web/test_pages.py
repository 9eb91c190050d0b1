"""The visible pages: they build, they speak only known words, and their colours can be read."""

import math
import re
from collections.abc import Iterator

import pytest
import reflex as rx
from reflex_base.registry import RegistrationContext

from mygpt.web import layout, lean, pages, theme
from mygpt.web.components.script import HERE, PATHS, script
from mygpt.web.pages.page import Page
from mygpt.web.text import t, texts

READ = [
    ("fg", "bg"),
    ("fg", "bg-sunken"),
    ("fg", "bg-hover"),
    ("fg", "bubble"),
    ("fg-muted", "bg"),
    ("fg-muted", "bg-sunken"),
]
READ += [("fg-muted", "bg-raised"), ("accent", "bg"), ("accent-fg", "accent"), ("accent-fg", "accent-hover")]
READ += [("danger", "bg"), ("danger", "bg-raised"), ("warning", "bg"), ("success", "bg"), ("bg", "fg")]
SEEN = [
    ("border-strong", "bg"),
    ("border-strong", "bg-raised"),
    ("focus", "bg"),
    ("focus", "bg-sunken"),
    ("accent", "bg-raised"),
]


PROMISED = [
    "login-email",
    "login-password",
    "login-submit",
    "composer",
    "send",
    "stop",
    "model-select",
    "new-conversation",
    "conversation-list",
    "conversation-item",
    "message",
    "message-content",
    "reasoning",
    "message-copy",
    "message-continue",
    "connection-status",
    "notice",
    "user-menu",
    "logout",
    "theme-toggle",
]


@pytest.fixture
def app() -> Iterator[rx.App]:
    """Return an app of its own; Reflex allows one per registration context."""
    with RegistrationContext.ensure_context().fork():
        yield rx.App()


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.route)
def test_every_page_builds(page: Page) -> None:
    rendered = str(page.build().render())

    assert "jsx" in rendered or "children" in rendered
    assert t(page.title)


def test_every_page_has_its_address_in_the_app(app: rx.App) -> None:
    pages.register(app)

    assert {"index", "c/[conversation]", "login", "setup", "404"} <= set(app._unevaluated_pages)


def test_every_promised_test_id_is_given_to_a_part() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in HERE.iterdir() if path.suffix in (".py", ".jsx"))
    given = set(re.findall(r'(?:"data-testid": |data-testid=|testId=)"([a-z-]+)"', sources))

    assert not set(PROMISED) - given


def test_what_lies_over_the_pages_builds() -> None:
    for wrap in layout.app_wraps().values():
        assert wrap(True).render()
    for component in (*layout.head_components(), layout.hydrate_fallback()):
        assert component.render()


def test_an_unknown_text_fails_the_build() -> None:
    with pytest.raises(KeyError):
        t("composer.no_such_text")
    with pytest.raises(KeyError):
        texts("composer", "send", "no_such_text")


def test_a_page_with_an_unknown_title_fails_the_build(app: rx.App) -> None:
    with pytest.raises(KeyError):
        Page("/x", rx.fragment, "no.such_title").register(app)


def test_every_script_of_the_folder_can_be_imported_by_the_build() -> None:
    assert {path.name for path in HERE.iterdir() if path.suffix in (".js", ".jsx")} == set(PATHS)
    assert script("composer.jsx").startswith("$/public/external/")
    with pytest.raises(KeyError):
        script("no_such.jsx")


def test_scripts_import_only_scripts_that_are_there() -> None:
    for name in PATHS:
        for wanted in re.findall(r"""(?:from|import)\s*\(?"\./([^"]+)\"""", (HERE / name).read_text(encoding="utf-8")):
            assert wanted in PATHS, f"{name} imports {wanted}"


def test_the_raw_html_parser_stays_out_of_the_bundle() -> None:
    configuration = 'resolve: {\n    alias: [\n      { find: "$" },\n    ],\n  }'

    changed = lean.with_alias(configuration)

    assert 'find: "rehype-raw"' in changed
    assert "no_raw_html.js" in PATHS
    assert lean.with_alias(changed) == changed
    with pytest.raises(ValueError, match=r"vite\.config\.js"):
        lean.with_alias("export default {}")


@pytest.mark.parametrize("palette", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_can_be_read_and_controls_can_be_seen(palette: dict[str, str]) -> None:
    weak = [
        f"{a} on {b}: {contrast(palette[a], palette[b]):.2f}" for a, b in READ if contrast(palette[a], palette[b]) < 4.5
    ]
    weak += [
        f"{a} by {b}: {contrast(palette[a], palette[b]):.2f}" for a, b in SEEN if contrast(palette[a], palette[b]) < 3
    ]

    assert not weak


def test_light_and_dark_fill_the_same_roles() -> None:
    assert theme.LIGHT.keys() == theme.DARK.keys()
    assert set(theme.ALIASES.values()) <= theme.LIGHT.keys()


def contrast(first: str, second: str) -> float:
    """Return the contrast of two OKLCH colours as WCAG counts it."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of an OKLCH colour."""
    lightness, chroma, hue = (float(number) for number in re.findall(r"[\d.]+", colour)[:3])
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long, medium, short = (
        (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3,
        (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3,
        (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3,
    )
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    red, green, blue = (min(max(part, 0), 1) for part in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
