"""Examines an installation: what is well, what is not, and how to mend it."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Origin, Subprotocol

from mygpt import database as databases
from mygpt import migrations
from mygpt.database import Database, DatabaseError
from mygpt.errors import CredentialRejected, ProviderError
from mygpt.migrations import SchemaState
from mygpt.providers import LAST_RESORTS, Providers
from mygpt.providers.base import Provider
from mygpt.services import accounts
from mygpt.settings import Settings
from mygpt.web import bundle

MB = 1_000_000
LEAST_FREE = 100 * MB
LITTLE_FREE = 1000 * MB
ANSWER_S = 5.0
MODELS_S = 15.0
OLDEST_NODE = (22, 22)


class Verdict(StrEnum):
    """How a thing stands: `note` works, but somebody should know."""

    FINE = "fine"
    NOTE = "note"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, how it stands, and the way to mend it."""

    subject: str
    verdict: Verdict
    words: str
    remedy: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether MyGPT does not work because of it."""
        return self.verdict is Verdict.BROKEN

    def as_json(self) -> dict[str, str]:
        """Return it as a JSON object."""
        return asdict(self)


def fine(subject: str, words: str) -> Finding:
    """Say that a thing is well."""
    return Finding(subject, Verdict.FINE, words)


def note(subject: str, words: str, remedy: str) -> Finding:
    """Say what works but could be better."""
    return Finding(subject, Verdict.NOTE, words, remedy)


def broken(subject: str, words: str, remedy: str) -> Finding:
    """Say what does not work."""
    return Finding(subject, Verdict.BROKEN, words, remedy)


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is changed, and no database is made."""
    checks: tuple[Callable[[Settings], list[Finding] | Awaitable[list[Finding]]], ...] = (
        check_settings,
        check_data_folder,
        check_database,
        check_front_end,
        check_server,
        check_providers,
    )
    findings: list[Finding] = []
    for check in checks:
        found = check(settings)
        findings += found if isinstance(found, list) else await found
    return findings


def table(findings: list[Finding]) -> str:
    """Return the findings for a terminal, each remedy under its finding."""
    width = max(len(finding.subject) for finding in findings)
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.verdict.upper():6}  {finding.subject:{width}}  {finding.words}")
        if finding.remedy:
            lines.append(f"{'':6}  {'':{width}}  → {finding.remedy}")
    count = sum(finding.is_broken for finding in findings)
    lines.append("Everything needed works." if not count else f"{count} of {len(findings)} do not work.")
    return "\n".join(lines)


def check_settings(settings: Settings) -> list[Finding]:
    """They were read, or this would not run; what is left are settings that hardly fit together."""
    subject, public = "settings", urlsplit(settings.address)
    if settings.is_loopback and not settings.is_https and public.port not in (settings.port, None):
        return [
            note(
                subject,
                f"MYGPT_PUBLIC_URL says port {public.port}, MYGPT_PORT says {settings.port}.",
                "Unset MYGPT_PUBLIC_URL, unless something forwards one to the other.",
            )
        ]
    if not settings.is_loopback and not settings.is_https:
        return [
            note(subject, f"{settings.address} is plain http: passwords can be read on the way.", "Put TLS in front.")
        ]
    return [fine(subject, f"Listening on {settings.host}:{settings.port}, people use {settings.address}.")]


def check_data_folder(settings: Settings) -> list[Finding]:
    """Closed to others, and with room."""
    subject, folder = "data folder", settings.data_dir
    if not folder.is_dir():
        return [note(subject, f"{folder} does not exist yet.", "The first start makes it.")]
    findings: list[Finding] = []
    if folder.stat().st_mode & 0o077:
        findings.append(broken(subject, f"Other users of this machine can look into {folder}.", f"chmod 700 {folder}"))
    free = shutil.disk_usage(folder).free
    words = f"{free // MB:,} MB free for {folder}."
    if free < LEAST_FREE:
        findings.append(broken("disk", words, "Make room: nothing can be stored when the disk is full."))
    elif free < LITTLE_FREE:
        findings.append(note("disk", words, "Make room soon."))
    else:
        findings.append(fine("disk", words))
    return findings


