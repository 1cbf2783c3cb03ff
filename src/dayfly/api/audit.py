"""The audit log: who changed what, for administrators; of the installation, or of their namespace."""

import re

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import check_count, read_query
from dayfly.api.logs import since_unix_ns
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import principal_of
from dayfly.api.services import Services
from dayfly.model.audit import MAX_AUDIT_PAGE, AuditEntry, AuditHead, AuditQuery, AuditVerdict
from dayfly.model.errors import Forbidden, InvalidRequest
from dayfly.model.names import parse_namespace

_HASH = re.compile("[0-9a-f]{64}")

routes = Routes()


class EntriesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries are wanted, the newest first."""

    since: str = ""
    """The earliest: an RFC 3339 time, or how long ago as a duration (`24h`)."""
    until: str = ""
    """Only earlier ones than this."""
    who: str = ""
    """`admin`, `local`, `token ID`, `platform`."""
    action: str = ""
    """As `trigger.put`, or `trigger` for all that was done to triggers."""
    namespace: str = ""
    before: int = 0
    """Only entries with lower numbers: the last one's, for the next page."""
    after: int = 0
    """Only entries with higher numbers: the newest one's, for what is new since."""
    limit: int = 100
    """At most so many, up to 1000."""


class NotedQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A head of the chain that somebody noted elsewhere; without one the chain is checked by itself."""

    sequence: int = 0
    hash: str = ""


@routes.route(
    "GET", "/v1/audit", access="admin", scope="visible", summary="Tell who changed what", query=EntriesQuery,
    response=list[AuditEntry],
)  # fmt: skip
async def entries(services: Services, request: Request) -> Response:
    """Return entries, the newest first. Who administers one namespace sees what is about that."""
    asked, principal = read_query(request, EntriesQuery), principal_of(request)
    namespace = str(parse_namespace(asked.namespace)) if asked.namespace else principal.namespace
    if namespace is not None and not principal.sees(namespace):
        raise Forbidden(f"This is about the namespace {namespace}, and the credential is for {principal.namespace}")
    check_count("limit", asked.limit, MAX_AUDIT_PAGE)
    if not 0 <= min(asked.before, asked.after) <= max(asked.before, asked.after) < 2**63:
        raise InvalidRequest("before and after are numbers of entries")
    query = AuditQuery(
        namespace=namespace,
        since=max(0, since_unix_ns(asked.since) // 1_000_000),
        until=since_unix_ns(asked.until) // 1_000_000 if asked.until else 2**63 - 1,
        who=asked.who[:100],
        action=asked.action[:100],
        before=asked.before,
        after=asked.after,
        limit=asked.limit,
    )
    return json_answer(await services.audit.find(query))


@routes.route(
    "GET", "/v1/audit/verify", access="admin", scope="installation", summary="Check the audit log", query=NotedQuery,
    response=AuditVerdict,
)  # fmt: skip
async def verify(services: Services, request: Request) -> Response:
    """Check every entry against the one before it, and a head that was noted elsewhere."""
    asked = read_query(request, NotedQuery)
    if bool(asked.sequence) != bool(asked.hash) or (asked.hash and not _HASH.fullmatch(asked.hash)):
        raise InvalidRequest("sequence and hash go together, as an entry has them")
    if not 0 <= asked.sequence < 2**63:
        raise InvalidRequest("sequence: is the number of an entry")
    noted = AuditHead(asked.sequence, asked.hash) if asked.hash else None
    return json_answer(await services.audit.verify(noted))
