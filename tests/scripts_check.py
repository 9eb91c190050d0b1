"""`python -m tests.scripts_check [--write]`: format and lint the JavaScript and CSS with Biome.

Its package goes to `build/scripts`, so that no node_modules appears beside the sources.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from mygpt.web import bundle

BIOME = "@biomejs/biome@2.6.8"
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "scripts"


def main() -> int:
    """Install Biome if it is missing, then check, or mend with `--write`; returns its exit status."""
    environment = bundle.environment(os.environ)
    if not _is_installed() and not _install(environment):
        print("npm could not install Biome; its words are above.", file=sys.stderr)
        return 1
    command = ["check", "--write"] if "--write" in sys.argv[1:] else ["ci"]
    biome = FOLDER / "node_modules" / ".bin" / "biome"
    return subprocess.run([biome, *command], cwd=ROOT, env=environment, check=False).returncode


def _is_installed() -> bool:
    stamp = FOLDER / "installed"
    return stamp.exists() and stamp.read_text() == BIOME


def _install(environment: dict[str, str]) -> bool:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    (FOLDER / "package.json").write_text('{"private": true}')
    command = [bundle.tool("npm"), "install", "--no-package-lock", "--no-progress", "--loglevel=error", BIOME]
    done = subprocess.run(command, cwd=FOLDER, env=environment, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        (FOLDER / "installed").write_text(BIOME)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
