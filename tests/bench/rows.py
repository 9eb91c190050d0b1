"""The measurements: each row function drives the systems and tells its figures."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from playwright.sync_api import Browser

from tests.bench import page as journey
from tests.bench import processes
from tests.bench.figures import Run, lags, pooled, quantile
from tests.bench.page import Site
from tests.bench.processes import Started, Told
from tests.bench.table import Row
from tests.fakes.model_server import Remote

PEOPLE, PEOPLE_RATE, PEOPLE_TOKENS = 100, 20.0, 200
PEOPLE_WITHIN_S = 5.0  # half the length of a reply: for five seconds all of them run


@dataclass(slots=True)
class Bench:
    """Everything that runs while a measurement lasts."""

    model: Remote
    browser: Browser
    mygpt: Site
    floor: Site
    raw: Told
    started: Started
    port: int
    folder: Path
    rounds: int = 2
    rows: list[Row] = field(default_factory=list)

    def tell(self, row: Row) -> None:
        """Keep a row, and show on the error stream that work goes on."""
        self.rows.append(row)
        print(f"  {row.title}: {row.mygpt} {row.unit} (raw {row.raw}, floor {row.floor})", file=sys.stderr, flush=True)


def measure(bench: Bench, rate: float, count: int, rounds: int) -> dict[str, Run]:
    """Let all three systems show the same reply in turns."""
    found: dict[str, list[Run]] = {"mygpt": [], "raw": [], "floor": []}
    for _ in range(rounds):
        found["raw"].append(ask_raw(bench, rate, count))
        for site in (bench.floor, bench.mygpt):
            page = journey.new_conversation(site, bench.browser)
            found[site.name].append(journey.ask(site, page, bench.model, rate=rate, count=count))
    return {name: pooled(runs) for name, runs in found.items()}


def ask_raw(bench: Bench, rate: float, count: int) -> Run:
    """Let the SDK read one reply."""
    bench.model.control(rate=rate, count=count, delay_s=0.3, kind="plain")
    answer = bench.raw.ask("a question without a page")
    request = bench.model.request(bench.model.journal()[-1]["n"])
    found = lags(answer["steps"], request["times"], range(count))  # type: ignore[arg-type]  # as raw.py prints them
    enter, cpu_s = float(str(answer["enter"])), float(str(answer["cpu_s"]))
    return Run(count, tuple(found), found[-1], found[0], request["asked"] - enter, cpu_s)


def warm_up(bench: Bench) -> None:
    """Let every system answer once, so that no row pays for what happens only the first time."""
    ask_raw(bench, 100, 50)
    for site in (bench.floor, bench.mygpt):
        page = journey.new_conversation(site, bench.browser)
        journey.ask(site, page, bench.model, rate=200, count=200, kind="rich")
        page.wait_for_timeout(3000)


def row_50(bench: Bench) -> None:
    """Lag at reading speed, and the row's by-products."""
    runs = measure(bench, 50, 500, bench.rounds)
    lag(bench, runs, "display lag p50 at 50 tok/s", 0.5, 28)
    lag(bench, runs, "display lag p95 at 50 tok/s", 0.95, 49)
    each(bench, runs, "Enter → model asked (MyGPT stores first)", "ms", lambda run: run.asked_s * 1000, 60)
    each(bench, runs, "time-to-first-token overhead", "ms", lambda run: run.first_s * 1000, 16)
    costs(bench, runs, 50, main_s=9, server_s=0.9)
    each(bench, runs, "bytes on the wire ÷ text at 50 tok/s", "", wire, 3)


def row_200(bench: Bench) -> None:
    """Lag at a fast model's speed."""
    runs = measure(bench, 200, 1000, bench.rounds)
    lag(bench, runs, "display lag p95 at 200 tok/s", 0.95, 64)
    each(bench, runs, "last of 1,000 tokens at 200/s late by", "ms", lambda run: run.late_s * 1000, 90)
    costs(bench, runs, 200, main_s=3, server_s=0.65)
    each(bench, runs, "bytes on the wire ÷ text at 200 tok/s", "", wire, 3)


def row_4000(bench: Bench) -> None:
    """Whether it keeps up for a long reply."""
    runs = measure(bench, 200, 4000, 1)
    each(bench, runs, "last of 4,000 tokens at 200/s late by", "ms", lambda run: run.late_s * 1000, 400)
    long_tasks(bench, runs, "long tasks in 4,000 tokens at 200/s")
    each(bench, runs, "bytes on the wire ÷ text in 4,000 tokens at 200/s", "", wire, 3)


