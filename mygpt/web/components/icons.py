"""The signs of the page."""

import reflex as rx

from mygpt.web.components.script import script


class Icon(rx.Component):
    """One sign by its name in `icons.jsx`; silent, so whatever it stands in needs a label."""

    library = script("icons.jsx")
    tag = "Icon"
    name: rx.Var[str]
    size: rx.Var[int]


class Mark(rx.Component):
    """The mark of MyGPT."""

    library = script("icons.jsx")
    tag = "Mark"
    size: rx.Var[int]


icon = Icon.create
mark = Mark.create
