"""Secrets by both faces of the API: what is kept is exact, what is answered holds nothing of it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.dialects.openfaas.wire import Secret
from dayfly.model.names import DEFAULT_NAMESPACE, NamespaceName
from dayfly.model.secret import MAX_SECRET_BYTES

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

LIST = "/v1/namespaces/openfaas-fn/secrets"
CANARY = "canary-of-the-api"


async def content(stage: Stage, name: str, namespace: NamespaceName = DEFAULT_NAMESPACE) -> bytes:
    return (await stage.kept.contents(namespace, [name]))[name].data


def test_the_native_api_keeps_the_bytes_and_tells_all_but_them(play: Play) -> None:
    async def story(stage: Stage) -> None:
        data = CANARY.encode() + bytes(range(256))
        created = await stage.ask("PUT", f"{LIST}/my.key", body=[data[:7], data[7:]])
        assert created.status == 201
        assert created.json() == {
            "namespace": "openfaas-fn", "name": "my.key", "version": 1, "functions": [],
            "created_unix_ms": 1_700_000_000_000, "updated_unix_ms": 1_700_000_000_000,
        }  # fmt: skip
        assert await content(stage, "my.key") == data
        updated = await stage.ask("PUT", f"{LIST}/my.key", body=b"x" * MAX_SECRET_BYTES)
        assert (updated.status, updated.json()["version"]) == (200, 2)
        listed = await stage.ask("GET", LIST)
        assert listed.json() == [updated.json()]
        await stage.ask("POST", "/v1/namespaces/other")
        assert (await stage.ask("GET", "/v1/namespaces/other/secrets")).json() == []
        for answer in (created, updated, listed):
            assert CANARY.encode() not in answer.body
        assert (await stage.ask("GET", f"{LIST}/my.key")).status == 405, "nothing reads a secret"
        assert (await stage.ask("DELETE", f"{LIST}/my.key")).status == 204
        assert (await stage.ask("DELETE", f"{LIST}/my.key")).status == 404

    play(story)


def test_a_mode_says_whether_it_may_be_there(play: Play) -> None:
    async def story(stage: Stage) -> None:
        asked = [("update", 404), ("create", 201), ("create", 409), ("update", 200), ("upsert", 200), ("other", 400)]
        assert [(await stage.ask("PUT", f"{LIST}/one?mode={mode}", body=b"x")).status for mode, _ in asked] == [
            status for _, status in asked
        ]

    play(story)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [(b"", 400, "is empty"), (b"x" * (MAX_SECRET_BYTES + 1), 413, str(MAX_SECRET_BYTES))],
)
def test_what_cannot_be_kept_is_refused_and_leaves_nothing(play: Play, body: bytes, status: int, says: str) -> None:
    async def story(stage: Stage) -> None:
        native = await stage.ask("PUT", f"{LIST}/one", body=body)
        encoded = base64.b64encode(body).decode()
        compatible = await stage.ask("POST", "/system/secrets", data={"name": "one", "rawValue": encoded})
        for answer in (native, compatible):
            assert answer.status == status
            assert says in answer.body.decode()
        assert await stage.kept.all() == []

    play(story)


def test_a_locked_store_says_so_and_what_to_do(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.kept.locked = "the key file is not there"
        answer = await stage.ask("PUT", f"{LIST}/one", body=b"x")
        assert (answer.status, answer.json()["code"], answer.json()["detail"]) == (
            503, "secrets_locked", "the key file is not there"
        )  # fmt: skip
        assert (await stage.ask("POST", "/v1/secrets/rotate-key")).status == 503

    play(story)


def test_the_key_is_changed_by_a_request(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.ask("PUT", f"{LIST}/one", body=CANARY.encode())
        answer = await stage.ask("POST", "/v1/secrets/rotate-key")
        assert answer.json() == {"key": "key-2", "retired": ["key-1"], "left": [], "secrets": 1}

    play(story)


def test_the_compatible_api_answers_with_the_statuses_that_clients_decide_by(play: Play) -> None:
    async def story(stage: Stage) -> None:
        secret = {"name": "one", "value": CANARY}
        assert (await stage.ask("PUT", "/system/secrets", data=secret)).status == 404
        assert (await stage.ask("DELETE", "/system/secrets", data=secret)).status == 404
        created = await stage.ask("POST", "/system/secrets", data=secret)
        assert (created.status, created.body) == (202, b"")
        again = await stage.ask("POST", "/system/secrets", data=secret)
        assert (again.status, again.headers["content-type"]) == (409, "text/plain; charset=utf-8")
        assert (await stage.ask("PUT", "/system/secrets", data=secret)).status == 200
        listed = await stage.ask("GET", "/system/secrets")
        assert listed.json() == [{"name": "one", "namespace": "openfaas-fn"}]
        assert (await stage.ask("DELETE", "/system/secrets", data={"name": "one"})).status == 202
        assert (await stage.ask("GET", "/system/secrets")).json() == []
        for answer in (created, again, listed):
            assert CANARY.encode() not in answer.body

    play(story)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"value": "with a newline\n"}, b"with a newline\n"),
        ({"value": "Ω", "rawValue": None}, "Ω".encode()),
        ({"value": "Ω", "rawValue": ""}, "Ω".encode()),
        ({"value": "text", "rawValue": base64.b64encode(bytes(range(256))).decode()}, bytes(range(256))),
        ({"rawValue": base64.b64encode(b"raw").decode(), "type": "Opaque"}, b"raw"),
    ],
)
def test_raw_bytes_win_over_text_and_both_are_kept_as_they_are(play: Play, fields: object, kept: bytes) -> None:
    async def story(stage: Stage) -> None:
        assert isinstance(fields, dict)
        assert (await stage.ask("POST", "/system/secrets", data={"name": "one", **fields})).status == 202
        assert await content(stage, "one") == kept

    play(story)


def test_the_namespace_may_be_in_the_body_or_in_the_query_and_not_two_different_ones(play: Play) -> None:
    async def story(stage: Stage) -> None:
        secret = {"name": "one", "value": "x"}
        ours = {**secret, "namespace": "ours"}
        assert (await stage.ask("POST", "/system/secrets", data=ours)).status == 400, "no such namespace"
        for name in ("ours", "theirs"):
            await stage.ask("POST", f"/v1/namespaces/{name}")
        assert (await stage.ask("POST", "/system/secrets", data=ours)).status == 202
        assert (await stage.ask("POST", "/system/secrets?namespace=theirs", data=secret)).status == 202
        assert (await stage.ask("PUT", "/system/secrets?namespace=ours", data=ours)).status == 200
        refused = await stage.ask("DELETE", "/system/secrets?namespace=theirs", data=ours)
        assert refused.status == 400
        assert [each.namespace for each in await stage.kept.all()] == ["ours", "theirs"]
        assert (await stage.ask("GET", "/system/secrets?namespace=ours")).json() == [
            {"name": "one", "namespace": "ours"}
        ]

    play(story)


def test_the_largest_secret_fits_as_the_stock_client_sends_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        data = b"\x01" * MAX_SECRET_BYTES  # a byte that takes six as JSON text
        sent = {"name": "one", "value": data.decode(), "rawValue": base64.b64encode(data).decode()}
        assert (await stage.ask("POST", "/system/secrets", data=sent)).status == 202
        assert await content(stage, "one") == data

    play(story)


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "one", "value": "' + CANARY.encode() + b'", "rawValue": "not base64!"}',
        b'{"name": "one", "value": ["' + CANARY.encode() + b'"]}',
        b'{"name": "one", "value": "' + CANARY.encode(),
        b'{"name": "", "value": "' + CANARY.encode() + b'"}',
        b'{"name": "../one", "value": "' + CANARY.encode() + b'"}',
        b'{"name": "one", "namespace": "..", "value": "' + CANARY.encode() + b'"}',
    ],
)
def test_a_refusal_shows_nothing_of_what_was_sent(play: Play, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        for method in ("POST", "PUT", "DELETE"):
            answer = await stage.ask(method, "/system/secrets", body=body)
            assert answer.status == 400
            assert CANARY.encode() not in answer.body
        assert await stage.kept.all() == []

    with caplog.at_level("DEBUG"):
        play(story)
    assert CANARY not in caplog.text


def test_a_document_prints_without_what_is_in_it() -> None:
    body = json.dumps({"name": "one", "value": CANARY, "rawValue": base64.b64encode(CANARY.encode()).decode()})
    document = msgspec.json.decode(body, type=Secret)
    assert document.content == CANARY.encode()
    assert repr(document) == "Secret(name='one', namespace=None)"
