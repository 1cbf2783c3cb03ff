"""Schedules: when one that somebody writes would be due, before anything of it is kept."""

import time
from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import check_count, read_query
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.services import Services
from dayfly.decide.cron import Schedule
from dayfly.model.errors import InvalidSpec

MAX_MOMENTS = 20

routes = Routes()


class ScheduleQuery(msgspec.Struct, frozen=True):
    """Which schedule is asked about."""

    schedule: str = ""
    """As a trigger has it: cron's five fields, a descriptor, `@every 90s`; several with `;` between."""
    timezone: str = ""
    """Of expressions that name none; empty for UTC."""
    count: int = 5
    """How many moments are wanted, up to 20."""


class Due(msgspec.Struct, frozen=True):
    """When a schedule is due next."""

    next_unix_ms: list[int]
    """Fewer than were asked for, where there are no more."""
    trouble: str = ""
    """Why it cannot be one, with `schedule` or `timezone` before it; empty for one that can."""


@routes.route(
    "GET", "/v1/schedule", access="look", scope="visible", summary="Say when a schedule would be due",
    query=ScheduleQuery, response=Due,
)  # fmt: skip
async def due(services: Services, request: Request) -> Response:
    """Return the next moments of a schedule; what is none is an answer too, and no refusal: somebody still writes."""
    del services
    asked = read_query(request, ScheduleQuery)
    check_count("count", asked.count, MAX_MOMENTS)
    try:
        schedule = Schedule(asked.schedule, asked.timezone, zone_field="timezone")
    except InvalidSpec as error:
        return json_answer(Due([], error.message))
    found: list[int] = []
    moment: datetime | None = datetime.fromtimestamp(time.time(), UTC)
    while len(found) < asked.count and moment is not None and (moment := schedule.next_after(moment)) is not None:
        found.append(round(moment.timestamp() * 1000))
    return json_answer(Due(found))
