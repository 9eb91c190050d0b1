"""The import rule and the fences of docs/architecture.md, asserted on the syntax trees of every module."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import mygpt

PACKAGE = Path(mygpt.__file__).parent
SECTIONS = (
    ("words", {"settings", "errors", "telemetry", "inuse", "i18n", "dialogue"}),
    ("adapters", {"providers", "bus"}),
    ("memory", {"database", "migrations", "tables"}),
    ("verbs", {"services"}),
    ("live", {"live"}),
    ("edges", {"web", "http", "jobs"}),
)
MAY_MIX = {"words", "memory"}  # elsewhere the parts of one section do not know each other
SEE_ALL = {"mygpt", "__main__", "doctor"}
ALONE = {"install"}  # runs before anything is installed: the standard library only
FENCES: dict[str, tuple[str, ...]] = {
    "reflex": ("web/", "mygpt.py"),
    "reflex_base": ("web/", "mygpt.py"),
    "reflex_components_core": ("web/",),
    "fastapi": ("http/", "mygpt.py"),
    "starlette": ("http/", "mygpt.py"),
    "uvicorn": ("__main__.py",),
    "websockets": ("doctor.py",),
    "sqlmodel": ("database.py", "migrations.py", "tables/", "services/"),
    "sqlalchemy": ("database.py", "migrations.py", "tables/", "services/"),
    "alembic": ("migrations.py",),
    "passlib": ("services/logins.py",),
    "limits": ("services/limits.py",),
    "redis": ("bus.py",),
    "openai": ("providers/",),
    "httpx2": ("providers/",),
    "xllamacpp": ("providers/local",),
    "pydantic": ("",),  # everywhere
    "pydantic_core": ("settings.py",),
    "pydantic_settings": ("settings.py",),
    "pythonjsonlogger": ("telemetry.py",),
    "uuid_utils": ("telemetry.py", "tables/"),
}
ENVIRONMENT = ("settings.py", "install.py", "web/bundle.py", "__main__.py")


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every import, also inside functions, as dotted names: `from mygpt import bus` is `mygpt.bus`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import hides where it goes"
            if node.module == "mygpt":
                yield from ((node.lineno, f"mygpt.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, str(node.module)


def _part(file: str) -> str:
    return file.partition("/")[0].removesuffix(".py")


def _section(part: str) -> int | None:
    return next((number for number, (_, parts) in enumerate(SECTIONS) if part in parts), None)


def _is_allowed(part: str, other: str) -> bool:
    if part == other or part in SEE_ALL or other == "__version__":
        return True
    mine, its = _section(part), _section(other)
    if mine is None or its is None:
        return False
    return its < mine or (its == mine and SECTIONS[mine][0] in MAY_MIX)


def _wrong_imports(file: str, tree: ast.Module) -> Iterator[str]:
    for line, name in _imports(tree):
        if name.startswith("mygpt.") and not _is_allowed(_part(file), name.split(".")[1]):
            yield f"mygpt/{file}:{line} imports {name}"


def _unfenced_imports(file: str, tree: ast.Module) -> Iterator[str]:
    for line, name in _imports(tree):
        library = name.partition(".")[0]
        if library in sys.stdlib_module_names or library == "mygpt":
            continue
        if not file.startswith(FENCES.get(library, ())):
            yield f"mygpt/{file}:{line} imports {name}"


def test_every_module_has_its_place() -> None:
    known = set().union(*(parts for _, parts in SECTIONS)) | SEE_ALL | ALONE | {"__init__"}

    assert {_part(file) for file, _ in _modules()} - known == set()


def test_a_module_imports_only_from_sections_above_its_own() -> None:
    assert [wrong for file, tree in _modules() for wrong in _wrong_imports(file, tree)] == []


def test_every_library_stays_behind_its_fence() -> None:
    assert [wrong for file, tree in _modules() for wrong in _unfenced_imports(file, tree)] == []


def test_the_environment_is_read_in_few_places() -> None:
    readers = {
        f"mygpt/{file}:{node.lineno}"
        for file, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "environb", "getenv", "putenv")
        and file not in ENVIRONMENT
    }

    assert readers == set()


def test_the_rule_catches_what_it_should() -> None:
    def judged(file: str, source: str) -> list[str]:
        tree = ast.parse(source)
        return [*_wrong_imports(file, tree), *_unfenced_imports(file, tree)]

    assert judged("services/turns.py", "from mygpt.web import gate") == ["mygpt/services/turns.py:1 imports mygpt.web"]
    assert judged("web/gate.py", "def f():\n    from mygpt import http") == ["mygpt/web/gate.py:2 imports mygpt.http"]
    assert judged("bus.py", "import mygpt.providers.base") == ["mygpt/bus.py:1 imports mygpt.providers.base"]
    assert judged("live/runs.py", "import reflex as rx") == ["mygpt/live/runs.py:1 imports reflex"]
    assert judged("providers/base.py", "from requests.adapters import A") == [
        "mygpt/providers/base.py:1 imports requests.adapters"
    ]
    assert judged("services/turns.py", "from mygpt import database, errors\nimport sqlmodel") == []
    assert judged("mygpt.py", "from mygpt.web import layout\nfrom mygpt.http import guard") == []
