"""Signed-in browsers: passwords, login sessions, and the one-time link that makes the owner.

A browser holds 43 random characters; the database holds their SHA-256. Whoever asks is read from the database, at most
`CACHE_S` ago, so that an ended session or a disabled account ends everywhere.
"""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple, ParamSpec, TypeVar

from passlib.context import CryptContext
from sqlalchemy import ColumnElement, event, update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from mygpt import database
from mygpt.errors import NotFound, NotSignedIn, ServiceBusy
from mygpt.services import accounts
from mygpt.services.access import Actor
from mygpt.tables.accounts import Account, AccountRole, AccountStatus, LoginSession, OneTimeToken
from mygpt.tables.base import now

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

CACHE_S = 5.0
TOUCH_S = 60.0
SESSIONS_PER_ACCOUNT = 10
SETUP_PURPOSE = "setup"
SETUP_LIFETIME = timedelta(hours=24)
HASH_THREADS = 2
HASH_QUEUE = 64
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\Z")
NEXT = re.compile(r"/[!-\[\]-~]{0,500}\Z")  # printable ASCII without the backslash, which browsers read as a slash

_hashing = ThreadPoolExecutor(HASH_THREADS, thread_name_prefix="password")
_room = threading.BoundedSemaphore(HASH_THREADS + HASH_QUEUE)


class Verdict(NamedTuple):
    """Whether a password was right, and its hash by today's rules when the stored one is older."""

    is_right: bool
    new_hash: str | None = None


@cache
def _context() -> CryptContext:
    return CryptContext(
        ["argon2"], argon2__type="ID", argon2__memory_cost=19_456, argon2__time_cost=2, argon2__parallelism=1
    )


@cache
def _nobodys_hash() -> str:
    hashed: str = _context().hash(secrets.token_urlsafe(32))
    return hashed


async def hash_password(password: str) -> str:
    """Hash a password in one of the few threads kept for it; raises `ServiceBusy` when too many wait."""
    return await _in_hashing_thread(_hash, password)


async def verify_password(password: str, hashed: str | None) -> Verdict:
    """Compare a password with a stored hash; without one (an unknown account) it takes as long and is wrong."""
    return await _in_hashing_thread(_verify, password, hashed)


async def _in_hashing_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    if not _room.acquire(blocking=False):
        raise ServiceBusy("too many passwords wait to be hashed")
    call = _hashing.submit(work, *args, **kwargs)
    call.add_done_callback(lambda _: _room.release())
    return await asyncio.wrap_future(call)


def _hash(password: str) -> str:
    hashed: str = _context().hash(accounts.normal_password(password))
    return hashed


