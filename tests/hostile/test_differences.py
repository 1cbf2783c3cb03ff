"""No request that the gateway accepts is read otherwise by llhttp, by h11 or by a replica: generated requests."""

import random

from fuzz.differences import LIMITS, cut_differences, differences
from fuzz.engine import read
from fuzz.mutations import SEEDS, mutate, mutations
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hostile.corpus import CASES

methods = st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"get", b"CONNECT"])
targets = st.sampled_from(
    [b"/function/canary", b"/function/canary/x?y=%20", b"/", b"*", b"http://h/", b"/\xff", b"/a b"]
)
versions = st.sampled_from([b"HTTP/1.1"] * 4 + [b"HTTP/1.0", b"HTTP/0.9", b"HTTP/1.2", b"http/1.1"])
hosts = st.sampled_from([b"Host: h\r\n"] * 4 + [b"", b"Host: h\r\nHost: h\r\n", b"Host: a b\r\n", b"Host:\r\n"])
names = st.sampled_from(
    [
        b"Content-Length",
        b"content_length",
        b"Transfer-Encoding",
        b"Connection",
        b"Upgrade",
        b"Expect",
        b"Trailer",
        b"TE",
        b"X",
        b"X-Y",
        b"X Y",
        b"",
        b"X\x00",
        b"Transfer-Encoding ",
        b" X",
    ]
)
values = st.sampled_from(
    [
        b"0",
        b"3",
        b"5",
        b"+3",
        b"0x3",
        b"3,3",
        b"chunked",
        b"identity",
        b"gzip, chunked",
        b"close",
        b"keep-alive",
        b"Upgrade",
        b"websocket",
        b"h2c",
        b"100-continue",
        b"trailers",
        b"TE, close",
        b"Content-Length",
        b"",
        b"a\rb",
    ]
)
blanks = st.sampled_from([b": "] * 6 + [b":", b":\t", b" : ", b":\r\n "])
ends = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n", b"\n\r"])
lines = st.builds(lambda *parts: b"".join(parts), names, blanks, values, ends)
plain = st.sampled_from([b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"])
pieces = st.sampled_from(
    [
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"0\r\n",
        b"hello",
        b"\r\n",
        b"X-T: 1\r\n",
        b"Host: t\r\n",
        b"3;a=b\r\nabc\r\n",
        b"a",
        b"0",
        b"\n",
        b"3 \r\nabc\r\n",
        b"GET /function/canary HTTP/1.1\r\nHost: h\r\n\r\n",
    ]
)
requests = st.builds(
    lambda method, target, version, host, more, framing, end, body: b"".join(
        [method, b" ", target, b" ", version, b"\r\n", host, *more, framing, end, *body]
    ),
    methods,
    targets,
    versions,
    hosts,
    st.lists(lines, max_size=3),
    plain,
    st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r\r\n"]),
    st.lists(pieces, max_size=4),
)


@settings(max_examples=600, deadline=None)
@given(st.lists(requests, min_size=1, max_size=3), st.data())
def test_generated_requests(parts: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(parts)
    assert differences(raw) == []
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=4))
    assert cut_differences(raw, cuts) == []


def test_mutated_requests() -> None:
    accepted = 0
    for mutant in mutations(20_000, seed=20_050_816):
        verdict = read([mutant], LIMITS)
        accepted += len(verdict.accepted)
        assert differences(mutant, verdict) == []
    assert accepted > 1_000


def test_the_corpus_mutated() -> None:
    dice = random.Random(1)  # noqa: S311 - chance to be had again
    for _ in range(20):
        for case in CASES:
            if len(case.raw) < 2_000:
                mutant = mutate(case.raw, dice)
                assert differences(mutant) == []
                assert cut_differences(mutant, [dice.randrange(len(mutant) + 1)]) == []


def test_the_seeds_are_read_by_everybody() -> None:
    assert len(SEEDS) == 30
    refused = [seed for seed in SEEDS if read([seed], LIMITS).status]
    assert len(refused) == 2  # both lengths, and two that conflict
    for seed in SEEDS:
        assert differences(seed) == []
