"""What every table shares: opaque ids that sort by time, aware UTC times, JSON columns."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel
from uuid_utils import uuid7

ID_LENGTH = 36


def new_id() -> str:
    """Return a fresh UUIDv7 as text."""
    return str(uuid7())


def now() -> datetime:
    """Return the time in UTC, aware."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time, also on databases that keep no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return UTC, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Row(SQLModel):
    """The base of the tables: when a row was made and last changed."""

    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime, nullable=False)
    updated_at: datetime = Field(
        default_factory=now, sa_type=UtcDateTime, nullable=False, sa_column_kwargs={"onupdate": now}
    )


# Any: a JSON column holds objects whose shape its owner documents.
JsonObject = dict[str, Any]
JsonList = list[dict[str, Any]]
__all__ = ["ID_LENGTH", "JSON", "JsonList", "JsonObject", "Row", "UtcDateTime", "new_id", "now"]
