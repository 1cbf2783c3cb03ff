"""From the gateways' figures to the lifecycles.

Every report is added up by the meter, and the functions it names hear at once what all gateways together see. Nothing
is polled but the processor time of functions that scale on it: a function whose figures do not change is not looked at,
and what only time brings about (going to zero, scaling down) its lifecycle asks to be woken for.
"""

import logging

from dayfly.control.ports import Meter
from dayfly.control.processor import Processor
from dayfly.control.reconciler import Reconciler
from dayfly.control.spending import Spending
from dayfly.decide import events as ev
from dayfly.model.errors import InvalidName
from dayfly.model.names import FunctionKey, parse_function_key
from dayfly.model.table import Load

log = logging.getLogger("dayfly.control")


class Scaler:
    """Tells lifecycles what calls there are."""

    def __init__(self, reconciler: Reconciler, meter: Meter, processor: Processor, spending: Spending) -> None:
        self._reconciler = reconciler
        self._meter = meter
        self._processor = processor
        self._spending = spending

    def demand(self, function: str, waiting: int) -> None:
        """A gateway has calls waiting for `name.namespace` and knows of no replica."""
        key = _key(function)
        if key is not None:
            self._reconciler.tell(key, ev.Demanded(waiting))

    def load(self, gateway: str, boot: str, load: Load) -> None:
        """A gateway sent its figures."""
        self._meter.merge(gateway, boot, load)
        for figures in load.functions:
            key = _key(figures.function)
            if key is not None:
                self._observe(key)

    def gone(self, gateway: str) -> None:
        """A gateway left, and with it the calls it had."""
        self._meter.gone(gateway)
        for key in [key for key, machine in self._reconciler.machines.items() if machine.scale.load]:
            self._observe(key)

    def _observe(self, key: FunctionKey) -> None:
        meter = self._meter
        inflight, waiting = meter.inflight(key), meter.waiting(key)
        self._reconciler.tell(key, ev.LoadObserved(inflight, waiting, meter.invocations(key), meter.begun(key)))
        sides = meter.take_sides(key)
        if sides:
            self._reconciler.tell(key, ev.CanaryObserved(sides))
        self._processor.watch(key)
        self._spending.counted(key)


def _key(function: str) -> FunctionKey | None:
    try:
        return parse_function_key(function)
    except InvalidName as error:
        log.warning("a gateway named a function that cannot be: %s", error)
        return None
