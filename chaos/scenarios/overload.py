"""Ten times as many calls as a function can take: it works on as many as before, the rest is refused quickly.

The function has two replicas that work on five calls at a time each. The load is open: it does not wait for answers.
"""

import time
from collections.abc import Sequence

from chaos import processes
from chaos.background import Background
from chaos.box import Box
from chaos.checker import Excuse
from chaos.judgement import judge
from chaos.ledger import Call
from chaos.load import Load
from chaos.outcome import Outcome, Promise, percentile
from chaos.plan import Target
from chaos.processes import eventually
from chaos.stage import Stage
from dayfly.model.errors import DayflyError

SECONDS = 30.0
SHORT_SECONDS = 0.0  # it wants the machine for itself
_REPLICAS, _INFLIGHT, _WORK_MS = 2, 5, 50
_CAPACITY_PER_S = _REPLICAS * _INFLIGHT * 1000 / _WORK_MS
_GOODPUT_SHARE = 0.8
_MEMORY = 96 * 2**20
_REFUSED_S, _ADMIN_S, _RECOVERED_S = 0.1, 0.5, 5.0
_REASONS = ("429 queue_full", "429 queue_timeout", "503*")


def run(stage: Stage) -> Outcome:
    """Measure the peak, overload it, and see it recover."""
    box = stage.box()
    box.deploy("narrow", replicas=_REPLICAS, max_inflight=_INFLIGHT, concurrency="threads")
    target = (Target(function="narrow", ms=_WORK_MS, pad=0),)
    share = 0.5 if stage.short else 1.0  # of ten times; the machine is others' too
    calm = Load(stage.folder("calm"), box.address, target, _CAPACITY_PER_S * 0.5, fresh=0.1, seed=stage.seed)
    peak = Load(stage.folder("peak"), box.address, target, _CAPACITY_PER_S * 1.5, fresh=0.1, seed=stage.seed)
    over = Load(
        stage.folder("over"), box.address, target, _CAPACITY_PER_S * 10 * share, processes=2, fresh=0.1, seed=stage.seed
    )
    with calm:
        time.sleep(max(2.0, stage.seconds / 6))
    with peak:
        time.sleep(max(2.0, stage.seconds / 6))
    gateway = box.pids("gateway")[0]
    before = processes.usage(gateway)
    with _Watch(box, gateway) as watch, over:
        time.sleep(stage.seconds)
        end_s = time.monotonic()
    again = Load(stage.folder("again"), box.address, target, _CAPACITY_PER_S * 0.5, fresh=0.1, seed=stage.seed)
    recovered = eventually(lambda: _answers_quickly(box), 30.0)
    recovered_s = time.monotonic()
    with again:
        time.sleep(2.0)
    flood = over.calls()
    refused = [call for call in flood if not call.ok]
    best, good = _per_second(peak.calls()), _per_second(flood, until_s=end_s)
    growth = watch.resident - (before.resident if before is not None else 0)
    asked = len(flood) / stage.seconds
    unpolite = [call for call in refused if not call.retry_after]
    promises = [
        Promise("what is refused says when to try again", not unpolite, f"{len(unpolite)} of {len(refused)} do not"),
        Promise("the gateway's memory is bounded", growth < _MEMORY, f"{growth / 2**20:.0f} MiB more"),
        Promise("the administrator is answered", watch.failed == 0, f"{watch.failed} times not"),
        Promise("calls are answered as before afterwards", recovered, ""),
    ]
    quick = percentile([call.took_s for call in refused if call.reason == "429 queue_full"], 99)
    if not stage.short:
        promises += [
            Promise("goodput stays at 80 % of its peak or more", good >= best * _GOODPUT_SHARE, f"{good / best:.0%}"),
            Promise("a refusal takes 100 ms at most (p99)", quick <= _REFUSED_S, f"{quick * 1000:.0f} ms"),
            Promise("the administrator waits 500 ms at most (p99)", watch.p99_s <= _ADMIN_S, f"{watch.p99_s:.2f} s"),
        ]
    figures = {
        "asked for": f"{asked:,.0f} calls/s, {asked / _CAPACITY_PER_S:.1f} times what can be worked on",
        "goodput in overload against the peak": f"{good:,.0f} against {best:,.0f} calls/s ({good / best:.0%})",
        "a refused call is answered after, p99": f"{quick * 1000:.0f} ms",
        "the gateway's memory grew by": f"{growth / 2**20:.0f} MiB",
        "an administrator's request, p99": f"{watch.p99_s * 1000:.0f} ms",
        "calls took before and after, p99": f"{_p99_ms(calm.calls()):.0f} and {_p99_ms(again.calls()):.0f} ms",
        "queue worked off after the last call was sent": f"{max(0.0, recovered_s - end_s):.1f} s",
    }
    calls = [*calm.calls(), *peak.calls(), *flood, *again.calls()]
    excuse = Excuse(why="overload", from_s=0, until_s=end_s + 1, reasons=_REASONS)
    return judge(stage, box, calls, excuses=[excuse], figures=figures, promises=promises)


class _Watch(Background):
    """Asks as the administrator does, and notes the gateway's memory, until the end of its `with` block."""

    def __init__(self, box: Box, gateway: int) -> None:
        super().__init__("watch", 0.05)
        self.failed = 0
        self.resident = 0
        self._box = box
        self._gateway = gateway
        self._took: list[float] = []

    @property
    def p99_s(self) -> float:
        """How long the slowest hundredth of the requests took."""
        return percentile(self._took, 99)

    def step(self) -> None:
        """Ask once, and look at the gateway."""
        began_s = time.monotonic()
        try:
            self._box.client.get_function("narrow")
        except DayflyError:
            self.failed += 1
        self._took.append(time.monotonic() - began_s)
        usage = processes.usage(self._gateway)
        self.resident = max(self.resident, usage.resident if usage is not None else 0)


def _per_second(calls: Sequence[Call], until_s: float = float("inf")) -> float:
    """Return the right answers a second, from the first one to the last that came by then."""
    ends = [call.ended_s for call in calls if call.ok and call.ended_s <= until_s]
    return (len(ends) - 1) / (max(ends) - min(ends)) if len(ends) > 1 else 0.0


def _p99_ms(calls: Sequence[Call]) -> float:
    return percentile([call.took_s for call in calls if call.ok], 99) * 1000


def _answers_quickly(box: Box) -> bool:
    began_s = time.monotonic()
    try:
        answer = box.client.invoke("narrow", b"again 1")
    except DayflyError:
        return False
    return answer.status == 200 and time.monotonic() - began_s < _RECOVERED_S / 10
