"""Whole images, up and down: in the order in which nothing ever points at what is missing."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.oci.making import about, put_image, tar_of
from tests.unit.oci.registry.double import Double, Fault, Reply, digest_of, refused
from tests.unit.oci.registry.test_session import run

from dayfly.model.errors import Forbidden, InvalidRequest, InvalidSpec, NotFound
from dayfly.oci.image import choose, load
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, Descriptor
from dayfly.oci.platform import parse_platform
from dayfly.oci.reference import Reference
from dayfly.oci.registry.progress import Step
from dayfly.oci.registry.pull import pull
from dayfly.oci.registry.push import push
from dayfly.oci.registry.referrers import attach, fallback_tag, referrers

AMD, ARM = parse_platform("linux/amd64"), parse_platform("linux/arm64")
LAYERS = [tar_of({f"file{number}": b"x" * number}) for number in range(1, 4)]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "here")


@pytest.fixture
def other(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "there")


def name(double: Double, tag: str = "1", **more: str) -> Reference:
    return Reference(registry=double.host, repository="team/app", tag=tag, **more)


def put_index(layout: Layout, *, with_platform: bool = True, **annotations: str) -> Descriptor:
    images = []
    for number, architecture in enumerate(("amd64", "arm64")):
        image = put_image(layout, LAYERS[0], LAYERS[1 + number], architecture=architecture, name="")
        platform = {"platform": {"os": "linux", "architecture": architecture}} if with_platform else {}
        images.append(about(image, **platform))
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": images, "annotations": annotations}
    return layout.put(json.dumps(document).encode(), OCI_INDEX)


def written(double: Double) -> list[str]:
    """What was put, in its order: `blob`, or a manifest's name."""
    return [
        "blob" if "uploads" in each.path else each.path.rpartition("/")[2]
        for each in double.seen
        if each.method == "PUT"
    ]


def test_an_image_goes_up_itself_last_under_all_its_names(layout: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS)
        async with double.session() as session:
            done = await push(session, layout, image, name(double), extra_tags=("2", "latest"))
        assert written(double) == ["blob"] * 4 + ["1", "2", "latest"]
        assert done.names == tuple(f"{double.host}/team/app:{tag}" for tag in ("1", "2", "latest"))
        assert double.manifests["team/app", "2"] == (OCI_MANIFEST, layout.read(image))
        assert done.descriptor.digest == digest_of(layout.read(image))

    run(test)


def test_what_is_there_is_not_sent_again(layout: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS)
        async with double.session() as session:
            await push(session, layout, image, name(double))
            double.seen.clear()
            steps: list[Step] = []
            await push(session, layout, image, name(double), extra_tags=["new"], progress=steps.append)
        assert written(double) == ["new"]
        assert [(step.state, step.blob.digest) for step in steps] == [("present", image.digest)]

    run(test)


def test_an_index_goes_up_after_its_images_and_what_they_share_goes_once(layout: Layout) -> None:
    async def test(double: Double) -> None:
        index = put_index(layout)
        async with double.session() as session:
            await push(session, layout, index, name(double))
        put = written(double)
        assert put[:5] == ["blob"] * 5
        assert [each[:7] for each in put[5:]] == ["sha256:", "sha256:", "1"]
        assert double.manifests["team/app", "1"][0] == OCI_INDEX

    run(test)


def test_nothing_leaves_before_the_gate_lets_it(layout: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS)
        asked = []

        def gate(where: Layout, entry: Descriptor, reference: Reference) -> tuple[Descriptor, ...]:
            asked.append((where, entry, reference))
            raise Forbidden("there is a key in it")

        async with double.session() as session:
            with pytest.raises(Forbidden, match="a key in it"):
                await push(session, layout, image, name(double), gate=gate)
        assert asked == [(layout, image, name(double))]
        assert [each.path for each in double.seen] == ["/v2/"]

    run(test)


