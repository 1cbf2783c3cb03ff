"""Credentials are found by kind, file and line, in archives too; what stands for one is not taken for one."""

import bz2
import gzip
import io
import itertools
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.oci.positives import POSITIVES, WORD, Positive, some

import dayfly
from dayfly.model.errors import InvalidRequest, InvalidSpec
from dayfly.oci.nested import DEEPEST, Budget
from dayfly.oci.rules import BY_NAME, EXACT, RULES
from dayfly.oci.scan import Allowance, Finding, Scan, allowances_in, label_of

TOKEN = "gh" + "p_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R"
KEY = b"-----BEGIN PRIV" + b"ATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n"


def found(content: bytes | str, path: str = "a.txt", **limits: int) -> list[Finding]:
    """Return what is found in a file."""
    scan = Scan(Budget(**limits))
    scan.file(path, content.encode() if isinstance(content, str) else content)
    return scan.findings


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    """Return files as an archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    """Return files as a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_every_rule_has_something_that_it_finds() -> None:
    assert {each.rule for each in POSITIVES} == set(BY_NAME)


@pytest.mark.parametrize("positive", POSITIVES, ids=lambda each: each.rule)
@settings(max_examples=15)
@given(data=st.data(), before=st.lists(st.text("abc =#\t", max_size=30), max_size=5))
def test_a_credential_is_found_wherever_it_stands(positive: Positive, data: st.DataObject, before: list[str]) -> None:
    text = data.draw(positive.text)
    content = "".join(f"{line}\n" for line in before) + text + "\n"
    lines = {each.line for each in found(content, f"folder/{positive.file}") if each.rule == positive.rule}
    first = len(before) + 1
    assert lines <= set(range(first, first + text.count("\n") + 1))
    assert lines


@given(some(WORD, 8))
def test_a_finding_never_tells_the_credential(body: str) -> None:
    scan = Scan()
    scan.file("a.py", (TOKEN[:-8] + body).encode())
    with pytest.raises(InvalidRequest) as caught:
        scan.refuse()
    assert body not in f"{caught.value.message}{caught.value.hint}{scan.findings}"
    assert "a.py:1: a token of GitHub (github-token)" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "gh" + "p_" + "x" * 36,
        "AK" + "IAIOSFODNN7EXAMPLE",
        'password = "changeme-changeme-1234"',
        'api_key = "${API_KEY_FROM_SOMEWHERE_1}"',
        'token = "your-token-goes-here-12345678"',
        'secret_name = "projects-k8s-v2-settings"',
        'content_key = "application/vnd.oci.image.v1"',
        'key = "a9f3c0d4e5b6a7f8c9d0e1f2"',
        "postgres://user:password@host/db",
        "http://user:pass@example.com",
        "https://localhost:8080/a@b",
        "redis://app:s3cr3t-pw@localhost:6379",
        "prefix" + TOKEN,
        TOKEN + "morethanthatX" * 30,
        "-----BEGIN PRIV" + "ATE KEY-----",
        "password: str = ''",
    ],
)
def test_what_stands_for_a_credential_is_none(text: str) -> None:
    assert found(text, "a.py") == []


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (".env.example", "DB_PASSWORD=abc123"),
        (".env", "DB_PASSWORD=\nTOKEN=${TOKEN}\nNAME=value-of-something"),
        ("code.py", "DB_PASSWORD=abc123"),
        ("site-packages/x/docs.py", 'client_secret = "9aF3kQ82Lm5Xc7Vb1Nz4Tg6Yh0Ju"'),
    ],
)
def test_a_rule_counts_where_it_means_something(path: str, content: str) -> None:
    assert found(content, path) == []


def test_a_form_counts_in_packages_too() -> None:
    assert [each.rule for each in found(TOKEN, "site-packages/x/settings.py")] == ["github-token"]


def test_the_platform_and_its_store_hold_no_credential() -> None:
    scan = Scan()
    scan.folder(Path(dayfly.__file__).parent)
    assert scan.findings == []
    assert scan.unread == []


def test_no_key_hides_another() -> None:
    assert [(one, two) for one, two in itertools.permutations(EXACT, 2) if one in two] == []
    assert all(key == key.lower() for rule in RULES if rule.folded for key in rule.keys)


@pytest.mark.parametrize("at", [0, 1, 1_048_570, 1_048_576, 1_048_577, 3_000_000])
@pytest.mark.parametrize("fill", [b"\n", b"\0"])
def test_what_lies_across_the_edge_of_a_window_is_found_once(at: int, fill: bytes) -> None:
    content = fill * at + b" " + TOKEN.encode() + b"\n" + fill * 1_100_000
    assert found(content) == [Finding("a.txt", at + 1 if fill == b"\n" else 1, "github-token")]


