"""The Guard: the ASGI wrapper around pages, assets, API and websocket.

It lets in only what comes by a name of this site, turns the login cookie into a session of the database, hands on
nothing a stranger could use (no cookie, no client token), limits sizes and rates, and puts the security headers on
every answer.
"""

import hashlib
import hmac
import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mygpt import database, telemetry
from mygpt.errors import ServiceBusy
from mygpt.http import csp, errors
from mygpt.http.errors import Refusal
from mygpt.http.sockets import LimitedSocket, Sockets, open_sockets
from mygpt.services import logins
from mygpt.services.access import Actor
from mygpt.settings import ROOT, Settings

log = logging.getLogger(__name__)

CLIENT = ROOT / ".web" / "build" / "client"

# Reflex makes its tokens with a variant digit of 8 to f, so a strict UUIDv4 would refuse half of all browsers.
CLIENT_TOKEN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89a-f][0-9a-f]{3}-[0-9a-f]{12}\Z")
EVENTS = ("/_event", "/_event/")
HIDDEN = re.compile(r"/(?:_upload.*|_all_routes|ping|_health|auth-codespace)/?\Z", re.DOTALL)
PROBES = ("/healthz", "/readyz")  # asked by address, not by name, and they tell nothing
COOKIE_PATHS = ("/auth/", "/files/", "/live/")
BEARER_PATHS = ("/api/", "/metrics")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BODY_BYTES = 1_048_576
BODY_BYTES_BY_PATH = {"/auth/": 16_384}
SOCKET_HEADERS = frozenset(
    b"host origin upgrade connection user-agent accept-language sec-websocket-version sec-websocket-key "
    b"sec-websocket-protocol sec-websocket-extensions".split()
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-xss-protection": "0",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS = "max-age=31536000; includeSubDomains"
IMMUTABLE = "public, max-age=31536000, immutable"


def derive(secret: bytes, token: str, session_id: str) -> str:
    """Return the token Reflex sees: another one for every session, so a client token is worth nothing in another."""
    principal = f"session {session_id}" if session_id else "anonymous"
    digest = hmac.new(secret, f"token|{principal}|{token}".encode(), hashlib.sha256).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def hosts(settings: Settings) -> frozenset[str]:
    """Return the values of `Host` that are this site."""
    names = set[str]()
    for origin in settings.origins:
        parts = urlsplit(origin)
        names.add(parts.netloc)
        if parts.port is None:
            names.add(f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}")
    return frozenset(names)


@dataclass(slots=True)
class _Exchange:
    """What is known of one HTTP request while it is answered."""

    path: str
    limit: int
    request_id: str
    received: int = 0
    status: int = 0
    is_cut: bool = False
    began: float = field(default_factory=time.monotonic)


def create(
    settings: Settings, *, client: Path = CLIENT, sockets: Sockets = open_sockets
) -> Callable[[ASGIApp], "Guard"]:
    """Return what wraps the app; the inline scripts of the pages under `client` are the only ones allowed."""

    def wrap(app: ASGIApp) -> Guard:
        return Guard(app, settings, sockets=sockets, policy=csp.policy(csp.script_hashes(client)))

    return wrap


async def watch() -> None:
    """Close, for as long as the process lives, the sockets of sessions that have ended."""
    await open_sockets.watch()


class Guard:
    """Wraps the whole app; make it in the composition root, outermost."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        *,
        sockets: Sockets,
        policy: str,
    ) -> None:
        """`policy` is the Content-Security-Policy."""
        self.app = app
        self.sockets = sockets
        self._secret = settings.secret()
        self._hosts = hosts(settings)
        self._origins = frozenset(settings.origins)
        self._cookie = settings.cookie_name
        self._hops = settings.trusted_proxy_hops
        self._headers = {**HEADERS, "content-security-policy": policy}
        if settings.is_https:
            self._headers["strict-transport-security"] = HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer http and websocket; whatever else (the lifespan) passes."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        query = scope["query_string"]
        if scope["type"] == "websocket":
            scope["query_string"] = b""  # in the server's own scope: it logs addresses, and this one holds the token
        scope = {**scope, "query_string": query, "client": (self._address(scope, headers), 0)}
        with telemetry.request_id(headers.get("x-request-id", "")) as request_id:
            if scope["type"] == "http":
                await self._http(scope, headers, receive, send, request_id)
            else:
                await self._websocket(scope, headers, receive, send, request_id)

    # HTTP

    async def _http(self, scope: Scope, headers: Headers, receive: Receive, send: Send, request_id: str) -> None:
        exchange = _Exchange(scope["path"], _body_limit(scope["path"]), request_id)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message = {**message, "headers": self._finish(message, exchange)}
            await send(message)

        try:
            self._check_http(scope, headers, exchange)
            inner = await self._without_credentials(scope, headers)
            await self._pass_on(inner, receive, answer, exchange)
        except Refusal as refusal:
            log.info("request refused", extra={"code": refusal.text_code, "status": refusal.status})
            await _refusal(refusal)(scope, receive, answer)
        except ServiceBusy as busy:
            if not exchange.status:
                await errors.answer(busy)(scope, receive, answer)
        except Exception:
            log.exception("request failed")
            if not exchange.status:
                await errors.unexpected()(scope, receive, answer)
        self._log(scope, exchange)

    def _check_http(self, scope: Scope, headers: Headers, exchange: _Exchange) -> None:
        if exchange.path not in PROBES:
            self._check_host(headers)
        if scope["method"] not in METHODS:
            raise Refusal(405, "method_not_allowed")
        if HIDDEN.match(exchange.path):
            raise Refusal(404, "not_found")
        if exchange.path.startswith(EVENTS[0]):
            raise Refusal(400, "caller")  # polling: the websocket is the only transport
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise Refusal(400, "caller")
        if len(length) > 15 or int(length) > exchange.limit:
            raise Refusal(413, "too_large")

    async def _without_credentials(self, scope: Scope, headers: Headers) -> Scope:
        """Return the scope as routes see it: who asks instead of the cookie, a bearer only where bearers are read."""
        path, state = scope["path"], dict(scope.get("state", {}))
        state["actor"] = await self._actor(headers) if path.startswith(COOKIE_PATHS) else None
        dropped = {b"cookie"} if path.startswith(BEARER_PATHS) else {b"cookie", b"authorization"}
        kept = [(name, value) for name, value in scope["headers"] if name.lower() not in dropped]
        return {**scope, "headers": kept, "state": state}

    async def _pass_on(self, scope: Scope, receive: Receive, answer: Send, exchange: _Exchange) -> None:
        async def limited() -> Message:
            message = await receive()
            exchange.received += len(message.get("body", b""))
            if exchange.received <= exchange.limit or exchange.is_cut:
                return message if not exchange.is_cut else {"type": "http.disconnect"}
            exchange.is_cut = True
            if not exchange.status:
                await _refusal(Refusal(413, "too_large"))(scope, receive, answer)
            return {"type": "http.disconnect"}

        async def until_cut(message: Message) -> None:
            if not exchange.is_cut:
                await answer(message)

        try:
            await self.app(scope, limited, until_cut)
        except Exception:
            if not exchange.is_cut:
                raise

    def _finish(self, message: Message, exchange: _Exchange) -> list[tuple[bytes, bytes]]:
        headers = MutableHeaders(raw=list(message.get("headers", [])))
        for name in ("server", "x-powered-by"):
            if name in headers:
                del headers[name]
        for name, value in self._headers.items():
            headers[name] = value
        is_asset = exchange.path.startswith("/assets/") and message["status"] in (200, 206, 304)
        headers["cache-control"] = IMMUTABLE if is_asset else "no-store"
        headers["x-request-id"] = exchange.request_id
        location = urlsplit(headers.get("location", ""))
        if location.netloc.lower() in self._hosts:  # behind a proxy the inner scheme would be wrong
            headers["location"] = location._replace(scheme="", netloc="").geturl() or "/"
        return headers.raw

    def _log(self, scope: Scope, exchange: _Exchange) -> None:
        is_routine = exchange.path in PROBES or (scope["method"] in ("GET", "HEAD") and exchange.status < 400)
        log.log(
            logging.DEBUG if is_routine else logging.INFO,
            "request",
            extra={
                "method": scope["method"][:16],
                "path": exchange.path[:200],
                "status": exchange.status,
                "duration_ms": round((time.monotonic() - exchange.began) * 1000),
            },
        )

    # Websocket

    async def _websocket(self, scope: Scope, headers: Headers, receive: Receive, send: Send, request_id: str) -> None:
        address = self._address(scope, headers)
        try:
            self._check_socket(scope, headers)
            actor = await self._actor(headers)
            session_id = actor.session_id if actor else ""
            inner = self._socket_scope(scope, session_id)
            self._check_room(session_id, address)
        except Refusal as refusal:
            log.warning("socket refused", extra={"code": refusal.text_code, "status": refusal.status})
            await self._refuse_socket(scope, receive, send, errors.answer(refusal), request_id)
            return
        except Exception:
            log.exception("socket could not be checked")
            await self._refuse_socket(scope, receive, send, errors.answer(ServiceBusy()), request_id)
            return
        socket = LimitedSocket(receive, send)
        with self.sockets.opened(session_id, address, socket.close):
            await self.app(inner, socket.receive, socket.send)

    def _check_socket(self, scope: Scope, headers: Headers) -> None:
        self._check_host(headers)
        if scope["path"] not in EVENTS:
            raise Refusal(404, "not_found")
        origins = headers.getlist("origin")
        if len(origins) != 1 or origins[0] not in self._origins:
            raise Refusal(403, "foreign_origin")

    def _check_room(self, session_id: str, address: str) -> None:
        if not self.sockets.has_room(session_id, address):
            raise Refusal(429, "rate_limited")

    def _socket_scope(self, scope: Scope, session_id: str) -> Scope:
        try:
            asked = parse_qs(scope["query_string"].decode("ascii"), max_num_fields=10)
        except ValueError:
            raise Refusal(403, "caller") from None
        tokens = asked.get("token", [])
        if len(tokens) != 1 or not CLIENT_TOKEN.match(tokens[0]) or asked.get("transport") != ["websocket"]:
            raise Refusal(403, "caller")
        asked["token"] = [derive(self._secret, tokens[0], session_id)]
        kept = [(name, value) for name, value in scope["headers"] if name.lower() in SOCKET_HEADERS]
        if session_id:
            kept.append((b"authorization", f"Session {session_id}".encode()))
        return {**scope, "headers": kept, "query_string": urlencode(asked, doseq=True).encode()}

    async def _refuse_socket(
        self, scope: Scope, receive: Receive, send: Send, answer: JSONResponse, request_id: str
    ) -> None:
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 4403})
            return
        start: Message = {"status": answer.status_code, "headers": list(answer.raw_headers)}
        headers = self._finish(start, _Exchange(scope["path"], 0, request_id))
        await send({"type": "websocket.http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": answer.body})

    # Both

    def _check_host(self, headers: Headers) -> None:
        names = headers.getlist("host")
        if len(names) != 1 or names[0].lower() not in self._hosts:
            raise Refusal(400, "unknown_host")

    async def _actor(self, headers: Headers) -> Actor | None:
        """Return who the login cookie belongs to; a dead one is a stranger's, for a refused page would ask for ever."""
        values = [
            value.strip()
            for line in headers.getlist("cookie")
            for name, _, value in (pair.partition("=") for pair in line.split(";"))
            if name.strip() == self._cookie
        ]
        return await database.read(logins.find_session, values[0]) if len(values) == 1 else None

    def _address(self, scope: Scope, headers: Headers) -> str:
        client = scope.get("client")
        address = str(client[0]) if client else ""
        if self._hops:
            forwarded = [piece.strip() for line in headers.getlist("x-forwarded-for") for piece in line.split(",")]
            address = forwarded[-self._hops] if len(forwarded) >= self._hops else address
        return address[:45]


def _refusal(refusal: Refusal) -> JSONResponse:
    answer = errors.answer(refusal)
    answer.headers["connection"] = "close"  # a body that is still on its way is not read
    return answer


def _body_limit(path: str) -> int:
    return next((limit for prefix, limit in BODY_BYTES_BY_PATH.items() if path.startswith(prefix)), BODY_BYTES)
