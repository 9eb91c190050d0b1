"""The front end's build: when it counts as current, and the address that is taken out of it."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mygpt.web import bundle
from mygpt.web.bundle import BuildFailed

ENV = f"""var e={{PING:`http://{bundle.STAND_IN}/ping`,EVENT:"ws://{bundle.STAND_IN}/_event",TRANSPORT:`websocket`}};"""
PYTHON = sys.executable
HOSTS = "SAME=[`localhost`,`0.0.0.0`,`::`,`0:0:0:0:0:0:0:0`],token;"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small project."""
    for name, content in (
        ("mygpt/web/pages/login.py", "def page(): ..."),
        ("mygpt/i18n/locales/en.json", "{}"),
        ("mygpt/mygpt.py", "app = None"),
        ("assets/icon.svg", "<svg/>"),
        ("rxconfig.py", "config = None"),
        ("requirements.txt", "reflex==1"),
        ("reflex.lock/package.json", "{}"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.fixture
def reflex(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Puts a program in the place of `python -m reflex export`; it runs in the project's folder."""

    def stand_in(program: str) -> None:
        (tmp_path / "program.py").write_text(program)
        _script(tmp_path / "python", f'exec "{PYTHON}" "{tmp_path}/program.py"')
        _script(tmp_path / "npm", "echo https://npm.example.org/")
        _script(tmp_path / "node", "exit 0")
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    return stand_in


def _script(path: Path, command: str) -> None:
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)


EXPORT = f"""
import gzip, pathlib
assets = pathlib.Path(".web/build/client/assets"); assets.mkdir(parents=True)
(assets.parent / "index.html").write_text("<html>")
(assets / "env.js").write_text({ENV!r}); (assets / "env.js.gz").write_bytes(gzip.compress({ENV!r}.encode()))
(assets / "context.js").write_text({HOSTS!r})
"""


def test_a_build_is_current_until_a_source_changes(root: Path, reflex: Callable[[str], None]) -> None:
    reflex(EXPORT)
    assert not bundle.is_current(root)

    bundle.build(root)
    assert bundle.is_current(root)

    (root / "mygpt/web/pages/login.py").write_text("def page(): return 1")
    assert not bundle.is_current(root)
    assert bundle.is_built(root)


@pytest.mark.parametrize("place", ["assets/external/x.js", "mygpt/web/__pycache__/gate.pyc", "mygpt/web/.gate.py.swp"])
def test_what_is_generated_is_no_source(root: Path, place: str) -> None:
    before = bundle.fingerprint(root)

    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_text("made while building")

    assert bundle.fingerprint(root) == before


def test_a_renamed_file_is_another_source(root: Path) -> None:
    before = bundle.fingerprint(root)

    (root / "assets/icon.svg").rename(root / "assets/logo.svg")

    assert bundle.fingerprint(root) != before


def test_the_built_address_becomes_the_pages_own(root: Path, reflex: Callable[[str], None]) -> None:
    reflex(EXPORT)

    bundle.build(root)

    assets = bundle.client_folder(root) / "assets"
    script = (assets / "env.js").read_text()
    assert script == (
        'var e={PING:(location.origin+"/ping"),EVENT:(location.origin.replace(/^http/,\'ws\')+"/_event"),'
        "TRANSPORT:`websocket`};"
    )
    assert gzip.decompress((assets / "env.js.gz").read_bytes()).decode() == script
    assert (assets / "context.js").read_text() == "SAME=[],token;"


def test_a_front_end_without_the_stand_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "env.js").write_text("var e={PING:`http://localhost:8000/ping`}")

    with pytest.raises(BuildFailed, match="0 places"):
        bundle.free_of_address(tmp_path)


def test_a_stand_in_that_is_left_is_found(tmp_path: Path) -> None:
    (tmp_path / "env.js").write_text(ENV)
    (tmp_path / "index.html").write_text(f"<link href=http://{bundle.STAND_IN}>")

    with pytest.raises(BuildFailed, match=r"index\.html"):
        bundle.free_of_address(tmp_path)


def test_a_failed_build_shows_the_end_of_its_log_and_does_not_count(root: Path, reflex: Callable[[str], None]) -> None:
    reflex("import sys; print('first'); print('line\\n' * 50); sys.exit('the page login has no title')")

    with pytest.raises(BuildFailed) as caught:
        bundle.build(root)

    told = str(caught.value)
    assert "the page login has no title" in told
    assert "first" not in told
    assert str(bundle.log_file(root)) in told
    assert not bundle.is_built(root)


def test_without_node_the_build_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(root / "python"))
    monkeypatch.setenv("PATH", str(root))

    with pytest.raises(BuildFailed, match="Node"):
        bundle.build(root)


def test_a_build_that_hangs_is_ended(root: Path, reflex: Callable[[str], None]) -> None:
    reflex("import time; time.sleep(60)")

    with pytest.raises(BuildFailed, match="longer than"):
        bundle.build(root, timeout_s=0.5)


def test_after_an_interruption_the_build_starts_from_nothing(root: Path, reflex: Callable[[str], None]) -> None:
    reflex("import time; time.sleep(60)")
    with pytest.raises(BuildFailed):
        bundle.build(root, timeout_s=0.5)
    half_installed = root / ".web" / "node_modules" / "half"
    half_installed.mkdir(parents=True)
    reflex(EXPORT)

    bundle.build(root)

    assert not half_installed.exists()
    assert bundle.is_current(root)


def test_a_lock_in_another_order_is_put_back_and_a_changed_one_kept(root: Path, reflex: Callable[[str], None]) -> None:
    lock = root / "reflex.lock" / "package.json"
    lock.write_text('{"b":1,"a":2}')
    reflex(f"{EXPORT}\npathlib.Path('reflex.lock/package.json').write_text('{{\"a\":2,\"b\":1}}')")
    bundle.build(root)
    assert lock.read_text() == '{"b":1,"a":2}'
    assert bundle.is_current(root)

    (root / "rxconfig.py").write_text("config = 1")
    reflex(f"{EXPORT}\npathlib.Path('reflex.lock/package.json').write_text('{{\"a\":3}}')")
    bundle.build(root)
    assert lock.read_text() == '{"a":3}'
    assert bundle.is_current(root)


def test_of_two_builders_at_once_the_second_finds_the_work_done(root: Path, reflex: Callable[[str], None]) -> None:
    reflex(f"import time; time.sleep(0.5); open('count', 'a').write('x')\n{EXPORT}")
    builder = f"""
import sys; from pathlib import Path; from mygpt.web import bundle
sys.executable = {sys.executable!r}
bundle.build(Path({str(root)!r}))
"""
    both = [subprocess.Popen([PYTHON, "-c", builder], cwd=bundle.ROOT) for _ in range(2)]

    assert [process.wait(30) for process in both] == [0, 0]
    assert (root / "count").read_text() == "x"


def test_a_build_tells_nobody_and_honours_the_users_registry() -> None:
    made = bundle.environment(
        {"PATH": "/bin", "REFLEX_API_URL": "http://elsewhere", "NPM_TOKEN": "t", "HOME": "/h"},
        "https://npm.example.org/",
    )

    assert made["REFLEX_TELEMETRY_ENABLED"] == "false"
    assert made["REFLEX_API_URL"] == f"http://{bundle.STAND_IN}"
    assert made["NPM_CONFIG_REGISTRY"] == "https://npm.example.org/"
    assert (made["NPM_TOKEN"], made["HOME"]) == ("t", "/h")
    assert made["PATH"].endswith(":/bin")
