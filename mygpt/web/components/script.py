"""Where the build finds the JSX and JS files of this folder.

All are linked from this one module, so that they keep lying side by side and may import each other.
"""

from pathlib import Path

import reflex as rx

HERE = Path(__file__).parent
PATHS: dict[str, str] = {
    path.name: rx.asset(path.name, shared=True).importable_path for path in sorted(HERE.glob("*.js*"))
}


def script(name: str) -> str:
    """Return the address under which a component's `library` is imported; an unknown file raises KeyError."""
    return PATHS[name]
