"""Set-up, signing in and out, and what a stranger sees."""

import re

from playwright.sync_api import expect

from tests.e2e.conftest import choose, expect_status, say, sign_in
from tests.site import EMAIL, running_site

SETUP_LINK = re.compile(r"http://\S+/setup\S*#token=[A-Za-z0-9_-]{43}")


def test_the_one_time_link_makes_the_owner_who_can_then_talk(tmp_path, window):
    with running_site(tmp_path, MYGPT_ADMIN_EMAIL="", MYGPT_ADMIN_PASSWORD="") as site:
        link = SETUP_LINK.search(site.logged())[0]
        page = window(site, signed_in=False)
        page.goto(link)

        page.get_by_label(re.compile("e-?mail", re.I)).fill("ann@example.org")
        page.get_by_label(re.compile("name", re.I)).first.fill("ann")
        page.get_by_label(re.compile("^password", re.I)).fill("correct horse battery staple")
        page.get_by_role("button", name=re.compile("create|set up|finish|start", re.I)).click()

        expect(page.get_by_test_id("composer")).to_be_visible()
        choose(page, "scripted:echo")
        say(page, "first words")
        expect_status(page, "complete")

        again = window(site, signed_in=False)
        again.goto(link)
        again.get_by_label(re.compile("e-?mail", re.I)).fill("eve@example.org")
        again.get_by_label(re.compile("name", re.I)).first.fill("eve")
        again.get_by_label(re.compile("^password", re.I)).fill("correct horse battery staple")
        again.get_by_role("button", name=re.compile("create|set up|finish|start", re.I)).click()
        expect(again.get_by_role("alert")).to_be_visible()
        again.context.close()
        page.context.close()


def test_a_wrong_password_is_told_and_nothing_typed_is_lost(site, window):
    page = window(site, signed_in=False, path="/login/")
    page.get_by_test_id("login-email").fill(EMAIL)
    page.get_by_test_id("login-password").fill("this is not the password")

    page.get_by_test_id("login-submit").click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_test_id("login-email")).to_have_value(EMAIL)


def test_a_stranger_is_sent_to_sign_in(site, window):
    page = window(site, signed_in=False, path="/")

    expect(page).to_have_url(re.compile(r"/login/?\?why=session"))
    expect(page.get_by_test_id("login-email")).to_be_visible()


def test_signing_out_here_ends_it_in_every_tab_and_back_shows_nothing(site, window):
    page = window(site)
    choose(page, "scripted:echo")
    say(page, "a private word")
    expect_status(page, "complete")
    other = page.context.new_page()
    place = page.url
    other.goto(place)
    expect(other.get_by_text("a private word").first).to_be_visible()

    page.get_by_test_id("user-menu").click()
    page.get_by_test_id("logout").click()

    expect(page).to_have_url(re.compile("/login"))
    expect(other).to_have_url(re.compile("/login"), timeout=5_000)
    page.goto(place)
    expect(page).to_have_url(re.compile("/login"))
    page.go_back()
    page.wait_for_timeout(500)
    expect(page).to_have_url(re.compile("/login|about:blank"))
    expect(page.get_by_text("a private word")).to_have_count(0)


def test_the_cookie_cannot_be_read_by_scripts(site, window):
    page = window(site)

    assert page.evaluate("() => document.cookie") == ""
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["value"] not in site.logged()


def test_the_next_person_in_the_same_window_sees_nothing_of_the_first(site, window):
    page = window(site)
    page.get_by_test_id("composer").press_sequentially("the draft of the first")
    page.get_by_test_id("user-menu").click()
    page.get_by_test_id("logout").click()
    expect(page).to_have_url(re.compile("/login"))

    assert "the draft of the first" not in str(page.evaluate("() => JSON.stringify({...localStorage})"))
    sign_in(page, site)
    expect(page.get_by_test_id("composer")).to_have_value("")
