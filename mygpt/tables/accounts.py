"""People and their signed-in browsers."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field

from mygpt.tables.base import ID_LENGTH, Row, UtcDateTime, new_id


class AccountRole(StrEnum):
    """What a person may do on this site; an owner is an admin who cannot be removed by admins."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class AccountStatus(StrEnum):
    """Whether a person may sign in."""

    PENDING = "pending"
    ACTIVE = "active"
    DISABLED = "disabled"


class Account(Row, table=True):
    """A person of this site."""

    __tablename__ = "accounts"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=ID_LENGTH)
    email: str = Field(max_length=320, unique=True, description="Lower case; what a person signs in with.")
    username: str = Field(max_length=64, unique=True)
    password_hash: str = Field(max_length=255)
    role: str = Field(default=AccountRole.MEMBER, max_length=16)
    status: str = Field(default=AccountStatus.ACTIVE, max_length=16)
    created_by: str | None = Field(default=None, foreign_key="accounts.id", max_length=ID_LENGTH)


class LoginSession(Row, table=True):
    """A signed-in browser; the cookie's value is nowhere, only its SHA-256."""

    __tablename__ = "login_sessions"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=ID_LENGTH)
    token_sha256: str = Field(max_length=64, unique=True)
    account_id: str = Field(foreign_key="accounts.id", index=True, max_length=ID_LENGTH)
    authenticated_at: datetime = Field(sa_type=UtcDateTime)
    last_seen_at: datetime = Field(sa_type=UtcDateTime)
    idle_expires_at: datetime = Field(sa_type=UtcDateTime)
    absolute_expires_at: datetime = Field(sa_type=UtcDateTime)
    ip: str = Field(default="", max_length=45)
    user_agent: str = Field(default="", max_length=255)
    rotated_from: str | None = Field(default=None, max_length=ID_LENGTH)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoke_reason: str = Field(default="", max_length=32)


class OneTimeToken(Row, table=True):
    """A link that works once, such as the first admin's; only the token's SHA-256 is stored."""

    __tablename__ = "one_time_tokens"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=ID_LENGTH)
    purpose: str = Field(max_length=32, index=True)
    token_sha256: str = Field(max_length=64, unique=True)
    account_id: str | None = Field(default=None, foreign_key="accounts.id", max_length=ID_LENGTH)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