def artifact(layout: Layout, subject: Descriptor, kind: str = "application/x-tests") -> Descriptor:
    empty = layout.put(b"{}", OCI_EMPTY)
    content = layout.put(b"what is in it", "text/plain")
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": about(empty),
        "layers": [about(content)],
        "subject": about(subject),
        "annotations": {"a": kind},
    }
    return layout.put(json.dumps(document).encode(), OCI_MANIFEST)


def test_what_the_gate_adds_goes_up_after_the_image_and_is_found_from_it(layout: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS)
        added = [artifact(layout, image, kind) for kind in ("application/x-one", "application/x-two")]
        async with double.session() as session:
            await push(session, layout, image, name(double), gate=lambda *_: added)
            found = await referrers(session, name(double), image.digest)
            await push(session, layout, image, name(double), gate=lambda *_: added)
            assert await referrers(session, name(double), image.digest) == found
        assert [(each.digest, each.artifact_type, each.annotations) for each in found] == [
            (each.digest, kind, {"a": kind})
            for each, kind in zip(added, ("application/x-one", "application/x-two"), strict=True)
        ]
        put = written(double)
        assert put.index("1") < put.index(added[0].digest)
        assert fallback_tag(image.digest) in put

    run(test)


def test_a_registry_that_keeps_referrers_itself_gets_no_tag_for_them(layout: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS)
        one = artifact(layout, image)
        listed = {"schemaVersion": 2, "manifests": [about(one, artifactType="application/x-tests")]}
        double.faults = [
            Fault("PUT", "manifests", change=lambda it: Reply(201, {**it.headers, "OCI-Subject": image.digest})),
            Fault("GET", "referrers", Reply(200, {"Content-Type": OCI_INDEX}, json.dumps(listed).encode())),
        ]
        async with double.session() as session:
            await attach(session, name(double), one, layout.read(one))
            assert [each.digest for each in await referrers(session, name(double), image.digest)] == [one.digest]
        assert written(double) == [one.digest]

    run(test)


def test_what_belongs_to_nothing_is_not_attached(layout: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS)
        async with double.session() as session:
            with pytest.raises(InvalidRequest, match="has no subject"):
                await attach(session, name(double), image, layout.read(image))
            assert await referrers(session, name(double), image.digest) == []

    run(test)


@pytest.mark.parametrize("same_registry", [True, False])
def test_layers_of_a_base_in_the_same_registry_are_mounted(layout: Layout, same_registry: bool) -> None:
    async def test(double: Double) -> None:
        plain = put_image(layout, *LAYERS)
        document: dict[str, Any] = json.loads(layout.read(plain))
        registry = double.host if same_registry else "registry.example.com"
        document["annotations"] = {"org.opencontainers.image.base.name": f"{registry}/bases/python:3.12"}
        image = layout.put(json.dumps(document).encode(), OCI_MANIFEST)
        for layer in document["layers"][:2]:
            double.blobs["bases/python", layer["digest"]] = layout.path(Descriptor(**described(layer))).read_bytes()
        steps: list[Step] = []
        async with double.session() as session:
            await push(session, layout, image, name(double), progress=steps.append)
        assert [step.state for step in steps].count("mounted") == (2 if same_registry else 0)

    run(test)


def described(layer: dict[str, Any]) -> dict[str, Any]:
    return {"media_type": layer["mediaType"], "digest": layer["digest"], "size": layer["size"]}


def test_a_push_that_fails_leaves_no_name(layout: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS)
        double.faults = [Fault("PUT", "uploads", refused(403, "DENIED", "full"))]
        async with double.session() as session:
            with pytest.raises(Forbidden, match="DENIED: full"):
                await push(session, layout, image, name(double))
        assert double.manifests == {}

    run(test)


def test_names_are_judged_before_anything_is_sent(layout: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS)
        async with double.session() as session:
            with pytest.raises(InvalidSpec):
                await push(session, layout, image, name(double), extra_tags=["not a tag"])
            with pytest.raises(InvalidRequest, match="names another image"):
                await push(session, layout, image, name(double, digest=digest_of(b"")))
        assert len(double.seen) == 1

    run(test)


