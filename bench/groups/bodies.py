"""Large answers and uploads: the gateway against its own replica, nginx and Envoy, all before the same replica."""

import contextlib
from functools import partial
from pathlib import Path

import msgspec

from bench import budgets, profiles
from bench.book import Lab
from bench.figures import Budget, ratio
from bench.instance import ONE_REPLICA, Dayfly
from bench.loads import Target, with_h2load, with_wrk
from bench.programs import ProgramFailed, free_port
from bench.proxies import Starter, start_envoy, start_nginx
from bench.rounds import Side, alternate, paired
from bench.tools import ToolMissing

_PROXIES: dict[str, Starter] = {"nginx": start_nginx, "Envoy": start_envoy}


class _Case(msgspec.Struct, frozen=True):
    what: str
    size: int
    connections: int
    upload: bool
    budget: Budget | None


# At 1 MiB eight connections already hold 8 MiB on the way; more would measure the socket buffers.
_CASES = (
    _Case("64 KiB answers", 65_536, 32, upload=False, budget=budgets.ANSWERS_64K_OVER_ENVOY),
    _Case("1 MiB answers", 1_048_576, 8, upload=False, budget=budgets.BODIES_1M_OVER_ENVOY),
    _Case("64 KiB uploads", 65_536, 32, upload=True, budget=None),
    _Case("1 MiB uploads", 1_048_576, 8, upload=True, budget=budgets.BODIES_1M_OVER_ENVOY),
)


def measure(lab: Lab) -> None:
    """Measure the group."""
    with contextlib.ExitStack() as running:
        dayfly = running.enter_context(Dayfly(lab))
        dayfly.deploy("bodies", "bodies", ONE_REPLICA)
        replica = dayfly.replica_socket("bodies")
        ports = _start_proxies(lab, running, replica)
        for case in _CASES:
            if lab.plan.quick and case.budget is None:
                lab.gap(case.what, "a quick run")
                continue
            _measure_case(lab, dayfly, replica, ports, case)


def _start_proxies(lab: Lab, running: contextlib.ExitStack, replica: Path) -> dict[str, int]:
    ports = {}
    for name, start in _PROXIES.items():
        port = free_port()
        try:
            running.enter_context(start(lab.tools, [(port, replica)], lab.folder(name.lower()), lab.environ))
            ports[name] = port
        except (ToolMissing, ProgramFailed) as failed:
            lab.gap(f"bodies through {name}", failed)
    return ports


def _measure_case(lab: Lab, dayfly: Dayfly, replica: Path, ports: dict[str, int], case: _Case) -> None:
    def target(base: str, unix: Path | None = None) -> Target:
        upload = _upload(lab, case.size) if case.upload else None
        url = base if case.upload else f"{base}{case.size}"
        return Target(url=url, unix=unix, connections=case.connections, upload=upload)

    through_gateway = target(dayfly.url("/function/bodies/"))
    sides: dict[str, Side] = {
        "direct": partial(with_h2load, lab.tools, target("http://localhost/", replica)),
        "gateway, h2load": partial(with_h2load, lab.tools, through_gateway),
        "gateway": partial(with_wrk, lab.tools, lab.scratch, through_gateway),
    }
    for name, port in ports.items():
        sides[name] = partial(with_wrk, lab.tools, lab.scratch, target(f"http://127.0.0.1:{port}/"))
    plan = lab.plan
    series = alternate(
        sides,
        rounds=plan.rounds,
        seconds=plan.load_s,
        warm_up_s=plan.warm_up_s,
        say=lambda text: lab.say(f"{case.what}: {text}"),
    )
    for name, why in series.failures.items():
        lab.gap(f"{case.what}: {name}", why)
    for name, ours in {"direct": "gateway, h2load", **dict.fromkeys(ports, "gateway")}.items():
        if not paired(series, (name, ours)):
            continue
        rates = series.rates(ours), series.rates(name)
        note = f"{rates[0].median:,.0f} against {rates[1].median:,.0f} req/s"
        what = f"{case.what}: gateway ÷ {'the same replica called directly' if name == 'direct' else name}"
        budget = case.budget if name == "Envoy" else None
        figure = lab.figure(what, ratio(*rates), "×", budget=budget, note=note)
        if figure.verdict == "MISS":
            profiles.of_load(lab, what, dayfly.pid, sides[ours])


def _upload(lab: Lab, size: int) -> Path:
    path = lab.scratch / f"upload-{size}.bin"
    path.write_bytes(b"x" * size)
    return path
