"""`python -m chaos [SCENARIO …]`: runs scenarios, prints what each does, and a table in the end.

The table goes to standard output, what happens meanwhile to standard error. The exit code is 1 when a promise was
broken or a scenario could not be run.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import msgspec

from chaos import scenarios
from chaos.outcome import Outcome, Promise
from chaos.stage import Stage
from chaos.table import markdown_report, text_report


def main(arguments: list[str]) -> int:
    """Run the scenarios named, all by default; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    known = scenarios.names()
    if unknown := [name for name in options.scenarios if name not in known]:
        parser.error(f"there is no scenario {', '.join(unknown)}; there are {', '.join(known)}")
    if options.render is not None:
        lines = options.render.read_bytes().splitlines()
        print(markdown_report([msgspec.json.decode(line, type=Outcome) for line in lines]), end="")
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(3))
    print(f"seed {seed}", file=sys.stderr, flush=True)
    outcomes = []
    for name in options.scenarios or known:
        scenario = scenarios.find(name)
        if options.short and not scenario.short_seconds and not options.scenarios:
            continue
        default_s = (scenario.short_seconds or scenario.seconds) if options.short else scenario.seconds
        seconds = options.seconds if options.seconds is not None else default_s
        outcomes.append(play(scenario, seed=seed, seconds=seconds, short=options.short))
        if options.json is not None:
            with options.json.open("ab") as file:
                file.write(msgspec.json.encode(outcomes[-1]) + b"\n")
    print(text_report(outcomes))
    return 0 if all(outcome.kept for outcome in outcomes) else 1


def play(scenario: scenarios.Scenario, *, seed: int, seconds: float, short: bool) -> Outcome:
    """Run one scenario and return its outcome; one that breaks off has broken a promise."""
    began = time.monotonic()
    # Short and in /tmp, whatever TMPDIR says: unix sockets are bound below it.
    with tempfile.TemporaryDirectory(prefix="dfchaos-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)  # functions of root's platform run as others and pass through
        stage = Stage(scenario.name, Path(folder), seed=seed, seconds=seconds, short=short)
        stage.say(f"{scenario.about} Load for {seconds:g} s.")
        try:
            outcome = scenario.run(stage)
        except Exception as error:  # whatever it was, the other scenarios are still to be run
            traceback.print_exc()
            print(stage.logs(), file=sys.stderr)
            outcome = Outcome(
                promises=(Promise("the scenario runs to its end", False, f"{type(error).__name__}: {error}"),)
            )
        finally:
            stage.close()
    took_s = round(time.monotonic() - began, 1)
    return msgspec.structs.replace(outcome, scenario=scenario.name, seed=seed, seconds=took_s)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Break a Dayfly under load and judge it.")
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"all by default: {', '.join(scenarios.names())}"
    )
    parser.add_argument("--short", action="store_true", help="the short form that runs among the tests")
    parser.add_argument("--seed", type=int, help="what chance depends on; another one each time by default")
    parser.add_argument("--seconds", type=float, help="how long each scenario's load lasts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append one JSON line a scenario to this file")
    parser.add_argument("--render", type=Path, metavar="FILE", help="run nothing; print such a file as Markdown")
    return parser


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("Interrupted: everything that was started has been stopped.", file=sys.stderr)
        sys.exit(130)
