"""Tracing, put together: what of the platform is told as spans, and where these go."""

from collections.abc import Callable

from dayfly.decide.flow_spans import spans_of_run
from dayfly.model.names import NamespaceName
from dayfly.model.span import Span
from dayfly.model.table import Load
from dayfly.observe.tracing import OtlpExport, Tracing
from dayfly.queue.remote import RemoteQueue
from dayfly.server.flows import FlowParts
from dayfly.server.installation import installation_of
from dayfly.server.wiring import Place

Take = Callable[[str, str, Load], None]
"""Takes what came of a gateway: its name, its life, and what it has to tell."""


def check_exporter(place: Place) -> None:
    """Raise ConfigError where spans are to be sent and nothing is installed that could."""
    if place.settings.otlp_endpoint:
        OtlpExport(place.settings.otlp_endpoint, "").close()


class Traced:
    """Tells a receiver of calls and of flows' runs; nothing where no endpoint is set. Raises ConfigError, OSError."""

    def __init__(self, place: Place, queue: RemoteQueue) -> None:
        self._tracing: Tracing | None = None
        endpoint = place.settings.otlp_endpoint
        if endpoint:

            async def accepted(call_id: str) -> int:
                return (await queue.status(call_id)).accepted_unix_ms

            self._tracing = Tracing(OtlpExport(endpoint, installation_of(place.data("."))), accepted)

    def beside(self, take: Take) -> Take:
        """Return what takes it for us as well; where nobody is told it is what takes it anyway."""
        tracing = self._tracing
        if tracing is None:
            return take

        def both(gateway: str, boot: str, load: Load) -> None:
            take(gateway, boot, load)
            tracing.take(load)

        return both

    def follow(self, flows: FlowParts) -> None:
        """Tell of each run of a flow that is over."""
        tracing = self._tracing
        if tracing is None:
            return

        async def told(namespace: str, run_id: str) -> list[Span]:
            report = await flows.runs.report(NamespaceName(namespace), run_id)
            return spans_of_run(report.run, report.steps)

        flows.engine.on_ended.append(lambda namespace, run_id: tracing.tell_soon(told(namespace, run_id)))

    def start(self) -> None:
        """Begin to tell."""
        if self._tracing is not None:
            self._tracing.start()

    async def stop(self) -> None:
        """Tell what waits, for a short while, and end. Idempotent."""
        if self._tracing is not None:
            await self._tracing.stop()
