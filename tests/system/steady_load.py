"""Callers that never pause: some keep their connection, some open one for each call. Every call is accounted for."""

import collections
import http.client
import threading
import time
from typing import Self

from tests.system.driver import DEADLINE_S, Platform

BODY = b"hello"


class SteadyLoad:
    """Calls of one function that echoes, in the background, from `with` to its end."""

    def __init__(self, platform: Platform, function: str, *, kept: int = 3, fresh: int = 2) -> None:
        self.answered = 0
        self.failed: collections.Counter[str] = collections.Counter()
        self.longest_s = 0.0
        self._url = platform.status()["gateway_url"].removeprefix("http://")
        self._path = f"/function/{function}"
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._callers = [threading.Thread(target=self._call, args=(number < kept,)) for number in range(kept + fresh)]

    def __enter__(self) -> Self:
        """Begin; returns once every caller can have been answered."""
        for caller in self._callers:
            caller.start()
        self.wait_for(50)
        return self

    def __exit__(self, *_: object) -> None:
        """End; every call under way is waited for."""
        self._stop.set()
        for caller in self._callers:
            caller.join()

    def wait_for(self, more: int) -> None:
        """Return once this many more calls were answered or any has failed."""
        goal, give_up = self.answered + more, time.monotonic() + DEADLINE_S
        while self.answered < goal and not self.failed:
            assert time.monotonic() < give_up, f"{self.answered} of {goal} calls answered"
            time.sleep(0.01)

    def _call(self, keep: bool) -> None:
        connection = http.client.HTTPConnection(self._url, timeout=DEADLINE_S)
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                connection.request("POST", self._path, BODY)
                answer = connection.getresponse()
                body = answer.read()
                outcome = "" if (answer.status, body) == (200, BODY) else f"{answer.status} {body[:200]!r}"
            except (OSError, http.client.HTTPException) as error:
                outcome = repr(error)
                connection.close()
            with self._lock:
                self.answered += not outcome
                self.failed.update([outcome] if outcome else [])
                self.longest_s = max(self.longest_s, time.monotonic() - began)
            if not keep:
                connection.close()
            time.sleep(0.01)  # two cores are shared with the platform, which is to have its turn
        connection.close()
