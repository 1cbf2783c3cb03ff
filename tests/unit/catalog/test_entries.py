"""What the store says of its functions, their bundles, and the images that they stand in for."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.build.extract import extract
from dayfly.catalog.bundles import bundle_of
from dayfly.catalog.entries import all_entries, find_entry, folder_of, get_entry, icon_of
from dayfly.catalog.images import entry_for, repository_of
from dayfly.model.errors import NotFound
from dayfly.model.names import parse_bundle_digest, parse_function_name

ENTRIES = {entry.name: entry for entry in all_entries()}


def test_there_is_something_to_choose_from() -> None:
    assert len(ENTRIES) >= 20


@pytest.mark.parametrize("name", ENTRIES)
def test_every_function_is_described_and_drawn(name: str) -> None:
    entry = ENTRIES[name]
    assert parse_function_name(name) == name
    assert entry.title
    assert entry.description.endswith(".")
    assert icon_of(entry).startswith(b"<svg")
    assert bool(entry.needs) == (folder_of(entry) / "requirements.txt").is_file()
    assert (entry.runtime == "python") == (folder_of(entry) / "handler.py").is_file()
    assert bool(entry.process) == (entry.runtime == "exec")


def test_no_two_functions_share_a_name_or_an_image() -> None:
    names = [name for entry in ENTRIES.values() for name in (entry.name, *entry.aliases)]
    images = [image for entry in ENTRIES.values() for image in entry.images]
    assert len(names) == len(set(names))
    assert len(images) == len(set(images))


def test_a_function_is_found_by_name_alias_and_title() -> None:
    assert find_entry("alpine") is find_entry("cat") is find_entry("ECHO")
    with pytest.raises(NotFound, match="no function 'cobol'"):
        get_entry("cobol")


@pytest.mark.parametrize("name", ENTRIES)
def test_a_bundle_holds_the_code_and_nothing_about_it(name: str, tmp_path: Path) -> None:
    data, digest = bundle_of(ENTRIES[name])
    assert parse_bundle_digest(digest)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as tar:
        assert {member.mtime for member in tar} <= {0}
        assert set(tar.getnames()) <= {"handler.py", "requirements.txt"}
    extract(io.BytesIO(data), tmp_path / "code", shared=False)
    assert (tmp_path / "code").is_dir()


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("ghcr.io/openfaas/figlet:latest", "figlet"),
        ("functions/figlet", "figlet"),
        ("docker.io/functions/figlet@sha256:" + "a" * 64, "figlet"),
        ("registry:5000/openfaas/figlet:1.2@sha256:" + "a" * 64, "figlet"),
        ("functions/alpine:latest", "cat"),
        ("docker.io/functions/alpine:latest", "cat"),
        ("theaxer/redirector:latest", "redirector"),
    ],
)
def test_well_known_images_mean_functions_of_ours(image: str, name: str) -> None:
    assert entry_for(image) is ENTRIES[name]


@pytest.mark.parametrize("image", ["figlet", "evil/openfaas/figlet", "openfaas/figlet-extra", "", "ghcr.io/", "@", ":"])
def test_other_images_mean_nothing_of_ours(image: str) -> None:
    assert entry_for(image) is None


@given(st.sampled_from(["", "ghcr.io/", "localhost/", "reg.example:5000/"]), st.sampled_from(["", ":latest", ":1"]))
def test_registry_and_tag_do_not_matter(registry: str, tag: str) -> None:
    assert repository_of(f"{registry}openfaas/figlet{tag}") == "openfaas/figlet"


@given(st.text(max_size=60))
def test_any_text_is_read_without_a_fault(image: str) -> None:
    assert isinstance(repository_of(image), str)
