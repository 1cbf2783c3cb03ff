"""What an image's name means: found, pulled, pinned, and the same ever after."""

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.providers.docker.scripted import Asked, Said, ScriptedEngine, run, scripted

from dayfly.model.errors import BuildFailed
from dayfly.providers.docker import images
from dayfly.providers.docker.engine import Engine
from dayfly.providers.docker.images import Image, Pins, find

ID, DIGEST, OTHER = (f"sha256:{letter * 64}" for letter in "abc")


def image(identity: str = ID, digests: tuple[str, ...] = (), **config: Any) -> dict[str, Any]:
    return {"Id": identity, "RepoDigests": list(digests), "Config": config}


class Registry:
    """What the engine can pull, and what it has."""

    def __init__(self, stub: ScriptedEngine) -> None:
        self.stub = stub
        self.remote: dict[str, dict[str, Any]] = {}
        stub.answers["POST /images/create"] = self._pull

    def has(self, name: str, described: dict[str, Any]) -> None:
        self.stub.answers[f"GET /images/{name}/json"] = described

    def forget(self, name: str) -> None:
        del self.stub.answers[f"GET /images/{name}/json"]

    def _pull(self, asked: Asked) -> Said:
        name = asked.query["fromImage"] + (f":{asked.query['tag']}" if "tag" in asked.query else "")
        if name not in self.remote:
            return Said(200, b'{"status":"Pulling"}\r\n{"errorDetail":{},"error":"manifest unknown"}\r\n')
        self.has(name, self.remote[name])
        if name.endswith(":latest"):
            self.has(name.removesuffix(":latest"), self.remote[name])
        return Said(200, b'{"status":"Pulling"}\r\n{"status":"Done"}\r\n')


def play(scenario: Any, environ: Mapping[str, str] = {"HOME": "/nowhere"}) -> None:
    async def main() -> None:
        async with scripted() as stub:
            engine = Engine(str(stub.path))
            await engine.open()
            await scenario(Registry(stub), Pins(environ), engine)
            await engine.close()

    run(main())


@pytest.mark.parametrize(
    ("name", "digests", "pin"),
    [
        ("ghcr.io/x/y:1", (f"ghcr.io/x/z@{OTHER}", f"ghcr.io/x/y@{DIGEST}"), f"ghcr.io/x/y@{DIGEST}"),
        ("busybox", (f"busybox@{DIGEST}",), f"busybox@{DIGEST}"),
        ("docker.io/library/busybox:1", (f"busybox@{DIGEST}",), f"busybox@{DIGEST}"),
        ("index.docker.io/me/x", (f"me/x@{DIGEST}",), f"me/x@{DIGEST}"),
        ("localhost:5000/x", (f"localhost:5001/x@{DIGEST}",), ID),
        ("mine:1", (), ID),
        (ID, (f"ghcr.io/x/y@{DIGEST}",), ID),
        (f"ghcr.io/x/y:1@{DIGEST}", (), f"ghcr.io/x/y@{DIGEST}"),
    ],
)
def test_an_image_that_the_engine_has_is_pinned_without_a_pull(name: str, digests: tuple[str, ...], pin: str) -> None:
    async def scenario(registry: Registry, pins: Pins, engine: Engine) -> None:
        registry.has(name, image(digests=digests))
        assert await pins.pin(engine, name, "") == pin
        assert registry.stub.calls() == [f"GET /images/{name}/json"]

    play(scenario)


def test_what_is_missing_is_pulled_once_however_many_want_it() -> None:
    async def scenario(registry: Registry, pins: Pins, engine: Engine) -> None:
        registry.remote["ghcr.io/x/y:latest"] = image(digests=(f"ghcr.io/x/y@{DIGEST}",))
        found = await asyncio.gather(*(pins.pin(engine, "ghcr.io/x/y", "") for _ in range(5)))
        assert set(found) == {f"ghcr.io/x/y@{DIGEST}"}
        assert registry.stub.calls().count("POST /images/create") == 1

    play(scenario)


