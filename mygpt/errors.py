"""Every failure MyGPT expects, as one tree.

MyGPTError                      code, status, params for its text
├── CallerError                 the caller can mend it             shown as is, logged info
│   ├── InvalidInput 422   NotSignedIn 401   NotAllowed 403   NotFound 404
│   ├── Conflict 409       TooLarge 413
│   └── RateLimited 429 (retry_after)        QuotaExceeded 429
├── UpstreamError               somebody else failed               shown kindly, logged warning
│   └── ProviderError           provider, model
│       ├── CredentialRejected 502   ModelUnavailable 502   ProviderQuota 503
│       ├── ProviderBusy 503 (retry_after)   ProviderTimeout 504
│       └── ContextTooLong 413   Refused 422   ProviderFailed 502
└── ServiceBusy 503             this server has too much to do just now

The text a person reads is `error.<code>` in the locale, filled with `params`; the classes carry no prose. What is not
in the tree is a bug.
"""

from typing import ClassVar


class MyGPTError(Exception):
    """An expected failure: `code` names its text, `status` its HTTP answer."""

    code: ClassVar[str] = "unexpected"
    status: ClassVar[int] = 500

    def __init__(self, detail: str = "", *, code: str = "", **params: str | float | None) -> None:
        """Keep `detail` for the log; `code` picks a more exact text than the class's own, `params` fill it."""
        super().__init__(detail or code or self.code)
        self.detail = detail
        self.text_code = code or self.code
        self.params = {name: value for name, value in params.items() if value is not None}


class CallerError(MyGPTError):
    """The caller can mend it."""

    code = "caller"
    status = 400


class InvalidInput(CallerError):
    """A value is missing, too long or of the wrong kind."""

    code = "invalid_input"
    status = 422


class NotSignedIn(CallerError):
    """No live login session."""

    code = "not_signed_in"
    status = 401


class NotAllowed(CallerError):
    """The actor sees the thing but may not do this to it."""

    code = "not_allowed"
    status = 403


class NotFound(CallerError):
    """There is no such thing, or the actor may not see it."""

    code = "not_found"
    status = 404


class Conflict(CallerError):
    """The thing has changed, or exists already."""

    code = "conflict"
    status = 409


class TooLarge(CallerError):
    """More bytes or characters than are taken."""

    code = "too_large"
    status = 413


class RateLimited(CallerError):
    """Too many of these just now; `retry_after` says when, in seconds."""

    code = "rate_limited"
    status = 429

    def __init__(
        self, detail: str = "", *, retry_after_s: float = 1.0, code: str = "", **params: str | float | None
    ) -> None:
        """Take the wait in seconds beside the usual."""
        super().__init__(detail, code=code, retry_after=round(retry_after_s), **params)
        self.retry_after_s = retry_after_s


class QuotaExceeded(CallerError):
    """The month's share is used up."""

    code = "quota_exceeded"
    status = 429


class ServiceBusy(MyGPTError):
    """This server has too much to do just now; the same call may go through in a moment."""

    code = "service_busy"
    status = 503


class UpstreamError(MyGPTError):
    """Somebody else failed."""

    code = "upstream"
    status = 502


class ProviderError(UpstreamError):
    """A provider failed; `provider` and `model` say which, `retry_after_s` when it asked to be left alone until."""

    code = "provider_failed"
    status = 502

    def __init__(
        self,
        detail: str = "",
        *,
        provider: str = "",
        model: str = "",
        retry_after_s: float | None = None,
        upstream_request_id: str = "",
    ) -> None:
        """Keep who failed; `detail` is for the log and never shown."""
        super().__init__(detail, provider=provider, model=model)
        self.provider = provider
        self.model = model
        self.retry_after_s = retry_after_s
        self.upstream_request_id = upstream_request_id


class CredentialRejected(ProviderError):
    """The provider does not accept the key."""

    code = "credential_rejected"


class ModelUnavailable(ProviderError):
    """The provider does not offer that model (any more)."""

    code = "model_unavailable"


class ProviderQuota(ProviderError):
    """The account at the provider has no credit left."""

    code = "provider_quota"
    status = 503


class ProviderBusy(ProviderError):
    """The provider limits or is overloaded."""

    code = "provider_busy"
    status = 503


class ProviderTimeout(ProviderError):
    """No first word, or silence in mid-stream, for longer than the deadline."""

    code = "provider_timeout"
    status = 504


class ContextTooLong(ProviderError):
    """The conversation does not fit the model's window."""

    code = "context_too_long"
    status = 413


class Refused(ProviderError):
    """The provider's content rules stopped the request."""

    code = "refused"
    status = 422


class ProviderFailed(ProviderError):
    """Anything else a provider does wrong: server error, lost connection, nonsense on the wire, an early end."""
