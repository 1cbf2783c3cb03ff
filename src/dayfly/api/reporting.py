"""What the HTTP handlers of reports stand on."""

from typing import Literal, Protocol

from dayfly.model.report import ReportFigures, ReportSpec, ReportStatus


class Reports(Protocol):
    """The use cases of reports. A namespace that is None stands for all, an empty one for the installation."""

    def listed(self, namespace: str | None) -> list[ReportStatus]:
        """Return reports, ordered by namespace and name."""
        ...

    def get(self, namespace: str, name: str) -> ReportStatus:
        """Return a report. Raises NotFound."""
        ...

    async def put(self, report: ReportSpec) -> tuple[ReportStatus, Literal["created", "updated"]]:
        """Let the report be this. Raises InvalidSpec, NotFound, LimitExceeded, StoreUnavailable."""
        ...

    async def remove(self, namespace: str, name: str) -> None:
        """Remove the report. Raises NotFound."""
        ...

    async def show(self, namespace: str, name: str, form: Literal["html", "pdf", "text"]) -> bytes:
        """Return the report as it would be sent now. Raises NotFound, NotSupported, StoreUnavailable."""
        ...

    async def figures(self, namespace: str, name: str, *, so_far: bool = False) -> ReportFigures:
        """Return what is in the report as it would be sent now, or what there is so far for the next one.

        Raises NotFound, StoreUnavailable.
        """
        ...

    async def send(self, namespace: str, name: str) -> list[str]:
        """Send the report to its receivers now; return whom. Raises NotFound, InvalidSpec, Unavailable."""
        ...
