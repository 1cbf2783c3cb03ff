"""What is loaded when: the command line and the supervisor stay light; the direction itself is import-linter's."""

import subprocess
import sys

import pytest

HEAVY = {
    "asyncio", "click_completion", "fastapi", "httpx2", "prometheus_client", "rich", "sqlite3", "ssl", "starlette",
    "uvicorn", "uvloop", "yaml", "dayfly.api", "dayfly.control", "dayfly.gateway", "dayfly.server",
}  # fmt: skip


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_command_line_loads_nothing_heavy_until_a_command_needs_it() -> None:
    assert loaded_by("import dayfly.cli.main") & HEAVY == set()


@pytest.mark.parametrize("module", ["dayfly.client", "dayfly.model.function"])
def test_a_client_does_not_load_the_platform(module: str) -> None:
    loaded = loaded_by(f"import {module}")
    assert {each for each in loaded if each.startswith(("dayfly.api", "dayfly.control", "dayfly.server"))} == set()


def test_a_gateway_loads_neither_web_framework_nor_store() -> None:
    loaded = loaded_by("import dayfly.server.gateway_process")
    assert loaded & {"starlette", "uvicorn", "sqlite3", "prometheus_client", "httpx2", "click", "yaml"} == set()
    assert loaded & {"joserfc", "cryptography"} == set(), "a route that takes tokens brings these"


def test_the_control_plane_loads_no_command_line() -> None:
    loaded = loaded_by("import dayfly.server.control_process")
    assert loaded & {"httpx2", "rich", "dayfly.cli", "dayfly.gateway"} == set()
    assert loaded & {"cryptography", "nacl"} == set(), "secrets, certificates and sealed secrets bring these"


def test_the_control_plane_loads_the_libraries_of_no_broker_before_a_trigger_needs_one() -> None:
    brokers = {"aiokafka", "aiormq", "asyncpg", "nats", "paho", "redis"}
    assert loaded_by("import dayfly.server.control_process") & brokers == set()
    assert "paho" in loaded_by("from dayfly.events import sources\nsources.load('mqtt')")
