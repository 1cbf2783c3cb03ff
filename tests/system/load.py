"""Callers that never stop: what they got is written down, and read once they have."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable

import msgspec


class Lost(msgspec.Struct, frozen=True):
    """A call that was not answered with 200."""

    at: float
    caller: str
    what: str


class Callers:
    """Threads that call one path, each as soon as its last call was answered; use it in a `with` block.

    `kept` of them keep their connection, `fresh` make a new one for every call. `body` is what they send.
    """

    def __init__(
        self, connect: Callable[[], http.client.HTTPConnection], path: str, *, kept: int, fresh: int, body: bytes = b""
    ) -> None:
        self.answers: Counter[bytes] = Counter()
        self.lost: list[Lost] = []
        self._connect = connect
        self._path = path
        self._body = body
        self._enough = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._call, args=(f"{'kept' if number < kept else 'fresh'}{number}", number < kept))
            for number in range(kept + fresh)
        ]

    def __enter__(self) -> "Callers":
        """Begin to call."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Call no more, and wait for the calls under way."""
        self._enough.set()
        for thread in self._threads:
            thread.join()

    @property
    def calls(self) -> int:
        """How many calls were answered well."""
        return sum(self.answers.values())

    def _call(self, name: str, keep: bool) -> None:
        connection = self._connect()
        called = False
        while not (called and self._enough.is_set()):
            called = True
            try:
                connection.request("POST", self._path, self._body)
                answer = connection.getresponse()
                body = answer.read()
                with self._lock:
                    if answer.status == 200:
                        self.answers[body] += 1
                    else:
                        self.lost.append(Lost(time.time(), name, f"{answer.status} {body!r}"))
                if keep and answer.will_close:
                    with self._lock:
                        self.lost.append(Lost(time.time(), name, "its connection was closed"))
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.lost.append(Lost(time.time(), name, repr(error)))
                connection.close()
            if not keep:
                connection.close()
        connection.close()
