"""Gates that take a signature over the body, as those who send webhooks make it.

A body is held until all of it has been signed for, and not a byte of it reaches the function before. Where a signature
says when it was made, one that is too old is refused, and so is one that was seen already; each gateway process
remembers those that it saw.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Sequence

from dayfly.decide.signatures import MOST_SIGNATURES, read_hex, read_stripe
from dayfly.gateway.gates import Admitted, Denied, admitted, values
from dayfly.gateway.refusals import Refusal
from dayfly.http1.head import RequestHead
from dayfly.http1.wire import Data
from dayfly.model.route_entry import AuthEntry

_REMEMBERED = 10_000


class Signature:
    """One signature, and the body that it is compared with as that comes in."""

    __slots__ = ("_expected", "_gate", "_given", "_time_s")

    def __init__(self, gate: "SignatureGate", given: Sequence[bytes], stamp: bytes) -> None:
        self._gate = gate
        self._given = given
        self._time_s = int(stamp or b"-1")
        self._expected = [hmac.new(key, stamp and stamp + b".", hashlib.sha256) for key in gate.keys]

    def update(self, data: Data) -> None:
        """Take more of the body."""
        for each in self._expected:
            each.update(data)

    def judge(self, now: float) -> Admitted | Denied:
        """Say whether the body is what was signed; it is complete."""
        good = None
        for expected in self._expected:
            digest = expected.hexdigest().encode()
            for given in self._given:
                if hmac.compare_digest(digest, given):
                    good = digest
        if good is None:
            return _denied("signature_wrong", "The signature is not that of this body by a key that the route knows.")
        if self._time_s >= 0 and not self._gate.is_first(good, now):
            return _denied("signature_replayed", "This signature was taken already.")
        return admitted(b"hmac", "")


class SignatureGate:
    """Lets through what was signed with one of the keys."""

    def __init__(self, auth: AuthEntry) -> None:
        self.keys = auth.shared
        self._header = auth.header.lower().encode()
        self._is_timed = auth.scheme == "stripe"
        self._window_s = auth.window_s
        self._missing = f"The signature, {auth.header}, is missing, there twice, or not one."
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def begin(self, head: RequestHead, unix_s: float) -> Signature | Denied:
        """Return the signature of a request whose body is to come."""
        given = values(head, self._header)
        stamp, signatures = self._read(given[0]) if len(given) == 1 else (b"", [])
        if not signatures or len(signatures) > MOST_SIGNATURES:
            return _denied("signature_missing", self._missing)
        if self._is_timed and abs(unix_s - int(stamp)) > self._window_s:
            return _denied("signature_old", f"The signature was not made within {self._window_s:g} s of now.")
        return Signature(self, signatures, stamp)

    def is_first(self, signature: bytes, now: float) -> bool:
        """Note a good signature; whether it was not seen before while it could be used."""
        while self._seen and next(iter(self._seen.values())) < now:
            self._seen.popitem(last=False)
        if signature in self._seen:
            return False
        # Its time may lie as far in the future as in the past.
        self._seen[signature] = now + 2 * self._window_s
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _read(self, value: bytes) -> tuple[bytes, list[bytes]]:
        """Return the time and the signatures in a header; no signature when it is none."""
        return read_stripe(value) if self._is_timed else (b"", read_hex(value, b"sha256="))


def _denied(code: str, detail: str) -> Denied:
    return Denied(Refusal(401, code, detail))
