"""A fresh install is closed: as an ordinary user, with an empty home, nothing set (security: secure defaults)."""

import contextlib
import json
import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.conftest import end
from tests.system.driver import Platform, eventually


@pytest.fixture(scope="module")
def installed() -> Iterator[Platform]:
    """A platform of an account that is not root, with a home of its own."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        Path(name).chmod(0o755)
        home = Path(name) / "home"
        home.mkdir()
        # Root becomes an ordinary account in a user namespace: the same files are its own, no capability is left.
        prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000") if os.geteuid() == 0 else ()
        platform = Platform(home / ".local/share/dayfly", {"HOME": str(home)}, prefix)
        try:
            platform.start()
            yield platform
        finally:
            end(platform)


def test_only_loopback_is_listened_on(installed: Platform) -> None:
    addresses: set[str] = set()

    def all_listen() -> bool:  # gateway, console, metrics, and nats-server, which wants a password
        addresses.update(listening({process["pid"] for process in installed.status()["processes"]}))
        return len(addresses) >= 4

    eventually("all of it listens", all_listen)
    assert len(addresses) == 4
    assert {address.rpartition(":")[0] for address in addresses} == {"0100007F"}


def test_nothing_in_the_data_folder_is_open_to_others(installed: Platform, scratch: Path) -> None:
    folder = scratch / "echo"
    folder.mkdir(mode=0o755)
    (folder / "handler.py").write_text("def handle(event, context):\n    return event.body\n")
    installed.ok("deploy", "echo", "--handler", str(folder), "--lang", "python")
    assert installed.ask("POST", "/function/echo", b"hello").body == b"hello"
    # What runs makes files and removes them meanwhile.
    command = ["find", str(installed.data_dir), "-ignore_readdir_race", "-perm", "/077", "!", "-type", "l"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert (found.stdout, found.stderr) == ("", "")


def test_every_admin_route_wants_a_credential(installed: Platform) -> None:
    paths = json.loads(installed.ask("GET", "/v1/openapi.json").body)["paths"]
    refused = 0
    for path, methods in paths.items():
        for method, operation in methods.items():
            if operation.get("security") == []:
                continue
            concrete = path.replace("{", "x").replace("}", "x")
            assert installed.ask(method.upper(), concrete).status == 401, f"{method} {path}"
            refused += 1
    assert refused >= 10
    for method, path in (
        ("GET", "/system/functions"),
        ("POST", "/system/functions"),
        ("DELETE", "/system/functions"),
        ("POST", "/system/scale-function/x"),
        ("GET", "/system/info"),
        ("GET", "/system/logs?name=x"),
    ):
        assert installed.ask(method, path).status == 401
    assert installed.ask("GET", "/metrics", listener="metrics_url").status == 401
    assert installed.ask("GET", "/v1/info", listener="console_url").status == 401


def test_the_package_carries_no_credential() -> None:
    import dayfly

    text = b"".join(path.read_bytes() for path in Path(dayfly.__file__).parent.rglob("*.py"))
    assert b"BEGIN PRIVATE" not in text
    assert b"BEGIN RSA" not in text


def listening(pids: set[int]) -> set[str]:
    """Return the local addresses (hexadecimal, as the kernel lists them) that these processes listen on."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(FileNotFoundError):  # it has ended
            for fd in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):  # it was closed
                    inodes.add(os.readlink(fd).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1])
    return found


def test_urllib_of_a_stranger_is_told_nothing(installed: Platform) -> None:
    url = installed.status()["gateway_url"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/system/functions")
    with refused.value:
        assert refused.value.code == 401
        assert b"password" not in refused.value.read().lower()
