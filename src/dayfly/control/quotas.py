"""Quotas of namespaces where they meet functions: budgets for lifecycles, and claims of changes under way.

A change is judged beside all that is there and all that is being written, in one go and before anything is awaited, so
that two deployments at the same moment cannot both have the last place.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from dayfly.decide import room
from dayfly.decide.claims import Claim, caps_refusal, shortage
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.quotas import Budget, Need
from dayfly.model.errors import QuotaExceeded
from dayfly.model.function import Function, FunctionSpec
from dayfly.model.names import FunctionKey, NamespaceName, ReplicaId
from dayfly.model.namespace import Quota, Usage
from dayfly.model.replica import StartOrder


class Quotas:
    """What each namespace uses and may use. `machines` are the lifecycles there are."""

    def __init__(self, machines: Mapping[FunctionKey, Lifecycle]) -> None:
        self._machines = machines
        self._budgets: dict[NamespaceName, Budget] = {}
        self._claims: dict[FunctionKey, Claim] = {}
        self._held: dict[ReplicaId, tuple[Budget, Need]] = {}
        self.on_change: Callable[[FunctionKey], None] = lambda _key: None
        """Told of each function whose namespace may use something else from now on."""

    def budget(self, namespace: NamespaceName) -> Budget:
        """Return the namespace's budget, the same one for as long as the control plane lives."""
        if namespace not in self._budgets:
            self._budgets[namespace] = Budget()
        return self._budgets[namespace]

    def limit(self, namespace: NamespaceName, quota: Quota) -> None:
        """Let the namespace use this from now on."""
        budget = self.budget(namespace)
        if budget.quota != quota:
            budget.limit(quota)
            for key in self.functions(namespace):
                self.on_change(key)

    def functions(self, namespace: NamespaceName) -> list[FunctionKey]:
        """Return the namespace's functions, and those that are about to be, by name."""
        present = {key for key, machine in self._machines.items() if not machine.removed}
        return sorted(key for key in present | self._claims.keys() if key.namespace == namespace)

    def usage(self, namespace: NamespaceName) -> Usage:
        """Return what the namespace uses now."""
        machines = self._machines
        present = sum(key.namespace == namespace and not machine.removed for key, machine in machines.items())
        absent = (key for key in self._claims if key not in machines or machines[key].removed)
        return self.budget(namespace).usage(present + sum(key.namespace == namespace for key in absent))

    @contextmanager
    def claiming(self, function: Function) -> Iterator[None]:
        """Claim what the function will take while it is being written. Raises QuotaExceeded."""
        key, asked = function.key, Claim.of(function)
        self._judge(key, asked)
        self._claims[key] = asked
        try:
            yield
        finally:
            del self._claims[key]

    def check_caps(self, spec: FunctionSpec) -> None:
        """Refuse limits above what the namespace allows any function. Raises QuotaExceeded."""
        quota = self.budget(spec.key.namespace).quota
        if refused := caps_refusal(quota, spec):
            raise QuotaExceeded(refused)

    def to_rest(self, machine: Lifecycle, now: float) -> list[FunctionKey]:
        """Return the idle functions of the machine's namespace that should rest, so that others can start at all."""
        machines = [each for each in self._machines.values() if each.budget is machine.budget]
        return [each.function.key for each in room.to_rest(machines, now)]

    def in_line(self, namespace: NamespaceName) -> list[FunctionKey]:
        """Return the functions that wait for room in the namespace, those without any replica first."""
        waiting = [key for key in self.budget(namespace).waiting if key in self._machines]
        return sorted(waiting, key=lambda key: len(self._machines[key].replicas) > 0)

    def hold(self, order: StartOrder) -> None:
        """Count a replica that no lifecycle knows, until it is released."""
        held = self.budget(order.key.namespace), Need.of_order(order)
        self._held[order.replica] = held
        held[0].take(held[1])

    def release(self, replica: ReplicaId) -> bool:
        """Count the replica no more: it is gone, or a lifecycle counts it now. Returns whether it was held."""
        budget, need = self._held.pop(replica, (None, None))
        if budget is None or need is None:
            return False
        budget.give(need)
        return True

    def _judge(self, key: FunctionKey, asked: Claim) -> None:
        namespace = key.namespace
        quota = self.budget(namespace).quota
        if quota == Quota():
            return
        lack = shortage(quota, {each: self._claim(each) for each in self.functions(namespace)}, key, asked)
        if lack is not None:
            remedy = f"`dayfly namespace update {namespace} --quota {lack.remedy}` raises it"
            raise QuotaExceeded(
                f"quota: the namespace {namespace} {lack.text}",
                hint=remedy if lack.remedy else "deploy with --cpu-limit, or limits.cpu in the stack file",
            )

    def _claim(self, key: FunctionKey) -> Claim:
        return self._claims.get(key) or Claim.of(self._machines[key].function)
