"""The fake that ships: says what it is told to, at the pace and with the mishaps it is told to have.

A voice is a model's name; options follow it after `?`, or stand in the message's first line after `#!script`:

    scripted:lorem?tokens=200&rate=50            two hundred numbered words at fifty a second
    #!script rate=20 fail=busy@12                in a message: overrides the model's; what follows is the text to echo

    rate=R      pieces a second; 0 is as fast as they are read        tokens=N   so many pieces, round and round
    delay=S     seconds before the first                              size=N     characters a piece; 0 is words
    think=N     pieces of reasoning first                             usage=0    counts no tokens
    fail=K@N    fails after N pieces; K is a key of `FAULTS`, or bug  hang=N     falls silent after N pieces
    end=N       ends after N pieces without saying so                 finish=R   the reason it ends with
    stubborn=S  takes S seconds to let go when closed

Nothing is random: the same request is answered alike, and `"".join(read(model, text).pieces)` is a complete answer.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from itertools import cycle, islice
from types import MappingProxyType
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field

from mygpt.dialogue.events import Event, Finish, FinishReason, ReasoningDelta, TextDelta, Usage
from mygpt.errors import ModelUnavailable, ProviderError
from mygpt.providers.base import ChatRequest, Deadlines, ModelInfo, Provider
from mygpt.providers.failures import Complaint, Kind, failure
from mygpt.providers.setup import Setup
from mygpt.providers.watchdog import watched

DIRECTIVE = "#!script"
FAULTS: Mapping[str, Kind] = MappingProxyType(
    {
        "auth": "auth",
        "missing": "not_found",
        "quota": "quota",
        "busy": "rate_limit",
        "timeout": "timeout",
        "long": "context_length",
        "refused": "content_filter",
        "server": "server",
        "connection": "connection",
    }
)
RETRY_AFTER = MappingProxyType({"retry-after": "3"})
PIECES = re.compile(r"\s*[A-Za-z0-9_'’.,:;!?]+|\s*.|\s+", re.DOTALL)
LOREM = (
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
)
PARAGRAPH = 40
MOST = 100_000
MARKDOWN = """\
## A page of everything

