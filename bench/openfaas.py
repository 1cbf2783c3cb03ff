"""OpenFaaS's chain, when its programs are given: gateway -> provider -> watchdog -> Flask on waitress.

`OPENFAAS_GATEWAY` and `OPENFAAS_WATCHDOG` are paths to the two programs. The provider between them is a stub: nginx
answers the gateway's lookups with a fixed status and passes calls on to the watchdog, which is less work than any real
provider does, so the chain looks better here than in an installation, never worse. With the watchdog alone, the same
nginx stands for gateway and provider both, one cheap hop instead of two, and the chain is named as what it is. The
gateway listens on 8080 and 8082 of every address and the watchdog's metrics on 8081; no setting moves these ports.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.peers import APPS
from bench.programs import Program, free_port, is_free
from bench.proxies import run_nginx
from bench.tools import Tools, rivals_python

NAME = "OpenFaaS: gateway, watchdog, Flask on waitress"
STYLE = "OpenFaaS-style: nginx as its gateway, its watchdog, Flask on waitress"
_GATEWAY_PORT = 8080
_FIXED_PORTS = (_GATEWAY_PORT, 8081, 8082)
_STATUS = {
    "name": "noop",
    "image": "noop:latest",
    "namespace": "openfaas-fn",
    "replicas": 1,
    "availableReplicas": 1,
    "labels": {},
    "annotations": {},
}
_PROVIDER = """  upstream watchdog {{ server 127.0.0.1:{watchdog}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    default_type application/json;
    location = /healthz {{ return 200; }}
    location /system/function/ {{ return 200 '{status}'; }}
    location = /system/functions {{ return 200 '[{status}]'; }}
    location = /system/namespaces {{ return 200 '["openfaas-fn"]'; }}
    location = /system/info {{ return 200 '{{"provider":{{"provider":"stub"}},"orchestration":"stub"}}'; }}
    location /function/ {{
      rewrite ^/function/[^/]+/?(.*)$ /$1 break;
      proxy_pass http://watchdog;
    }}
  }}"""


class ChainUnavailable(Exception):
    """The chain cannot be run here; the text says what is missing."""


def programs_given(environ: Mapping[str, str]) -> tuple[Path | None, Path]:
    """Return the paths of gateway, None when it was not given, and watchdog. Raises ChainUnavailable."""
    watchdog = _program_named("OPENFAAS_WATCHDOG", environ)
    if watchdog is None:
        raise ChainUnavailable("OPENFAAS_WATCHDOG is not set: it takes the path of that program")
    return _program_named("OPENFAAS_GATEWAY", environ), watchdog


def _program_named(variable: str, environ: Mapping[str, str]) -> Path | None:
    path = environ.get(variable, "")
    if path and not os.access(path, os.X_OK):
        raise ChainUnavailable(f"{variable}: {path} is no program that can be run")
    return Path(path).resolve() if path else None


@contextlib.contextmanager
def chain(tools: Tools, folder: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Run the chain and give its name and the URL of its no-op. Raises ChainUnavailable, ToolMissing, ProgramFailed."""
    gateway, watchdog = programs_given(environ)
    taken = [str(port) for port in _FIXED_PORTS if not is_free(port)]
    if taken:
        raise ChainUnavailable(f"OpenFaaS's programs need port {', '.join(taken)}, which something else uses")
    flask_port, watchdog_port, provider_port = free_port(), free_port(), free_port()
    folder.mkdir(parents=True)
    with contextlib.ExitStack() as running:
        settings = {**environ, **watchdog_environ(watchdog_port, flask_port)}
        started = running.enter_context(_program("watchdog", watchdog, folder, settings))
        started.wait_for_port(watchdog_port)
        started.wait_for_port(flask_port)
        servers = _PROVIDER.format(watchdog=watchdog_port, port=provider_port, status=json.dumps(_STATUS))
        running.enter_context(run_nginx(tools, servers, provider_port, folder / "provider", environ))
        if gateway is None:
            yield STYLE, f"http://127.0.0.1:{provider_port}/function/noop"
            return
        settings = {**environ, **gateway_environ(provider_port)}
        running.enter_context(_program("gateway", gateway, folder, settings)).wait_for_port(_GATEWAY_PORT)
        yield NAME, f"http://127.0.0.1:{_GATEWAY_PORT}/function/noop"


def gateway_environ(provider_port: int) -> dict[str, str]:
    """Return the gateway's settings: its installers' defaults, without login and queue."""
    return {
        "functions_provider_url": f"http://127.0.0.1:{provider_port}/",
        "read_timeout": "60s",
        "write_timeout": "60s",
        "upstream_timeout": "60s",
        "basic_auth": "false",
        "scale_from_zero": "true",
        "function_namespace": "openfaas-fn",
        "direct_functions": "false",
        "faas_prometheus_host": "127.0.0.1",
        "faas_prometheus_port": "9090",
        "max_idle_conns": "1024",
        "max_idle_conns_per_host": "1024",
    }


def watchdog_environ(port: int, flask_port: int) -> dict[str, str]:
    """Return the watchdog's settings: `http` mode over Flask on waitress, as OpenFaaS's Python template has it.

    Raises ToolMissing.
    """
    # The watchdog splits this at single spaces and knows no quoting.
    process = [rivals_python(), "-m", "waitress", f"--listen=127.0.0.1:{flask_port}", "flask_app:app"]
    return {
        "mode": "http",
        "port": str(port),
        "fprocess": " ".join(process),
        "upstream_url": f"http://127.0.0.1:{flask_port}",
        "http_buffer_req_body": "true",
        "exec_timeout": "60s",
        "read_timeout": "60s",
        "write_timeout": "60s",
        "suppress_lock": "true",
    }


def _program(name: str, path: Path, folder: Path, environ: Mapping[str, str]) -> Program:
    return Program(name, [str(path)], log=folder / f"{name}.log", environ=environ, cwd=APPS)
