"""A platform's door: its gateway, asked by who started it, and its parts to be killed."""

import http.client
from collections.abc import Generator
from urllib.parse import urlsplit

from tests.system.driver import DEADLINE_S, Platform, Reply, eventually


class Door:
    """A platform's gateway, asked by who started it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        address = urlsplit(platform.status()["gateway_url"])
        self._host, self._port = str(address.hostname), address.port
        self.login = {"Authorization": "Bearer " + (platform.data_dir / "run" / "token").read_text()}

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Ask the gateway something."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=DEADLINE_S)
        try:
            connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def follow(self, path: str) -> Generator[bytes, None, None]:
        """Yield the lines of what the control plane answers, as they come."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=DEADLINE_S)
        try:
            connection.request("GET", path, None, self.login)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            yield from answer
        finally:
            connection.close()

    def api(self, method: str, path: str) -> Reply:
        """Ask the control plane something."""
        return self.ask(method, path, None, **self.login)

    def submit(self, name: str, body: bytes = b"x", **headers: str) -> str:
        """Queue a call and return its id."""
        answer = self.ask("POST", f"/async-function/{name}", body, **headers)
        assert answer.status == 202, answer
        return answer.headers["x-call-id"]

    def state(self, call_id: str) -> str:
        """Return how a call stands; empty when nobody can say now."""
        answer = self.api("GET", f"/v1/calls/{call_id}")
        return str(answer.json()["state"]) if answer.status == 200 else ""

    def over(self, call_id: str) -> dict[str, object]:
        """Return what a call came to."""
        found: dict[str, object] = {}

        def is_over() -> bool:
            answer = self.api("GET", f"/v1/calls/{call_id}?wait=5s")
            if answer.status == 200:
                found.update(answer.json())
            return found.get("state") in ("done", "dead", "cancelled")

        eventually(f"{call_id} is over", is_over)
        return found


def pid_of(platform: Platform, role: str) -> int:
    """Return the process that plays this part, once there is one."""
    found: list[int] = []

    def there_is_one() -> bool:
        found[:] = platform.pids(role)
        return bool(found)

    eventually(f"there is a {role}", there_is_one)
    return found[0]
