"""The chunked coding, taken apart wherever the pieces are cut."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.http1.framing import LAST_CHUNK, ChunkedDecoder, chunk
from dayfly.http1.refusal import Refusal


def decoded(*pieces: bytes) -> tuple[bytes, bool, bytes]:
    decoder = ChunkedDecoder()
    content, rest = b"", b""
    for piece in pieces:
        more, rest = decoder.feed(piece)
        content += more
    return content, decoder.done, rest


CODED = b"5;name=value\r\nhello\r\nA\r\n0123456789\r\n000\r\nX-Trailer: a\r\nY: b\r\n\r\n"


def test_every_cut_gives_the_same() -> None:
    for at in range(len(CODED) + 1):
        assert decoded(CODED[:at], CODED[at:]) == (b"hello0123456789", True, b"")


def test_one_byte_at_a_time_leaves_what_follows() -> None:
    decoder = ChunkedDecoder()
    content = b"".join(decoder.feed(CODED[at : at + 1])[0] for at in range(len(CODED)))
    assert content == b"hello0123456789"
    assert decoder.done
    assert decoder.feed(b"GET /") == (b"", b"GET /")


def test_what_follows_is_returned() -> None:
    assert decoded(CODED + b"GET / HTTP/1.1\r\n") == (b"hello0123456789", True, b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "coded",
    [
        b"\r\n",
        b" 5\r\nhello\r\n",
        b"5 \nhello",
        b"5\nhello\n",
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"-5\r\nhello\r\n",
        b"5_0\r\n",
        b"g\r\n",
        b"1234567890abc\r\n",
        b"5\r\nhellohello\r\n",
        b"5\r\nhello\n",
        b"5\r\nhelloX\r\n",
        b"5\rhello\r\n",
        b"5;a\rb\r\nhello\r\n",
        b"5;\x00\r\nhello\r\n",
        b"5" + b";a" * 600 + b"\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\nX : a\r\n\r\n",
        b"0\r\n folded\r\n\r\n",
        b"0\r\nX: a\nY: b\r\n\r\n",
        b"0\r\n\n",
        b"5 ;a\r\nhello\r\n",
        b"5; a\r\nhello\r\n",
        b"5;a=\r\nhello\r\n",
        b'5;a="b\r\nhello\r\n',
        b"0\r\nContent-Length: 3\r\n\r\n",
        b"0\r\nTRANSFER_encoding: chunked\r\n\r\n",
        b"0\r\nhost: h\r\n\r\n",
    ],
)
def test_what_is_refused(coded: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        decoded(coded)
    assert caught.value.status == 400


@pytest.mark.parametrize("trailers", [b"X: a\r\n" * 33, (b"X: " + b"a" * 900 + b"\r\n") * 10])
def test_trailers_are_bounded(trailers: bytes) -> None:
    with pytest.raises(Refusal, match="more than 32 trailers, or more than 8192 bytes") as caught:
        decoded(b"0\r\n" + trailers + b"\r\n")
    assert caught.value.status == 431


def test_trailers_that_may_go_on_are_kept() -> None:
    decoder = ChunkedDecoder()
    decoder.feed(b"0\r\nX-Sum: 1 \r\nAuthorization: a\r\ncookie: b\r\nX_Under: c\r\nX-Sum:\t2\r\n\r\n")
    assert decoder.trailers == [(b"X-Sum", b"1"), (b"X-Sum", b"2")]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.data())
def test_what_is_coded_is_decoded(pieces: list[bytes], data: st.DataObject) -> None:
    coded = b"".join(chunk(piece) for piece in pieces) + LAST_CHUNK
    cuts = sorted(data.draw(st.lists(st.integers(0, len(coded)), max_size=6)))
    parts = [coded[start:end] for start, end in zip([0, *cuts], [*cuts, len(coded)], strict=True)]
    assert decoded(*parts) == (b"".join(pieces), True, b"")


class Witness:
    """What llhttp makes of the same body."""

    def __init__(self) -> None:
        self.content = b""
        self.done = False

    def on_body(self, body: bytes) -> None:
        self.content += body

    def on_message_complete(self) -> None:
        self.done = True


@given(
    st.lists(
        st.sampled_from([b"1", b"3", b"0", b"\r\n", b"\n", b"\r", b"a", b"abc", b";x", b" ", b"X: y"]), max_size=12
    )
)
def test_what_we_accept_llhttp_reads_the_same(parts: list[bytes]) -> None:
    coded = b"".join(parts)
    try:
        content, done, rest = decoded(coded)
    except Refusal:
        return
    if not done:
        return
    witness = Witness()
    parser = httptools.HttpRequestParser(witness)
    parser.feed_data(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    parser.feed_data(coded[: len(coded) - len(rest)])
    assert (witness.content, witness.done) == (content, True)
