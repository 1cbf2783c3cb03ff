"""A load on a platform: processes that call at a steady rate, and what they wrote down."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from chaos.ledger import Call, calls_in
from chaos.plan import LoadPlan, Target

STOP_S = 60.0


class Load:
    """Steady calls from processes of their own. Use it in a `with` block: they call from its beginning to its end.

    `rate_per_s` is the sum over all processes. `fresh` is the share of calls on a connection of their own, `kept` how
    many connections each process keeps for the others, `timeout_s` how long a call may take before it counts as failed.
    """

    def __init__(
        self,
        folder: Path,
        address: tuple[str, int],
        targets: Sequence[Target],
        rate_per_s: float,
        *,
        processes: int = 1,
        fresh: float = 0.3,
        kept: int = 64,
        timeout_s: float = 40.0,
        seed: int = 0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._plans = [
            LoadPlan(
                host=address[0],
                port=address[1],
                ledger=str(folder / f"calls-{number}.jsonl"),
                prefix=f"{folder.name}{number}",
                targets=tuple(targets),
                rate_per_s=rate_per_s / processes,
                fresh=fresh,
                kept=kept,
                timeout_s=timeout_s,
                seed=seed + number,
            )
            for number in range(processes)
        ]
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.began_s = 0.0

    def __enter__(self) -> Self:
        for number, plan in enumerate(self._plans):
            path = self._folder / f"plan-{number}.json"
            path.write_bytes(msgspec.json.encode(plan))
            command = [sys.executable, "-m", "chaos.generator", str(path)]
            self._processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, cwd=Path(__file__).parent.parent))
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.flush()
        self.began_s = time.monotonic()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Begin no more calls and wait for those in flight. Idempotent."""
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes:
            try:
                code = process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            if code:
                raise RuntimeError(f"the process that makes calls ended with {code}")
        self._processes = []

    def calls(self) -> list[Call]:
        """Return the calls that are in the ledgers now, in the order of their sending; all of them after `stop`."""
        return calls_in(*(Path(plan.ledger) for plan in self._plans))