def check_database(settings: Settings) -> list[Finding]:
    """Reachable, whole, of this version's schema, and with somebody in it."""
    file = Path(settings.database.removeprefix("sqlite:///"))
    if settings.database.startswith("sqlite") and not file.exists():
        return [note("database", f"{file} does not exist yet.", "python -m mygpt migrate")]
    try:
        with _opened(settings) as database:
            return _database_findings(database)
    except (DatabaseError, sqlite3.Error) as exc:
        reason = str(exc).partition("\n")[0]
        remedy = "Is the server running, and are address, user and password in DATABASE_URL right?"
        if settings.database.startswith("sqlite"):
            remedy = f"Stop MyGPT and put back a copy of {file}; keep the broken file for a rescue."
        return [broken("database", f"It cannot be read: {reason}", remedy)]


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database)
    try:
        yield database
    finally:
        database.close()


def _database_findings(database: Database) -> list[Finding]:
    subject = f"database ({'SQLite' if database.is_sqlite else 'PostgreSQL'})"
    damage = database.read_sync(databases.damage)
    if damage:
        return [broken(subject, f"The file is damaged: {damage[0]}", "Stop MyGPT and put back the newest backup.")]
    match database.read_sync(migrations.state):
        case SchemaState.EMPTY | SchemaState.BEHIND:
            return [note(subject, "Its schema is older than this version.", "python -m mygpt migrate")]
        case SchemaState.NEWER:
            return [broken(subject, "Its schema is from a newer MyGPT.", "Start the newer version again.")]
        case SchemaState.CURRENT:
            return [fine(subject, f"It answers; the schema is at {migrations.head()}."), _people(database)]


def _people(database: Database) -> Finding:
    count = database.read_sync(accounts.count)
    if count:
        return fine("accounts", f"{count} made.")
    return note(
        "accounts", "Nobody has an account.", "Open the link the server prints, or python -m mygpt create-admin"
    )


def check_front_end(_: Settings) -> list[Finding]:
    """Built from the present sources, or at least to be built."""
    node = _node_version()
    if bundle.is_current():
        return [fine("front end", "Built from the present sources.")]
    stale = "It is older than its sources." if bundle.is_built() else "It is not built."
    if node >= OLDEST_NODE and bundle.can_build():
        return [note("front end", stale, "python -m mygpt build, or just start the server")]
    found = ".".join(map(str, node)) or "none"
    say = note if bundle.is_built() else broken
    return [
        say("front end", f"{stale} Building needs Node 22.22 or newer; found: {found}.", "make run brings Node along")
    ]


def _node_version() -> tuple[int, ...]:
    try:
        asked = subprocess.run(  # noqa: S603  # no word of it comes from outside
            [bundle.tool("node"), "--version"], capture_output=True, text=True, check=True, timeout=ANSWER_S
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(int(piece) for piece in asked.stdout.strip().lstrip("v").split(".") if piece.isdigit())


async def check_server(settings: Settings) -> list[Finding]:
    """If one is running where the settings say: is it ours, is it ready, does the websocket open?"""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104  # a lookup
    local = f"{host}:{settings.port}"
    reply = await asyncio.to_thread(_ready_answer, local, urlsplit(settings.address).netloc)
    match reply:
        case None:
            return [note("server", f"None is running at {local}.", "make run")]
        case {"status": "ready"}:
            return [fine("server", f"Ready at {local}."), await _websocket_finding(settings, local)]
        case {"status": "not ready", "reasons": [*reasons]}:
            words = "; ".join(map(str, reasons))
            return [broken("server", f"It runs at {local} but is not ready: {words}.", "See its log, then restart it.")]
        case _:
            return [
                broken(
                    "server",
                    f"Something else answers at {local}.",
                    "Set MYGPT_PORT to a free port, or stop the other program.",
                )
            ]


def _ready_answer(local: str, public: str) -> object:
    request = urllib.request.Request(f"http://{local}/readyz", headers={"Host": public})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ANSWER_S) as answer:
            return json.loads(answer.read(MB))
    except urllib.error.HTTPError as exc:
        with exc:
            return _json_or_text(exc.read(MB))
    except (ValueError, TimeoutError):
        return "not JSON"
    except OSError:
        return None


