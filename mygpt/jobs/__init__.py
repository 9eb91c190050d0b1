"""What the house does by itself: one coroutine a job, started and stopped with the process."""

from collections.abc import Callable, Coroutine
from typing import Any

from mygpt.jobs import cleanup

JOBS: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = (cleanup.run,)  # Any: what a coroutine yields inside
