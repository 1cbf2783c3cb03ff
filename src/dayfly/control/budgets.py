"""What can be asked of budgets: write and remove them; and all that a function may use, by them and by annotations.

They are few, so all of them are kept in memory beside the store; a change is written first and known after. One may
come before its function, and stays when that goes; one that bounds a whole namespace is the administrator's to write.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal

from dayfly.control.clock import Clock
from dayfly.control.namespaces import Namespaces
from dayfly.control.sequence import Sequence
from dayfly.model.allowance import Allowance, Allowances
from dayfly.model.budget import MAX_NAMESPACE_BUDGETS, Budget, BudgetSpec
from dayfly.model.errors import Conflict, Forbidden, LimitExceeded
from dayfly.model.function import Function, FunctionSpec
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName
from dayfly.storage.things import ThingStore, missing

Key = tuple[NamespaceName, str]
Owner = FunctionKey | NamespaceName


class Budgets:
    """The budgets. `start` it once the store is open."""

    kind = "budgets"
    """What they are called among the things that lie in namespaces."""

    def __init__(self, store: ThingStore[Budget], namespaces: Namespaces, clock: Clock) -> None:
        self._store = store
        self._namespaces = namespaces
        self._clock = clock
        self._changes = Sequence()
        self._known: dict[Key, Budget] = {}
        self._stated: dict[Owner, tuple[Allowance, ...]] = {}
        self._own: dict[FunctionKey, tuple[FunctionSpec, Allowances]] = {}
        self.on_change: Callable[[Owner], None] = lambda _owner: None
        """Told of whom another budget bounds from now on."""
        namespaces.house(self)

    async def start(self) -> None:
        """Read all of them. Raises StoreUnavailable."""
        self._known = {budget.key: budget for budget in await self._store.all()}
        self._count()

    async def drain(self) -> None:
        """Wait until no change is under way."""
        await self._changes.drain()

    def all(self) -> list[Budget]:
        """Return every budget of every namespace, ordered."""
        return [self._known[key] for key in sorted(self._known)]

    def get(self, namespace: NamespaceName, name: str) -> Budget:
        """Return the budget. Raises NotFound."""
        try:
            return self._known[namespace, name]
        except KeyError:
            raise missing(Budget, namespace, name) from None

    def own(self, function: Function) -> Allowances:
        """Return all that the function may use, by its annotations and by budgets."""
        key, spec = function.key, function.newest.spec
        known = self._own.get(key)
        if known is None or known[0] is not spec:
            stated = (*Allowances.told(spec.annotations).all, *self._stated.get(key, ()))
            known = self._own[key] = spec, Allowances(stated)
        return known[1]

    def of_namespace(self, name: NamespaceName) -> Allowances:
        """Return the same of all functions of a namespace together."""
        return self._together(name, self._namespaces.annotations().get(name, {}))

    def shared(self) -> Mapping[NamespaceName, Allowances]:
        """Return the same of every namespace that is bounded."""
        found = {name: self._together(name, each) for name, each in self._namespaces.annotations().items()}
        return {name: allowances for name, allowances in found.items() if allowances.all}

    def forget(self, key: FunctionKey) -> None:
        """The function was removed; its budgets stay."""
        self._own.pop(key, None)

    async def put(self, spec: BudgetSpec, *, is_admin: bool = False) -> Literal["created", "updated"]:
        """Let the budget be this from now on; `is_admin` says that the installation's administrator asks.

        Raises InvalidName, InvalidSpec, NotFound (no such namespace), Forbidden where it bounds a namespace,
        LimitExceeded, StoreUnavailable.
        """
        spec.check()
        return await self._changes.run(spec.namespace, self._put(spec, is_admin))

    async def change(self, key: FunctionKey, annotations: Mapping[str, str], parts: Iterable[str]) -> None:
        """Change what the function's own budget, which has its name, and its annotations together state.

        What they state is in the budget then; without anything left it goes. Raises InvalidSpec, Conflict where the
        budget of that name bounds something else, LimitExceeded, StoreUnavailable.
        """
        await self._changes.run(key.namespace, self._change(key, Allowances.told(annotations), tuple(parts)))

    async def follow(self, key: Key, read: Callable[[], Awaitable[Budget | None]]) -> None:
        """Let the budget be what `read` finds that somebody else wrote into the store; nothing, for None.

        Raises what `put` does for what may not be so, and StoreUnavailable; the budget is as it was then, since
        without it nothing would be bounded.
        """
        await self._changes.run(key[0], self._follow(key, read))

    async def remove(self, namespace: NamespaceName, name: str, *, is_admin: bool = False) -> None:
        """Remove the budget. Raises NotFound, Forbidden where it bounds a namespace, StoreUnavailable."""
        await self._changes.run(namespace, self._remove(namespace, name, is_admin))

    async def inside(self, _namespace: NamespaceName) -> list[str]:
        """Return nothing: a bound is no reason to keep what it bounds."""
        return []

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove all of the namespace's budgets. Raises StoreUnavailable."""
        for _, name in [key for key in self._known if key[0] == namespace]:
            await self.remove(namespace, name, is_admin=True)

    async def _put(self, spec: BudgetSpec, is_admin: bool) -> Literal["created", "updated"]:
        key = NamespaceName(spec.namespace), spec.name
        self._namespaces.check_open(key[0])
        before = self._known.get(key)
        for each in (spec, *((before.spec,) if before is not None else ())):
            _check_owner(each, is_admin)
        await self._write(spec)
        return "updated" if before is not None else "created"

    async def _change(self, key: FunctionKey, annotated: Allowances, parts: tuple[str, ...]) -> None:
        at = key.namespace, str(key.name)
        before = self._known.get(at)
        if before is not None and before.spec.function != key.name:
            whom = before.spec.function or "all functions of the namespace"
            raise Conflict(
                f"the budget {key.name} of the namespace {key.namespace} bounds {whom}, not the function {key.name}",
                hint=f"give the function's budget another name: `dayfly budget put NAME --function {key.name} …`",
            )
        stated = before.spec.allowances.all if before is not None else ()
        mine = {(each.measure, each.period): each for each in (*annotated.all, *stated)}
        after = Allowances(tuple(mine.values())).changed(parts)
        if after.all:
            spec = BudgetSpec.of(after.all, key.name, key.namespace, key.name)
            spec.check()
            await self._write(spec)
        elif before is not None:
            await self._remove(*at, False)

    async def _follow(self, key: Key, read: Callable[[], Awaitable[Budget | None]]) -> None:
        budget = await read()
        if budget is None:
            self._know(key, None)
            return
        budget.spec.check()
        self._namespaces.check_open(key[0])
        self._check_room(key)
        self._know(key, budget)

    async def _write(self, spec: BudgetSpec) -> None:
        key = NamespaceName(spec.namespace), spec.name
        self._check_room(key)
        before, now_ms = self._known.get(key), self._clock.unix_ms()
        created_ms = before.created_unix_ms if before is not None else now_ms
        budget = Budget(spec=spec, created_unix_ms=created_ms, updated_unix_ms=now_ms)
        await self._store.put(budget)
        self._know(key, budget)

    async def _remove(self, namespace: NamespaceName, name: str, is_admin: bool) -> None:
        known = self._known.get((namespace, name))
        if known is not None:
            _check_owner(known.spec, is_admin)
        await self._store.delete(namespace, name)
        self._know((namespace, name), None)

    def _check_room(self, key: Key) -> None:
        count = sum(other[0] == key[0] for other in self._known)
        if key not in self._known and count >= MAX_NAMESPACE_BUDGETS:
            raise LimitExceeded(f"the namespace {key[0]} has {count} budgets, and may have no more")

    def _know(self, key: Key, budget: Budget | None) -> None:
        before = self._known.pop(key, None)
        if budget is not None:
            self._known[key] = budget
        if (before and before.spec) != (budget and budget.spec):
            self._count()
            for each in {owner_of(found) for found in (before, budget) if found is not None}:
                self.on_change(each)

    def _together(self, name: NamespaceName, annotations: Mapping[str, str]) -> Allowances:
        return Allowances((*Allowances.told(annotations).all, *self._stated.get(name, ())))

    def _count(self) -> None:
        stated: defaultdict[Owner, list[Allowance]] = defaultdict(list)
        for budget in self.all():
            stated[owner_of(budget)].extend(budget.spec.allowances.all)
        self._stated = {owner: tuple(each) for owner, each in stated.items()}
        self._own.clear()


def owner_of(budget: Budget) -> Owner:
    """Return whom the budget bounds."""
    namespace = budget.key[0]
    return FunctionKey(namespace, FunctionName(budget.spec.function)) if budget.spec.function else namespace


def _check_owner(spec: BudgetSpec, is_admin: bool) -> None:
    if not spec.function and not is_admin:
        raise Forbidden(
            f"the budget {spec.name} bounds all of the namespace {spec.namespace}, and this credential is the"
            " namespace's own",
            hint="whoever administers the installation can write it; a budget of a function names that",
        )
