"""The process's configuration: frozen, read once from the environment and `.env`.

`load()` is the one door. Every problem is collected and told at once, with the variable's name and the remedy.
"""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mygpt.inuse import InUse

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
SAMPLE_SECRETS = {"changeme", "change-me", "secret", "your-secret-key", "replace-me", "mygpt"}


class SettingsError(Exception):
    """The configuration cannot be used; the message lists every problem, one a line."""


@dataclass(frozen=True, slots=True)
class CompatibleServer:
    """One further OpenAI-compatible server: its name in model ids, its base URL, its key (may be empty)."""

    name: str
    base_url: str
    api_key: SecretStr = field(default_factory=lambda: SecretStr(""))


class Settings(BaseSettings):
    """Where it listens, what it keeps and whom it asks. `docs/configuration.md` is this class in prose."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    host: str = Field("127.0.0.1", validation_alias="MYGPT_HOST", description="Address to listen on.")
    port: int = Field(
        8000, ge=1, le=65535, validation_alias="MYGPT_PORT", description="Port for pages, websocket and API."
    )
    public_url: str = Field("", validation_alias="MYGPT_PUBLIC_URL", description="The address people use.")
    data_dir: Path = Field(
        ROOT / "data", validation_alias="MYGPT_DATA_DIR", description="Database, keys and files; mode 0700."
    )
    database_url: str = Field(
        "", validation_alias="DATABASE_URL", description="Empty for SQLite in the data folder, or postgresql://…"
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        validation_alias="MYGPT_SECRET_KEY",
        description="Signs and encrypts; made once into the data folder when empty.",
    )
    admin_email: str = Field(
        "", validation_alias="MYGPT_ADMIN_EMAIL", description="E-mail of the first admin, made at start."
    )
    admin_password: SecretStr = Field(
        SecretStr(""), validation_alias="MYGPT_ADMIN_PASSWORD", description="Password of the first admin."
    )
    openai_api_key: SecretStr = Field(SecretStr(""), validation_alias="OPENAI_API_KEY", description="Key for OpenAI.")
    openai_base_url: str = Field(
        "", validation_alias="OPENAI_BASE_URL", description="Another address for OpenAI's API."
    )
    compatible: Annotated[tuple[CompatibleServer, ...], NoDecode] = Field(
        (),
        validation_alias="MYGPT_COMPATIBLE",
        description="Further OpenAI-compatible servers: name=https://host/v1|key, …",
    )
    local_model: str = Field(
        "auto",
        validation_alias="MYGPT_LOCAL_MODEL",
        description="The embedded model: auto, off, or a path to a GGUF file.",
    )
    default_model: str = Field(
        "", validation_alias="MYGPT_DEFAULT_MODEL", description="provider:model for new conversations."
    )
    scripted: bool = Field(
        False, validation_alias="MYGPT_SCRIPTED", description="Offer the scripted provider, for trials and tests."
    )
    session_idle_s: int = Field(
        3600, ge=60, validation_alias="MYGPT_SESSION_IDLE_S", description="Idle time-out of a login."
    )
    session_max_s: int = Field(
        86400, ge=300, validation_alias="MYGPT_SESSION_MAX_S", description="Absolute time-out of a login."
    )
    first_word_s: float = Field(
        30, gt=0, validation_alias="MYGPT_FIRST_WORD_S", description="Longest wait for a vendor's first word."
    )
    idle_s: float = Field(
        30, gt=0, validation_alias="MYGPT_IDLE_S", description="Longest silence of a vendor in mid-reply."
    )
    slow_model_s: float = Field(
        300,
        gt=0,
        validation_alias="MYGPT_SLOW_MODEL_S",
        description="The same two waits for local and compatible servers.",
    )
    reply_s: float = Field(600, gt=0, validation_alias="MYGPT_REPLY_S", description="Longest time for a whole reply.")
    log_format: Literal["", "json", "text"] = Field(
        "", validation_alias="MYGPT_LOG_FORMAT", description="json, or text; json when not a terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="MYGPT_LOG_LEVEL", description="How much is logged."
    )
    allow_http: bool = Field(
        False, validation_alias="MYGPT_ALLOW_HTTP", description="Allow a plain http public address beyond this machine."
    )
    trusted_proxy_hops: int = Field(
        0,
        ge=0,
        le=10,
        validation_alias="MYGPT_TRUSTED_PROXY_HOPS",
        description="How many proxies' forwarding headers to believe.",
    )

    @field_validator("compatible", mode="before")
    @classmethod
    def _split_compatible(cls, value: Any) -> Any:  # Any: raw text from the environment, or ready values from a test
        return parse_compatible(value) if isinstance(value, str) else value

    @field_validator("public_url", "openai_base_url")
    @classmethod
    def _is_http_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or not _has_good_port(parts)):
            raise ValueError("is not an http(s) address; write it like https://chat.example.org")
        return value.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _is_whole_site(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("has more than scheme, host and port; MyGPT needs a host name of its own")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_known_database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("is neither sqlite:///… nor postgresql://…; leave it empty for SQLite in the data folder")
        return value

    @field_validator("secret_key")
    @classmethod
    def _is_no_sample(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text and (len(text.encode()) < 32 or text.lower() in SAMPLE_SECRETS):
            raise ValueError("is too short or a sample; leave it empty, or use 32 random bytes and more")
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> "Settings":
        problems: list[str] = []
        if self.public_url.startswith("http://") and not self.is_loopback and not self.allow_http:
            problems.append(
                "MYGPT_PUBLIC_URL is plain http beyond this machine: passwords would travel readable. "
                "Use https, or set MYGPT_ALLOW_HTTP=1 on a network you trust"
            )
        if bool(self.admin_email) != bool(self.admin_password.get_secret_value()):
            problems.append("MYGPT_ADMIN_EMAIL and MYGPT_ADMIN_PASSWORD go together; set both or neither")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def address(self) -> str:
        """The address people use, without a slash at its end."""
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def is_https(self) -> bool:
        """Whether people reach it by https; decides the cookie's name and HSTS."""
        return self.address.startswith("https://")

    @property
    def is_loopback(self) -> bool:
        """Whether the public address is this machine itself."""
        host = urlsplit(self.address).hostname or ""
        return host in ("localhost", "127.0.0.1", "::1")

    @cached_property
    def origins(self) -> tuple[str, ...]:
        """The exact origins pages may come from; on loopback the three names of this machine count as one."""
        parts = urlsplit(self.address)
        if not self.is_loopback:
            return (f"{parts.scheme}://{parts.netloc}".lower(),)
        port = f":{parts.port}" if parts.port else ""
        return tuple(f"{parts.scheme}://{host}{port}" for host in LOOPBACK_HOSTS)

    @property
    def cookie_name(self) -> str:
        """`__Host-` demands Secure, so plain http goes without."""
        return "__Host-mygpt" if self.is_https else "mygpt"

    @property
    def database(self) -> str:
        """The SQLAlchemy address of the database; PostgreSQL always by psycopg 3."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir.resolve() / 'mygpt.db'}"
        scheme, _, rest = self.database_url.partition("://")
        return f"postgresql+psycopg://{rest}" if scheme.startswith("postgres") else self.database_url

    def secret(self) -> bytes:
        """Return the key that signs; made once, readable by this user alone."""
        given = self.secret_key.get_secret_value()
        if given:
            return given.encode()
        prepare_data_dir(self.data_dir)
        path = self.data_dir / "secret.key"
        if not path.exists():
            _write_once(path, secrets.token_bytes(48))
        return path.read_bytes()


def _write_once(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; of two at once the first one's stays."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name) as fresh:  # mode 0600
        fresh.write(content)
        fresh.flush()
        os.fsync(fresh.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh.name)


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def prepare_data_dir(path: Path) -> None:
    """Make the data folder, closed to other users of the machine."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)


