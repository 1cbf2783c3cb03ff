"""Telling in a Budget's object how far it is used, where `kubectl get budgets` looks.

What is used may be another with every call, so it is told twice a minute; that a threshold was passed, that a
period began anew or that there is no such function, within a second.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import BUDGET, Object
from dayfly.cluster.records import AllowanceRecord, BudgetRecord, Condition
from dayfly.cluster.stamp import stamp
from dayfly.model.allowance import Allowance, amount_text
from dayfly.model.budget import BudgetStanding, BudgetStatus
from dayfly.model.errors import DayflyError, NotFound
from dayfly.model.names import NamespaceName
from dayfly.storage.kubernetes.conditions import READY, tell

TELL_S = 1.0
"""How often it is looked whether objects still say what is true."""
DETAILS = 30
"""In each how many of these rounds it is told how much is used."""
USED_UP = "UsedUp"
"""Whether calls are refused, or queued ones wait, for some allowance of the Budget."""
_log = logging.getLogger("dayfly.server")


class TellingBudgets:
    """Keeps the status of every Budget true; `standings` tells how each stands."""

    def __init__(self, api: Connection, standings: Callable[[], Iterable[BudgetStanding]]) -> None:
        self._api = api
        self._standings = standings
        self._said: dict[tuple[NamespaceName, str], tuple[object, BudgetStanding]] = {}
        self._round = 0

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await asyncio.sleep(TELL_S)
            try:
                await self._tell_all()
            except DayflyError as error:
                _log.warning("how far budgets are used cannot be told: %s", error)

    def forget(self, key: tuple[NamespaceName, str]) -> None:
        """Nothing was told of what the name stands for now."""
        self._said.pop(key, None)

    async def _tell_all(self) -> None:
        standings = {each.key: each for each in self._standings()}
        self._said = {key: said for key, said in self._said.items() if key in standings}
        for key, standing in standings.items():
            gist = _gist(standing)
            before, said = self._said.get(key, (None, None))
            if gist != before or (standing != said and self._round % DETAILS == 0):
                await self._tell(standing)
                self._said[key] = gist, standing
        self._round += 1

    async def _tell(self, standing: BudgetStanding) -> None:
        namespace, name = standing.key
        try:
            obj = await self._api.get(BUDGET, name, namespace)
        except NotFound:
            return
        await tell(self._api, BUDGET, obj, *_conditions(standing), known=_known(standing))


def _gist(standing: BudgetStanding) -> object:
    """Return what is told at once when it changes."""
    return standing.spec, standing.trouble, [(each.state, each.ends_unix_ms) for each in standing.allowances]


def _conditions(standing: BudgetStanding) -> Iterable[Condition]:
    trouble = standing.trouble
    yield Condition(
        type=READY, status="False" if trouble else "True", reason="Trouble" if trouble else "Counting", message=trouble
    )
    spent = [each for each in standing.allowances if each.state == "used up"]
    if spent:
        last = max(spent, key=lambda each: each.ends_unix_ms)
        told = f"{_text(last)} is used up until {_time(last.ends_unix_ms)}"
        yield Condition(type=USED_UP, status="True", reason="UsedUp", message=told)
    else:
        yield Condition(type=USED_UP, status="False", reason="Within")


def _known(standing: BudgetStanding) -> Object:
    """Return the status beside the conditions."""
    records = tuple(
        AllowanceRecord(
            measure=each.measure, period=each.period, amount=each.amount, used=round(each.used, 2),
            left=round(each.left, 2), percent=int(100 * each.share), state=each.state, renews=_time(each.ends_unix_ms),
        )
        for each in standing.allowances
    )  # fmt: skip
    tightest = max(standing.allowances, key=lambda each: (each.share, each.ends_unix_ms))
    record = BudgetRecord(
        allowances=records, tightest=_text(tightest), used=amount_text(tightest.used), left=amount_text(tightest.left),
        percent=int(100 * tightest.share), state=tightest.state,
        renews=_time(tightest.ends_unix_ms), looked_at=stamp(),
    )  # fmt: skip
    found: Object = msgspec.json.decode(msgspec.json.encode(record))
    return found


def _text(status: BudgetStatus) -> str:
    return f"{status.measure}={Allowance(status.measure, status.amount, status.period).text}"


def _time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
