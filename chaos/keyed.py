"""Callers that wait for their answer and bring an Idempotency-Key, and do not give up until they have one."""

import http.client
import itertools
import threading
import time

import msgspec

from chaos.box import Box

_AGAIN = frozenset((429, 503))
"""Nothing has run, or the answer is still to come: whoever has a key asks again."""
_ASKED = 3
"""How often each key is brought in all, once there is an answer."""
_PAUSE_S = 0.05


class Keyed:
    """Calls a function at a steady rate, each call by a key of its own; remembers all answers by key."""

    def __init__(self, box: Box, path: str, rate_per_s: float, threads: int = 2) -> None:
        self.answers: dict[str, set[str]] = {}
        """What each key was answered with: a status, and the body or the code of the problem."""
        self._box = box
        self._path = path
        self._numbers = itertools.count()
        self._ended = threading.Event()
        pause_s = threads / rate_per_s
        self._threads = [threading.Thread(target=self._run, args=(pause_s,)) for _ in range(threads)]

    def __enter__(self) -> "Keyed":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self, pause_s: float) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            key = f"keyed-{next(self._numbers)}"
            self.answers[key] = {self._persist(key) for _ in range(_ASKED)}
            self._ended.wait(max(0.0, pause_s - (time.monotonic() - began)))

    def _persist(self, key: str) -> str:
        while True:
            answer = self._ask(key)
            if answer is not None:
                return answer
            time.sleep(_PAUSE_S)

    def _ask(self, key: str) -> str | None:
        connection = http.client.HTTPConnection(*self._box.address, timeout=60)
        try:
            connection.request("POST", self._path, key.encode(), {"Idempotency-Key": key})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        if answer.status in _AGAIN:
            return None
        if answer.headers["Content-Type"] == "application/problem+json":
            return f"{answer.status} {msgspec.json.decode(body)['code']}"
        return f"{answer.status} {body.decode('utf-8', 'replace')[:80]}"