def test_an_image_of_which_part_is_missing_is_not_named(layout: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS)
        layout.path(load(layout, image).manifest.layers[1]).unlink()
        async with double.session() as session:
            with pytest.raises(NotFound, match="does not hold the blob"):
                await push(session, layout, image, name(double))
        assert double.manifests == {}

    run(test)


async def pushed(double: Double, layout: Layout, entry: Descriptor) -> None:
    async with double.session() as session:
        await push(session, layout, entry, name(double))
    double.seen.clear()


@pytest.mark.parametrize("with_platform", [True, False])
def test_one_platform_comes_down_and_then_another(layout: Layout, other: Layout, with_platform: bool) -> None:
    async def test(double: Double) -> None:
        index = put_index(layout, with_platform=with_platform)
        await pushed(double, layout, index)
        async with double.session() as session:
            entry = await pull(session, name(double), other, [ARM])
            assert entry == index
            assert other.find(str(name(double))).digest == index.digest
            image = load(other, choose(other, entry, ARM))
            assert image.config.architecture == "arm64"
            assert all(other.has(layer) for layer in image.manifest.layers)
            if with_platform:
                assert not other.has(choose(other, entry, AMD))
            await pull(session, name(double), other, [AMD, ARM])
            assert load(other, choose(other, entry, AMD)).config.architecture == "amd64"

    run(test)


def test_all_platforms_come_down_when_none_is_named(layout: Layout, other: Layout) -> None:
    async def test(double: Double) -> None:
        index = put_index(layout)
        await pushed(double, layout, index)
        async with double.session() as session:
            await pull(session, name(double), other)
        blobs = {path.name for path in (layout.folder / "blobs/sha256").iterdir()}
        assert {path.name for path in (other.folder / "blobs/sha256").iterdir()} == blobs

    run(test)


def test_an_image_without_an_index_is_taken_for_its_own_platform(layout: Layout, other: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS)
        await pushed(double, layout, image)
        async with double.session() as session:
            assert await pull(session, name(double), other, [AMD]) == image.bare
            with pytest.raises(NotFound, match="The image has no linux/arm64; it is there for linux/amd64"):
                await pull(session, name(double), other, [ARM])

    run(test)


def test_an_index_that_says_something_else_of_its_images_is_not_believed(layout: Layout, other: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS, name="")
        await pushed(double, layout, image)
        lie = {"schemaVersion": 2, "manifests": [{**about(image), "size": image.size + 1}]}
        double.manifests["team/app", "1"] = OCI_INDEX, json.dumps(lie).encode()
        async with double.session() as session:
            with pytest.raises(InvalidRequest, match="is not what the index says of it"):
                await pull(session, name(double), other)
        assert other.names() == {}

    run(test)


def test_an_image_has_a_bound(layout: Layout, other: Layout) -> None:
    async def test(double: Double) -> None:
        image = put_image(layout, *LAYERS, name="")
        document = json.loads(layout.read(image))
        document["layers"][0]["size"] = 1 << 50
        double.manifests["team/app", "1"] = OCI_MANIFEST, json.dumps(document).encode()
        async with double.session() as session:
            with pytest.raises(InvalidRequest, match="is the most"):
                await pull(session, name(double), other)
        assert double.asked("GET", "blobs") == []

    run(test)


def test_indexes_lie_below_indexes_only_so_deep(layout: Layout, other: Layout) -> None:
    async def test(double: Double) -> None:
        below = put_image(layout, *LAYERS, name="")
        for _ in range(5):
            data = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [about(below)]}).encode()
            below = layout.put(data, OCI_INDEX)
            for each in ("1", below.digest):
                double.manifests["team/app", each] = OCI_INDEX, data
        async with double.session() as session:
            with pytest.raises(InvalidRequest, match="lies below more than 3 indexes"):
                await pull(session, name(double), other)

    run(test)
