"""Plays one day under three policies and prints what each cost and what it made callers wait.

python -m tools.simulate_scaling                      the table
python -m tools.simulate_scaling --svg docs/x.svg     and the picture
python -m tools.simulate_scaling --seed 7 --cold-start 0.008 --label max=20
"""

import argparse
import sys
import time
from pathlib import Path

from tools.simulate_scaling.figures import Figures, measure, needed, table
from tools.simulate_scaling.plot import Panel, draw
from tools.simulate_scaling.policies import AlertStep, Plain, Policy, Windows
from tools.simulate_scaling.trace import DAY_S, Shape, Trace, day
from tools.simulate_scaling.world import Service, World

from dayfly.model.errors import InvalidSpec
from dayfly.model.scaling import PREFIX, ScalingPolicy

LABELS = {"target": "5", "max": "40"}
HOUR = (16 * 3600, 17 * 3600)


def play(trace: Trace, service: Service, seconds: int, svg: Path | None) -> list[Figures]:
    """Play the trace under each policy; write the picture if it is wanted."""
    policy = ScalingPolicy.from_labels(service.labels)
    need = needed(trace, service, seconds)
    contestants: list[Policy] = [Windows(), Plain(policy, service.per_replica), AlertStep(policy)]
    rows, panels, hours = list[Figures](), list[Panel](), list[Panel]()
    for contestant in contestants:
        outcome = World(trace, service, contestant, seconds).play()
        rows.append(measure(contestant.title, outcome, sum(need)))
        panels.append(Panel(f"{contestant.title}, the day", need, outcome.alive, 0, seconds))
        if not isinstance(contestant, AlertStep):
            hours.append(Panel(f"{contestant.title}, one hour", need, outcome.alive, *HOUR))
    if svg is not None:
        svg.write_text(draw([*panels, *hours]), encoding="utf-8")
    return rows


def main(arguments: list[str]) -> int:
    """Run; return the exit status."""
    options = _parser().parse_args(arguments)
    labels = {PREFIX + key: value for key, _, value in (text.partition("=") for text in options.label)}
    service = Service(
        cold_start_s=options.cold_start,
        per_replica=options.per_replica,
        labels={PREFIX + key: value for key, value in LABELS.items()} | labels,
    )
    trace = day(Shape(seed=options.seed))
    begin = time.perf_counter()
    try:
        rows = play(trace, service, DAY_S, options.svg)
    except InvalidSpec as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(trace.arrivals):,} calls, seed {options.seed}, cold start {options.cold_start * 1000:g} ms,")
    print(f"{options.per_replica} calls at a time a replica, {service.labels}\n")
    print(table(rows))
    print(f"\n{len(rows)} days in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.simulate_scaling", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="which day (default 1)")
    parser.add_argument("--cold-start", type=float, default=0.4, help="seconds a replica takes to start (default 0.4)")
    parser.add_argument("--per-replica", type=int, default=5, help="calls a replica works on at a time (default 5)")
    parser.add_argument("--label", action="append", default=[], help="a com.openfaas.scale label, for example max=20")
    parser.add_argument("--svg", type=Path, help="write the picture here")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
