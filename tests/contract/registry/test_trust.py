"""Bills and signatures beside an image in a real registry, found again by whoever deploys it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.contract.registry.real import RealRegistry
from tests.unit.oci.making import put_image, tar_of
from tests.unit.oci.registry.test_push import put_index

from dayfly.client.verification import verified
from dayfly.model.errors import Forbidden, InvalidRequest
from dayfly.oci.artefact import make_artefact
from dayfly.oci.gate import make_gate
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor, Manifest, decode
from dayfly.oci.reference import Reference, parse_reference
from dayfly.oci.registry import manifests
from dayfly.oci.registry.connect import connect
from dayfly.oci.registry.push import push
from dayfly.oci.registry.referrers import attach, referrers
from dayfly.oci.sbom import KIND as BILL
from dayfly.oci.signature import KIND, sign
from dayfly.oci.signing_key import SigningKey, generate

METADATA = {"usr/lib/site-packages/a-1.dist-info/METADATA": b"Name: a\nVersion: 1\n"}


@pytest.fixture
def here(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "here")


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return generate(tmp_path / "release")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which nobody has logged in anywhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    return tmp_path


def sent(registry: RealRegistry, name: str, layout: Layout, image: Descriptor, key: SigningKey | None) -> Reference:
    reference = parse_reference(f"{registry.host}/{name}")

    async def main() -> None:
        async with connect(reference) as session:
            await push(session, layout, image, reference, gate=make_gate(key=key))

    asyncio.run(main())
    return reference


def beside(reference: Reference, digest: str) -> list[tuple[str, bytes]]:
    """What lies beside the image: kinds and documents."""

    async def main() -> list[tuple[str, bytes]]:
        async with connect(reference) as session:
            found = await referrers(session, reference, digest)
            documents = [(await manifests.fetch(session, reference.at(each.digest)))[1] for each in found]
        return [(each.artifact_type, document) for each, document in zip(found, documents, strict=True)]

    return asyncio.run(main())


@pytest.mark.usefixtures("home")
def test_an_image_that_is_signed_is_pinned_to_what_was_signed(
    open_registry: RealRegistry, here: Layout, key: SigningKey, tmp_path: Path
) -> None:
    image = put_image(here, tar_of(METADATA))
    reference = sent(open_registry, "trust/signed:1", here, image, key)
    pinned = verified(str(reference), [tmp_path / "release.pub"])
    assert pinned == f"{open_registry.host}/trust/signed@{image.digest}"
    assert verified(pinned, [tmp_path / "release.pub"]) == pinned
    found = dict(beside(reference, image.digest))
    assert found.keys() == {BILL, KIND}
    bill = decode(found[BILL], Manifest, "it").layers[0]
    assert [each["purl"] for each in json.loads(here.read(bill))["components"]] == ["pkg:pypi/a@1"]


@pytest.mark.usefixtures("home")
def test_an_index_is_signed_as_a_whole_and_described_by_platform(
    open_registry: RealRegistry, here: Layout, key: SigningKey, tmp_path: Path
) -> None:
    index = put_index(here)
    reference = sent(open_registry, "trust/index:1", here, index, key)
    assert verified(str(reference), [tmp_path / "release.pub"]).endswith(f"@{index.digest}")
    assert [kind for kind, _ in beside(reference, index.digest)] == [KIND]


@pytest.mark.usefixtures("home")
def test_what_is_not_signed_or_by_another_or_for_another_name_is_refused(
    open_registry: RealRegistry, here: Layout, key: SigningKey, tmp_path: Path
) -> None:
    generate(tmp_path / "other")
    image = put_image(here, tar_of({"a": b"2"}))
    reference = sent(open_registry, "trust/unsigned:1", here, image, None)
    with pytest.raises(Forbidden, match="is not signed"):
        verified(str(reference), [tmp_path / "release.pub"])
    reference = sent(open_registry, "trust/unsigned:1", here, image, key)
    with pytest.raises(Forbidden, match=r"No signature of .* is good for"):
        verified(str(reference), [tmp_path / "other.pub"])
    assert verified(str(reference), [tmp_path / "other.pub", tmp_path / "release.pub"])

    moved = parse_reference(f"{open_registry.host}/trust/moved:1")

    async def move() -> None:
        """Put the image and the other name's signature where nobody signed."""
        async with connect(moved) as session:
            await push(session, here, image, moved, gate=lambda *_: [sign(here, image, reference, key)])
            junk = make_artefact(here, image, KIND, b"{}", {"com.dayfly.signature": "x"})
            await push_blobs(session, junk)
            await attach(session, moved, junk, here.read(junk))

    async def push_blobs(session: Any, junk: Descriptor) -> None:
        from dayfly.oci.registry.upload import upload

        manifest = decode(here.read(junk), Manifest, "it")
        for blob in (manifest.config, *manifest.layers):
            await upload(session, moved.repository, blob, here)

    asyncio.run(move())
    with pytest.raises(Forbidden, match="No signature of"):
        verified(str(moved), [tmp_path / "release.pub"])


def test_a_tag_that_was_moved_to_other_bytes_is_refused(
    open_registry: RealRegistry, here: Layout, key: SigningKey, home: Path
) -> None:
    first, second = (put_image(here, tar_of({"a": text})) for text in (b"3", b"4"))
    sent(open_registry, "trust/tag:1", here, first, key)
    reference = sent(open_registry, "trust/tag:1", here, second, None)
    with pytest.raises(Forbidden, match=second.digest):
        verified(str(reference), [home / "release.pub"])


@pytest.mark.usefixtures("home")
def test_a_credential_keeps_the_image_from_the_registry(open_registry: RealRegistry, here: Layout) -> None:
    leak = {"app/.env": b"DB_PASSWORD=abc123\n"}
    with pytest.raises(InvalidRequest, match=r"app/\.env:1"):
        sent(open_registry, "trust/leak:1", here, put_image(here, tar_of(leak)), None)
