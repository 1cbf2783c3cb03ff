"""Every way in which Dayfly refuses or fails, in one tree.

    DayflyError
    ├─ InvalidRequest          400  the caller must change the request
    │   ├─ InvalidName              a name, id or path is not well formed
    │   ├─ InvalidSpec              a field of a deployment is wrong
    │   ├─ PayloadTooLarge     413
    │   └─ KeyReused           422  an idempotency key came with another request before
    ├─ MethodNotAllowed        405  the address exists, but not with this method
    ├─ Unprocessable           422  a parameter does not parse, where OpenFaaS's clients expect this status
    ├─ Unauthenticated         401  no credential, or a wrong one
    ├─ Forbidden               403  the credential is good, but not for this
    ├─ QuotaExceeded           403  the namespace has used up what it may; remove something, or have it raised
    ├─ NotFound                404
    ├─ Conflict                409  it exists already, or is still in use
    ├─ LimitExceeded           429  retryable: wait and try again
    ├─ BuildFailed             422  the function's author must act: dependencies or code could not be prepared
    ├─ FunctionFailed          500  the function's author must act: the code raised or would not start
    ├─ NotSupported            501  this installation cannot do it; the text says which can
    ├─ Unavailable             503  retryable: the operator or time must act
    │   ├─ SecretsLocked            not retryable: the key that secrets are encrypted with is missing, or is another
    │   └─ StoreUnavailable         the state could not be written or read
    │       └─ StoreFull       507  the disk under the data folder has no space left
    ├─ ConfigError              -   the operator must act; at start only, exit code 78
    └─ InternalError           500  a bug of ours

Each class carries a stable `code` for programs, the HTTP `status`, whether trying again can help, and the command
line's exit code (sysexits where one fits). Foreign exceptions stop at the adapter that met them and become one of
these. `str(error)` is a sentence for a person: what happened, which limit or setting, what to do.
"""

from typing import ClassVar


class DayflyError(Exception):
    """The root: anything that Dayfly itself refuses or reports as failed."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float = 0) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_after_s = retry_after_s


class InvalidRequest(DayflyError):
    """The request is malformed; the same request will fail again."""

    code, status, exit_code = "invalid_request", 400, 64


class InvalidName(InvalidRequest):
    """A name, id or path is not well formed."""

    code = "invalid_name"


class InvalidSpec(InvalidRequest):
    """A field of a deployment is missing, of the wrong kind or out of range."""

    code = "invalid_spec"


class PayloadTooLarge(InvalidRequest):
    """A body, bundle or file is larger than its limit."""

    code, status = "payload_too_large", 413


class KeyReused(InvalidRequest):
    """An idempotency key came with another request before."""

    code, status = "idempotency_key_reused", 422


class MethodNotAllowed(DayflyError):
    """The path is known, but not with this method; `allow` lists those it has, as the Allow header wants them."""

    code, status, exit_code = "method_not_allowed", 405, 64

    def __init__(self, message: str, *, allow: str = "", hint: str = "", retry_after_s: float = 0) -> None:
        super().__init__(message, hint=hint, retry_after_s=retry_after_s)
        self.allow = allow


class Unprocessable(DayflyError):
    """A parameter of OpenFaaS's log endpoint does not parse: its clients expect 422 where ours expect 400."""

    code, status, exit_code = "unprocessable", 422, 64


class Unauthenticated(DayflyError):
    """No credential was given, or it is wrong."""

    code, status, exit_code = "unauthenticated", 401, 77


class Forbidden(DayflyError):
    """The credential is known, but not allowed to do this."""

    code, status, exit_code = "forbidden", 403, 77


class QuotaExceeded(DayflyError):
    """The namespace's quota leaves no room for this; the same request fails until something goes or it is raised."""

    code, status, exit_code = "quota_exceeded", 403, 75


class NotFound(DayflyError):
    """The thing named does not exist in the namespace named."""

    code, status, exit_code = "not_found", 404, 66


class Conflict(DayflyError):
    """The thing exists already, is still in use, or changed meanwhile."""

    code, status, exit_code = "conflict", 409, 73


class LimitExceeded(DayflyError):
    """A limit was hit that time or a setting can lift."""

    code, status, retryable, exit_code = "limit_exceeded", 429, True, 75


class BuildFailed(DayflyError):
    """The function's dependencies or code could not be prepared; the message ends with the log's last lines."""

    code, status, exit_code = "build_failed", 422, 65


class FunctionFailed(DayflyError):
    """The function's own code raised, ended or would not start."""

    code, status, exit_code = "function_failed", 500, 1


class NotSupported(DayflyError):
    """This installation lacks the ability."""

    code, status, exit_code = "not_supported", 501, 69


class Unavailable(DayflyError):
    """A part of the platform cannot answer now."""

    code, status, retryable, exit_code = "unavailable", 503, True, 69


class SecretsLocked(Unavailable):
    """The key that secrets are encrypted with is not there, or cannot be the one; nothing of them is lost by that."""

    code, retryable = "secrets_locked", False


class StoreUnavailable(Unavailable):
    """The state could not be read or written: disk full, read-only or damaged."""

    code = "store_unavailable"


class StoreFull(StoreUnavailable):
    """The disk under the data folder has no space left; once there is some, the same request succeeds."""

    code, status, exit_code = "store_full", 507, 74


class ConfigError(DayflyError):
    """The platform was started with settings it must not or cannot run with."""

    code, exit_code = "config", 78


class InternalError(DayflyError):
    """A bug of ours."""
