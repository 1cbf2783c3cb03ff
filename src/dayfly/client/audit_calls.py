"""The API's calls about the audit log without their transport; see `calls`."""

import msgspec

from dayfly.client.calls import Call, reads
from dayfly.model.audit import AuditEntry, AuditHead, AuditVerdict


class WantedEntries(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which entries are wanted, as the API reads it."""

    since: str = ""
    until: str = ""
    who: str = ""
    action: str = ""
    namespace: str = ""
    before: int = 0
    after: int = 0
    limit: int = 100


def list_audit(wanted: WantedEntries) -> Call[list[AuditEntry]]:
    """Entries of the audit log, the newest first."""
    query = tuple((name, str(value)) for name, value in msgspec.to_builtins(wanted).items())
    return Call("GET", "/v1/audit", reads(list[AuditEntry]), query=query)


def verify_audit(noted: AuditHead | None) -> Call[AuditVerdict]:
    """Whether the audit log is whole."""
    query = (("sequence", str(noted.sequence)), ("hash", noted.hash)) if noted is not None else ()
    return Call("GET", "/v1/audit/verify", reads(AuditVerdict), query=query)