def row_after50(bench: Bench) -> None:
    """The same after 50 messages, plain and rich; the lag beside a new conversation's of the same minute."""
    site, model = bench.mygpt, bench.model
    page = journey.new_conversation(site, bench.browser)
    fresh = journey.ask(site, page, model, rate=50, count=300)
    journey.converse(site, page, model, turns=24, count=60)
    after = journey.ask(site, page, model, rate=50, count=300)
    bench.tell(
        Row(
            "display lag p95 at 50 tok/s after 50 messages", "ms", quantile(after.lags_s, 0.95) * 1000,
            goal=quantile(fresh.lags_s, 0.95) * 1250, note="the goal is 1.25 × a new conversation's",
        )
    )  # fmt: skip
    for kind in ("plain", "rich"):
        run = journey.ask(site, page, model, rate=200, count=4000, kind=kind)
        long_ms = run.long_ms or ()
        what = f"4,000 {kind} tokens at 200/s after 50 messages"
        bench.tell(
            Row(
                f"{what}: on the wire",
                "MB",
                (run.down or 0) / 1e6,
                goal=0.15,
                note=f"text {(run.text or 0) / 1e6:.3f} MB",
            )
        )
        bench.tell(Row(f"{what}: browser script", "s", run.script_s, goal=3))
        bench.tell(Row(f"{what}: main thread", "s", run.task_s))
        bench.tell(Row(f"{what}: long tasks", "", len(long_ms), goal=4))
        bench.tell(Row(f"{what}: longest task", "ms", max(long_ms, default=0), goal=350))
        bench.tell(Row(f"{what}: last token late by", "ms", run.late_s * 1000, goal=400))


def row_frames(bench: Bench) -> None:
    """What the websocket carries, before compression."""
    page = journey.new_conversation(bench.mygpt, bench.browser)
    session = journey.count_frames(bench.mygpt, page)
    run = journey.ask(bench.mygpt, page, bench.model, rate=200, count=1000)
    session.detach()
    sizes = bench.mygpt.frames
    bench.tell(
        Row(
            "websocket payload ÷ text at 200 tok/s, before compression", "", sum(sizes) / (run.text or 1), goal=12,
            note=f"{len(sizes)} frames, {sum(sizes) / max(len(sizes), 1):.0f} bytes each",
        )
    )  # fmt: skip


def row_people(bench: Bench) -> None:
    """A hundred people without browsers, whose replies all run at the same time."""
    gathered(bench, f"{PEOPLE} people at {PEOPLE_RATE:.0f} tok/s", within_s=PEOPLE_WITHIN_S, has_goals=True)


def row_burst(bench: Bench) -> None:
    """The same people, who all press Enter at the same instant."""
    gathered(bench, f"{PEOPLE} people at the same instant", within_s=0, has_goals=False)


def gathered(bench: Bench, what: str, *, within_s: float, has_goals: bool) -> None:
    """Let a crowd gather, then send."""
    bench.model.control(rate=PEOPLE_RATE, count=PEOPLE_TOKENS, delay_s=0.3, kind="plain")
    with Told("tests.bench.people") as crowd:
        crowd.ask(
            {
                "address": f"http://127.0.0.1:{bench.port}",
                "origin": bench.mygpt.address,
                "database": f"sqlite:///{bench.folder / 'data' / 'mygpt.db'}",
                "people": PEOPLE,
                "tokens": PEOPLE_TOKENS,
                "rate": PEOPLE_RATE,
                "within_s": within_s,
            }
        )
        used, begin = processes.cpu_s(bench.started.pid), time.monotonic()
        outcome = crowd.ask()
        used, lasted = processes.cpu_s(bench.started.pid) - used, time.monotonic() - begin
    people: list[dict[str, object]] = outcome["people"]  # type: ignore[assignment]  # as people.py prints them
    frames = sum(int(str(person["frames"])) for person in people)
    told = people_rows(bench.model, people, what)
    load = f"{frames / lasted:.0f} frames/s, {used / lasted:.0%} of a core"
    own: list[float] = outcome["own_lags"]  # type: ignore[assignment]  # likewise
    told.append(Row(f"{what}: of it the crowd's own lag p95", "ms", quantile(own, 0.95) * 1000))
    told.append(Row(f"{what}: server CPU per 1,000 tokens", "s", used * 1000 / (PEOPLE * PEOPLE_TOKENS), note=load))
    for row in told:
        bench.tell(row if has_goals else replace(row, goal=0 if row.goal == 0 else None))


