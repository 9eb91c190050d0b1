"""What the house does by itself: one coroutine a job, started and stopped with the process."""

from collections.abc import Awaitable, Callable

from mygpt.jobs import cleanup

JOBS: tuple[Callable[[], Awaitable[None]], ...] = (cleanup.run,)
