"""A real Grafana, where somebody has one, that reads the platform as its users' would. Nobody needs to log in to it."""

import contextlib
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port
from tests.system.driver import ROOT, eventually

SETTING = "DAYFLY_TEST_GRAFANA"
PROGRAMS = ("bin/linux-amd64/grafana-server", "bin/grafana-server", "bin/grafana")


def home() -> Path:
    """Return the folder of the Grafana that is to be run; skips where none is named."""
    if not os.environ.get(SETTING):
        pytest.skip(f"{SETTING} names no folder of an unpacked Grafana, whose bin, conf and public are in it")
    return Path(os.environ[SETTING])


def provision(folder: Path, gateway: str, token: str) -> None:
    """Write down the data sources, one for each way to give a credential, and Dayfly's dashboard."""
    common: dict[str, Any] = {"type": "prometheus", "access": "proxy", "url": gateway, "editable": True}
    sources: list[dict[str, Any]] = [
        {
            "name": "Dayfly", "uid": "dayfly-basic", "isDefault": True, "basicAuth": True, "basicAuthUser": "grafana",
            "jsonData": {"httpMethod": "POST", "timeInterval": "10s"}, "secureJsonData": {"basicAuthPassword": token},
        },
        {
            "name": "Header", "uid": "dayfly-header",
            "jsonData": {"httpMethod": "GET", "timeInterval": "10s", "httpHeaderName1": "Authorization"},
            "secureJsonData": {"httpHeaderValue1": f"Bearer {token}"},
        },
        {
            "name": "Wrong", "uid": "dayfly-wrong", "basicAuth": True, "basicAuthUser": "grafana",
            "jsonData": {"httpMethod": "POST"}, "secureJsonData": {"basicAuthPassword": "dayfly_" + "x" * 50},
        },
    ]  # fmt: skip
    boards = folder / "boards"
    written: dict[str, dict[str, Any]] = {
        "datasources": {"apiVersion": 1, "datasources": [common | each for each in sources]},
        "dashboards": {
            "apiVersion": 1, "providers": [{"name": "Dayfly", "type": "file", "options": {"path": str(boards)}}],
        },
        "plugins": {}, "notifiers": {}, "alerting": {}, "access-control": {},
    }  # fmt: skip
    for kind, content in written.items():
        (folder / "provisioning" / kind).mkdir(parents=True)
        if content:
            (folder / "provisioning" / kind / "dayfly.yaml").write_text(json.dumps(content))
    boards.mkdir()
    text = (ROOT / "deploy/grafana/dayfly.json").read_text()
    (boards / "dayfly.json").write_text(text)
    (boards / "annotated.json").write_text(json.dumps(annotated(json.loads(text))))


def annotated(board: dict[str, Any]) -> dict[str, Any]:
    """Return the dashboard's annotations on a panel of the kind that shows them in every version."""
    panel = {
        "id": 1, "type": "graph", "title": "Annotated", "datasource": "Dayfly",
        "gridPos": {"x": 0, "y": 0, "w": 24, "h": 12}, "targets": [{"refId": "A", "expr": "dayfly_rollouts_total"}],
    }  # fmt: skip
    kept = {name: board[name] for name in ("annotations", "templating", "schemaVersion", "time")}
    return kept | {"uid": "annotated", "title": "Annotated", "panels": [panel]}


@contextlib.contextmanager
def grafana(folder: Path) -> Iterator[str]:
    """Run it by what was provisioned in the folder, and yield its address once it answers."""
    base, port = home(), free_port()
    program = next((each for each in PROGRAMS if (base / each).exists()), None)
    assert program, f"{base} has none of {', '.join(PROGRAMS)}"
    argv = [str(base / program), *(["server"] if program.endswith("grafana") else []), "-homepath", str(base)]
    settings = {
        "SERVER_HTTP_ADDR": "127.0.0.1", "SERVER_HTTP_PORT": str(port), "PATHS_DATA": f"{folder}/data",
        "PATHS_LOGS": f"{folder}/logs", "PATHS_PLUGINS": f"{folder}/plugins",
        "PATHS_PROVISIONING": f"{folder}/provisioning", "LOG_MODE": "console",
        "ANALYTICS_REPORTING_ENABLED": "false", "ANALYTICS_CHECK_FOR_UPDATES": "false",
        "ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false", "NEWS_NEWS_FEED_ENABLED": "false",
        "PLUGINS_PREINSTALL_DISABLED": "true", "SECURITY_DISABLE_GRAVATAR": "true",
        "AUTH_ANONYMOUS_ENABLED": "true", "AUTH_ANONYMOUS_ORG_ROLE": "Admin",
    }  # fmt: skip
    environ = os.environ | {f"GF_{name}": value for name, value in settings.items()}
    url = f"http://127.0.0.1:{port}"
    with (folder / "grafana.log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=base, env=environ, stdout=log, stderr=log)
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "grafana.log").read_text()[-4000:]
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/api/health", timeout=60):
                return True
            return False

        eventually("Grafana is ready", answers)
        yield url
    finally:
        process.kill()
        process.wait()
