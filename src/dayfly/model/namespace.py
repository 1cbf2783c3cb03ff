"""Namespaces: the tenants of an installation, and how much of it each may use.

A quota counts what exists: functions, their replicas that have not ended yet, and the memory and processor time that
these replicas may take by their limits. A namespace without a quota may use what there is.
"""

import msgspec

from dayfly.model.allowance import Allowances
from dayfly.model.budget import BudgetStatus
from dayfly.model.errors import InvalidSpec
from dayfly.model.function import check_texts
from dayfly.model.names import NamespaceName, parse_namespace
from dayfly.model.quantities import parse_cpu, parse_memory

MOST = 1_000_000
"""The largest number of functions or replicas that can be written down."""


class Quota(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a namespace may use at most, in sum; what is left out has no limit of the namespace's own."""

    functions: int | None = None
    replicas: int | None = None
    memory: str = ""
    """Of all replicas, by their limits, as a Kubernetes quantity."""
    cpu: str = ""
    """The same; every function needs a limit of its own then."""
    body: str = ""
    """The largest request body that a function may take."""
    log_rate: str = ""
    """The most that one replica may log in a second."""

    @classmethod
    def parse(cls, text: str) -> "Quota":
        """Return the quota that `functions=10,replicas=50,memory=4Gi` means. Raises InvalidSpec."""
        return cls().changed(text)

    def changed(self, text: str) -> "Quota":
        """Return the quota with these parts instead of its own; `memory=none` takes one away. Raises InvalidSpec."""
        given: dict[str, str | int | None] = {}
        for each in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = each.partition("=")
            name, value = name.strip().replace("-", "_"), value.strip()
            if name not in self.__struct_fields__ or not equals or not value:
                raise InvalidSpec(
                    f"quota: {each[:60]!r} is not NAME=AMOUNT with one of {', '.join(self.__struct_fields__)}"
                )
            if value == "none":
                given[name] = getattr(Quota(), name)
            else:
                given[name] = _count(name, value) if name in ("functions", "replicas") else value
        quota = msgspec.structs.replace(self, **given)
        quota.check()
        return quota

    def check(self) -> None:
        """Refuse amounts that are none. Raises InvalidSpec with the field's name in the text."""
        for name in ("functions", "replicas"):
            count = getattr(self, name)
            if count is not None and not 0 <= count <= MOST:
                raise InvalidSpec(f"quota.{name}: {count} must be from 0 to {MOST}")
        for name, amount in (
            ("memory", "memory_bytes"),
            ("cpu", "cpu_millicores"),
            ("body", "body_bytes"),
            ("log_rate", "log_rate_bytes"),
        ):
            try:
                getattr(self, amount)
            except InvalidSpec as error:
                raise InvalidSpec(f"quota.{name}: {error}") from error
        if self.log_rate and self.log_rate_bytes < 1000:
            raise InvalidSpec(f"quota.log_rate: {self.log_rate} must be at least 1k")

    @property
    def memory_bytes(self) -> int:
        """Memory in bytes; 0 for no limit, as for all of these."""
        return parse_memory(self.memory) if self.memory else 0

    @property
    def cpu_millicores(self) -> int:
        """Processor time in thousandths of a core."""
        return parse_cpu(self.cpu) if self.cpu else 0

    @property
    def body_bytes(self) -> int:
        """The largest body in bytes."""
        return parse_memory(self.body) if self.body else 0

    @property
    def log_rate_bytes(self) -> int:
        """What a replica may log in a second, in bytes."""
        return parse_memory(self.log_rate) if self.log_rate else 0

    @property
    def text(self) -> str:
        """The quota as `parse` reads it; empty without one."""
        given = msgspec.structs.asdict(self)
        return ",".join(f"{name}={value}" for name, value in given.items() if value not in (None, ""))


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a namespace uses now, in the units of its quota."""

    functions: int = 0
    replicas: int = 0
    memory_bytes: int = 0
    cpu_millicores: int = 0


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant."""

    name: NamespaceName
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    quota: Quota = Quota()
    created_unix_ms: int = 0

    def check(self) -> None:
        """Refuse what cannot be kept. Raises InvalidName, InvalidSpec."""
        parse_namespace(self.name)
        self.quota.check()
        check_texts("labels", self.labels)
        check_texts("annotations", self.annotations)
        Allowances.of(self.annotations)


class NamespaceChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be true of a namespace; what is left out is as a new one has it."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    quota: Quota = Quota()


class NamespaceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace as the API tells of it: what was asked for and what is."""

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    quota: Quota
    used: Usage
    created_unix_ms: int
    budgets: tuple[BudgetStatus, ...] = ()
    """What its functions together may use in a day or a month, and have."""


def _count(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidSpec(f"quota.{name}: {text[:40]!r} must be a whole number")
    return int(text)
