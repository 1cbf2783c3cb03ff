"""What both clients have for reports. A namespace that is left empty is the credential's own, or the installation."""

from abc import ABC, abstractmethod
from typing import TypeVar

from dayfly.client import report_calls as calls
from dayfly.client.calls import Call
from dayfly.model.report import ReportFigures, ReportSpec, ReportStatus

T = TypeVar("T")


class Reporting(ABC):
    """The methods of the client for programs without asyncio."""

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def list_reports(self, namespace: str = "") -> list[ReportStatus]:
        """Return the reports ordered by name, and how each does."""
        return self._send(calls.list_reports(namespace))

    def get_report(self, name: str, *, namespace: str = "") -> ReportStatus:
        """Return one report, and how it does. Raises NotFound."""
        return self._send(calls.get_report(name, namespace))

    def put_report(self, report: ReportSpec) -> ReportStatus:
        """Send it by its schedule from now on, new or not. Raises InvalidSpec, LimitExceeded."""
        return self._send(calls.put_report(report))

    def remove_report(self, name: str, *, namespace: str = "") -> None:
        """Remove a report. Raises NotFound."""
        self._send(calls.remove_report(name, namespace))

    def show_report(self, name: str, *, form: str = "html", namespace: str = "") -> bytes:
        """Return a report as `html`, `pdf` or `text`. Raises NotFound, NotSupported."""
        return self._send(calls.show_report(name, namespace, form))

    def get_report_figures(self, name: str, *, so_far: bool = False, namespace: str = "") -> ReportFigures:
        """Return what is in a report, or what there is so far for the next one. Raises NotFound."""
        return self._send(calls.get_report_figures(name, namespace, so_far))

    def send_report(self, name: str, *, namespace: str = "") -> list[str]:
        """Send a report now; return whom. Raises NotFound, InvalidSpec, Unavailable."""
        return self._send(calls.send_report(name, namespace)).receivers


class AsyncReporting(ABC):
    """The methods of the client for asyncio."""

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def list_reports(self, namespace: str = "") -> list[ReportStatus]:
        """Return the reports ordered by name, and how each does."""
        return await self._send(calls.list_reports(namespace))

    async def get_report(self, name: str, *, namespace: str = "") -> ReportStatus:
        """Return one report, and how it does. Raises NotFound."""
        return await self._send(calls.get_report(name, namespace))

    async def put_report(self, report: ReportSpec) -> ReportStatus:
        """Send it by its schedule from now on, new or not. Raises InvalidSpec, LimitExceeded."""
        return await self._send(calls.put_report(report))

    async def remove_report(self, name: str, *, namespace: str = "") -> None:
        """Remove a report. Raises NotFound."""
        await self._send(calls.remove_report(name, namespace))

    async def show_report(self, name: str, *, form: str = "html", namespace: str = "") -> bytes:
        """Return a report as `html`, `pdf` or `text`. Raises NotFound, NotSupported."""
        return await self._send(calls.show_report(name, namespace, form))

    async def get_report_figures(self, name: str, *, so_far: bool = False, namespace: str = "") -> ReportFigures:
        """Return what is in a report, or what there is so far for the next one. Raises NotFound."""
        return await self._send(calls.get_report_figures(name, namespace, so_far))

    async def send_report(self, name: str, *, namespace: str = "") -> list[str]:
        """Send a report now; return whom. Raises NotFound, InvalidSpec, Unavailable."""
        return (await self._send(calls.send_report(name, namespace))).receivers
