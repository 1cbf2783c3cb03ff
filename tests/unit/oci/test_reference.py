"""Names of images: what a registry is asked for, and what is no name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.errors import InvalidSpec
from dayfly.oci.reference import Reference, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "whole", "familiar", "host"),
    [
        ("python", "docker.io/library/python:latest", "python:latest", "registry-1.docker.io"),
        ("python:3.12-slim", "docker.io/library/python:3.12-slim", "python:3.12-slim", "registry-1.docker.io"),
        ("team/app", "docker.io/team/app:latest", "team/app:latest", "registry-1.docker.io"),
        ("docker.io/python:3", "docker.io/library/python:3", "python:3", "registry-1.docker.io"),
        ("index.docker.io/a/b:3", "docker.io/a/b:3", "a/b:3", "registry-1.docker.io"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest", "ghcr.io/a/b:latest", "ghcr.io"),
        ("GHCR.io/a/b:X", "ghcr.io/a/b:X", "ghcr.io/a/b:X", "ghcr.io"),
        ("localhost/a", "localhost/a:latest", "localhost/a:latest", "localhost"),
        ("127.0.0.1:5000/a:1", "127.0.0.1:5000/a:1", "127.0.0.1:5000/a:1", "127.0.0.1:5000"),
        ("[::1]:5000/a:1", "[::1]:5000/a:1", "[::1]:5000/a:1", "[::1]:5000"),
        ("docker.io/a.b/c:1", "docker.io/a.b/c:1", "docker.io/a.b/c:1", "registry-1.docker.io"),
        ("library/a/b:1", "docker.io/library/a/b:1", "docker.io/library/a/b:1", "registry-1.docker.io"),
        (f"a@{DIGEST}", f"docker.io/library/a@{DIGEST}", f"a@{DIGEST}", "registry-1.docker.io"),
        (f"r.io/a:1@{DIGEST}", f"r.io/a:1@{DIGEST}", f"r.io/a:1@{DIGEST}", "r.io"),
    ],
)
def test_what_is_left_out_is_filled_in_as_docker_does(text: str, whole: str, familiar: str, host: str) -> None:
    reference = parse_reference(text)
    assert (str(reference), reference.familiar, reference.host) == (whole, familiar, host)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "UPPER/case",
        "a b",
        "a:",
        "a@sha256:00",
        "a@sha512:" + "a" * 128,
        "/a",
        "a//b",
        "a/../b",
        "-a",
        DIGEST,
        "a\n",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        parse_reference(text)


def test_the_digest_decides_and_is_kept_when_another_is_asked_for() -> None:
    reference = parse_reference(f"r.io/a:1@{DIGEST}")
    assert reference.selector == DIGEST
    other = "sha256:" + "b" * 64
    assert str(reference.at(other)) == f"r.io/a@{other}"
    assert str(reference.tagged("2")) == "r.io/a:2"
    with pytest.raises(InvalidSpec):
        reference.tagged("no tag")


words = st.text("ab0", min_size=1, max_size=3)
parts = st.tuples(words, st.sampled_from([".", "_", "__", "-", "---", ""]), words).map("".join)
hosts = st.sampled_from(["docker.io", "ghcr.io", "localhost", "127.0.0.1:5000", "r.example.com:443"])


@given(host=hosts, path=st.lists(parts, min_size=1, max_size=4), tag=st.sampled_from(["", "1", "v1.2-x_y"]))
def test_the_whole_name_means_itself(host: str, path: list[str], tag: str) -> None:
    text = f"{host}/{'/'.join(path)}" + (f":{tag}" if tag else "")
    reference = parse_reference(text)
    assert isinstance(reference, Reference)
    assert parse_reference(str(reference)) == reference
    assert parse_reference(reference.familiar) == reference
