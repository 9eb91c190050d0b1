"""What the documents promise is there, and what is there is in the documents."""

import argparse
import re
from pathlib import Path

import pytest

from mygpt import __main__ as command_line
from mygpt.settings import ROOT, Settings

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "mygpt" / "providers" / "help").glob("*.md")]
)
VARIABLES = {str(field.validation_alias): field for field in Settings.model_fields.values()}


def _shown_default(name: str) -> str:
    default = VARIABLES[name].get_default()
    if isinstance(default, Path):
        return default.relative_to(ROOT).as_posix()
    if isinstance(default, bool):
        return str(default).lower()
    return str(default) if isinstance(default, (int, float, str)) else ""


def _commands() -> set[str]:
    [choices] = [
        action.choices for action in command_line._parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]
    return set(choices)


@pytest.mark.parametrize("name", VARIABLES)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    default = _shown_default(name)

    assert f"| `{name}` | {f'`{default}`' if default else 'empty'} |" in CONFIGURATION
    assert f"# {name}={default}\n" in EXAMPLE
    assert VARIABLES[name].description


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", CONFIGURATION, re.MULTILINE)) == set(VARIABLES)
    assert set(re.findall(r"^# ([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == set(VARIABLES)


def test_every_command_is_documented_and_nothing_else() -> None:
    assert set(re.findall(r"`python -m mygpt ([a-z-]+)", CONFIGURATION)) == _commands()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_a_document_names_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))

    assert set(re.findall(r"-m mygpt ([a-z-]+)", text)) <= _commands()
    assert (
        set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) <= targets
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_settings_a_document_names_exist(document: Path) -> None:
    named = set(re.findall(r"\b(?:MYGPT_[A-Z_]+|OPENAI_[A-Z_]+|DATABASE_URL)\b", document.read_text(encoding="utf-8")))

    assert named <= set(VARIABLES)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_links_of_a_document_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    places = [place for place in re.findall(r"\]\(([^)#\s]+)\)", text) if "://" not in place]

    missing = [place for place in places if not place.startswith("/") and not (document.parent / place).exists()]

    assert missing == []


def test_every_make_target_is_explained() -> None:
    phony = set(re.findall(r"^\.PHONY: ([a-z-]+)", MAKEFILE, re.MULTILINE))

    assert phony == set(re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE))
    told = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
    assert {target for target in phony if f"`make {target}`" not in told} == {"help"}
