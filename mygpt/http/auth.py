"""/auth/*: the routes that set and clear the login cookie.

Each takes JSON from the page's script and answers 204 or the error envelope, or takes a plain form and answers 303, so
that signing in works before the page is alive and without scripts.
"""

import hmac
import json
import logging
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mygpt import database
from mygpt.database import Session
from mygpt.errors import InvalidInput, MyGPTError, NotAllowed, NotFound, NotSignedIn
from mygpt.http.errors import Refusal
from mygpt.http.sockets import Sockets, open_sockets
from mygpt.services import accounts, logins
from mygpt.services.access import Actor
from mygpt.services.limits import SignInThrottle
from mygpt.services.logins import Browser, NewLogin
from mygpt.settings import Settings
from mygpt.tables.accounts import AccountStatus

log = logging.getLogger(__name__)

CSRF_HEADER = "x-mygpt-csrf"
FORM = "application/x-www-form-urlencoded"
# Drafts and the page's own memory of the person who leaves; the cache holds nothing of theirs (no-store).
CLEAR = '"storage"'


class SignIn(BaseModel):
    """What the sign-in form sends."""

    model_config = ConfigDict(strict=True)

    email: Annotated[str, Field(max_length=320)]
    password: Annotated[str, Field(max_length=1024)]
    next: Annotated[str, Field(max_length=2048)] = "/"


class SetUp(BaseModel):
    """What the form behind the one-time link sends."""

    model_config = ConfigDict(strict=True)

    token: Annotated[str, Field(max_length=64)]
    email: Annotated[str, Field(max_length=320)]
    username: Annotated[str, Field(max_length=256)]
    password: Annotated[str, Field(max_length=1024)]


class SignOut(BaseModel):
    """What a form that signs out sends; a script sends the value as a header."""

    model_config = ConfigDict(strict=True)

    csrf: str = ""


Body = TypeVar("Body", bound=BaseModel)


def actor_of(request: Request) -> Actor | None:
    """Return who the Guard found behind the login cookie."""
    found: Actor | None = getattr(request.state, "actor", None)
    return found


def check_origin(request: Request, settings: Settings) -> None:
    """Raise `NotAllowed` when a browser says that the request comes from another site's page."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_foreign = site is not None and site not in ("same-origin", "none")
    if is_foreign or (origin is not None and origin not in settings.origins):
        raise NotAllowed(code="foreign_origin")


def check_csrf(actor: Actor, secret: bytes, value: str) -> None:
    """Raise `NotAllowed` unless the value is the one that only this session's own pages know."""
    if not hmac.compare_digest(value.encode(), logins.csrf(secret, actor.session_id).encode()):
        raise NotAllowed(code="csrf_failed")


def router(settings: Settings, *, sockets: Sockets = open_sockets) -> APIRouter:
    """Return the routes; those of `sockets` that belong to a session are closed when it ends."""
    doors = _Doors(settings, sockets)
    routes = APIRouter(prefix="/auth", include_in_schema=False)
    routes.add_api_route("/login", doors.login, methods=["POST"], response_model=None)
    routes.add_api_route("/logout", doors.logout, methods=["POST"], response_model=None)
    routes.add_api_route("/setup", doors.setup, methods=["POST"], response_model=None)
    return routes


