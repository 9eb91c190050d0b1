"""`python -m tests.bench`: measure, and print the table."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict

from tests.bench import page as journey
from tests.bench import processes
from tests.bench.page import Site
from tests.bench.processes import Told
from tests.bench.rows import ROWS, Bench, warm_up
from tests.bench.table import markdown
from tests.fakes.model_server import running


@contextmanager
def prepared(rounds: int) -> Iterator[Bench]:
    """Start the model server, MyGPT, the floor, their relays, the SDK's child and the browser."""
    with ExitStack() as stack:
        open_ = stack.enter_context
        model = open_(running())
        folder = open_(processes.folder())
        port, floor_port = processes.free_port(), processes.free_port()
        relays = [open_(Told("tests.bench.relay", str(number))) for number in (port, floor_port)]
        addresses = [f"http://localhost:{relay.ask()['port']}" for relay in relays]
        started = open_(processes.mygpt(port, addresses[0], model.base_url, folder))
        command = [sys.executable, "-m", "tests.bench.floor", "--port", str(floor_port), "--model", model.address]
        bare = open_(processes.server(command, f"http://127.0.0.1:{floor_port}/", folder / "floor.log"))
        raw = open_(Told("tests.bench.raw", model.base_url))
        yield Bench(
            model=model,
            browser=open_(journey.browser()),
            mygpt=Site("mygpt", addresses[0], started.pid, relays[0], needs_login=True),
            floor=Site("floor", addresses[1], bare.pid, relays[1], needs_login=False),
            raw=raw,
            started=started,
            port=port,
            folder=folder,
            rounds=rounds,
        )


def main() -> int:
    """Measure the chosen rows and print them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help=f"which, with commas: {','.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=2, help="how often the short streams are repeated")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    options = parser.parse_args()
    chosen = options.rows.split(",")
    if unknown := set(chosen) - set(ROWS):
        parser.error(f"no such rows: {', '.join(sorted(unknown))}")
    begin = time.monotonic()
    with prepared(options.rounds) as bench:
        if set(chosen) - {"cold", "people", "burst", "idle"}:
            warm_up(bench)
        for name in sorted(chosen, key=list(ROWS).index):
            print(f"{name} …", file=sys.stderr, flush=True)
            ROWS[name](bench)
    if options.json:
        print(json.dumps([asdict(row) | {"ratio": row.ratio, "verdict": row.verdict} for row in bench.rows], indent=1))
    else:
        print(markdown(bench.rows))
    print(f"{time.monotonic() - begin:.0f} s in all; {_machine()}", file=sys.stderr)
    return 0


def _machine() -> str:
    """Tell how busy the machine was: on one with other work, times are longer and only ratios count."""
    return f"{os.cpu_count()} cores, load average {os.getloadavg()[1]:.1f} over 5 minutes"


if __name__ == "__main__":
    sys.exit(main())
