"""Before an image leaves: what is ours in it is looked through, and what goes along is made."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.oci.making import put_image, tar_of

from dayfly.model.errors import InvalidRequest
from dayfly.oci.assemble import Start, assemble
from dayfly.oci.gate import make_gate
from dayfly.oci.image import load
from dayfly.oci.layer import Content, write_layer
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor, Manifest, decode
from dayfly.oci.reference import parse_reference
from dayfly.oci.sbom import KIND as BILL
from dayfly.oci.scan import Allowance
from dayfly.oci.signature import KIND as SIGNATURE
from dayfly.oci.signing_key import generate

NAME = parse_reference("registry.example.com/team/hello:1")
TOKEN = b"gh" + b"p_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R"
LEAK = {"home/app/settings.py": b"x = 1\nT = '" + TOKEN + b"'\n"}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout")


def built(layout: Layout, base: dict[str, bytes], *ours: dict[str, bytes]) -> Descriptor:
    """An image as `dayfly build` makes it."""
    below = load(layout, put_image(layout, tar_of(base), name=""))
    layers = [write_layer(layout, [Content(path=path, data=data) for path, data in each.items()]) for each in ours]
    return assemble(layout, below, layers, Start(entrypoint=["run"], working_dir="/", user="1:1"))


def kinds(layout: Layout, found: Any) -> list[str]:
    return [decode(layout.read(each), Manifest, "it").artifact_type for each in found]


def test_a_clean_image_goes_with_a_bill_and_a_signature(layout: Layout, tmp_path: Path) -> None:
    image = put_image(layout, tar_of({"a": b"1"}))
    key = generate(tmp_path / "release")
    assert kinds(layout, make_gate(key=key)(layout, image, NAME)) == [BILL, SIGNATURE]
    assert kinds(layout, make_gate()(layout, image, NAME)) == [BILL]
    assert kinds(layout, make_gate(with_bill=False)(layout, image, NAME)) == []


def test_a_credential_in_a_layer_keeps_the_image_here(layout: Layout) -> None:
    image = put_image(layout, tar_of({"a": b"1"}), tar_of(LEAK))
    with pytest.raises(InvalidRequest, match=r"home/app/settings\.py:2: a token of GitHub"):
        make_gate()(layout, image, NAME)
    make_gate(allowed=[Allowance.parse("github-token:settings.py")])(layout, image, NAME)


def test_a_credential_in_the_settings_keeps_the_image_here(layout: Layout) -> None:
    for settings in ({"Env": ["PATH=/bin", "NPM_TOKEN=abc123"]}, {"Labels": {"note": TOKEN.decode()}}):
        image = put_image(layout, tar_of({"a": b"1"}), **settings)
        with pytest.raises(InvalidRequest, match=r"env/NPM_TOKEN|label/note"):
            make_gate()(layout, image, NAME)


def test_what_the_build_accepted_is_accepted_by_its_path_in_the_folder(layout: Layout) -> None:
    labels = {"com.dayfly.allowed-secrets": "github-token:settings.py"}
    make_gate()(layout, put_image(layout, tar_of(LEAK), Labels=labels), NAME)
    labels = {"com.dayfly.allowed-secrets": "npm-token:settings.py"}
    with pytest.raises(InvalidRequest, match="github-token"):
        make_gate()(layout, put_image(layout, tar_of(LEAK), Labels=labels), NAME)


def test_the_base_is_not_looked_through_and_what_was_built_on_it_is(layout: Layout) -> None:
    make_gate()(layout, built(layout, LEAK, {"a": b"1"}), NAME)
    with pytest.raises(InvalidRequest, match="github-token"):
        make_gate()(layout, built(layout, {"a": b"1"}, LEAK), NAME)
    with pytest.raises(InvalidRequest, match="github-token"):
        make_gate()(layout, built(layout, LEAK), NAME)


def test_what_was_not_looked_into_is_told(layout: Layout) -> None:
    told: list[str] = []
    image = put_image(layout, tar_of({"data/a.zst": b"\x28\xb5\x2f\xfd....."}))
    make_gate(told=told.append)(layout, image, NAME)
    assert told == ["not looked into: data/a.zst: an archive of a kind that is not opened"]
