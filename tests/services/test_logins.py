"""Login sessions: what opens them, what ends them, and who is behind a cookie."""

import asyncio
import hashlib
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update
from sqlmodel import Session, col, select

from mygpt.database import Database
from mygpt.errors import NotFound, NotSignedIn, ServiceBusy
from mygpt.services import accounts, logins
from mygpt.services.access import Actor
from mygpt.tables.accounts import Account, AccountRole, AccountStatus, LoginSession, OneTimeToken
from mygpt.tables.base import now

BROWSER = logins.Browser(idle_s=3600, max_s=86400, ip="127.0.0.1", user_agent="a browser")
PASSWORD = "correct horse battery staple"


def _open(database: Database, who: Actor, replaces: str = "") -> logins.NewLogin:
    return database.run_sync(logins.open_session, who.account_id, BROWSER, replaces=replaces)


def _row(database: Database, session_id: str) -> LoginSession:
    def read(session: Session) -> LoginSession:
        return session.exec(select(LoginSession).where(col(LoginSession.id) == session_id)).one()

    return database.read_sync(read)


def _set(database: Database, session_id: str, **values: datetime) -> None:
    def write(session: Session) -> None:
        session.exec(update(LoginSession).where(col(LoginSession.id) == session_id).values(**values))

    database.run_sync(write)


def _set_status(database: Database, who: Actor, status: AccountStatus) -> None:
    def write(session: Session) -> None:
        accounts.get(session, who.account_id).status = status

    database.run_sync(write)


def _without(database: Database, secret: str) -> bool:
    def read(session: Session) -> bool:
        rows = [*session.exec(select(LoginSession)).all(), *session.exec(select(OneTimeToken)).all()]
        return not any(secret in str(row.model_dump()) for row in rows)

    return database.read_sync(read)


def test_a_cookie_leads_to_its_person_and_is_stored_nowhere(database: Database, alice: Actor) -> None:
    token, session_id = _open(database, alice)
    found = database.read_sync(logins.find_session, token)
    assert found is not None
    assert (found.account_id, found.session_id, found.role) == (alice.account_id, session_id, AccountRole.MEMBER)
    assert (found.name, found.email) == ("alice", "alice@example.org")
    assert _row(database, session_id).token_sha256 == hashlib.sha256(token.encode()).hexdigest()
    assert _without(database, token)


def test_tokens_are_all_different_and_43_characters_long(database: Database, alice: Actor) -> None:
    def open_many(session: Session) -> list[str]:
        return [logins.open_session(session, alice.account_id, BROWSER).token for _ in range(50)]

    tokens = database.run_sync(open_many)
    assert len(set(tokens)) == 50
    assert all(logins.TOKEN.match(token) for token in tokens)


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "' OR 1=1 --", "x" * 1_000_000, "\0" * 43, "é" * 43])
def test_a_made_up_cookie_is_nobodys(database: Database, alice: Actor, token: str) -> None:
    _open(database, alice)
    assert database.read_sync(logins.find_session, token) is None


@pytest.mark.parametrize("column", ["idle_expires_at", "absolute_expires_at", "revoked_at"])
def test_an_ended_session_is_nobodys(database: Database, alice: Actor, column: str) -> None:
    token, session_id = _open(database, alice)
    _set(database, session_id, **{column: now() - timedelta(seconds=1)})
    assert database.read_sync(logins.find_session, token) is None
    assert database.read_sync(logins.live_ids, [session_id]) == set()


@pytest.mark.parametrize("status", [AccountStatus.DISABLED, AccountStatus.PENDING])
def test_an_account_that_may_not_sign_in_has_no_sessions(
    database: Database, alice: Actor, status: AccountStatus
) -> None:
    token, session_id = _open(database, alice)
    _set_status(database, alice, status)
    assert database.read_sync(logins.find_session, token) is None
    assert database.read_sync(logins.live_ids, [session_id]) == set()


def test_signing_in_again_makes_a_new_token_and_kills_the_old_one(database: Database, alice: Actor) -> None:
    first = _open(database, alice)
    second = _open(database, alice, replaces=first.session_id)
    assert second.token != first.token
    assert database.read_sync(logins.find_session, first.token) is None
    assert _row(database, second.session_id).rotated_from == first.session_id
    assert _row(database, first.session_id).revoke_reason == "rotated"


async def test_a_password_that_changed_meanwhile_opens_nothing(database: Database, alice: Actor) -> None:
    seen = database.read_sync(accounts.get, alice.account_id)

    def change(session: Session) -> None:
        accounts.get(session, alice.account_id).password_hash = "another"

    database.run_sync(change)
    with pytest.raises(NotSignedIn):
        database.run_sync(logins.sign_in, seen, BROWSER)


def test_a_renewed_hash_is_stored_when_signing_in(database: Database, alice: Actor) -> None:
    seen = database.read_sync(accounts.get, alice.account_id)
    new = database.run_sync(logins.sign_in, seen, BROWSER, new_hash="renewed")
    assert database.read_sync(accounts.get, alice.account_id).password_hash == "renewed"
    assert database.read_sync(logins.find_session, new.token) is not None


