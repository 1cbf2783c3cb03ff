"""An engine that comes and goes: what is done then, and whose containers are left alone."""

import asyncio
import hashlib
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.providers.docker.orders import order
from tests.unit.providers.docker.scripted import Asked, Said, ScriptedEngine, run, scripted, until

from dayfly.model.engine import ContainerEngine
from dayfly.model.errors import Unavailable
from dayfly.providers.docker import porter_image, presence
from dayfly.providers.docker.porter_image import _empty
from dayfly.providers.docker.provider import DockerProvider

ME = "0123456789ab"


def container(name: str, state: str = "running", **labels: str) -> dict[str, Any]:
    shown = {f"dayfly.{key}": value for key, value in {"installation": ME, "role": "function", **labels}.items()}
    return {"Id": name, "Labels": shown, "State": state}


def ready(stub: ScriptedEngine) -> None:
    """Let it have the porters' image, no containers, and a stream of events that goes on."""

    async def for_ever(_writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    layer = "sha256:" + hashlib.sha256(_empty()).hexdigest()
    stub.answers |= {
        "GET /images/dayfly-porter:1/json": {"Id": "sha256:p", "RootFS": {"Layers": [layer]}},
        "GET /containers/json": [],
        "GET /events": Said(200, b"", for_ever),
    }


def play(scenario: Callable[[ScriptedEngine, DockerProvider], Awaitable[None]]) -> None:
    async def main() -> None:
        async with scripted() as stub:
            ready(stub)
            with tempfile.TemporaryDirectory() as folder:
                provider = DockerProvider((str(stub.path),), Path(folder) / "p", ME)
                try:
                    await scenario(stub, provider)
                finally:
                    await provider.close()

    run(main())


async def opened(provider: DockerProvider) -> None:
    await provider.open(lambda _event: None, lambda _line: None)


def test_a_provider_opens_without_an_engine_and_finds_it_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "RETRY_S", (0.02,))

    async def scenario(stub: ScriptedEngine, provider: DockerProvider) -> None:
        await stub.stop()
        await opened(provider)
        assert provider.state.engine is None
        assert str(stub.path) in provider.state.reason
        with pytest.raises(Unavailable, match="no container engine"):
            await provider.start(order())
        with pytest.raises(Unavailable):
            await provider.recover()
        assert await provider.stats() == {}
        await stub.start()
        await until(lambda: provider.state.is_up and provider.porter_image)
        assert await provider.recover() == []
        await stub.stop()
        await until(lambda: not provider.state.is_up)
        # It is known, so that what needs it is kept waiting and not refused.
        assert provider.state.engine is not None
        assert provider.state.reason
        await stub.start()
        await until(lambda: provider.state.is_up)

    play(scenario)


def test_what_is_ours_and_nobodys_is_removed_only_once_recovery_has_said_what_is_somebodys() -> None:
    async def scenario(stub: ScriptedEngine, provider: DockerProvider) -> None:
        stub.answers["GET /containers/json"] = [
            container("a" * 64, "created", replica="half-made"),
            container("b" * 64, replica="alone", role="porter"),
            container("c" * 64, replica="x", installation="another"),
            {"Id": "d" * 64, "Labels": {}, "State": "running"},
        ]
        for letter in "abcd":
            stub.answers[f"DELETE /containers/{letter * 64}"] = Said(204)
        await opened(provider)
        assert not [call for call in stub.calls() if call.startswith("DELETE")]
        assert await provider.recover() == []
        removed = sorted(call for call in stub.calls() if call.startswith("DELETE"))
        assert removed == [f"DELETE /containers/{'a' * 64}", f"DELETE /containers/{'b' * 64}"]

    play(scenario)


def test_an_order_that_cannot_be_read_is_no_replica() -> None:
    async def scenario(stub: ScriptedEngine, provider: DockerProvider) -> None:
        stub.answers["GET /containers/json"] = [container("a" * 64, replica="odd", order="{}")]
        stub.answers[f"DELETE /containers/{'a' * 64}"] = Said(204)
        await opened(provider)
        assert await provider.recover() == []
        assert f"DELETE /containers/{'a' * 64}" in stub.calls()

    play(scenario)


def test_an_image_of_the_porters_name_that_holds_something_is_not_theirs() -> None:
    async def scenario(stub: ScriptedEngine, provider: DockerProvider) -> None:
        honest = stub.answers["GET /images/dayfly-porter:1/json"]
        stub.answers["GET /images/dayfly-porter:1/json"] = {"Id": "sha256:evil", "RootFS": {"Layers": ["sha256:e"]}}

        def make(asked: Asked) -> Said:
            assert (asked.query["fromSrc"], asked.body) == ("-", _empty())
            stub.answers["GET /images/dayfly-porter:1/json"] = honest
            return Said(200, b'{"status":"sha256:p"}')

        stub.answers["POST /images/create"] = make
        await opened(provider)
        assert provider.state.is_up
        assert provider.porter_image == "sha256:p"

    play(scenario)


def test_an_engine_that_cannot_make_it_is_not_used() -> None:
    async def scenario(stub: ScriptedEngine, provider: DockerProvider) -> None:
        del stub.answers["GET /images/dayfly-porter:1/json"]
        stub.answers["POST /images/create"] = Said(200, b'{"error":"no space left on device"}')
        await opened(provider)
        assert not provider.state.is_up
        assert "no space left" in provider.state.reason

    play(scenario)


def test_porters_are_who_may_write_to_their_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert (porter_image.place(ME).porter_user, porter_image.place(ME).porter_becomes) == ("19998:19998", 19_998)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("os.getegid", lambda: 100)
    assert (porter_image.place(ME).porter_user, porter_image.place(ME).porter_becomes) == ("1000:100", 1000)
    engine = ContainerEngine(name="Podman", version="4", socket="/s", rootless=True)
    rootless = porter_image.place(ME, engine)
    assert (rootless.porter_user, rootless.porter_becomes) == ("0:0", 0)
    assert not [path for path in rootless.visible if path.startswith("/home") and path.count("/") < 3]
