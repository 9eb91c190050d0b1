"""The command line: `python -m mygpt COMMAND`. Each command says plainly what it did; its exit status is 0 or not."""

import argparse
import asyncio
import getpass
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from mygpt import __version__, doctor, migrations, settings
from mygpt.database import Database, DatabaseError
from mygpt.errors import MyGPTError
from mygpt.i18n import DEFAULT, translate
from mygpt.services import accounts, logins
from mygpt.settings import Settings, SettingsError
from mygpt.telemetry import set_up_logging
from mygpt.web import bundle

SOCKET_BYTES = 65_536  # 4,000 characters fit, however they are escaped
CONNECTIONS_END_S = 3
EXIT_S = 9.5
EXIT_USAGE = 2
Command = Callable[[Settings, argparse.Namespace], int]


class CommandFailed(Exception):
    """A command cannot do what it was asked; the message says why and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    asked = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    os.chdir(settings.ROOT)
    try:
        loaded = settings.load()
        command: Command = asked.command
        return command(loaded, asked)
    except SettingsError as exc:
        return _fail(str(exc), EXIT_USAGE)
    except MyGPTError as exc:
        return _fail(translate(f"error.{exc.text_code}", DEFAULT, **exc.params))
    except (CommandFailed, bundle.BuildFailed, migrations.NewerSchema) as exc:
        return _fail(str(exc))
    except DatabaseError as exc:
        return _fail(f"The database cannot be used: {_first_line(exc)}\n`python -m mygpt doctor` looks for the reason.")
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mygpt", description="MyGPT, a self-hosted AI chat.")
    parser.add_argument("--version", action="version", version=f"MyGPT {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, command: Command, words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(command=command)
        return added

    served = add("serve", serve, "Migrate the database, build the front end if its sources changed, and serve it all.")
    served.add_argument("--no-build", action="store_true", help="serve the front end as it is, even if out of date")
    add("migrate", migrate, "Bring the database's schema to this version.")
    add("build", build, "Build the front end, if its sources changed.")
    for name, command, words in (
        ("create-admin", create_admin, "Make an admin; the first account of a site becomes its owner."),
        ("create-user", create_user, "Make a member."),
    ):
        made = add(name, command, f"{words} The password is asked for, or read as one line from standard input.")
        made.add_argument("--email", required=True, help="what the person signs in with")
        made.add_argument("--username", default="", help="shown to others; by default the part of --email before the @")
    checked = add("doctor", diagnose, "Check the installation and say how to mend what is broken.")
    checked.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser


def migrate(loaded: Settings, _: argparse.Namespace) -> int:
    """Bring the schema to this version."""
    with _migrated_database(loaded):
        print(f"The database is at revision {migrations.head()}.")
    return 0


def build(_loaded: Settings, _: argparse.Namespace) -> int:
    """Build the front end when it is not current."""
    if bundle.is_current():
        print("The front end is up to date.")
        return 0
    _build()
    return 0


def create_admin(loaded: Settings, asked: argparse.Namespace) -> int:
    """Make an admin, or the owner when there is nobody yet."""
    return _create(loaded, asked, is_admin=True)


def create_user(loaded: Settings, asked: argparse.Namespace) -> int:
    """Make a member."""
    return _create(loaded, asked, is_admin=False)


def diagnose(loaded: Settings, asked: argparse.Namespace) -> int:
    """Print what is well and what is not; 1 when something is broken."""
    findings = asyncio.run(doctor.examine(loaded))
    print(json.dumps([finding.as_json() for finding in findings], indent=2) if asked.json else doctor.table(findings))
    return 1 if any(finding.is_broken for finding in findings) else 0


def serve(loaded: Settings, asked: argparse.Namespace) -> int:
    """Serve pages, websocket and HTTP on one port until told to stop."""
    set_up_logging(loaded.log_level, loaded.log_format)
    with _listening_place(loaded) as place:
        with _migrated_database(loaded) as database:
            _ensure_admin(loaded, database)
            setup_token = database.run_sync(logins.issue_setup_token)
        _ensure_bundle(may_build=not asked.no_build)
        os.environ |= reflex_environment(loaded)
        logging.getLogger("uvicorn.error").addFilter(_is_no_refusal)
        server = _Server(_uvicorn(loaded), _welcome(loaded, setup_token))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(
                number, signal.SIG_IGN
            )  # while it runs the server handles them, and passes them on afterwards
        server.run(sockets=[place])
    return 0


def reflex_environment(loaded: Settings) -> dict[str, str]:
    """Return what must be in the environment before Reflex is imported, so that it serves the built front end."""
    return {
        "__REFLEX_SKIP_COMPILE": "true",
        "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
        "REFLEX_ENV_MODE": "prod",
        "REFLEX_TELEMETRY_ENABLED": "false",
        "REFLEX_CHECK_LATEST_VERSION": "false",
        "REFLEX_DIR": str(settings.ROOT / "build" / "reflex"),
        "REFLEX_SOCKET_MAX_HTTP_BUFFER_SIZE": str(SOCKET_BYTES),
        "REFLEX_REDIS_TOKEN_EXPIRATION": str(loaded.session_idle_s),
    }


class _Server(uvicorn.Server):
    """uvicorn, which says when it is ready and ends within `EXIT_S` of being told to."""

    def __init__(self, config: uvicorn.Config, welcome: str) -> None:
        super().__init__(config)
        self._welcome = welcome

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._welcome, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            timer = threading.Timer(EXIT_S, os._exit, [1])
            timer.daemon = True
            timer.start()
        super().handle_exit(sig, frame)


def _uvicorn(loaded: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        "mygpt.mygpt:create_asgi",
        factory=True,
        host=loaded.host,
        port=loaded.port,
        ws="websockets-sansio",
        ws_max_size=SOCKET_BYTES,
        ws_per_message_deflate=True,
        log_level="warning",  # what it says of sockets at info holds client tokens
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # the guard reads them, for as many hops as the settings trust
        timeout_graceful_shutdown=CONNECTIONS_END_S,
        lifespan="on",
    )


def _is_no_refusal(record: logging.LogRecord) -> bool:
    """Drop what uvicorn says of every socket that the guard refused, which has logged it itself."""
    return record.msg != "ASGI callable returned without completing handshake."


def _welcome(loaded: Settings, setup_token: str | None) -> str:
    lines = [f"MyGPT is ready: {loaded.address}"]
    if setup_token:
        lines.append(
            f"Nobody has an account yet. Make yours, once, within a day: {loaded.address}/setup#token={setup_token}"
        )
    return "\n".join(lines)


def _ensure_bundle(*, may_build: bool) -> None:
    if bundle.is_current():
        return
    if may_build and bundle.can_build():
        _build()
    elif not bundle.is_built():
        remedy = "Run `make build`, which brings Node along." if may_build else "Run it without --no-build."
        raise CommandFailed(f"The front end is not built. {remedy}")
    else:
        print("The front end is older than its sources; `python -m mygpt build` makes it anew.", file=sys.stderr)


def _build() -> None:
    print("Building the front end; this takes about a minute the first time …", flush=True)
    print(f"Built in {bundle.build():.0f} s.", flush=True)


@contextmanager
def _listening_place(loaded: Settings) -> Iterator[socket.socket]:
    """Take the port before the long work; connections are refused until the server listens."""
    place = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            loaded.host, loaded.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        place = socket.socket(family, kind, protocol)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(address)
    except OSError as exc:
        if place is not None:
            place.close()
        raise CommandFailed(
            f"MyGPT cannot listen on {loaded.host}, port {loaded.port}: {exc.strerror or exc}. "
            "Set MYGPT_PORT to a free port, or MYGPT_HOST to an address of this machine."
        ) from exc
    with place:
        yield place


@contextmanager
def _migrated_database(loaded: Settings) -> Iterator[Database]:
    try:
        settings.prepare_data_dir(loaded.data_dir)
    except OSError as exc:
        raise CommandFailed(f"MYGPT_DATA_DIR, {loaded.data_dir}, cannot be used: {exc.strerror}.") from exc
    database = Database(loaded.database)
    try:
        migrations.migrate(database)
        yield database
    finally:
        database.close()


def _ensure_admin(loaded: Settings, database: Database) -> None:
    email, password = loaded.admin_email, loaded.admin_password.get_secret_value()
    if not email or database.read_sync(accounts.find_by_email, email) is not None:
        return
    _check_password(password, email)
    hashed = asyncio.run(logins.hash_password(password))
    if database.run_sync(accounts.ensure_admin, email, hashed):
        print(f"Made the admin {email}.", flush=True)


def _create(loaded: Settings, asked: argparse.Namespace, *, is_admin: bool) -> int:
    email = accounts.normal_email(asked.email)
    username = asked.username or email.partition("@")[0]
    password = _read_password()
    _check_password(password, email, username)
    hashed = asyncio.run(logins.hash_password(password))
    make = accounts.create_admin if is_admin else accounts.create
    with _migrated_database(loaded) as database:
        made = database.run_sync(make, email=email, username=username, password_hash=hashed)
    print(f"Made the {made.role} {made.email}.")
    return 0


def _check_password(password: str, email: str, username: str = "") -> None:
    accounts.check_password(password, email=email, username=username, minimum=accounts.OPERATOR_PASSWORD_MIN)
    if len(password) < accounts.PASSWORD_MIN:
        print(
            f"The password of {email} is short; {accounts.PASSWORD_MIN} characters and more withstand guessing.",
            file=sys.stderr,
        )


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandFailed("The two passwords differ; nothing was made.")
    return password


def _leave(signal_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signal_number)


def _fail(message: str, status: int = 1) -> int:
    print(message, file=sys.stderr)
    return status


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
