"""A certificate authority of one's own and one certificate by it, for two of our processes that talk over a network.

The authority's key is thrown away: what trusts it trusts this one certificate and no other.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SKEW = timedelta(hours=1)
_DAYS = 365


class Certificate(msgspec.Struct, frozen=True):
    """All three as PEM."""

    ca: bytes
    cert: bytes
    key: bytes


def make_certificate(hosts: Sequence[str], *, years: int) -> Certificate:
    """Return a certificate for these names, good from an hour ago for so many years."""
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("dayfly")
    ca = _builder(issuer, issuer, authority.public_key(), years)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = ca.add_extension(_usage(signs_certificates=True), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    ca = ca.add_extension(identifier, critical=False)
    leaf = _builder(_name(hosts[0]), issuer, own.public_key(), years)
    leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
    leaf = leaf.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    leaf = leaf.add_extension(_usage(signs_certificates=False), critical=True)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    known = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    leaf = leaf.add_extension(known, critical=False)
    return Certificate(
        ca=ca.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        cert=leaf.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        key=own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def expiry(pem: bytes) -> datetime:
    """Return until when a certificate is good. Raises ValueError when it is none."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc


def issued(pem: bytes) -> datetime:
    """Return since when a certificate is good. Raises ValueError when it is none."""
    return x509.load_pem_x509_certificate(pem).not_valid_before_utc


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, years: int
) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) - _SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=_DAYS * years))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
