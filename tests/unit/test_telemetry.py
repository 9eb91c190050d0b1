"""Logs: JSON lines with one request id, and nothing in them that a client could forge."""

import json
import logging
from collections.abc import Callable, Iterator

import pytest

from mygpt.telemetry import REQUEST_ID, UNTRUSTED_LOGGERS, new_request_id, request_id, set_up_logging

Lines = Callable[[], list[str]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """What was logged so far; afterwards logging is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err.splitlines()
    root.handlers[:], root.level = handlers, level
    for name in UNTRUSTED_LOGGERS:
        logging.getLogger(name).filters.clear()


def test_a_log_line_is_one_json_object_with_its_facts(lines: Lines) -> None:
    set_up_logging("info", "json")

    with request_id("from-the-browser"):
        logging.getLogger("mygpt.trial").info("conversation opened", extra={"count": 3})

    [line] = map(json.loads, lines())
    assert (line["message"], line["count"], line["level"]) == ("conversation opened", 3, "INFO")
    assert line["request_id"] == "from-the-browser"


def test_a_line_break_in_a_fact_makes_no_second_line(lines: Lines) -> None:
    for style in ("json", "text"):
        set_up_logging("info", style)
        logging.getLogger("mygpt.trial").warning("odd name", extra={"what": "a\nERROR forged\r\x1b[31m\x00"})

    written = lines()
    assert len(written) == 2
    assert not any(ord(char) < 32 for line in written for char in line)


def test_what_a_framework_says_of_a_clients_event_is_dropped(lines: Lines) -> None:
    set_up_logging("info", "json")

    logging.getLogger(UNTRUSTED_LOGGERS[0]).warning("cannot handle %s", {"headers": {"cookie": "mygpt=secret"}})

    [line] = lines()
    assert "secret" not in line


def test_below_the_level_nothing_is_logged(lines: Lines) -> None:
    set_up_logging("warning", "json")

    logging.getLogger("mygpt.trial").info("a detail")

    assert lines() == []


@pytest.mark.parametrize("forged", ["", "short", "x" * 65, "with space", "line\nbreak", 'quote"quote'])
def test_a_clients_request_id_is_kept_only_when_well_formed(forged: str) -> None:
    with request_id(forged) as chosen:
        assert chosen != forged
        assert REQUEST_ID.get() == chosen

    assert REQUEST_ID.get() == ""


def test_request_ids_do_not_repeat() -> None:
    assert len({new_request_id() for _ in range(1000)}) == 1000
