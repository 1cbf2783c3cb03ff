"""Payloads: which are kept, and that what is redacted is nowhere in what is written down."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.payloads import is_kept, is_taken
from dayfly.decide.redaction import ALWAYS, kept, redacted_body
from dayfly.model.errors import InvalidSpec
from dayfly.model.payload import PAYLOADS, REDACT, CallPayload, PayloadPolicy, TakenPayload, told_payloads

SECRET = "hunter2-hunter2"


def policy(payloads: str, redact: str = "") -> PayloadPolicy | None:
    return PayloadPolicy.from_annotations({PAYLOADS: payloads, REDACT: redact})


def taken(
    body: bytes = b"", lines: str = "", *, target: str = "/", answer: bytes = b"", redact: tuple[str, ...] = (),
    answer_lines: str = "",
) -> CallPayload:  # fmt: skip
    head = f"POST {target} HTTP/1.1\r\nHost: h\r\n{lines}".encode()
    return kept(TakenPayload(head, body, False, 200, answer_lines.encode(), answer, False, redact))


def test_a_policy_is_what_the_annotations_say() -> None:
    assert PayloadPolicy.from_annotations({}) is None
    assert policy("off", "password") is None
    assert policy("all") == PayloadPolicy("all")
    assert policy("errors", "password, $.card.number,password") == PayloadPolicy(
        "errors", redact=("password", "$.card.number")
    )
    assert policy("sampled:0.01") == PayloadPolicy("sampled", 0.01)
    assert policy("sampled:1") == PayloadPolicy("sampled", 1.0)


@pytest.mark.parametrize("text", ["some", "sampled", "sampled:0", "sampled:2", "sampled:1.5", "sampled:x", "ALL", "on"])
def test_a_policy_that_means_nothing_is_refused_and_keeps_nothing(text: str) -> None:
    with pytest.raises(InvalidSpec, match=PAYLOADS):
        policy(text)
    assert told_payloads({PAYLOADS: text}) is None


@pytest.mark.parametrize("text", ["two words", "$", "$.", "$..a", "$.a[0]", "x" * 101, ",".join(map(str, range(65)))])
def test_a_list_that_cannot_be_read_is_refused_even_where_nothing_is_kept(text: str) -> None:
    for payloads in ("off", "all"):
        with pytest.raises(InvalidSpec, match=REDACT):
            policy(payloads, text)


@given(st.sampled_from(["all", "errors"]), st.floats(0, 1, exclude_max=True), st.text(max_size=5))
def test_errors_are_kept_by_all_and_the_rest_as_the_policy_says(keep: Any, draw: float, error: str) -> None:
    assert is_taken(PayloadPolicy(keep), draw)
    assert is_kept(PayloadPolicy(keep), error) == (keep == "all" or bool(error))


@given(st.floats(0.001, 1), st.floats(0, 1, exclude_max=True))
def test_a_sample_is_the_share_of_the_draws(share: float, draw: float) -> None:
    assert is_taken(PayloadPolicy("sampled", share), draw) == (draw < share)
    assert is_kept(PayloadPolicy("sampled", share), "")


@pytest.mark.parametrize("name", sorted(ALWAYS))
def test_credentials_are_redacted_whoever_says_nothing(name: str) -> None:
    told = taken(lines=f"{name.title()}: {SECRET}\r\nX-Else: stays\r\n", answer_lines=f"{name.upper()}: {SECRET}\r\n")
    assert SECRET not in repr(told)
    assert dict(told.headers) == {"host": "h", name: "[redacted]", "x-else": "stays"}
    assert told.redacted == (f"header {name}",)


def test_names_are_found_in_headers_queries_forms_and_json() -> None:
    redact = ("password", "X-Mine")
    told = taken(
        b"a=1&password=" + SECRET.encode() + b"&p%61ssword=" + SECRET.encode(),
        f"x-mine: {SECRET}\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        target=f"/p?x=1&PASSWORD={SECRET}",
        answer=json.dumps({"deep": [{"Password": SECRET, "keep": 1}]}).encode(),
        redact=redact,
    )
    assert SECRET not in repr(told)
    assert told.target == "/p?x=1&PASSWORD=[redacted]"
    assert told.body == b"a=1&password=[redacted]&p%61ssword=[redacted]"
    assert json.loads(told.answer_body) == {"deep": [{"Password": "[redacted]", "keep": 1}]}
    assert told.redacted == ("header x-mine", "query PASSWORD", "body password")


def test_a_path_is_one_place_and_lists_on_the_way_are_gone_through() -> None:
    body = {"card": {"number": SECRET, "name": "x"}, "number": 7, "cards": [{"card": {"number": 8}}]}
    told = taken(json.dumps(body).encode(), redact=("$.card.number", "$.cards.card.number"))
    assert json.loads(told.body) == {
        "card": {"number": "[redacted]", "name": "x"}, "number": 7, "cards": [{"card": {"number": "[redacted]"}}],
    }  # fmt: skip
    assert told.redacted == ("body $.card.number", "body $.cards.card.number")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"password": "%b", "cut' % SECRET.encode(), {}),
        (b'{"password": "%b"}\n{"password": "%b"}' % (SECRET.encode(), SECRET.encode()), {}),
        (b'{"p\\u0061ssword": "%b", "cut' % SECRET.encode(), {}),
        (b"--x\r\nname=password\r\n\r\n%b" % SECRET.encode(), {"content-type": "multipart/form-data; boundary=x"}),
        (f"password: {SECRET}".encode("utf-16"), {"content-type": "text/plain"}),
        (b'{"password": "%b' % SECRET.encode(), {"content-type": "application/x-www-form-urlencoded"}),
        (b"packed " + SECRET.encode(), {"content-encoding": "gzip"}),
        (b"[" * 100_000 + b'{"password": "%b"' % SECRET.encode(), {}),
    ],
)
def test_what_cannot_be_read_is_left_out_as_a_whole(body: bytes, headers: dict[str, str]) -> None:
    assert redacted_body(body, tuple(headers.items()), ("password",)) == (b"[redacted]", ("",))


def test_a_name_that_is_there_twice_hides_nothing() -> None:
    body = b'{"a": {"password": "%b"}, "a": 1}' % SECRET.encode()
    assert redacted_body(body, (), ("password",)) == (b'{"a": 1}', ())


def test_a_body_without_such_names_stays_as_it_was() -> None:
    for body in (b'{ "a":  1 }', b"plain text", b"\x89PNG\x00\xff", b""):
        assert redacted_body(body, (), ("password", "$.card.number")) == (body, ())
    packed = (("content-encoding", "gzip"),)
    assert redacted_body(b"\x1f\x8b", packed, ()) == (b"\x1f\x8b", ())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "password"]), inner),
    max_leaves=10,
)


def _with_secrets(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_secrets(each) for each in value]
    if isinstance(value, Mapping):
        return {name: SECRET if name == "password" else _with_secrets(each) for name, each in value.items()}
    return value


@given(_JSON, st.integers(0, 400))
def test_no_secret_is_in_what_is_kept_however_json_is_made_and_wherever_it_is_cut(value: Any, at: int) -> None:
    body = json.dumps(_with_secrets(value)).encode()
    for each in (body, body[:at]):
        assert b"hunter2-hunter2" not in redacted_body(each, (), ("password",))[0]


@given(st.binary(max_size=200), st.text(max_size=30), st.sampled_from(["", "application/x-www-form-urlencoded"]))
def test_whatever_is_sent_it_can_be_kept(body: bytes, query: str, kind: str) -> None:
    told = taken(body, f"Content-Type: {kind}\r\nX: {base64.b64encode(body).decode()}\r\n", target=f"/?{quote(query)}",
                 answer=body, redact=("password", "$.a"))  # fmt: skip
    assert told.method == "POST"
