"""Where a registry is, whom it may be, and where it may send us."""

from pathlib import Path

import httpx2
import pytest
import trustme

from dayfly.model.errors import ConfigError, InvalidRequest
from dayfly.oci.reference import parse_reference
from dayfly.oci.registry.endpoint import Endpoint, endpoint_of, is_loopback, origin, target

OWN = httpx2.URL("https://images.example.com:5000")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"])
def test_this_machine_may_be_spoken_to_plainly(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["127.evil.example", "localhost.example", "192.168.1.2", "10.0.0.1", "images.example.com"]
)
def test_nobody_else_may(host: str) -> None:
    assert not is_loopback(host)
    assert not Endpoint(name="x", host=f"{host}:5000").may_be_plain
    assert Endpoint(name="x", host=f"{host}:5000", insecure=True).may_be_plain


def test_docker_hub_answers_under_another_name() -> None:
    endpoint = endpoint_of(parse_reference("python:3.12"), environ={"DAYFLY_CA_FILE": "/ca.pem"})
    assert (endpoint.name, endpoint.host, endpoint.ca_file) == ("docker.io", "registry-1.docker.io", "/ca.pem")


def test_a_file_that_holds_no_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    endpoint = Endpoint(name="x", host="x", ca_file=str(tmp_path / "ca.pem"))
    with pytest.raises(ConfigError, match=r"ca\.pem holds no certificates"):
        endpoint.trust()


def test_docker_s_certificates_of_a_registry_count(tmp_path: Path) -> None:
    folder = tmp_path / "images.example.com:5000"
    folder.mkdir()
    trustme.CA().cert_pem.write_to_path(folder / "ca.crt")
    with_it, other = (
        Endpoint(name="x", host=host, certificates=tmp_path).trust().cert_store_stats()["x509_ca"]
        for host in ("images.example.com:5000", "images.example.com")
    )
    assert with_it == other + 1


def test_only_the_registry_itself_goes_unchecked() -> None:
    endpoint = Endpoint(name="x", host="x", insecure=True)
    assert not endpoint.trust().check_hostname
    assert endpoint.trust(checked=True).check_hostname
    assert Endpoint(name="x", host="x").trust().check_hostname


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/v2/a?b=c", "https://images.example.com:5000/v2/a?b=c"),
        ("b", "https://images.example.com:5000/v2/b"),
        ("http://images.example.com/v2/a", "https://images.example.com:5000/v2/a"),
        ("http://images.example.com:5000/v2/a", "https://images.example.com:5000/v2/a"),
        ("https://storage.example.net/x?signature=1", "https://storage.example.net/x?signature=1"),
        ("https://me:pass@storage.example.net/x", "https://storage.example.net/x"),
    ],
)
def test_where_an_answer_sends_us(text: str, expected: str) -> None:
    assert str(target(text, OWN.join("/v2/a"), OWN)) == expected


@pytest.mark.parametrize("text", ["", "ftp://x/y", "file:///etc/passwd", "http://storage.example.net/x", "http://["])
def test_where_it_may_not_send_us(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"images\.example\.com sends us to"):
        target(text, OWN.join("/v2/a"), OWN)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin(httpx2.URL("https://A.example")) == origin(httpx2.URL("https://a.example:443/x"))
    for other in ("http://a.example", "https://a.example:444", "https://b.example"):
        assert origin(httpx2.URL(other)) != origin(httpx2.URL("https://a.example"))
