"""nats-server with the configuration of an installation in a cluster: it flushes what it acknowledges, and says so."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.unit.server.cluster.making import find, made

from dayfly.queue.binary import find_server
from dayfly.queue.connection import unfit
from dayfly.queue.keeper import listening

DEADLINE_S = 60.0
WORDS = ("queue-password", "queue-system-password")


def varz_of(config: str, address: str, folder: Path, path: str) -> Any:
    """Start the server as its pod does, at this address and ports that are free, and return what it says of itself."""
    for port in (4222, 6222, 8222):
        with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as free:
            config = re.sub(rf'"[^"]*:{port}"', f'"{_bracketed(address)}:{free.getsockname()[1]}"', config)
            monitor = free.getsockname()[1]
    (folder / "nats.conf").write_text(config.replace('"/data"', f'"{folder}"'))
    for word in WORDS:
        (folder / word).write_text("word")
    argv = [sys.executable, "-P", "-m", "dayfly.queue.keeper", path, "--config", str(folder / "nats.conf")]
    argv += ["--credentials", str(folder), "--run", str(folder / "run")]
    environ = {"POD_NAME": "dayfly-queue-0", "QUEUE_ROUTE_PASSWORD": "word", "POD_IP": address}
    environ |= {f"QUEUE_ROUTE_{number}": f"nats://route:word@127.0.0.1:{number + 1}" for number in range(3)}
    server = subprocess.Popen(argv, env=environ, start_new_session=True)
    try:
        return _asked_when_ready(f"http://{_bracketed(address)}:{monitor}")
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _asked_when_ready(url: str) -> Any:
    """Its answer once JetStream runs: asked before that, it leaves JetStream out of this one for ever."""
    _asked(f"{url}/healthz?js-enabled-only=true")
    return _asked(f"{url}/varz")


def _asked(url: str) -> Any:
    until = time.monotonic() + DEADLINE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return json.load(response)
        except (OSError, urllib.error.URLError):
            assert time.monotonic() < until, f"nats-server is not ready at {url}"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", ["plain", "much"])
def test_it_flushes_each_message_before_it_acknowledges_it(name: str, address: str, tmp_path: Path) -> None:
    server = find_server({})
    if server.path is None:
        pytest.skip(server.missing)
    config = str(find(made(name), "ConfigMap", "dayfly-queue")["data"]["nats.conf"])
    told = listening(config, address)
    assert told.count('"[::]:' if ":" in address else '"0.0.0.0:') == (3 if name == "much" else 2)
    varz = varz_of(told, address, tmp_path, str(server.path))
    assert varz["jetstream"]["config"]["sync_always"] is True
    assert unfit({"data": varz}) == ""


def test_one_that_does_not_is_told_apart(tmp_path: Path) -> None:
    server = find_server({})
    if server.path is None:
        pytest.skip(server.missing)
    config = str(find(made("plain"), "ConfigMap", "dayfly-queue")["data"]["nats.conf"])
    varz = varz_of(config.replace("sync_interval: always", ""), "127.0.0.1", tmp_path, str(server.path))
    assert "sync_interval" in unfit({"data": varz})
