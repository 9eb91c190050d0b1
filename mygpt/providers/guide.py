"""The Guide: no AI. It answers from MyGPT's own help by full-text search when nothing better is configured.

The help is Markdown in `help/`: a page per file, a passage per heading. Files that begin with `_` are the Guide's own
sentences. Its first line always says what it is.
"""

import asyncio
import re
import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mygpt.dialogue.events import Event, Finish, TextDelta
from mygpt.i18n import translate
from mygpt.providers.base import ChatRequest, Deadlines, ModelInfo, Provider
from mygpt.providers.discovery import Runtime
from mygpt.providers.setup import Setup
from mygpt.providers.watchdog import watched

HELP = Path(__file__).parent / "help"
PIECES_PER_SECOND = 90
PIECE = re.compile(r"\s*\S+\s*")
WORD = re.compile(r"\w+")
HEADING = re.compile(r"^## ", re.MULTILINE)
COMMON = frozenset(
    WORD.findall(
        "a about am an and any are as at be been but by can could did do does for from get give go had has have how i"
        " if in into is it its just know let like make may me might more my need no not of on one or our please say she"
        " should so some tell than that the them then there these they this to too use used using want was way we were"
        " what when where which who why will with would work works you your"
    )
)
SMALL_TALK = COMMON | frozenset(
    WORD.findall(
        "hello hi hey hallo hola bonjour salut ciao morning evening afternoon good thanks thank thx test testing yo ok"
        " okay cool great nice bye goodbye start begin help"
    )
)
RELATED = 3
CANDIDATES = 20  # the full text finds them; how much of the question a heading says decides among them
MOST_WORDS = 32


@dataclass(frozen=True, slots=True)
class Passage:
    """One headed piece of a help page."""

    page: str
    heading: str
    body: str


class Guide:
    """The provider of that name, always there."""

    name = "guide"

    def __init__(self, deadlines: Deadlines, found: Callable[[], Sequence[Runtime]], rate: float) -> None:
        """`found` tells which model servers run on this machine; `rate` is in words a second, 0 for at once."""
        self.label = translate("provider.guide")
        self.deadlines = deadlines
        self._found = found
        self._rate = rate
        self._help = Help(HELP)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Event]:
        """Yield a passage of the help."""
        return watched(self.name, request, self._answer(request))

    async def models(self) -> list[ModelInfo]:
        """Return the one it is."""
        return [ModelInfo("help", self.label)]

    async def aclose(self) -> None:
        """Close the index."""
        self._help.close()

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[Event]:
        asked = next((message.text for message in reversed(request.messages) if message.role == "user"), "")
        clock = asyncio.get_running_loop().time
        due = clock()
        for piece in PIECE.findall(self.answer(asked)):
            yield TextDelta(piece)
            if self._rate:
                due += 1 / self._rate
                await asyncio.sleep(max(0.0, due - clock()))
        yield Finish("stop", "help")

    def answer(self, asked: str) -> str:
        """Return the whole answer to a question."""
        is_small_talk = SMALL_TALK.issuperset(WORD.findall(asked.lower()))
        found = [] if is_small_talk else self._help.search(asked)
        parts = [self._help.text("_label")]
        if found:
            best, *others = found
            parts += [f"## {best.heading}", best.body]
            parts += [self._table(others)] if others else []
        else:
            parts += [self._help.text("_welcome" if is_small_talk else "_unknown")]
        parts += [self._servers(), self._help.text("_footer")]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _table(self, passages: Sequence[Passage]) -> str:
        rows = [f"| {passage.heading} | {passage.page} |" for passage in passages]
        return "\n".join([self._help.text("_related"), *rows])

    def _servers(self) -> str:
        names = ", ".join(f"**{runtime.label}**" for runtime in self._found())
        return self._help.text("_servers").replace("{servers}", names) if names else ""


class Help:
    """The help pages, with a full-text index in memory."""

    def __init__(self, folder: Path) -> None:
        """Read all pages; some dozens of kilobytes."""
        pages = {path.stem: path.read_text(encoding="utf-8").strip() for path in sorted(folder.glob("*.md"))}
        self._texts = {name: text for name, text in pages.items() if name.startswith("_")}
        self.passages = [
            passage for name, text in pages.items() if name not in self._texts for passage in passages_of(text)
        ]
        self._index = sqlite3.connect(":memory:", check_same_thread=False)
        self._index.execute(
            "CREATE VIRTUAL TABLE help USING fts5(page, heading, body, tokenize='porter unicode61 remove_diacritics 2')"
        )
        self._index.executemany(
            "INSERT INTO help (rowid, page, heading, body) VALUES (?, ?, ?, ?)",
            [(number, each.page, each.heading, each.body) for number, each in enumerate(self.passages)],
        )

    def text(self, name: str) -> str:
        """Return one of the Guide's own sentences."""
        return self._texts[name]

    def search(self, asked: str) -> list[Passage]:
        """Return the passages nearest to a question, the best first; none when most of its words are strange here."""
        words = [word for word in dict.fromkeys(WORD.findall(asked.lower())) if word not in COMMON][:MOST_WORDS]
        known = [word for word in words if self._matches(f'"{word}"', 1)]
        if not known or 2 * len(known) < len(words):
            return []
        found = self._matches(" OR ".join(f'"{word}"' for word in known), CANDIDATES)
        headed = [self._matches(f'heading : "{word}"', CANDIDATES) for word in known]
        found.sort(key=lambda passage: -sum(passage in passages for passages in headed))
        return found[: 1 + RELATED]

    def _matches(self, query: str, limit: int) -> list[Passage]:
        rows = self._index.execute(
            "SELECT rowid FROM help WHERE help MATCH ? ORDER BY bm25(help, 2.0, 20.0, 1.0), rowid LIMIT ?",
            (query, limit),
        )
        return [self.passages[number] for (number,) in rows]

    def close(self) -> None:
        """Forget the index."""
        self._index.close()


def passages_of(text: str) -> list[Passage]:
    """Return the passages of a page: its title is the first line, each `##` begins one."""
    title, _, rest = text.partition("\n")
    pieces = [piece.strip() for piece in HEADING.split(rest)]
    headed = [piece.partition("\n") for piece in pieces[1:]]
    page = title.removeprefix("#").strip()
    return [Passage(page, heading.strip(), body.strip()) for heading, _, body in headed]


def guide(setup: Setup) -> list[Provider]:
    """Return the Guide."""
    return [Guide(setup.deadlines, setup.found, PIECES_PER_SECOND)]
