"""People of this site: making accounts, finding them, and what a password must be."""

import re
import unicodedata

from sqlalchemy import func
from sqlmodel import Session, col, select

from mygpt.errors import Conflict, InvalidInput, NotFound
from mygpt.tables.accounts import Account, AccountRole

PASSWORD_MIN = 15
OPERATOR_PASSWORD_MIN = 8
"""Who runs the site may choose a shorter one for an account they make by hand; they are told that it is short."""
PASSWORD_MAX = 128
USERNAME_MAX = 64
EMAIL = re.compile(r"[^\s@\"(),:;<>\[\\\]]{1,64}@[^\W_](?:[\w-]{0,61}[^\W_])?(?:\.[^\W_](?:[\w-]{0,61}[^\W_])?)*\Z")
PRODUCT = "mygpt"


def normal_email(text: str) -> str:
    """Return the one spelling of an e-mail address that is stored and looked up; raises `InvalidInput`."""
    email = unicodedata.normalize("NFC", text).strip().lower()
    if len(email) > 254 or not EMAIL.match(email) or not email.isprintable():
        raise InvalidInput(code="email_invalid", param="email")
    return email


def normal_username(text: str) -> str:
    """Return a user name without surrounding space; raises `InvalidInput`."""
    username = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(username) <= USERNAME_MAX or not username.isprintable():
        raise InvalidInput(code="username_invalid", param="username", maximum=USERNAME_MAX)
    return username


def normal_password(text: str) -> str:
    """Return the spelling of a password that is hashed, so that every keyboard's umlaut is the same."""
    return unicodedata.normalize("NFC", text)


def check_password(password: str, *, email: str, username: str = "", minimum: int = PASSWORD_MIN) -> None:
    """Raise `InvalidInput` unless the password is long enough and does not merely repeat what everybody knows."""
    password = normal_password(password)
    if len(password) < minimum:
        raise InvalidInput(code="password_too_short", param="password", minimum=minimum)
    if len(password) > PASSWORD_MAX:
        raise InvalidInput(code="password_too_long", param="password", maximum=PASSWORD_MAX)
    if "\0" in password or any(unicodedata.category(char) == "Cs" for char in password):
        raise InvalidInput(code="password_unreadable", param="password")
    if _is_guessable(password, (email, email.partition("@")[0], username, PRODUCT)):
        raise InvalidInput(code="password_guessable", param="password")


def _is_guessable(password: str, known: tuple[str, ...]) -> bool:
    """Whether hardly anything remains once the known words are taken out."""
    rest = password.casefold()
    for word in sorted({word.casefold() for word in known if len(word) >= 3}, key=len, reverse=True):
        rest = rest.replace(word, "")
    return len(rest) < 8 or len(set(rest)) < 4


def create(
    session: Session,
    *,
    email: str,
    username: str,
    password_hash: str,
    role: AccountRole = AccountRole.MEMBER,
    created_by: str | None = None,
) -> Account:
    """Add an account; raises `Conflict` when the e-mail address or the user name is taken."""
    email, username = normal_email(email), normal_username(username)
    if find_by_email(session, email) is not None:
        raise Conflict(code="email_taken", param="email")
    if _is_taken(session, username):
        raise Conflict(code="username_taken", param="username")
    account = Account(email=email, username=username, password_hash=password_hash, role=role, created_by=created_by)
    session.add(account)
    session.flush()
    return account


def create_admin(session: Session, *, email: str, password_hash: str, username: str = "") -> Account:
    """Add an admin; the very first account of a site is its owner."""
    role = AccountRole.ADMIN if count(session) else AccountRole.OWNER
    name = username or _free_username(session, normal_email(email).partition("@")[0])
    return create(session, email=email, username=name, password_hash=password_hash, role=role)


def ensure_admin(session: Session, email: str, password_hash: str) -> Account | None:
    """Add the admin that the settings name; an account that exists is never changed, and None is returned."""
    if find_by_email(session, email) is not None:
        return None
    return create_admin(session, email=email, password_hash=password_hash)


def get(session: Session, account_id: str) -> Account:
    """Return one account; raises `NotFound`."""
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound(code="account_not_found")
    return account


def find_by_email(session: Session, email: str) -> Account | None:
    """Return the account of an e-mail address, however it is spelled, or None."""
    try:
        email = normal_email(email)
    except InvalidInput:
        return None
    return session.exec(select(Account).where(col(Account.email) == email)).one_or_none()


def count(session: Session) -> int:
    """Return how many accounts there are."""
    return session.exec(select(func.count()).select_from(Account)).one()


def _is_taken(session: Session, username: str) -> bool:
    found = select(col(Account.id)).where(func.lower(col(Account.username)) == username.lower())
    return session.exec(found.limit(1)).first() is not None


def _free_username(session: Session, wanted: str) -> str:
    base = normal_username(wanted[: USERNAME_MAX - 4])
    names = (base, *(f"{base}-{number}" for number in range(2, 1000)))
    return next(name for name in names if not _is_taken(session, name))
