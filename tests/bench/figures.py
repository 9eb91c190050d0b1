"""From times to figures: lags, quantiles, medians."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from statistics import median


@dataclass(frozen=True, slots=True)
class Run:
    """One reply as one system showed it; None where a figure does not apply (the SDK has no page)."""

    tokens: int
    lags_s: tuple[float, ...]  # per numbered token, from the model server's write to the DOM
    late_s: float  # the last token's
    first_s: float  # the first token's
    asked_s: float  # Enter to the request's arrival
    cpu_s: float | None = None  # of the server
    task_s: float | None = None  # of the browser's main thread, all work
    script_s: float | None = None  # of it, scripts
    down: int | None = None  # bytes to the browser
    text: int | None = None  # bytes of the reply's text
    long_ms: tuple[int, ...] | None = None  # tasks above 50 ms


def lags(steps: Sequence[tuple[int, float]], written: Sequence[float], numbers: Iterable[int]) -> list[float]:
    """Return for each numbered token the time from its write until it, or a later one, was seen.

    `steps` are (highest number seen, when), rising. Raises ValueError when the last number was never seen.
    """
    found: list[float] = []
    position = 0
    for number in numbers:
        while position < len(steps) and steps[position][0] < number:
            position += 1
        if position == len(steps):
            raise ValueError(f"token {number} was never seen; the last one was {steps[-1][0] if steps else 'none'}")
        found.append(steps[position][1] - written[number])
    return found


def quantile(values: Iterable[float], share: float) -> float:
    """Return the nearest-rank quantile."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def pooled(runs: Sequence[Run]) -> Run:
    """Make one of several rounds: all lags together, the median of everything else, all long tasks."""
    together = {"lags_s": tuple(lag for run in runs for lag in run.lags_s), "tokens": runs[0].tokens}
    if runs[0].long_ms is not None:
        together["long_ms"] = tuple(task for run in runs for task in run.long_ms or ())
    for field in fields(Run):
        if field.name not in together and field.name != "long_ms":
            values = [value for run in runs if (value := getattr(run, field.name)) is not None]
            together[field.name] = median(values) if values else None
    return Run(**together)  # type: ignore[arg-type]  # the fields' own values
