"""What a registry says went wrong, or what broke on the way, as one of our errors.

A registry's own words are `{"errors": [{"code", "message"}]}`; they are told, shortened, after what was being done.
"""

import ssl

import httpx2
import msgspec

from dayfly.model import errors
from dayfly.oci.registry.retrying import LONGEST_WAIT_S

_MAX_TEXT = 500
_BY_STATUS: dict[int, type[errors.DayflyError]] = {
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.NotSupported,
    409: errors.Conflict,
    413: errors.PayloadTooLarge,
    429: errors.LimitExceeded,
    501: errors.NotSupported,
}
_CA_HINT = (
    "Name the file of the authority that signed it in DAYFLY_CA_FILE, or do without with --insecure"
    " in a network that you trust."
)


class _Fault(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Faults(msgspec.Struct, frozen=True):
    errors: list[_Fault] = []


def codes(body: bytes) -> frozenset[str]:
    """Return the codes of a registry's refusal: `BLOB_UNKNOWN`, `DIGEST_INVALID` …"""
    return frozenset(each.code for each in _read(body))


def refusal(
    registry: str, doing: str, status: int, body: bytes, *, retry_after_s: float = 0.0, login: str = ""
) -> errors.DayflyError:
    """Return the error that an answer stands for. `doing` completes "could not": `push team/app`.

    `login` says what login it was shown, for a 401 that comes without words.
    """
    kind = _BY_STATUS.get(status) or (errors.Unavailable if status >= 500 else errors.InvalidRequest)
    said = "; ".join(": ".join(part for part in (each.code, each.message) if part) for each in _read(body))
    silent = login if status == 401 and login else f"it answered {status} without saying why"
    text = (said or _plain(body) or silent)[:_MAX_TEXT]
    hint = ""
    if kind in (errors.Unauthenticated, errors.Forbidden):
        hint = f"Log in with an account that may: dayfly registry-login --save --server {registry}, or docker login."
    elif retry_after_s > LONGEST_WAIT_S:
        hint = f"It asks to be left alone for {retry_after_s:.0f}s."
    return kind(f"{registry} could not {doing}: {text}", hint=hint, retry_after_s=retry_after_s)


def broken(registry: str, error: httpx2.HTTPError | httpx2.InvalidURL) -> errors.DayflyError:
    """Return the error for what the HTTP library met."""
    if (cause := certificate_fault(error)) is not None:
        return errors.Unavailable(
            f"The certificate of {registry} is not trusted: {cause.verify_message}.", hint=_CA_HINT
        )
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return errors.InvalidRequest(f"The request cannot be sent to {registry}: {error}.")
    if isinstance(error, httpx2.ConnectTimeout):
        return errors.Unavailable(f"{registry} did not accept a connection in time.")
    if isinstance(error, httpx2.TimeoutException):
        return errors.Unavailable(f"{registry} went silent in the middle of a request.")
    if isinstance(error, httpx2.ConnectError):
        return errors.Unavailable(f"No registry answers at {registry}: {error}.")
    return errors.Unavailable(f"The connection to {registry} broke off: {str(error) or type(error).__name__}.")


def certificate_fault(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return what was wrong with the other side's certificate, None when it was something else."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def may_pass(error: httpx2.HTTPError | httpx2.InvalidURL) -> bool:
    """Whether the same request may succeed a moment later."""
    return isinstance(error, httpx2.TransportError) and not (
        isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError) or certificate_fault(error)
    )


def may_be_plain(error: httpx2.HTTPError) -> bool:
    """Whether the other side may be one that speaks no TLS, rather than one that is away or not to be trusted."""
    return may_pass(error) and not isinstance(error, httpx2.TimeoutException)


def _read(body: bytes) -> list[_Fault]:
    try:
        return msgspec.json.decode(body, type=_Faults).errors
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def _plain(body: bytes) -> str:
    text = body[:_MAX_TEXT].decode("utf-8", "replace").strip()
    return "" if text.startswith(("<", "{")) else text
