"""A person talks: sends, watches, stops, reloads, looks from a second device."""

import random
import re
import time

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import choose, expect_status, replies, say, words

CONVERSATION = re.compile(r"/c/[0-9a-f-]{36}$")
SPOKEN = "Zażółć gęślą jaźń 👩‍👩‍👧‍👦 🇩🇪 👍🏽 漢字かな 안녕하세요 مرحبا naïve café word "


def ask(page, site, script, text):
    """Send a message whose reply is its own text, said as the script tells."""
    choose(page, "scripted:echo")
    say(page, f"#!script {script}\n{text}")


def test_a_message_is_sent_streamed_and_settled(site, window):
    page = window(site)

    ask(page, site, "rate=20", "Hello **world**, this is `code` and more words to come than fit one chunk.")

    expect(page).to_have_url(CONVERSATION)
    expect(page.locator('[data-testid="message"][data-role="user"]').last).to_contain_text("Hello **world**")
    expect_status(page, "streaming")
    expect_status(page, "complete")
    content = replies(page).last.get_by_test_id("message-content")
    expect(content).to_have_text("Hello world, this is code and more words to come than fit one chunk.")
    expect(content.locator("strong, [data-streamdown='strong']")).to_have_text("world")
    expect(page.get_by_test_id("conversation-item").first).to_contain_text("#!script")
    expect(page.get_by_test_id("composer")).to_have_value("")


def test_enter_sends_and_shift_enter_makes_a_line(site, window):
    page = window(site)
    choose(page, "scripted:echo")
    composer = page.get_by_test_id("composer")

    composer.press_sequentially("one")
    composer.press("Shift+Enter")
    composer.press_sequentially("two")
    expect(composer).to_have_value("one\ntwo")
    composer.press("Enter")

    expect_status(page, "complete")
    assert words(page).split() == ["one", "two"]


@pytest.mark.deadline
def test_stop_ends_the_reply_within_a_second_and_continue_goes_on(site, window):
    page = window(site)
    ask(page, site, "rate=20", "word " * 200)
    expect(replies(page).last.get_by_test_id("message-content")).to_contain_text("word word word")

    began = time.monotonic()
    page.get_by_test_id("stop").click()
    expect_status(page, "stopped")

    assert time.monotonic() - began <= 1.0
    kept = words(page).split()
    assert 2 < len(kept) < 200
    page.get_by_test_id("message-continue").click()
    expect_status(page, "complete")
    gone_on = words(page).split()
    assert gone_on[: len(kept) - 1] == kept[:-1]
    assert len(gone_on) > len(kept)


@pytest.mark.deadline
def test_stop_works_while_the_provider_hangs(site, window):
    page = window(site)
    ask(page, site, "rate=50 hang=3", "one two three four five six")
    expect(replies(page).last.get_by_test_id("message-content")).to_contain_text("two")
    page.wait_for_timeout(500)

    began = time.monotonic()
    page.get_by_test_id("stop").click()
    expect_status(page, "stopped")

    assert time.monotonic() - began <= 1.0


@pytest.mark.timeout(300)
def test_twenty_reloads_in_mid_reply_lose_nothing(site, window):
    page = window(site)
    text = (SPOKEN * 45)[:3000].strip()
    ask(page, site, "rate=20 size=8", text)
    expect(page).to_have_url(CONVERSATION)
    expect(replies(page).last.get_by_test_id("message-content")).to_contain_text("Zażółć")
    dice = random.Random(7)

    for _ in range(20):
        page.wait_for_timeout(dice.randrange(20, 900))
        page.reload()
        content = replies(page).last.get_by_test_id("message-content")
        expect(content).to_contain_text("Zażółć")
        seen = " ".join(content.inner_text().split())
        assert " ".join(text.split()).startswith(seen)

    expect_status(page, "complete")
    assert " ".join(words(page).split()) == " ".join(text.split())
    page.reload()
    expect_status(page, "complete")
    expect(replies(page).last.get_by_test_id("message-content")).to_contain_text("café word")
    assert " ".join(words(page).split()) == " ".join(text.split())


def test_a_second_device_sees_the_reply_as_it_is_written(site, window):
    first = window(site)
    ask(first, site, "rate=15", "alpha beta gamma delta " * 15)
    expect(first).to_have_url(CONVERSATION)
    expect(replies(first).last.get_by_test_id("message-content")).to_contain_text("alpha")

    second = window(site, path=first.url.removeprefix(site.url))
    expect_status(second, "streaming")
    expect(replies(second).last.get_by_test_id("message-content")).to_contain_text("delta alpha")
    expect_status(second, "complete")
    expect_status(first, "complete")

    assert words(second) == words(first) == ("alpha beta gamma delta " * 15).strip()


def test_what_one_device_sends_appears_on_the_other(site, window):
    first = window(site)
    ask(first, site, "rate=0", "the first message")
    expect(first).to_have_url(CONVERSATION)
    expect_status(first, "complete")
    second = window(site, path=first.url.removeprefix(site.url))
    expect_status(second, "complete")

    ask(first, site, "rate=0", "the second message")

    expect(replies(second)).to_have_count(2, timeout=5_000)
    expect(replies(second).last.get_by_test_id("message-content")).to_have_text("the second message")


def test_a_draft_outlives_a_reload(site, window):
    page = window(site)
    composer = page.get_by_test_id("composer")
    composer.press_sequentially("not sent yet")

    page.reload()

    expect(composer).to_have_value("not sent yet")
    composer.fill("")


def test_a_double_enter_sends_once(site, window):
    page = window(site)
    choose(page, "scripted:echo")
    composer = page.get_by_test_id("composer")
    composer.fill("only once")

    composer.press("Enter")
    composer.press("Enter")

    expect_status(page, "complete")
    expect(page.locator('[data-testid="message"][data-role="user"]')).to_have_count(1)


def test_a_failed_reply_says_what_happened_and_how_to_go_on(site, window):
    page = window(site)

    ask(page, site, "fail=busy@0", "never heard")

    expect_status(page, "failed")
    reply = replies(page).last
    expect(reply).not_to_contain_text("Traceback")
    choose(page, "guide:" + guide_model(page))
    reply.get_by_test_id("message-retry").click()
    expect_status(page, "complete")
    expect(replies(page)).to_have_count(1)
    assert words(page)


def test_a_reply_that_breaks_keeps_its_words(site, window):
    page = window(site)

    ask(page, site, "rate=100 fail=connection@4", "one two three four five six")

    expect_status(page, "interrupted")
    assert words(page).startswith("one two three")
    expect(page.get_by_test_id("message-continue")).to_be_visible()


def test_the_guide_answers_when_nothing_is_configured(site, window):
    page = window(site)
    choose(page, "guide:" + guide_model(page))

    say(page, "How do I add a key for OpenAI?")

    expect_status(page, "complete")
    assert "OPENAI_API_KEY" in words(page)
    assert "no AI" in words(page) or "not an AI" in words(page)


def guide_model(page):
    options = page.get_by_test_id("model-select").locator("option").all()
    (value,) = [
        option.get_attribute("value") for option in options if "guide:" in (option.get_attribute("value") or "")
    ]
    return value.partition(":")[2]