Words in **bold**, *italic*, ~~struck~~ and `code`, a [link](https://example.org), emoji 👩‍👩‍👧‍👦 🇩🇪 👍🏽, 你好世界,
こんにちは, 안녕하세요, مرحبا, naïve café.

1. first
2. second
   - nested
   - [x] done

| Name | Value |
| :--- | ---: |
| alpha | 1 |
| beta | 2 |

```python
def greet(name: str) -> str:
    return f"Hello, {name}! 🚀"
```

> A quotation, and a formula: $e^{i\\pi} + 1 = 0$

$$
\\int_0^1 x^2 \\, dx = \\frac{1}{3}
$$

<b>raw HTML stays text</b>
"""


class Script(BaseModel):
    """What will be said, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = ""
    rate: float = Field(200, ge=0)
    delay: float = Field(0, ge=0)
    tokens: int = Field(0, ge=0, le=MOST)
    size: int = Field(0, ge=0)
    think: int = Field(0, ge=0, le=MOST)
    usage: bool = True
    fail: str = Field("", pattern=rf"^(({'|'.join([*FAULTS, 'bug'])})(@\d{{1,6}})?)?$")
    hang: int = Field(MOST, ge=0)
    end: int = Field(MOST, ge=0)
    finish: FinishReason = "stop"
    stubborn: float = Field(0, ge=0)

    @property
    def pieces(self) -> list[str]:
        """The text as the deltas it comes in; together they are the text."""
        if self.size:
            found = [self.text[start : start + self.size] for start in range(0, len(self.text), self.size)]
        else:
            found = PIECES.findall(self.text)
        return list(islice(cycle(found), self.tokens)) if self.tokens else found

    @property
    def fault(self) -> tuple[str, int]:
        """The fault's name and the number of pieces before it; no name is no fault."""
        name, _, after = self.fail.partition("@")
        return name, int(after or 0)


Voice = Callable[[str, int], str]
"""From the message's text and the wished number of pieces to what is said."""


def _lorem(_said: str, tokens: int) -> str:
    count = tokens or 60
    words = (f"{LOREM[number % len(LOREM)]}{number}" for number in range(count))
    ends = ("\n\n" if number % PARAGRAPH == PARAGRAPH - 1 else " " for number in range(count))
    return "".join(word + end for word, end in zip(words, ends, strict=True)).rstrip()


VOICES: Mapping[str, tuple[Voice, str]] = MappingProxyType(
    {
        "echo": (lambda said, _: said or "You said nothing.", ""),
        "lorem": (_lorem, ""),
        "markdown": (lambda *_: MARKDOWN, ""),
        "think": (lambda said, _: said or "That is all.", "think=30"),
        "slow": (_lorem, "rate=4&delay=2"),
        "hang": (_lorem, "hang=5"),
        "mute": (_lorem, "hang=0"),
        "stubborn": (_lorem, "hang=5&stubborn=5"),
        "fail": (_lorem, "fail=server@5"),
        "cut": (_lorem, "end=5"),
    }
)


def read(model: str, said: str = "") -> Script:
    """Return what `model` says to `said`; raises `ModelUnavailable` for a voice or an option that does not exist."""
    name, _, asked = model.partition("?")
    first, _, rest = said.partition("\n")
    directive = ""
    if first.startswith(DIRECTIVE):
        directive, said = "&".join(first.removeprefix(DIRECTIVE).split()), rest
    try:
        voice, usual = VOICES[name]
        options = (_options(text) for text in (usual, asked, directive))
        script = Script.model_validate({name: value for each in options for name, value in each})
    except (KeyError, ValueError) as exc:
        raise ModelUnavailable(f"not_found note={type(exc).__name__}", provider="scripted", model=model) from exc
    tokens = 0 if voice is _lorem else script.tokens
    return script.model_copy(update={"text": voice(said, script.tokens), "tokens": tokens})


class Scripted:
    """The provider of that name; only with MYGPT_SCRIPTED=1."""

    name = "scripted"
    label = "Scripted"

    def __init__(self, deadlines: Deadlines) -> None:
        """It keeps a vendor's deadlines, so that its silences end like theirs."""
        self.deadlines = deadlines

    def stream(self, request: ChatRequest) -> AsyncGenerator[Event]:
        """Yield what the script says."""
        return watched(self.name, request, _perform(request))

    async def models(self) -> list[ModelInfo]:
        """Return the voices."""
        return [ModelInfo(name, f"Scripted {name}") for name in VOICES]

    async def aclose(self) -> None:
        """Nothing to let go of."""


async def _perform(request: ChatRequest) -> AsyncGenerator[Event]:
    said = request.messages[-1].text if request.messages else ""
    script = read(request.model, said)
    try:
        await asyncio.sleep(script.delay)
        async for event in _said(script, request.model):
            yield event
        if script.end <= len(script.pieces):
            return
        if script.usage:
            counted = sum(len(message.text) for message in request.messages) // 4
            yield Usage(counted, len(script.pieces) + script.think, None, script.think or None)
        yield Finish(script.finish, request.model)
    finally:
        await asyncio.sleep(script.stubborn)


async def _said(script: Script, model: str) -> AsyncGenerator[Event]:
    pace = _Pace(script.rate)
    for number in range(script.think):
        yield ReasoningDelta(f"thought {number} ")
        await pace.next()
    fault, after = script.fault
    for number, piece in enumerate([*script.pieces, ""]):
        if fault and number == after:
            raise _fault(fault, model)
        if number == script.hang:
            await asyncio.Event().wait()
        if number == script.end:
            return
        if piece:
            yield TextDelta(piece)
            await pace.next()


class _Pace:
    """Waits so that pieces come at a steady rate, whatever each of them costs."""

    def __init__(self, rate: float) -> None:
        self._step_s = 1 / rate if rate else 0.0
        self._due = asyncio.get_running_loop().time()

    async def next(self) -> None:
        """Return when the next piece is due."""
        self._due += self._step_s
        await asyncio.sleep(max(0.0, self._due - asyncio.get_running_loop().time()) if self._step_s else 0)


def _fault(name: str, model: str) -> ProviderError:
    if name == "bug":
        raise RuntimeError("the script asked for a bug")
    said = Complaint(headers=RETRY_AFTER if name == "busy" else MappingProxyType({}))
    return failure(FAULTS[name], provider="scripted", model=model, said=said, note="scripted")


def _options(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, strict_parsing=bool(text))


def scripted(setup: Setup) -> list[Provider]:
    """Return the scripted provider."""
    return [Scripted(setup.deadlines)]
