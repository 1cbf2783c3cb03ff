"""A password, or a token in its place, from an option, standard input, or somebody at the terminal who types unseen."""

import sys

import click

from dayfly.cli.terminal import warn
from dayfly.model.errors import InvalidRequest


def read_password(given: str | None, *, from_stdin: bool, exposed: str, what: str = "password") -> str:
    """Return what was given; `exposed` warns of an option that others can see. Raises InvalidRequest for nothing."""
    if given is not None:
        warn(exposed)
        secret = given
    elif from_stdin:
        secret = sys.stdin.read().strip()
    elif sys.stdin.isatty():
        secret = str(click.prompt("Password", hide_input=True, err=True))
    else:
        raise InvalidRequest("There is no terminal to ask for the password on.", hint="Use --password-stdin.")
    if not secret:
        raise InvalidRequest(f"The {what} must not be empty.")
    return secret
