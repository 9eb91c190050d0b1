"""The processes of a measurement: started as a user would, and what each has used."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRST_START_S = 420  # a fresh checkout builds its front end
EMAIL, PASSWORD = "bench@example.org", "measuring the speed of things"  # of a site that lives for minutes
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Started:
    """A running server: its process, and the seconds until it answered."""

    pid: int
    ready_s: float


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Told:
    """A child that answers each line of JSON with one line of JSON."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self, value: object = None) -> dict[str, object]:
        """Send one value and wait for the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended with status {self.process.wait()}")
        answer: dict[str, object] = json.loads(line)
        return answer

    def __enter__(self) -> "Told":
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.terminate()


@contextmanager
def server(command: list[str], address: str, log: Path, environment: dict[str, str] | None = None) -> Iterator[Started]:
    """Run a server until the block ends; it must answer below 500 at `address` first."""
    begin = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment
        )
    with process:
        try:
            while not _answers(address):
                if process.poll() is not None or time.monotonic() - begin > FIRST_START_S:
                    tail = log.read_text(errors="replace")[-3000:]
                    raise RuntimeError(f"{' '.join(command)} is not ready (status {process.returncode}):\n{tail}")
                time.sleep(0.05)
            yield Started(process.pid, time.monotonic() - begin)
        finally:
            _end(process)


@contextmanager
def mygpt(
    port: int, public_url: str, model_url: str, data_dir: Path, settings: dict[str, str] | None = None
) -> Iterator[Started]:
    """Run MyGPT with one compatible server as its only model, and one admin."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "UV_CACHE_DIR") if name in os.environ}
    environment = {
        **inherited,
        "MYGPT_PORT": str(port),
        "MYGPT_PUBLIC_URL": public_url,
        "MYGPT_DATA_DIR": str(data_dir / "data"),
        "MYGPT_COMPATIBLE": f"fake={model_url}|key",
        "MYGPT_DEFAULT_MODEL": "fake:bench",
        "MYGPT_ADMIN_EMAIL": EMAIL,
        "MYGPT_ADMIN_PASSWORD": PASSWORD,
        "MYGPT_LOCAL_MODEL": "off",
        "MYGPT_LOG_LEVEL": "warning",
        **(settings or {}),
    }
    command = [sys.executable, "-m", "mygpt", "serve"]
    with server(command, f"http://127.0.0.1:{port}/readyz", data_dir / "mygpt.log", environment) as started:
        yield started


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for one run and take it away after."""
    with tempfile.TemporaryDirectory(prefix="mygpt-bench-") as name:
        yield Path(name)


def cpu_s(pid: int) -> float:
    """Return the processor seconds a process and its living descendants have used."""
    return sum(_used(member) for member in family(pid))


def memory_mb(pid: int) -> tuple[float, float]:
    """Return the proportional and the unshared memory of a process and its descendants."""
    proportional = unshared = 0
    for member in family(pid):
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()[1:]:
            name, kilobytes = line.split()[:2]
            proportional += int(kilobytes) * (name == "Pss:")
            unshared += int(kilobytes) * (name in ("Private_Clean:", "Private_Dirty:"))
    return proportional / 1024, unshared / 1024


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for member in found:
        found += parents.get(member, [])
    return found


def _used(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # ended since it was listed
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _answers(address: str) -> bool:
    try:
        with _OPENER.open(address, timeout=2):
            return True
    except urllib.error.HTTPError as exc:
        return exc.code < 500
    except (OSError, ValueError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
