"""One platform with a function of every language that this machine can build and run, each doing the same.

The functions in `functions/` read a command from the first line of a call's body; what follows is the rest. Those in
`openfaas/` are as OpenFaaS's templates want them, and named after these.
"""

import contextlib
import http.client
import json
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from tests.system.conftest import end
from tests.system.driver import DEADLINE_S, Platform, Reply, eventually

from dayfly.client import Client
from dayfly.client.building import is_there
from dayfly.client.gateway import choose_target
from dayfly.client.templates import find_template
from dayfly.model.log import LogLine

HERE = Path(__file__).parent
LANGUAGES = sorted(folder.name for folder in (HERE / "functions").iterdir())
OPENFAAS = sorted(folder.name for folder in (HERE / "openfaas").iterdir())
TIMEOUT_S = 5


class Function:
    """A function of one language, called through the gateway."""

    def __init__(self, client: Client, lang: str, name: str) -> None:
        self.lang = lang
        self.name = name
        self._client = client

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to the gateway that the caller closes."""
        place = urlsplit(self._client.url)
        return http.client.HTTPConnection(place.hostname or "", place.port, timeout=DEADLINE_S)

    def call(self, command: str, rest: bytes = b"", *, method: str = "POST", path: str = "", **headers: str) -> Reply:
        """Call it with a command, the rest being what the command works on; `X_Mark` is the header X-Mark."""
        body, kind = self.request(command, rest)
        given = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, f"/function/{self.name}{path}", body, given)
            answer = connection.getresponse()
            return self.reply(answer.status, dict(answer.getheaders()), answer.read())

    def request(self, command: str, rest: bytes) -> tuple[bytes, str]:
        """Return a call's body and what it is."""
        if self.lang == "python-typed":
            return json.dumps({"command": command, "rest": rest.decode()}).encode(), "application/json"
        return command.encode() + b"\n" + rest, "text/plain; charset=utf-8"

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> Reply:
        """Return an answer as the other languages give it."""
        found = {name.lower(): value for name, value in headers.items()}
        if self.lang == "python-typed" and found.get("content-type") == "application/json":
            body = str(json.loads(body)).encode()
        return Reply(status, found, body)

    def line(self, text: str) -> LogLine:
        """Return the first line of its log that holds this text, once it is there."""
        found: list[LogLine] = []

        def look() -> bool:
            found[:] = [line for line in self.lines() if text in line.text]
            return bool(found)

        eventually(f"{text!r} is in the log of {self.name}", look)
        return found[0]

    def lines(self) -> list[LogLine]:
        """Return its log."""
        return list(self._client.logs(self.name))


class Stage(msgspec.Struct, frozen=True):
    """What a session has: a platform, and on it the languages that are there."""

    client: Client
    languages: frozenset[str]
    deployed: str
    """What deploying them printed."""

    def function(self, lang: str, prefix: str = "in") -> Function:
        """Return the function of a language; skip the test where it is not there, fail it where it does not run."""
        if lang not in self.languages:
            pytest.skip(f"left out: {lang} functions, which need {find_template(lang, HERE).needs}")
        name = f"{prefix}-{lang}"
        assert f"\nURL: {self.client.url}/function/{name}\n" in self.deployed, self.deployed
        return Function(self.client, lang, name)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The platform, with everything deployed."""
    languages = frozenset(lang for lang in {*LANGUAGES, *OPENFAAS} if is_there(find_template(lang, HERE)))
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        platform = Platform(scratch / "data")
        try:
            platform.start()
            done = platform.run("deploy", "-f", str(_stack(scratch, languages)))
            with Client(target=choose_target(data_dir=str(platform.data_dir))) as client:
                yield Stage(client, languages, f"{done.out}\n{done.err}")
        finally:
            end(platform)


@pytest.fixture(params=LANGUAGES)
def function(request: pytest.FixtureRequest, stage: Stage) -> Function:
    """The function of each language in turn."""
    return stage.function(request.param)


@pytest.fixture(params=OPENFAAS)
def openfaas(request: pytest.FixtureRequest, stage: Stage) -> Function:
    """The function made for each of OpenFaaS's templates in turn."""
    return stage.function(request.param, "of")


@pytest.fixture(scope="session")
def overdue(stage: Stage) -> dict[str, tuple[Reply, Reply]]:
    """What a call of each language that outlasts its timeout is answered, and the call after it; all at once."""

    def ask(lang: str) -> tuple[Reply, Reply]:
        function = Function(stage.client, lang, f"in-{lang}")
        return function.call(f"sleep {4 * TIMEOUT_S}"), function.call("echo", b"still there")

    languages = sorted(stage.languages & set(LANGUAGES))
    with ThreadPoolExecutor(len(languages)) as pool:
        return dict(zip(languages, pool.map(ask, languages), strict=True))


def _stack(folder: Path, languages: frozenset[str]) -> Path:
    lines = ["version: 1.0", "functions:"]
    for kind, prefix, all_ in (("functions", "in", LANGUAGES), ("openfaas", "of", OPENFAAS)):
        shutil.copytree(HERE / kind, folder / kind)
        for lang in languages.intersection(all_):
            lines += [
                f"  {prefix}-{lang}:",
                f"    lang: {lang}",
                f"    handler: ./{kind}/{lang}",
                f"    timeout: {TIMEOUT_S}s",
                "    environment: {GREETING: Grüße}",
                "    labels: {com.openfaas.scale.max: '1'}",
            ]
    stack = folder / "stack.yaml"
    stack.write_text("\n".join(lines) + "\n")
    return stack
