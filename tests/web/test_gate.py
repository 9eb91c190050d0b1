"""The Gate: who may call which handler, with which arguments, and what a refused or failed event says."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mygpt.i18n import translate
from mygpt.services import logins
from mygpt.tables.accounts import AccountRole
from mygpt.web.gate import EVENTS, FRAMEWORK, PAGE_ERROR, PAGE_ERRORS
from tests.http import wire
from tests.http.running import Site

DESK = f"{wire.STATE}.tests___http___site____desk"
ROOT = Path(__file__).resolve().parent.parent.parent
NOT_ALLOWED = translate("error.not_allowed")
INVALID = translate("error.invalid_input")

# Every handler Reflex brings along. A new name here after an upgrade wants a decision: FRAMEWORK, or denied.
OF_REFLEX = {
    "hydrate",
    "hydrate_and_load",
    "reflex___istate___shared____shared_state_base_internal.setvar",
    "set_is_hydrated",
    "setvar",
    "reflex___state____frontend_event_exception_state.handle_frontend_exception",
    "reflex___state____frontend_event_exception_state.setvar",
    "reflex___state____on_load_internal_state.on_load_internal",
    "reflex___state____on_load_internal_state.set_is_hydrated",
    "reflex___state____on_load_internal_state.setvar",
    "reflex___state____update_vars_internal_state.setvar",
    "reflex___state____update_vars_internal_state.update_vars_internal",
}

LIST_HANDLERS = """
import json
import mygpt.mygpt
from reflex_base.registry import RegistrationContext
handlers = RegistrationContext.get().event_handlers
print(json.dumps([
    (name, fn.__module__, getattr(fn, "__access__", None), hasattr(fn, "__arguments__"))
    for name, fn in ((name, item.handler.fn) for name, item in handlers.items())
]))
"""


Registered = list[tuple[str, str, str | None, bool]]


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    """Every handler of the whole site: its name, module, access, and whether its arguments have a model."""
    folder = str(tmp_path_factory.mktemp("data"))
    environment = {**os.environ, "MYGPT_DATA_DIR": folder, "__REFLEX_SKIP_COMPILE": "true"}
    listed = subprocess.run(
        [sys.executable, "-c", LIST_HANDLERS], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert listed.returncode == 0, listed.stderr
    return [tuple(item) for item in json.loads(listed.stdout.splitlines()[-1])]


def test_every_handler_of_the_site_says_who_may_call_it(registered: Registered) -> None:
    ours = [item for item in registered if item[1].startswith("mygpt")]
    assert len(ours) > 10
    assert [name for name, _, access, _ in ours if access is None and not name.endswith(".setvar")] == []
    assert [name for name, _, access, has_model in ours if access is not None and not has_model] == []
    assert {access for _, _, access, _ in ours if access} <= {"public", "member", "admin", "owner"}


def test_what_reflex_registers_is_known(registered: Registered) -> None:
    names = {name for name, module, _, _ in registered if module.startswith("reflex")}
    of_reflex = {name.removeprefix(f"{wire.STATE}.") for name in names if "mygpt" not in name}
    of_ours = {name for name in names if "mygpt" in name}
    assert of_reflex == OF_REFLEX
    assert all(name.endswith(".setvar") for name in of_ours)
    assert {name.removeprefix(f"{wire.STATE}.") for name in FRAMEWORK | {PAGE_ERROR}} <= OF_REFLEX


async def _page(site: Site, name: str, role: AccountRole = AccountRole.MEMBER) -> str:
    return site.cookie(site.person(name, role))[0]


async def _answer(site: Site, cookie: str, handler: str, payload: dict[str, Any] | None = None) -> wire.Wire:
    """Send one event from a hydrated page and return what came of it: a note, a notice or a redirect."""
    async with wire.page(site.port, cookie=cookie) as page:
        await page.until(lambda seen: bool(seen.var("desk.who") or seen.redirect))
        page.events.clear()
        await page.send(handler, payload)
        await page.until(lambda seen: bool(seen.var("desk.note") or seen.notice or seen.redirect))
        return page


async def test_a_member_may_call_what_members_may(site: Site) -> None:
    cookie = await _page(site, "gate_member")
    seen = await _answer(site, cookie, f"{DESK}.write", {"text": "ab", "times": 2})
    assert seen.var("desk.note") == "abab"
    assert seen.notice == ""


async def test_an_argument_left_out_has_its_default(site: Site) -> None:
    seen = await _answer(site, await _page(site, "gate_default"), f"{DESK}.write", {"text": "ab"})
    assert seen.var("desk.note") == "ab"


@pytest.mark.parametrize(
    "payload",
    [{}, {"text": 1}, {"text": None}, {"text": {"a": 1}}, {"text": ["x"]}, {"text": ""}, {"text": "x" * 21},
     {"text": "x", "times": "2"}, {"text": "x", "times": True}, {"text": "x", "times": 1.5}, {"text": "x", "times": 11},
     {"text": "x", "more": 1}, {"text": "x", "self": "y"}, {"text": "half \ud83d pair"}],
)  # fmt: skip
async def test_wrong_arguments_are_refused(site: Site, payload: dict[str, Any]) -> None:
    seen = await _answer(site, await _page(site, wire.new_token()), f"{DESK}.write", payload)
    assert seen.var("desk.note") == ""
    assert seen.notice == INVALID


@pytest.mark.parametrize(
    ("handler", "payload"),
    [
        (f"{DESK}.rule", {}),
        (f"{DESK}.own", {}),
        (f"{DESK}.chain", {}),
        (f"{DESK}.undeclared", {}),
        (f"{DESK}.helper", {}),
        (f"{DESK}.set_note", {"value": "set"}),
        (f"{DESK}.setvar", {"var_name": "note", "value": "set"}),
        (f"{wire.STATE}.setvar", {"var_name": "is_hydrated", "value": False}),
        (f"{wire.STATE}.hydrate", {}),
        (f"{wire.STATE}.set_is_hydrated", {"value": False}),
        (f"{wire.STATE}.reflex___state____update_vars_internal_state.update_vars_internal", {"vars": {"note": "set"}}),
    ],
)
async def test_a_member_may_call_nothing_else(site: Site, handler: str, payload: dict[str, Any]) -> None:
    seen = await _answer(site, await _page(site, wire.new_token()), handler, payload)
    assert seen.var("desk.note") == ""
    assert seen.var("state.is_hydrated") is True
    assert seen.notice == NOT_ALLOWED


@pytest.mark.parametrize("handler", ["_private", "__class__", "no_such", "note"])
async def test_what_is_no_handler_is_not_called(site: Site, handler: str) -> None:
    async with wire.page(site.port, cookie=await _page(site, wire.new_token())) as page:
        await page.until(lambda seen: bool(seen.var("desk.who")))
        await page.send(f"{DESK}.{handler}")
        await page.quiet()
        assert page.var("desk.note") == ""


@pytest.mark.parametrize(
    ("role", "rules", "owns"),
    [(AccountRole.MEMBER, False, False), (AccountRole.ADMIN, True, False), (AccountRole.OWNER, True, True)],
)
async def test_roles_include_each_other_upwards(site: Site, role: AccountRole, rules: bool, owns: bool) -> None:
    cookie = await _page(site, f"role_{role}", role)
    assert ((await _answer(site, cookie, f"{DESK}.rule")).var("desk.note") == "ruled") is rules
    assert ((await _answer(site, cookie, f"{DESK}.own")).var("desk.note") == "owned") is owns
    assert ((await _answer(site, cookie, f"{DESK}.chain")).var("desk.note") == "chained") is rules


@pytest.mark.parametrize("handler", ["write", "rule", "chain", "tick"])
async def test_a_stranger_is_asked_to_sign_in(site: Site, handler: str) -> None:
    seen = await _answer(site, "", f"{DESK}.{handler}", {"text": "x"} if handler == "write" else {})
    assert "/login?why=session" in seen.redirect
    assert seen.var("desk.note") == ""


async def test_a_stranger_may_call_what_everybody_may(site: Site) -> None:
    assert (await _answer(site, "", f"{DESK}.wave")).var("desk.note") == "waved"


async def test_the_page_a_stranger_wanted_is_remembered_if_it_is_ours(site: Site) -> None:
    async with wire.page(site.port, path="/c/0189-abc") as page:
        await page.send(f"{DESK}.write", {"text": "x"}, path="/c/0189-abc")
        await page.until(lambda seen: "next=%2Fc%2F0189-abc" in seen.redirect)
        page.events.clear()
        await page.send(f"{DESK}.write", {"text": "x"}, path="//evil.example")
        await page.until(lambda seen: bool(seen.redirect))
        assert "evil" not in page.redirect


async def test_an_expected_failure_says_its_own_text(site: Site) -> None:
    seen = await _answer(site, await _page(site, "gate_miss"), f"{DESK}.miss")
    assert seen.notice == translate("error.account_not_found")


async def test_a_failure_in_the_background_says_its_own_text_too(site: Site) -> None:
    seen = await _answer(site, await _page(site, "gate_tick"), f"{DESK}.tick")
    assert (seen.var("desk.ticks"), seen.var("desk.who")) == (3, "gate_tick")
    assert seen.notice == translate("error.account_not_found")


async def test_a_bug_shows_the_number_the_log_has_it_under(site: Site) -> None:
    seen = await _answer(site, await _page(site, "gate_crash"), f"{DESK}.crash")
    lines = [json.loads(line) for line in site.log.splitlines() if '"event failed"' in line]
    last = lines[-1]
    assert "canary-in-the-crash" in last["exc_info"]
    assert seen.notice == translate("error.unexpected_reference", reference=last["request_id"])
    assert len(last["request_id"]) == 32
    assert "canary" not in seen.text


async def test_a_chained_event_goes_on_under_the_request_id_of_the_first(site: Site) -> None:
    seen = await _answer(site, await _page(site, "gate_begin"), f"{DESK}.begin")
    begun = next(json.loads(line) for line in site.log.splitlines() if '"begun"' in line)
    assert begun["request_id"] in seen.notice


async def test_asking_who_is_there_sends_a_stranger_to_sign_in(site: Site) -> None:
    seen = await _answer(site, "", f"{DESK}.ask_actor_as_anybody")
    assert "/login?why=session" in seen.redirect


async def test_a_client_cannot_choose_the_words_of_a_notice(site: Site) -> None:
    failed = f"{wire.STATE}.mygpt___web___states___notices____notices.failed"
    cookie = await _page(site, "gate_notice")
    assert (await _answer(site, cookie, failed)).notice == translate("error.unexpected")
    assert (await _answer(site, cookie, failed, {"text": "send me money"})).notice == INVALID


async def test_on_a_session_that_has_ended_not_even_the_page_loads(site: Site) -> None:
    cookie, new = site.cookie(site.person("gate_ended"))
    async with wire.opened(site.port, cookie=cookie) as page:
        await page.socket.send("40/_event,")
        site.database.run_sync(logins.revoke, new.session_id, "admin")
        await page.send(wire.HYDRATE, {"vars": {}})
        await page.until(lambda seen: "/login?why=session" in seen.redirect)
        assert page.var("state.is_hydrated") is None


async def test_what_a_page_reports_of_itself_is_short_and_seldom_in_the_log(site: Site) -> None:
    async with wire.page(site.port, cookie=await _page(site, "gate_report")) as page:
        await page.until(lambda seen: bool(seen.var("desk.who")))
        report = "TypeError: Cannot read properties of null\n" + "canary-report " * 100
        for _ in range(PAGE_ERRORS + 5):
            await page.send(PAGE_ERROR, {"info": report, "component_stack": "x" * 1000})
        await page.send(PAGE_ERROR, {"info": {"not": "text"}})
        await page.quiet()
        assert page.events == []  # Reflex would answer with a script to be evaluated
    lines = [json.loads(line) for line in site.log.splitlines() if "canary-report" in line]
    assert len(lines) == PAGE_ERRORS
    assert all(len(line["report"]) <= 500 and "\n" not in line["report"] for line in lines)


async def test_a_person_with_too_many_events_is_asked_to_wait(site: Site) -> None:
    cookie = await _page(site, "gate_flood")
    async with wire.page(site.port, cookie=cookie) as one, wire.page(site.port, cookie=cookie) as two:
        for page in (one, two):
            await page.until(lambda seen: bool(seen.var("desk.who")))
        for page in (one, two):
            for _ in range(EVENTS // 2 + 5):
                await page.send(f"{DESK}.wave")
        await two.until(lambda seen: seen.notice == translate("error.rate_limited"))
        await one.quiet()
    others = await _answer(site, await _page(site, "gate_calm"), f"{DESK}.wave")
    assert others.var("desk.note") == "waved"
