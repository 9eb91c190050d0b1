"""Puts the pinned requirements into a virtual environment: `python3 -m mygpt.install .venv requirements.txt …`.

Only the standard library, since it runs before anything is installed. It may be interrupted at any moment and run
again: what is installed is written down afterwards, by the hash of each requirement file, and an environment in which
something was begun and not finished is made anew. uv does the work when it can be had; pip, ten times as slow, if not.
"""

import argparse
import ast
import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

UV = "uv==0.13.9"
OLDEST = (3, 11)
STAMP = "mygpt-installed.json"


class InstallFailed(Exception):
    """The environment could not be made; the message says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m mygpt.install", description="Install pinned requirements.")
    parser.add_argument("venv", type=Path, help="folder of the virtual environment")
    parser.add_argument("requirements", type=Path, nargs="+", help="requirement files")
    asked = parser.parse_args(arguments)
    try:
        install(asked.venv, asked.requirements)
    except (InstallFailed, OSError) as exc:
        print(f"MyGPT could not be installed. {exc}", file=sys.stderr)
        return 1
    return 0


def install(venv: Path, requirements: list[Path]) -> bool:
    """Make the environment what the files ask for; returns False when it was already."""
    venv = venv.absolute()
    wanted = {file.name: fingerprint(file) for file in requirements}
    with _alone(venv) as was_finished:
        installed = read_stamp(venv) if was_finished else {}
        if wanted.items() <= installed.items():
            return False
        with _unfinished(venv):
            if not (was_finished and is_usable(venv)):
                _make(venv)
            _say(f"Installing {', '.join(wanted)} …")
            _install_files(str(venv / "bin" / "python"), requirements)
            write_stamp(venv, installed | wanted)
    return True


def fingerprint(requirements: Path) -> str:
    """Return a hash of a requirement file and of those it names by `-r`."""
    text = requirements.read_text(encoding="utf-8")
    included = [line[3:].strip() for line in text.splitlines() if line.startswith("-r ")]
    parts = [UV, text, *(fingerprint(requirements.parent / name) for name in included)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read_stamp(venv: Path) -> dict[str, str]:
    """Return the hash of each file that was installed whole; empty when the environment is not what it was."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    works = stamp.get("made") == _made(venv) and (venv / "bin" / "python").exists()
    return dict(stamp["files"]) if works else {}


def write_stamp(venv: Path, files: Mapping[str, str]) -> None:
    """Write down what is installed, at once or not at all."""
    fresh = venv / f"{STAMP}.new"
    fresh.write_text(json.dumps({"made": _made(venv), "files": files}), encoding="utf-8")
    fresh.replace(venv / STAMP)


def is_usable(venv: Path) -> bool:
    """Return whether a working environment of a new enough Python is there, at the place it was made for."""
    asks = f"import sys, pip; assert sys.version_info >= {OLDEST}; print(sys.prefix, sys.prefix != sys.base_prefix)"
    try:
        asked = _ask([str(venv / "bin" / "python"), "-c", asks])
    except OSError:
        return False
    if asked.returncode or not asked.stdout.strip().endswith(" True"):
        return False
    script = venv / "bin" / "pip"  # its first lines hold the place
    return script.exists() and str(venv.resolve()) in script.read_text(errors="replace")[:1000]


def _made(venv: Path) -> list[str]:
    """Say what an environment is bound to: its place, which its scripts hold, and the Python it was made with."""
    return [str(venv), str((venv / "bin" / "python").resolve())]


def _make(venv: Path) -> None:
    if sys.version_info < OLDEST:
        raise InstallFailed(f"It needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    _say(f"Making {venv} …")
    made = _ask([sys.executable, "-m", "venv", "--clear", str(venv)])
    if made.returncode:
        advice = "Python could not make a virtual environment; on Debian: apt install python3-venv."
        raise InstallFailed("\n".join([advice, made.stdout, made.stderr]))


def _install_files(python: str, requirements: list[Path]) -> None:
    files = [piece for file in requirements for piece in ("-r", str(file))]
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    if _run([*pip, UV]):
        listed = _ask([python, "-m", "pip", "config", "list"]).stdout
        settings = os.environ | uv_environment(pip_configuration(listed), os.environ)
        if _run([python, "-m", "uv", "pip", "install", "--quiet", "--python", python, *files], settings):
            return
        _say("uv could not install them; trying pip, which takes longer …")
    if not _run([*pip, *files]):
        raise InstallFailed("The reason is above. When the package registry can be reached, run the command again.")


def pip_configuration(listed: str) -> dict[str, str]:
    """Return the options in what `pip config list` prints; the environment beats `install`, which beats `global`."""
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in found:
            found[section][option] = str(ast.literal_eval(value))
    return found["global"] | found["install"] | found[":env:"]


def uv_environment(pip: Mapping[str, str], inherited: Mapping[str, str]) -> dict[str, str]:
    """Return what tells uv of the registries, certificate and constraints that the user configured for pip."""
    places = (place for place in pip.get("find-links", "").split() if "://" in place or Path(place).exists())
    chosen = {
        "UV_DEFAULT_INDEX": pip.get("index-url"),
        "UV_INDEX": pip.get("extra-index-url"),
        "UV_INDEX_STRATEGY": "unsafe-best-match" if "extra-index-url" in pip else None,  # as pip treats several
        "UV_FIND_LINKS": ",".join(places),
        "UV_NO_INDEX": "1" if pip.get("no-index", "").lower() in ("1", "true", "yes", "on") else None,
        "UV_CONSTRAINT": pip.get("constraint"),
        "UV_INSECURE_HOST": pip.get("trusted-host"),
        "SSL_CERT_FILE": pip.get("cert"),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return {name: " ".join(value.split()) for name, value in chosen.items() if value and name not in inherited}


def _run(command: list[str], settings: Mapping[str, str] | None = None) -> bool:
    return subprocess.run(command, stdin=subprocess.DEVNULL, env=settings, check=False).returncode == 0


def _ask(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


@contextmanager
def _alone(venv: Path) -> Iterator[bool]:
    """Hold the lock beside the environment; yields whether the last one who held it had finished."""
    with venv.with_name(f"{venv.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for another installation …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield not _unfinished_flag(venv).exists()


@contextmanager
def _unfinished(venv: Path) -> Iterator[None]:
    _unfinished_flag(venv).touch()
    yield  # not in a `finally`: after an error, too, the environment is made anew
    _unfinished_flag(venv).unlink()


def _unfinished_flag(venv: Path) -> Path:
    return venv.with_name(f"{venv.name}.unfinished")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
