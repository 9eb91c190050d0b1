"""Failures as HTTP answers: one envelope everywhere, in the shape of OpenAI's."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mygpt import telemetry
from mygpt.errors import InvalidInput, MyGPTError, RateLimited, ServiceBusy
from mygpt.i18n import DEFAULT, translate

log = logging.getLogger(__name__)

KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
CODES = {401: "not_signed_in", 403: "not_allowed", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
BUSY_RETRY_S = 2


class Refusal(MyGPTError):
    """A request that is turned away before anybody looks at it; the status is the refusal's own."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code=code)
        self.status = status  # type: ignore[misc]  # an answer of HTTP itself has many statuses, a failure of ours one


def envelope(status: int, code: str, params: dict[str, str | float] | None = None) -> dict[str, dict[str, str | None]]:
    """Return the body that tells a failure."""
    facts = params or {}
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    param = facts.get("param")
    return {
        "error": {
            "message": translate(f"error.{code}", DEFAULT, **facts),
            "type": kind,
            "code": code,
            "param": str(param) if param is not None else None,
        }
    }


def answer(failure: MyGPTError) -> JSONResponse:
    """Return an expected failure as an answer."""
    headers = {}
    if isinstance(failure, RateLimited):
        headers["Retry-After"] = str(max(1, round(failure.retry_after_s)))
    elif isinstance(failure, ServiceBusy):
        headers["Retry-After"] = str(BUSY_RETRY_S)
    body = envelope(failure.status, failure.text_code, failure.params)
    return JSONResponse(body, failure.status, headers)


def unexpected() -> JSONResponse:
    """Return a bug as an answer: no word of it, but the number under which the log has it."""
    return JSONResponse(envelope(500, "unexpected_reference", {"reference": telemetry.REQUEST_ID.get()}), 500)


def install(app: FastAPI) -> None:
    """Let every route of `app` fail in the one envelope."""
    app.add_exception_handler(MyGPTError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _bug)


def _expected(_request: Request, failure: Exception) -> JSONResponse:
    assert isinstance(failure, MyGPTError)  # noqa: S101  # what it was registered for
    level = logging.WARNING if failure.status >= 500 else logging.INFO
    log.log(level, "request refused", extra={"code": failure.text_code, "status": failure.status})
    return answer(failure)


def _invalid(_request: Request, failure: Exception) -> JSONResponse:
    assert isinstance(failure, RequestValidationError)  # noqa: S101
    place = [str(piece) for error in failure.errors()[:1] for piece in error["loc"][1:]]
    return answer(InvalidInput(param=".".join(place) or None))


def _refused(_request: Request, failure: Exception) -> JSONResponse:
    assert isinstance(failure, HTTPException)  # noqa: S101
    body = envelope(failure.status_code, CODES.get(failure.status_code, "caller"))
    return JSONResponse(body, failure.status_code, failure.headers)


def _gone(_request: Request, _failure: Exception) -> JSONResponse:
    return JSONResponse(envelope(400, "caller"), 400)  # nobody reads it: the caller hung up


def _bug(_request: Request, _failure: Exception) -> JSONResponse:
    return unexpected()  # it is raised again behind this, and the Guard logs it
