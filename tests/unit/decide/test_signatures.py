"""Signatures of webhooks, beside what those who send them publish, and turned in every way that must not help."""

import base64
import hashlib
import hmac

import pytest

from dayfly.decide.signatures import Signed, key_of, read_signed, verify

BODY, KEY, NOW = b'{"test": 2432232314}', b"0123456789abcdef", 1_614_265_330


def digest(data: bytes, key: bytes = KEY) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def headers(scheme: str) -> dict[str, list[str]]:
    """Return the headers of BODY as the scheme signs it at NOW."""
    t = str(NOW).encode()
    return {
        "github": {"x-hub-signature-256": [f"sha256={digest(BODY).hex()}"]},
        "plain": {"x-signature": [digest(BODY).hex()]},
        "stripe": {"stripe-signature": [f"t={NOW},v1={digest(t + b'.' + BODY).hex()},v0={'0' * 64}"]},
        "slack": {
            "x-slack-signature": [f"v0={digest(b'v0:' + t + b':' + BODY).hex()}"],
            "x-slack-request-timestamp": [str(NOW)],
        },
        "standard-webhooks": {
            "webhook-id": ["msg_1"], "webhook-timestamp": [str(NOW)],
            "webhook-signature": [f"v1,{base64.b64encode(digest(b'msg_1.' + t + b'.' + BODY)).decode()} v1a,x"],
        },
    }[scheme]  # fmt: skip


SCHEMES = ["github", "plain", "stripe", "slack", "standard-webhooks"]
TIMED = SCHEMES[2:]


def refused(scheme: str, given: dict[str, list[str]], body: bytes = BODY, key: bytes = KEY, now_s: float = NOW) -> str:
    signed = read_signed(scheme, "", given)
    return "none" if signed is None else verify(signed, body, [b"x" * 16, key], now_s=now_s, window_s=300)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_was_signed_is_good_and_nothing_else_is(scheme: str) -> None:
    good = headers(scheme)
    assert refused(scheme, good) == ""
    assert "not that of this body" in refused(scheme, good, BODY + b" ")
    assert "not that of this body" in refused(scheme, good, key=b"another key of 16")
    assert "not that of this body" in refused(scheme, good, b"")
    for name in good:
        assert refused(scheme, {**good, name: []}) != ""
        assert refused(scheme, {**good, name: good[name] * 2}) != "", "there twice"
        assert refused(scheme, {**good, name: [""]}) != ""
        assert refused(scheme, {**good, name: ["é" * 9]}) != ""


@pytest.mark.parametrize("scheme", TIMED)
def test_one_that_says_its_time_is_good_for_so_long(scheme: str) -> None:
    for age_s in (-300, 300):
        assert refused(scheme, headers(scheme), now_s=NOW + age_s) == ""
    for age_s in (-301, 301):
        assert "within 300 s" in refused(scheme, headers(scheme), now_s=NOW + age_s)


@pytest.mark.parametrize("scheme", TIMED)
def test_nobody_else_can_say_another_time(scheme: str) -> None:
    for stamp in (str(NOW + 9), "", "-1", "1e9", "9" * 13, "x"):
        changed = {name: [value.replace(str(NOW), stamp) for value in given] for name, given in headers(scheme).items()}
        assert refused(scheme, changed) != "", stamp


def test_the_id_of_a_delivery_is_signed_where_the_scheme_says_so() -> None:
    assert refused("standard-webhooks", {**headers("standard-webhooks"), "webhook-id": ["msg_2"]}) != ""


def test_of_several_signatures_one_is_enough_and_too_many_are_none() -> None:
    one = headers("standard-webhooks")["webhook-signature"][0].partition(" ")[0]
    other = "v1," + base64.b64encode(b"0" * 32).decode()
    for given, good in (([other, one], True), ([other] * 10 + [one], False)):
        told = {**headers("standard-webhooks"), "webhook-signature": [" ".join(given)]}
        assert (refused("standard-webhooks", told) == "") is good


def test_a_header_of_its_own_is_the_only_one_that_counts() -> None:
    good = headers("plain")
    assert read_signed("plain", "X-Mine", good) is None
    assert read_signed("plain", "X-Mine", {"x-mine": good["x-signature"]}) == read_signed("plain", "", good)
    prefixed = {"x-signature": ["sha256=" + good["x-signature"][0]]}
    assert read_signed("plain", "", prefixed) == Signed(b"", (digest(BODY).hex().encode(),))


def test_standard_webhooks_as_their_specification_shows_it() -> None:
    key = key_of("standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    told = {
        "webhook-id": ["msg_p5jXN8AQM9LWM0D4loKWxJek"], "webhook-timestamp": [str(NOW)],
        "webhook-signature": ["v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="],
    }  # fmt: skip
    assert refused("standard-webhooks", told, key=key) == ""


@pytest.mark.parametrize(("scheme", "text", "key"), [("github", "whsec_AAAA", b"whsec_AAAA"),
                                                     ("standard-webhooks", "whsec_!", b"whsec_!"),
                                                     ("standard-webhooks", "plain", b"plain")])  # fmt: skip
def test_keys_as_they_are_written(scheme: str, text: str, key: bytes) -> None:
    assert key_of(scheme, text) == key
