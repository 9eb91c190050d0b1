"""The page's plain JavaScript, tested by Node's own test runner."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "js"
ROOT = Path(__file__).parent.parent.parent


def node() -> str | None:
    """Return the Node that lies in the virtual environment, or the system's."""
    beside = Path(sys.executable).with_name("node")
    return str(beside) if beside.exists() else shutil.which("node")


@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.js")), ids=lambda path: path.name)
def test_the_scripts_keep_their_rules(path: Path) -> None:
    runtime = node()
    if runtime is None:
        pytest.skip("Node is not installed")

    done = subprocess.run(
        [runtime, "--test", str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
