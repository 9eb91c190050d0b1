"""The forms before one is in. Plain forms that also work before the scripts are there."""

import reflex as rx

from mygpt.web.components.script import script
from mygpt.web.text import texts


class LoginForm(rx.Component):
    """Signs in at `/auth/login`."""

    library = script("sign_in.jsx")
    tag = "LoginForm"
    texts: rx.Var[dict[str, str]]


class SetupForm(rx.Component):
    """Makes the first account at `/auth/setup`, with the token of the one-time link."""

    library = script("sign_in.jsx")
    tag = "SetupForm"
    texts: rx.Var[dict[str, str]]


def login_form() -> rx.Component:
    """Return the sign-in form."""
    own = texts("login", "submit", "wrong", "session", "emailMissing", "passwordMissing")
    return LoginForm.create(texts=own | _shared())


def setup_form() -> rx.Component:
    """Return the form for the first account."""
    names = ("submit", "username", "usernameHelp", "passwordHelp", "noToken", "wrong")
    missing = ("usernameMissing", "emailMissing", "passwordMissing")
    return SetupForm.create(texts=texts("setup", *names, *missing) | _shared())


def _shared() -> dict[str, str]:
    return texts("account", "email", "password", "show", "hide", "failed", "offline")
