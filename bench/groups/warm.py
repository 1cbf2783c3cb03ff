"""Warm calls of a no-op, 32 connections: the gateway against its own replica and against what else one would run."""

import contextlib
from functools import partial
from pathlib import Path

from bench import budgets, openfaas, profiles
from bench.book import Lab
from bench.figures import Budget, ratio
from bench.instance import ONE_REPLICA, Dayfly
from bench.loads import Target, with_h2load, with_wrk
from bench.peers import FLASK_WAITRESS, PEERS
from bench.programs import ProgramFailed, free_port
from bench.proxies import Starter, run_nginx, start_caddy, start_nginx
from bench.rounds import Series, Side, alternate, paired
from bench.tools import ToolMissing

_GATEWAY = "Dayfly"
_STAND_IN = f"{FLASK_WAITRESS.name}, behind nginx"
_CEILING = "nginx answering by itself"
_PROXIES: dict[str, Starter] = {"nginx": start_nginx, "caddy": start_caddy}


def measure(lab: Lab) -> None:
    """Measure the group."""
    with Dayfly(lab) as dayfly:
        dayfly.deploy("noop", "noop", ONE_REPLICA)
        gateway = Target(url=dayfly.url("/function/noop"))
        _against_direct(lab, dayfly, gateway)
        with contextlib.ExitStack() as running:
            sides = {_GATEWAY: _wrk(lab, gateway.url)}
            sides |= _chain(lab, running)
            sides |= _rivals(lab, running)
            sides |= _ceiling(lab, running)
            series = _rounds(lab, sides)
        _write(lab, series)


def _against_direct(lab: Lab, dayfly: Dayfly, gateway: Target) -> None:
    direct = Target(url="http://localhost/", unix=dayfly.replica_socket("noop"))
    sides: dict[str, Side] = {
        "direct": partial(with_h2load, lab.tools, direct),
        "gateway": partial(with_h2load, lab.tools, gateway),
    }
    series = _rounds(lab, sides)
    if not paired(series, ("direct", "gateway")):
        return
    rates = series.rates("gateway"), series.rates("direct")
    note = f"{rates[0].median:,.0f} against {rates[1].median:,.0f} req/s, h2load"
    what = "gateway ÷ the same replica called directly"
    figure = lab.figure(what, ratio(*rates), "×", budget=budgets.GATEWAY_OVER_DIRECT, note=note)
    if figure.verdict == "MISS":
        profiles.of_load(lab, what, dayfly.pid, sides["gateway"])


def _rounds(lab: Lab, sides: dict[str, Side]) -> Series:
    plan = lab.plan
    series = alternate(sides, rounds=plan.rounds, seconds=plan.load_s, warm_up_s=plan.warm_up_s, say=lab.say)
    for name, why in series.failures.items():
        lab.gap(name, why)
    return series


def _wrk(lab: Lab, url: str) -> Side:
    return partial(with_wrk, lab.tools, lab.scratch, Target(url=url))


def _rivals(lab: Lab, running: contextlib.ExitStack) -> dict[str, Side]:
    ports: dict[str, int] = {}
    for peer in PEERS:
        port = free_port()
        try:
            running.enter_context(peer.start(port, lab.scratch, lab.environ))
            ports[peer.name] = port
        except (ToolMissing, ProgramFailed) as failed:
            lab.gap(peer.name, failed)
    sides = {f"{name}, alone": _wrk(lab, f"http://127.0.0.1:{port}/") for name, port in ports.items()}
    for proxy, start in _PROXIES.items():
        if lab.plan.quick and proxy != "nginx":
            lab.gap(f"every server behind {proxy}", "a quick run")
            continue
        routes: dict[str, tuple[int, int | Path]] = {name: (free_port(), port) for name, port in ports.items()}
        try:
            running.enter_context(start(lab.tools, list(routes.values()), lab.folder(proxy), lab.environ))
        except (ToolMissing, ProgramFailed) as failed:
            lab.gap(f"every server behind {proxy}", failed)
            continue
        sides |= {f"{name}, behind {proxy}": _wrk(lab, f"http://127.0.0.1:{at}/") for name, (at, _) in routes.items()}
    return sides


def _chain(lab: Lab, running: contextlib.ExitStack) -> dict[str, Side]:
    try:
        name, url = running.enter_context(openfaas.chain(lab.tools, lab.folder("openfaas"), lab.environ))
    except (openfaas.ChainUnavailable, ToolMissing, ProgramFailed) as failed:
        lab.gap(openfaas.NAME, f"{failed}; the stand-in is {_STAND_IN}")
        return {}
    return {name: _wrk(lab, url)}


def _ceiling(lab: Lab, running: contextlib.ExitStack) -> dict[str, Side]:
    """How fast wrk gets any answer on this machine: figures near it would be wrk's, not the server's."""
    port = free_port()
    server = f'  server {{ listen 127.0.0.1:{port}; keepalive_requests 1000000000; location / {{ return 200 "ok"; }} }}'
    try:
        running.enter_context(run_nginx(lab.tools, server, port, lab.folder("ceiling"), lab.environ))
    except (ToolMissing, ProgramFailed) as failed:
        lab.gap(_CEILING, failed)
        return {}
    return {_CEILING: _wrk(lab, f"http://127.0.0.1:{port}/")}


def _write(lab: Lab, series: Series) -> None:
    if _GATEWAY not in series:
        return
    ours = series.rates(_GATEWAY)
    lab.figure("Dayfly, full gateway", ours, "req/s", note=_latency(series, _GATEWAY))
    chains = {openfaas.NAME, openfaas.STYLE}
    for name in series.samples:
        if name == _GATEWAY:
            continue
        if name == _CEILING:
            lab.figure(f"{name}, wrk's ceiling here", series.rates(name), "req/s", note=_latency(series, name))
            continue
        budget: Budget | None = budgets.GATEWAY_OVER_OPENFAAS if name in chains else None
        stand_in = "stand-in for OpenFaaS's chain; " if name == _STAND_IN and not chains & series.samples.keys() else ""
        note = f"{stand_in}{series.rates(name).median:,.0f} req/s, {_latency(series, name)}"
        lab.figure(f"Dayfly ÷ {name}", ratio(ours, series.rates(name)), "×", budget=budget, note=note)


def _latency(series: Series, name: str) -> str:
    return f"p50 {series.p50_ms(name).median:.2f} ms, p99 {series.p99_ms(name).median:.2f} ms"
