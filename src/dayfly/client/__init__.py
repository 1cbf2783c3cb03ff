"""The typed Python SDK for Dayfly's API; the command line is built on it and on nothing deeper.

    from dayfly.client import Client

    with Client() as dayfly:                     # the platform this account started, or the one `dayfly login` knows
        print(dayfly.invoke("hello", b"Dayfly").text)

`AsyncClient` has the same methods for asyncio. What either refuses or fails at is an error of `dayfly.model.errors`.
Names are loaded when first used: the HTTP library costs a command line that only prints help too much.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dayfly.client.answer import Answer, AnswerStream, AsyncAnswerStream
    from dayfly.client.asynchronous import AsyncClient
    from dayfly.client.blocking import Client
    from dayfly.client.bundle import Bundle, pack
    from dayfly.client.credentials import Credential
    from dayfly.client.stack import Stack, load_stack

__all__ = [
    "Answer",
    "AnswerStream",
    "AsyncAnswerStream",
    "AsyncClient",
    "Bundle",
    "Client",
    "Credential",
    "Stack",
    "load_stack",
    "pack",
]

_HOME = {
    "Answer": "answer",
    "AnswerStream": "answer",
    "AsyncAnswerStream": "answer",
    "AsyncClient": "asynchronous",
    "Bundle": "bundle",
    "Client": "blocking",
    "Credential": "credentials",
    "Stack": "stack",
    "load_stack": "stack",
    "pack": "bundle",
}


def __getattr__(name: str) -> Any:
    """Load the public name from its module. Raises AttributeError for any other."""
    if name not in _HOME:
        raise AttributeError(f"module 'dayfly.client' has no attribute {name!r}")
    return getattr(import_module(f"dayfly.client.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
