"""Keys, passwords and signatures: who is let through by them, and what the function is told."""

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.gateway import gates
from dayfly.gateway.gates import Admitted, BasicGate, Denied, KeyGate
from dayfly.gateway.signature_gate import SignatureGate
from dayfly.http1.head import RequestHead, judge
from dayfly.model.route_entry import AuthEntry, KnownKey

KEY = b"a-key-that-nobody-guesses"
NOW = 1_700_000_000.0
BODY = b'{"zen":"Keep it logically awesome."}'


def head(*headers: tuple[bytes, bytes]) -> RequestHead:
    return judge(b"POST", b"/", b"HTTP/1.1", [(b"Host", b"h"), *headers])


def digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def key_gate(header: str = "") -> KeyGate:
    keys = (KnownKey("", digest(b"x" * 20)), KnownKey("ci", digest(KEY)))
    return KeyGate(AuthEntry(kind="key", header=header, keys=keys))


@pytest.mark.parametrize(
    "header", [(b"authorization", b"bearer " + KEY), (b"AUTHORIZATION", b"Bearer  " + KEY), (b"X-API-Key", KEY)]
)
def test_a_key_opens_in_its_usual_places(header: tuple[bytes, bytes]) -> None:
    gate = key_gate()
    found = gate.check(head(header), "p", 0.0, NOW)
    assert found == Admitted("ci", b"X-Dayfly-Auth: key\r\nX-Dayfly-Subject: ci\r\n")
    assert gate.takes_away(head(header)) == {header[0].lower()}


@pytest.mark.parametrize(
    "headers",
    [
        [], [(b"X-Api-Key", b"")], [(b"X-Api-Key", KEY[:-1])], [(b"X-Api-Key", KEY + b"!")],
        [(b"X-Api-Key", KEY.upper())],
        [(b"X-Api-Key", KEY), (b"X-Api-Key", KEY)], [(b"X-Api-Key", b"no"), (b"Authorization", b"Bearer " + KEY)],
        [(b"Authorization", KEY)], [(b"Authorization", b"Basic " + KEY)], [(b"Authorization", b"Bearer")],
        [(b"Authorization", b"Bearer " + KEY), (b"Authorization", b"Bearer " + KEY)], [(b"Cookie", KEY)],
        [(b"X-Api-Key", digest(KEY).hex().encode())],
    ],
)  # fmt: skip
def test_anything_else_does_not(headers: list[tuple[bytes, bytes]]) -> None:
    found = key_gate().check(head(*headers), "p", 0.0, NOW)
    assert isinstance(found, Denied)
    assert (found.refusal.status, found.refusal.code) == (401, "unauthenticated")
    assert b"WWW-Authenticate: Bearer\r\n" in found.lines


def test_a_header_of_its_own_is_the_only_place() -> None:
    gate = key_gate("X-Shop-Key")
    assert isinstance(gate.check(head((b"x-shop-key", KEY)), "p", 0.0, NOW), Admitted)
    for name, value in ((b"X-Api-Key", KEY), (b"Authorization", b"Bearer " + KEY)):
        assert isinstance(gate.check(head((name, value)), "p", 0.0, NOW), Denied)
    assert gate.takes_away(head()) == {b"x-shop-key"}


def test_every_key_is_compared_whole_and_whatever_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, real = [], hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr("hmac.compare_digest", compare)
    keys = tuple(KnownKey(str(number), digest(b"%d" % number)) for number in range(5))
    assert gates.known(keys, b"0") is keys[0]
    assert gates.known(keys, b"nobody's") is None
    assert compared == [(32, 32)] * 10


def basic(login: bytes) -> RequestHead:
    return head((b"Authorization", b"Basic " + base64.b64encode(login)))


def basic_gate() -> BasicGate:
    keys = (KnownKey("ann", digest(b"ann:correct horse")), KnownKey("bob", digest("bob:pässwörd".encode())))
    return BasicGate(AuthEntry(kind="basic", keys=keys), "shop")


def test_a_name_and_its_password_open() -> None:
    gate = basic_gate()
    for login, name in ((b"ann:correct horse", "ann"), ("bob:pässwörd".encode(), "bob")):
        found = gate.check(basic(login), "p", 0.0, NOW)
        assert isinstance(found, Admitted)
        assert found.subject == name
    for wrong in (b"ann:wrong", b"bob:correct horse", b"ann", b":correct horse", b"ann:correct horse\0"):
        denied = basic_gate().check(basic(wrong), "p", 0.0, NOW)
        assert isinstance(denied, Denied)
        assert b'WWW-Authenticate: Basic realm="shop", charset="UTF-8"\r\n' in denied.lines
    assert isinstance(gate.check(head((b"Authorization", b"Basic !!!")), "p", 0.0, NOW), Denied)
    assert isinstance(gate.check(head(), "p", 0.0, NOW), Denied)


def test_a_peer_that_guesses_waits_and_nobody_else_does() -> None:
    gate = basic_gate()
    statuses = []
    for number in range(100):
        denied = gate.check(basic(b"ann:guess%d" % number), "192.0.2.1", 0.0, NOW)
        assert isinstance(denied, Denied)
        statuses.append(denied.refusal.status)
    assert (statuses[:5], {*statuses[5:]}) == ([401] * 5, {429})
    assert isinstance(gate.check(basic(b"ann:correct horse"), "192.0.2.1", 1.0, NOW), Denied)
    assert isinstance(gate.check(basic(b"ann:correct horse"), "192.0.2.2", 1.0, NOW), Admitted)
    assert isinstance(gate.check(basic(b"ann:correct horse"), "192.0.2.1", 61.0, NOW), Admitted)
    for _ in range(10):
        assert isinstance(gate.check(head(), "192.0.2.3", 61.0, NOW), Denied)  # a browser that was not asked yet
    assert isinstance(gate.check(basic(b"ann:correct horse"), "192.0.2.3", 61.0, NOW), Admitted)


