"""`python -m tests.scripts_check [--write]`: format and lint the JavaScript with Biome, pinned in package.json.

The packages go to `build/scripts`, so that no node_modules appears beside the sources.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mygpt.web import bundle

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "scripts"
FILES = ("package.json", "package-lock.json")


def main() -> int:
    """Install what is missing, then check, or mend with `--write`; returns the exit status of Biome."""
    environment = bundle.environment(os.environ)
    if not _is_installed() and not _install(environment):
        print("npm could not install Biome; its words are above.", file=sys.stderr)
        return 1
    command = ["check", "--write"] if "--write" in sys.argv[1:] else ["ci"]
    biome = FOLDER / "node_modules" / ".bin" / "biome"
    return subprocess.run([biome, *command, "."], cwd=ROOT, env=environment, check=False).returncode


def _wanted() -> str:
    return hashlib.sha256(b"\0".join((ROOT / name).read_bytes() for name in FILES)).hexdigest()


def _is_installed() -> bool:
    stamp = FOLDER / "installed"
    return stamp.exists() and stamp.read_text() == _wanted()


def _install(environment: dict[str, str]) -> bool:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name in FILES:
        shutil.copy(ROOT / name, FOLDER)
    done = subprocess.run(
        [bundle.tool("npm"), "ci", "--no-progress", "--loglevel=error"],
        cwd=FOLDER,
        env=environment,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode == 0:
        (FOLDER / "installed").write_text(_wanted())
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
