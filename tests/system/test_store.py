"""Every function of the store, deployed for real and sent its sample, with no container engine and no network."""

import io
import json
import socket
import threading
import uuid
from collections.abc import Callable, Iterator

import msgspec
import pytest
from tests.system.driver import Platform, Reply, eventually

from dayfly.catalog.entries import all_entries
from dayfly.catalog.listing import functions_json
from dayfly.client import Client
from dayfly.client.gateway import choose_target
from dayfly.client.store import deployment_of

ENTRIES = {entry.name: entry for entry in all_entries()}
ALONE = sorted(name for name, entry in ENTRIES.items() if not entry.needs)
"""Those that need nothing from outside."""
NEEDING = sorted(name for name, entry in ENTRIES.items() if entry.needs)
LOOK_OUT = ("curl", "certinfo", "hey")
"""Those whose sample is an address on the Internet."""
GRANTED = (*LOOK_OUT, "mememachine")

pytestmark = pytest.mark.timeout(300)


class Site:
    """A server on this machine that answers 200; what has another address than 127.0.0.1 is reached by the proxy."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.2", 0))
        self.address = f"127.0.0.2:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                asked = connection.recv(65_536)
                if asked[:4] == b"GET ":
                    body = picture() if b"/picture" in asked.split(b"\r\n")[0] else b"here"
                    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                    connection.sendall(head.encode() + body)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture(scope="module")
def store(shared_platform: Platform, site: Site) -> Iterator[Client]:
    """A client of a platform with all of them on it."""
    with Client(target=choose_target(data_dir=str(shared_platform.data_dir))) as client:
        for function in functions_json().functions:
            spec = deployment_of(function, "x86_64")
            granted = msgspec.structs.replace(spec, allow=(site.address,))
            status = client.deploy(granted if function.name in GRANTED else spec)
            assert status.spec.runtime == ENTRIES[function.name].runtime
        yield client


def has(text: str) -> Callable[[Reply], bool]:
    return lambda reply: text in reply.body.decode()


SAYS: dict[str, Callable[[Reply], bool]] = {
    "cat": lambda reply: reply.body == b"Dayfly",
    "chaos": lambda reply: reply.status == 200,
    "cows": has("Moo"),
    "csv2json": lambda reply: reply.json()[0] == {"name": "cow", "legs": "4"},
    "diff": has("+three"),
    "env": has("Http_Method=POST"),
    "figlet": has("####"),
    "identicon": has("<svg"),
    "jwt": lambda reply: reply.json()["claims"]["sub"] == "dayfly",
    "markdown": has("<em>lives</em>"),
    "mememachine": lambda reply: reply.body[:2] == b"\xff\xd8",
    "nodeinfo": has("Hostname: "),
    "printer": has("OK"),
    "qrcode": lambda reply: reply.body.startswith(b"\x89PNG"),
    "redirector": lambda reply: (reply.status, reply.headers["location"]) == (302, "https://example.com/"),
    "sentimentanalysis": lambda reply: reply.json()["polarity"] > 0.5,
    "shasum": has("  -"),
    "sleep": has("Slept for 0.01s"),
    "textstats": lambda reply: reply.json()["sentences"] == 2,
    "uuid": lambda reply: uuid.UUID(reply.body.decode().strip()).version == 4,
}
"""What each answers to its sample."""


def send(platform: Platform, name: str, body: bytes) -> Reply:
    kind = {"Content-Type": ENTRIES[name].sample.content_type}
    return platform.ask("POST", f"/function/{name}", body, headers=kind)


@pytest.mark.parametrize("name", [name for name in ALONE if name not in LOOK_OUT])
def test_a_function_works_with_nothing_from_outside(shared_platform: Platform, store: Client, name: str) -> None:
    reply = send(shared_platform, name, ENTRIES[name].sample.body.encode())
    assert SAYS[name](reply), reply
    assert store.get_function(name).spec.network == "none"


@pytest.mark.parametrize("name", NEEDING)
def test_a_function_that_needs_packages_gets_them(shared_platform: Platform, store: Client, name: str) -> None:
    eventually(
        f"{name} is there", lambda: store.get_function(name).state in ("ready", "idle", "failed"), deadline_s=120
    )
    body = ENTRIES[name].sample.body.encode()
    reply = send(shared_platform, name, body or picture())
    assert reply.status == 200, reply
    assert name not in SAYS or SAYS[name](reply), reply


def test_functions_that_look_out_see_what_they_are_granted(
    shared_platform: Platform, store: Client, site: Site
) -> None:
    fetched = send(shared_platform, "curl", f"http://{site.address}/".encode())
    assert (fetched.status, fetched.body) == (200, b"here")
    asked = json.dumps({"url": f"http://{site.address}/", "calls": 5, "workers": 2}).encode()
    assert send(shared_platform, "hey", asked).json()["statuses"] == {"200": 5}
    untrusted = send(shared_platform, "certinfo", site.address.encode())
    assert (untrusted.status, b"no certificate that can be trusted" in untrusted.body) == (502, True)
    assert {store.get_function(name).spec.network for name in LOOK_OUT} == {"proxy"}


def test_a_meme_is_made_of_an_image_and_two_lines_of_text(shared_platform: Platform, store: Client, site: Site) -> None:
    asked = {"image": f"http://{site.address}/picture", "top": "CREATING A MEME", "bottom": "USING OPENFAAS"}
    reply = send(shared_platform, "mememachine", json.dumps(asked).encode())
    assert (reply.status, reply.headers["content-type"], reply.body[:2]) == (200, "image/jpeg", b"\xff\xd8"), reply
    assert store.get_function("mememachine").spec.labels["com.openfaas.ui.ext"] == "jpg"


def test_the_command_line_deploys_one_that_answers_at_once(shared_platform: Platform) -> None:
    said = shared_platform.ok("store", "deploy", "Figlet", "--name", "art", "--env", "A=1")
    assert said.startswith("Deploying: art.\n\nDeployed. 200 OK.\nURL: http")
    assert "####" in shared_platform.ok("invoke", "art", stdin="Dayfly")
    assert shared_platform.describe("art")["spec"]["image"] == "dayfly/figlet:latest"


def picture() -> bytes:
    """A small image."""
    image = pytest.importorskip("PIL.Image")
    out = io.BytesIO()
    image.new("RGB", (40, 20), "#ff0000").save(out, "PNG")
    return out.getvalue()


def test_each_function_has_what_it_is_to_say() -> None:
    assert {*SAYS, *LOOK_OUT, *(name for name in NEEDING if not ENTRIES[name].sample.body)} == ENTRIES.keys()