def _verify(password: str, hashed: str | None) -> Verdict:
    password = accounts.normal_password(password)
    if len(password) > accounts.PASSWORD_MAX or not _is_encodable(password):
        password, hashed = "", None
    is_right, new_hash = _context().verify_and_update(password, hashed or _nobodys_hash())
    return Verdict(is_right and hashed is not None, new_hash if hashed is not None else None)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class NewLogin(NamedTuple):
    """What a sign-in made: the cookie's value, which is nowhere else, and the session's id."""

    token: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a sign-in came from, and how long it may last."""

    idle_s: int
    max_s: int
    ip: str = ""
    user_agent: str = ""


def open_session(session: Session, account_id: str, browser: Browser, *, replaces: str = "") -> NewLogin:
    """Sign a browser in with a fresh token; the session it had (`replaces`) ends, and the oldest of too many."""
    token, at = secrets.token_urlsafe(32), now()
    ends_at = at + timedelta(seconds=browser.max_s)
    replaced = session.get(LoginSession, replaces) if replaces else None
    row = LoginSession(
        token_sha256=_sha256(token),
        account_id=account_id,
        authenticated_at=at,
        last_seen_at=at,
        idle_expires_at=min(ends_at, at + timedelta(seconds=browser.idle_s)),
        absolute_expires_at=ends_at,
        ip=browser.ip[:45],
        user_agent=browser.user_agent[:255],
        rotated_from=replaced.id if replaced and replaced.account_id == account_id else None,
    )
    session.add(row)
    session.flush()
    if replaced is not None:
        revoke(session, replaced.id, "rotated")
    _end_oldest(session, account_id)
    return NewLogin(token, row.id)


def sign_in(
    session: Session, account: Account, browser: Browser, *, replaces: str = "", new_hash: str | None = None
) -> NewLogin:
    """Open a session for an account whose password was right a moment ago; raises `NotSignedIn` when it has changed."""
    row = accounts.get(session, account.id)
    if row.status != AccountStatus.ACTIVE or row.password_hash != account.password_hash:
        raise NotSignedIn(code="login_failed")
    row.password_hash = new_hash or row.password_hash
    session.add(row)
    return open_session(session, row.id, browser, replaces=replaces)


def _end_oldest(session: Session, account_id: str) -> None:
    newest_first = (
        select(col(LoginSession.id))
        .where(col(LoginSession.account_id) == account_id, *_is_live())
        .order_by(col(LoginSession.authenticated_at).desc(), col(LoginSession.id).desc())
    )
    for session_id in session.exec(newest_first.offset(SESSIONS_PER_ACCOUNT)).all():
        revoke(session, session_id, "too_many")


def find_session(session: Session, token: str) -> Actor | None:
    """Return who a cookie's value belongs to; None when it is nobody's, or not any more."""
    if not TOKEN.match(token):
        return None
    found = session.exec(_who().where(col(LoginSession.token_sha256) == _sha256(token))).one_or_none()
    return _actor(*found) if found else None


async def find_actor(session_id: str, *, idle_s: int = 0) -> Actor | None:
    """Return who a login session belongs to, as it was at most `CACHE_S` ago; None when it has ended.

    `idle_s` says that a person did something just now: the idle time-out moves, written at most once a minute.
    """
    known = _known.get(session_id)
    if known is None:
        known = await _read_again(session_id)
    if known.actor is not None and idle_s and now() - known.seen_at >= timedelta(seconds=min(TOUCH_S, idle_s / 4)):
        _known.put(
            session_id, replace(known, seen_at=now()), _known.generation
        )  # events beside this one need not write
        await _touch(session_id, idle_s)
    return known.actor


async def _read_again(session_id: str) -> "_Known":
    generation = _known.generation
    known = await database.read(_read, session_id)
    _known.put(session_id, known, generation)
    return known


async def _touch(session_id: str, idle_s: int) -> None:
    with contextlib.suppress(ServiceBusy):  # the next event tries again
        await database.run(touch, session_id, idle_s)


def touch(session: Session, session_id: str, idle_s: int) -> None:
    """Move the idle time-out of a live session; the absolute one stays."""
    row = session.exec(select(LoginSession).where(col(LoginSession.id) == session_id, *_is_live())).one_or_none()
    if row is None:
        return
    row.last_seen_at = now()
    row.idle_expires_at = min(row.absolute_expires_at, row.last_seen_at + timedelta(seconds=idle_s))
    session.add(row)


def revoke(session: Session, session_id: str, reason: str) -> bool:
    """End one login session; False when it had ended before."""
    return bool(_revoke(session, col(LoginSession.id) == session_id, reason))


def revoke_all(session: Session, account_id: str, reason: str, *, keep: str = "") -> list[str]:
    """End all login sessions of an account, but `keep`; returns their ids, so that their sockets can be closed."""
    return _revoke(session, (col(LoginSession.account_id) == account_id) & (col(LoginSession.id) != keep), reason)


def _revoke(session: Session, which: ColumnElement[bool], reason: str) -> list[str]:
    ended = session.exec(
        update(LoginSession)
        .where(which, col(LoginSession.revoked_at).is_(None))
        .values(revoked_at=now(), revoke_reason=reason)
        .returning(col(LoginSession.id))
        .execution_options(synchronize_session=False)
    )
    session_ids = list(ended.scalars().all())
    forget(session_ids)
    _forget_after_commit(session, session_ids)
    return session_ids


def live_ids(session: Session, session_ids: Collection[str]) -> set[str]:
    """Return which of the sessions are still good, read afresh."""
    wanted, live = list(session_ids), set[str]()
    for start in range(0, len(wanted), 500):
        some = _who().where(col(LoginSession.id).in_(wanted[start : start + 500]))
        live.update(row.id for row, _ in session.exec(some).all())
    return live


def csrf(secret: bytes, session_id: str) -> str:
    """Return the value a page of this login session must send with what changes something over HTTP."""
    return hmac.new(secret, f"csrf|{session_id}".encode(), hashlib.sha256).hexdigest()


def safe_next(address: str) -> str:
    """Return where to go after signing in: a path of this site, or `/` for anything else."""
    is_path = NEXT.match(address) and "//" not in address.partition("?")[0]
    return address if is_path and not address.startswith(("/login", "/auth/", "/setup")) else "/"


def issue_setup_token(session: Session) -> str | None:
    """Return a fresh one-time token for the owner's set-up and void the older ones; None once there is an account."""
    if accounts.count(session):
        return None
    session.exec(
        update(OneTimeToken)
        .where(col(OneTimeToken.purpose) == SETUP_PURPOSE, col(OneTimeToken.used_at).is_(None))
        .values(used_at=now())
    )
    token = secrets.token_urlsafe(32)
    session.add(OneTimeToken(purpose=SETUP_PURPOSE, token_sha256=_sha256(token), expires_at=now() + SETUP_LIFETIME))
    return token


