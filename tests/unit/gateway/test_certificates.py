"""Certificates by host, and new ones while connections are open."""

import asyncio
import logging
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from dayfly.gateway.certificates import Certificates
from dayfly.model.errors import ConfigError

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Play, Rig

AUTHORITY = trustme.CA()


def issue(cert: Path, key: Path, *names: str) -> None:
    """Write a fresh pair, in the way that does it at once."""
    made = AUTHORITY.issue_cert(*names)
    for path, pem in ((cert, made.cert_chain_pems[0]), (key, made.private_key_pem)):
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_name(f".{path.name}")
        pem.write_to_path(fresh)
        fresh.replace(path)


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    context.check_hostname = False
    return context


async def shown(port: int, name: str) -> set[str]:
    """Return the names in the certificate that a client is shown who asks for this one."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(), server_hostname=name)
    try:
        found = writer.get_extra_info("peercert")["subjectAltName"]
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() in (None, "http/1.1")
        return {value for _, value in found}
    finally:
        writer.transport.abort()


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    issue(tmp_path / "cert.pem", tmp_path / "key.pem", "faas.example.org")
    folder = tmp_path / "hosts"
    issue(folder / "a.example.org.pem", folder / "a.example.org.key", "a.example.org")
    issue(folder / "_.b.example.org.pem", folder / "_.b.example.org.key", "*.b.example.org")
    issue(folder / "c.example.org" / "fullchain.pem", folder / "c.example.org" / "privkey.pem", "c.example.org")
    return Certificates(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"), str(folder))


def test_each_host_has_its_own_and_all_others_the_one_for_all(play: "Play", made: Certificates) -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(tls=made.open())
        for name, names in (
            ("a.example.org", {"a.example.org"}), ("A.Example.Org", {"a.example.org"}),
            ("x.b.example.org", {"*.b.example.org"}), ("c.example.org", {"c.example.org"}),
            ("b.example.org", {"faas.example.org"}), ("x.y.b.example.org", {"faas.example.org"}),
            ("127.0.0.1", {"faas.example.org"}), ("nobody.example", {"faas.example.org"}),
        ):  # fmt: skip
            assert await shown(rig.port, name) == names, name

    play(scenario)


def test_new_ones_are_shown_to_new_clients_and_no_connection_is_dropped(
    play: "Play", made: Certificates, tmp_path: Path
) -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)), tls=made.open())
        async with rig.client(tls=trusting()) as client:
            assert (await client.ask("/function/f")).status == 200
            issue(tmp_path / "cert.pem", tmp_path / "key.pem", "new.example.org")
            issue(tmp_path / "hosts/d.example.org.pem", tmp_path / "hosts/d.example.org.key", "d.example.org")
            (tmp_path / "hosts/a.example.org.pem").unlink()
            made.refresh()
            assert await shown(rig.port, "a.example.org") == {"new.example.org"}
            assert await shown(rig.port, "d.example.org") == {"d.example.org"}
            assert (await client.ask("/function/f")).status == 200

    play(scenario)


def test_a_bad_pair_leaves_the_one_before_and_is_told_once(
    play: "Play", made: Certificates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[str]:
        found = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        caplog.clear()
        return found

    async def scenario(rig: "Rig") -> None:
        cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        await rig.serve(tls=made.open())
        other = AUTHORITY.issue_cert("new.example.org")
        for spoil in (
            lambda: other.private_key_pem.write_to_path(key), lambda: cert.write_text("no certificate"),
            lambda: cert.write_text(""), key.unlink, cert.unlink,
        ):  # fmt: skip
            spoil()
            made.refresh()
            made.refresh()
            (line,) = told()
            assert "the one before stays in use" in line
            assert str(cert) in line
            assert await shown(rig.port, "faas.example.org") == {"faas.example.org"}
        bad = tmp_path / "hosts/bad.example.org.pem"
        bad.write_text("no certificate")
        bad.with_suffix(".key").write_text("no key")
        other.private_key_pem.write_to_path(key)
        other.cert_chain_pems[0].write_to_path(cert)
        made.refresh()
        (line,) = told()
        assert "bad.example.org.pem" in line
        assert "the one for all hosts is used" in line
        for name in ("faas.example.org", "bad.example.org"):
            assert await shown(rig.port, name) == {"new.example.org"}

    play(scenario)


def test_a_change_is_noticed_without_being_told(
    play: "Play", made: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dayfly.gateway.certificates.POLL_S", 0.001)

    async def scenario(rig: "Rig") -> None:
        await rig.serve(tls=made.open())
        watching = asyncio.create_task(made.watch())
        issue(tmp_path / "cert.pem", tmp_path / "key.pem", "new.example.org")
        while await shown(rig.port, "any.example.org") != {"new.example.org"}:
            assert not watching.done()
        watching.cancel()

    play(scenario)


def test_without_a_good_one_for_all_nothing_starts(tmp_path: Path) -> None:
    issue(tmp_path / "cert.pem", tmp_path / "key.pem", "a.example.org")
    issue(tmp_path / "other.pem", tmp_path / "other.key", "b.example.org")
    for cert, key in (("cert.pem", "other.key"), ("cert.pem", "none.pem"), ("key.pem", "key.pem")):
        with pytest.raises(ConfigError, match="cannot be used"):
            Certificates(str(tmp_path / cert), str(tmp_path / key)).open()


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    issue(tmp_path / "cert.pem", tmp_path / "key.pem", "a.example.org")
    lines = (tmp_path / "key.pem").read_text().splitlines()
    marked = [lines[0], "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC," + "0" * 32, "", *lines[1:]]
    (tmp_path / "key.pem").write_text("\n".join(marked) + "\n")
    with pytest.raises(ConfigError, match="without a password"):
        Certificates(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")).open()


def test_a_folder_that_is_away_is_an_empty_one(made: Certificates, tmp_path: Path) -> None:
    made.open()
    assert made.context_for("a.example.org") is not made.context_for(None)
    os.rename(tmp_path / "hosts", tmp_path / "away")
    made.refresh()
    assert made.context_for("a.example.org") is made.context_for(None)
    os.rename(tmp_path / "away", tmp_path / "hosts")
    made.refresh()
    assert made.context_for("a.example.org") is not made.context_for(None)