def signature_gate(scheme: str = "github", header: str = "X-Signature", **fields: Any) -> SignatureGate:
    entry: dict[str, Any] = {
        "kind": "hmac",
        "scheme": scheme,
        "header": header,
        "shared": (b"o" * 16, KEY),
        "window_s": 300.0,
    }
    return SignatureGate(AuthEntry(**(entry | fields)))


def hexed(text: bytes, key: bytes = KEY) -> bytes:
    return hmac.new(key, text, hashlib.sha256).hexdigest().encode()


def judged(gate: SignatureGate, value: bytes, body: bytes = BODY, *, now: float = NOW, cuts: int = 1) -> int:
    """Return 200, or the status of the refusal."""
    begun = gate.begin(head((b"x-signature", value)), now)
    if isinstance(begun, Denied):
        return begun.refusal.status
    for at in range(0, len(body), max(len(body) // cuts, 1)):
        begun.update(body[at : at + max(len(body) // cuts, 1)])
    found = begun.judge(now)
    return 200 if isinstance(found, Admitted) else found.refusal.status


@pytest.mark.parametrize(("scheme", "start"), [("github", b"sha256="), ("plain", b"sha256="), ("plain", b"")])
def test_a_body_that_was_signed_passes_and_any_other_does_not(scheme: str, start: bytes) -> None:
    gate, good = signature_gate(scheme), start + hexed(BODY)
    assert [judged(gate, good, cuts=cuts) for cuts in (1, 3, 36)] == [200, 200, 200]
    assert judged(gate, start + hexed(BODY, b"o" * 16)) == 200
    assert judged(gate, start + hexed(b""), b"") == 200
    assert judged(gate, good, BODY + b" ") == 401
    assert judged(gate, good, BODY[:-1]) == 401
    assert judged(gate, start + hexed(BODY, b"another key of some length")) == 401
    for value in (b"", start, good[:-1], good + b"0", b"sha1=" + hexed(BODY)[:40], b"sha256=" + start + hexed(BODY),
                  good + b", " + good):  # fmt: skip
        if value not in (b"sha256=" + hexed(BODY), hexed(BODY)):
            assert judged(gate, value) == 401, value
    assert isinstance(gate.begin(head(), NOW), Denied)
    assert isinstance(gate.begin(head((b"x-signature", good), (b"X-Signature", good)), NOW), Denied)


def stripe(stamp: int, body: bytes = BODY, key: bytes = KEY) -> bytes:
    return b"t=%d,v1=%b,v0=%b" % (stamp, hexed(b"%d.%b" % (stamp, body), key), b"0" * 64)


def test_a_signature_with_a_time_is_good_once_and_not_for_long() -> None:
    gate, now = signature_gate("stripe"), int(NOW)
    assert judged(gate, stripe(now)) == 200
    assert judged(gate, stripe(now)) == 401
    assert judged(gate, stripe(now) + b",v1=" + b"1" * 64) == 401  # the same one in other words
    assert judged(gate, stripe(now + 1)) == 200
    for stamp, status in ((now - 300, 200), (now - 301, 401), (now + 300, 200), (now + 301, 401), (0, 401)):
        assert judged(gate, stripe(stamp)) == status, stamp


def test_nothing_that_can_still_be_used_is_forgotten() -> None:
    gate, now = signature_gate("stripe"), int(NOW)
    late = stripe(now + 300)
    assert judged(gate, late) == 200
    for later in range(0, 601, 50):
        assert judged(gate, stripe(now + later, b"other%d" % later), b"other%d" % later, now=NOW + later) == 200
        assert judged(gate, late, now=NOW + later) == 401, later
    assert len(gate._seen) <= 14
    assert judged(gate, stripe(now + 2000), now=NOW + 2000) == 200
    assert len(gate._seen) == 1


def test_the_time_is_signed_too() -> None:
    gate, now = signature_gate("stripe"), int(NOW)
    old = stripe(now - 1000)
    assert judged(gate, old.replace(b"t=%d" % (now - 1000), b"t=%d" % now)) == 401
    assert judged(gate, b"t=%d,v1=%b" % (now, hexed(BODY))) == 401
    for value in (
        stripe(now).replace(b"t=", b"T="), b"t=%d" % now, b"v1=" + hexed(BODY), b"t=%d,%b" % (now, stripe(now)),
        b"t=-1,v1=" + hexed(BODY), b"t=,v1=" + hexed(b"." + BODY), b"t=1e9,v1=" + hexed(BODY),
        b"t=%d" % now + (b",v1=" + b"0" * 64) * 11,
    ):  # fmt: skip
        assert judged(gate, value) == 401, value
    good = stripe(now).partition(b",")[2]
    for count, status in ((10, 401), (9, 200)):
        assert judged(gate, b"t=%d" % now + (b",v1=" + b"0" * 64) * count + b"," + good) == status


@given(st.text(max_size=50))
def test_whoever_it_is_makes_one_header_line(subject: str) -> None:
    lines = gates.admitted(b"jwt", subject).lines
    assert lines.count(b"\r\n") == (2 if subject else 1)
    assert all(32 <= byte < 127 or byte in b"\r\n" for byte in lines)
