"""Alerts as the control plane has them: where figures come from, where secrets lie, and what is looked at how often."""

import os
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from dayfly.control.clock import Clock
from dayfly.control.plane import ControlPlane
from dayfly.control.secrets import Secrets
from dayfly.model.budget import BudgetStatus
from dayfly.model.errors import NotFound
from dayfly.model.names import NamespaceName
from dayfly.observe.alerts.alerts import Alerts
from dayfly.observe.alerts.book import Book
from dayfly.observe.alerts.past_alerts import AlertFile, PastAlerts
from dayfly.observe.alerts.readings import History, Looks, Sources
from dayfly.observe.alerts.senders import Senders
from dayfly.observe.alerts.telling import Telling
from dayfly.observe.alerts.watch import Watch
from dayfly.observe.alerts.way import Way
from dayfly.observe.records import RecordStore
from dayfly.observe.reports.desk import Reports
from dayfly.observe.reports.gathering import Facts
from dayfly.queue.remote import RemoteQueue
from dayfly.server.background import Job
from dayfly.server.ground import Ground
from dayfly.server.wiring import Place
from dayfly.storage.secrets.port import SecretStore

_DAY_S = 86_400
_CERTIFICATES = ("*.pem", "*/fullchain.pem")
"""As the gateway's certificates lie in a folder."""


class AlertParts:
    """Alerts and reports, and what they stand on."""

    def __init__(
        self,
        place: Place,
        ground: Ground,
        plane: ControlPlane,
        records: RecordStore,
        queue: RemoteQueue,
        clock: Clock,
        history: History | None = None,
    ) -> None:
        settings = place.settings
        vault = _Vault(plane.secrets, ground.secrets, ground.home, clock)
        book = Book(ground.watch, vault, plane.namespaces.check_open, clock)
        if history is not None:
            book.check_expression = history.check
        sources = Sources(
            functions=plane.functions,
            namespaces=plane.namespaces.names,
            statuses=plane.statuses,
            exits=lambda: {key: counts.total() for key, counts in plane.exits.items()},
            budgets=lambda: _budgets(plane),
            queue=queue.figures,
            sums=records.summed,
            disk=lambda: _disk_used(Path(settings.data_dir)),
            certificates=lambda: days_left(settings.tls_cert, settings.tls_folder, clock.unix_ms()),
            history=history,
        )
        self.past = PastAlerts(AlertFile(place.data("records") / "alerts.db"))
        watch = Watch(book, Looks(sources, clock.unix_ms, clock.now), ground.watch, clock)
        senders = Senders(Way(settings.alerts.allow), book.secret_of, clock)
        url = place.console_url or place.gateway_url
        telling = Telling(book, watch, senders, ground.watch, clock, url)
        self.alerts = Alerts(book, watch, telling, senders, self.past, clock, settings.alerts.every_s)
        plane.namespaces.house(self.alerts)
        facts = Facts(
            namespaces=plane.namespaces.names, sums=records.summed, failures=records.failures, used=plane.spending.used,
            alerts=self.past, prices=settings.prices,
        )  # fmt: skip
        self.reports = Reports(ground.watch, facts, self.alerts, plane.namespaces.check_open, clock)
        plane.namespaces.house(self.reports)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What goes on for as long as the control plane serves."""
        return self.alerts.run, self.reports.run

    async def open(self) -> None:
        """Read what was written down, found, told and sent. Raises StoreUnavailable."""
        await self.past.open()
        await self.alerts.open()
        await self.reports.open()

    async def close(self) -> None:
        """Close the log of alerts. Idempotent."""
        await self.past.close()


class _Vault:
    """Receivers' secrets, among a namespace's own, or where no namespace is."""

    def __init__(self, secrets: Secrets, store: SecretStore, home: NamespaceName, clock: Clock) -> None:
        self._secrets = secrets
        self._store = store
        self._home = home
        self._clock = clock

    async def keep(self, namespace: str, name: str, content: bytes) -> None:
        """Keep the content in place of what was there."""
        if namespace:
            await self._secrets.put(NamespaceName(namespace), name, content)
        else:
            await self._store.put(self._home, name, content, mode="upsert", unix_ms=self._clock.unix_ms())

    async def read(self, namespace: str, name: str) -> bytes | None:
        """Return the content, None when there is none."""
        found = await self._store.contents(NamespaceName(namespace) if namespace else self._home, (name,))
        return found[name].data if name in found else None

    async def drop(self, namespace: str, name: str) -> None:
        """Remove it, if it is there."""
        try:
            if namespace:
                await self._secrets.remove(NamespaceName(namespace), name, force=True)
            else:
                await self._store.delete(self._home, name)
        except NotFound:
            return


def _budgets(plane: ControlPlane) -> Iterable[BudgetStatus]:
    for namespace in plane.namespaces.names():
        yield from plane.spending.budgets(namespace)
    for function in plane.functions():
        yield from plane.spending.budgets(function.key.namespace, function.key)


def _disk_used(folder: Path) -> float:
    """Return which part of the disk is used, of what this account may use."""
    usage = shutil.disk_usage(folder)
    return usage.used / (usage.used + usage.free) if usage.used + usage.free else 1.0


def days_left(file: str, folder: str, unix_ms: int) -> Mapping[str, float]:
    """Return for how many days each certificate is good that the listeners have; one that is none has none."""
    if not (file or folder):
        return {}
    # Here, because few have certificates, and what reads them takes its time to load.
    from dayfly.storage import certificate

    files = [Path(file)] if file else []
    if folder:
        files += sorted(path for pattern in _CERTIFICATES for path in Path(folder).glob(pattern))
    now, found = datetime.fromtimestamp(unix_ms / 1000, UTC), dict[str, float]()
    for path in files:
        name = path.parent.name if path.name == "fullchain.pem" and os.fspath(path) != file else path.name
        try:
            ends = certificate.expiry(path.read_bytes())
        except (OSError, ValueError):
            found[name] = 0.0
        else:
            found[name] = (ends - now).total_seconds() / _DAY_S
    return found
