"""The proxies to compare with: nginx, Caddy and Envoy, one worker each, keep-alive to the upstream, no access log.

Bodies are streamed where a proxy would otherwise write them to disk first, because that is what the gateway does; all
else is the program's default. An upstream is a loopback port or, for the replica itself, its unix socket.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.programs import Program
from bench.tools import Tools

_ENVOY_FILTERS = "type.googleapis.com/envoy.extensions.filters"

Route = tuple[int, int | Path]
"""The port to listen on, and the upstream's port or unix socket."""

_NGINX = """daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_max_body_size 16m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_max_temp_file_size 0;
  proxy_request_buffering off;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
{servers}
}}
"""
_NGINX_SERVER = """  upstream up{port} {{ server {upstream}; keepalive 64; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://up{port}; }} }}"""

_CADDY = """{{
  admin off
  auto_https off
  persist_config off
  storage file_system {folder}
  log {{
    level ERROR
  }}
}}"""
_CADDY_SITE = """http://127.0.0.1:{port} {{
  bind 127.0.0.1
  reverse_proxy {upstream}
}}"""


def start_nginx(tools: Tools, routes: Sequence[Route], folder: Path, environ: Mapping[str, str]) -> Program:
    """Start nginx for these routes. Raises ToolMissing, ProgramFailed."""
    servers = [_NGINX_SERVER.format(port=port, upstream=_address(upstream, "unix:")) for port, upstream in routes]
    return run_nginx(tools, "\n".join(servers), routes[-1][0], folder, environ)


def run_nginx(tools: Tools, servers: str, port: int, folder: Path, environ: Mapping[str, str]) -> Program:
    """Start nginx with these server blocks, one of which listens on `port`. Raises ToolMissing, ProgramFailed."""
    binary = tools.need("nginx")
    folder.mkdir(parents=True)
    config = folder / "nginx.conf"
    # The master gives its rights away when root started it; the workers' folders and the replica's socket are root's.
    user = "user root;\n" if folder.stat().st_uid == 0 else ""
    config.write_text(user + _NGINX.format(folder=folder, servers=servers))
    return _started("nginx", [binary, "-p", str(folder), "-c", str(config)], port, folder, environ)


def start_caddy(tools: Tools, routes: Sequence[Route], folder: Path, environ: Mapping[str, str]) -> Program:
    """Start Caddy for these routes. Raises ToolMissing, ProgramFailed."""
    binary = tools.need("caddy")
    folder.mkdir(parents=True)
    config = folder / "Caddyfile"
    sites = [_CADDY_SITE.format(port=port, upstream=_address(upstream, "unix/")) for port, upstream in routes]
    config.write_text("\n".join([_CADDY.format(folder=folder), *sites]))
    # One worker, as for the others: a Go program would else use every core.
    own = {**environ, "GOMAXPROCS": "1", "HOME": str(folder)}
    command = [binary, "run", "--adapter", "caddyfile", "--config", str(config)]
    return _started("caddy", command, routes[-1][0], folder, own)


def start_envoy(tools: Tools, routes: Sequence[Route], folder: Path, environ: Mapping[str, str]) -> Program:
    """Start Envoy for these routes. Raises ToolMissing, ProgramFailed."""
    binary = tools.need("envoy")
    folder.mkdir(parents=True)
    config = folder / "envoy.json"
    config.write_text(json.dumps(envoy_config(routes)))
    command = [binary, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    return _started("envoy", command, routes[-1][0], folder, environ)


def envoy_config(routes: Sequence[Route]) -> dict[str, Any]:
    """Return a static Envoy configuration: a listener and a cluster for each route."""
    return {
        "static_resources": {
            "listeners": [_envoy_listener(port) for port, _ in routes],
            "clusters": [_envoy_cluster(port, upstream) for port, upstream in routes],
        }
    }


def _envoy_listener(port: int) -> dict[str, Any]:
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_ENVOY_FILTERS}.http.router.v3.Router"},
    }
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": f"up{port}"}}]
    http = {
        "@type": f"{_ENVOY_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": f"in{port}",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [router],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}]}
    return {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [chain],
    }


def _envoy_cluster(port: int, upstream: int | Path) -> dict[str, Any]:
    address: dict[str, Any]
    if isinstance(upstream, Path):
        address = {"pipe": {"path": str(upstream)}}
    else:
        address = {"socket_address": {"address": "127.0.0.1", "port_value": upstream}}
    name = f"up{port}"
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def _address(upstream: int | Path, unix: str) -> str:
    return f"{unix}{upstream}" if isinstance(upstream, Path) else f"127.0.0.1:{upstream}"


def _started(name: str, command: Sequence[str], port: int, folder: Path, environ: Mapping[str, str]) -> Program:
    program = Program(name, command, log=folder / f"{name}.log", environ=environ, cwd=folder)
    try:
        program.wait_for_port(port)
    except BaseException:
        program.stop()
        raise
    return program


Starter = Callable[[Tools, Sequence[Route], Path, Mapping[str, str]], Program]
