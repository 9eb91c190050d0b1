"""Accounts: one spelling of an address, decent passwords, and the first one is the owner's."""

import pytest
from sqlmodel import Session

from mygpt.errors import Conflict, InvalidInput, NotFound
from mygpt.services import accounts
from mygpt.tables.accounts import AccountRole


def _member(session: Session, email: str, username: str) -> str:
    return accounts.create(session, email=email, username=username, password_hash="-").id


def test_an_address_has_one_spelling(session: Session) -> None:
    account = accounts.create(session, email="  Zoe\u0308@Example.ORG ", username="Zoë", password_hash="-")
    assert account.email == "zoë@example.org"
    assert accounts.find_by_email(session, "ZOË@example.org") == account


@pytest.mark.parametrize(
    "text",
    ["", "alice", "@example.org", "a@", "a b@example.org", "a@b@c.org", "a@-b.org", "a@b..org", "a\x00@b.org",
     "a@b.org\nBcc: x@y.org", "a\u202e@b.org", f"{'a' * 65}@b.org", f"a@{'b.' * 130}org"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        accounts.normal_email(text)
    assert refused.value.text_code == "email_invalid"


def test_an_address_and_a_name_belong_to_one_account_only(session: Session) -> None:
    _member(session, "alice@example.org", "alice")
    with pytest.raises(Conflict) as same_address:
        _member(session, "ALICE@example.org", "other")
    with pytest.raises(Conflict) as same_name:
        _member(session, "other@example.org", "Alice")
    assert same_address.value.text_code == "email_taken"
    assert same_name.value.text_code == "username_taken"


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "tab\x07bell", "\u202egnp.exe"])
def test_a_user_name_is_short_and_visible(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        accounts.normal_username(name)
    assert refused.value.text_code == "username_invalid"


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("fourteen chars", "password_too_short"),
        ("x" * 129, "password_too_long"),
        ("mygpt MyGPT MYGPT", "password_guessable"),
        ("alice@example.org", "password_guessable"),
        ("alice@example.org1234", "password_guessable"),
        ("alice-alice-alice", "password_guessable"),
        ("aaaaaaaaaaaaaaaaaaaaaaa", "password_guessable"),
        ("nul\0nul\0nul\0nul\0!", "password_unreadable"),
        ("half a pair \ud83d of one", "password_unreadable"),
    ],
)
def test_a_weak_password_is_refused(password: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        accounts.check_password(password, email="alice@example.org", username="alice")
    assert refused.value.text_code == code


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "nur kleine buchstaben",
        "пароль из нескольких слов",
        "😀" * 4 + " vier mal lachen",
    ],
)
def test_any_long_password_is_taken_without_rules_of_composition(password: str) -> None:
    accounts.check_password(password, email="alice@example.org", username="alice")


def test_the_first_admin_is_the_owner_and_the_next_are_not(session: Session) -> None:
    first = accounts.create_admin(session, email="one@example.org", password_hash="-")
    second = accounts.create_admin(session, email="one@example.com", password_hash="-")
    assert (first.role, first.username) == (AccountRole.OWNER, "one")
    assert (second.role, second.username) == (AccountRole.ADMIN, "one-2")


def test_the_admin_of_the_settings_never_changes_an_account_that_exists(session: Session) -> None:
    made = accounts.ensure_admin(session, "boss@example.org", "first hash")
    again = accounts.ensure_admin(session, "Boss@Example.org", "second hash")
    assert made is not None
    assert again is None
    assert accounts.get(session, made.id).password_hash == "first hash"
    assert accounts.count(session) == 1


def test_a_member_is_not_made_an_admin_by_the_settings(session: Session) -> None:
    member = _member(session, "alice@example.org", "alice")
    accounts.ensure_admin(session, "alice@example.org", "hash")
    assert accounts.get(session, member).role == AccountRole.MEMBER


def test_an_account_that_is_not_there_is_not_found(session: Session) -> None:
    assert accounts.find_by_email(session, "nobody@example.org") is None
    assert accounts.find_by_email(session, "no address") is None
    with pytest.raises(NotFound):
        accounts.get(session, "01890000-0000-7000-8000-000000000000")
