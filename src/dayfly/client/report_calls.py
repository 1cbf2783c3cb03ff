"""The API's calls about reports, without their transport; see `calls`."""

import msgspec

from dayfly.client.alert_calls import of
from dayfly.client.calls import JSON, Call, nothing, reads
from dayfly.model.names import parse_alert_name
from dayfly.model.report import ReportFigures, ReportSpec, ReportStatus


class Sent(msgspec.Struct, frozen=True):
    """Who was sent a report."""

    receivers: list[str]


def list_reports(namespace: str) -> Call[list[ReportStatus]]:
    """The reports."""
    return Call("GET", "/v1/reports", reads(list[ReportStatus]), query=of(namespace))


def get_report(name: str, namespace: str) -> Call[ReportStatus]:
    """One report."""
    return Call("GET", _path(name), reads(ReportStatus), query=of(namespace))


def put_report(report: ReportSpec) -> Call[ReportStatus]:
    """Create or replace a report."""
    report.check()
    content = msgspec.json.encode(report)
    return Call(
        "PUT", _path(report.name), reads(ReportStatus), query=of(report.namespace), content=content, content_type=JSON
    )


def remove_report(name: str, namespace: str) -> Call[None]:
    """Take a report away."""
    return Call("DELETE", _path(name), nothing, query=of(namespace), expected=(204,))


def show_report(name: str, namespace: str, form: str) -> Call[bytes]:
    """A report as a page, a PDF or text."""
    query = (("format", form), *of(namespace))
    return Call("GET", _path(name) + "/preview", lambda reply: reply.body, query=query)


def get_report_figures(name: str, namespace: str, so_far: bool) -> Call[ReportFigures]:
    """What is in a report."""
    query = (("so_far", str(so_far).lower()), *of(namespace))
    return Call("GET", _path(name) + "/figures", reads(ReportFigures), query=query)


def send_report(name: str, namespace: str) -> Call[Sent]:
    """Send a report."""
    return Call("POST", _path(name) + "/send", reads(Sent), query=of(namespace))


def _path(name: str) -> str:
    return f"/v1/reports/{parse_alert_name(name)}"
