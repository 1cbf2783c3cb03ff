"""The bill of materials names what is in an image, as CycloneDX's own schema has it, and the same every time."""

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL
from tests.unit.oci.making import about, config_of, put_image, tar_of

from dayfly.model.errors import InvalidRequest
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import OCI_CONFIG, OCI_INDEX, OCI_LAYER_ZSTD, OCI_MANIFEST, Manifest, decode
from dayfly.oci.packages import packages_in
from dayfly.oci.reference import parse_reference
from dayfly.oci.sbom import KIND, attach_bills, bill_of

NAME = parse_reference("registry.example.com/team/hello:1")
DPKG = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u4
Description: a
 b

Package: gone
Status: deinstall ok config-files
Version: 1

Package: never
Status: purge ok not-installed
Version: 1
"""
APK = "P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\n\nP:broken\n\n"
SITE = "usr/lib/python3/site-packages"
BASE = {
    "etc/os-release": b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="x"\n',
    "var/lib/dpkg/status": DPKG.encode(),
    "usr/share/doc/libc6/copyright": b"Files: *\nLicense: LGPL-2.1\n\nLicense: LGPL-2.1\n",
    "usr/share/doc/other/changelog": b"License: no\n",
}
PACKAGES = {
    f"{SITE}/Foo_Bar-1.0.dist-info/METADATA": b"Name: Foo_Bar\nVersion: 1.0\n"
    b"License-Expression: MIT OR Apache-2.0\n\nText",
    f"{SITE}/old-2.dist-info/METADATA": b"Name: old\nVersion: 2\nLicense: BSD\n"
    b"Classifier: License :: OSI Approved :: MIT License\n",
    f"{SITE}/free-3+local.1.dist-info/METADATA": b"Name: free\nVersion: 3+local.1\nLicense: My own\n",
    f"{SITE}/bad.dist-info/METADATA": b"\xff\x00",
    "home/node_modules/@scope/pkg/package.json": b'{"name": "@scope/pkg", "version": "1.2.3", "license": "ISC"}',
    "home/node_modules/plain/package.json": b'{"name": "plain", "version": "0.1.0", '
    b'"license": {"type": "SEE LICENSE IN X"}}',
    "home/node_modules/broken/package.json": b"[[[",
    "home/node_modules/.package-lock.json": json.dumps(
        {"packages": {"node_modules/plain": {"integrity": "sha512-" + "A" * 86 + "=="}}}
    ).encode(),
    "home/package.json": b'{"name": "no-dependency", "version": "1"}',
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout")


def bill(layout: Layout, *layers: dict[str, bytes]) -> dict[str, Any]:
    data = bill_of(layout, put_image(layout, *map(tar_of, layers)), NAME)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode()) is None
    found: dict[str, Any] = json.loads(data)
    return found


def purls(document: dict[str, Any]) -> list[str]:
    return [each["purl"] for each in document["components"] if "purl" in each]


@pytest.mark.parametrize(
    ("address", "is_one"), [("https://example.com/bücher", True), ("https://example.com/a b<", False)]
)
def test_the_schema_is_asked_whether_an_address_is_one(address: str, is_one: bool) -> None:
    reference = {"type": "website", "url": address}
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "externalReferences": [reference]}
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    assert (found is None) == is_one


def test_all_packages_are_named_with_their_licences(layout: Layout) -> None:
    document = bill(layout, BASE, PACKAGES)
    by_name = {each["name"]: each for each in document["components"]}
    assert purls(document) == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12",
        "pkg:npm/%40scope/pkg@1.2.3",
        "pkg:npm/plain@0.1.0",
        "pkg:pypi/foo-bar@1.0",
        "pkg:pypi/free@3%2Blocal.1",
        "pkg:pypi/old@2",
    ]
    assert {name: by_name[name].get("licenses") for name in by_name} == {
        "debian": None,
        "libc6": [{"license": {"name": "LGPL-2.1"}}],
        "@scope/pkg": [{"expression": "ISC"}],
        "plain": [{"license": {"name": "SEE LICENSE IN X"}}],
        "Foo_Bar": [{"expression": "MIT OR Apache-2.0"}],
        "free": [{"license": {"name": "My own"}}],
        "old": [{"license": {"name": "MIT License"}}],
    }
    assert by_name["plain"]["hashes"] == [{"alg": "SHA-512", "content": "00" * 64}]
    assert by_name["debian"] == {"type": "operating-system", "bom-ref": "os:debian", "name": "debian", "version": "12"}


def test_package_urls_are_what_others_would_write(layout: Layout) -> None:
    for purl in purls(bill(layout, BASE, PACKAGES, {"lib/apk/db/installed": APK.encode()})):
        assert PackageURL.from_string(purl).to_string() == purl


def test_packages_of_alpine_are_named(layout: Layout) -> None:
    system = {"etc/os-release": b"ID=alpine\nVERSION_ID=3.20.1\n", "lib/apk/db/installed": APK.encode()}
    assert purls(bill(layout, system)) == ["pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1"]


def test_a_later_layer_hides_what_was_there(layout: Layout) -> None:
    newer = {f"{SITE}/old-2.dist-info/METADATA": b"Name: old\nVersion: 2.1\n"}
    gone = {f"{SITE}/.wh.Foo_Bar-1.0.dist-info": b""}
    assert purls(bill(layout, PACKAGES, newer, gone)) == [
        "pkg:npm/%40scope/pkg@1.2.3", "pkg:npm/plain@0.1.0", "pkg:pypi/free@3%2Blocal.1", "pkg:pypi/old@2.1",
    ]  # fmt: skip
    opaque = {f"{SITE}/.wh..wh..opq": b"", f"{SITE}/new-1.dist-info/METADATA": b"Name: new\nVersion: 1\n"}
    assert [each for each in purls(bill(layout, PACKAGES, opaque)) if "pypi" in each] == ["pkg:pypi/new@1"]


def test_the_same_image_has_the_same_bill_and_another_has_another(layout: Layout, tmp_path: Path) -> None:
    one = bill(layout, BASE, PACKAGES)
    assert one == bill(Layout.create(tmp_path / "second"), BASE, PACKAGES)
    other = bill(layout, PACKAGES)
    assert one["serialNumber"] != other["serialNumber"]
    assert "timestamp" not in json.dumps(one)


def test_each_platform_has_its_bill_with_its_image_as_subject(layout: Layout) -> None:
    images = [put_image(layout, tar_of(PACKAGES), architecture=arch, name="") for arch in ("amd64", "arm64")]
    entries = [
        about(each, platform={"os": "linux", "architecture": arch})
        for each, arch in zip(images, ("amd64", "arm64"), strict=True)
    ]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    index = layout.put(json.dumps(document).encode(), OCI_INDEX)
    made = [decode(layout.read(each), Manifest, "it") for each in attach_bills(layout, index, NAME)]
    assert [each.subject.digest for each in made if each.subject] == [each.digest for each in images]
    assert {each.artifact_type for each in made} == {KIND}
    subjects = [json.loads(layout.read(each.layers[0]))["metadata"]["component"] for each in made]
    assert [each["properties"][0]["value"] for each in subjects] == ["linux/amd64", "linux/arm64"]


def test_a_layer_that_cannot_be_read_is_named(layout: Layout) -> None:
    raw = tar_of({"a": b"1"})
    packed = layout.put(b"\x28\xb5\x2f\xfd", OCI_LAYER_ZSTD)
    config = layout.put(config_of(raw), OCI_CONFIG)
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": about(config), "layers": [about(packed)]}
    image = layout.put(json.dumps(document).encode(), OCI_MANIFEST)
    properties = json.loads(bill_of(layout, image, NAME))["metadata"]["component"]["properties"]
    assert {"name": "dayfly:unread-layer", "value": packed.digest} in properties


def test_a_damaged_layer_is_told(layout: Layout) -> None:
    image = put_image(layout, tar_of(PACKAGES))
    manifest = decode(layout.read(image), Manifest, "it")
    path = layout.path(manifest.layers[0])
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InvalidRequest, match="damaged"):
        bill_of(layout, image, NAME)


PATHS = [*BASE, *PACKAGES, "lib/apk/db/installed"]


@given(st.dictionaries(st.sampled_from(PATHS), st.binary(max_size=300)))
def test_any_content_is_read_or_left_out(files: dict[str, bytes]) -> None:
    for package in packages_in({path: (content, "sha256:x") for path, content in files.items()}):
        assert package.purl.startswith("pkg:")
        assert package.name
