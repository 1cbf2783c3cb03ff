"""What a function answered: whole, or as it comes.

Bodies are the bytes the function sent, never decoded or unpacked, so that what is written to a file is what was sent.
"""

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Any

import msgspec

from dayfly.client.faults import error_from_reply, is_problem, told_of_function
from dayfly.model.errors import FunctionFailed


class Head(msgspec.Struct, frozen=True):
    """Status and headers of a function's answer."""

    function: str
    status: int
    headers: tuple[tuple[str, str], ...]
    """In the order they came, repeated ones repeated; names in lower case."""

    @property
    def call_id(self) -> str:
        """The call's id, by which its log lines are found."""
        return self.header("x-call-id")

    @property
    def ok(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300

    def header(self, name: str, default: str = "") -> str:
        """Return the first value of a header, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), default)

    def raise_for_status(self, body: bytes = b"") -> None:
        """Raise unless the status is a 2xx.

        The platform's own refusal (no such function, too many calls …) is raised as its class, anything else that a
        function answered as FunctionFailed with the beginning of `body`, or with what a problem of ours says there.
        """
        if self.ok:
            return
        content_type = self.header("content-type")
        if is_problem(content_type, body):
            raise error_from_reply(self.status, content_type, body, self.header("retry-after"))
        said, hint = told_of_function(content_type, body)
        answered = f"{self.function} answered {self.status}{_phrase(self.status)}"
        raise FunctionFailed(f"{answered}: {said}" if said else answered, hint=hint)


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


class Answer(Head, frozen=True):
    """A function's whole answer."""

    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8, what is none replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body read as JSON. Raises FunctionFailed when it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FunctionFailed(f"{self.function} did not answer with JSON: {error}.") from error

    def raise_for_status(self, body: bytes = b"") -> None:
        """Raise unless the status is a 2xx, as `Head.raise_for_status` does, by this answer's own body."""
        super().raise_for_status(body or self.body)


class AnswerStream(Head, frozen=True):
    """A function's answer whose body is still coming. Iterate it once; each piece is as it arrived."""

    chunks: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        """The body's pieces. Raises Unavailable when the connection breaks off."""
        return self.chunks


class AsyncAnswerStream(Head, frozen=True):
    """A function's answer whose body is still coming. Iterate it once; each piece is as it arrived."""

    chunks: AsyncIterator[bytes]

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body's pieces. Raises Unavailable when the connection breaks off."""
        return self.chunks
