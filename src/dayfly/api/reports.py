"""Reports: write, look at and remove them, read one as a page or a file, and send one by hand.

As with alerts, no path names a namespace: a credential for one is about that alone, and one for all says which in the
query, or means the installation's own.
"""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.alerts import check_same, name_in, read_owner, write_owner
from dayfly.api.decoding import read_json, read_query
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.services import Services
from dayfly.model.report import Every, ReportFigures, ReportSpec, ReportStatus

REPORTS = "/v1/reports"
REPORT = REPORTS + "/{name}"
_TYPES = {"html": "text/html; charset=utf-8", "pdf": "application/pdf", "text": "text/plain; charset=utf-8"}
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
"""Of a page that names what functions are called and say: it runs nothing and fetches nothing."""

routes = Routes()


class ReportRequest(ReportSpec, kw_only=True, frozen=True):
    """A report; its name and namespace may be left out, since the address says them."""

    name: str = ""
    namespace: str = ""
    every: Every

    def report(self, namespace: str, name: str) -> ReportSpec:
        """Return the report of this name. Raises InvalidRequest when the body names another."""
        check_same("report", (self.namespace, namespace), (self.name, name))
        return ReportSpec(**(msgspec.structs.asdict(self) | {"name": name, "namespace": namespace}))


class PreviewQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As what a report is wanted."""

    format: Literal["html", "pdf", "text"] = "html"
    namespace: str = ""


class FiguresQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which time figures are wanted."""

    so_far: bool = False
    """Whether those of the day, week or month that goes on now, in place of the last whole one."""
    namespace: str = ""


class Sent(msgspec.Struct, frozen=True):
    """Who was sent a report."""

    receivers: list[str]


@routes.route("GET", REPORTS, access="deploy", scope="visible", summary="List reports", response=list[ReportStatus])
async def list_reports(services: Services, request: Request) -> Response:
    """Return the reports ordered by name, and how each does."""
    return json_answer(services.reports.listed(read_owner(request)))


@routes.route("GET", REPORT, access="deploy", scope="visible", summary="Describe a report", response=ReportStatus)
async def describe(services: Services, request: Request) -> Response:
    """Return the report, when it is sent next, and how it does."""
    return json_answer(services.reports.get(write_owner(request), name_in(request)))


@routes.route(
    "PUT", REPORT, access="deploy", scope="visible", summary="Create or replace a report", request=ReportRequest,
    response=ReportStatus, statuses=(200, 201),
)  # fmt: skip
async def put(services: Services, request: Request) -> Response:
    """Send it by this schedule from now on; 201 when the report is new."""
    report = (await read_json(request, ReportRequest)).report(write_owner(request), name_in(request))
    status, done = await services.reports.put(report)
    return json_answer(status, 201 if done == "created" else 200)


@routes.route("DELETE", REPORT, access="deploy", scope="visible", summary="Remove a report", statuses=(204,))
async def remove(services: Services, request: Request) -> Response:
    """Send it no more."""
    await services.reports.remove(write_owner(request), name_in(request))
    return Response(status_code=204)


@routes.route(
    "GET", REPORT + "/preview", access="deploy", scope="visible", summary="Read a report", query=PreviewQuery,
    media_type="text/html",
)  # fmt: skip
async def preview(services: Services, request: Request) -> Response:
    """Return the report of the last whole day, week or month, as a page, a PDF or text."""
    form = read_query(request, PreviewQuery).format
    name = name_in(request)
    body = await services.reports.show(write_owner(request), name, form)
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
    if form == "pdf":
        headers["Content-Disposition"] = f'attachment; filename="{name}.pdf"'
    return Response(body, headers={**headers, "Content-Type": _TYPES[form]})


@routes.route(
    "GET", REPORT + "/figures", access="deploy", scope="visible", summary="Read a report's figures",
    query=FiguresQuery, response=ReportFigures,
)  # fmt: skip
async def figures(services: Services, request: Request) -> Response:
    """Return what is in the report of the last whole day, week or month; a latency beyond the histogram is null."""
    so_far = read_query(request, FiguresQuery).so_far
    return json_answer(await services.reports.figures(write_owner(request), name_in(request), so_far=so_far))


@routes.route("POST", REPORT + "/send", access="deploy", scope="visible", summary="Send a report now", response=Sent)
async def send(services: Services, request: Request) -> Response:
    """Send it to its receivers; 503 with the reason when one of them cannot be reached."""
    return json_answer(Sent(await services.reports.send(write_owner(request), name_in(request))))
