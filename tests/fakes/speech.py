"""What the fake model says: numbered tokens, and how a model's name sets pace, length and mishaps.

A name is `fake-<rate>tps-<count>` and any of the suffixes `-rich`, `-wall`, `-delay<ms>`, `-hang<n>`, `-cut<n>`,
`-status<code>`: `fake-50tps-1000`, `fake-200tps-4000-rich-delay300`. Rate 0 is as fast as the client reads.
"""

import re
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Literal

Kind = Literal["plain", "wall", "rich"]
PARAGRAPH = 50  # tokens of plain text between two blank lines

_NAME = re.compile(
    r".*?(?P<rate>\d+(?:\.\d+)?)tps-(?P<count>\d+)"
    r"(?P<suffixes>(?:-(?:plain|wall|rich|delay\d+|hang\d+|cut\d+|status\d{3}))*)$"
)
_SUFFIX = re.compile(r"(plain|wall|rich)|(delay|hang|cut|status)(\d+)")

# Each □ becomes a token's number. Everything people see in replies: headings, CJK, emoji with joiners, lists, a table,
# code, mathematics, a quotation.
_RICH = """## Part □ – 第一章 □

The café at □ opens □ early; 世界 □ こんにちは □ 세계 □ and 👩‍👩‍👧‍👦 □ wave 🇩🇪 □ with **bold □ words**, *soft □ ones*
and `code □ inline` so □ that every □ kind of □ run is there □ once or □ twice □ per paragraph □.

- first □ point
  - nested □ point □
  - [ ] a task □
- second □ point with a [link □](https://example.org/) □

| name □ | value □ |
| --- | ---: |
| α □ | 1 |
| β □ | 2 |

```python
def greet(name: str) -> str:  # □
    \"\"\"Say hello to □.\"\"\"
    total = [n * n for n in range(10) if n % 2]  # □
    return f"Hello, {name}! 你好 🚀 {total}"  # □
```

$$
\\int_0^1 x^2 \\, dx = \\frac{1}{3}
$$

> Quoted □ words, said □ by nobody □ in particular □.

"""
_PIECES = tuple(re.findall(r"□\s*|[^\s□]{1,6}\s*|\s+", _RICH))


@dataclass(frozen=True, slots=True)
class Reply:
    """One way of answering. `hang_after` and `cut_after` count tokens: silence, or a connection closed in mid-reply."""

    rate: float = 50.0
    count: int = 200
    delay_s: float = 0.0
    kind: Kind = "plain"
    hang_after: int | None = None
    cut_after: int | None = None
    status: int = 200


def reply_of(model: str, otherwise: Reply) -> Reply:
    """Read a model's name; one that names no pace answers as `otherwise`."""
    found = _NAME.match(model)
    if found is None:
        return otherwise
    options: dict[str, int] = {}
    kind: Kind = "plain"
    for named, option, number in _SUFFIX.findall(found["suffixes"]):
        if named:
            kind = named
        else:
            options[option] = int(number)
    return Reply(
        rate=float(found["rate"]),
        count=int(found["count"]),
        delay_s=options.get("delay", 0) / 1000,
        kind=kind,
        hang_after=options.get("hang"),
        cut_after=options.get("cut"),
        status=options.get("status", 200),
    )


def tokens(kind: Kind, count: int) -> list[str]:
    """Return the first `count` tokens; those that carry a number carry their own index."""
    if kind == "rich":
        return [piece.replace("□", number(k)) for k, piece in enumerate(islice(cycle(_PIECES), count))]
    ends = "\n\n" if kind == "plain" else " "
    return [number(k) + (ends if k % PARAGRAPH == PARAGRAPH - 1 else " ") for k in range(count)]


def number(k: int) -> str:
    """Write a token's index as it appears in the text."""
    return f"t{k:06d}"


def text(kind: Kind, count: int) -> str:
    """Return the whole reply, to compare with what arrived."""
    return "".join(tokens(kind, count))
