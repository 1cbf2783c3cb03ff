"""The end of a scenario: the notes are held against what is, the platform is stopped, what it left is counted."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from chaos import checker
from chaos.box import Box
from chaos.checker import Excuse
from chaos.ledger import Call
from chaos.outcome import Outcome, Promise, counted, percentile
from chaos.processes import eventually
from chaos.stage import Stage

QUIET_S = 60.0
"""How long a platform that is left alone may take to clean up."""
_TOLD = 8


def judge(
    stage: Stage,
    box: Box,
    calls: Sequence[Call],
    *,
    excuses: Sequence[Excuse] = (),
    changes: Path | None = None,
    figures: dict[str, str] | None = None,
    promises: Iterable[Promise] = (),
) -> Outcome:
    """Return the outcome; the platform is stopped by it.

    `changes` is the ledger of an operator. `figures` and `promises` are the scenario's own, told beside the rest.
    """
    stage.say(f"judging {len(calls):,} calls")
    unexcused = checker.unexcused(calls, excuses)
    for line in checker.told(unexcused[:_TOLD], stage.began_s):
        stage.say(f"without excuse: {line}")
    failed = [call for call in calls if not call.ok]
    left = _strays(box)
    states = checker.possible_states(changes) if changes is not None else {}
    lost = [f"API: {line}" for line in checker.state_lost(states, checker.state_in_api(box), replicas=False)]
    lost += [f"file: {line}" for line in checker.state_lost(states, checker.state_in_file(box), replicas=True)]
    twice = checker.worked_twice(checker.work_done(box))
    box.roles()
    box.stop()
    left += _remains(box)
    lost += [f"stopped: {line}" for line in checker.state_lost(states, checker.state_in_file(box), replicas=True)]
    for line in (*left, *lost):
        stage.say(line)
    standing = Promise("no call is worked on twice", not twice, ", ".join(twice[:_TOLD]))
    took = [call.took_s for call in calls if call.ok]
    latency = f"{percentile(took, 50) * 1000:.1f} / {percentile(took, 99) * 1000:.0f} ms"
    return Outcome(
        calls=len(calls),
        failed=counted(call.reason for call in failed),
        forbidden=len(unexcused),
        state_lost=len(lost),
        orphans=len(left),
        figures={"a call that was answered took, p50 / p99": latency, **(figures or {})},
        promises=(standing, *promises),
    )


def _strays(box: Box) -> list[str]:
    found: list[str] = []

    def quiet() -> bool:
        found[:] = checker.strays(box)
        return not found

    eventually(quiet, QUIET_S, 0.2)
    return found


def _remains(box: Box) -> list[str]:
    found: list[str] = []

    def clean() -> bool:
        found[:] = checker.remains(box)
        return not found

    eventually(clean, QUIET_S, 0.2)
    return found
