"""SQLModel tables, one module per aggregate; `metadata` is what alembic compares with."""

from sqlmodel import SQLModel

from mygpt.tables import accounts, conversations

metadata = SQLModel.metadata
__all__ = ["accounts", "conversations", "metadata"]
