"""Installing: repeated, interrupted, and told where the user's own registry is."""

import sys
import venv
from pathlib import Path

import pytest

from mygpt import install
from mygpt.install import InstallFailed

Commands = list[list[str]]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Requirement files, one including another."""
    (tmp_path / "requirements.txt").write_text("sqlmodel==1\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\npytest==1\n")
    return [tmp_path / "requirements-dev.txt"]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The commands that would have installed something; environments are made, with a stand-in for pip."""
    commands: Commands = []

    def run(command: list[str], _settings: object = None) -> bool:
        commands.append(command[1:])
        return True

    monkeypatch.setattr(install, "_run", run)
    monkeypatch.setattr(install, "_make", _make_quickly)
    return commands


def _make_quickly(folder: Path) -> None:
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=False).create(folder)
    (folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "pip.py").touch()
    (folder / "bin" / "pip").write_text(f"#!{folder}/bin/python\n")


def test_a_real_environment_is_usable_where_it_was_made(tmp_path: Path) -> None:
    install._make(tmp_path / "my venv")

    assert install.is_usable(tmp_path / "my venv") is True
    assert install.is_usable(tmp_path / "none") is False
    (tmp_path / "my venv").rename(tmp_path / "moved")
    assert install.is_usable(tmp_path / "moved") is False


def test_a_second_time_there_is_nothing_to_do(tmp_path: Path, files: list[Path], ran: Commands) -> None:
    assert install.install(tmp_path / "my venv", files) is True
    assert [command[:2] for command in ran] == [["-m", "pip"], ["-m", "uv"]]

    assert install.install(tmp_path / "my venv", files) is False
    assert len(ran) == 2


def test_a_changed_requirement_is_installed_into_the_same_environment(
    tmp_path: Path, files: list[Path], ran: Commands
) -> None:
    install.install(tmp_path / ".venv", files)
    (tmp_path / ".venv" / "kept").touch()
    (tmp_path / "requirements.txt").write_text("sqlmodel==2\n")

    assert install.install(tmp_path / ".venv", files) is True
    assert (tmp_path / ".venv" / "kept").exists()


def test_after_an_interruption_the_environment_is_made_anew(
    tmp_path: Path, files: list[Path], ran: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bool:
        (tmp_path / ".venv" / "half").touch()
        raise KeyboardInterrupt

    working = install._run
    monkeypatch.setattr(install, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        install.install(tmp_path / ".venv", files)
    monkeypatch.setattr(install, "_run", working)

    assert install.install(tmp_path / ".venv", files) is True
    assert not (tmp_path / ".venv" / "half").exists()
    assert install.install(tmp_path / ".venv", files) is False


def test_an_environment_that_was_moved_is_made_anew(tmp_path: Path, files: list[Path], ran: Commands) -> None:
    install.install(tmp_path / "here", files)
    (tmp_path / "here").rename(tmp_path / "there")

    assert install.is_usable(tmp_path / "there") is False
    assert install.install(tmp_path / "there", files) is True
    assert install.is_usable(tmp_path / "there") is True


def test_without_uv_pip_does_the_work(
    tmp_path: Path, files: list[Path], ran: Commands, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str], _settings: object = None) -> bool:
        ran.append(command[1:])
        return "uv" not in command

    monkeypatch.setattr(install, "_run", run)

    install.install(tmp_path / ".venv", files)

    assert ran[-1][:2] == ["-m", "pip"]
    assert ran[-1][-2:] == ["-r", str(files[0])]
    assert "trying pip" in capfd.readouterr().out


def test_when_nothing_can_be_installed_the_status_is_not_zero(
    tmp_path: Path, files: list[Path], ran: Commands, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "_run", lambda *_: False)

    assert install.main([str(tmp_path / ".venv"), *map(str, files)]) == 1
    assert "could not be installed" in capfd.readouterr().err
    with pytest.raises(InstallFailed):
        install.install(tmp_path / ".venv", files)


def test_what_the_user_told_pip_is_told_to_uv(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    listed = "\n".join(
        (
            "global.index-url='https://pip.example.org/simple'",
            "install.index-url='https://better.example.org/simple'",
            f"global.find-links='/nowhere\\n{tmp_path}/wheels'",
            ":env:.cert='/etc/ssl/mine.pem'",
            "global.extra-index-url='https://a.example.org https://b.example.org'",
            "list.format='columns'",
        )
    )

    told = install.uv_environment(install.pip_configuration(listed), {"UV_INDEX": "https://mine.example.org"})

    assert told["UV_DEFAULT_INDEX"] == "https://better.example.org/simple"
    assert told["UV_FIND_LINKS"] == f"{tmp_path}/wheels"
    assert told["SSL_CERT_FILE"] == "/etc/ssl/mine.pem"
    assert "UV_INDEX" not in told
    assert told["UV_PYTHON_DOWNLOADS"] == "never"
