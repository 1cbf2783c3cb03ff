"""One platform for all behaviours that OpenFaaS's clients observe, and a client that speaks as they do.

Tests share it: each deploys functions under names of its own, and reads nothing that another could change.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.compat_openfaas.wire import PASSWORD, Wire
from tests.system.conftest import end
from tests.system.driver import Platform


@pytest.fixture(scope="session")
def openfaas() -> Iterator[Platform]:
    """The platform, for what must be looked at from its machine."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        environ = {
            "DAYFLY_ADMIN_PASSWORD": PASSWORD,
            "DAYFLY_CALLBACK_ALLOW": "127.0.0.1",
            "DAYFLY_SECRETS_KEY_FILE": str(folder / "keys" / "dayfly.key"),
        }
        platform = Platform(folder / "data", environ)
        try:
            platform.start()
            yield platform
        finally:
            end(platform)


@pytest.fixture(scope="session")
def wire(openfaas: Platform) -> Wire:
    """A client of it, logged in."""
    status = openfaas.status()
    return Wire(status["gateway_url"], status["metrics_url"])


@pytest.fixture(scope="session")
def elsewhere(wire: Wire) -> str:
    """The name of a namespace that nobody means who does not say so."""
    mark = {"openfaas": "1"}
    made = wire.send("POST", "/system/namespace/", {"name": "elsewhere", "labels": mark, "annotations": mark})
    assert made.status in (201, 202), made.text
    return "elsewhere"
