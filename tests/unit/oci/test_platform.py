"""Platforms: one spelling each, and which runs what."""

import pytest

from dayfly.model.errors import InvalidSpec
from dayfly.oci.platform import Platform, parse_platform, parse_platforms, this_machine


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("linux/amd64", "linux/amd64"),
        ("Linux/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/ppc64el", "linux/ppc64le"),
    ],
)
def test_each_has_one_spelling(text: str, spelling: str) -> None:
    assert str(parse_platform(text)) == spelling


@pytest.mark.parametrize("text", ["", "linux", "linux/", "linux/amd64/v8/x", "linux/../etc", "lin ux/amd64"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        parse_platform(text)


def test_a_list_has_each_once() -> None:
    assert [str(each) for each in parse_platforms("linux/amd64, linux/arm64,linux/x86_64")] == [
        "linux/amd64",
        "linux/arm64",
    ]
    with pytest.raises(InvalidSpec):
        parse_platforms("linux/amd64,")


def test_an_older_variant_runs_and_a_newer_does_not() -> None:
    newer, older = parse_platform("linux/arm/v7"), parse_platform("linux/arm/v6")
    assert newer.runs(older)
    assert not older.runs(newer)
    assert not newer.runs(parse_platform("linux/arm64"))
    assert parse_platform("linux/amd64/v3").runs(Platform("linux", "amd64"))
    assert not Platform("linux", "amd64").runs(parse_platform("linux/amd64/v3"))
    assert this_machine().runs(this_machine())
