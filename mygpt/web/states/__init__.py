"""State classes, one concern each. Importing this package registers them all."""

from mygpt.web.states.chat import Chat
from mygpt.web.states.follow import Follow
from mygpt.web.states.live import Live
from mygpt.web.states.notices import Notices
from mygpt.web.states.session import Session
from mygpt.web.states.sidebar import Sidebar

__all__ = ["Chat", "Follow", "Live", "Notices", "Session", "Sidebar"]