class _Doors:
    def __init__(self, settings: Settings, sockets: Sockets) -> None:
        self.settings = settings
        self.sockets = sockets
        self.throttle = SignInThrottle()

    async def login(self, request: Request) -> Response:
        """Sign in with e-mail address and password."""
        check_origin(request, self.settings)
        form = await _read(request, SignIn)
        onward = logins.safe_next(form.next)
        try:
            new = await self._login(request, form)
        except MyGPTError as failure:
            return _back(request, "/login", failure, next=onward)
        return self._signed_in(request, new, onward)

    async def setup(self, request: Request) -> Response:
        """Make the owner with the one-time link, and sign them in."""
        check_origin(request, self.settings)
        form = await _read(request, SetUp)
        try:
            new = await self._setup(request, form)
        except MyGPTError as failure:
            return _back(request, "/setup", failure)
        return self._signed_in(request, new, "/")

    async def logout(self, request: Request) -> Response:
        """Sign out: the session ends for good, and its other tabs with it."""
        check_origin(request, self.settings)
        form = await _read(request, SignOut) if _is_form(request) else SignOut()
        actor = actor_of(request)
        if actor is not None:
            check_csrf(actor, self.settings.secret(), request.headers.get(CSRF_HEADER, form.csrf))
            await database.run(logins.revoke, actor.session_id, "logout")
            self.sockets.kick_soon(actor.session_id)
            log.info("signed out", extra={"account_id": actor.account_id})
        answer = _answer(request, "/login")
        answer.delete_cookie(
            self.settings.cookie_name, path="/", secure=self.settings.is_https, httponly=True, samesite="lax"
        )
        answer.headers["Clear-Site-Data"] = CLEAR
        return answer

    async def _login(self, request: Request, form: SignIn) -> NewLogin:
        address, name = _address(request), form.email.strip().lower()
        self.throttle.attempt(name, address)
        account = await database.read(accounts.find_by_email, form.email)
        verdict = await logins.verify_password(form.password, account.password_hash if account else None)
        if account is None or not verdict.is_right or account.status != AccountStatus.ACTIVE:
            self.throttle.failed(address)
            log.info("sign-in refused", extra={"account_id": account.id if account else ""})
            raise NotSignedIn(code="login_failed")
        self.throttle.succeeded(name, address)
        browser, before = self._browser(request), _session_before(request)
        return await database.run(logins.sign_in, account, browser, replaces=before, new_hash=verdict.new_hash)

    async def _setup(self, request: Request, form: SetUp) -> NewLogin:
        address = _address(request)
        self.throttle.attempt("setup", address)
        try:
            await database.read(logins.check_setup_token, form.token)
        except NotFound:
            self.throttle.failed(address)
            raise
        self.throttle.succeeded("setup", address)
        email, username = accounts.normal_email(form.email), accounts.normal_username(form.username)
        accounts.check_password(form.password, email=email, username=username)
        password_hash = await logins.hash_password(form.password)
        browser = self._browser(request)

        def set_up(session: Session) -> NewLogin:
            owner = logins.set_up_owner(
                session, form.token, email=email, username=username, password_hash=password_hash
            )
            return logins.open_session(session, owner.id, browser)

        return await database.run(set_up)

    def _signed_in(self, request: Request, new: NewLogin, onward: str) -> Response:
        self.sockets.kick_soon(_session_before(request))
        log.info("signed in", extra={"session_id": new.session_id})
        answer = _answer(request, onward)
        answer.headers["Location"] = onward
        answer.set_cookie(
            self.settings.cookie_name,
            new.token,
            max_age=self.settings.session_max_s,
            path="/",
            secure=self.settings.is_https,
            httponly=True,
            samesite="lax",
        )
        return answer

    def _browser(self, request: Request) -> Browser:
        return Browser(
            idle_s=self.settings.session_idle_s,
            max_s=self.settings.session_max_s,
            ip=_address(request),
            user_agent=_printable(request.headers.get("user-agent", "")),
        )


async def _read(request: Request, model: type[Body]) -> Body:
    try:
        values = dict(await request.form()) if _is_form(request) else json.loads(await _json(request))
        return model.model_validate(values)
    except ValidationError as wrong:
        place = wrong.errors(include_input=False, include_url=False)[0]["loc"]
        raise InvalidInput(param=str(place[0]) if place else None) from None
    except (ValueError, RecursionError):
        raise InvalidInput from None


async def _json(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "unsupported_media_type")
    return await request.body()


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


def _answer(request: Request, onward: str) -> Response:
    return RedirectResponse(onward, 303) if _is_form(request) else Response(status_code=204)


def _back(request: Request, page: str, failure: MyGPTError, **more: str) -> Response:
    """Return a failed form to its page; a script gets the envelope."""
    if not _is_form(request):
        raise failure
    return RedirectResponse(f"{page}?{urlencode({'why': failure.text_code, **more})}", 303)


def _session_before(request: Request) -> str:
    actor = actor_of(request)
    return actor.session_id if actor else ""


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable())
