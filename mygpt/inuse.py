"""The one thing of its kind that this process uses: named at start, found by everybody."""

from typing import Generic, TypeVar

T = TypeVar("T")


class InUse(Generic[T]):
    """A place for one value; asking before it is filled is a bug."""

    def __init__(self, what: str) -> None:
        """`what` names the value in the error."""
        self._what = what
        self._value: T | None = None

    def use(self, value: T | None) -> None:
        """Make `value` the one in use; None empties the place."""
        self._value = value

    def current(self) -> T:
        """Return the value in use; raises RuntimeError before `use`."""
        if self._value is None:
            raise RuntimeError(f"no {self._what} in use: call use() at start")
        return self._value
