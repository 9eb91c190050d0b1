"""The rows: what is told, what is aimed at, and how far it is."""

from dataclasses import dataclass
from typing import Literal

Cell = float | None
Verdict = Literal["met", "near", "missed", "–"]
NEAR = 1.3  # times move by this much between runs on shared cores


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of each system; lower is better in all of them. `goal` None means: told, not aimed at."""

    title: str
    unit: str
    mygpt: Cell
    raw: Cell = None
    floor: Cell = None
    goal: Cell = None
    note: str = ""

    @property
    def ratio(self) -> Cell:
        """Return the figure as a part of the goal."""
        return (
            None
            if self.goal is None or self.mygpt is None
            else (self.mygpt / self.goal if self.goal else self.mygpt + 1)
        )

    @property
    def verdict(self) -> Verdict:
        """Return whether the goal is met."""
        ratio = self.ratio
        if ratio is None:
            return "–"
        return "met" if ratio <= 1 else "near" if ratio <= NEAR else "missed"


def markdown(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| figure | MyGPT | raw SDK | floor | goal | |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for row in rows:
        cells = (_show(row.mygpt), _show(row.raw), _show(row.floor), _goal(row))
        title = f"{row.title}, {row.unit}" if row.unit else row.title
        lines.append(f"| {title} | {' | '.join(cells)} | {_tell(row)} |")
    return "\n".join(lines)


def _tell(row: Row) -> str:
    ratio = row.ratio
    words = (
        ""
        if row.verdict == "–" or ratio is None
        else row.verdict
        if row.verdict == "met"
        else f"{ratio:.2f} × the goal"
    )
    return ", ".join(filter(None, (words, row.note)))


def _goal(row: Row) -> str:
    return "" if row.goal is None else f"≤ {_show(row.goal)}" if row.goal else "0"


def _show(value: Cell) -> str:
    if value is None:
        return "–"
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
