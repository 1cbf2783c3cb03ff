"""Which gateway, and that no credential goes to another one."""

import os
from pathlib import Path

import msgspec
import pytest

from dayfly.client.credentials import Credential, CredentialFile
from dayfly.client.gateway import DEFAULT_URL, Target, choose_target, normalise_url
from dayfly.model.errors import InvalidRequest


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "DAYFLY_DATA_DIR": str(tmp_path / "data")}


def run_instance(tmp_path: Path, url: str, *, pid: int | None = None) -> None:
    folder = tmp_path / "data" / "run"
    folder.mkdir(parents=True)
    about = {"pid": pid or os.getpid(), "gateway_url": url}
    for name, content in (("instance.json", msgspec.json.encode(about)), ("token", b"local-token\n")):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("faas.example.org", "http://faas.example.org"),
        ("HTTPS://Faas.Example.ORG/", "https://faas.example.org"),
        ("https://faas.example.org:443//", "https://faas.example.org"),
        ("http://h:80", "http://h"),
        ("http://h/Base/", "http://h/Base"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("  http://h  ", "http://h"),
    ],
)
def test_urls_have_one_form(text: str, expected: str) -> None:
    assert normalise_url(text) == expected
    assert normalise_url(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ftp://h",
        "http://",
        "http://u:p@h",
        "http://u@h",
        "http://h:99999",
        "http://h?x",
        "http://h#x",
        "http://[::",
        "://",
    ],
)
def test_what_is_no_gateway_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        normalise_url(text)


def test_the_order_of_choice(environ: dict[str, str], tmp_path: Path) -> None:
    assert choose_target(environ=environ).url == DEFAULT_URL
    run_instance(tmp_path, "http://127.0.0.1:9000")
    assert choose_target(environ=environ).url == "http://127.0.0.1:9000"
    environ["OPENFAAS_URL"] = "http://openfaas"
    assert choose_target(environ=environ).url == "http://openfaas"
    environ["DAYFLY_URL"] = "http://dayfly"
    assert choose_target(environ=environ).url == "http://dayfly"
    assert choose_target(stack="http://localhost:8080/", environ=environ).url == "http://dayfly"
    assert choose_target(stack="http://stack", environ=environ).url == "http://stack"
    assert choose_target("http://given", stack="http://stack", environ=environ).url == "http://given"


def test_the_local_token_goes_to_its_own_instance_only(environ: dict[str, str], tmp_path: Path) -> None:
    run_instance(tmp_path, "http://127.0.0.1:9000")
    for url in ("", "http://127.0.0.1:9000", "http://localhost:9000/", "http://[::1]:9000"):
        credential = choose_target(url, environ=environ).credential
        assert credential is not None, url
        assert credential.authorization == "Bearer local-token"
    for url in (
        "http://127.0.0.1:9001",
        "http://example.org:9000",
        "https://127.0.0.1:9000",
        "http://127.0.0.1:9000/x",
    ):
        assert choose_target(url, environ=environ).credential is None, url


def test_an_instance_on_every_address_is_called_on_loopback(environ: dict[str, str], tmp_path: Path) -> None:
    run_instance(tmp_path, "http://0.0.0.0:9000")
    target = choose_target(environ=environ)
    assert target.url == "http://127.0.0.1:9000"
    assert target.credential is not None


def test_a_login_goes_to_its_own_gateway_only(environ: dict[str, str]) -> None:
    CredentialFile.default(environ).save("https://faas.example.org", "admin", "pw")
    assert choose_target("https://faas.example.org/", environ=environ).credential is not None
    for url in ("http://faas.example.org", "https://faas.example.org:8443", "https://example.org"):
        assert choose_target(url, environ=environ).credential is None, url


def test_a_login_says_which_namespace_is_meant(environ: dict[str, str]) -> None:
    url = "https://faas.example.org"
    CredentialFile.default(environ).save(url, "token", "pw", namespace="team-a")
    target = choose_target(url, environ=environ)
    assert (target.namespace(""), target.namespace("team-b")) == ("team-a", "team-b")
    assert [str(target.key(*name)) for name in (("f",), ("f.team-b",), ("f", "team-b"))] == [
        "f.team-a",
        "f.team-b",
        "f.team-b",
    ]
    assert target.with_own(None, "").own_namespace == "team-a"
    assert target.with_own(None, "team-c").own_namespace == "team-c"
    given = Credential.bearer("x")
    assert target.with_own(given, "") == Target(url, given), "what was kept is of the credential that was kept"
    assert choose_target("https://example.org", environ=environ).namespace("") == "openfaas-fn"


@pytest.mark.parametrize(
    ("url", "exposed"),
    [("http://h", True), ("https://h", False), ("http://127.0.0.1:1", False), ("http://localhost", False)],
)
def test_exposed_is_plain_http_to_elsewhere(url: str, exposed: bool) -> None:
    assert Target(url).is_exposed is exposed