def people_rows(model: Remote, people: list[dict[str, object]], what: str) -> list[Row]:
    """Turn what the crowd saw into rows."""
    requests = {request["question"]: request for request in model.journal()}
    asked, stored, found, whole = [], [], [], 0
    problems: Counter[str] = Counter()
    for person in people:
        request = requests.get(str(person["question"]))
        if person["problem"] or request is None:
            problems[str(person["problem"] or "the model was never asked")] += 1
            continue
        whole += bool(person["is_whole"])
        asked.append(request["asked"] - person["sent"])
        stored.append(person["stored"] - person["sent"])  # type: ignore[operator]  # floats
        times = model.request(request["n"])["times"]
        found += lags(person["steps"], times, range(PEOPLE_TOKENS))  # type: ignore[arg-type]  # pairs
    note = "; ".join(f"{count} × {problem}" for problem, count in problems.items())
    rows = [Row(f"{what}: errors", "", len(people) - whole, goal=0, note=note)]
    if asked:
        rows += [
            Row(f"{what}: Enter → stored and acknowledged p95", "ms", quantile(stored, 0.95) * 1000),
            Row(f"{what}: Enter → model asked p95", "ms", quantile(asked, 0.95) * 1000, goal=500),
            Row(f"{what}: delta lag p50", "ms", quantile(found, 0.5) * 1000),
            Row(f"{what}: delta lag p95", "ms", quantile(found, 0.95) * 1000, goal=250),
        ]
    return rows


def row_cold(bench: Bench) -> None:
    """Pages with an empty cache."""
    site = bench.mygpt
    journey.enter(site, bench.browser)
    assert site.context is not None
    storage = site.context.storage_state()
    login = journey.cold(bench.browser, site, "/login")
    home = journey.cold(bench.browser, site, "/", storage)
    floor = journey.cold(bench.browser, bench.floor, "/")
    bench.tell(Row("sign-in page, cold: first contentful paint", "ms", login.paint_ms))
    bench.tell(Row("sign-in page, cold: script", "kB", login.script_kb, goal=260))
    bench.tell(Row("conversation page, cold: first contentful paint", "ms", home.paint_ms))
    bench.tell(
        Row(
            "conversation page, cold: working composer",
            "ms",
            home.composer_ms or None,
            floor=floor.composer_ms,
            goal=1050,
        )
    )
    bench.tell(Row("conversation page, cold: script", "kB", home.script_kb, goal=350))
    bench.tell(Row("conversation page, cold: everything", "kB", home.total_kb))


def row_idle(bench: Bench) -> None:
    """What it takes to be there: memory, and a second start."""
    with processes.folder() as other:
        port = processes.free_port()
        address = f"http://localhost:{port}"
        with processes.mygpt(port, address, bench.model.base_url, other):
            pass
        with processes.mygpt(port, address, bench.model.base_url, other) as again:
            time.sleep(5)
            proportional, unshared = processes.memory_mb(again.pid)
    bench.tell(Row("second start until ready", "s", again.ready_s, goal=5))
    bench.tell(Row("idle memory, proportional", "MB", proportional, goal=150, note=f"unshared {unshared:.0f} MB"))


def lag(bench: Bench, runs: dict[str, Run], title: str, share: float, goal: float) -> None:
    """Tell one quantile of the display lag."""
    each(bench, runs, title, "ms", lambda run: quantile(run.lags_s, share) * 1000, goal)


def costs(bench: Bench, runs: dict[str, Run], rate: int, *, main_s: float, server_s: float) -> None:
    """Tell what 1,000 tokens cost the browser and the server."""

    def thousand(name: str) -> Callable[[Run], float | None]:
        return lambda run: None if (value := getattr(run, name)) is None else value * 1000 / run.tokens

    at = f"per 1,000 tokens at {rate}/s"
    each(bench, runs, f"browser main thread {at}", "s", thousand("task_s"), main_s)
    each(bench, runs, f"of it script {at}", "s", thousand("script_s"))
    each(bench, runs, f"server CPU {at}", "s", thousand("cpu_s"), server_s)
    long_tasks(bench, runs, f"long tasks at {rate} tok/s")


def long_tasks(bench: Bench, runs: dict[str, Run], title: str) -> None:
    """Tell how many tasks of the page took more than 50 ms."""
    tasks = runs["mygpt"].long_ms or ()
    note = f"the longest {max(tasks)} ms" if tasks else ""
    bench.tell(Row(title, "", len(tasks), floor=len(runs["floor"].long_ms or ()), note=note))


def wire(run: Run) -> float | None:
    """Return the bytes to the browser as a multiple of the text."""
    return run.down / run.text if run.down is not None and run.text else None


def each(
    bench: Bench,
    runs: dict[str, Run],
    title: str,
    unit: str,
    figure: Callable[[Run], float | None],
    goal: float | None = None,
) -> None:
    """Tell one figure of all three systems."""
    bench.tell(Row(title, unit, figure(runs["mygpt"]), figure(runs["raw"]), figure(runs["floor"]), goal))


ROWS: dict[str, Callable[[Bench], None]] = {
    "cold": row_cold,
    "50": row_50,
    "200": row_200,
    "4000": row_4000,
    "after50": row_after50,
    "frames": row_frames,
    "people": row_people,
    "burst": row_burst,
    "idle": row_idle,
}