def test_another_person_signing_in_ends_the_session_the_browser_had(
    database: Database, alice: Actor, bob: Actor
) -> None:
    first = _open(database, alice)
    second = _open(database, bob, replaces=first.session_id)
    assert database.read_sync(logins.find_session, first.token) is None
    assert _row(database, second.session_id).rotated_from is None


def test_the_eleventh_session_ends_the_oldest(database: Database, alice: Actor, bob: Actor) -> None:
    others = _open(database, bob)
    opened = [_open(database, alice) for _ in range(logins.SESSIONS_PER_ACCOUNT + 1)]
    live = database.read_sync(logins.live_ids, [login.session_id for login in (*opened, others)])
    assert live == {login.session_id for login in (*opened[1:], others)}
    assert _row(database, opened[0].session_id).revoke_reason == "too_many"


def test_ending_all_sessions_of_a_person_can_keep_this_one(database: Database, alice: Actor, bob: Actor) -> None:
    here, there, others = _open(database, alice), _open(database, alice), _open(database, bob)
    ended = database.run_sync(logins.revoke_all, alice.account_id, "password", keep=here.session_id)
    assert ended == [there.session_id]
    live = database.read_sync(logins.live_ids, [here.session_id, there.session_id, others.session_id])
    assert live == {here.session_id, others.session_id}


def test_a_session_ends_once(database: Database, alice: Actor) -> None:
    _, session_id = _open(database, alice)
    assert database.run_sync(logins.revoke, session_id, "logout") is True
    assert database.run_sync(logins.revoke, session_id, "logout") is False


async def test_a_revoked_session_is_forgotten_at_once_in_this_process(database: Database, alice: Actor) -> None:
    _, session_id = _open(database, alice)
    assert await logins.find_actor(session_id) is not None
    await database.run(logins.revoke, session_id, "logout")
    assert await logins.find_actor(session_id) is None


@pytest.mark.deadline
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_another_process_changed_is_seen_within_five_seconds(database: Database, alice: Actor) -> None:
    _, session_id = _open(database, alice)
    assert await logins.find_actor(session_id) is not None
    _set_status(database, alice, AccountStatus.DISABLED)
    await asyncio.sleep(5.05)
    assert await logins.find_actor(session_id) is None


async def test_a_session_is_not_remembered_beyond_its_end(database: Database, alice: Actor) -> None:
    _, session_id = _open(database, alice)
    _set(database, session_id, idle_expires_at=now() + timedelta(seconds=0.3))
    assert await logins.find_actor(session_id) is not None
    await asyncio.sleep(0.35)
    assert await logins.find_actor(session_id) is None


async def test_only_what_a_person_does_moves_the_idle_time_out(database: Database, alice: Actor) -> None:
    _, session_id = _open(database, alice)
    long_ago = now() - timedelta(minutes=10)
    _set(database, session_id, last_seen_at=long_ago)
    await logins.find_actor(session_id)
    assert _row(database, session_id).last_seen_at == long_ago
    await logins.find_actor(session_id, idle_s=3600)
    moved = _row(database, session_id)
    assert now() - moved.last_seen_at < timedelta(seconds=10)
    assert moved.idle_expires_at - moved.last_seen_at == timedelta(seconds=3600)


async def test_activity_is_written_at_most_once_a_minute(database: Database, alice: Actor) -> None:
    _, session_id = _open(database, alice)
    _set(database, session_id, last_seen_at=now() - timedelta(seconds=61))
    await asyncio.gather(*(logins.find_actor(session_id, idle_s=3600) for _ in range(10)))
    first = _row(database, session_id).updated_at
    for _ in range(10):
        await logins.find_actor(session_id, idle_s=3600)
    assert _row(database, session_id).updated_at == first


async def test_activity_cannot_outlast_the_absolute_end(database: Database, alice: Actor) -> None:
    _, session_id = _open(database, alice)
    end = now() + timedelta(minutes=5)
    _set(database, session_id, last_seen_at=now() - timedelta(minutes=2), absolute_expires_at=end)
    await logins.find_actor(session_id, idle_s=3600)
    assert _row(database, session_id).idle_expires_at == end


async def test_a_right_password_is_right_and_a_wrong_one_is_not() -> None:
    hashed = await logins.hash_password(PASSWORD)
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await logins.verify_password(PASSWORD, hashed)) == (True, None)
    assert (await logins.verify_password(PASSWORD + " ", hashed)) == (False, None)


async def test_every_spelling_of_an_umlaut_is_the_same_password() -> None:
    hashed = await logins.hash_password("zwölf Boxkämpfer jagen")
    assert (await logins.verify_password("zwo\u0308lf Boxka\u0308mpfer jagen", hashed)).is_right


async def test_every_character_of_a_long_password_matters() -> None:
    hashed = await logins.hash_password("x" * 127 + "y")
    assert not (await logins.verify_password("x" * 128, hashed)).is_right