def check_setup_token(session: Session, token: str) -> None:
    """Raise `NotFound` unless the set-up link can still be used."""
    valid = select(col(OneTimeToken.id)).where(*_is_usable(token))
    if not TOKEN.match(token) or session.exec(valid).first() is None or accounts.count(session):
        raise NotFound(code="setup_link_invalid")


def set_up_owner(session: Session, token: str, *, email: str, username: str, password_hash: str) -> Account:
    """Use the set-up link up and make the owner, all in this transaction; of two at once exactly one succeeds."""
    check_setup_token(session, token)
    used = session.exec(
        update(OneTimeToken)
        .where(*_is_usable(token))
        .values(used_at=now())
        .returning(col(OneTimeToken.id))
        .execution_options(synchronize_session=False)
    )
    if used.first() is None:
        raise NotFound(code="setup_link_invalid")
    return accounts.create_admin(session, email=email, username=username, password_hash=password_hash)


def _is_usable(token: str) -> tuple[ColumnElement[bool], ...]:
    return (
        col(OneTimeToken.token_sha256) == _sha256(token),
        col(OneTimeToken.purpose) == SETUP_PURPOSE,
        col(OneTimeToken.used_at).is_(None),
        col(OneTimeToken.expires_at) > now(),
    )


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _is_live() -> tuple[ColumnElement[bool], ...]:
    at = now()
    return (
        col(LoginSession.revoked_at).is_(None),
        col(LoginSession.idle_expires_at) > at,
        col(LoginSession.absolute_expires_at) > at,
    )


def _who() -> Select[LoginSession, Account]:
    return (
        select(LoginSession, Account)
        .join(Account, col(Account.id) == col(LoginSession.account_id))
        .where(col(Account.status) == AccountStatus.ACTIVE, *_is_live())
    )


def _actor(row: LoginSession, account: Account) -> Actor:
    role = AccountRole(account.role)
    return Actor(account.id, role, session_id=row.id, name=account.username, email=account.email)


@dataclass(frozen=True, slots=True)
class _Known:
    actor: Actor | None
    seen_at: datetime
    good_until: float


def _read(session: Session, session_id: str) -> _Known:
    read_at = time.monotonic()
    found = session.exec(_who().where(col(LoginSession.id) == session_id)).one_or_none()
    if found is None:
        return _Known(None, now(), read_at + CACHE_S)
    row, account = found
    left_s = (min(row.idle_expires_at, row.absolute_expires_at) - now()).total_seconds()
    return _Known(_actor(row, account), row.last_seen_at, read_at + min(CACHE_S, left_s))


class _Cache:
    """What was read of login sessions in the last seconds; reads that began before a change are not kept."""

    def __init__(self, size: int = 10_000) -> None:
        self.size = size
        self.generation = 0
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def get(self, session_id: str) -> _Known | None:
        known = self._known.get(session_id)
        return known if known is not None and time.monotonic() < known.good_until else None

    def put(self, session_id: str, known: _Known, generation: int) -> None:
        with self._lock:
            if generation != self.generation:
                return
            if len(self._known) >= self.size:
                self._known.clear()
            self._known[session_id] = known

    def forget(self, session_ids: Collection[str]) -> None:
        with self._lock:
            self.generation += 1
            for session_id in session_ids:
                self._known.pop(session_id, None)


_known = _Cache()


def forget(session_ids: Collection[str]) -> None:
    """Read these sessions afresh the next time they ask."""
    _known.forget(session_ids)


def _forget_after_commit(session: Session, session_ids: Collection[str]) -> None:
    event.listen(session, "after_commit", lambda _: forget(session_ids), once=True)
