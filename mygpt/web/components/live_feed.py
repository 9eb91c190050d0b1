"""The invisible part that carries the running reply's words to its row, past Reflex's rendering."""

import reflex as rx

from mygpt.web.components.script import script


def _need(run: rx.Var[str], have: rx.Var[int]) -> tuple[rx.Var[str], rx.Var[int]]:
    return (run, have)


class LiveFeed(rx.Component):
    """Takes chunks of one run and asks for what is missing; message rows read the same store."""

    library = script("live_feed.jsx")
    tag = "LiveFeed"
    run: rx.Var[str]
    chunk: rx.Var[dict[str, str | int | bool]]
    on_need: rx.EventHandler[_need]


live_feed = LiveFeed.create
