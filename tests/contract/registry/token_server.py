"""A token server for the tests' registry: Docker's token protocol, with tokens that are signed for real.

It knows one user, who may do anything; nobody else may pull from `public/` alone. It counts what it was asked.
"""

import base64
import http.server
import json
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.contract.registry.real import PASSWORD, USER

SERVICE, ISSUER = "registry of tests", "token server of tests"
IDENTITY = "identity-token-of-tests"


class TokenServer:
    """Serves on a port of its own, in a thread, until it is closed."""

    def __init__(self, folder: Path, *, life_s: int = 300) -> None:
        self.certificates = folder / "issuer.pem"
        self.life_s = life_s
        self.asked: list[tuple[str, list[str]]] = []
        """Method and scopes of each request."""
        self._key, certificate = _issuer()
        self.certificates.write_bytes(certificate)
        # The registry finds the key by the certificate's own, in the header.
        self._header = {"alg": "ES256", "typ": "JWT", "x5c": [_der(certificate)]}
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlparse(self.path).query)
                user = _basic(self.headers.get("Authorization", ""))
                server.answer(self, "GET", query.get("scope", []), user)

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                user = (USER, PASSWORD) if form.get("refresh_token") == [IDENTITY] else ("", "wrong")
                server.answer(self, "POST", form.get("scope", [""])[0].split(), user)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def settings(self) -> dict[str, Any]:
        """What the registry's configuration says of it."""
        realm = f"http://127.0.0.1:{self._server.server_port}/token"
        return {
            "token": {
                "realm": realm,
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(self.certificates),
            }
        }

    def answer(
        self, handler: http.server.BaseHTTPRequestHandler, method: str, scopes: list[str], user: tuple[str, str]
    ) -> None:
        """Answer one request."""
        self.asked.append((method, scopes))
        known = user == (USER, PASSWORD)
        status = 200 if known or user == ("", "") else 401
        body = json.dumps({"token": self._token(scopes, known), "expires_in": self.life_s} if status == 200 else {})
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body.encode())

    def _token(self, scopes: list[str], known: bool) -> str:
        access = []
        for each in scopes:
            kind, name, actions = each.split(":")
            granted = actions.split(",") if known else ["pull"] if name.startswith("public/") else []
            access.append({"type": kind, "name": name, "actions": granted})
        now = int(time.time())
        claims = {
            "iss": ISSUER, "aud": SERVICE, "sub": USER if known else "", "exp": now + self.life_s,
            "nbf": now - 10, "iat": now, "jti": secrets.token_hex(8), "access": access,
        }  # fmt: skip
        return jwt.encode(self._header, claims, self._key)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _issuer() -> tuple[ECKey, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ISSUER)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ECKey.import_key(pem), certificate.public_bytes(serialization.Encoding.PEM)


def _der(pem: bytes) -> str:
    certificate = x509.load_pem_x509_certificate(pem)
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


def _basic(header: str) -> tuple[str, str]:
    if not header.startswith("Basic "):
        return "", ""
    user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return user, password
