"""What the API server, or the way to it, says no with, as our errors with what to do.

| the API says | ours | and then |
|---|---|---|
| 400, 413, 415, 422 | InvalidRequest, PayloadTooLarge | the object is wrong or too large |
| 401, 403 | StoreUnavailable | our service account or credential may not do this |
| 404 | NotFound | |
| 400, 403 of an admission webhook | NotAllowed | a policy is against it |
| 500 of one that timed out | StoreUnavailable | it passes; try again |
| 409 | Conflict; AlreadyThere, Changed | read anew and decide anew |
| 410 | Expired | list anew |
| 429, 5xx, no answer | StoreUnavailable | it passes; wait and try again |
"""

import msgspec

from dayfly.cluster.kinds import GROUP
from dayfly.model.errors import Conflict, DayflyError, InvalidRequest, NotFound, PayloadTooLarge, StoreUnavailable

_OURS = f"/apis/{GROUP}/"
_WEBHOOK, _WEBHOOK_SILENT = "admission webhook", "failed calling webhook"
_NO_SUCH_KIND = "404 page not found"
"""What the API server says, in plain text, of a path that stands for no kind it knows."""


class AlreadyThere(Conflict):
    """An object of this name exists."""


class Changed(Conflict):
    """The object is not the one that was read any more."""


class Expired(StoreUnavailable):
    """What changed since this version is not known any more; only a new list tells what is."""


class NotAllowed(StoreUnavailable):
    """The cluster does not let us; trying again does not help, but its administrator can."""

    retryable = False


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What came back that is no success."""

    what: str
    """The request, as `GET /api/v1/pods`."""
    code: int
    body: bytes = b""
    retry_after_s: float = 0.0


def refusal(answer: Answer) -> DayflyError:
    """Return our error for the API server's."""
    try:
        status = msgspec.json.decode(answer.body, type=_Status)
    except msgspec.MsgspecError:
        status = _Status(answer.body[:200].decode(errors="replace"))
    return refused(answer.what, answer.code, status.reason, status.message, answer.retry_after_s)


def refused(what: str, code: int, reason: str, message: str, retry_after_s: float = 0.0) -> DayflyError:
    """Return our error for a status of the API server's."""
    said = f"the cluster refused {what}: {message or reason or code}"
    match code:
        case 404 if _OURS in what and message.startswith(_NO_SUCH_KIND):
            hint = "the cluster lacks this kind: `dayfly install` brings it, with Helm the chart's value `crds: true`"
            return NotFound(said, hint=hint)
        case 404:
            return NotFound(said)
        case 409:
            return (AlreadyThere if reason == "AlreadyExists" else Changed)(said)
        case 410:
            return Expired(said)
        case 400 | 403 if _WEBHOOK in message:
            hint = "a policy of the cluster refuses it; its words say why, and its administrator can change it"
            return NotAllowed(said, hint=hint)
        case 500 if _WEBHOOK_SILENT in message:
            hint = (
                "a policy server of the cluster does not answer; it is named there, and its administrator can mend it"
            )
            return StoreUnavailable(said, hint=hint, retry_after_s=retry_after_s)
        case 401:
            hint = "the credential is wrong or has expired; log in to the cluster again"
            return NotAllowed(said, hint=hint)
        case 403 if "being terminated" in message:
            return Conflict(said, hint="the namespace is being deleted; wait until it is gone")
        case 403 if "exceeded quota" in message:
            return Conflict(said, hint="raise the ResourceQuota of the namespace, or remove something")
        case 403:
            hint = "give Dayfly's service account the role that `dayfly install` makes, or ask the administrator"
            return NotAllowed(said, hint=hint)
        case 413:
            return PayloadTooLarge(said, hint="an object has at most 1.5 MB, a Secret 1 MiB")
        case 500 if "request is too large" in message:
            return PayloadTooLarge(said, hint="an object has at most 1.5 MB, a Secret 1 MiB")
        case _ if 400 <= code < 500 and code != 429:
            return InvalidRequest(said)
    return StoreUnavailable(
        said, hint="the cluster's API server is overloaded or starting", retry_after_s=retry_after_s
    )


def unreachable(what: str, server: str, error: Exception) -> StoreUnavailable:
    """Return our error for an API server that gave no answer."""
    return StoreUnavailable(
        f"the cluster's API server {server} did not answer {what}: {error or type(error).__name__}",
        hint="check that the API server runs and can be reached from here",
    )
