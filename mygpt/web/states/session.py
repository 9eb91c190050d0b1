"""Who is signed in, as the page shows it."""

import reflex as rx

from mygpt import settings
from mygpt.services import logins
from mygpt.web.gate import actor, event


class Session(rx.State):
    """The signed-in person: name and role for the user menu, nothing that decides."""

    name: str = ""
    email: str = ""
    is_admin: bool = False
    account_id: str = ""
    csrf: str = ""

    @event(access="member")
    async def on_load(self) -> None:
        """Show who is signed in."""
        who = actor()
        self.name, self.email, self.is_admin, self.account_id = who.name, who.email, who.is_admin, who.account_id
        self.csrf = logins.csrf(settings.current().secret(), who.session_id)
