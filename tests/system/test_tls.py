"""HTTPS: with a certificate the gateway speaks TLS and nothing else, on loopback and beyond."""

import http.client
import json
import socket
import ssl
import urllib.request
from pathlib import Path

import pytest
import trustme
from tests.system.driver import DEADLINE_S, Platform, eventually

ECHO = "def handle(event, context):\n    return event.body\n"


@pytest.fixture
def certificate(scratch: Path) -> tuple[Path, Path, Path]:
    """A certificate for 127.0.0.1, its key, and the authority that signed it."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    paths = scratch / "cert.pem", scratch / "key.pem", scratch / "ca.pem"
    issued.cert_chain_pems[0].write_to_path(paths[0])
    issued.private_key_pem.write_to_path(paths[1])
    authority.cert_pem.write_to_path(paths[2])
    return paths


def test_functions_and_the_command_line_work_over_tls(
    platform: Platform, scratch: Path, certificate: tuple[Path, Path, Path]
) -> None:
    cert, key, ca = certificate
    secured = Platform(platform.data_dir, {"DAYFLY_CA_FILE": str(ca)})
    secured.start("--tls-cert", str(cert), "--tls-key", str(key))
    url = secured.status()["gateway_url"]
    assert url.startswith("https://127.0.0.1:")
    secured.deploy_function(scratch / "echo", ECHO)
    assert secured.ok("invoke", "echo", stdin="over TLS") == "over TLS"
    trusting = ssl.create_default_context(cafile=ca)
    with urllib.request.urlopen(f"{url}/function/echo", data=b"x", context=trusting) as answer:
        assert (answer.status, answer.read()) == (200, b"x")
    assert json.loads(secured.ok("describe", "echo", "--output", "json"))["url"].startswith("https://")


def test_a_certificate_that_is_not_trusted_is_explained(
    platform: Platform, certificate: tuple[Path, Path, Path]
) -> None:
    cert, key, _ = certificate
    platform.start("--tls-cert", str(cert), "--tls-key", str(key))
    done = platform.run("list")
    assert done.code != 0
    assert "not trusted" in done.err
    assert "DAYFLY_CA_FILE" in done.err


def test_a_key_that_does_not_belong_to_the_certificate_stops_the_start(
    platform: Platform, scratch: Path, certificate: tuple[Path, Path, Path]
) -> None:
    other = trustme.CA().issue_cert("127.0.0.1")
    wrong = scratch / "wrong.pem"
    other.private_key_pem.write_to_path(wrong)
    done = platform.run("start", "--detach", "--port", "0", "--tls-cert", str(certificate[0]), "--tls-key", str(wrong))
    assert done.code == 78
    assert "certificate" in done.err


def test_new_certificates_are_taken_in_while_calls_go_on(
    platform: Platform, scratch: Path, certificate: tuple[Path, Path, Path]
) -> None:
    cert, key, ca = certificate
    folder = scratch / "hosts"
    folder.mkdir()
    secured = Platform(platform.data_dir, {"DAYFLY_CA_FILE": str(ca)})
    secured.start("--tls-cert", str(cert), "--tls-key", str(key), "--tls-folder", str(folder), "--gateways", "2")
    port = int(secured.status()["gateway_url"].rpartition(":")[2])
    authority = trustme.CA()
    authority.cert_pem.write_to_path(scratch / "new-ca.pem")
    trusting = ssl.create_default_context(cafile=ca)
    renewed = ssl.create_default_context(cafile=scratch / "new-ca.pem")

    def is_shown(name: str, context: ssl.SSLContext) -> bool:
        try:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as plain,
                context.wrap_socket(plain, server_hostname=name),
            ):
                return True
        except ssl.SSLError:
            return False

    kept = http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=DEADLINE_S)

    def ask() -> int:
        kept.request("GET", "/healthz")
        answer = kept.getresponse()
        answer.read()
        return answer.status

    assert ask() == 200
    issued = authority.issue_cert("api.example.org")
    issued.private_key_pem.write_to_path(folder / "api.example.org.key")
    issued.cert_chain_pems[0].write_to_path(folder / "api.example.org.pem")
    eventually("both gateways show it", lambda: all(is_shown("api.example.org", renewed) for _ in range(10)))
    assert is_shown("127.0.0.1", trusting)
    cert.write_text("no certificate")
    eventually("it is said that the new one is no good", lambda: "the one before stays in use" in secured.log())
    assert is_shown("127.0.0.1", trusting)
    fresh = authority.issue_cert("127.0.0.1")
    fresh.private_key_pem.write_to_path(key)
    fresh.cert_chain_pems[0].write_to_path(cert)
    eventually("both gateways show the new one", lambda: all(is_shown("127.0.0.1", renewed) for _ in range(10)))
    assert ask() == 200
    kept.close()