ARCHIVES: dict[str, Callable[[bytes], tuple[bytes, str]]] = {
    "tar": lambda content: (tarred({"b/c.txt": content}), "a!b/c.txt"),
    "tar.gz": lambda content: (tarred({"b/c.txt": content}, "w:gz"), "a!b/c.txt"),
    "tar.bz2": lambda content: (tarred({"b/c.txt": content}, "w:bz2"), "a!b/c.txt"),
    "tar.xz": lambda content: (tarred({"b/c.txt": content}, "w:xz"), "a!b/c.txt"),
    "zip": lambda content: (zipped({"b/c.txt": content}), "a!b/c.txt"),
    "gz": lambda content: (gzip.compress(content), "a"),
    "bz2": lambda content: (bz2.compress(content), "a"),
    "xz": lambda content: (lzma.compress(content), "a"),
    "zip in a tar": lambda content: (tarred({"in.zip": zipped({"c": content})}), "a!in.zip!c"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_are_looked_into(kind: str) -> None:
    data, path = ARCHIVES[kind](b"one\n" + TOKEN.encode())
    assert found(data, "a") == [Finding(path, 2, "github-token")]


@pytest.mark.parametrize("kind", ARCHIVES)
@settings(max_examples=15)
@given(cut=st.integers(1, 400), flip=st.integers(0, 10_000))
def test_a_damaged_archive_is_told_and_harms_nothing(kind: str, cut: int, flip: int) -> None:
    data = bytearray(ARCHIVES[kind](TOKEN.encode())[0])
    data[flip % len(data)] ^= 0x55
    scan = Scan()
    scan.file("a", bytes(data[:-cut]))
    scan.file("b", bytes(data))
    assert len(scan.unread) <= 4


def test_archives_are_opened_so_deep_and_no_deeper() -> None:
    content = TOKEN.encode()
    for _ in range(DEEPEST):
        content = zipped({"a": content})
    assert [each.path for each in found(content, "x")] == ["x" + "!a" * DEEPEST]
    scan = Scan()
    scan.file("x", zipped({"a": content}))
    assert scan.findings == []
    assert scan.unread == [f"x{'!a' * DEEPEST}: archives are too deep in one another"]


def test_a_bomb_is_left_when_the_budget_is_spent() -> None:
    scan = Scan(Budget(unpacked_bytes=1_000_000))
    scan.file("bomb.zip", zipped({"zeros": bytes(50_000_000)}))
    scan.file("many.tar", tarred({str(number): b"" for number in range(10)}))
    assert scan.unread[0] == "bomb.zip: the archives hold more than is looked into"
    few = Scan(Budget(entries=5))
    few.file("many.tar", tarred({str(number): b"" for number in range(10)}))
    assert few.unread == ["many.tar: the archives hold more than is looked into"]


def test_what_cannot_be_opened_is_told() -> None:
    scan = Scan()
    scan.file("a.zst", b"\x28\xb5\x2f\xfd" + TOKEN.encode())
    assert scan.unread == ["a.zst: an archive of a kind that is not opened"]
    assert len(scan.findings) == 0 or scan.findings[0].path == "a.zst"


def test_build_arguments_are_looked_at() -> None:
    scan = Scan()
    scan.arguments({"PYTHON_VERSION": "3.12", "NPM_TOKEN": "abc123", "URL": f"https://x/{TOKEN}", "KEY_NAME": ""})
    assert [(each.path, each.rule) for each in scan.findings] == [
        ("build-arg/NPM_TOKEN", "env-file"),
        ("build-arg/URL", "github-token"),
    ]


def test_what_is_allowed_is_told_and_the_rest_refused() -> None:
    scan = Scan()
    scan.file("tests/key.pem", KEY)
    scan.file("a b/x.py", TOKEN.encode())
    pem, unused = Allowance.parse("private-key:tests/*"), Allowance.parse("npm-token:tests/*")
    with pytest.raises(InvalidRequest, match=r"^[^;]*a b/x\.py:1: a token of GitHub \(github-token\)\.$"):
        scan.refuse([pem, unused])
    both = scan.refuse([pem, Allowance.parse("github-token:a b/x.py"), unused])
    assert label_of(both) == "github-token:a%20b/x.py private-key:tests/*"
    assert allowances_in(label_of(both)) == tuple(both)


def test_an_allowance_for_another_rule_or_path_allows_nothing() -> None:
    scan = Scan()
    scan.file("tests/key.pem", KEY)
    for text in ("npm-token:tests/key.pem", "private-key:ey.pem", "private-key:other/*", "private-key:tests"):
        with pytest.raises(InvalidRequest, match="private-key"):
            scan.refuse([Allowance.parse(text)])


@pytest.mark.parametrize("text", ["", "x:y", "private-key", "private-key:", "private-key:a\nb"])
def test_an_allowance_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="--allow-secret"):
        Allowance.parse(text)


def test_a_folder_is_looked_through_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.py").write_text(TOKEN)
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "out").write_text(TOKEN)
    scan = Scan()
    scan.folder(tmp_path / "in")
    assert [each.path for each in scan.findings] == ["a.py"]


def test_there_is_an_end_to_what_is_told() -> None:
    assert len(found((TOKEN + "\n") * 1000)) == 100
