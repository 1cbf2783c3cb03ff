"""Functions being written, against a platform that follows a script: what is deployed, what is told, what is left."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from dayfly.cli.loop.screen import Screen
from dayfly.cli.loop.session import Writing
from dayfly.cli.sources import Wanted
from dayfly.cli.terminal import Progress
from dayfly.client.asynchronous import AsyncClient
from dayfly.client.credentials import Credential
from dayfly.client.gateway import Target
from dayfly.model.errors import InvalidRequest, Unauthenticated, Unavailable
from dayfly.model.function import FunctionSpec
from dayfly.model.rollout import RolloutStatus

DEADLINE_S = 60.0
URL = "http://127.0.0.1:1"
HANDLER = "def handle(event, context):\n    return {!r}\n"


class Author:
    """Somebody who writes functions in a folder, and what they see and do."""

    def __init__(self, platform: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.platform = platform
        self.folder = folder
        self.text = ""
        self._capsys = capsys
        platform.states = ["ready"] * 100

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_name(f".{path.name}.swp")
        fresh.write_text(text)
        fresh.rename(path)

    async def sees(self, what: str, *, times: int = 1) -> None:
        give_up = time.monotonic() + DEADLINE_S
        while self.text.count(what) < times:
            self.text += self._capsys.readouterr().out
            assert time.monotonic() < give_up, f"{what!r} is not in:\n{self.text}"
            await asyncio.sleep(0.01)

    async def until(self, is_true: Callable[[], object]) -> None:
        give_up = time.monotonic() + DEADLINE_S
        while not is_true():
            assert time.monotonic() < give_up
            await asyncio.sleep(0.01)

    @property
    def deployed(self) -> list[FunctionSpec]:
        """What was deployed, in order."""
        puts = [each for each in self.platform.requests if each.method == "PUT" and "/functions/" in each.url.path]
        return [msgspec.json.decode(each.content, type=FunctionSpec) for each in puts]

    def asked(self, method: str, end: str) -> int:
        """How often this was asked of the platform."""
        return sum(each.method == method and each.url.path.endswith(end) for each in self.platform.requests)

    def go(
        self, script: Callable[[], Awaitable[object]], *targets: str, stays: bool = False, has_triggers: bool = False
    ) -> None:
        """Write for as long as the script runs, then press Ctrl-C."""
        asyncio.run(self._go(script, Wanted(targets=targets), stays, has_triggers))

    async def _go(
        self, script: Callable[[], Awaitable[object]], wanted: Wanted, stays: bool, has_triggers: bool
    ) -> None:
        target = Target(URL, Credential.bearer("token"))
        async with AsyncClient(target=target, transport=httpx2.MockTransport(self.platform)) as client:
            with Progress() as progress:
                written = Writing(wanted.find, client, Screen(progress), stays=stays, has_triggers=has_triggers)
                writing = asyncio.ensure_future(written.run())
                told = asyncio.ensure_future(script())
                await asyncio.wait((writing, told), return_when=asyncio.FIRST_COMPLETED)
                if told.done():
                    writing.cancel()
                told.cancel()
                for task in (told, writing):
                    try:
                        await task
                    except asyncio.CancelledError:
                        continue


@pytest.fixture
def author(platform: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> Author:
    (home / "hello").mkdir()
    (home / "hello" / "handler.py").write_text(HANDLER.format("one"))
    return Author(platform, home, capsys)


def failing(revision: int, serving: int) -> dict[str, Any]:
    reason = "its handler could not be imported (1 in a row): Traceback (most recent call last):\n  x\nKeyError: 'k'"
    rollout = RolloutStatus(
        revision=revision, serving=serving, state="failing", reason=reason, fault="import_failed", canary=None,
        ends_unix_ms=0, sides=(),
    )  # fmt: skip
    return {"state": "failing", "reason": reason, "fault": "import_failed", "rollout": rollout, "replicas": ()}


SERVES: dict[str, Any] = {"state": "ready", "reason": "", "fault": "", "rollout": None, "replicas": ()}


def test_a_save_is_deployed_and_told_with_the_file_and_the_time(author: Author) -> None:
    async def script() -> None:
        await author.sees(f"hello  revision 1 answers at {URL}/function/hello (")
        author.write("hello/handler.py", HANDLER.format("two"))
        await author.sees("hello  revision 2 answers, ")
        await author.sees(" s after handler.py was saved")

    author.go(script, "hello")
    first, second = author.deployed
    assert first.bundle != second.bundle
    assert {first.bundle, second.bundle} == {digest for _, digest in author.platform.bundles}
    for spec in (first, second):
        assert spec.debug is not None
        assert spec.debug.source == str(author.folder / "hello")
        assert spec.debug.debugger is None


def test_a_save_that_changes_nothing_is_not_deployed(author: Author) -> None:
    async def script() -> None:
        await author.sees("revision 1 answers")
        os.utime(author.folder / "hello" / "handler.py", ns=(1, 1))
        author.write("hello/notes.swp", "no part of it")
        await asyncio.sleep(0.3)  # several looks; that nothing comes of them is what is tested
        author.write("hello/handler.py", HANDLER.format("two"))
        await author.sees("revision 2 answers")

    author.go(script, "hello")
    assert len(author.deployed) == 2


def test_a_revision_that_does_not_start_is_told_with_its_traceback_and_given_up(author: Author) -> None:
    async def script() -> None:
        await author.sees("revision 1 answers")
        author.platform.looks = [failing(2, 1)]
        author.write("hello/handler.py", "broken")
        await author.sees(
            "Revision 2 of hello is failing: its handler could not be imported (1 in a row): KeyError: 'k'"
        )
        await author.sees("\n      x\n    KeyError: 'k'\n")
        await author.sees("hello  revision 1 goes on answering")
        author.platform.looks = [SERVES]
        author.write("hello/handler.py", HANDLER.format("mended"))
        await author.sees("revision 3 answers")

    author.go(script, "hello")
    assert author.asked("POST", "/functions/hello/rollback") == 1


def test_a_first_revision_that_does_not_start_leaves_nothing_to_go_back_to(author: Author) -> None:
    author.platform.looks = [{**failing(1, 1), "rollout": None}]

    async def script() -> None:
        await author.sees("hello  nothing answers yet; save it again once it is mended")
        author.platform.looks = [SERVES]
        author.write("hello/handler.py", HANDLER.format("mended"))
        await author.sees("revision 2 answers")

    author.go(script, "hello")
    assert author.asked("POST", "/rollback") == 0


def test_a_folder_that_is_refused_is_told_once_and_deployed_once_it_is_not(author: Author) -> None:
    async def script() -> None:
        await author.sees("revision 1 answers")
        author.write("hello/.env", "KEY=1")
        await author.sees("hello/.env may hold credentials")
        await author.sees("name it in a .dayflyignore file there")
        author.write("hello/handler.py", HANDLER.format("two"))
        await asyncio.sleep(0.3)
        author.write("hello/.dayflyignore", ".env\n")
        await author.sees("revision 2 answers")

    author.go(script, "hello")
    assert author.text.count("may hold credentials") == 1


def test_what_is_taken_back_after_a_refusal_is_told_to_be_in_order_again(author: Author) -> None:
    async def script() -> None:
        await author.sees("revision 1 answers")
        author.write("hello/.env", "KEY=1")
        await author.sees("hello/.env may hold credentials")
        (author.folder / "hello" / ".env").unlink()
        await author.sees("hello  is again what was deployed last")

    author.go(script, "hello")
    assert len(author.deployed) == 1


def test_a_save_during_a_deployment_is_deployed_over_it(author: Author) -> None:
    author.platform.states = []

    async def script() -> None:
        await author.until(lambda: len(author.deployed) == 1)
        author.write("hello/handler.py", HANDLER.format("two"))
        await author.until(lambda: len(author.deployed) == 2)
        author.platform.states = ["ready"]
        await author.sees("revision 2 answers")

    author.go(script, "hello")
    assert "revision 1" not in author.text


def test_what_it_prints_is_shown_and_what_is_said_of_a_failing_start_is_not_repeated(author: Author) -> None:
    async def script() -> None:
        await author.sees("revision 1 answers")
        author.platform.log = ["printed \x1b[31m"]
        await author.sees("hello | printed \x1b[31m")

    author.go(script, "hello")
    query = next(each.url.params for each in author.platform.requests if each.url.path.endswith("/logs"))
    assert dict(query) == {"since": "2023-11-14T22:13:20.000000000Z", "follow": "true"}


def test_on_a_platform_that_stays_functions_are_left_as_deployed_by_hand(author: Author) -> None:
    async def script() -> None:
        await author.sees("revision 1 answers")
        author.platform.looks = [failing(2, 1)]
        author.write("hello/handler.py", "broken")
        await author.sees("goes on answering")

    author.go(script, "hello", stays=True)
    first, broken, left = author.deployed
    assert left == msgspec.structs.replace(first, debug=None)
    assert broken.bundle != left.bundle


@pytest.mark.parametrize("was_there", [False, True])
def test_what_never_answered_is_taken_away_again_unless_it_was_there_before(author: Author, was_there: bool) -> None:
    author.platform.looks = [{**failing(1, 1), "rollout": None}]
    if was_there:
        author.platform.add("hello")
        author.platform.looks.insert(0, SERVES)

    async def script() -> None:
        await author.sees("nothing answers yet")

    author.go(script, "hello", stays=True)
    assert len(author.platform.functions) == was_there
    assert len(author.deployed) == 1


@pytest.mark.parametrize("is_ours", [True, False])
def test_what_was_under_way_at_the_end_is_taken_back_from_a_function_that_was_there_before(
    author: Author, is_ours: bool
) -> None:
    author.platform.add("hello")
    author.platform.states = []

    async def script() -> None:
        await author.until(lambda: author.deployed)
        if not is_ours:
            author.platform.add("hello", state="starting", revision=2)

    author.go(script, "hello", stays=True)
    assert len(author.deployed) == 1
    assert author.asked("POST", "/functions/hello/rollback") == is_ours


def test_a_function_that_leaves_the_stack_and_was_there_before_is_left_in_order(author: Author) -> None:
    for name in ("hello", "other"):
        author.platform.add(name)
        author.write(f"{name}/handler.py", HANDLER.format(name))
    both = "functions: {hello: {lang: python, handler: ./hello}, other: {lang: python, handler: ./other}}"
    author.write("stack.yaml", both)

    async def script() -> None:
        await author.sees("hello  revision 2 answers")
        await author.sees("other  revision 2 answers")
        author.write("stack.yaml", "functions: {hello: {lang: python, handler: ./hello}}")
        await author.sees("other  stays deployed, without tracebacks in its answers")

    author.go(script)
    last = [spec for spec in author.deployed if spec.name == "other"][-1]
    assert last.debug is None
    assert len(author.platform.functions) == 2


def test_the_stack_file_is_watched_too(author: Author) -> None:
    def stack(*names: str, env: str = "1") -> str:
        return "functions:\n" + "".join(
            f"  {name}: {{lang: python, handler: ./{name}, environment: {{A: '{env}'}}}}\n" for name in names
        )

    async def script() -> None:
        await author.sees("hello  revision 1 answers")
        author.write("other/handler.py", HANDLER.format("other"))
        author.write("stack.yaml", stack("hello", "other"))
        await author.sees("other  revision 1 answers")
        author.write("stack.yaml", stack("hello", "other", env="2"))
        await author.sees("hello  revision 2 answers")
        await author.sees("other  revision 2 answers")
        author.write("stack.yaml", "functions: {hello: {lang: cobol, handler: ./hello}}")
        await author.sees("the functions stay as they were")
        author.write("stack.yaml", stack("hello", env="2"))
        await author.sees("other  removed")

    author.write("stack.yaml", stack("hello"))
    author.go(script)
    assert [spec.env["A"] for spec in author.deployed if spec.name == "hello"] == ["1", "2"]
    assert {name for _, name in author.platform.functions} == {"hello"}


@pytest.mark.parametrize("has_triggers", [True, False])
def test_up_applies_triggers_that_were_changed_and_dev_leaves_them(author: Author, has_triggers: bool) -> None:
    def stack(*triggers: str) -> str:
        listed = "".join(f"\n      - {each}" for each in triggers)
        return f"functions:\n  hello:\n    lang: python\n    handler: ./hello\n    triggers:{listed or ' []'}\n"

    first = "{name: a, source: {kind: event}}"

    async def script() -> None:
        await author.sees("hello  revision 1 answers")
        if has_triggers:
            await author.sees("hello  triggers: a")
            author.write("stack.yaml", stack("{name: b, flow: ship, source: {kind: event, types: x}}"))
            await author.sees("hello  triggers: b")
            (kept,) = author.platform.triggers.values()
            assert (kept.spec.name, kept.spec.flow, kept.spec.function) == ("b", "ship", "hello")
            author.write("stack.yaml", stack())
            await author.sees("hello  triggers: none any more")
        author.write("hello/handler.py", HANDLER.format("two"))
        await author.sees("hello  revision 2 answers")

    author.write("stack.yaml", stack(first))
    author.go(script, has_triggers=has_triggers)
    assert author.platform.triggers == {}
    asked = [each.method for each in author.platform.requests if "/triggers" in each.url.path]
    assert asked == (["PUT", "GET", "PUT", "GET", "DELETE", "GET", "DELETE"] if has_triggers else [])


def test_a_private_platform_gets_the_secrets_and_gets_them_again_when_they_change(author: Author) -> None:
    author.write("stack.yaml", "functions: {hello: {lang: python, handler: ./hello, secrets: [key]}}")

    async def script() -> None:
        await author.sees("The secret key cannot be read: .secrets/key")
        author.write(".secrets/key", "one\n")
        await author.sees("hello  revision 1 answers")
        author.write(".secrets/key", "two\n")
        await author.until(lambda: author.asked("PUT", "/secrets/key") == 2)

    author.go(script, "hello")
    written = [each.content for each in author.platform.requests if each.url.path.endswith("/secrets/key")]
    assert written == [b"one", b"two"]
    assert len(author.deployed) == 1


def test_a_platform_that_stays_keeps_its_own_secrets(author: Author) -> None:
    author.write("stack.yaml", "functions: {hello: {lang: python, handler: ./hello, secrets: [key]}}")

    async def script() -> None:
        await author.sees("hello  revision 1 answers")

    author.go(script, "hello", stays=True)
    assert not [each for each in author.platform.requests if "/secrets" in each.url.path]


def test_what_is_copied_into_a_function_is_watched_like_its_own_code(author: Author) -> None:
    author.write("shared/words.txt", "one")
    author.write(
        "stack.yaml",
        "configuration: {copy: [./shared]}\nfunctions: {hello: {lang: python, handler: ./hello}}",
    )

    async def script() -> None:
        await author.sees("revision 1 answers")
        author.write("shared/words.txt", "two")
        await author.sees("hello  revision 2 answers, ")
        await author.sees(" after words.txt was saved")

    author.go(script, "hello")


def test_an_image_is_deployed_again_although_it_is_called_the_same(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    monkeypatch.setattr("dayfly.cli.loop.function.build", lambda _source, image, _say: built.append(image))
    author.write("box/Dockerfile", "FROM scratch\n")
    author.write("stack.yaml", "functions: {box: {lang: dockerfile, handler: ./box, image: box:1}}")

    async def script() -> None:
        await author.sees("box  revision 1 answers")
        author.write("box/Dockerfile", "FROM scratch\nCOPY . .\n")
        await author.sees("box  revision 2 answers")

    author.go(script, "box")
    assert built == ["box:1", "box:1"]


def test_a_platform_that_is_away_is_asked_again(author: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.cli.loop.function._AGAIN_S", 0.01)

    async def script() -> None:
        await author.sees("revision 1 answers")
        author.platform.refuse = httpx2.Response(503, text="away")
        author.write("hello/handler.py", HANDLER.format("two"))
        await author.sees("away")
        asked = len(author.platform.requests)
        await author.until(lambda: len(author.platform.requests) > asked + 10)
        author.platform.refuse = None
        await author.sees("revision 2 answers")

    author.go(script, "hello")
    assert author.text.count("away") == 1


@pytest.mark.parametrize(("status", "kind"), [(401, Unauthenticated), (503, Unavailable)])
def test_a_platform_that_refuses_from_the_start_ends_it(author: Author, status: int, kind: type[Exception]) -> None:
    author.platform.refuse = httpx2.Response(status, text="no")

    async def script() -> None:
        await asyncio.sleep(DEADLINE_S)

    with pytest.raises(kind):
        author.go(script, "hello")


def test_functions_that_cannot_be_left_in_order_are_an_error(author: Author) -> None:
    async def script() -> None:
        await author.sees("revision 1 answers")
        author.platform.refuse = httpx2.Response(503, text="away")

    with pytest.raises(Unavailable, match="as `dayfly deploy` would: away") as caught:
        author.go(script, "hello", stays=True)
    assert "tracebacks" in caught.value.hint


def test_what_cannot_be_deployed_is_the_end_where_nothing_is_watched(author: Author) -> None:
    async def write() -> None:
        async with AsyncClient(target=Target(URL), transport=httpx2.MockTransport(author.platform)) as client:
            with Progress() as progress:
                find = Wanted(targets=("gone",)).find
                await asyncio.wait_for(
                    Writing(find, client, Screen(progress), stays=False, watches=False).run(), DEADLINE_S
                )

    author.write("stack.yaml", "functions: {gone: {lang: python, handler: ./gone}}")
    with pytest.raises(InvalidRequest, match="gone is not a folder"):
        asyncio.run(write())
