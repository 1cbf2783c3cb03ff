"""The package's public face."""

import subprocess
import sys

import pytest

import dayfly.client


def test_every_public_name_loads() -> None:
    assert dir(dayfly.client) == sorted(dayfly.client.__all__)
    for name in dayfly.client.__all__:
        assert getattr(dayfly.client, name).__name__ == name


def test_other_names_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = dayfly.client.nothing_here


def test_importing_it_loads_no_http_library() -> None:
    check = (
        "import sys, dayfly.client, dayfly.client.gateway; sys.exit('httpx2' in sys.modules or 'yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert methods(dayfly.client.Client) == methods(dayfly.client.AsyncClient)