def parse_compatible(text: str) -> tuple[CompatibleServer, ...]:
    """Read `name=https://host/v1|key, …`; raises ValueError with the entry that is wrong."""
    servers: list[CompatibleServer] = []
    for entry in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, rest = entry.partition("=")
        base_url, _, key = rest.partition("|")
        parts = urlsplit(base_url)
        if not name.strip() or ":" in name or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"has an entry that is not name=https://host/v1|key: {name.strip() or '(no name)'}")
        server = CompatibleServer(
            name=name.strip(), base_url=base_url.strip().rstrip("/"), api_key=SecretStr(key.strip())
        )
        if any(server.name == other.name for other in servers):
            raise ValueError(f"names {server.name} twice; every server needs its own name")
        servers.append(server)
    return tuple(servers)


def load(**overrides: Any) -> Settings:  # Any: a test or the command line may set each field
    """Read the settings; raises `SettingsError` with all problems in one message."""
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        lines = [line for error in _all_errors(exc, overrides) for line in _problem(error["loc"], error["msg"])]
        raise SettingsError(
            "MyGPT cannot start with these settings:\n" + "\n".join(f"  - {line}" for line in lines)
        ) from None


def _all_errors(exc: ValidationError, overrides: Mapping[str, Any]) -> list[ErrorDetails]:
    """Return also what the fields that are right do not agree on, which pydantic leaves out while one is wrong."""
    found = exc.errors(include_input=False)
    wrong = {_field_name(error["loc"]) for error in found} - {""}
    if not wrong:
        return found
    try:
        Settings(**{**overrides, **{name: Settings.model_fields[name].get_default() for name in wrong}})
    except ValidationError as second:
        return found + second.errors(include_input=False)
    return found


def _field_name(location: tuple[int | str, ...]) -> str:
    known = Settings.model_fields.items()
    return next((name for name, told in known if location and location[0] in (name, told.validation_alias)), "")


def _problem(location: tuple[int | str, ...], message: str) -> list[str]:
    message = message.removeprefix("Value error, ")
    name = _field_name(location)
    return [f"{Settings.model_fields[name].validation_alias}: {message}"] if name else message.split("\n")


_in_use = InUse[Settings]("settings")
use, current = _in_use.use, _in_use.current
