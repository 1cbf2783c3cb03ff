"""What an image's variables say of its function: those that its build set, and those of OpenFaaS's watchdogs.

DAYFLY_RUNTIME, DAYFLY_HANDLER, DAYFLY_DIALECT, DAYFLY_CONCURRENCY      from the build
fprocess                                                                from the build: what an `exec` function runs
OPENFAAS_NAME, OPENFAAS_NAMESPACE                                       from whoever runs it
exec_timeout                                                            how long a call may take; 60s
max_inflight                                                            how many calls run at a time; any number
port, PORT                                                              8080
"""

from collections.abc import Mapping
from typing import cast, get_args

from dayfly.model.errors import InvalidSpec
from dayfly.model.function import DEFAULT_TIMEOUT_S, Concurrency, Dialect
from dayfly.model.names import FunctionKey, ReplicaId, parse_function_name, parse_namespace
from dayfly.model.replica import StartOrder
from dayfly.model.runtime import Runtime
from dayfly.model.watchdog import PORT, exec_timeout_s, max_inflight

UNLIMITED_S = 365 * 24 * 3600.0


def order_of(env: Mapping[str, str], code_dir: str, hostname: str) -> StartOrder:
    """Return the order that a replica of this function would be started by. Raises InvalidSpec, InvalidName."""
    runtime = _choice(env, "DAYFLY_RUNTIME", "python", Runtime)
    timeout_s = exec_timeout_s(env)
    if timeout_s is None:
        timeout_s = UNLIMITED_S if env.get("exec_timeout") else DEFAULT_TIMEOUT_S
    return StartOrder(
        replica=ReplicaId(hostname),
        key=FunctionKey(parse_namespace(env.get("OPENFAAS_NAMESPACE", "")), parse_function_name(_name(env))),
        revision=0,
        lang=runtime,
        runtime=cast("Runtime", runtime),
        dialect=cast("Dialect", _choice(env, "DAYFLY_DIALECT", "auto", Dialect)),
        handler=env.get("DAYFLY_HANDLER") or "handler",
        code_dir=code_dir,
        process=env.get("fprocess", ""),
        env=dict(env),
        timeout_s=timeout_s,
        max_inflight=max_inflight(env),
        concurrency=cast("Concurrency", _choice(env, "DAYFLY_CONCURRENCY", "auto", Concurrency)),
    )


def port_of(env: Mapping[str, str]) -> int:
    """Return the port to listen on. Raises InvalidSpec."""
    text = env.get("port") or env.get("PORT") or str(PORT)
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65_536):
        raise InvalidSpec(f"env: port: {text[:40]!r} must be a port, 1 to 65535")
    return int(text)


def _name(env: Mapping[str, str]) -> str:
    return env.get("OPENFAAS_NAME") or env.get("DAYFLY_FUNCTION") or "function"


def _choice(env: Mapping[str, str], name: str, default: str, kind: object) -> str:
    value = env.get(name) or default
    if value not in get_args(kind):
        raise InvalidSpec(f"env: {name}: {value[:40]!r} must be one of {', '.join(get_args(kind))}")
    return value
