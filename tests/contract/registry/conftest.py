"""Registries that the tests share: each is started once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.registry.real import RealRegistry, why_none
from tests.contract.registry.token_server import TokenServer


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies of whoever runs the tests are no part of them."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def open_registry() -> Iterator[RealRegistry]:
    """A registry that lets everybody in."""
    if why := why_none():
        pytest.skip(why)
    made = RealRegistry()
    yield made
    made.close()


@pytest.fixture(scope="session")
def closed_registry() -> Iterator[RealRegistry]:
    """A registry that wants a password."""
    if why := why_none():
        pytest.skip(why)
    made = RealRegistry.with_passwords()
    yield made
    made.close()


@pytest.fixture(scope="session")
def token_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    """Who gives tokens for the registry that wants them."""
    made = TokenServer(tmp_path_factory.mktemp("tokens"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def token_registry(token_server: TokenServer) -> Iterator[RealRegistry]:
    """A registry that wants tokens."""
    if why := why_none():
        pytest.skip(why)
    made = RealRegistry(auth=token_server.settings)
    yield made
    made.close()


@pytest.fixture
def no_logins(tmp_path: Path) -> dict[str, str]:
    """An environment in which nobody has logged in anywhere."""
    return {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