def test_a_tag_that_moved_means_to_a_revision_what_it_meant_first() -> None:
    async def scenario(registry: Registry, pins: Pins, engine: Engine) -> None:
        pinned = f"ghcr.io/x/y@{DIGEST}"
        registry.remote["ghcr.io/x/y:1"] = image(OTHER, (f"ghcr.io/x/y@{OTHER}",))
        registry.remote[pinned] = image(digests=(pinned,))
        # It is pulled by its digest where the engine has lost it, and the tag is never asked for.
        assert await pins.pin(engine, "ghcr.io/x/y:1", pinned) == pinned
        pulls = [asked.query for asked in registry.stub.asked if asked.method == "POST"]
        assert pulls == [{"fromImage": pinned}]

    play(scenario)


def test_an_image_of_no_registry_that_is_gone_is_said_so() -> None:
    async def scenario(registry: Registry, pins: Pins, engine: Engine) -> None:
        registry.has("mine:1", image(OTHER))
        with pytest.raises(BuildFailed, match="mine:1 any more"):
            await pins.pin(engine, "mine:1", ID)
        with pytest.raises(BuildFailed, match="no image sha256"):
            await pins.pin(engine, ID, "")
        assert "POST /images/create" not in registry.stub.calls()

    play(scenario)


@pytest.mark.parametrize("how", ["in the stream", "by status"])
def test_a_pull_that_fails_says_why_and_whether_a_login_was_presented(how: str, tmp_path: Path) -> None:
    async def scenario(registry: Registry, pins: Pins, engine: Engine) -> None:
        if how == "by status":
            registry.stub.answers["POST /images/create"] = Said(404, b'{"message":"manifest unknown"}')
        with pytest.raises(BuildFailed, match="manifest unknown") as failed:
            await pins.pin(engine, "ghcr.io/x/y:1", "")
        assert failed.value.hint.startswith("no login for ghcr.io")
        login = {"auths": {"ghcr.io": {"auth": base64.b64encode(b"me:secret").decode()}}}
        (tmp_path / "config.json").write_text(json.dumps(login))
        with pytest.raises(BuildFailed, match="manifest unknown") as failed:
            await pins.pin(engine, "ghcr.io/x/y:1", "")
        assert "presented" in failed.value.hint
        assert "secret" not in f"{failed.value} {failed.value.hint}"
        header = registry.stub.asked[-1].headers["x-registry-auth"]
        assert json.loads(base64.urlsafe_b64decode(header))["password"] == "secret"

    play(scenario, {"HOME": "/nowhere", "DOCKER_CONFIG": str(tmp_path)})


def test_a_pull_that_falls_silent_says_whose_silence_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "QUIET_S", 0.1)
    over = asyncio.Event()

    async def says_no_more(_writer: asyncio.StreamWriter) -> None:
        await over.wait()

    async def scenario(registry: Registry, pins: Pins, engine: Engine) -> None:
        registry.stub.answers["POST /images/create"] = Said(200, b'{"status":"Pulling"}\r\n', says_no_more)
        try:
            with pytest.raises(BuildFailed, match=r"from the registry ghcr\.io for 0\.1 s"):
                await pins.pin(engine, "ghcr.io/x/y:1", "")
        finally:
            over.set()

    play(scenario)


def test_an_image_says_who_it_is() -> None:
    async def scenario(registry: Registry, _pins: Pins, engine: Engine) -> None:
        assert await find(engine, "x") is None
        registry.has(
            "x",
            image("a" * 64, User="app", Env=["A=1", "B=x=y"], Volumes={"/data": {}}, StopSignal="SIGQUIT"),
        )
        assert await find(engine, "x") == Image(
            id=ID, user="app", env={"A": "1", "B": "x=y"}, volumes=("/data",), stop_signal="SIGQUIT"
        )
        registry.has("x", {"Id": ID, "Config": None, "RepoDigests": None})
        assert await find(engine, "x") == Image(id=ID)

    play(scenario)