@pytest.mark.parametrize("password", ["", "\ud800" * 20, "x" * 5000, "\0" * 20])
async def test_a_strange_password_is_simply_wrong(password: str) -> None:
    hashed = await logins.hash_password(PASSWORD)
    assert not (await logins.verify_password(password, hashed)).is_right


async def test_a_hash_by_older_rules_is_renewed() -> None:
    from passlib.context import CryptContext

    older = CryptContext(["argon2"], argon2__memory_cost=1024, argon2__time_cost=1, argon2__parallelism=1)
    verdict = await logins.verify_password(PASSWORD, older.hash(PASSWORD))
    assert verdict.is_right
    assert verdict.new_hash is not None
    assert (await logins.verify_password(PASSWORD, verdict.new_hash)) == (True, None)


async def test_an_unknown_account_costs_a_whole_hash_too() -> None:
    hashed = await logins.hash_password(PASSWORD)
    await logins.verify_password("warm", None)

    async def fastest(against: str | None) -> float:
        loop, times = asyncio.get_running_loop(), []
        for _ in range(5):
            start = loop.time()
            assert not (await logins.verify_password("something else entirely", against)).is_right
            times.append(loop.time() - start)
        return min(times)

    assert await fastest(None) > 0.3 * await fastest(hashed)


async def test_too_many_passwords_at_once_are_refused_and_the_rest_are_served() -> None:
    wanted = logins.HASH_THREADS + logins.HASH_QUEUE + 10
    results = await asyncio.gather(*(logins.verify_password("x", None) for _ in range(wanted)), return_exceptions=True)
    assert sum(isinstance(result, ServiceBusy) for result in results) == 10
    assert sum(isinstance(result, logins.Verdict) for result in results) == wanted - 10
    assert not (await logins.verify_password("x", None)).is_right


def test_the_csrf_value_belongs_to_one_session_and_one_secret() -> None:
    values = {logins.csrf(secret, session) for secret in (b"a" * 32, b"b" * 32) for session in ("s1", "s2")}
    assert len(values) == 4


@pytest.mark.parametrize("address", ["/", "/c/0189-abc", "/settings?tab=keys#top", "/c/1?x=//y"])
def test_a_path_of_this_site_may_follow_signing_in(address: str) -> None:
    assert logins.safe_next(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "//evil", "/\\evil", "\\\\evil", "https:evil", "https://evil", "javascript:alert(1)", "evil", "/\t/evil",
     "/\n/evil", "/x\\y", "/a//evil", "/..//evil", " /x", "/x y", "/é", "/login?next=/", "/auth/logout",
     "/" + "x" * 600],
)  # fmt: skip
def test_anything_else_leads_home(address: str) -> None:
    assert logins.safe_next(address) == "/"


def test_the_set_up_link_makes_the_owner_once(database: Database) -> None:
    token = database.run_sync(logins.issue_setup_token)
    assert token is not None
    assert _without(database, token)
    owner = database.run_sync(logins.set_up_owner, token, email="a@example.org", username="a", password_hash="-")
    assert owner.role == AccountRole.OWNER
    with pytest.raises(NotFound) as again:
        database.run_sync(logins.set_up_owner, token, email="b@example.org", username="b", password_hash="-")
    assert again.value.text_code == "setup_link_invalid"


def test_a_new_set_up_link_voids_the_older_one(database: Database) -> None:
    older, newer = database.run_sync(logins.issue_setup_token), database.run_sync(logins.issue_setup_token)
    assert older is not None
    assert newer is not None
    with pytest.raises(NotFound):
        database.read_sync(logins.check_setup_token, older)
    database.read_sync(logins.check_setup_token, newer)


def test_there_is_no_set_up_link_once_there_is_an_account(database: Database) -> None:
    token = database.run_sync(logins.issue_setup_token)
    assert token is not None
    database.run_sync(accounts.create_admin, email="a@example.org", password_hash="-")
    assert database.run_sync(logins.issue_setup_token) is None
    with pytest.raises(NotFound):
        database.run_sync(logins.set_up_owner, token, email="b@example.org", username="b", password_hash="-")


def test_a_set_up_link_lasts_a_day(database: Database) -> None:
    token = database.run_sync(logins.issue_setup_token)
    assert token is not None

    def age(session: Session) -> None:
        session.exec(update(OneTimeToken).values(expires_at=now() - timedelta(seconds=1)))

    database.run_sync(age)
    with pytest.raises(NotFound):
        database.read_sync(logins.check_setup_token, token)


async def test_of_two_set_ups_at_once_exactly_one_wins(database: Database) -> None:
    token = await database.run(logins.issue_setup_token)
    assert token is not None

    def set_up(number: int) -> Account:
        name = f"owner{number}"
        return database.run_sync(
            logins.set_up_owner, token, email=f"{name}@example.org", username=name, password_hash="-"
        )

    results = await asyncio.gather(*(asyncio.to_thread(set_up, number) for number in range(8)), return_exceptions=True)
    assert sum(isinstance(result, Account) for result in results) == 1
    assert sum(isinstance(result, NotFound) for result in results) == 7
    assert await database.read(accounts.count) == 1
