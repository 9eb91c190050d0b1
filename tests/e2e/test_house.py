"""The page as a house: list, names, theme, phone, and text that must stay text."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import choose, expect_status, replies, say

CONVERSATION = re.compile(r"/c/[0-9a-f-]{36}$")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
HOSTILE = """\
<img src=x onerror="window.hacked=1"> <script>window.hacked=1</script>
<iframe srcdoc="<script>parent.hacked=1</script>">
<svg onload="window.hacked=1"></svg> <style>body{display:none}</style>
<form action="https://evil.example"><input></form>

![remote](https://evil.example/pixel.png) ![ref][r] [click](javascript:window.hacked=1) [data](data:text/html,x)

[r]: https://evil.example/reference.png

```mermaid
%%{init: {"themeCSS": "* { background: url(https://evil.example/css) }"}}%%
graph TD; A["<img src=x onerror=window.hacked=1>"] --> B
```

$$\\href{javascript:window.hacked=1}{x}$$ and the end"""


def talk(page, text):
    choose(page, "scripted:echo")
    say(page, f"#!script rate=0\n{text}")
    expect(page).to_have_url(CONVERSATION)
    expect_status(page, "complete")


def test_a_conversation_can_be_renamed_deleted_and_brought_back(site, window):
    page = window(site)
    talk(page, "to be renamed")
    place = page.url
    item = page.get_by_test_id("conversation-item").filter(has_text="#!script").first

    item.hover()
    item.get_by_role("button").click()
    page.get_by_role("menuitem", name=re.compile("rename", re.I)).click()
    page.get_by_role("dialog").get_by_role("textbox").fill("A new name")
    page.get_by_role("dialog").get_by_role("textbox").press("Enter")
    renamed = page.get_by_test_id("conversation-item").filter(has_text="A new name")
    expect(renamed).to_be_visible()

    renamed.hover()
    renamed.get_by_role("button").click()
    page.get_by_role("menuitem", name=re.compile("delete", re.I)).click()
    expect(renamed).to_have_count(0)
    expect(page).to_have_url(f"{site.url}/")

    page.get_by_test_id("notice").get_by_role("button", name=re.compile("undo", re.I)).click()
    expect(renamed).to_be_visible()
    expect(page).to_have_url(place)
    expect_status(page, "complete")


def test_the_theme_is_kept(site, window):
    page = window(site, color_scheme="light")
    colour = "() => getComputedStyle(document.body).color"
    light = page.evaluate(colour)

    for _ in range(3):  # light, dark and system in some order
        page.get_by_test_id("theme-toggle").click()
        if page.get_by_role("menuitemradio").count():
            page.get_by_role("menuitemradio", name=re.compile("dark", re.I)).click()
        page.wait_for_timeout(300)
        if page.evaluate(colour) != light:
            break

    dark = page.evaluate(colour)
    assert dark != light
    page.reload()
    expect(page.get_by_test_id("composer")).to_be_visible()
    assert page.evaluate(colour) == dark


def test_on_a_phone_the_list_is_a_drawer_and_nothing_scrolls_sideways(site, window):
    page = window(site, **PHONE)
    talk(
        page,
        "x" * 300 + "\n\n```\n" + "long code line " * 30 + "\n```\n\n| a | b |\n|---|---|\n| " + "w" * 200 + " | 2 |",
    )

    sideways = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert sideways <= 0
    expect(page.get_by_test_id("conversation-list")).not_to_be_in_viewport()
    page.get_by_role("button", name=re.compile("sidebar|menu|conversations", re.I)).first.click()
    expect(page.get_by_test_id("conversation-list")).to_be_in_viewport()


def test_nothing_in_a_reply_runs_or_reaches_out(site, window, watch):
    page = window(site)

    talk(page, HOSTILE)

    content = replies(page).last.get_by_test_id("message-content")
    expect(content).to_contain_text("and the end")
    page.wait_for_timeout(1500)
    assert page.evaluate("() => window.hacked") is None
    assert content.locator("img[src*='evil'], iframe, script, form, object, a[href^='javascript']").count() == 0
    expect(content).to_contain_text("onerror")
    assert watch.foreign == []
    # The diagram library parses a label's HTML to clean it; the policy blocks the handler there and says so.
    watch.problems[:] = [problem for problem in watch.problems if "Executing inline event handler" not in problem]


def test_markdown_code_formulas_and_diagrams_are_shown(site, window):
    page = window(site)

    talk(
        page,
        "# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint('hi')\n```\n\n"
        "$$\\int_0^1 x$$\n\n```mermaid\ngraph TD; A-->B\n```\n",
    )

    content = replies(page).last.get_by_test_id("message-content")
    expect(content.get_by_role("heading", name="Title")).to_be_visible()
    expect(content.get_by_role("cell", name="2")).to_be_visible()
    expect(content.locator(".katex").first).to_be_visible()
    expect(content.locator("svg[id*=mermaid], [data-streamdown*=mermaid] svg").first).to_be_visible()
    expect(content.get_by_role("button", name=re.compile("copy", re.I)).first).to_be_visible()


def test_a_conversation_that_is_not_mine_looks_like_one_that_never_was(site, window):
    page = window(site, path="/c/01a2060b-a1f7-7067-9958-0d4cb01bc987")

    expect(page.get_by_test_id("message")).to_have_count(0)
    expect(page.get_by_role("heading", name="This conversation is not here")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("link", name="New conversation")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_installs_as_an_app(site, window, theme):
    page = window(site, color_scheme=theme)

    manifest = page.evaluate("async () => (await fetch(document.querySelector('link[rel=manifest]').href)).json()")

    assert manifest["display"] == "standalone"
    sizes = {icon["sizes"] for icon in manifest["icons"]}
    assert {"192x192", "512x512"} <= sizes
    for icon in manifest["icons"]:
        answer = page.request.get(site.url + icon["src"])
        assert answer.ok
        assert answer.headers["content-type"].startswith("image/")
