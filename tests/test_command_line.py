"""The command line as people meet it: plain words, and a status that scripts can trust."""

import io
import json
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mygpt import __main__ as command_line
from mygpt import settings

PASSWORD = "four plain words here"
COMMANDS = ("serve", "migrate", "build", "create-admin", "create-user", "doctor")


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def mygpt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run a command in this process, with a data folder of the test's own."""
    handler, root = signal.getsignal(signal.SIGTERM), logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*arguments: str, said: str = "", **variables: str) -> Done:
        monkeypatch.setenv("MYGPT_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("MYGPT_LOCAL_MODEL", "off")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        try:
            status = command_line.main(list(arguments))
        except SystemExit as exc:
            status = int(exc.code or 0)
        said_back = capsys.readouterr()
        return Done(status, said_back.out, said_back.err)

    yield run
    signal.signal(signal.SIGTERM, handler)
    root.handlers[:], root.level = handlers, level


def test_it_is_a_program_of_its_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mygpt", "migrate"],
        cwd=settings.ROOT,
        env={"PATH": os.environ["PATH"], "MYGPT_DATA_DIR": str(tmp_path), "MYGPT_PORT": "none"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "MYGPT_PORT" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(mygpt: Run, command: str) -> None:
    done = mygpt(command, "--help")

    assert done.returncode == 0
    assert f"python -m mygpt {command}" in done.stdout


def test_a_command_that_does_not_exist_is_refused(mygpt: Run) -> None:
    assert mygpt("fly").returncode == 2
    assert mygpt().returncode == 2


def test_bad_settings_are_all_told_before_anything_is_done(mygpt: Run, tmp_path: Path) -> None:
    done = mygpt("serve", MYGPT_PORT="none", MYGPT_LOG_FORMAT="xml")

    assert done.returncode == 2
    assert "MYGPT_PORT" in done.stderr
    assert "MYGPT_LOG_FORMAT" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_is_told_with_the_setting_to_change(mygpt: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = mygpt("serve", MYGPT_PORT=str(taken.getsockname()[1]))

    assert done.returncode == 1
    assert "MYGPT_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_folder_that_cannot_be_made_is_told(mygpt: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = mygpt("migrate", MYGPT_DATA_DIR=str(tmp_path / "file" / "data"))

    assert done.returncode == 1
    assert "MYGPT_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_cannot_be_reached_is_told(mygpt: Run) -> None:
    done = mygpt("migrate", DATABASE_URL="postgresql://nobody:secret-word@127.0.0.1:1/none")

    assert done.returncode == 1
    assert "doctor" in done.stderr
    assert "secret-word" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_of_a_newer_version_is_not_served(mygpt: Run, tmp_path: Path) -> None:
    assert mygpt("migrate").returncode == 0
    with sqlite3.connect(tmp_path / "data" / "mygpt.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    connection.close()

    done = mygpt("serve", MYGPT_PORT=_free_port())

    assert done.returncode == 1
    assert "newer" in done.stderr


def test_the_first_admin_is_the_owner_and_a_user_a_member(mygpt: Run, tmp_path: Path) -> None:
    first = mygpt("create-admin", "--email", "Ada@Example.org", said=f"{PASSWORD}\n")
    second = mygpt("create-user", "--email", "ben@example.org", "--username", "Ben", said=f"{PASSWORD}\n")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "owner ada@example.org" in first.stdout
    assert "member ben@example.org" in second.stdout
    assert PASSWORD.encode() not in (tmp_path / "data" / "mygpt.db").read_bytes()


def test_an_account_that_exists_or_a_weak_password_is_refused_in_words(mygpt: Run) -> None:
    assert mygpt("create-user", "--email", "ben@example.org", said=f"{PASSWORD}\n").returncode == 0

    again = mygpt("create-user", "--email", "BEN@example.org", said=f"{PASSWORD}\n")
    weak = mygpt("create-user", "--email", "cy@example.org", said="short\n")

    assert (again.returncode, weak.returncode) == (1, 1)
    assert "already" in again.stderr
    assert "characters" in weak.stderr


def test_who_runs_the_site_may_choose_a_short_password_and_is_told_so(mygpt: Run) -> None:
    made = mygpt("create-user", "--email", "cy@example.org", said="twelve chars\n")

    assert made.returncode == 0
    assert "short" in made.stderr


def test_the_doctor_finds_nothing_broken_in_a_fresh_place(mygpt: Run, tmp_path: Path) -> None:
    done = mygpt("doctor", "--json", MYGPT_PORT=_free_port())

    verdicts = {finding["subject"]: finding["verdict"] for finding in json.loads(done.stdout)}
    assert verdicts["database"] == "note"
    assert "broken" not in [verdict for subject, verdict in verdicts.items() if subject != "front end"]
    assert not (tmp_path / "data").exists()


def test_the_doctor_ends_with_1_when_something_is_broken(mygpt: Run) -> None:
    done = mygpt("doctor", MYGPT_PORT=_free_port(), MYGPT_COMPATIBLE="home=http://127.0.0.1:1/v1")

    assert done.returncode == 1
    assert "BROKEN  provider home" in done.stdout


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
