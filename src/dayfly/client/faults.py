"""From what went wrong on the way, or what the gateway said, to one of our errors.

This is the border at which the HTTP library's exceptions stop. A gateway's own refusals come as problem+json and become
the class whose `code` they carry, so that a caller catches the same error here as inside the platform; what has no code
we know is classed by its status. A call that timed out says which wait it was and how long it lasted.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import msgspec

from dayfly.client.gateway import Target
from dayfly.model import errors

_TEXT_LIMIT = 2000
_BY_STATUS: dict[int, type[errors.DayflyError]] = {
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.PayloadTooLarge,
    422: errors.BuildFailed,
    429: errors.LimitExceeded,
    500: errors.InternalError,
    501: errors.NotSupported,
}
_LOGIN = "Run `dayfly login`, or act as the account that started the platform."


class _LooseProblem(msgspec.Struct):
    """What is needed of a problem; a gateway newer or older than us may send more or less."""

    type: str = ""
    detail: str = ""
    title: str = ""
    code: str = ""
    hint: str = ""
    traceback: str = ""


def _tree(root: type[errors.DayflyError]) -> Iterator[type[errors.DayflyError]]:
    for child in root.__subclasses__():
        yield from _tree(child)
        yield child


_BY_CODE = {kind.code: kind for kind in _tree(errors.DayflyError)}


def error_from_reply(status: int, content_type: str, body: bytes, retry_after: str = "") -> errors.DayflyError:
    """Return the error that a reply of 400 or more stands for."""
    problem = _problem(content_type, body)
    kind = _BY_CODE.get(problem.code) or _kind_of_status(status)
    text = problem.detail or problem.title or body[:_TEXT_LIMIT].decode("utf-8", "replace").strip()
    if not text or text.startswith("<"):
        # A HEAD is refused without a body.
        silent = f"The gateway answered {status} without saying why."
        text = "This call needs a credential." if status == 401 else silent
    if problem.traceback:
        text = f"{text}\n{problem.traceback.rstrip()}"
    hint = problem.hint or (_LOGIN if kind is errors.Unauthenticated else "")
    seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0
    return kind(text, hint=hint, retry_after_s=seconds)


def is_problem(content_type: str, body: bytes) -> bool:
    """Whether a reply is a problem of ours, one whose code we know."""
    return _problem(content_type, body).code in _BY_CODE


def told_of_function(content_type: str, body: bytes) -> tuple[str, str]:
    """Return what a reply says that went wrong in a function, and a hint: of any problem of ours, else the text."""
    problem = _problem(content_type, body)
    if problem.type.startswith("urn:dayfly:problem:") and problem.detail:
        return problem.detail, problem.hint
    return body[:_TEXT_LIMIT].decode("utf-8", "replace").strip(), ""


@contextmanager
def foreign_errors(target: Target, timeout_s: float) -> Iterator[None]:
    """Turn the HTTP library's exceptions of the block into ours. Raises Unavailable or InvalidRequest."""
    try:
        yield
    except httpx2.TimeoutException as error:
        raise _timed_out(error, target, timeout_s) from error
    except httpx2.ConnectError as error:
        raise _unreachable(error, target) from error
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError) as error:
        raise errors.InvalidRequest(f"The request cannot be sent: {error}.") from error
    except httpx2.RequestError as error:
        what = str(error) or type(error).__name__
        raise errors.Unavailable(f"The connection to {target.url} broke off: {what}.") from error


def _problem(content_type: str, body: bytes) -> _LooseProblem:
    if content_type.partition(";")[0].strip().lower() not in ("application/problem+json", "application/json"):
        return _LooseProblem()
    try:
        return msgspec.json.decode(body, type=_LooseProblem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _LooseProblem()


def _kind_of_status(status: int) -> type[errors.DayflyError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return errors.Unavailable if status >= 500 else errors.InvalidRequest


def _timed_out(error: httpx2.TimeoutException, target: Target, timeout_s: float) -> errors.Unavailable:
    if isinstance(error, httpx2.ConnectTimeout):
        return errors.Unavailable(f"{target.url} did not accept a connection in time.", hint=_other_gateway(target))
    if isinstance(error, httpx2.WriteTimeout):
        return errors.Unavailable(f"{target.url} did not take the request's body within {timeout_s:g}s.")
    if isinstance(error, httpx2.PoolTimeout):
        return errors.Unavailable(f"All connections to {target.url} were busy for {timeout_s:g}s.")
    return errors.Unavailable(f"{target.url} sent nothing for {timeout_s:g}s (the client's timeout).")


def _unreachable(error: httpx2.ConnectError, target: Target) -> errors.Unavailable:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "Name the file of the authority that signed it in DAYFLY_CA_FILE."
            return errors.Unavailable(
                f"The certificate of {target.url} is not trusted: {cause.verify_message}.", hint=hint
            )
        cause = cause.__cause__ or cause.__context__
    return errors.Unavailable(f"No gateway answers at {target.url}: {error}.", hint=_other_gateway(target))


def _other_gateway(target: Target) -> str:
    start = "Start the platform with `dayfly start`, or name" if target.is_loopback else "Name"
    return f"{start} another gateway with --gateway or DAYFLY_URL."
