"""Manifests: what a registry says they are, and what is believed of it."""

import json
from typing import Any

import pytest
from tests.unit.oci.registry.double import Double, Fault, Reply, digest_of
from tests.unit.oci.registry.test_session import run

from dayfly.model.errors import InvalidRequest, NotFound, PayloadTooLarge, Unavailable
from dayfly.oci.manifest import DOCKER_LIST, DOCKER_MANIFEST, MAX_BYTES, OCI_INDEX, OCI_MANIFEST, describe
from dayfly.oci.reference import Reference
from dayfly.oci.registry import manifests

IMAGE = {"schemaVersion": 2, "config": {}, "layers": []}
INDEX = {"schemaVersion": 2, "manifests": []}


def reference(double: Double, **more: str) -> Reference:
    return Reference(registry=double.host, repository="team/app", **(more or {"tag": "1"}))


def put(double: Double, document: dict[str, Any], content_type: str) -> bytes:
    data = json.dumps(document).encode()
    for name in ("1", digest_of(data)):
        double.manifests["team/app", name] = content_type, data
    return data


@pytest.mark.parametrize(
    ("document", "content_type", "kind"),
    [
        ({**IMAGE, "mediaType": OCI_MANIFEST}, OCI_MANIFEST, OCI_MANIFEST),
        (IMAGE, f"{DOCKER_MANIFEST}; charset=utf-8", DOCKER_MANIFEST),
        (INDEX, DOCKER_LIST, DOCKER_LIST),
        ({**INDEX, "mediaType": OCI_INDEX}, "application/json", OCI_INDEX),
        (IMAGE, "application/json", OCI_MANIFEST),
        (INDEX, "", OCI_INDEX),
    ],
)
def test_a_document_is_what_it_and_the_registry_say(document: dict[str, Any], content_type: str, kind: str) -> None:
    async def test(double: Double) -> None:
        data = put(double, document, content_type)
        async with double.session() as session:
            for which in (reference(double), reference(double, digest=digest_of(data))):
                assert await manifests.fetch(session, which) == (describe(data, kind), data)

    run(test)


@pytest.mark.parametrize(
    ("document", "content_type"),
    [
        ({**IMAGE, **INDEX}, OCI_INDEX),
        ({**IMAGE, **INDEX}, OCI_MANIFEST),
        ({**IMAGE, "mediaType": OCI_MANIFEST}, OCI_INDEX),
        ({**INDEX, "mediaType": OCI_INDEX}, OCI_MANIFEST),
        ({**INDEX, "mediaType": OCI_MANIFEST}, OCI_MANIFEST),
        ({"layers": [], "mediaType": OCI_INDEX}, OCI_INDEX),
    ],
)
def test_one_that_can_be_read_in_two_ways_is_refused(document: dict[str, Any], content_type: str) -> None:
    async def test(double: Double) -> None:
        put(double, document, content_type)
        async with double.session() as session:
            with pytest.raises(InvalidRequest, match="can be read in two ways"):
                await manifests.fetch(session, reference(double))

    run(test)


@pytest.mark.parametrize(
    ("data", "message"), [(b"[]", "damaged"), (b'{"a":1}', "which is no image"), (b"\xff", "damaged")]
)
def test_what_is_no_image_is_refused(data: bytes, message: str) -> None:
    async def test(double: Double) -> None:
        double.manifests["team/app", "1"] = "text/plain", data
        async with double.session() as session:
            with pytest.raises(InvalidRequest, match=message):
                await manifests.fetch(session, reference(double))

    run(test)


def test_a_digest_gets_what_it_names_or_nothing() -> None:
    async def test(double: Double) -> None:
        data = put(double, INDEX, OCI_INDEX)
        wanted = digest_of(b"something else")
        double.manifests["team/app", wanted] = OCI_INDEX, data
        lie = Reply(200, {"Content-Type": OCI_INDEX, "Docker-Content-Digest": wanted}, data)
        double.faults = [Fault("GET", "manifests/1", lie)]
        async with double.session() as session:
            for which in (reference(double), reference(double, tag="1", digest=wanted)):
                with pytest.raises(InvalidRequest, match=f"gave {digest_of(data)} .* not {wanted}"):
                    await manifests.fetch(session, which)

    run(test)


def test_a_document_has_a_bound() -> None:
    async def test(double: Double) -> None:
        double.manifests["team/app", "1"] = OCI_INDEX, b" " * (MAX_BYTES + 1)
        async with double.session() as session:
            with pytest.raises(PayloadTooLarge):
                await manifests.fetch(session, reference(double))

    run(test)


def test_one_that_is_not_there_is_told_by_its_name() -> None:
    async def test(double: Double) -> None:
        async with double.session() as session:
            with pytest.raises(NotFound, match=f"could not give {double.host}/team/app:1: MANIFEST_UNKNOWN"):
                await manifests.fetch(session, reference(double))
            assert await manifests.digest_of(session, reference(double)) == ""

    run(test)


def test_a_registry_that_took_another_document_is_not_believed() -> None:
    async def test(double: Double) -> None:
        other = Reply(201, {"Docker-Content-Digest": digest_of(b"other")})
        double.faults = [Fault("PUT", "manifests", other)]
        data = json.dumps(INDEX).encode()
        async with double.session() as session:
            with pytest.raises(Unavailable, match="says that it took"):
                await manifests.put(session, reference(double), describe(data, OCI_INDEX), data)

    run(test)
