"""What goes wrong at a provider, told apart by one table, whatever the vendor.

An adapter reduces its SDK's exception to a `Complaint`; `failure` makes the class of `mygpt.errors` from it. The detail
holds kinds and codes only: a vendor's own message may quote the prompt or the key.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Literal

from mygpt.errors import (
    ContextTooLong,
    CredentialRejected,
    ModelUnavailable,
    ProviderBusy,
    ProviderError,
    ProviderFailed,
    ProviderQuota,
    ProviderTimeout,
    Refused,
)

Kind = Literal[
    "auth", "permission", "not_found", "quota", "rate_limit", "overloaded", "timeout", "context_length",
    "content_filter", "server", "connection", "protocol", "incomplete", "bad_request",
]  # fmt: skip

CLASSES: Mapping[Kind, type[ProviderError]] = {
    "auth": CredentialRejected,
    "permission": CredentialRejected,
    "not_found": ModelUnavailable,
    "quota": ProviderQuota,
    "rate_limit": ProviderBusy,
    "overloaded": ProviderBusy,
    "timeout": ProviderTimeout,
    "context_length": ContextTooLong,
    "content_filter": Refused,
    "server": ProviderFailed,
    "connection": ProviderFailed,
    "protocol": ProviderFailed,
    "incomplete": ProviderFailed,
    "bad_request": ProviderFailed,
}

BAD_KEY = re.compile(r"authentication|invalid_api_key|api_key_invalid|api key not valid", re.IGNORECASE)
NO_CREDIT = re.compile(r"insufficient_quota|billing", re.IGNORECASE)
NO_MODEL = re.compile(r"model_not_found|not_found", re.IGNORECASE)
TOO_LONG = re.compile(
    r"context_length|exceed_context_size|context (length|window|size)|maximum context"
    r"|(prompt|input) is too long|too large for model|input token count.{0,80}exceed|too many (input )?tokens"
    r"|reduce the length",
    re.IGNORECASE,
)
BANNED = re.compile(r"content_filter|content_policy|content management policy|safety|moderation", re.IGNORECASE)
LIMITED = re.compile(r"rate_limit", re.IGNORECASE)
OVERLOADED = re.compile(r"overloaded", re.IGNORECASE)
CODE = re.compile(r"[^A-Za-z0-9_.-]+")
LONGEST_WAIT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a provider said when it failed; `status` is None for an error told inside a stream."""

    status: int | None = None
    type: str = ""
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def words(self) -> str:
        """Type, code and message in one, for the patterns."""
        return f"{self.type} {self.code} {self.message}"

    @property
    def names(self) -> str:
        """Type and code alone: the message of a refused key may well speak of safety."""
        return f"{self.type} {self.code}"


def complaint(body: object, status: int | None = None, headers: Mapping[str, str] | None = None) -> Complaint:
    """Read the usual shapes of an error body: `{"error": {…}}`, the inner object alone, or plain text."""
    inner = body.get("error", body) if isinstance(body, dict) else body
    given = MappingProxyType(dict(headers or {}))
    if not isinstance(inner, dict):
        return Complaint(status, message=str(inner or "")[:2000], headers=given)
    code = inner.get("code")
    if status is None and isinstance(code, int) and 400 <= code <= 599:
        status = code
    return Complaint(
        status,
        type=_word(inner.get("type")),
        code=_word(code),
        message=str(inner.get("message") or inner.get("detail") or "")[:2000],
        headers=given,
    )


def classify(said: Complaint) -> Kind:
    """Return what kind of failure it is; the first rule that fits wins."""
    return _by_words(said) or _by_status(said.status)


def failure(
    kind: Kind, *, provider: str, model: str = "", said: Complaint | None = None, note: str = ""
) -> ProviderError:
    """Return the exception for a kind of failure, ready to be raised."""
    said = said or Complaint()
    facts = [f"status={said.status}"] if said.status else []
    facts += [f"{name}={value}" for name, value in (("type", said.type), ("code", said.code), ("note", note)) if value]
    return CLASSES[kind](
        " ".join([kind, *facts]),
        provider=provider,
        model=model,
        retry_after_s=retry_after_s(said.headers),
        upstream_request_id=_word(said.headers.get("x-request-id") or said.headers.get("request-id")),
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long the provider wants to be left alone; at most an hour is believed."""
    found = {name.lower(): value for name, value in headers.items()}
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        seconds = _seconds(found.get(name, ""), divisor)
        if seconds is not None:
            return min(max(seconds, 0.0), LONGEST_WAIT_S)
    return None


def _by_words(said: Complaint) -> Kind | None:
    status = said.status
    is_input = status in (None, 400, 413, 422)
    rules: tuple[tuple[Kind, bool], ...] = (
        ("auth", status == 401 or bool(BAD_KEY.search(said.words if status == 400 else said.names))),
        ("quota", status == 402 or bool(NO_CREDIT.search(said.names))),
        ("content_filter", status == 403 and bool(BANNED.search(said.names))),
        ("not_found", status in (None, 400, 404) and bool(NO_MODEL.search(said.names))),
        ("context_length", is_input and bool(TOO_LONG.search(said.words))),
        ("content_filter", is_input and bool(BANNED.search(said.words))),
        ("rate_limit", bool(LIMITED.search(said.names))),
        ("overloaded", bool(OVERLOADED.search(said.names))),
    )
    return next((kind for kind, fits in rules if fits), None)


def _by_status(status: int | None) -> Kind:
    match status:
        case 403:
            return "permission"
        case 404:
            return "not_found"
        case 408 | 504:
            return "timeout"
        case 429:
            return "rate_limit"
        case 503 | 529:
            return "overloaded"
        case None:
            return "server"
        case _:
            return "bad_request" if 400 <= status < 500 else "server"


def _seconds(text: str, divisor: float) -> float | None:
    try:
        seconds = float(text) / divisor
    except ValueError:
        return _until(text)
    return seconds if math.isfinite(seconds) else None


def _until(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()


def _word(value: object) -> str:
    return CODE.sub("_", str(value))[:64] if isinstance(value, str | int) else ""