def _json_or_text(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return "not JSON"


async def _websocket_finding(settings: Settings, local: str) -> Finding:
    """Open the page's own websocket, as a browser at the public address would."""
    public, at = urlsplit(settings.address).netloc, urlsplit(f"//{local}")
    try:
        async with connect(
            f"ws://{public}/_event/?EIO=4&transport=websocket&token={uuid.uuid4()}",
            host=at.hostname,
            port=at.port,
            origin=Origin(settings.address),
            subprotocols=[Subprotocol(version("reflex"))],
            open_timeout=ANSWER_S,
            proxy=None,
        ) as socket:
            greeting = await asyncio.wait_for(socket.recv(), ANSWER_S)
            extensions = socket.response.headers.get("Sec-WebSocket-Extensions", "") if socket.response else ""
    except (InvalidHandshake, WebSocketException, OSError, TimeoutError) as exc:
        return broken("websocket", f"It does not open: {exc}", "See the server's log; is MYGPT_PUBLIC_URL right?")
    if not str(greeting).startswith("0{"):
        return broken("websocket", "It opens, but another program answers.", "Check what listens on MYGPT_PORT.")
    compressed = "compressed" if "permessage-deflate" in extensions else "not compressed"
    return fine("websocket", f"It opens at {local}, {compressed}.")


async def check_providers(settings: Settings) -> list[Finding]:
    """Ask each one for its models, which costs nothing."""
    providers = Providers(settings)
    try:
        found = await providers.available()
        asked = {name: provider for name, provider in found.items() if name not in LAST_RESORTS}
        results = await asyncio.gather(*(_models(provider) for provider in asked.values()))
    finally:
        await providers.aclose()
    if not asked:
        remedy = "Set OPENAI_API_KEY, MYGPT_COMPATIBLE or MYGPT_LOCAL_MODEL; docs/configuration.md tells how."
        return [note("providers", "No AI is configured; the built-in Guide answers from MyGPT's own help.", remedy)]
    findings = [_provider_finding(provider, result) for provider, result in zip(asked.values(), results, strict=True)]
    offered = [f"{name}:{model}" for name, result in zip(asked, results, strict=True) for model in _names(result)]
    if settings.default_model and settings.default_model not in offered:
        words = f"MYGPT_DEFAULT_MODEL, {settings.default_model}, is on nobody's list."
        findings.append(note("default model", words, f"Use one like {offered[0]}." if offered else "Unset it."))
    return findings


async def _models(provider: Provider) -> list[str] | ProviderError | TimeoutError:
    try:
        return [model.name for model in await asyncio.wait_for(provider.models(), MODELS_S)]
    except (ProviderError, TimeoutError) as exc:
        return exc


def _names(result: list[str] | ProviderError | TimeoutError) -> list[str]:
    return result if isinstance(result, list) else []


def _provider_finding(provider: Provider, result: list[str] | ProviderError | TimeoutError) -> Finding:
    subject = f"provider {provider.name}"
    if isinstance(result, CredentialRejected):
        return broken(subject, f"{provider.label} does not accept the key.", "Put the right key into the settings.")
    if not isinstance(result, list):
        words = f"{provider.label} does not answer: {str(result) or 'it took too long'}"
        return broken(subject, words, "Is its address right, does it run, and can this machine reach it?")
    if not result:
        return note(subject, f"{provider.label} answers but offers no model.", "Load or pull a model there.")
    return fine(subject, f"{provider.label} answers; {len(result)} on offer, such as {result[0]}.")
