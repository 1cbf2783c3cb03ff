"""Names of images: what they mean, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.errors import InvalidSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.image import ImageName, health_path, parse_image, runs_as_root

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("busybox", ImageName("docker.io", "busybox", "latest")),
        ("team/name:1.2", ImageName("docker.io", "team/name", "1.2")),
        ("ghcr.io/team/name", ImageName("ghcr.io", "ghcr.io/team/name", "latest")),
        ("localhost/name:x", ImageName("localhost", "localhost/name", "x")),
        ("localhost:5000/a/b/c:x", ImageName("localhost:5000", "localhost:5000/a/b/c", "x")),
        ("Registry.example.com/name", ImageName("Registry.example.com", "Registry.example.com/name", "latest")),
        (f"ghcr.io/name:1@{DIGEST}", ImageName("ghcr.io", "ghcr.io/name", "", DIGEST)),
        (DIGEST, ImageName("", "", "", DIGEST)),
    ],
)
def test_a_name_is_taken_apart(text: str, meaning: ImageName) -> None:
    assert parse_image(text) == meaning
    assert FunctionSpec(name="f", runtime="image", image=text).check() is None  # type: ignore[func-returns-value]  # it raises or not


@pytest.mark.parametrize(
    "text",
    ["", " ", "-flag", "name:", "name@", f"name@{DIGEST[:-1]}", "Name", "Team/name", "a//b", "/a", "a/", "a b", "a\n",
     "name:tag:tag", "../x", "https://ghcr.io/x", "a" * 1025, "a:" + "t" * 129],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="image"):
        parse_image(text)
    with pytest.raises(InvalidSpec, match="image"):
        FunctionSpec(name="f", runtime="image", image=text).check()


@given(st.text(max_size=60))
def test_whatever_is_taken_can_stand_in_a_path_and_a_query(text: str) -> None:
    try:
        name = parse_image(text)
    except InvalidSpec:
        return
    for part in (name.registry, name.repository, name.tag, name.digest):
        assert not set(part) & set(" ?#&%\\\"'\r\n\t")
        assert ".." not in part.split("/")
    assert not name.repository.startswith("-")


def test_a_pin_names_the_same_repository() -> None:
    assert parse_image("localhost:5000/a:x").pinned(DIGEST) == f"localhost:5000/a@{DIGEST}"


def test_annotations_say_where_an_image_tells_its_health_and_whether_it_may_be_root() -> None:
    health, ready = "com.openfaas.health.http.path", "com.openfaas.ready.http.path"
    assert health_path({}) == ""
    assert health_path({health: "/healthz"}) == "/healthz"
    assert health_path({health: "/healthz", ready: "/readyz?deep=1"}) == "/readyz?deep=1"
    assert not runs_as_root({})
    assert runs_as_root({"com.dayfly.run-as-root": "true"})
    assert not runs_as_root({"com.dayfly.run-as-root": "false"})


@pytest.mark.parametrize(
    "annotations",
    [{"com.openfaas.health.http.path": path} for path in ("healthz", "/a b", "/a\r\nHost: x", "/é", "/" + "x" * 1024)]
    + [{"com.dayfly.run-as-root": "yes"}],
)
def test_annotations_that_cannot_be_meant_are_refused_for_images_alone(annotations: dict[str, str]) -> None:
    with pytest.raises(InvalidSpec, match="annotations"):
        FunctionSpec(name="f", runtime="image", image="x", annotations=annotations).check()
    FunctionSpec(name="f", annotations=annotations).check()
