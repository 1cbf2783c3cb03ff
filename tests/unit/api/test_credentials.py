"""Passwords and tokens: generated once, kept as a hash, refused when empty."""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from dayfly.api import admin_file
from dayfly.api.admin_file import AdminRecord, generate_password, load
from dayfly.api.credentials import Credentials
from dayfly.model.access import Principal
from dayfly.model.errors import ConfigError, DayflyError, LimitExceeded, Unauthenticated
from dayfly.model.names import parse_namespace

TOKEN = "k" * 43
PASSWORD = "not an easy one"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def verdict(credentials: Credentials, authorization: str, peer: str = "192.0.2.1") -> type[DayflyError] | None:
    try:
        principal(credentials, authorization, peer)
    except DayflyError as error:
        return type(error)
    return None


def principal(credentials: Credentials, authorization: str, peer: str = "192.0.2.1") -> Principal:
    return asyncio.run(credentials.verify(authorization, peer))


class OneToken:
    """Knows one token."""

    text = "dayfly_abcdefghijkl_" + "s" * 43
    principal = Principal("token abcdefghijkl", "view", parse_namespace("team"), "abcdefghijkl")

    def find(self, text: str) -> Principal | None:
        return self.principal if text == self.text else None


@pytest.fixture
def count_hashes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    hashes = []
    real = AdminRecord.matches

    def counted(record: AdminRecord, password: bytes) -> bool:
        hashes.append(password)
        return real(record, password)

    monkeypatch.setattr(AdminRecord, "matches", counted)
    return lambda: len(hashes)


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a hash take no time, for cases in which what it takes does not count."""
    monkeypatch.setattr(admin_file, "_SCRYPT_N", 16)


def test_the_first_start_generates_a_password_and_later_ones_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "credentials" / "admin.json"
    first = Credentials(path, TOKEN)
    assert first.generated is not None
    assert len(bytes.fromhex(first.generated)) == 32
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert first.generated not in path.read_text()
    before = path.read_bytes()
    second = Credentials(path, TOKEN)
    assert second.generated is None
    assert path.read_bytes() == before
    assert verdict(second, basic("admin", first.generated)) is None
    assert [entry.name for entry in path.parent.iterdir()] == ["admin.json"]


def test_generated_passwords_differ() -> None:
    assert len({generate_password() for _ in range(100)}) == 100


def test_a_verified_password_costs_no_further_hash(tmp_path: Path, count_hashes: Callable[[], int]) -> None:
    credentials = Credentials(tmp_path / "admin.json", TOKEN, password=PASSWORD)
    for _ in range(20):
        assert verdict(credentials, basic("admin", PASSWORD)) is None
    assert count_hashes() == 1
    for user, password in (("admin", PASSWORD + "x"), ("Admin", PASSWORD), ("", PASSWORD), ("admin", "")):
        assert verdict(credentials, basic(user, password)) is Unauthenticated
    assert count_hashes() == 5


def test_a_verified_password_gets_in_from_a_peer_that_must_wait(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "admin.json", TOKEN, password=PASSWORD)
    assert verdict(credentials, basic("admin", PASSWORD)) is None
    for _ in range(5):
        assert verdict(credentials, "Bearer wrong") is Unauthenticated
    assert verdict(credentials, basic("admin", "wrong")) is LimitExceeded
    assert verdict(credentials, basic("admin", PASSWORD)) is None
    assert verdict(credentials, f"Bearer {TOKEN}") is None


@pytest.mark.usefixtures("quick_hashes")
@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic ",
        "Basic !!!",
        "Basic YWRtaW4=",
        "Digest x",
        "Bearer x y",
        TOKEN,
        "Basic " + TOKEN,
        "Basic é",
        "Bearer é",
        "Basic " + "A" * 100_000,
    ],
)
def test_what_is_no_credential(tmp_path: Path, authorization: str) -> None:
    credentials = Credentials(tmp_path / "admin.json", TOKEN, password=PASSWORD)
    assert verdict(credentials, authorization) is Unauthenticated


def test_an_empty_bearer_token_is_not_a_failure(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "admin.json", TOKEN, password=PASSWORD)
    for _ in range(20):
        assert verdict(credentials, "Bearer ") is Unauthenticated
    assert verdict(credentials, basic("admin", PASSWORD)) is None


def test_whose_a_credential_is(tmp_path: Path, count_hashes: Callable[[], int]) -> None:
    credentials = Credentials(tmp_path / "admin.json", TOKEN, tokens=OneToken(), password=PASSWORD)
    assert principal(credentials, f"Bearer {TOKEN}") == Principal("local", "admin", None)
    assert principal(credentials, f"bearer {OneToken.text}") == OneToken.principal
    assert principal(credentials, basic("whoever", OneToken.text)) == OneToken.principal
    assert count_hashes() == 0
    assert principal(credentials, basic("admin", PASSWORD)) == Principal("admin", "admin", None)
    assert verdict(credentials, f"Bearer {OneToken.text}x") is Unauthenticated
    assert verdict(credentials, basic("admin", OneToken.text + "x")) is Unauthenticated


def test_many_guesses_at_once_do_not_pile_up(tmp_path: Path, count_hashes: Callable[[], int]) -> None:
    credentials = Credentials(tmp_path / "admin.json", TOKEN, password=PASSWORD)

    async def main() -> list[Principal | BaseException]:
        tries = (credentials.verify(basic("admin", f"guess {n}"), f"192.0.2.{n}") for n in range(50))
        return await asyncio.gather(*tries, return_exceptions=True)

    kinds = [type(result) for result in asyncio.run(main())]
    assert kinds.count(Unauthenticated) == count_hashes()
    assert count_hashes() < 12
    assert kinds.count(LimitExceeded) == 50 - count_hashes()


def test_a_password_of_the_operator_replaces_the_stored_one(tmp_path: Path) -> None:
    path = tmp_path / "admin.json"
    generated = Credentials(path, TOKEN).generated
    assert generated
    chosen = Credentials(path, TOKEN, password=PASSWORD)
    assert chosen.generated is None
    assert verdict(chosen, basic("admin", PASSWORD)) is None
    assert verdict(chosen, basic("admin", generated)) is Unauthenticated
    before = path.read_bytes()
    Credentials(path, TOKEN, password=PASSWORD)
    assert path.read_bytes() == before


@pytest.mark.parametrize("password", ["", "  ", "\n", "short"])
def test_an_empty_or_short_password_refuses_to_start(tmp_path: Path, password: str) -> None:
    with pytest.raises(ConfigError):
        Credentials(tmp_path / "admin.json", TOKEN, password=password)
    assert not (tmp_path / "admin.json").exists()


@pytest.mark.parametrize("token", ["", " " * 40, "short"])
def test_an_empty_token_refuses_to_start(tmp_path: Path, token: str) -> None:
    with pytest.raises(ConfigError):
        Credentials(tmp_path / "admin.json", token, password=PASSWORD)


@pytest.mark.usefixtures("quick_hashes")
@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"null",
        lambda _: b"\xff",
        lambda data: data[:-1],
        lambda data: msgspec.json.encode(
            msgspec.structs.replace(msgspec.json.decode(data, type=AdminRecord), hash=b"")
        ),
        lambda data: msgspec.json.encode(
            msgspec.structs.replace(msgspec.json.decode(data, type=AdminRecord), salt=b"")
        ),
        lambda data: msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(data, type=AdminRecord), user="")),
        lambda data: msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(data, type=AdminRecord), n=2)),
        lambda data: msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(data, type=AdminRecord), n=2**30)),
    ],
)
def test_a_damaged_record_refuses_to_start(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "admin.json"
    Credentials(path, TOKEN, password=PASSWORD)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ConfigError, match="empty or damaged"):
        Credentials(path, TOKEN)


@pytest.mark.usefixtures("quick_hashes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_record_open_to_others_refuses_to_start(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "admin.json"
    Credentials(path, TOKEN, password=PASSWORD)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="other accounts"):
        load(path)
