"""The words of the running reply, in small chunks."""

from typing import Annotated

import reflex as rx
from pydantic import Field

from mygpt.errors import NotFound
from mygpt.live import runs
from mygpt.services import logins
from mygpt.web import tabs
from mygpt.web.gate import actor, event

RunId = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
Have = Annotated[int, Field(ge=0)]


class Live(rx.State):
    """One small var: {"run": id, "o": UTF-16 offset, "t": text}, with "end" and the total length "n" at last.

    "gone" instead tells that the run is not in this process any more: the row in the database is all there is.
    """

    chunk: dict[str, str | int | bool] = {}

    @event(access="member", background=True, supersedes=True)
    async def need(self, run: RunId, have: Have) -> None:
        """Send everything after the first `have` UTF-16 units of the run, then follow it while the tab is there."""
        who = actor()
        tab = tabs.token()
        try:
            async for piece in runs.current().follow(who, run, have=have):
                if not tabs.is_open(tab) or await logins.find_actor(who.session_id) is None:
                    return
                ending = {"n": piece.length, "end": True} if piece.is_end else {}
                async with self:
                    self.chunk = {"run": run, "o": piece.offset, "t": piece.text, **ending}
        except NotFound:
            async with self:
                self.chunk = {"run": run, "gone": True}
