"""The numbered events of runs as they lie in the database: packed many to a row, and gone a day after the run.

A delta keeps its own number though its neighbours share its row, so a reader can go on after any of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, update
from sqlmodel import Session, col, select

from mygpt.dialogue import events
from mygpt.dialogue.events import Event, ReasoningDelta, TextDelta
from mygpt.tables.base import now
from mygpt.tables.conversations import Run, RunEvent


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one run that are not stored yet; the last has number `last_seq`."""

    run_id: str
    last_seq: int
    events: tuple[Event, ...]


def append(session: Session, batches: Iterable[Batch], *, alive: Iterable[str] = ()) -> None:
    """Append events of several runs and note that the runs `alive` are being worked on: one transaction for all."""
    when = now()
    rows = [_row(batch, when) for batch in batches if batch.events]
    if rows:
        session.connection().execute(insert(RunEvent), rows)
    session.connection().execute(
        update(Run).where(col(Run.id).in_(tuple(alive))).values(heartbeat_at=when, updated_at=when)
    )


def stored(session: Session, run_id: str, *, after: int = 0) -> list[Event]:
    """Return the stored events of a run with numbers above `after`, in order."""
    rows = session.exec(
        select(RunEvent).where(col(RunEvent.run_id) == run_id, col(RunEvent.seq) > after).order_by(col(RunEvent.seq))
    )
    found: list[Event] = []
    for row in rows:
        unpacked = _unpack(row.payload)
        first = row.seq - len(unpacked) + 1
        found += unpacked[max(0, after + 1 - first) :]
    return found


def forget(session: Session, *, finished_before: datetime) -> int:
    """Remove the events of runs that ended before then (their words are in the message); returns how many runs."""
    old = (
        select(RunEvent.run_id)
        .join(Run, col(Run.id) == col(RunEvent.run_id))
        .where(col(Run.finished_at) < finished_before)
        .distinct()
        .limit(500)
    )
    done = session.exec(old).all()
    session.connection().execute(delete(RunEvent).where(col(RunEvent.run_id).in_(done)))
    return len(done)


# Any: the JSON of a row.
def _row(batch: Batch, when: datetime) -> dict[str, Any]:
    return {
        "run_id": batch.run_id,
        "seq": batch.last_seq,
        "payload": {"events": _pack(batch.events)},
        "created_at": when,
        "updated_at": when,
    }


def _pack(happened: Iterable[Event]) -> list[dict[str, Any]]:
    """Merge neighbouring deltas: one object with the whole text and the lengths it came in, in UTF-16 units.

    Those units alone survive JSON, which joins the halves of a surrogate pair that came in two deltas.
    """
    packed: list[dict[str, Any]] = []
    for event in happened:
        if isinstance(event, TextDelta | ReasoningDelta):
            if packed and packed[-1]["kind"] == event.kind:
                packed[-1]["text"] += event.text
                packed[-1]["cuts"].append(_units(event.text))
            else:
                packed.append({"kind": event.kind, "text": event.text, "cuts": [_units(event.text)]})
        else:
            packed.append(events.event_to_json(event))
    return packed


def _unpack(payload: dict[str, Any]) -> list[Event]:
    found: list[Event] = []
    for item in payload["events"]:
        if "cuts" not in item:
            found.append(events.event_from_json(item))
            continue
        raw, start = item["text"].encode("utf-16-le", "surrogatepass"), 0
        for length in item["cuts"]:
            piece = raw[2 * start : 2 * (start + length)].decode("utf-16-le", "surrogatepass")
            found.append(events.event_from_json({"kind": item["kind"], "text": piece}))
            start += length
    return found


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
