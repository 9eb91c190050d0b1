"""A humane rhythm: how often the words of a reply go out, and the text they are cut from.

Offsets count UTF-16 units, as browsers do, so an emoji that a provider split over two deltas heals by itself.
"""

SHORTEST_S = 0.030
LONGEST_S = 0.25
FRAMES_PER_SECOND = 600
"""What one worker sends on about a third of a core; the rest is for reading what models say."""


def interval_s(followers: int) -> float:
    """Return the pause between two chunks to one reader: short when few read, longer when many do."""
    return min(LONGEST_S, max(SHORTEST_S, followers / FRAMES_PER_SECOND))


class Utf16Text:
    """A text that grows, addressed in UTF-16 units: offset n is byte 2·n."""

    def __init__(self, text: str = "") -> None:
        """Start with what is there already."""
        self._buffer = bytearray(text.encode("utf-16-le", "surrogatepass"))

    def __len__(self) -> int:
        """Return the length in UTF-16 units."""
        return len(self._buffer) // 2

    def append(self, text: str) -> None:
        """Add words; half of a surrogate pair may come now, the other half next."""
        self._buffer += text.encode("utf-16-le", "surrogatepass")

    def since(self, offset: int, *, is_final: bool) -> tuple[int, str, int]:
        """Return (start, text, end) of what is new after an offset; never half a pair unless it is the end of all."""
        start, end = min(max(offset, 0), len(self)), len(self)
        if not is_final and end and self._is_high(end - 1):
            end -= 1
        if 0 < start < len(self) and self._is_low(start) and self._is_high(start - 1):
            start -= 1
        return start, self._buffer[2 * start : 2 * max(start, end)].decode("utf-16-le", "replace"), max(start, end)

    def _is_high(self, unit: int) -> bool:
        return 0xD8 <= self._buffer[2 * unit + 1] <= 0xDB

    def _is_low(self, unit: int) -> bool:
        return 0xDC <= self._buffer[2 * unit + 1] <= 0xDF
