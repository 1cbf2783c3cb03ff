"""package.json and its lock: what is taken is written anew in one spelling, the rest refused by its name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.build.package_lock import parse_lock, parse_packages
from dayfly.model.errors import BuildFailed

HASH = "sha512-" + "A" * 86 + "=="


def locked(**entry: Any) -> bytes:
    """Return a lock with one package, `a`."""
    settled = {"version": "1.0.0", "integrity": HASH} | entry
    whole = {"lockfileVersion": 3, "packages": {"": {"dependencies": {"a": "^1.0.0"}}, "node_modules/a": settled}}
    return json.dumps(whole).encode()


def manifest(**fields: Any) -> bytes:
    """Return a package.json."""
    return json.dumps({"dependencies": {"a": "^1.0.0"}} | fields).encode()


def test_the_same_wishes_have_the_same_text() -> None:
    one = parse_packages(manifest(), locked(license="MIT", resolved="https://one.example/a/-/a-1.0.0.tgz"))
    two = parse_packages(
        manifest(scripts={"test": "x"}, devDependencies={"b": "git+ssh://x"}, description="x", main="x.js"),
        locked(funding="x", resolved="https://two.example/other/way.tgz"),
    )
    assert one == two
    assert "example" not in one.text
    assert parse_packages(manifest(), locked(version="1.0.1")).text != one.text
    assert parse_packages(manifest(dependencies={"a": "^1.0.1"}), None).text != one.text


def test_packages_for_development_alone_do_not_count() -> None:
    whole = json.loads(locked())
    plain = parse_lock(json.dumps(whole).encode(), ())
    whole["packages"][""]["devDependencies"] = {"b": "1"}
    whole["packages"]["node_modules/b"] = {"version": "1.0.0", "dev": True, "resolved": "git+ssh://x", "link": True}
    assert parse_lock(json.dumps(whole).encode(), ()) == plain


@pytest.mark.parametrize("fields", [{}, {"dependencies": {}}, {"devDependencies": {"a": "1"}}, {"type": "module"}])
def test_nothing_asked_for_is_nothing_wanted(fields: dict[str, Any]) -> None:
    assert not parse_packages(json.dumps(fields).encode(), b"whatever").wanted


@pytest.mark.parametrize(
    "wish",
    ["1.2.3", "^1.2.3", "~1", "1.x", "*", "", "latest", ">=1.2.3 <2 || 3.0.0-beta.1", "npm:other@^1", "npm:@s/x@1"],
)
def test_a_package_by_name_and_version_is_taken(wish: str) -> None:
    for what in ("dependencies", "optionalDependencies", "peerDependencies"):
        assert parse_packages(manifest(**{what: {"@scope/some.name": wish}}), None).wanted


ELSEWHERE = {
    "git+https://example.org/x.git": "URL or a repository",
    "git@github.com:some/one.git": "URL or a repository",
    "github:some/one": "URL or a repository",
    "some/one#main": "URL or a repository",
    "https://example.org/x.tgz": "URL or a repository",
    "npm:x@https://example.org/x.tgz": "URL or a repository",
    "file:../x": "from a path",
    "link:../x": "from a path",
    "../x": "from a path",
    "/etc/x.tgz": "from a path",
    "workspace:*": "workspaces",
    "1.0.0; rm": "write for example",
    "$(id)": "write for example",
}


@pytest.mark.parametrize("wish", ELSEWHERE)
def test_what_points_elsewhere_is_refused_by_its_name(wish: str) -> None:
    told = ELSEWHERE[wish]
    for fields in ({"dependencies": {"odd": wish}}, {"overrides": {"b": {"odd": wish}}}):
        with pytest.raises(BuildFailed, match=rf"^package.json: .*odd.* is not taken: .*{told}"):
            parse_packages(manifest(**fields), None)
    with pytest.raises(BuildFailed, match=rf"package-lock.json: node_modules/a: dependencies: odd.*{told}"):
        parse_packages(manifest(), locked(dependencies={"odd": wish}))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "git": ({"resolved": "git+ssh://git@example.org/x.git#abc"}, "a repository"),
    "a tarball of this machine": ({"resolved": "file:../x.tgz"}, "from a path"),
    "a link": ({"link": True, "resolved": "lib"}, "link to a folder"),
    "a script": ({"hasInstallScript": True}, '"withoutScripts": \\["a"\\]'),
    "no integrity": ({"integrity": None}, "no integrity"),
    "an odd integrity": ({"integrity": "md5-AAAA"}, "no integrity"),
    "no version": ({"version": "git+ssh://x"}, "no version of the registry"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_lock_may_not_hold_is_refused_by_its_place(what: str) -> None:
    entry, told = REFUSED[what]
    with pytest.raises(BuildFailed, match=f"package-lock.json: node_modules/a .*{told}"):
        parse_packages(manifest(), locked(**entry))


@pytest.mark.parametrize(
    "place", ["lib", "../a", "node_modules/../a", "/node_modules/a", "node_modules/a/b", "packages/x"]
)
def test_a_place_outside_of_the_modules_is_refused(place: str) -> None:
    whole = json.loads(locked())
    whole["packages"][place] = whole["packages"]["node_modules/a"]
    with pytest.raises(BuildFailed, match="only packages below node_modules"):
        parse_lock(json.dumps(whole).encode(), ())


def test_scripts_that_a_package_does_without_are_passed_over() -> None:
    script = locked(hasInstallScript=True)
    assert parse_packages(manifest(dayfly={"withoutScripts": ["a"]}), script).lock
    assert parse_packages(manifest(), locked(hasInstallScript=True, optional=True, os=["darwin"])).lock
    with pytest.raises(BuildFailed, match="must be a list"):
        parse_packages(manifest(dayfly={"withoutScripts": "a"}), script)


@pytest.mark.parametrize("wishes", [{"a": "^2.0.0"}, {"a": "^1.0.0", "b": "1"}, {"b": "1"}])
def test_a_lock_of_other_wishes_is_refused(wishes: dict[str, str]) -> None:
    with pytest.raises(BuildFailed, match=r"does not fit package.json: dependencies: [ab]; `npm install"):
        parse_packages(manifest(dependencies=wishes), locked())


@pytest.mark.parametrize("name", ["preinstall", "install", "postinstall"])
def test_the_functions_own_scripts_are_refused(name: str) -> None:
    with pytest.raises(BuildFailed, match=rf"package.json: scripts.{name} is not taken"):
        parse_packages(manifest(scripts={name: "make"}), None)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "must hold an object"),
        (b"\xff", "is not JSON"),
        (b'{"dependencies": []}', "dependencies must be an object"),
        (b'{"dependencies": {"a": 1}}', "not the name of a package with a version"),
        (b'{"dependencies": {"../a": "1"}}', "not the name of a package with a version"),
        (b'{"workspaces": ["x"]}', "workspaces are not taken"),
        (b" " * (9 << 20), "larger than 8 MiB"),
    ],
)
def test_a_file_that_is_none_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(BuildFailed, match=f"^package.json.*{told}"):
        parse_packages(data, None)


@pytest.mark.parametrize("version", [1, None, "3"])
def test_a_lock_of_another_kind_is_refused_with_the_way_out(version: Any) -> None:
    old = json.loads(locked()) | {"lockfileVersion": version}
    with pytest.raises(BuildFailed, match="npm install --package-lock-only"):
        parse_packages(manifest(), json.dumps(old).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(["*", "node_modules/a"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["", "packages", "lockfileVersion", "dependencies", "node_modules/a", "version", "integrity", "overrides",
             "scripts", "dayfly", "withoutScripts", "optional", "link", "resolved"]
        ) | st.text(max_size=6), inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON, JSON)
def test_whatever_is_written_is_taken_or_refused(root: Any, lock: Any) -> None:
    if isinstance(lock, dict):
        lock |= {"lockfileVersion": 3}
    try:
        found = parse_packages(json.dumps(root).encode(), json.dumps(lock).encode())
    except BuildFailed:
        return
    assert found == parse_packages(json.dumps(root).encode(), json.dumps(lock).encode())
