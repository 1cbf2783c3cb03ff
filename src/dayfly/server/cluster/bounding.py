"""Telling in a Budget's object how far it is used, where `kubectl get budgets` looks.

What is used may be another with every call, so it is told twice a minute; that a threshold was passed, that a
period began anew or that there is no such function, within a second.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import BUDGET, Object
from dayfly.cluster.records import AllowanceRecord, BudgetRecord, Condition
from dayfly.cluster.stamp import stamp
from dayfly.model.allowance import Allowance, amount_text
from dayfly.model.budget import BudgetStanding, BudgetStatus
from dayfly.model.errors import NotFound
from dayfly.server.cluster.telling import Key, Telling
from dayfly.storage.kubernetes.conditions import READY, tell

DETAILS = 30
"""In each how many rounds it is told how much is used."""
USED_UP = "UsedUp"
"""Whether calls are refused, or queued ones wait, for some allowance of the Budget."""


def telling_budgets(api: Connection, standings: Callable[[], Iterable[BudgetStanding]]) -> Telling[BudgetStanding]:
    """Return what keeps the status of every Budget true; `standings` tells how each stands."""

    async def say(key: Key, standing: BudgetStanding) -> None:
        namespace, name = key
        try:
            obj = await api.get(BUDGET, name, namespace)
        except NotFound:
            return
        await tell(api, BUDGET, obj, *_conditions(standing), known=_known(standing))

    return Telling(
        say, lambda: {each.key: each for each in standings()}, _gist, details=DETAILS, what="how far budgets are used"
    )


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
