"""Settings: read once, all problems told at once, secrets kept."""

import stat
from pathlib import Path

import pytest

from mygpt.settings import Settings, SettingsError, load, parse_compatible


def _problems(**variables: str) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        with pytest.raises(SettingsError) as caught:
            load()
    return str(caught.value).splitlines()[1:]


def test_all_problems_come_in_one_message_and_name_their_variables() -> None:
    problems = _problems(
        MYGPT_PORT="eighty",
        MYGPT_LOG_LEVEL="loud",
        MYGPT_COMPATIBLE="here=nowhere",
        MYGPT_ADMIN_EMAIL="owner@example.org",
    )

    for variable in ("MYGPT_PORT", "MYGPT_LOG_LEVEL", "MYGPT_COMPATIBLE", "MYGPT_ADMIN_EMAIL"):
        assert sum(variable in line for line in problems) == 1, (variable, problems)
    assert len(problems) == 4


def test_a_problem_never_repeats_a_secret() -> None:
    [problem] = _problems(MYGPT_SECRET_KEY="tiny-but-mine")

    assert "MYGPT_SECRET_KEY" in problem
    assert "tiny-but-mine" not in problem


def test_empty_means_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.setenv(str(field.validation_alias), "")

    assert load().port == 8000


@pytest.mark.parametrize(
    "address", ["ftp://example.org", "example.org", "https://", "https://example.org:99999", "https://example.org/chat"]
)
def test_a_public_address_that_cannot_be_one_is_refused(address: str) -> None:
    [problem] = _problems(MYGPT_PUBLIC_URL=address)

    assert "MYGPT_PUBLIC_URL" in problem


def test_plain_http_beyond_this_machine_must_be_allowed() -> None:
    [problem] = _problems(MYGPT_PUBLIC_URL="http://chat.example.org")

    assert "MYGPT_ALLOW_HTTP" in problem
    assert load(public_url="http://chat.example.org", allow_http=True).cookie_name == "mygpt"


def test_on_loopback_the_three_names_of_this_machine_are_one_origin() -> None:
    assert set(load(port=8123).origins) == {"http://localhost:8123", "http://127.0.0.1:8123", "http://[::1]:8123"}


def test_elsewhere_the_origin_is_exact() -> None:
    settings = load(public_url="https://Chat.Example.org/")

    assert settings.origins == ("https://chat.example.org",)
    assert settings.cookie_name == "__Host-mygpt"


def test_postgresql_is_always_spoken_to_by_one_driver() -> None:
    expected = "postgresql+psycopg://me@db/mygpt"

    assert load(database_url="postgresql://me@db/mygpt").database == expected
    assert load(database_url="postgres://me@db/mygpt").database == expected


def test_without_an_address_the_database_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    assert load(data_dir=tmp_path).database == f"sqlite:///{tmp_path}/mygpt.db"


def test_compatible_servers_have_a_name_an_address_and_perhaps_a_key() -> None:
    home, office = parse_compatible("home=http://127.0.0.1:11434/v1/ , office=https://llm.example.org/v1|s3cret,")

    assert (home.name, home.base_url, home.api_key.get_secret_value()) == ("home", "http://127.0.0.1:11434/v1", "")
    assert (office.name, office.base_url) == ("office", "https://llm.example.org/v1")
    assert office.api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(office)


@pytest.mark.parametrize("text", ["=http://x/v1", "a:b=http://x/v1", "a=x", "a=http://x/v1,a=http://y/v1"])
def test_a_wrong_entry_among_compatible_servers_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"has an entry|twice"):
        parse_compatible(text)


def test_the_secret_is_made_once_and_closed_to_others(settings: Settings) -> None:
    secret = settings.secret()

    assert len(secret) >= 32
    assert settings.secret() == secret
    assert load(data_dir=settings.data_dir).secret() == secret
    assert stat.S_IMODE((settings.data_dir / "secret.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    assert [path.name for path in settings.data_dir.iterdir()] == ["secret.key"]


def test_a_secret_from_outside_is_used_as_it_is(tmp_path: Path) -> None:
    given = "0123456789abcdef0123456789abcdef"

    assert load(secret_key=given, data_dir=tmp_path / "data").secret() == given.encode()
    assert not (tmp_path / "data").exists()
