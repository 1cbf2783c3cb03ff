"""What a process in a pod is told, and what it says of its health and of its Lease."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from dayfly.model.errors import ConfigError, StoreUnavailable
from dayfly.queue.access import Access
from dayfly.queue.server import ACCESS
from dayfly.server.cluster import control, gateway, names
from dayfly.server.cluster.health import Health
from dayfly.server.cluster.place import Pod
from dayfly.server.wiring import read_place, settings_file
from dayfly.storage.certificate import make_certificate
from dayfly.storage.kubernetes import patience


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    given = tmp_path / "credentials"
    given.mkdir()
    made = make_certificate(["dayfly-control.dayfly.svc"], years=1)
    for name, data in {
        names.QUEUE_PASSWORD: b"calls\n", names.QUEUE_SYSTEM_PASSWORD: b"system",
        names.CA: made.ca, names.CERT: made.cert, names.KEY: made.key, "empty": b"", "odd": b"\xff",
    }.items():  # fmt: skip
        (given / name).write_bytes(data)
    return Pod.read(
        {
            "DAYFLY_POD_NAME": "dayfly-control-0", "DAYFLY_POD_NAMESPACE": "dayfly",
            "DAYFLY_DATA_DIR": str(tmp_path / "d"), "DAYFLY_QUEUE_HOST": "dayfly-queue.dayfly.svc",
            "DAYFLY_CREDENTIALS": str(given), "DAYFLY_MAX_BODY": "1Mi",
        }
    )  # fmt: skip


def test_a_pod_has_a_place_that_its_processes_find(pod: Pod) -> None:
    place = pod.place()
    assert read_place(str(settings_file(Path(place.run_dir), place.life))) == place
    assert place.settings.max_body_bytes == 2**20
    assert place.gateway_url == "http://dayfly-gateway.dayfly.svc"
    assert stat.S_IMODE(Path(place.run_dir).stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("address", "anywhere", "local"),
    [("10.1.2.3", "0.0.0.0", "127.0.0.1"), ("fd00:10:244::1f", "::", "::1"), ("", "0.0.0.0", "127.0.0.1")],  # noqa: S104 - what is told
)
def test_a_pod_listens_to_the_kind_of_address_that_it_has(pod: Pod, address: str, anywhere: str, local: str) -> None:
    there = msgspec.structs.replace(pod, environ={**pod.environ, "DAYFLY_POD_IP": address})
    assert (there.anywhere, there.place().settings.host) == (anywhere, anywhere)
    with (
        gateway.bound_to(there.anywhere, 0) as bound,
        socket.create_connection((local, bound.getsockname()[1])) as seen,
    ):
        assert seen.getpeername()[0] == local

    async def health() -> None:
        told = Health()
        port = await told.start(there.anywhere, 0)
        _, writer = await asyncio.open_connection(local, port)
        writer.close()
        told.stop()

    asyncio.run(health())


def test_the_queue_is_found_where_the_manifest_says(pod: Pod) -> None:
    place = pod.place()
    pod.tell_of_queue(place)
    path = place.run(ACCESS)
    access = msgspec.json.decode(path.read_bytes(), type=Access)
    assert (access.host, access.port, access.password) == ("dayfly-queue.dayfly.svc", 4222, "calls")
    assert (access.pid, access.store) == (0, ""), "a server in another pod is none that we may end"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_changed_password_is_written_beside_the_one_before(pod: Pod) -> None:
    place = pod.place()
    pod.tell_of_queue(place)
    for word, previous in (("calls", ""), ("other", "calls"), ("other", "calls"), ("third", "other")):
        (pod.credentials / names.QUEUE_PASSWORD).write_text(word)
        pod.tell_of_queue(place)
        access = msgspec.json.decode(place.run(ACCESS).read_bytes(), type=Access)
        assert (access.password, access.previous, access.system_previous) == (word, previous, "")


@pytest.mark.parametrize("lacking", ["DAYFLY_POD_NAME", "DAYFLY_POD_NAMESPACE"])
def test_outside_of_a_pod_nothing_starts(pod: Pod, lacking: str) -> None:
    environ = {name: value for name, value in pod.environ.items() if name != lacking}
    with pytest.raises(ConfigError, match=lacking):
        Pod.read(environ)


def test_what_is_missing_or_damaged_of_the_secret_is_told(pod: Pod) -> None:
    with pytest.raises(ConfigError, match="link-token"):
        pod.secret("link-token")
    with pytest.raises(ConfigError, match="empty"):
        pod.secret("empty")
    with pytest.raises(ConfigError, match="no text"):
        pod.text("odd")
    (pod.credentials / names.CA).write_text("no certificate")
    with pytest.raises(ConfigError, match="certificate"):
        pod.client_tls()
    with pytest.raises(ConfigError, match="DAYFLY_CONTROL_HOST"):
        pod.variable("DAYFLY_CONTROL_HOST")


def test_health_says_whether_it_lives_and_whether_it_is_ready() -> None:
    async def asked(port: int, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        try:
            async with asyncio.timeout(60):
                return (await reader.read()).split(b"\r\n")[0]
        except ConnectionError:
            return b""  # it was hung up on with something of the request still unread
        finally:
            writer.close()

    async def main() -> None:
        health = Health()
        port = await health.start("127.0.0.1", 0)
        get = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"
        assert await asked(port, get % b"/live") == b"HTTP/1.1 200 OK"
        assert await asked(port, get % b"/ready") == b"HTTP/1.1 503 Service Unavailable"
        health.ready = True
        assert await asked(port, get % b"/ready") == b"HTTP/1.1 200 OK"
        assert await asked(port, get % b"/other") == b"HTTP/1.1 404 Not Found"
        assert await asked(port, b"POST /live HTTP/1.1\r\n\r\n") == b"HTTP/1.1 404 Not Found"
        assert await asked(port, b"x" * 20_000) == b""
        health.stop()

    asyncio.run(main())


class _Ended(Exception):
    pass


def test_who_loses_the_lease_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(code: int) -> None:
        raise _Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    reached: list[str] = []

    async def standings() -> AsyncGenerator[bool, None]:
        for now in (True, True, False):
            reached.append(str(now))
            yield now
        reached.append("asked on")

    async def main() -> None:
        with pytest.raises(_Ended, match=str(control.EXIT_LOST)):
            await control.end_when_lost(standings())

    asyncio.run(main())
    assert reached == ["True", "True", "False"]


def test_without_the_exporter_a_control_plane_that_is_to_send_spans_never_stands_by(pod: Pod, tmp_path: Path) -> None:
    """In a sentence, which `dayfly install` tells; the pod before it stays, as this one is never ready."""
    missing = tmp_path / "missing" / "opentelemetry"
    missing.mkdir(parents=True)
    (missing / "__init__.py").write_text("raise ImportError('it is not installed')\n")
    environ = {
        **os.environ, **pod.environ, "PYTHONPATH": str(missing.parent),
        "DAYFLY_OTLP_ENDPOINT": "http://collector.observability:4318",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dayfly.server.cluster.control"],
        env=environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == ConfigError.exit_code
    assert done.stderr.splitlines()[-1].endswith(
        "control plane cannot run: DAYFLY_OTLP_ENDPOINT is set, but OpenTelemetry's exporter is not installed"
        " (pip install 'dayfly[otel]', or unset it)"
    )
    assert len(done.stderr.splitlines()) == 1


def test_what_is_waited_for_is_tried_until_it_answers_or_until_one_is_told_to_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "WAIT_S", 0)

    async def main() -> None:
        told, tries = asyncio.Event(), list[int]()

        async def late() -> str:
            tries.append(len(tries))
            if len(tries) < 3:
                raise StoreUnavailable("not yet")
            return "there"

        async def never() -> str:
            told.set()
            raise StoreUnavailable("not yet")

        assert await control._unless_told(told, "it", late) == "there"
        assert await control._unless_told(told, "it", never) is None

    asyncio.run(main())
