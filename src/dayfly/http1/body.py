"""Bodies: what is still to come of a request, how much may come, and how fast it must."""

from dayfly.http1.framing import ChunkedDecoder
from dayfly.http1.head import CHUNKED, Header
from dayfly.http1.limits import Limits
from dayfly.http1.refusal import Refusal
from dayfly.http1.wire import Data

HINT = "The operator can raise the gateway's limit body_bytes; larger things belong into a blob store."


class RequestBody:
    """A request's body on its way in."""

    __slots__ = ("_decoder", "_hint", "_limit", "_limits", "_room", "_window_bytes", "complete", "left", "window_end")

    def __init__(self, length: int, limit: int, limits: Limits, now: float, hint: str = HINT) -> None:
        self.complete = False
        self.left = length
        """Bytes to come; CHUNKED while nobody knows."""
        self.window_end = now + limits.body_window_s
        """When the rate is looked at next."""
        self._limits = limits
        self._hint = hint
        self._limit = self._room = limit
        self._window_bytes = 0
        self._decoder = ChunkedDecoder(limits.trailer_count, limits.trailer_bytes) if length == CHUNKED else None
        if length > limit:
            raise self._too_large()

    def take(self, data: Data) -> tuple[Data, bytes]:
        """Return the content in `data` and what follows the body's end. Raises Refusal (400, 413)."""
        self._window_bytes += len(data)
        decoder = self._decoder
        if decoder is not None:
            content, rest = decoder.feed(bytes(data))
            self._room -= len(content)
            if self._room < 0:
                raise self._too_large()
            self.complete = decoder.done
            return content, rest
        left = self.left - len(data)
        if left <= 0:
            self.complete = True
            data, rest = data[: self.left], bytes(data[self.left :])
            self.left = 0
            return data, rest
        self.left = left
        return data, b""

    @property
    def trailers(self) -> list[Header]:
        """What came after a chunked body and may go on."""
        return self._decoder.trailers if self._decoder is not None else []

    def check_rate(self, now: float, *, blameless: bool) -> None:
        """Begin a new window if one is over. Raises Refusal (408) if too little came in it, unless `blameless`."""
        if now < self.window_end:
            return
        if not blameless and self._window_bytes < self._limits.body_rate_bytes_s * self._limits.body_window_s:
            raise Refusal(
                408,
                "body_timeout",
                f"The request's body came slower than {self._limits.body_rate_bytes_s} bytes a second.",
                "The operator can lower the gateway's limit body_rate_bytes_s.",
            )
        self._window_bytes = 0
        self.window_end = now + self._limits.body_window_s

    def _too_large(self) -> Refusal:
        return Refusal(
            413,
            "payload_too_large",
            f"The request's body is larger than the {self._limit} bytes that may be sent to this address.",
            self._hint,
        )
