"""The system's certificates are read once, and again when there are others."""

import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from dayfly.queue.trust import Trust


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with what the system trusts, and an empty folder beside it."""
    (tmp_path / "folder").mkdir()
    file = tmp_path / "certs.pem"
    trustme.CA(organization_name="first").cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "folder"))
    return file


def trusted(context: ssl.SSLContext) -> set[str]:
    told: list[dict[str, Any]] = list(context.get_ca_certs())
    return {dict(each[0] for each in cert["subject"])["organizationName"] for cert in told}


def test_a_context_is_made_once_for_the_same_certificates(system: Path) -> None:
    trust = Trust()
    first = trust.context()
    assert trusted(first) == {"first"}
    assert first.verify_mode is ssl.CERT_REQUIRED
    assert first.check_hostname
    assert trust.context() is first
    assert system.exists()


def test_another_file_is_taken_up(system: Path) -> None:
    trust = Trust()
    first = trust.context()
    other = system.with_suffix(".new")
    trustme.CA(organization_name="second").cert_pem.write_to_path(other)
    os.replace(other, system)
    assert trusted(trust.context()) == {"second"}
    (system.parent / "folder" / "a").touch()
    second = trust.context()
    assert second is not first
    os.utime(system.parent / "folder", (1, 1))
    assert trust.context() is not second, "as is another in the folder"


def test_whom_one_is_given_is_trusted_alone(system: Path) -> None:
    given = ssl.create_default_context(cafile=system)
    assert Trust(given).context() is given


def test_certificates_that_cannot_be_read_are_no_reason_to_trust_anybody(system: Path) -> None:
    system.unlink()
    assert trusted(Trust().context()) == set()
    system.write_text("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")
    assert Trust().context().verify_mode is ssl.CERT_REQUIRED
