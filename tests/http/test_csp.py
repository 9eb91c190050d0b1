"""The Content-Security-Policy is made from the pages that are served."""

import base64
import hashlib
from pathlib import Path

from mygpt.http import csp


def _source(body: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(body).digest()).decode()}'"


def test_every_inline_script_of_every_page_is_allowed_by_its_exact_bytes(tmp_path: Path) -> None:
    (tmp_path / "login").mkdir()
    (tmp_path / "index.html").write_bytes(b"<script>first( )\n</script><script type='module' a=\">\">second</script>")
    (tmp_path / "login" / "index.html").write_bytes("<SCRIPT>drei = 'ß'</SCRIPT >".encode())
    expected = {_source(b"first( )\n"), _source(b"second"), _source("drei = 'ß'".encode())}
    assert set(csp.script_hashes(tmp_path)) == expected


def test_scripts_from_files_and_other_files_need_no_hash(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(b"<script src=/assets/a.js></script><script async src='b.js'>x</script>")
    (tmp_path / "a.js").write_bytes(b"<script>not a page</script>")
    assert csp.script_hashes(tmp_path) == ()


def test_a_data_attribute_is_not_an_address(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(b"<script data-src='x'>body</script>")
    assert csp.script_hashes(tmp_path) == (_source(b"body"),)


def test_a_site_without_a_front_end_has_no_hashes(tmp_path: Path) -> None:
    assert csp.script_hashes(tmp_path / "nowhere") == ()


def test_the_policy_allows_neither_eval_nor_inline_scripts() -> None:
    directives = dict(directive.split(" ", 1) for directive in csp.policy(["'sha256-x'"]).split("; "))
    assert directives["script-src"] == "'self' 'sha256-x'"
    assert "unsafe-eval" not in csp.policy()
    assert [name for name, value in directives.items() if "unsafe-inline" in value] == ["style-src"]
    assert directives["default-src"] == "'self'"
    for name in ("object-src", "base-uri", "frame-ancestors"):
        assert directives[name] == "'none'"
    assert directives["form-action"] == "'self'"
